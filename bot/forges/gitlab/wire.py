"""Every request to a GitLab goes through here: in a thread of a small pool, paced, counted, tried again where that is safe.

    wire = Wire("https://gitlab.com", token)
    lane = Lane(wire, "acme/gitops")
    branch = await lane.get("/repository/branches/main")

One Wire serves one token; the projects of a host share it, each through a Lane of its own, which holds only a part of the
threads: a project whose answers are slow does not hold up the others. With `allowances` that several processes share, a pause
that one of them is told holds back all who ask with the same token.

| what happened                        | what is done                                                      | else          |
|--------------------------------------|-------------------------------------------------------------------|---------------|
| 429                                  | nobody asks before the moment that GitLab names, if that is soon  | Limited       |
| 5xx, broken or cut-off answer        | two more tries, for what reads or may be said twice (`again`)     | Unreachable   |
| time-out                             | one more try, likewise                                            | Unreachable   |
| no connection at all                 | two more tries                                                    | Unreachable   |
| many such in a row                   | for a while every request fails at once                           | Unreachable   |
| any other status                     | the caller knows what it means; `plainly` makes it plain          | Declined      |
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from aiolimiter import AsyncLimiter

from bot.forges.base import Denied, ForgeError, Limited, Moved, Unreachable
from bot.forges.gitlab.session import Answer, Declined, Session, Trouble
from bot.forges.gitlab.threads import Threads
from bot.registries.limits import Clock
from bot.state.allowances import Allowances, Left, fingerprint

JSON_LIMIT = 32 * 2**20
_PAGE = 100
_MOST_PAGES = 1000
_SAFE = frozenset({"get", "head", "delete"})
_A_DAY = 86400.0
_VARIABLE = re.compile(r"/(?:\d+|[0-9a-f]{40,64}|[^/]*%2F[^/]*)(?=/|$)|(?<=/files)/[^/]+|(?<=/branches)/[^/]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Limits:
    """Times are in seconds. A GitLab says in its answers how much it allows, or sets no limit; `per_second` is a courtesy."""

    threads: int = 12
    per_second: float = 60
    burst: int = 200
    connect_timeout: float = 10
    read_timeout: float = 30
    total_timeout: float = 120
    attempts: int = 3
    first_pause: float = 0.5
    longest_wait: float = 30
    give_up_after: int = 6
    down_for: float = 20


class Wire:
    """The threads, limits and counters of one token on one GitLab. Use it inside one event loop; `close` it."""

    def __init__(
        self,
        url: str,
        token: str,
        limits: Limits | None = None,
        clock: Clock | None = None,
        allowances: Allowances | None = None,
    ) -> None:
        self.left: dict[str, Left] = {}
        self._allowances = allowances
        self.limits = limits or Limits()
        self.clock = clock or Clock()
        self.requests: Counter[str] = Counter()
        self._session = Session(
            url,
            token,
            size=self.limits.threads,
            connect=self.limits.connect_timeout,
            read=self.limits.read_timeout,
            total=self.limits.total_timeout,
        )
        self.url = self._session.url
        self._key = fingerprint("gitlab", self.url, "token", secret=token)
        self._threads = Threads(self.limits.threads, "gitlab")
        self._slots = asyncio.Semaphore(self.limits.threads)
        self._pace = AsyncLimiter(self.limits.burst, self.limits.burst / self.limits.per_second)
        self._not_before = 0.0
        self._failures = 0
        self._down_until = 0.0
        self._down_because = ""

    def known(self) -> Mapping[str, Left]:
        """What GitLab says is left, as this process or another one with the same token heard last."""
        return self.left if self._allowances is None else self._allowances.left(self._key) or self.left

    @property
    def total(self) -> int:
        """How many requests were sent."""
        return self.requests.total()

    async def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        *,
        again: bool | None = None,
        limit: int = JSON_LIMIT,
        rare: bool = False,
    ) -> Answer:
        """One request. `again`: it may be said twice without harm; reading and deleting always may. `rare`: GitLab counts such
        requests by themselves, so that too many of them (429) say nothing of the others.

        Raises Declined for a status that is no success, else Unreachable, Limited or Denied."""
        safe = method in _SAFE if again is None else again
        for attempt in range(self.limits.attempts):
            try:
                answer = await self._once(method, path, query or {}, body, limit)
            except Declined:
                self._failures = 0
                raise
            except Trouble as trouble:
                last = attempt + 1 == self.limits.attempts
                if trouble.limited and rare:
                    raise Declined(429, str(trouble)) from None
                if trouble.limited:
                    self._hold(trouble.wait if trouble.wait is not None else 10.0)
                    if last:
                        raise self._limited() from None
                    continue
                if last or (trouble.reached and not safe) or (trouble.slow and attempt):
                    raise self._failed(str(trouble)) from None
                await self.clock.sleep(self._pause(attempt, trouble.wait))
            else:
                self._failures = 0
                self._heed(answer.headers)
                return answer
        raise AssertionError("the last try returns or raises")

    async def pages(self, path: str, query: Mapping[str, Any], *, most: int = _MOST_PAGES) -> AsyncIterator[list[Any]]:
        """The pages of a list, by keyset where GitLab gives such links, else by number."""
        asked = {"per_page": _PAGE, **query}
        for _ in range(most):
            answer = await self.ask("get", path, asked)
            found = answer.json()
            if not isinstance(found, list):
                raise Unreachable("GitLab's answer is not the list that it should be")
            yield found
            onward = _next(answer.headers)
            if onward is None:
                return
            asked = {"per_page": _PAGE, **query, **onward}

    async def close(self) -> None:
        """Give back threads and connections; a request that is under way ends by itself."""
        self._threads.close()
        self._session.close()

    async def _once(self, method: str, path: str, query: Mapping[str, Any], body: Mapping[str, Any] | None, limit: int) -> Answer:
        await self._slots.acquire()
        try:
            await self._ready()
            self.requests[f"{method.upper()} {_VARIABLE.sub('/:', path)}"] += 1
            running = self._threads.begin(lambda: self._session.exchange(method, path, query, body, limit))
        except BaseException:
            self._slots.release()
            raise
        # The thread goes on when whoever waits for it is cancelled: its place is free only when it has ended.
        running.add_done_callback(self._ended)
        return await asyncio.shield(running)

    def _ended(self, running: asyncio.Future[Answer]) -> None:
        self._slots.release()
        if not running.cancelled():
            running.exception()

    async def _ready(self) -> None:
        """Wait until a request may be sent."""
        shared = self._allowances
        while True:
            if shared is not None:
                await shared.fresh(self._key)
            now = self.clock.monotonic()
            if shared is not None and (pause := shared.paused(self._key, "all")) > 0:
                self._not_before = max(self._not_before, now + pause)
            if self._down_until > now:
                raise Unreachable(self._down_because)
            wait = self._not_before - now
            if wait <= 0:
                break
            if wait > self.limits.longest_wait:
                raise self._limited()
            await self.clock.sleep(wait)
        # Where several share a token, each request counts for all of them.
        await self._pace.acquire(1 if shared is None else min(shared.sharers(self._key), self.limits.burst))

    def _hold(self, seconds: float) -> None:
        seconds = min(seconds, _A_DAY)
        self._not_before = max(self._not_before, self.clock.monotonic() + seconds)
        if self._allowances is not None:
            self._allowances.pause(self._key, "all", seconds)

    def _limited(self) -> Limited:
        left = max(0.0, self._not_before - self.clock.monotonic())
        until = datetime.fromtimestamp(self.clock.wall() + left, UTC)
        return Limited(f"GitLab's limits: again from {until:%H:%M:%S} UTC", until)

    def _heed(self, headers: Mapping[str, str]) -> None:
        """The last tenth of an allowance is spread over what is left of its time; one that is used up is not tried out."""
        named = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
        limit, left, reset = (headers.get(name, "").strip()[:12] for name in named)
        if not (left.isdecimal() and reset.isdecimal()):
            return
        wall = self.clock.wall()
        until = max(0.0, float(reset) - wall)
        self._note(Left(int(limit) if limit.isdecimal() else None, int(left), until, wall))
        if float(left) <= float(limit if limit.isdecimal() else 0) / 10:
            # So much is left for all who share the token.
            sharers = self._allowances.sharers(self._key) if self._allowances is not None else 1
            self._hold(min(until, until / float(left) * sharers) if float(left) else until)

    def _note(self, left: Left) -> None:
        self.left["requests"] = left
        if self._allowances is not None:
            self._allowances.note(self._key, "requests", left)

    def _failed(self, message: str) -> Unreachable:
        self._failures += 1
        if self._failures >= self.limits.give_up_after:
            self._down_until, self._down_because = self.clock.monotonic() + self.limits.down_for, message
        return Unreachable(message)

    def _pause(self, attempt: int, wait: float | None) -> float:
        full = min(self.limits.first_pause * 2.0**attempt, self.limits.longest_wait)
        least = min(wait or 0.0, self.limits.longest_wait)
        return max(least, full * (1 + self.clock.jitter()) / 2)


class Lane:
    """The requests about one project. `key` is its path, and from the first look on its number, which outlives renames."""

    def __init__(self, wire: Wire, key: str | int) -> None:
        self.wire = wire
        self.key = key
        self._share = asyncio.Semaphore(max(2, wire.limits.threads // 3))

    def path(self, tail: str) -> str:
        return f"/projects/{quote(str(self.key), safe='')}{tail}"

    async def ask(self, method: str, tail: str, *args: Any, **options: Any) -> Answer:
        """As `Wire.ask`, below the project's own address."""
        async with self._share:
            return await self.wire.ask(method, self.path(tail), *args, **options)

    async def get(self, tail: str, **query: Any) -> Any:
        """What stands there, as JSON."""
        return (await self.ask("get", tail, query)).json()

    async def find(self, tail: str, **query: Any) -> Any | None:
        """The same; None where there is nothing (404)."""
        try:
            return await self.get(tail, **query)
        except Declined as declined:
            if declined.status != 404:
                raise
            return None

    async def post(self, tail: str, body: Mapping[str, Any]) -> Any:
        return (await self.ask("post", tail, None, body)).json()

    async def put(self, tail: str, body: Mapping[str, Any], *, again: bool = True) -> Any:
        return (await self.ask("put", tail, None, body, again=again)).json()

    async def pages(self, tail: str, query: Mapping[str, Any], *, most: int = _MOST_PAGES) -> AsyncIterator[list[Any]]:
        async with self._share:
            async for page in self.wire.pages(self.path(tail), query, most=most):
                yield page

    async def all(self, tail: str, **query: Any) -> list[Any]:
        """A whole list."""
        return [one async for page in self.pages(tail, query) for one in page]


def quoted(text: str) -> str:
    """A branch, path or name as one part of an address."""
    return quote(text, safe="")


def plainly(name: str, error: Declined) -> ForgeError:
    """A refusal that its caller knows no more about, in plain words. `name` is the project."""
    said = f": {error.words}" if error.words else ""
    match error.status:
        case 401:
            return Denied(f"{name}: GitLab does not accept the token; it has expired or was revoked{said} (401)")
        case 403:
            return Denied(f"{name}: the token's role or scope does not allow it{said} (403)")
        case 404:
            return Denied(f"{name}: it is not there, or the token may not see it{said} (404)")
        case 409:
            return Moved(f"{name}: it is not as it was read{said} (409)")
        case status:
            return ForgeError(f"{name}: GitLab refused{said} ({status})")


def _next(headers: Mapping[str, str]) -> dict[str, str] | None:
    """The query of the next page; None where this was the last. Only the query: the server may know itself by another name."""
    for part in headers.get("link", "").split(","):
        address, _, relation = part.partition(";")
        if 'rel="next"' in relation.replace(" ", ""):
            found = parse_qs(urlsplit(address.strip().strip("<>")).query)
            return {key: values[-1] for key, values in found.items()}
    page = headers.get("x-next-page", "").strip()
    return {"page": page} if page else None
