"""The wire to a GitLab: retries that harm nothing, limits that are kept, threads that are few, and a token that stays at home."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import json
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot.forges.base import Denied, ForgeError, Gone, Limited, Moved, Unreachable
from bot.forges.gitlab.session import Declined, base_of
from bot.forges.gitlab.threads import Threads
from bot.forges.gitlab.wire import Lane, Limits, Wire, plainly
from bot.registries.limits import Clock
from bot.registries.wire import forget_environment
from tests.bot.forges.gitlab.setting import QUICK
from tests.servers.faults import Answer, FaultServer, late, moved, reply

ROOT = Path(__file__).parents[4]
TOKEN = "glpat-a-very-secret-token"
OK = reply(200, b'{"id": 7}', {"Content-Type": "application/json"})


class Slept:
    """A clock on which waiting takes no time, and is written down."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.now = 1000.0

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.now, wall=lambda: 1_780_000_000 + self.now, sleep=self.sleep, jitter=lambda: 1.0)


@asynccontextmanager
async def wired(*script: Answer, limits: Limits = QUICK) -> AsyncIterator[tuple[Wire, FaultServer, Slept]]:
    slept = Slept()
    async with FaultServer(*script) as server:
        wire = Wire(f"http://{server.host}", TOKEN, limits, slept.clock())
        try:
            yield wire, server, slept
        finally:
            await wire.close()


async def test_the_token_and_the_name_are_sent() -> None:
    async with wired(OK) as (wire, server, _):
        answer = await wire.ask("get", "/projects/7", {"simple": "true"})
        assert answer.json() == {"id": 7}
        asked = server.asked[0]
        assert (asked.target, asked.headers["private-token"]) == ("/api/v4/projects/7?simple=true", TOKEN)
        assert asked.headers["user-agent"] == "tagboat"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://gitlab.com", "https://gitlab.com"),
        ("https://gitlab.com/", "https://gitlab.com"),
        ("https://host/gitlab/api/v4", "https://host/gitlab"),
        ("https://host/gitlab/api/v4/", "https://host/gitlab"),
    ],
)
def test_the_address(given: str, expected: str) -> None:
    assert base_of(given) == expected


def broken(length: int = 100) -> bytes:
    return reply(200, b'{"id"', {"Content-Length": str(length), "Content-Type": "application/json"})


TRANSIENT = [("a 500", reply(500)), ("a 502", reply(502)), ("half an answer", broken()), ("no answer", b"")]


@pytest.mark.parametrize("trouble", [row[1] for row in TRANSIENT], ids=[row[0] for row in TRANSIENT])
@pytest.mark.parametrize(
    ("method", "again", "sent"),
    [("get", None, 3), ("head", None, 3), ("delete", None, 3), ("put", True, 3), ("put", None, 1), ("post", None, 1)],
)
async def test_only_what_may_be_said_twice_is_said_again(method: str, again: bool | None, sent: int, trouble: bytes) -> None:
    if method == "head" and trouble == broken():
        pytest.skip("an answer to HEAD has no body that could be cut off")
    async with wired(trouble, trouble, OK) as (wire, server, _):
        if sent == 3:
            assert (await wire.ask(method, "/x", body={} if method in ("put", "post") else None, again=again)).status == 200
        else:
            with pytest.raises(Unreachable):
                await wire.ask(method, "/x", body={}, again=again)
        assert len(server.asked) == sent


async def test_three_times_is_enough() -> None:
    async with wired(reply(503, headers={"Retry-After": "4"})) as (wire, server, slept):
        with pytest.raises(Unreachable, match="503"):
            await wire.ask("get", "/x")
        assert (len(server.asked), slept.waits) == (3, [4.0, 4.0])


async def test_an_answer_that_is_late_is_given_up() -> None:
    limits = replace(QUICK, read_timeout=0.2)
    async with wired(late(5, OK), limits=limits) as (wire, server, _):
        with pytest.raises(Unreachable, match="in time"):
            await wire.ask("get", "/x")
        assert len(server.asked) == 2  # a third time it would not be quicker


async def test_an_answer_that_never_ends_is_given_up() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 100)
            await asyncio.sleep(0.05)

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    wire = Wire(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", TOKEN, replace(QUICK, total_timeout=0.3, attempts=1))
    began = time.monotonic()
    with pytest.raises(Unreachable, match="in time"):
        await wire.ask("get", "/x")
    assert time.monotonic() - began < 8
    await wire.close()
    server.close()


async def test_nobody_there() -> None:
    wire = Wire("http://127.0.0.1:9", TOKEN, QUICK)
    with pytest.raises(Unreachable, match="no connection"):
        await wire.ask("post", "/x", body={})
    assert wire.total == 3
    await wire.close()


async def test_a_gitlab_that_is_down_is_left_alone_for_a_while() -> None:
    limits = replace(QUICK, give_up_after=2, down_for=20)
    async with wired(reply(502), limits=limits) as (wire, server, slept):
        for _ in range(4):
            with pytest.raises(Unreachable, match="502"):
                await wire.ask("post", "/x", body={})
        assert len(server.asked) == 2
        slept.now += 21
        server.script[:] = [OK]
        assert (await wire.ask("get", "/x")).status == 200


async def test_an_answer_that_is_packed() -> None:
    body = json.dumps(["x" * 100] * 5000).encode()
    packed = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    async with wired(reply(200, gzip.compress(body), packed), reply(200, gzip.compress(body)[:-200], packed)) as (wire, _, _):
        assert (await wire.ask("get", "/x")).body == body
        with pytest.raises(Unreachable):
            (await wire.ask("get", "/x")).json()


async def test_an_answer_that_is_too_large() -> None:
    async with wired(reply(200, b"x" * 5000)) as (wire, server, _):
        with pytest.raises(Denied, match="larger than"):
            await wire.ask("get", "/x", limit=1000)
        assert len(server.asked) == 1


LIMITS = [
    ("Retry-After", {"Retry-After": "7"}, 7.0),
    ("RateLimit-Reset", {"RateLimit-Reset": "RESET"}, 9.0),
    ("neither", {}, 10.0),
    ("a date, which is not read", {"Retry-After": "Wed, 25 Nov 2026 07:28:00 GMT"}, 10.0),
]


@pytest.mark.parametrize(("headers", "wait"), [row[1:] for row in LIMITS], ids=[row[0] for row in LIMITS])
async def test_a_limit_is_waited_for_by_all(headers: dict[str, str], wait: float) -> None:
    said = {name: value.replace("RESET", str(int(time.time() + 9.5))) for name, value in headers.items()}
    async with wired(reply(429, headers=said), OK) as (wire, server, slept):
        assert (await wire.ask("post", "/x", body={})).status == 200  # what was refused for that did not happen
        assert slept.waits == [pytest.approx(wait, abs=1)]
        assert len(server.asked) == 2


async def test_a_long_limit_is_handed_on_and_nobody_asks_before() -> None:
    async with wired(reply(429, headers={"Retry-After": "3600"}), OK) as (wire, server, slept):
        for _ in range(3):
            with pytest.raises(Limited) as caught:
                await wire.ask("get", "/x")
        assert caught.value.until == datetime.fromtimestamp(1_780_000_000 + 1000, UTC) + timedelta(hours=1)
        assert (len(server.asked), slept.waits) == (1, [])
        slept.now += 3601
        assert (await wire.ask("get", "/x")).status == 200


async def test_an_allowance_that_is_used_up_is_not_tried_out() -> None:
    slept_until = 1_780_000_000 + 1000 + 12
    spent = reply(200, b"{}", {"RateLimit-Remaining": "0", "RateLimit-Reset": str(slept_until)})
    async with wired(spent, OK) as (wire, _, slept):
        await wire.ask("get", "/x")
        await wire.ask("get", "/x")
        assert slept.waits == [pytest.approx(12, abs=1)]


@pytest.mark.parametrize(("left", "waits"), [("201", []), ("40", [pytest.approx(0.5, abs=0.1)])])
async def test_the_last_tenth_of_an_allowance_is_spread_out(left: str, waits: list[float]) -> None:
    reset = str(1_780_000_000 + 1000 + 20)
    running_out = reply(200, b"{}", {"RateLimit-Limit": "2000", "RateLimit-Remaining": left, "RateLimit-Reset": reset})
    async with wired(running_out, OK) as (wire, _, slept):
        await wire.ask("get", "/x")
        await wire.ask("get", "/x")
        assert slept.waits == waits


async def test_a_busy_lock_is_waited_for() -> None:
    busy = reply(409, b'{"message": "409 Conflict: Resource lock is held"}', {"Content-Type": "application/json"})
    async with wired(busy, OK) as (wire, server, _):
        assert (await wire.ask("post", "/x", body={})).status == 200
        assert len(server.asked) == 2


WORDS = [
    (b'{"message": "404 Project Not Found"}', "404 Project Not Found"),
    (b'{"message": ["one", "two"]}', "one, two"),
    (b'{"message": {"title": ["is too long"]}}', "title is too long"),
    (b'{"error": "insufficient_scope", "scope": "api"}', "insufficient_scope"),
    (b"<html>trouble</html>", ""),
    (b"", ""),
]


@pytest.mark.parametrize(("body", "words"), WORDS)
async def test_a_refusal_has_its_status_and_its_words(body: bytes, words: str) -> None:
    async with wired(reply(404, body, {"Content-Type": "application/json"})) as (wire, server, _):
        with pytest.raises(Declined) as caught:
            await wire.ask("get", "/x")
        assert (caught.value.status, caught.value.words, len(server.asked)) == (404, words, 1)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, ForgeError), (401, Denied), (403, Denied), (404, Denied), (409, Moved), (422, ForgeError)]
)
def test_what_nobody_knows_more_about_is_said_plainly(status: int, kind: type[ForgeError]) -> None:
    said = plainly("acme/gitops", Declined(status, "because"))
    assert type(said) is kind
    assert str(said).startswith("acme/gitops: ")
    assert f"because ({status})" in str(said)
    assert not isinstance(said, Gone)


async def test_a_redirect_on_the_same_server_is_followed_and_the_token_goes_nowhere_else() -> None:
    async with FaultServer(OK) as other, wired(OK) as (wire, server, _):
        server.script[:] = [moved("/api/v4/projects/7", 301), OK]
        assert (await wire.ask("get", "/projects/a%2Fb")).json() == {"id": 7}
        for status in (301, 302, 307, 308):
            server.script[:] = [moved(f"http://{other.host}/api/v4/projects/7", status), OK]
            with pytest.raises(Denied, match="another server"):
                await wire.ask("get", "/projects/a%2Fb")
        assert other.asked == []
        server.script[:] = [moved("/api/v4/projects/7", 301), OK]
        with pytest.raises(Denied, match="another address"):
            await wire.ask("put", "/projects/a%2Fb", body={})


async def test_no_error_has_the_token() -> None:
    for trouble in (reply(401, b'{"message": "401 Unauthorized"}'), reply(500), b"", moved("http://127.0.0.1:9/x")):
        async with wired(trouble) as (wire, _, _):
            with pytest.raises(ForgeError) as caught:
                await wire.ask("get", "/x")
            assert TOKEN not in f"{caught.value!r} {caught.value} {wire.__dict__}"


async def test_no_proxy_is_asked_for_this_machine_and_no_login_is_taken_from_netrc(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("default login ada password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with wired(OK) as (wire, server, _):
        await wire.ask("get", "/x")
        assert "authorization" not in server.asked[0].headers


async def test_a_proxy_is_asked_for_other_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FaultServer(OK) as proxy:
        monkeypatch.setenv("http_proxy", f"http://{proxy.host}")
        wire = Wire("http://gitlab.example.com", TOKEN, QUICK)
        assert (await wire.ask("get", "/projects/7")).json() == {"id": 7}
        assert proxy.targets == ["GET http://gitlab.example.com/api/v4/projects/7"]
        await wire.close()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    forget_environment()
    yield monkeypatch
    forget_environment()


async def test_an_authority_from_the_environment(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority, tls = certificates(tmp_path)
    async with FaultServer(OK, tls=tls) as server:
        for trusted in (False, True):
            if trusted:
                environment.setenv("SSL_CERT_FILE", str(authority))
                forget_environment()
            wire = Wire(f"https://{server.host}", TOKEN, QUICK)
            if trusted:
                assert (await wire.ask("get", "/x")).json() == {"id": 7}
            else:
                with pytest.raises(Denied, match="certificate is not trusted"):
                    await wire.ask("get", "/x")
            await wire.close()


def test_an_authority_that_is_not_there(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    forget_environment()
    with pytest.raises(Denied, match="REQUESTS_CA_BUNDLE names"):
        Wire("https://gitlab.example.com", TOKEN, QUICK)


def certificates(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that vouches for itself: the file to trust, and the server's side."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    building = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    building = building.serial_number(1).not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    building = building.add_extension(address, critical=False)
    made = building.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    public, private = folder / "public.pem", folder / "private.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return public, context


async def test_cookies_are_not_kept() -> None:
    async with wired(reply(200, b"{}", {"Set-Cookie": "_gitlab_session=1; Path=/"}), OK) as (wire, server, _):
        await wire.ask("get", "/x")
        await wire.ask("get", "/x")
        assert "cookie" not in server.asked[1].headers


def page(rows: list[int], headers: dict[str, str]) -> bytes:
    return reply(200, json.dumps(rows).encode(), {"Content-Type": "application/json"} | headers)


async def test_pages_are_followed_by_keyset_or_number_on_our_own_address() -> None:
    keyset = {"Link": '<http://gitlab.internal/api/v4/x?page_token=abc&per_page=2&pagination=keyset>; rel="next"'}
    async with wired(page([1, 2], keyset), page([3], {})) as (wire, server, _):
        lane = Lane(wire, "acme/gitops")
        assert await lane.all("/x", pagination="keyset") == [1, 2, 3]
        assert [asked.headers["host"] for asked in server.asked] == [server.host] * 2
        assert "page_token=abc" in server.targets[1]
    async with wired(page([1, 2], {"X-Next-Page": "2"}), page([3], {"X-Next-Page": ""})) as (wire, server, _):
        assert await Lane(wire, 7).all("/x", state="all") == [1, 2, 3]
        assert "page=2" in server.targets[1]
        assert "state=all" in server.targets[1]


async def test_what_is_no_list_is_an_error() -> None:
    async with wired(reply(200, b'{"message": "hello"}')) as (wire, _, _):
        with pytest.raises(Unreachable, match="list"):
            await Lane(wire, 7).all("/x")
    async with wired(reply(200, b"<html>log in</html>")) as (wire, _, _):
        with pytest.raises(Unreachable, match="JSON"):
            await Lane(wire, 7).get("/x")


async def test_few_threads_serve_many_requests_and_the_loop_goes_on() -> None:
    limits = replace(QUICK, threads=4)
    async with wired(late(0.05, OK), limits=limits) as (wire, _, _):
        lanes = [Lane(wire, number) for number in range(40)]
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.005)
                ticks += 1

        ticking = asyncio.create_task(tick())
        await asyncio.gather(*(lane.get("/x") for lane in lanes))
        ticking.cancel()
        assert wire._threads.count == 4
        assert ticks > 20


async def test_one_project_cannot_hold_up_another() -> None:
    limits = replace(QUICK, threads=6, read_timeout=5)

    async def slow_for_one(asked: object) -> bytes:
        if "/projects/1/" in asked.target:  # type: ignore[attr-defined]
            await asyncio.sleep(0.6)
        return OK

    async with wired(slow_for_one, limits=limits) as (wire, _, _):
        slow, quick = Lane(wire, 1), Lane(wire, 2)
        waiting = [asyncio.create_task(slow.get("/x")) for _ in range(12)]
        await asyncio.sleep(0.05)
        await quick.get("/x")
        assert sum(task.done() for task in waiting) <= 4  # of twelve, two at a time
        await asyncio.gather(*waiting)


async def test_whoever_gives_up_waiting_leaves_the_place_taken_until_the_thread_is_done() -> None:
    limits = replace(QUICK, threads=1)
    async with wired(late(0.3, OK), limits=limits) as (wire, _, _):
        first = asyncio.create_task(wire.ask("get", "/x"))
        await asyncio.sleep(0.1)
        first.cancel()
        assert wire._slots.locked()
        began = time.monotonic()
        assert (await wire.ask("get", "/x")).status == 200
        assert time.monotonic() - began > 0.3


def test_a_gitlab_that_never_answers_does_not_keep_the_program_from_ending() -> None:
    code = """
import asyncio, socket
from bot.forges.gitlab.wire import Wire

async def main(port):
    wire = Wire(f"http://127.0.0.1:{port}", "token")
    asking = asyncio.create_task(wire.ask("get", "/user"))
    await asyncio.sleep(0.3)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await wire.close()

with socket.create_server(("127.0.0.1", 0)) as silent:
    asyncio.run(main(silent.getsockname()[1]))
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=20, check=True)


async def test_what_a_thread_raises_reaches_whoever_waits() -> None:
    threads = Threads(2, "test")
    with pytest.raises(ZeroDivisionError):
        await threads.begin(lambda: 1 // 0)
    assert await asyncio.gather(*(threads.begin(lambda at=at: at) for at in range(50))) == list(range(50))  # type: ignore[misc]
    assert threads.count <= 2
    left = threads.begin(lambda: time.sleep(0.05))
    left.cancel()
    assert await threads.begin(lambda: "next") == "next"
    threads.close()
    await asyncio.sleep(0.2)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("test-")]


async def test_requests_are_counted_by_what_they_ask() -> None:
    async with wired(OK) as (wire, _, _):
        lane = Lane(wire, "acme/gitops")
        await lane.get("/merge_requests/12")
        await lane.get("/repository/branches/tagboat%2Fweb-12345678")
        await lane.get(f"/repository/blobs/{'a' * 40}/raw")
        assert dict(wire.requests) == {
            "GET /projects/:/merge_requests/:": 1,
            "GET /projects/:/repository/branches/:": 1,
            "GET /projects/:/repository/blobs/:/raw": 1,
        }
