"""The doors: webhooks in, health and figures out. Pages are in `bot.web.pages`.

    runner = await serve(service, "127.0.0.1", 8080)

A webhook is verified, written down and answered; work begins after that. Nothing that it says is believed, and nothing of it is
repeated in an answer or a log.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from http import HTTPStatus

import structlog
from aiohttp import web

from bot import tracing
from bot.serving.inbox import Full
from bot.serving.service import Service
from bot.settings import GitHubSettings, GitLabSettings, Settings
from bot.state.hints import Hint
from bot.state.ledger import LedgerError
from bot.web import health
from bot.web.senders import github, registry
from bot.web.senders.base import BadWebhook, Forged, Incoming
from rules.images import BadReference, ImageRef

log = structlog.get_logger(__name__)

BODY_LIMIT = 5 * 1024 * 1024
"""Bytes of one webhook. GitHub cuts its own at 25 MB, but what we read of one is small; a larger one is refused."""

BODY_SECONDS = 10
SERVICE: web.AppKey[Service] = web.AppKey("service", Service)

Read = Callable[[Incoming], Sequence[Hint]]


def application(service: Service) -> web.Application:
    """The routes of design 4.5 that machines use."""
    app = web.Application(client_max_size=BODY_LIMIT)
    app[SERVICE] = service
    app.add_routes(
        [
            web.post("/webhooks/github", _github),
            web.post("/webhooks/gitlab", _gitlab),
            web.post("/webhooks/registry/{host}", _registry),
            web.post("/webhooks/registry/{host}/{secret}", _registry),
            web.post("/webhooks/health", _health),
            web.get("/healthz", _healthz),
            web.get("/readyz", _readyz),
            web.get("/metrics", _metrics),
        ]
    )
    return app


async def serve(app: web.Application, host: str, port: int) -> web.AppRunner:
    """Listen. Access is not logged: some senders carry their secret in the address."""
    runner = _runner(app, 5.0)
    await runner.setup()
    await web.TCPSite(runner, host or None, port, backlog=1024).start()
    return runner


async def listen(app: web.Application, port: socket.socket, *, patience: float = 5.0) -> web.AppRunner:
    """The same on a port that is bound already. Answers that are under way when it closes have `patience` seconds."""
    runner = _runner(app, patience)
    await runner.setup()
    await web.SockSite(runner, port, backlog=1024).start()
    return runner


def _runner(app: web.Application, patience: float) -> web.AppRunner:
    return web.AppRunner(app, access_log=None, shutdown_timeout=patience, keepalive_timeout=30.0)


async def _github(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    rows = [row for row in service.app.settings.forges if isinstance(row, GitHubSettings) and row.webhook_secret]
    return await _take(request, "github", _first_trusted(rows, github.read, "github"))


async def _gitlab(request: web.Request) -> web.Response:
    from bot.web.senders import gitlab

    service = request.app[SERVICE]
    rows = [row for row in service.app.settings.forges if isinstance(row, GitLabSettings) and row.webhook_secret]
    return await _take(request, "gitlab", _first_trusted(rows, gitlab.read, "gitlab"))


def _first_trusted(
    rows: Sequence[GitHubSettings] | Sequence[GitLabSettings], read: Callable[[Incoming, str], Sequence[Hint]], kind: str
) -> Read:
    """Several rows of one kind share the address; the secret tells which one is meant."""

    def reading(incoming: Incoming) -> Sequence[Hint]:
        for row in rows:
            try:
                hints = read(incoming, row.webhook_secret.reveal() if row.webhook_secret else "")
            except Forged:
                continue
            return [replace(hint, repository=f"{kind}:{hint.repository}") if hint.repository else hint for hint in hints]
        raise Forged(f"no {kind} row of the settings has this secret")

    return reading


async def _registry(request: web.Request) -> web.Response:
    settings: Settings = request.app[SERVICE].app.settings
    host = _canonical_host(request.match_info["host"])
    hook = next((one for one in settings.hooks if _canonical_host(one.host) == host), None)
    if hook is None:
        return _answer(HTTPStatus.NOT_FOUND, "no such registry, or it takes no webhooks")

    def reading(incoming: Incoming) -> Sequence[Hint]:
        return registry.read(incoming, host, hook.secret.reveal(), request.match_info.get("secret"), hook.mapping)

    return await _take(request, "registry", reading)


async def _health(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    status, words = await health.answer(request, service)
    service.metrics.webhooks.labels("health", HTTPStatus(status).phrase.lower()).inc()
    return _answer(status, words)


async def _take(request: web.Request, sender: str, read: Read) -> web.Response:
    """Read the body within its limits, verify, write down, answer."""
    service = request.app[SERVICE]
    with tracing.span("webhook", root=True, sender=sender) as told:
        status, words = await _outcome(request, service, read)
        told.say(status=int(status))
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            told.failed(words)
    service.metrics.webhooks.labels(sender, HTTPStatus(status).phrase.lower()).inc()
    if status >= HTTPStatus.BAD_REQUEST:
        log.warning("webhook refused", sender=sender, why=words)
    return _answer(status, words)


async def _outcome(request: web.Request, service: Service, read: Read) -> tuple[HTTPStatus, str]:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {BODY_LIMIT // 2**20} MiB"
    except TimeoutError:
        return HTTPStatus.REQUEST_TIMEOUT, f"the body did not arrive within {BODY_SECONDS} s"
    incoming = Incoming({name.lower(): value for name, value in request.headers.items()}, body)
    try:
        hints = read(incoming)
    except Forged:
        return HTTPStatus.UNAUTHORIZED, "the secret or signature is missing or wrong"
    except BadWebhook as error:
        return HTTPStatus.BAD_REQUEST, str(error)
    if not service.ready:
        return HTTPStatus.SERVICE_UNAVAILABLE, "the server begins or stops; send it again"
    try:
        fresh = await service.inbox.take(hints)
    except (LedgerError, Full):
        return HTTPStatus.SERVICE_UNAVAILABLE, "it could not be written down; send it again"
    return HTTPStatus.ACCEPTED, f"{fresh} new" if fresh else "nothing new"


async def _healthz(request: web.Request) -> web.Response:
    return _answer(HTTPStatus.OK, "alive")


async def _readyz(request: web.Request) -> web.Response:
    """Ready to take webhooks; what is wrong beside that is named."""
    service = request.app[SERVICE]
    wrong = await service.state()
    ready = service.ready and "ledger" not in wrong
    lines = "\n".join(f"{name}: {why}" for name, why in sorted(wrong.items())) or "ready"
    return _answer(HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, lines)


async def _metrics(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    try:
        await service.gauge()
    except LedgerError as error:
        log.error("the gauges are as they were", why=str(error))
    return web.Response(body=service.metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


def _answer(status: HTTPStatus | int, words: str) -> web.Response:
    return web.Response(status=status, text=words + "\n")


@lru_cache(256)
def _canonical_host(host: str) -> str:
    """A registry's host as image names have it."""
    try:
        return ImageRef.parse(f"{host}/a/b").registry
    except BadReference:
        return ""
