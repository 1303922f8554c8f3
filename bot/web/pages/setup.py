"""`/setup`: registers the GitHub App in two clicks.

Whoever is logged in (with the dashboard token, or by the trusted proxy) sends the form to GitHub; GitHub leads back with a code,
which is exchanged for key and secrets. They are written beside app.yaml for their owner's eyes only, and never shown.
"""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlsplit

import aiohttp_jinja2
from aiohttp import web

from bot.forges.base import ForgeError
from bot.forges.github.setup import convert, form_address, manifest, store
from bot.settings import GitHubSettings, Settings
from bot.web.pages.access import ACCESS, HEADERS
from bot.web.server import SERVICE

GITHUB = "https://api.github.com"
_FOLDER = "secrets"


async def page(request: web.Request) -> web.StreamResponse:
    """The form, or what became of it."""
    access, settings = request.app[ACCESS], request.app[SERVICE].app.settings
    if not access.knows_people:
        raise web.HTTPForbidden(text="`server.dashboard_token` is not set: registering an App needs it.\n")
    if not access.may_act(request):
        if access.can_log_in:
            raise web.HTTPSeeOther("/login?next=/setup")
        raise web.HTTPForbidden(text=access.why_not(request) + "\n")
    if "code" in request.query:
        return await _done(request, settings)
    return _form(request, settings)


def _form(request: web.Request, settings: Settings) -> web.Response:
    url, organization = _url(settings), request.query.get("organization", "").strip() or None
    try:
        address = form_address(url, request.app[ACCESS].form_key(request), organization)
    except ValueError as error:
        return _render(request, status=400, trouble=str(error))
    wish = json.dumps(manifest(settings.github_app, settings.public_url))
    response = _render(request, address=address, manifest=wish, organization=organization or "", app=settings.github_app.name)
    where = urlsplit(address)
    policy = HEADERS["Content-Security-Policy"]
    response.headers["Content-Security-Policy"] = policy.replace(
        "form-action 'self'", f"form-action 'self' {where.scheme}://{where.netloc}"
    )
    return response


async def _done(request: web.Request, settings: Settings) -> web.Response:
    if not request.app[ACCESS].is_own_form(request, request.query.get("state", "")):
        return _render(request, status=403, trouble="This answer does not belong to a form of this session: begin again.")
    url = _url(settings)
    try:
        app = await convert(url, request.query["code"])
        stored = await asyncio.to_thread(store, app, settings.folder / _FOLDER, url)
    except ForgeError as error:
        return _render(request, status=502, trouble=str(error))
    except OSError as error:
        return _render(request, status=500, trouble=f"The key could not be written: {error.strerror}")
    lines = stored.lines.replace("{file: ", f"{{file: {_FOLDER}/")
    return _render(request, done=app.slug, install=app.install_page, lines=lines)


def _url(settings: Settings) -> str:
    """The GitHub that is meant: that of the first row, else github.com."""
    return next((row.url for row in settings.forges if isinstance(row, GitHubSettings)), GITHUB)


def _render(request: web.Request, *, status: int = 200, **values: str) -> web.Response:
    blank = dict.fromkeys(("address", "manifest", "organization", "app", "trouble", "done", "install", "lines"), "")
    response = aiohttp_jinja2.render_template("setup.html", request, blank | values)
    response.set_status(status)
    return response
