"""What goes wrong, and when: answers that are late, cut off or errors, before or after the effect; a person who acts in between.

server.rules.append(Rule("POST", "/merge_requests$", status(502), after=True))    # done, and nobody hears of it
server.rules.append(Rule("POST", "/commits$", lambda: push_as(ada)))              # a push right before ours
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

Act = Callable[[], "web.StreamResponse | Awaitable[web.StreamResponse | None] | None"]


class Dropped(Exception):
    """The connection is closed without an answer."""


class Truncated(Exception):
    """The answer is cut off in the middle."""


@dataclass(slots=True)
class Rule:
    """For requests of a method to a path in which the pattern is found. `times` -1: always. `after`: when the request has been
    carried out; what `act` answers takes the place of the real answer."""

    method: str
    pattern: str
    act: Act
    after: bool = False
    times: int = 1
    token: str | None = None

    def fits(self, method: str, path: str, token: str) -> bool:
        if self.times == 0 or (self.token is not None and self.token != token):
            return False
        return self.method in ("*", method) and re.search(self.pattern, path) is not None

    async def carry_out(self) -> web.StreamResponse | None:
        if self.times > 0:
            self.times -= 1
        outcome: Any = self.act()
        return await outcome if inspect.isawaitable(outcome) else outcome


def status(code: int, message: str = "trouble", headers: dict[str, str] | None = None) -> Act:
    """An answer of this status."""
    return lambda: web.json_response({"message": message}, status=code, headers=headers)


def limited(seconds: int | None = None, reset: int | None = None) -> Act:
    """Too many requests."""
    headers = ({"Retry-After": str(seconds)} if seconds is not None else {}) | (
        {"RateLimit-Reset": str(reset)} if reset is not None else {}
    )
    return status(429, "Retry later", headers)


def drop() -> web.StreamResponse | None:
    """No answer at all."""
    raise Dropped


def truncated() -> web.StreamResponse | None:
    """Half of the answer."""
    raise Truncated


def hang(seconds: float) -> Act:
    """Nothing for a while; then the real answer."""

    async def wait() -> None:
        await asyncio.sleep(seconds)

    return wait
