"""Registering the App: the form, GitHub's answer, and what is written where."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from bot.app import App
from bot.serving.service import Service
from bot.settings import load
from bot.web.pages.routes import add_pages
from bot.web.server import application, serve

TOKEN = "the-dashboard-token"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nnot for your eyes\n-----END RSA PRIVATE KEY-----\n"
MADE = {
    "id": 7,
    "slug": "tagboat-acme",
    "html_url": "https://github.example.com/apps/tagboat-acme",
    "pem": PEM,
    "webhook_secret": "hidden-hook",
    "client_id": "c",
    "client_secret": "hidden-client",
}


class GitHub:
    """Exchanges one code, once."""

    def __init__(self) -> None:
        self.codes = {"good-code"}

    async def convert(self, request: web.Request) -> web.Response:
        code = request.match_info["code"]
        if code not in self.codes:
            return web.json_response({"message": "Not Found"}, status=404)
        self.codes.remove(code)
        return web.json_response(MADE, status=201)


class Site:
    """A server without repositories, whose one GitHub is ours."""

    def __init__(self, folder: Path, url: str, session: aiohttp.ClientSession) -> None:
        self.folder = folder
        self.url = url
        self.session = session

    async def get(self, path: str) -> tuple[int, str, str]:
        async with self.session.get(f"{self.url}{path}", allow_redirects=False) as answer:
            return answer.status, unescape(await answer.text()), answer.headers.get("Content-Security-Policy", "")

    async def log_in(self) -> None:
        async with self.session.post(f"{self.url}/login", data={"token": TOKEN}, allow_redirects=False) as answer:
            assert answer.status == 303

    async def state(self) -> str:
        _, page, _ = await self.get("/setup")
        found = re.search(r"settings/apps/new\?state=([0-9a-f]+)", page)
        assert found is not None
        return found[1]


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    app = web.Application()
    app.router.add_post("/app-manifests/{code}/conversions", GitHub().convert)
    github = web.AppRunner(app)
    await github.setup()
    await web.TCPSite(github, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{github.addresses[0][1]}"
    settings = tmp_path / "app.yaml"
    settings.write_text(
        f"state: sqlite:///{tmp_path}/t.db\nserver: {{dashboard_token: {{env: TOKEN}}, public_url: 'https://tagboat.example.com'}}\n"
        f"forges:\n  - {{kind: github, url: '{url}', token: {{env: TOKEN}}, repositories: [acme/none]}}\n"
    )
    async with await App.open(load(settings, {"TOKEN": TOKEN})) as tagboat:
        tagboat.rows = ()  # nothing is looked at here
        service = await Service.start(tagboat)
        doors = application(service)
        add_pages(doors)
        runner = await serve(doors, "127.0.0.1", 0)
        # The cookie is for https only, as the public address is; the test has none.
        jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=f"http://127.0.0.1:{runner.addresses[0][1]}")
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            yield Site(tmp_path, f"http://127.0.0.1:{runner.addresses[0][1]}", session)
        await runner.cleanup()
        await service.stop(5)
    await github.cleanup()


async def test_only_who_has_the_token_sees_the_form(site: Site) -> None:
    assert (await site.get("/setup"))[0] == 303
    await site.log_in()
    status, page, policy = await site.get("/setup?organization=acme")
    assert status == 200
    assert "/organizations/acme/settings/apps/new?state=" in page
    assert re.search(r"form-action 'self' http://127\.0\.0\.1:\d+;", policy)
    said = re.search(r'name="manifest" value="(.*?)"><button', page)
    assert said is not None
    wish = json.loads(said[1])
    assert wish["hook_attributes"]["url"] == "https://tagboat.example.com/webhooks/github"
    assert wish["redirect_url"] == "https://tagboat.example.com/setup"
    assert wish["default_permissions"]["contents"] == "write"


async def test_the_code_is_exchanged_and_the_key_is_for_its_owner_only(site: Site) -> None:
    await site.log_in()
    status, page, _ = await site.get(f"/setup?code=good-code&state={await site.state()}")
    assert status == 200
    assert "id: 7" in page
    for secret in ("not for your eyes", "hidden-hook", "hidden-client"):
        assert secret not in page
    files = sorted((site.folder / "secrets").iterdir())
    assert len(files) == 3
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    lines = re.search(r"<pre>(.*?)</pre>", page, re.DOTALL)
    assert lines is not None
    (site.folder / "new.yaml").write_text(lines[1])
    (row,) = load(site.folder / "new.yaml", {}).forges
    assert row.kind == "github"
    assert row.app is not None
    assert row.app.private_key.reveal().strip() == PEM.strip()


@pytest.mark.parametrize(
    ("query", "status"),
    [("code=good-code", 403), ("code=good-code&state=abc", 403), ("code=used&state=STATE", 502), ("organization=a/b", 400)],
)
async def test_answers_that_belong_to_nobody_are_refused(site: Site, query: str, status: int) -> None:
    await site.log_in()
    got, page, _ = await site.get(f"/setup?{query.replace('STATE', await site.state())}")
    assert got == status
    assert "alarm" in page
    assert not (site.folder / "secrets").exists()
