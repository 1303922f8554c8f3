"""The pages and the forms on them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp_jinja2
import jinja2
from aiohttp import web
from markupsafe import Markup

from bot.serving.service import Service
from bot.serving.summaries import PlaceRow
from bot.state.ledger import Event, Hold
from bot.web.pages import setup, views
from bot.web.pages.access import ACCESS, HEADERS, Access
from bot.web.pages.picture import picture
from bot.web.server import SERVICE
from rules.images import canonical

_HERE = Path(__file__).parent.parent

_SEARCHED, _EVENTS = 5000, 200  # of the history: looked through, and shown

Page = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_pages(app: web.Application) -> None:
    """Put the dashboard on a server."""
    app[ACCESS] = Access(app[SERVICE])
    aiohttp_jinja2.setup(
        app,
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        context_processors=[_common],
        filters={"short": views.short, "canonical": canonical, "breakable": _breakable},
    )
    app.add_routes(
        [
            web.get("/", _page(_overview)),
            web.get("/repository", _page(_repository)),
            web.get("/images", _page(_images)),
            web.get("/image", _page(_image)),
            web.get("/history", _page(_history)),
            web.get("/setup", setup.page),
            web.get("/login", _login),
            web.post("/login", _log_in),
            web.post("/actions/{action}", _act),
            web.static("/static", _HERE / "static"),
        ]
    )
    app.on_response_prepare.append(_protect)


async def _protect(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        if name != "Cache-Control" or not request.path.startswith("/static/"):
            response.headers.setdefault(name, value)


def _breakable(text: str) -> Markup:
    """A path or name that may go on in the next line after a slash, and only there."""
    return Markup("/<wbr>").join(text.split("/"))


def _page(page: Page) -> Page:
    """A page for those who may read."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        access = request.app[ACCESS]
        if access.may_read(request):
            return await page(request)
        if access.can_log_in:
            raise web.HTTPSeeOther(f"/login?next={quote(request.path_qs, safe='')}")
        return web.Response(status=403, text=access.why_not(request) + "\n")

    return guarded


async def _common(request: web.Request) -> dict[str, Any]:
    """What every template may use."""
    service, access = request.app[SERVICE], request.app[ACCESS]
    now = service.app.clock()
    return {
        "name": service.app.settings.name,
        "mode": service.app.settings.mode,
        "now": now,
        "ago": lambda moment: views.ago(moment, now),
        "may_act": access.may_act(request),
        "can_log_in": access.can_log_in,
        "person": access.person(request),
        "form_key": access.form_key(request),
        "here": request.path_qs,
        "query": request.query.get("q", "")[:200],
    }


def _render(request: web.Request, template: str, **values: Any) -> web.Response:
    return aiohttp_jinja2.render_template(template, request, values)


async def _overview(request: web.Request) -> web.StreamResponse:
    service = request.app[SERVICE]
    query, all_ = request.query.get("q", "")[:200], await views.shown(service)
    every = views.repositories(all_)
    return _render(
        request,
        "overview.html",
        rows=views.repositories(all_, query),
        requests=views.requests(all_, query=query),
        totals={
            "repositories": len(every),
            "places": sum(row.places for row in every),
            "open": sum(row.open for row in every),
            "held": sum(row.held for row in every),
            "troubles": sum(bool(row.troubles) for row in every),
        },
        forges=[(address, words) for address, said in service.of_rows().items() for words in said],
        hosts=views.hosts(service),
        waiting=await service.depth(),
    )


async def _repository(request: web.Request) -> web.StreamResponse:
    service, key = request.app[SERVICE], request.query.get("key", "")
    all_ = await views.shown(service)
    row = next((one for one in views.repositories(all_) if one.key == key), None)
    if row is None:
        raise web.HTTPNotFound(text="There is no such repository here.\n")
    return _render(
        request,
        "repository.html",
        row=row,
        requests=views.requests(all_, key),
        places=await _dated(service, views.places(all_, key)),
        events=await service.app.ledger.history(row.name, limit=30),
    )


async def _images(request: web.Request) -> web.StreamResponse:
    service = request.app[SERVICE]
    rows = await _dated(service, views.places(await views.shown(service), query=request.query.get("q", "")[:200]))
    return _render(request, "images.html", images=views.images(rows))


async def _image(request: web.Request) -> web.StreamResponse:
    service, name = request.app[SERVICE], request.query.get("name", "")[:512]
    rows = [row for row in views.places(await views.shown(service)) if canonical(row.image) == name]
    if not rows:
        raise web.HTTPNotFound(text="This image stands nowhere that is looked at.\n")
    seen = await service.app.ledger.sights(name)
    stands: dict[str, list[str]] = {}
    for row in rows:
        stands.setdefault(row.tag.partition("@")[0], []).append(row.file)
    wanted = {row.next.partition("@")[0] for row in rows if row.next}
    drawn = picture(seen, stands, wanted, service.app.clock())
    return _render(request, "image.html", image=name, places=await _dated(service, rows), picture=drawn)


async def _history(request: web.Request) -> web.StreamResponse:
    events = await request.app[SERVICE].app.ledger.history(limit=_SEARCHED)
    found = views.events(events, request.query.get("q", "")[:200])
    return _render(request, "history.html", events=found[:_EVENTS], more=max(len(found) - _EVENTS, 0))


async def _dated(service: Service, rows: Sequence[PlaceRow]) -> list[PlaceRow]:
    """Places with how many days they are behind: since the tag that each is to move to was first seen."""
    wanted: dict[str, set[str]] = {}
    for row in rows:
        if row.next:
            wanted.setdefault(canonical(row.image), set()).add(views.tag_of(row.next))
    seen: dict[tuple[str, str], datetime] = {}
    for name, tags in wanted.items():
        seen |= {(name, tag): moment for tag, moment in (await service.app.ledger.sights(name, tags)).items()}
    return views.dated(rows, seen, service.app.clock())


async def _login(request: web.Request) -> web.StreamResponse:
    return _render(request, "login.html", next=_own_path(request.query.get("next", "/")), wrong=False)


async def _log_in(request: web.Request) -> web.StreamResponse:
    form = await request.post()
    target = _own_path(str(form.get("next", "/")))
    response = web.Response(status=303, headers={"Location": target})
    if request.app[ACCESS].log_in(response, str(form.get("token", ""))):
        return response
    wrong = _render(request, "login.html", next=target, wrong=True)
    wrong.set_status(403)
    return wrong


async def _act(request: web.Request) -> web.StreamResponse:
    """Carry out a form: refresh, hold, resume or skip. All of it is written into the history."""
    service, access = request.app[SERVICE], request.app[ACCESS]
    form = {name: str(value)[:1000] for name, value in (await request.post()).items()}
    if not access.may_act(request) or not access.is_own_form(request, form.get("form_key", "")):
        raise web.HTTPForbidden(text="Log in, and send the form from its own page.\n")
    berth = service.berths.get(form.get("key", ""))
    if berth is None:
        raise web.HTTPNotFound(text="There is no such repository here.\n")
    image = canonical(form["image"]) if form.get("image") else ""
    path, version, reason = form.get("path", ""), form.get("version", ""), form.get("reason", "")
    person = access.person(request)
    by = f"{person} (dashboard)" if person else "the dashboard"
    ledger, now = service.app.ledger, service.app.clock()
    detail = {key: value for key, value in (("path", path), ("reason", reason), ("by", by)) if value}
    match request.match_info["action"]:
        case "refresh":
            event = Event(now, berth.name, "asked", image, {"title": "a look", "by": by})
        case "hold" if image:
            await ledger.hold(Hold(berth.name, image, path, "", reason, by, now))
            event = Event(now, berth.name, "held", image, detail)
        case "skip" if image and version:
            await ledger.hold(Hold(berth.name, image, path, version, reason, by, now))
            event = Event(now, berth.name, "skipped", image, {"version": version, **detail})
        case "resume" if image:
            await ledger.resume(berth.name, image, path, at=now)
            event = Event(now, berth.name, "resumed", image, detail)
        case _:
            raise web.HTTPBadRequest(text="There is no such action.\n")
    await ledger.record(event)
    await service.ask(berth.key, f"{request.match_info['action']} on the dashboard")
    raise web.HTTPSeeOther(_own_path(form.get("next", "/")))


def _own_path(target: str) -> str:
    """A path on this server; anything else is the front page. Browsers pass over tabs and line breaks, so none is taken."""
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable() else "/"
