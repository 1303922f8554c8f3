"""All registries together: each image read once, each credential used for what it is bound to."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.demo.registry import DemoRegistry
from bot.registries.base import Credentials, RegistryError
from bot.registries.limits import Clock, Limits
from bot.registries.oci import MemoryCache
from bot.registries.pool import Registries, RegistryAccess
from bot.state.ledger import Ledger
from tests.servers.faults import Asked, FaultServer, challenge, reply, tags

QUICK = Limits(attempts=1)


def basic(asked: Asked) -> str:
    return asked.headers.get("authorization", "nobody")


def echo(asked: Asked) -> bytes:
    """A registry that shows each visitor one tag, named after the login."""
    if "authorization" not in asked.headers and "open" not in asked.target:
        return challenge('Basic realm="x"')
    return tags(basic(asked).removeprefix("Basic ").rstrip("="))


async def test_an_image_is_listed_once_whatever_its_spelling_and_number() -> None:
    async with DemoRegistry() as demo, Registries([RegistryAccess(demo.host, insecure=True)]) as registries:
        await demo.put_tags("acme/web", ["1.0", "1.1"])
        images = [f"{demo.host}/acme/web"] * 50
        assert set(await asyncio.gather(*map(registries.tags, images))) == {("1.0", "1.1")}
        assert await registries.tags(images[0], for_repository="acme/gitops") == ("1.0", "1.1")
        assert demo.requests == {"GET tags": 1}
        assert registries.requests == {(demo.host, "listings"): 1}


async def test_a_failure_is_an_outcome_too() -> None:
    async with (
        FaultServer(reply(500)) as server,
        Registries([RegistryAccess(server.host, insecure=True)], limits=QUICK) as registries,
    ):
        found = await asyncio.gather(*[registries.tags(f"{server.host}/acme/web") for _ in range(20)], return_exceptions=True)
        assert {str(each) for each in found} == {f"{server.host} answers with status 500"}
        assert len({id(each) for each in found}) > 1
        assert len(server.asked) == 1


async def test_a_listing_older_than_the_mark_is_read_anew() -> None:
    now = 1000.0
    async with FaultServer(tags("1.0"), tags("1.1"), tags("1.2")) as server:
        access = RegistryAccess(server.host, insecure=True)
        async with Registries([access], clock=Clock(wall=lambda: now)) as registries:
            image = f"{server.host}/acme/web"
            assert await registries.tags(image) == ("1.0",)
            assert await registries.tags(image, no_older_than=1000.0) == ("1.0",)
            now = 1005.0
            assert await registries.tags(image, no_older_than=1001.0) == ("1.1",)
            assert await registries.tags(image, no_older_than=1005.0) == ("1.1",)
            assert await registries.tags(image) == ("1.1",)
            registries.forget()
            assert await registries.tags(image) == ("1.2",)


async def test_a_listing_under_way_is_too_old_for_a_mark_set_meanwhile() -> None:
    now = 1000.0
    began, gate = asyncio.Event(), asyncio.Event()

    async def first(asked: Asked) -> bytes:
        began.set()
        await gate.wait()
        return tags("before")

    async with FaultServer(first, tags("after")) as server:
        access = RegistryAccess(server.host, insecure=True)
        async with Registries([access], clock=Clock(wall=lambda: now)) as registries:
            image = f"{server.host}/acme/web"
            slow = asyncio.create_task(registries.tags(image))
            await began.wait()
            now = 1001.0
            fresh = asyncio.create_task(registries.tags(image, no_older_than=1001.0))
            await asyncio.sleep(0.01)
            gate.set()
            assert await slow == ("before",)
            assert await fresh == ("after",)
            assert await registries.tags(image) == ("after",)


async def test_one_who_gives_up_does_not_take_the_listing_from_the_others() -> None:
    async def slow(asked: Asked) -> bytes:
        await asyncio.sleep(0.05)
        return tags("1.0")

    async with FaultServer(slow) as server, Registries([RegistryAccess(server.host, insecure=True)]) as registries:
        image = f"{server.host}/acme/web"
        first = asyncio.create_task(registries.tags(image))
        others = [asyncio.create_task(registries.tags(image)) for _ in range(3)]
        await asyncio.sleep(0.01)
        first.cancel()
        assert await asyncio.gather(*others) == [("1.0",)] * 3
        with pytest.raises(asyncio.CancelledError):
            await first


@pytest.mark.parametrize(
    ("image", "repository", "seen"),
    [
        ("team-a/web", "acme/gitops", "YTpwdw"),
        ("team-a/deep/web", "acme/gitops", "YTpwdw"),
        ("team-a/web", "rival/gitops", None),
        ("team-a/web", None, None),
        ("team-b/web", "rival/gitops", "Yjpwdw"),
        ("team-b/web", None, "Yjpwdw"),
        ("open/web", "acme/gitops", "nobody"),
        ("team-c/web", "acme/gitops", None),
    ],
)
async def test_a_credential_answers_for_what_it_is_bound_to(image: str, repository: str | None, seen: str | None) -> None:
    async with FaultServer(echo) as server:
        accesses = [
            RegistryAccess(
                server.host,
                insecure=True,
                credentials=Credentials("a", "pw"),
                images=("team-a/**",),
                for_repositories=("acme/*",),
            ),
            RegistryAccess(server.host, credentials=Credentials("b", "pw"), images=("team-b/*",)),
        ]
        async with Registries(accesses, limits=QUICK) as registries:
            if seen is None:
                with pytest.raises(RegistryError, match=r"wants a login for .*, and none is configured"):
                    await registries.tags(f"{server.host}/{image}", for_repository=repository)
            else:
                assert await registries.tags(f"{server.host}/{image}", for_repository=repository) == (seen,)


async def test_outcomes_are_not_shared_between_credentials() -> None:
    async with FaultServer(echo) as server:
        accesses = [
            RegistryAccess(server.host, insecure=True, credentials=Credentials("a", "pw"), for_repositories=("one/*",)),
            RegistryAccess(server.host, insecure=True, credentials=Credentials("b", "pw"), for_repositories=("two/*",)),
        ]
        async with Registries(accesses, limits=QUICK) as registries:
            image = f"{server.host}/acme/web"
            repositories = ("one/x", "two/x", "one/y", "two/y")
            found = await asyncio.gather(*(registries.tags(image, for_repository=name) for name in repositories))
            assert found == [("YTpwdw",), ("Yjpwdw",), ("YTpwdw",), ("Yjpwdw",)]
            with pytest.raises(RegistryError, match="none is configured"):
                await registries.tags(image, for_repository="three/x")


async def test_a_manifest_is_read_once_for_ever() -> None:
    cache = MemoryCache()
    async with DemoRegistry() as demo:
        platforms = ("linux/amd64", "linux/arm64")
        for tag in ("1.0", "same", "moved"):
            await demo.put_image("acme/web", tag, platforms=platforms, layers=[b"x"], labels={"a": "b"})
        for _ in range(2):
            async with Registries([RegistryAccess(demo.host, insecure=True)], cache=cache) as registries:
                found = [await registries.describe(f"{demo.host}/acme/web", tag) for tag in ("1.0", "same", "moved")]
                assert len({each.digest for each in found if each}) == 1
        assert demo.requests == {"HEAD manifests": 6, "GET manifests": 1}


async def test_what_is_known_of_a_digest_says_nothing_of_another_repository() -> None:
    async with DemoRegistry() as demo, Registries([RegistryAccess(demo.host, insecure=True)]) as registries:
        digest = await demo.put_image("secret/web", "1.0")
        await demo.put_tags("open/web", ["1.0"])
        assert await registries.describe(f"{demo.host}/secret/web", digest) is not None
        assert await registries.describe(f"{demo.host}/open/web", digest) is None


async def test_the_ledger_keeps_manifests() -> None:
    ledger = await Ledger.open("sqlite://")
    async with DemoRegistry() as demo:
        await demo.put_image("acme/web", "1.0", platforms=("linux/amd64", "linux/s390x"), labels={"a": "b"}, attested=True)
        for _ in range(2):
            async with Registries([RegistryAccess(demo.host, insecure=True)], cache=ledger) as registries:
                found = await registries.describe(f"{demo.host}/acme/web", "1.0", labels=True)
                assert found is not None
                assert found.platforms == {"linux/amd64", "linux/s390x"}
                assert found.labels == {"a": "b"}
        assert demo.requests == {"HEAD manifests": 2, "GET manifests": 2, "GET blobs": 1}
    await ledger.close()


async def test_pushed_is_not_known_of_a_plain_registry() -> None:
    async with DemoRegistry() as demo, Registries([RegistryAccess(demo.host, insecure=True)]) as registries:
        assert await registries.pushed(f"{demo.host}/acme/web", ["1.0"]) == {}
        assert demo.requests.total() == 0


@pytest.mark.parametrize(
    "image", ["", "h.example/UPPER", "host.example/a b", "host.example/../x", "http://host.example/x", "a" * 300]
)
async def test_a_name_that_is_none(image: str) -> None:
    async with Registries() as registries:
        with pytest.raises(RegistryError):
            await registries.tags(image)


@settings(max_examples=100)
@given(st.from_regex(r"\A([a-zA-Z0-9.-]{1,12}|\[[a-fA-F0-9:]{0,12}\])(:[0-9]{0,7})?/[a-z0-9/._-]{1,10}\Z"))
def test_any_name_gives_a_registry_or_a_reason(image: str) -> None:
    with contextlib.suppress(RegistryError):
        Registries()._find(image, None)


@pytest.mark.parametrize("reference", ["", "a/b", "../x", "a?b", "sha256:zz", "a" * 200, "x#y", "%2e%2e"])
async def test_a_reference_that_is_none(reference: str) -> None:
    async with Registries() as registries:
        with pytest.raises(RegistryError, match="is neither a tag nor a digest of acme/web"):
            await registries.digest("registry.example/acme/web", reference)
        assert registries.requests.total() == 0


@pytest.mark.parametrize(
    ("access", "words"),
    [
        (RegistryAccess("h.example", kind="nexus"), "kind 'nexus' is not one of .*oci"),
        (RegistryAccess("https://h.example"), "without a scheme"),
        (RegistryAccess("h.example/team"), "without a path"),
        (RegistryAccess("h.example", auth_hosts=("https://auth.example",)), "is not a host or host:port"),
    ],
)
def test_a_row_that_cannot_be(access: RegistryAccess, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Registries([access])


@pytest.mark.parametrize(
    "image", ["nginx", "docker.io/nginx", "index.docker.io/library/nginx", "registry-1.docker.io/library/nginx"]
)
async def test_docker_hub_is_asked_at_its_own_host(image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def fetch(wire: object, method: str, url: object, kind: str, **rest: object) -> None:
        asked.append(str(url))
        raise RegistryError("enough")

    monkeypatch.setattr("bot.registries.wire.Wire.fetch", fetch)
    async with Registries([RegistryAccess("index.docker.io", credentials=Credentials("me", "pat"))]) as registries:
        with pytest.raises(RegistryError, match="enough"):
            await registries.tags(image)
    assert asked == ["https://registry-1.docker.io/v2/library/nginx/tags/list?n=1000"]
