"""The dashboard over real sockets, and in a real browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from bot.app import App
from bot.demo.world import World
from bot.report import Report
from bot.serving.service import Service
from bot.settings import load
from bot.state.ledger import Event
from bot.web.pages.routes import add_pages
from bot.web.server import application, serve
from tests.servers.browser import document, needs_chromium, screenshot

TOKEN = "the-dashboard-token"
NAME = "https://git.example.com/acme/gitops.git"
DOCS = Path(__file__).parents[4] / "docs"
STATIC = DOCS.parent / "bot/web/static"


class Site:
    """A dashboard over a world in which one pass has run."""

    def __init__(self, world: World, service: Service, url: str, session: aiohttp.ClientSession) -> None:
        self.world = world
        self.service = service
        self.url = url
        self.session = session
        (self.key,) = service.berths

    async def get(self, path: str, *, follow: bool = True) -> tuple[int, str]:
        async with self.session.get(f"{self.url}{path}", allow_redirects=follow) as answer:
            return answer.status, await answer.text()

    async def post(self, where: str, /, **fields: str) -> int:
        async with self.session.post(f"{self.url}{where}", data=fields, allow_redirects=False) as answer:
            return answer.status

    async def log_in(self) -> None:
        assert await self.post("/login", token=TOKEN) == 303

    async def form_key(self) -> str:
        _, page = await self.get(f"/repository?key={quote(self.key, safe='')}")
        found = re.search(r'name="form_key" value="([0-9a-f]{64})"', page)
        assert found is not None
        return found[1]


async def _site(tmp_path: Path, token: str) -> AsyncIterator[Site]:
    world = World(tmp_path)
    await world.start()
    if token:
        world.settings.write_text(world.settings.read_text() + "server: {dashboard_token: {env: TOKEN}}\n")
    async with await App.open(load(world.settings, {"TOKEN": token})) as app:
        for berth in (await app.berths())[0]:
            berth.forge.name = NAME  # for the pictures
        service = await Service.start(app)
        doors = application(service)
        add_pages(doors)
        runner = await serve(doors, "127.0.0.1", 0)
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            site = Site(world, service, f"http://127.0.0.1:{runner.addresses[0][1]}", session)
            await service.ask(site.key, "first")
            await service.work.idle()
            yield site
        await runner.cleanup()
        await service.stop(10)
    await world.stop()


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async for one in _site(tmp_path, TOKEN):
        yield one


@pytest_asyncio.fixture
async def local(tmp_path: Path) -> AsyncIterator[Site]:
    async for one in _site(tmp_path, ""):
        yield one


async def test_without_a_token_this_machine_may_read_and_nobody_may_act(local: Site) -> None:
    status, page = await local.get("/")
    assert status == 200
    assert "Update prod: 3 images in envs/prod" in page
    assert "<button" not in page
    assert await local.post("/actions/hold", key=local.key, image=f"{local.world.registry.host}/harbour/shop") == 403
    assert await local.post("/login", token="") == 403


async def test_with_a_token_nothing_is_shown_before_the_login(site: Site) -> None:
    for path in ("/", "/images", "/history", "/repository?key=x", "/image?name=x"):
        assert (await site.get(path, follow=False))[0] == 303, path
    assert await site.post("/login", token="wrong") == 403
    await site.log_in()
    assert (await site.get("/"))[0] == 200


async def test_every_page_says_what_stands_where_and_why(site: Site) -> None:
    await site.log_in()
    host = site.world.registry.host
    _, page = await site.get(f"/repository?key={quote(site.key, safe='')}")
    for words in (
        "main-3f2a9c1-41",
        "main-8d0be77-42",
        "envs/<wbr>prod/<wbr>kustomization.yaml:6",
        "update open",
        "up to date",
        "landed",
    ):
        assert words in page, words
    _, page = await site.get(f"/image?name={host}/harbour/shop")
    assert "<svg" in page
    assert "envs/dev/shop.yaml" in page
    _, page = await site.get("/images?q=gateway")
    assert "gateway" in page
    assert "harbour/<wbr>shop" not in page
    assert (await site.get("/repository?key=nobody"))[0] == 404
    assert (await site.get("/image?name=nobody"))[0] == 404
    assert "landed" in (await site.get("/history"))[1]
    assert "landed" in (await site.get("/history?q=landed"))[1]
    assert "Nothing fits." in (await site.get("/history?q=no-such-thing"))[1]


async def test_every_page_says_how_long_an_update_waits(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.log_in()
    image = f"/image?name={site.world.registry.host}/harbour/shop"
    pages = (image, "/images", f"/repository?key={quote(site.key, safe='')}")
    for page in pages:
        assert "since today" in (await site.get(page))[1], page
    later = site.service.app.clock() + timedelta(days=12)
    monkeypatch.setattr(site.service.app, "clock", lambda: later)
    for page in pages:
        assert "12 d behind" in (await site.get(page))[1], page


async def test_the_front_page_says_whom_it_asked_and_what_is_wrong_with_a_forge(site: Site) -> None:
    await site.log_in()
    _, page = await site.get("/")
    assert re.search(rf'<th scope="row">{re.escape(site.world.registry.host)}</th><td class="number">[1-9]', page)
    report = Report("https://gitlab.example.com")
    report.add("trouble", "", "it answers <502>")
    site.service.troubles = [report]
    assert "<strong>https://gitlab.example.com</strong>: it answers &lt;502&gt;" in (await site.get("/"))[1]


async def test_a_hold_holds_and_a_resume_lifts_it_and_both_are_written_down(site: Site) -> None:
    await site.log_in()
    image, file = f"{site.world.registry.host}/harbour/gateway", "envs/prod/values.yaml"
    fields = {"key": site.key, "image": image, "path": file, "form_key": await site.form_key()}
    assert await site.post("/actions/hold", **fields) == 303
    await site.service.work.idle()
    page = (await site.get(f"/repository?key={quote(site.key, safe='')}"))[1]
    assert "on hold" in page
    assert "Resume" in page
    assert await site.post("/actions/resume", **fields) == 303
    await site.service.work.idle()
    assert "on hold" not in (await site.get(f"/repository?key={quote(site.key, safe='')}"))[1].partition("History")[0]
    kinds = [event.kind for event in await site.service.app.ledger.history()]
    assert kinds.count("held") == kinds.count("resumed") == 1


@pytest.mark.parametrize("form_key", ["", "0" * 64, "x"])
async def test_a_form_from_elsewhere_does_nothing(site: Site, form_key: str) -> None:
    await site.log_in()
    image = f"{site.world.registry.host}/harbour/gateway"
    assert await site.post("/actions/hold", key=site.key, image=image, form_key=form_key) == 403
    assert await site.service.app.ledger.holds(site.service.berths[site.key].name) == []


async def test_a_forged_cookie_is_no_session(site: Site) -> None:
    site.session.cookie_jar.update_cookies({"tagboat": "abc." + "0" * 64})
    assert (await site.get("/", follow=False))[0] == 303


@pytest.mark.parametrize("target", ["https://evil.example.com/", "//evil.example.com/", "/\\evil.example.com"])
async def test_the_login_leads_nowhere_else(site: Site, target: str) -> None:
    async with site.session.post(f"{site.url}/login", data={"token": TOKEN, "next": target}, allow_redirects=False) as answer:
        assert answer.headers["Location"] == "/"


async def test_hostile_text_is_shown_as_text(site: Site) -> None:
    await site.log_in()
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    await site.service.app.ledger.record(Event(site.service.app.clock(), hostile, "held", hostile, {"reason": hostile}))
    for path in ("/history", f"/?q={quote(hostile)}", f"/login?next=/{quote(hostile)}"):
        _, page = await site.get(path)
        assert "<script>alert" not in page
        assert "<img src=x" not in page


async def test_every_answer_forbids_what_a_page_does_not_need(site: Site) -> None:
    async with site.session.get(f"{site.url}/login") as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


class _Outline(HTMLParser):
    """What a reader with a screen reader meets."""

    def __init__(self) -> None:
        super().__init__()
        self.headings = 0
        self.unnamed: list[str] = []
        self.landmarks: set[str] = set()
        self.scopes = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.headings += tag == "h1"
        self.landmarks |= {tag} & {"main", "nav", "header", "footer"}
        self.scopes += tag == "th" and "scope" in said
        if (tag == "img" and "alt" not in said) or (tag == "th" and "scope" not in said):
            self.unnamed.append(tag)
        if tag == "input" and said.get("type") != "hidden" and "aria-label" not in said and "id" not in said:
            self.unnamed.append(tag)


async def test_pages_can_be_heard_and_walked_with_keys(site: Site) -> None:
    await site.log_in()
    for path in ("/", "/images", "/history", f"/repository?key={quote(site.key, safe='')}"):
        outline = _Outline()
        outline.feed((await site.get(path))[1])
        assert outline.headings == 1, path
        assert outline.landmarks == {"main", "nav", "header", "footer"}, path
        assert outline.unnamed == [], path


@needs_chromium
async def test_in_a_browser_light_and_dark(local: Site, tmp_path: Path) -> None:
    page = f"/repository?key={quote(local.key, safe='')}"
    for name, path, dark in (("dashboard-light", "/", False), ("dashboard-dark", page, True)):
        picture = tmp_path / f"{name}.png"
        await asyncio.to_thread(screenshot, f"{local.url}{path}", picture, dark=dark)
        assert picture.stat().st_size > 10_000
        if not (DOCS / picture.name).exists():  # made by the test run, renewed by taking the old one away
            (DOCS / picture.name).write_bytes(picture.read_bytes())


@needs_chromium
async def test_a_page_renews_itself_in_a_browser(local: Site) -> None:
    before = local.service.metrics.passes.labels("quiet")._value.get()
    found = await asyncio.to_thread(document, f"{local.url}/", 65_000)
    assert found.count('<main id="main"') == 1
    assert "Update prod: 3 images in envs/prod" in found
    assert local.service.metrics.passes.labels("quiet")._value.get() == before  # reading asks for no pass


@needs_chromium
@pytest.mark.parametrize(("attribute", "renewed"), [("", True), (" open", False)])
async def test_a_page_is_not_renewed_while_its_details_are_read(attribute: str, renewed: bool) -> None:
    main = f"<details{attribute}><summary>Conditions</summary>{{}}</details>"
    page = (
        '<script src="/static/htmx.min.js" defer></script><script src="/static/calm.js" defer></script>'
        '<main id="main" hx-get="/new" hx-trigger="every 1s" hx-select="#main" hx-swap="outerHTML">' + main + "</main>"
    )

    async def show(request: web.Request) -> web.Response:
        return web.Response(text=page.format("new" if request.path == "/new" else "old"), content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/", show), web.get("/new", show), web.static("/static", STATIC)])
    runner = await serve(app, "127.0.0.1", 0)
    found = await asyncio.to_thread(document, f"http://127.0.0.1:{runner.addresses[0][1]}/", 3_500)
    await runner.cleanup()
    assert ("new</details>" in found) is renewed
    assert ("old</details>" in found) is not renewed
