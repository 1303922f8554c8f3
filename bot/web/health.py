"""`POST /webhooks/health`: whoever watches rollouts says how an image is after its landing (`rollback: propose|auto`).

    curl -H "Authorization: Bearer $TAGBOAT_DASHBOARD_TOKEN" http://127.0.0.1:8080/webhooks/health -d '{
      "repository": "acme/gitops", "image": "harbor.example.com/team/shop:1.4.2", "place": "envs/prod/shop.yaml",
      "healthy": false, "reason": "CrashLoopBackOff"}'

One report, or a list of them. `place` is a file of the repository; without it the report is for every place where the image
stands. Such a report cannot be looked up anywhere, so it takes the token with which a person acts on the dashboard; without one
in the settings nobody is believed. What a report comes to is decided by the repository's rules (`rules.rollbacks`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from aiohttp import web

from bot.app import Berth, is_named
from bot.serving.service import Service
from bot.state import orders
from bot.state.ledger import LedgerError
from bot.web.senders.base import same
from rules.images import BadReference, ImageRef
from rules.rollbacks import Health

LIMIT = 256 * 1024
MOST = 100
"""Reports of one request."""

_SECONDS = 10


class BadReport(ValueError):
    """The report cannot be understood; the message says why."""


async def answer(request: web.Request, service: Service) -> tuple[HTTPStatus, str]:
    """Read, believe and write down what is reported; what to answer."""
    token = service.app.settings.dashboard_token
    said = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    if token is None or not same(said, token.reveal()):
        return HTTPStatus.UNAUTHORIZED, "the dashboard's token is missing or wrong"
    try:
        async with asyncio.timeout(_SECONDS):
            body = await request.read()
        if len(body) > LIMIT:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {LIMIT // 1024} KiB"
        found = [_report(one, service, service.app.clock()) for one in _rows(body)]
    except web.HTTPRequestEntityTooLarge:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {LIMIT // 1024} KiB"
    except TimeoutError:
        return HTTPStatus.REQUEST_TIMEOUT, f"the body did not arrive within {_SECONDS} s"
    except BadReport as error:
        return HTTPStatus.BAD_REQUEST, str(error)
    try:
        for berth, health in found:
            await orders.report(service.app.ledger, berth.name, health)
        for key in dict.fromkeys(berth.key for berth, _ in found):
            await service.ask(key, "a report of health")
    except LedgerError:
        return HTTPStatus.SERVICE_UNAVAILABLE, "it could not be written down; send it again"
    return HTTPStatus.ACCEPTED, f"{len(found)} report{'' if len(found) == 1 else 's'}"


def _rows(body: bytes) -> list[Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise BadReport("the body is not JSON") from None
    rows = found if isinstance(found, list) else [found]
    if not rows or len(rows) > MOST:
        raise BadReport(f"one to {MOST} reports can be sent at once")
    return rows


def _report(row: object, service: Service, now: datetime) -> tuple[Berth, Health]:
    if not isinstance(row, Mapping):
        raise BadReport("a report is an object with repository, image, healthy, and if you like place and reason")
    name, image, healthy = row.get("repository"), row.get("image"), row.get("healthy")
    place, reason = row.get("place") or "", row.get("reason") or ""
    if not (isinstance(name, str) and isinstance(image, str) and isinstance(place, str) and isinstance(reason, str)):
        raise BadReport("repository and image have to be texts, and so have place and reason")
    if not isinstance(healthy, bool):
        raise BadReport("healthy has to be true or false")
    try:
        reference = ImageRef.parse(image)
    except BadReference as error:
        raise BadReport(f"image: {error}") from None
    if reference.tag is None and reference.digest is None:
        raise BadReport("image has to be named with its tag or digest")
    found = [berth for berth in service.berths.values() if berth.key == name or is_named(berth.name, name)]
    if len(found) != 1:
        raise BadReport("repository has to be one of ours" if not found else "repository is the name of several")
    return found[0], Health(image, place.removeprefix("./"), healthy, " ".join(reason.split())[:500], now)
