"""Reports of health over a real socket: who is believed, what is written down, and which repository is looked at."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.settings.secrets import Secret
from bot.state import orders
from bot.state.ledger import Ledger, LedgerError
from bot.web import health
from rules.rollbacks import Health
from tests.servers.memory_forge import NOON

TOKEN = "only-people-know-this"
NAME = "acme/gitops"
REPORT = {"repository": NAME, "image": "registry.example.com/web:1.4.2", "healthy": False}


@dataclass
class Door:
    """The one route, served, with what stands behind it."""

    url: str
    ledger: Ledger
    asked: list[str] = field(default_factory=list)
    is_away: bool = False

    async def post(self, payload: object, token: str = TOKEN) -> tuple[int, str]:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with aiohttp.ClientSession() as session, session.post(self.url, data=data, headers=headers) as answer:
            return answer.status, await answer.text()

    async def healths(self) -> tuple[Health, ...]:
        return (await orders.reports(self.ledger, NAME)).healths


@asynccontextmanager
async def served(token: str | None = TOKEN) -> AsyncIterator[Door]:
    ledger = await Ledger.open("sqlite://")
    door = Door("", ledger)
    berth = SimpleNamespace(name=NAME, key=f"github:{NAME}")

    async def ask(key: str, why: str) -> None:
        if door.is_away:
            raise LedgerError("the queue cannot be written")
        door.asked.append(key)

    settings = SimpleNamespace(dashboard_token=Secret(token) if token else None)
    app = SimpleNamespace(settings=settings, clock=lambda: NOON, ledger=ledger)
    service: Any = SimpleNamespace(app=app, berths={berth.key: berth}, ask=ask)

    async def handle(request: web.Request) -> web.Response:
        status, words = await health.answer(request, service)
        return web.Response(status=status, text=words)

    site = web.Application(client_max_size=2 * health.LIMIT)
    site.add_routes([web.post("/webhooks/health", handle)])
    runner = web.AppRunner(site)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    door.url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/health"
    try:
        yield door
    finally:
        await runner.cleanup()
        await ledger.close()


@pytest.mark.parametrize("name", [NAME, "gitops", f"github:{NAME}"])
async def test_a_report_is_written_down_and_its_repository_looked_at(name: str) -> None:
    async with served() as door:
        told = REPORT | {"repository": name, "place": "./web.yaml", "reason": "Crash\n Loop"}
        assert await door.post(told) == (202, "1 report")
        assert await door.healths() == (Health(REPORT["image"], "web.yaml", False, "Crash Loop", NOON),)  # type: ignore[arg-type]
        assert door.asked == [f"github:{NAME}"]


async def test_several_at_once_ask_once() -> None:
    async with served() as door:
        assert await door.post([REPORT, REPORT | {"place": "b.yaml", "healthy": True}]) == (202, "2 reports")
        assert [(one.place, one.healthy) for one in await door.healths()] == [("", False), ("b.yaml", True)]
        assert len(door.asked) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"repository": "nowhere"}, "repository has to be one of ours"),
        ({"repository": 7}, "have to be texts"),
        ({"image": "::"}, "image: "),
        ({"image": "acme/web"}, "with its tag or digest"),
        ({"healthy": "no"}, "true or false"),
        ({"place": ["x"]}, "have to be texts"),
    ],
)
async def test_what_cannot_be_understood_is_said_and_nothing_is_written(change: dict[str, Any], words: str) -> None:
    async with served() as door:
        status, said = await door.post([REPORT, REPORT | change])
        assert (status, words in said) == (400, True), said
        assert (await door.healths(), door.asked) == ((), [])


async def test_who_is_believed() -> None:
    async with served() as door:
        for token in ("", "wrong", TOKEN.upper()):
            assert (await door.post(REPORT, token))[0] == 401
        for body in (b"", b"{", b"[]", b"[" * 100_000, b"7", json.dumps([REPORT] * 101).encode()):
            assert (await door.post(body))[0] == 400
        assert (await door.post(b" " * (health.LIMIT + 1)))[0] == 413
        assert (await door.post(b" " * (3 * health.LIMIT)))[0] == 413
        assert (await door.healths(), door.asked) == ((), [])


async def test_without_a_token_in_the_settings_nobody_is() -> None:
    async with served(None) as door:
        assert [(await door.post(REPORT, token))[0] for token in ("", TOKEN)] == [401, 401]


async def test_where_no_look_can_be_asked_for_the_sender_comes_again() -> None:
    async with served() as door:
        door.is_away = True
        assert (await door.post(REPORT))[0] == 503
        door.is_away = False
        assert (await door.post(REPORT))[0] == 202
        assert door.asked == [f"github:{NAME}"]
