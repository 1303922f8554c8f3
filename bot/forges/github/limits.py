"""How hard GitHub is asked: one `Budget` for each installation or token, shared by all its repositories.

| GitHub says                                     | we keep                                                       |
|-------------------------------------------------|---------------------------------------------------------------|
| at most 100 requests at once                    | 20                                                            |
| 900 points a minute (REST), 2,000 (GraphQL)     | the same; reading is 1 point, writing 5                       |
| a second between writes                         | one write at a time, at most 10 in any 10 seconds             |
| content: 80 a minute, 500 an hour               | every write counts: so at most 70 a minute, and 480 an hour   |
| `Retry-After`, `X-RateLimit-Remaining: 0`       | nobody asks before; a wait that is too long is a `Limited`    |

Whoever wants to write says how much (`writing`). What has begun can be finished: its writes are set aside. Where there is no
room, the answer is `Limited` with the moment to come back, and a place in the queue: of those who come about then, who asked
first goes first. Who does not come keeps nobody waiting.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.forges.base import Limited
from bot.registries.limits import Clock, retry_after

MINUTE, HOUR = 60.0, 3600.0
_EARLY, _LATE = 30.0, 10.0  # seconds before and after the moment that somebody was told
_LARGEST = 20  # writes that are set aside at most; what goes beyond takes what is free
_GRAIN = 0.001  # seconds: a sum of floats may end just before the moment that it should be


@dataclass(frozen=True, slots=True)
class Pace:
    """The limits. Times are in seconds. `patience` is how long a ticket is kept after the moment its holder was told."""

    concurrent: int = 20
    rest_points: int = 900
    graphql_points: int = 2000
    burst: int = 10
    burst_span: float = 10.0
    hourly: int = 480
    waiting: int = 60
    longest_wait: float = 60.0
    patience: float = 1800.0


class Window:
    """At most `limit` of something in any `span` seconds."""

    def __init__(self, limit: int, span: float) -> None:
        self.limit = limit
        self.span = span
        self.taken: deque[tuple[float, int]] = deque()
        self._sum = 0

    def used(self, now: float) -> int:
        """How much was taken within the span."""
        while self.taken and self.taken[0][0] <= now - self.span:
            self._sum -= self.taken.popleft()[1]
        return self._sum

    def wait(self, now: float, amount: int) -> float:
        """Seconds until so much more may be taken."""
        over = self.used(now) + amount - self.limit
        for moment, weight in self.taken:
            if over <= 0:
                break
            over -= weight
            if over <= 0:
                return moment + self.span - now + _GRAIN
        return 0.0

    def take(self, now: float, amount: int) -> None:
        self.taken.append((now, amount))
        self._sum += amount


@dataclass(slots=True)
class _Ticket:
    """Who asked for how many writes; `until` is when to come back, as its holder was told."""

    count: int
    until: float


@dataclass(slots=True)
class _Lease:
    """Writes that are set aside for the task that runs."""

    budget: Budget
    left: int


_LEASE: ContextVar[_Lease | None] = ContextVar("github lease", default=None)


@dataclass(slots=True)
class Budget:
    """One installation's or token's share of GitHub."""

    pace: Pace = field(default_factory=Pace)
    clock: Clock = field(default_factory=Clock)
    _slots: asyncio.Semaphore = field(init=False)
    _pen: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)
    _rest: Window = field(init=False)
    _graphql: Window = field(init=False)
    _burst: Window = field(init=False)
    _hourly: Window = field(init=False)
    _aside: int = field(init=False, default=0)
    _tickets: dict[str, _Ticket] = field(init=False, default_factory=dict)
    _not_before: float = field(init=False, default=0.0)
    _spent_until: dict[str, float] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.pace.concurrent)
        self._rest = Window(self.pace.rest_points, MINUTE)
        self._graphql = Window(self.pace.graphql_points, MINUTE)
        self._burst = Window(self.pace.burst, self.pace.burst_span)
        self._hourly = Window(self.pace.hourly, HOUR)

    @asynccontextmanager
    async def asking(self, *, graphql: bool, write: bool) -> AsyncIterator[None]:
        """Hold one request's place. Raises Limited where GitHub does not want to be asked for longer than we would wait."""
        if not write:
            async with self._slots:
                await self._ready(graphql, 1)
                yield
            return
        async with self._pen, self._slots:
            self._draw()
            await self._ready(graphql, 5)
            while (wait := self._burst.wait(self.clock.monotonic(), 1)) > 0:
                await self.clock.sleep(wait)
            self._burst.take(self.clock.monotonic(), 1)
            self._hourly.take(self.clock.monotonic(), 1)
            yield

    async def _ready(self, graphql: bool, points: int) -> None:
        window, resource = (self._graphql, "graphql") if graphql else (self._rest, "core")
        while True:
            now = self.clock.monotonic()
            wait = max(self._not_before, self._spent_until.get(resource, 0.0)) - now
            if wait > self.pace.longest_wait:
                raise self.limited(wait)
            wait = max(wait, window.wait(now, points))
            if wait <= 0:
                window.take(now, points)
                return
            await self.clock.sleep(wait)

    def _draw(self) -> None:
        """Use up one of the writes that were set aside; a write that nobody announced takes one that is free, or is refused."""
        lease = _LEASE.get()
        if lease is not None and lease.budget is self and lease.left:
            lease.left -= 1
            self._aside -= 1
            return
        if self._hourly.used(self.clock.monotonic()) + self._aside >= self.pace.hourly:
            raise self.limited(self._until_room(1) - self.clock.monotonic())

    @asynccontextmanager
    async def writing(self, key: str, count: int) -> AsyncIterator[None]:
        """Set writes aside for what the block does. `key` names the wish, so that it keeps its place when it comes again.

        Waits for a while where there is no room, or none that is not for somebody who asked before; raises Limited where that
        takes too long."""
        outer = _LEASE.get()
        if outer is not None and outer.budget is self:
            yield  # a part of something that has begun
            return
        count = min(count, _LARGEST)
        while (wait := self._admit(key, count)) > 0:
            if wait > self.pace.longest_wait:
                raise self.limited(wait)
            await self.clock.sleep(wait)
        lease = _Lease(self, count)
        mark = _LEASE.set(lease)
        try:
            yield
        finally:
            _LEASE.reset(mark)
            self._aside -= lease.left
            lease.left = 0

    def _admit(self, key: str, count: int) -> float:
        """Set writes aside: 0. Where there is no room for them, in how many seconds to ask again."""
        now = self.clock.monotonic()
        for old in [name for name, ticket in self._tickets.items() if ticket.until + self.pace.patience < now]:
            del self._tickets[old]
        before = due = 0
        for name, ticket in self._tickets.items():
            if name == key:
                break
            before += ticket.count
            # Room is kept for those who come about now. Who was told to come later, or does not come, keeps nobody waiting long.
            due += ticket.count if -_EARLY <= now - ticket.until <= _LATE else 0
        free = min(self.pace.hourly - self._hourly.used(now), self.pace.waiting) - self._aside
        if due + count <= free:
            self._tickets.pop(key, None)
            self._aside += count
            return 0.0
        later = max(self._until_room(before + count), now + max(1.0, before + count - free))
        # Where there is room, it is free once those have come or not.
        until = now + _LATE / 2 if count <= free else later
        self._tickets[key] = _Ticket(count, until)
        return until - now

    def _until_room(self, amount: int) -> float:
        """When so many writes more fit into the hour, as far as can be told; within an hour it is worth asking again anyway."""
        now = self.clock.monotonic()
        over = self._hourly.used(now) + self._aside + amount - self.pace.hourly
        if over <= 0:
            return now
        taken = self._hourly.taken
        return (taken[over - 1][0] if over <= len(taken) else now) + HOUR

    def told(self, status: int, headers: dict[str, str], *, limited: bool) -> float | None:
        """Take in what an answer says of our allowance (header names in lower case). `limited`: the answer was a refusal for
        that reason; then how many seconds nobody asks."""
        now, wall = self.clock.monotonic(), self.clock.wall()
        resource = headers.get("x-ratelimit-resource", "core")
        reset = _number(headers.get("x-ratelimit-reset"))
        spent = headers.get("x-ratelimit-remaining") == "0" and reset is not None
        if spent and reset is not None:
            self._spent_until[resource] = now + max(0.0, reset - wall) + 1
        if not limited:
            return None
        said = retry_after({"Retry-After": headers.get("retry-after", "")}, wall)
        wait = said if said is not None else self._spent_until.get(resource, now) - now if spent else MINUTE
        if said is not None or not spent:
            self._not_before = max(self._not_before, now + wait)
        return wait

    def limited(self, seconds: float) -> Limited:
        """The error for a wait that is too long."""
        until = datetime.fromtimestamp(self.clock.wall() + max(0.0, min(seconds, 86400.0)), UTC)
        return Limited(f"GitHub's limits: again from {until:%H:%M:%S} UTC", until)


def _number(text: str | None) -> float | None:
    return float(text) if text and text.strip().isdecimal() else None
