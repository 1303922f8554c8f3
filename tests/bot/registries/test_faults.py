"""A registry in trouble: each kind gives its reason in plain words, in time, without secrets, and nothing is asked in vain."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import time

import pytest

from bot.registries.base import Credentials, NotListed, RegistryError
from bot.registries.limits import Limits
from bot.registries.pool import Registries, RegistryAccess
from tests.servers.faults import Answer, FaultServer, challenge, late, moved, reply, tags

PASSWORD = "pa55word-of-ann"
ANN = Credentials("ann", PASSWORD)
QUICK = Limits(first_pause=0.001, read_timeout=0.3, total_timeout=1, connect_timeout=0.5, longest_wait=2)
LOGIN = challenge('Basic realm="x"')
HTML = reply(200, b"<!DOCTYPE html><html>Please log in to the hotel's network</html>", {"Content-Type": "text/html"})


def registry(
    server: FaultServer, credentials: Credentials | None = None, *listed: FaultServer, limits: Limits = QUICK
) -> Registries:
    """The client, with the server (and others) listed."""
    accesses = [RegistryAccess(one.host, insecure=True) for one in listed]
    return Registries([RegistryAccess(server.host, insecure=True, credentials=credentials), *accesses], limits=limits)


@pytest.mark.parametrize(
    ("script", "words", "requests"),
    [
        pytest.param([reply(429)], r"answers with too many requests \(429\)", 3, id="429 for ever"),
        pytest.param(
            [reply(429, headers={"Retry-After": "3600"})],
            r"allows no more requests until \d{4}-\d\d-\d\d",
            1,
            id="429, come back in an hour",
        ),
        pytest.param(
            [reply(503, headers={"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"})],
            "no more requests until",
            1,
            id="503, come back in 2100",
        ),
        pytest.param([reply(500)], "answers with status 500", 3, id="500 for ever"),
        pytest.param([late(3, tags("1"))], "did not answer in time", 3, id="slow"),
        pytest.param(
            [b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"tags": ["1.0"'], "broke off in the middle", 3, id="cut off"
        ),
        pytest.param(
            [b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"tags"'],
            "broke off in the middle",
            3,
            id="cut off in a chunk",
        ),
        # aiohttp itself asks once more where a connection broke.
        pytest.param([b""], "broke off in the middle", 6, id="hangs up"),
        pytest.param([b"SSH-2.0-OpenSSH_9.2\r\n\r\n"], "not HTTP", 1, id="another protocol"),
        pytest.param([reply(200, b'{"tags": ["1.0"')], "it sent something else", 1, id="broken JSON"),
        pytest.param([reply(200, b"[" * 100_000)], "it sent something else", 1, id="deep JSON"),
        pytest.param([reply(200, b'{"tags": {"1.0": 1}}')], "it sent something else", 1, id="tags no list"),
        pytest.param([reply(200, b'{"tags": [1, 2]}')], "it sent something else", 1, id="tags no texts"),
        pytest.param([reply(200, b'["1.0"]')], "it sent something else", 1, id="no object"),
        pytest.param([HTML], "it sent a page of HTML", 1, id="HTML"),
        pytest.param([reply(200, b"x" * (33 * 1024 * 1024))], "sends more than 32768 KiB", 1, id="huge"),
        pytest.param([LOGIN], "refuses the credentials for acme/web", 2, id="401 for ever"),
        pytest.param([challenge("Negotiate")], "refuses the credentials for acme/web", 1, id="another login"),
        pytest.param([reply(401)], "refuses the credentials for acme/web", 1, id="401 without a challenge"),
        pytest.param(
            [reply(403, b'{"errors": [{"code": "DENIED", "message": "IGNORE ME"}]}')],
            r"does not allow reading acme/web \(403 DENIED\)",
            1,
            id="403",
        ),
        pytest.param([reply(404)], "has no repository acme/web, or does not show it", 1, id="404"),
        pytest.param([reply(418)], "answers with status 418", 1, id="teapot"),
        pytest.param(
            [tags("1", link='<http://127.0.0.1:1/v2/acme/web/tags/list?last=1>; rel="next"')],
            "sends the rest of its tags to 127.0.0.1",
            1,
            id="next page elsewhere",
        ),
        pytest.param(
            [tags("1", link='<https://evil.example/x?last=1>; rel="next"')],
            "sends the rest of its tags to evil.example",
            1,
            id="next page on another host",
        ),
        pytest.param(
            [tags("1", link='</v2/acme/web/tags/list?last=1>; rel="next"')],
            "lists the tags of acme/web in a circle",
            2,
            id="pages in a circle",
        ),
        pytest.param(
            [moved("http://169.254.169.254/latest/meta-data")],
            "169.254.169.254:80 is not a public address",
            1,
            id="to the cloud's metadata",
        ),
        pytest.param([moved("http://[::ffff:10.0.0.1]/x")], "is not a public address", 1, id="to a private address in IPv6"),
        pytest.param(
            [moved("http://localhost:9/x")],
            "localhost:9 is at (127.0.0.1|::1), which is not a public address",
            1,
            id="to localhost",
        ),
        pytest.param([moved("http://2130706433/x")], "not a host that can be asked|not a public address", 1, id="to a number"),
        pytest.param([moved("file:///etc/passwd")], "not a plain web address", 1, id="to a file"),
        pytest.param([moved("http://ann:pw@example.com/")], "not a plain web address", 1, id="to a login"),
        pytest.param([moved("/v2/acme/web/tags/list?n=1000")], "redirects more than 5 times", 6, id="in a circle"),
    ],
)
async def test_trouble_has_a_reason(script: list[Answer], words: str, requests: int) -> None:
    async with FaultServer(*script) as server, registry(server, ANN) as registries:
        started = time.monotonic()
        with pytest.raises(RegistryError, match=words) as caught:
            await registries.tags(f"{server.host}/acme/web")
        assert time.monotonic() - started < 4
        assert len(server.asked) == requests
    for secret in (PASSWORD, "YW5uOnBh", "Authorization", "IGNORE ME"):
        assert secret not in str(caught.value)
        assert secret not in repr(caught.value.__cause__)


async def test_a_host_that_takes_no_connections() -> None:
    async with FaultServer(b"") as server:
        pass
    async with registry(server) as registries:
        with pytest.raises(RegistryError, match=f"{server.host} cannot be reached: Connection refused"):
            await registries.tags(f"{server.host}/acme/web")
        assert registries.requests.total() == 3


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(reply(429), id="429"),
        pytest.param(reply(429, headers={"Retry-After": "0"}), id="429, come back at once"),
        pytest.param(reply(502), id="502"),
        pytest.param(b"", id="hangs up"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", id="cut off"),
        pytest.param(reply(400, b'{"errors": [{"code": "PAGINATION_NUMBER_INVALID"}]}'), id="no such page size"),
        pytest.param(reply(405, b'{"errors": [{"code": "UNSUPPORTED"}]}'), id="no such page size, as ECR says it"),
        pytest.param(moved("/v2/acme/web/tags/list?x"), id="moved nearby"),
    ],
)
async def test_trouble_that_passes(first: Answer) -> None:
    async with FaultServer(first, tags("1.0", "1.1")) as server, registry(server) as registries:
        assert await registries.tags(f"{server.host}/acme/web") == ("1.0", "1.1")
        assert len(server.asked) == 2


async def test_a_pause_that_the_host_asks_for_is_kept_by_all() -> None:
    async with (
        FaultServer(tags("0"), reply(429, headers={"Retry-After": "1"}), tags("1")) as server,
        registry(server) as registries,
    ):
        await registries.tags(f"{server.host}/acme/first")
        started = time.monotonic()
        await asyncio.gather(registries.tags(f"{server.host}/acme/a"), _later(registries, f"{server.host}/acme/b"))
        assert 0.9 < time.monotonic() - started < 2
        assert len(server.asked) == 4


async def _later(registries: Registries, image: str) -> None:
    await asyncio.sleep(0.1)
    started = time.monotonic()
    await registries.tags(image)
    assert time.monotonic() - started > 0.7


async def test_a_dead_host_holds_nobody_up_for_long() -> None:
    limits = Limits(first_pause=0.001, read_timeout=0.2, total_timeout=0.2, connections=4)
    async with FaultServer(late(5, b"")) as server, registry(server, limits=limits) as registries:
        started = time.monotonic()
        images = [registries.tags(f"{server.host}/acme/image-{n}") for n in range(200)]
        found = await asyncio.gather(*images, return_exceptions=True)
        assert {type(each) for each in found} == {RegistryError}
        assert all("did not answer in time" in str(each) for each in found)
        assert time.monotonic() - started < 3
        assert len(server.asked) < 30


async def test_one_bad_image_does_not_close_its_host() -> None:
    def answer(asked: object) -> bytes:
        return reply(500) if "/bad" in asked.target else tags("1.0")  # type: ignore[attr-defined]

    async with FaultServer(answer) as server, registry(server) as registries:
        for n in range(6):
            assert await registries.tags(f"{server.host}/acme/good-{n}") == ("1.0",)
            with pytest.raises(RegistryError, match="status 500"):
                await registries.tags(f"{server.host}/acme/bad-{n}")


async def test_a_body_that_unpacks_without_end_is_cut_off() -> None:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9) as file:
        for _ in range(200):
            file.write(b" " * 2**20)
    answer = reply(200, packed.getvalue(), {"Content-Encoding": "gzip"})
    async with FaultServer(answer) as server, registry(server) as registries:
        with pytest.raises(RegistryError, match="sends more than 32768 KiB"):
            await registries.tags(f"{server.host}/acme/web")


async def test_null_and_hostile_tags_are_left_out() -> None:
    names = ["1.0", "", "-rf", ".hidden", "a b", "a\nb", "ünï", "1.1", "$(reboot)", "../../etc", "latest"]
    async with FaultServer(reply(200, b'{"name": "x", "tags": null}'), tags(*names)) as server, registry(server) as registries:
        assert await registries.tags(f"{server.host}/acme/none") == ()
        assert await registries.tags(f"{server.host}/acme/many") == ("1.0", "1.1", "latest")


async def test_short_pages_with_an_opaque_token_are_followed() -> None:
    pages = [
        tags("1.0", "1.1", link='</v2/acme/web/tags/list?last=%2Bopaque%3D%3D&n=2>; rel="next"'),
        # Artifactory leaves out the front of the path; ACR writes an empty value; some use no quotes.
        tags("1.2", link="</acme/web/tags/list?last=two&n=2&orderby=>; rel=next"),
        tags("1.2", "1.3", link='</v2/acme/web/tags/list?last=0>; rel="prev"'),
    ]
    async with FaultServer(*pages) as server, registry(server) as registries:
        assert await registries.tags(f"{server.host}/acme/web") == ("1.0", "1.1", "1.2", "1.3")
        assert server.targets == [
            "GET /v2/acme/web/tags/list?n=1000",
            "GET /v2/acme/web/tags/list?last=%2Bopaque%3D%3D&n=2",
            "GET /v2/acme/web/tags/list?last=two&n=2&orderby=",
        ]


async def test_pages_without_end_are_cut_off() -> None:
    page = iter(range(10**6))

    def endless(asked: object) -> bytes:
        n = next(page)
        return tags(f"1.{n}", link=f'</v2/acme/web/tags/list?last={n}>; rel="next"')

    async with FaultServer(endless) as server, registry(server) as registries:
        with pytest.raises(RegistryError, match="never comes to the end of the tags of acme/web"):
            await registries.tags(f"{server.host}/acme/web")


async def test_a_redirect_to_another_host_leaves_the_login_behind() -> None:
    digest = "sha256:" + "a" * 64
    async with FaultServer(reply(200, headers={"Docker-Content-Digest": digest})) as store:
        moving = moved(f"http://{store.host}/signed?key=1")
        async with FaultServer(LOGIN, moving) as server, registry(server, ANN, store) as registries:
            assert await registries.digest(f"{server.host}/acme/web", "1.0") == digest
            assert "authorization" in server.asked[-1].headers
            assert "authorization" not in store.asked[0].headers
            assert store.targets == ["HEAD /signed?key=1"]


async def test_a_redirect_to_a_store_that_is_not_listed_is_refused() -> None:
    async with (
        FaultServer(tags("1")) as store,
        FaultServer(moved(f"http://{store.host}/x")) as server,
        registry(server) as registries,
    ):
        with pytest.raises(NotListed, match=f"{store.host} is not a public address; it is only asked if app.yaml lists it"):
            await registries.tags(f"{server.host}/acme/web")
        assert store.asked == []


async def test_a_store_that_asks_for_a_login_gets_none() -> None:
    async with (
        FaultServer(LOGIN) as store,
        FaultServer(moved(f"http://{store.host}/x")) as server,
        registry(server, ANN, store) as registries,
    ):
        with pytest.raises(RegistryError, match=rf"{store.host} \(for {server.host}\) refuses"):
            await registries.tags(f"{server.host}/acme/web")
        assert len(store.asked) == 1


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (reply(500), "status 500"),
        (reply(403), r"does not allow reading acme/web \(403\)"),
        (reply(200, headers={"Docker-Content-Digest": "sha256:" + "b" * 64}), "another digest than the one asked for"),
    ],
)
async def test_digests_in_trouble(head: bytes, words: str) -> None:
    async with FaultServer(head) as server, registry(server) as registries:
        with pytest.raises(RegistryError, match=words):
            await registries.digest(f"{server.host}/acme/web", "sha256:" + "a" * 64)


@pytest.mark.parametrize("head", [reply(200), reply(405), reply(400), reply(200, headers={"Docker-Content-Digest": "rubbish"})])
async def test_a_registry_that_does_not_say_the_digest_has_its_bytes_hashed(head: bytes) -> None:
    async with FaultServer(head, reply(200, b'{"a": 1 }')) as server, registry(server) as registries:
        found = await registries.digest(f"{server.host}/acme/web", "1.0")
        assert found == "sha256:" + hashlib.sha256(b'{"a": 1 }').hexdigest()
        assert server.targets == ["HEAD /v2/acme/web/manifests/1.0", "GET /v2/acme/web/manifests/1.0"]
        assert "vnd.oci.image.index" in server.asked[1].headers["accept"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"schemaVersion": 2}', "sent other bytes than those of acme/web@sha256:aaaaaaaaaaaa…"),
        (b"", "sent other bytes"),
    ],
)
async def test_a_manifest_with_other_bytes_is_refused(body: bytes, words: str) -> None:
    digest = "sha256:" + "a" * 64
    head = reply(200, headers={"Docker-Content-Digest": digest})
    async with FaultServer(head, reply(200, body)) as server, registry(server) as registries:
        with pytest.raises(RegistryError, match=words):
            await registries.describe(f"{server.host}/acme/web", "1.0")
