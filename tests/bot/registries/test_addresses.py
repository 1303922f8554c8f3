"""Which addresses may be reached, and that nothing gets round it."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from yarl import URL

from bot.registries import addresses
from bot.registries.addresses import AddressRule, CheckedResolver, host_and_port, is_public
from bot.registries.base import NotListed, RegistryError
from bot.registries.limits import Limits
from bot.registries.pool import Registries, RegistryAccess
from tests.servers.faults import FaultServer, tags
from tests.servers.names import Names


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::6810:85e5", True),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::808:808", True),
        ("127.0.0.1", False),
        ("127.1.2.3", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("172.31.255.255", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("100.100.100.200", False),
        ("192.0.0.192", False),
        ("192.0.2.1", False),
        ("198.18.0.1", False),
        ("224.0.0.1", False),
        ("239.255.255.250", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("168.63.129.16", False),
        ("::", False),
        ("::1", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("fd00:ec2::254", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:169.254.169.254", False),
        ("::127.0.0.1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b:1::1", False),
        ("2002:a9fe:a9fe::1", False),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
        ("2001:db8::1", False),
        ("100::1", False),
    ],
)
def test_is_public(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


@pytest.mark.parametrize(
    ("url", "by_proxy", "refused"),
    [
        ("https://registry.example/", False, False),
        ("https://8.8.8.8/", False, False),
        ("https://10.0.0.1/", False, True),
        ("https://10.0.0.5:5000/", False, False),  # listed
        ("https://10.0.0.5/", False, True),  # on another port it is not
        ("https://[::1]/", False, True),
        ("https://[::ffff:a00:5]:5000/", False, True),
        ("https://localhost/", False, False),  # the resolver refuses it
        ("https://localhost/", True, True),
        ("https://registry/", True, True),
        ("https://vault.internal/", True, True),
        ("https://vault.INTERNAL./", True, True),
        ("https://x.svc.cluster.local/", True, True),
        ("https://harbor.internal/", True, False),  # listed
        ("https://2130706433/", True, True),
        ("https://127.1/", True, True),
        ("https://registry.example/", True, False),
    ],
)
def test_what_the_url_itself_says(url: str, by_proxy: bool, refused: bool) -> None:
    rule = AddressRule([("10.0.0.5", 5000), ("harbor.internal", 443)])
    if refused:
        with pytest.raises(NotListed):
            rule.check(URL(url), by_proxy=by_proxy)
    else:
        rule.check(URL(url), by_proxy=by_proxy)


async def test_a_name_is_judged_by_each_of_its_addresses() -> None:
    names = Names({"both.example": [["10.0.0.1", "8.8.8.8", "::ffff:7f00:1"]], "in.example": [["10.0.0.1"]]})
    resolver = CheckedResolver(AddressRule([("in.example", 5000)]), names)
    assert [found["host"] for found in await resolver.resolve("both.example", 443)] == ["8.8.8.8"]
    assert [found["host"] for found in await resolver.resolve("in.example", 5000)] == ["10.0.0.1"]
    with pytest.raises(NotListed, match=r"in.example:443 is at 10.0.0.1, which is not a public address"):
        await resolver.resolve("in.example", 443)


async def test_a_name_that_changes_its_mind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names({"rebind.example": [["192.0.2.7", "8.8.8.8"], ["127.0.0.1"]]})
    monkeypatch.setattr(addresses, "ThreadedResolver", lambda loop: names)
    async with FaultServer(tags("1.0")) as inner:
        image = f"rebind.example:{inner.port}/acme/web"
        limits = Limits(attempts=1, connect_timeout=0.05)
        async with Registries([], limits=limits) as registries:
            with pytest.raises(RegistryError):
                await registries.tags(image)
        async with Registries([], limits=limits) as registries:
            with pytest.raises(NotListed, match=r"is at 127.0.0.1, which is not a public address"):
                await registries.tags(image)
        assert inner.asked == []


async def test_a_listed_name_may_be_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names({"harbor.corp.example": [["127.0.0.1"]]})
    monkeypatch.setattr(addresses, "ThreadedResolver", lambda loop: names)
    async with FaultServer(tags("1.0")) as inner:
        host = f"harbor.corp.example:{inner.port}"
        async with Registries([RegistryAccess(host, insecure=True)]) as registries:
            assert await registries.tags(f"{host}/acme/web") == ("1.0",)


@pytest.mark.parametrize(
    "image",
    [
        "127.0.0.1/web",
        "127.0.0.1:80/web",
        "localhost/web",
        "localhost:5000/web",
        "169.254.169.254/latest/meta-data",
        "10.1.2.3:5000/web",
        "[::1]:5000/web",
        "[::ffff:7f00:1]/web",
        "0.0.0.0/web",
    ],
)
async def test_an_image_on_an_inner_host_is_refused(image: str) -> None:
    async with Registries([RegistryAccess("harbor.example.com")]) as registries:
        with pytest.raises(NotListed, match=r"is not a public address; it is only asked if app.yaml lists it under `registries`"):
            await registries.tags(image)


@pytest.mark.parametrize("image", ["0177.0.0.1/web", "127.1/web", "0x7f.1/web", "2130706433.0/web"])
async def test_an_address_in_disguise_is_refused(image: str) -> None:
    async with Registries(limits=Limits(attempts=1, connect_timeout=0.2)) as registries:
        with pytest.raises(RegistryError, match=r"is not a public address|not a host that can be asked|cannot be looked up"):
            await registries.tags(image)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("harbor.example.com", ("harbor.example.com", 443)),
        ("127.0.0.1:5000", ("127.0.0.1", 5000)),
        ("[::1]:5000", ("::1", 5000)),
        ("https://harbor.example.com", None),
        ("harbor.example.com/team", None),
        ("ann@harbor.example.com", None),
        ("", None),
        ("host:port", None),
    ],
)
def test_host_and_port(text: str, expected: tuple[str, int] | None) -> None:
    if expected is None:
        with pytest.raises(ValueError, match=r"is not a host or host:port"):
            host_and_port(text, default=443)
    else:
        assert host_and_port(text, default=443) == expected
