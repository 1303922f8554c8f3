"""Who may read the pages and who may act: by token, by a trusted proxy, or by sitting at this machine."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest

from bot.app import App
from bot.demo.world import World
from bot.serving.service import Service
from bot.settings import load
from bot.web.pages.routes import add_pages
from bot.web.server import application, listen, serve

TOKEN = "the-dashboard-token"
PROXY, OTHER = "127.0.0.2", "127.0.0.1"  # where connections come from; they go to 127.0.0.1
NAME = "X-Forwarded-User"


class Door:
    """A server, and whoever comes to it from one of our addresses."""

    def __init__(self, service: Service, port: int) -> None:
        self.service = service
        self.port = port

    async def get(self, path: str = "/", *, by: str = OTHER, **headers: str) -> tuple[int, str]:
        return await self._ask("GET", path, by, {name.replace("_", "-"): value for name, value in headers.items()})

    async def post(self, path: str, person: str, /, **fields: str) -> int:
        return (await self._ask("POST", path, PROXY, {NAME: person}, fields))[0]

    async def _ask(
        self, method: str, path: str, by: str, headers: Mapping[str, str], data: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        connector = aiohttp.TCPConnector(local_addr=(by, 0))
        url = f"http://127.0.0.1:{self.port}{path}"
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(method, url, headers=headers, data=data, allow_redirects=False) as answer,
        ):
            return answer.status, await answer.text()

    async def form_key(self, person: str) -> str:
        (key,) = self.service.berths
        _, page = await self.get(f"/repository?key={quote(key, safe='')}", by=PROXY, X_Forwarded_User=person)
        found = re.search(r'name="form_key" value="([0-9a-f]{64})"', page)
        assert found is not None
        return found[1]


@asynccontextmanager
async def door(folder: Path, server: str, text: str = "forges: []", port: socket.socket | None = None) -> AsyncIterator[Door]:
    """A server with these settings under `server`; the rest of them is `text`."""
    settings = folder / "app.yaml"
    state = "" if "state:" in text else f"state: sqlite:///{folder}/t.db\n"
    settings.write_text(f"{state}server: {{{server}}}\n{text}\n")
    async with await App.open(load(settings, {"TOKEN": TOKEN})) as app:
        service = await Service.start(app)
        doors = application(service)
        add_pages(doors)
        runner = await listen(doors, port) if port is not None else await serve(doors, "127.0.0.1", 0)
        try:
            yield Door(service, runner.addresses[0][1])
        finally:
            await runner.cleanup()
            await service.stop(10)


BEHIND = f'trusted_proxy: {{addresses: ["{PROXY}"]}}, public_url: "https://tagboat.example.com"'


@pytest.mark.parametrize(
    ("by", "headers", "status"),
    [
        (PROXY, {"X_Forwarded_User": "octocat"}, 200),
        (PROXY, {"x_forwarded_user": "octocat", "Host": "tagboat.example.com"}, 200),
        (PROXY, {"X_Forwarded_User": "octocat", "Host": "LOCALHOST:8080"}, 200),
        # A site elsewhere whose name leads here, read by a browser on the proxy's own machine.
        (PROXY, {"X_Forwarded_User": "octocat", "Host": "evil.example.com"}, 403),
        (PROXY, {}, 403),
        (PROXY, {"X_Forwarded_User": " "}, 403),
        (PROXY, {"X_Forwarded_User": "\u202e\u200b"}, 403),
        (PROXY, {"X_Auth_User": "octocat"}, 403),
        (OTHER, {"X_Forwarded_User": "octocat"}, 403),
        # What somebody says of where a connection came from is no address.
        (OTHER, {"X_Forwarded_User": "octocat", "X_Forwarded_For": PROXY, "X_Real_IP": PROXY, "Forwarded": f"for={PROXY}"}, 403),
        (OTHER, {}, 403),
    ],
)
async def test_whom_the_proxy_names_is_logged_in(tmp_path: Path, by: str, headers: dict[str, str], status: int) -> None:
    async with door(tmp_path, BEHIND) as here:
        for path in ("/", "/images", "/history", "/setup"):
            assert (await here.get(path, by=by, **headers))[0] == status, path
        assert (await here.get("/healthz", by=by))[0] == 200


async def test_two_names_are_nobody(tmp_path: Path) -> None:
    """A proxy that adds its header to one that was there already says nothing."""
    async with door(tmp_path, BEHIND) as here:
        connector = aiohttp.TCPConnector(local_addr=(PROXY, 0))
        headers = [(NAME, "mallory"), (NAME, "octocat")]
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(f"http://127.0.0.1:{here.port}/", headers=headers) as answer,
        ):
            assert answer.status == 403


async def test_with_a_token_besides_others_can_log_in(tmp_path: Path) -> None:
    async with door(tmp_path, f"{BEHIND}, dashboard_token: {{env: TOKEN}}") as here:
        assert (await here.get(by=PROXY, X_Forwarded_User="octocat"))[0] == 200
        assert (await here.get(X_Forwarded_User="octocat"))[0] == 303
        assert (await here.get("/setup"))[0] == 303
        assert (await here._ask("POST", "/login", OTHER, {}, {"token": TOKEN}))[0] == 303


async def test_another_header(tmp_path: Path) -> None:
    server = f'trusted_proxy: {{addresses: ["10.0.0.0/8", "{PROXY}/31"], header: X-Auth-Request-User}}'
    async with door(tmp_path, server) as here:
        assert (await here.get(by=PROXY, X_Auth_Request_User="octocat"))[0] == 200
        assert (await here.get(by="127.0.0.3", X_Auth_Request_User="octocat"))[0] == 200
        assert (await here.get(by=PROXY, X_Forwarded_User="octocat"))[0] == 403
        assert (await here.get(by="127.0.0.4", X_Auth_Request_User="octocat"))[0] == 403


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no port here takes both IPv4 and IPv6")
async def test_an_ipv4_address_that_comes_through_ipv6_is_itself(tmp_path: Path) -> None:
    with socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as port:
        async with door(tmp_path, BEHIND, port=port) as here:
            assert (await here.get(by=PROXY, X_Forwarded_User="octocat"))[0] == 200
            assert (await here.get(by=OTHER, X_Forwarded_User="octocat"))[0] == 403


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("octocat", "octocat"),
        ("Octo  Cat <octo@example.com>", "Octo Cat <octo@example.com>"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("j\u00fcrg", "j\u00fcrg"),
        ("nimda\u202eadmin\u2028\u200b", "nimda admin"),
        ("x" * 300, "x" * 100),
    ],
)
async def test_a_name_is_shown_as_what_it_is(tmp_path: Path, said: str, shown: str) -> None:
    async with door(tmp_path, BEHIND) as here:
        status, page = await here.get(by=PROXY, X_Forwarded_User=said)
    assert status == 200
    assert "<script>alert" not in page
    found = re.search(r"Logged in as </span>(.*?)</span>", page)
    assert found is not None
    assert unescape(found[1]) == shown


async def test_what_somebody_does_through_the_proxy_is_theirs(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.start()
    try:
        async with door(tmp_path, BEHIND, world.settings.read_text()) as here:
            (key,) = here.service.berths
            name = here.service.berths[key].name
            await here.service.ask(key, "first")
            await here.service.work.idle()
            image, ledger = f"{world.registry.host}/harbour/gateway", here.service.app.ledger
            fields = {"key": key, "image": image, "path": "envs/prod/values.yaml", "form_key": await here.form_key("octocat")}
            assert await here.post("/actions/hold", "hubot", **fields) == 403, "the form was made for somebody else"
            assert await here.post("/actions/hold", "octocat", **fields | {"form_key": "0" * 64}) == 403
            assert await ledger.holds(name) == []
            assert await here.post("/actions/refresh", "octocat", key=key, form_key=fields["form_key"]) == 303
            assert await here.post("/actions/hold", "octocat", reason="it burns", **fields) == 303
            await here.service.work.idle()
            (hold,) = await ledger.holds(name)
            assert (hold.author, hold.reason) == ("octocat (dashboard)", "it burns")
            _, page = await here.get(f"/repository?key={quote(key, safe='')}", by=PROXY, X_Forwarded_User="hubot")
            assert "held by octocat (dashboard): it burns" in page
            fields["form_key"] = await here.form_key("hubot")
            assert await here.post("/actions/resume", "hubot", **fields) == 303
            assert await here.post("/actions/skip", "hubot", version="9.9.9", **fields) == 303
            kinds = ("asked", "held", "resumed", "skipped")
            events = [(one.kind, one.detail["by"]) for one in reversed(await ledger.history(name, kinds=kinds))]
            assert events == [
                ("asked", "octocat (dashboard)"),
                ("held", "octocat (dashboard)"),
                ("resumed", "hubot (dashboard)"),
                ("skipped", "hubot (dashboard)"),
            ]
            _, page = await here.get("/history", by=PROXY, X_Forwarded_User="hubot")
            assert "by octocat (dashboard)" in page
    finally:
        await world.stop()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:8080", 200),
        ("127.9.9.9:1", 200),
        ("[::1]:8080", 200),
        ("localhost", 200),
        ("LocalHost:8080", 200),
        ("tagboat.example.com", 200),
        ("evil.example.com", 403),
        ("evil.example.com:8080", 403),
        ("localhost.evil.example.com", 403),
        ("127.0.0.1.evil.example.com", 403),
        ("tagboat.example.com.evil.example.com", 403),
        ("localhost@evil.example.com", 403),
        ("evil.example.com@localhost", 403),
        ("localhost/x", 403),
        ("169.254.169.254", 403),
        ("10.0.0.1", 403),
        ("[::2]", 403),
        ("", 403),
    ],
)
async def test_a_name_that_was_made_to_lead_here_shows_nothing(tmp_path: Path, host: str, status: int) -> None:
    async with door(tmp_path, 'public_url: "https://tagboat.example.com"') as here:
        for path in ("/", "/history", "/image?name=x"):
            found, page = await here.get(path, Host=host)
            assert found == (status if path != "/image?name=x" or status != 200 else 404), path
            assert (status == 200) or page.count("\n") == 1


@pytest.mark.parametrize(
    "headers",
    [{"X_Forwarded_For": "203.0.113.9"}, {"Forwarded": "for=203.0.113.9"}, {"X_Real_IP": "203.0.113.9"}, {"Via": "1.1 caddy"}],
)
async def test_who_comes_through_a_proxy_does_not_sit_at_this_machine(tmp_path: Path, headers: dict[str, str]) -> None:
    """One that stands here for webhooks hands on the pages to all the world."""
    async with door(tmp_path, 'public_url: "https://tagboat.example.com"') as here:
        for host in ("tagboat.example.com", "127.0.0.1:8080"):
            status, words = await here.get(Host=host, **headers)
            assert (status, "dashboard_token" in words) == (403, True)
            assert (await here.get("/healthz", Host=host, **headers))[0] == 200


async def test_nobody_at_this_machine_is_let_in_unseen_where_a_proxy_says_who_comes(tmp_path: Path) -> None:
    """What comes through the proxy without a name comes from this machine too."""
    async with door(tmp_path, f'trusted_proxy: {{addresses: ["{PROXY}"]}}') as here:
        status, words = await here.get()
        assert (status, "trusted_proxy" in words) == (403, True)


async def test_a_proxy_on_this_machine_is_told_that_its_name_is_unknown(tmp_path: Path) -> None:
    async with door(tmp_path, f'listen: ":8080", trusted_proxy: {{addresses: ["{PROXY}"]}}') as here:
        status, words = await here.get(by=PROXY, X_Forwarded_User="octocat", Host="tagboat.example.com")
        assert (status, "public_url" in words) == (403, True)


@pytest.mark.parametrize(
    ("target", "leads"),
    [
        ("/repository?key=a%20b", "/repository?key=a%20b"),
        ("https://evil.example.com/", "/"),
        ("//evil.example.com/", "/"),
        ("/\\evil.example.com/", "/"),
        # A browser passes over these wherever they stand in an address.
        ("/\t/evil.example.com/", "/"),
        ("/\n/evil.example.com/", "/"),
        ("/\r/evil.example.com/", "/"),
        ("/images\r\nSet-Cookie: tagboat=mine", "/"),
        ("evil", "/"),
        ("", "/"),
    ],
)
async def test_logging_in_leads_to_a_page_of_this_server(tmp_path: Path, target: str, leads: str) -> None:
    async with door(tmp_path, "dashboard_token: {env: TOKEN}") as here, aiohttp.ClientSession() as session:
        fields = {"token": TOKEN, "next": target}
        url = f"http://127.0.0.1:{here.port}/login"
        async with session.post(url, data=fields, allow_redirects=False) as answer:
            assert (answer.status, answer.headers.get("Location")) == (303, leads)
