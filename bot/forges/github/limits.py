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

With `allowances` that several processes share, all of this stays as it is for each of them, and besides: what is written counts
for all together, a pause that one was told holds all back, and points and places are divided by those who ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.forges.base import Limited
from bot.forges.github.pace import HOUR, MINUTE
from bot.forges.github.pace import Pace as Pace
from bot.forges.github.pace import Window as Window
from bot.registries.limits import Clock, retry_after
from bot.state.allowances import Allowances, Grant, Left, Span

_EARLY, _LATE = 30.0, 10.0  # seconds before and after the moment that somebody was told
_LARGEST = 20  # writes that are set aside at most; what goes beyond takes what is free
_AT_ONCE = 100  # requests of all processes together
_BEGUN = 120.0  # seconds within which what was set aside is written
_RESOURCES = frozenset({"core", "graphql", "search"})


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
    grant: Grant | None = None


_LEASE: ContextVar[_Lease | None] = ContextVar("github lease", default=None)


@dataclass(slots=True)
class Budget:
    """One installation's or token's share of GitHub. `key` names it among the `allowances` that several processes share. `left`
    is what GitHub said last, by resource."""

    pace: Pace = field(default_factory=Pace)
    clock: Clock = field(default_factory=Clock)
    allowances: Allowances | None = None
    key: str = ""
    left: dict[str, Left] = field(init=False, default_factory=dict)
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
    _closed: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.pace.concurrent)
        self._rest = Window(self.pace.rest_points, MINUTE)
        self._graphql = Window(self.pace.graphql_points, MINUTE)
        self._burst = Window(self.pace.burst, self.pace.burst_span)
        self._hourly = Window(self.pace.hourly, HOUR)

    @asynccontextmanager
    async def asking(self, *, graphql: bool, write: bool) -> AsyncIterator[None]:
        """Hold one request's place. Raises Limited where GitHub does not want to be asked for longer than we would wait."""
        if self.allowances is not None:
            await self._fit(self.allowances.sharers(self.key))
        if not write:
            async with self._slots:
                await self._ready(graphql, 1)
                yield
            return
        async with self._pen, self._slots:
            if not self._draw() and self.allowances is not None:
                await self._claim(self.allowances, 1)
            await self._ready(graphql, 5)
            if self.allowances is not None:
                await self._turn(self.allowances, graphql)
            while (wait := self._burst.wait(self.clock.monotonic(), 1)) > 0:
                await self.clock.sleep(wait)
            self._burst.take(self.clock.monotonic(), 1)
            self._hourly.take(self.clock.monotonic(), 1)
            yield

    async def _ready(self, graphql: bool, points: int) -> None:
        window, resource = (self._graphql, "graphql") if graphql else (self._rest, "core")
        while True:
            await self._listen()
            now = self.clock.monotonic()
            wait = max(self._not_before, self._spent_until.get(resource, 0.0)) - now
            if wait > self.pace.longest_wait:
                raise self.limited(wait)
            wait = max(wait, window.wait(now, points))
            if wait <= 0:
                window.take(now, points)
                return
            await self.clock.sleep(wait)

    async def _listen(self) -> None:
        """Take in what other processes were told, and how many there are."""
        if self.allowances is None:
            return
        await self.allowances.fresh(self.key)
        now = self.clock.monotonic()
        if (pause := self.allowances.paused(self.key, "all")) > 0:
            self._not_before = max(self._not_before, now + pause)
        for resource in _RESOURCES:
            if (pause := self.allowances.paused(self.key, resource)) > 0:
                self._spent_until[resource] = max(self._spent_until.get(resource, 0.0), now + pause)

    async def _fit(self, sharers: int) -> None:
        """Keep to this process's part of the points and places. Places that are not ours are held as if somebody asked."""
        self._rest.limit = max(5, self.pace.rest_points // sharers)
        self._graphql.limit = max(5, self.pace.graphql_points // sharers)
        closed = max(0, self.pace.concurrent - max(1, _AT_ONCE // sharers))
        while self._closed < closed:
            self._closed += 1
            try:
                await self._slots.acquire()
            except BaseException:
                self._closed -= 1
                raise
        while self._closed > closed:
            self._closed -= 1
            self._slots.release()

    async def _turn(self, allowances: Allowances, graphql: bool) -> None:
        """Wait for a write's turn among all processes; where a pause has begun meanwhile, for another one."""
        both = (Span(self.pace.burst, self.pace.burst_span), Span(self.pace.minutely, MINUTE))
        while (wait := (await allowances.take(self.key, "writes", 1, both)).wait) > 0:
            await self.clock.sleep(wait)
            await self._listen()
            if self._not_before <= self.clock.monotonic():
                return
            await self._ready(graphql, 5)

    async def _claim(self, allowances: Allowances, count: int, ahead: int = 0) -> Grant:
        """Writes within the hour of all processes, once they may be done. Raises Limited where that takes too long."""
        hour = (Span(self.pace.hourly, HOUR + _BEGUN),)
        longest = self.pace.longest_wait
        grant = await allowances.take(self.key, "content", count, hour, within=longest, ahead=ahead)
        if not grant.taken:
            raise self.limited(grant.wait)
        if grant.wait > 0:
            try:
                await self.clock.sleep(grant.wait)
            except BaseException:
                await allowances.give_back(self.key, "content", grant, count)
                raise
        return grant

    def _draw(self) -> bool:
        """Use up one of the writes that were set aside: True. One that nobody announced takes what is free, or is refused."""
        lease = _LEASE.get()
        if lease is not None and lease.budget is self and lease.left:
            lease.left -= 1
            self._aside -= 1
            return True
        if self._hourly.used(self.clock.monotonic()) + self._aside >= self.pace.hourly:
            raise self.limited(self._until_room(1) - self.clock.monotonic())
        return False

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
        try:
            if self.allowances is not None:
                lease.grant = await self._granted(self.allowances, key, count)
            mark = _LEASE.set(lease)
            try:
                yield
            finally:
                _LEASE.reset(mark)
        finally:
            self._aside -= lease.left
            unused, lease.left = lease.left, 0
            if unused and lease.grant is not None and self.allowances is not None:
                await self.allowances.give_back(self.key, "content", lease.grant, unused)

    async def _granted(self, allowances: Allowances, key: str, count: int) -> Grant:
        """The same among all processes; where there is no room, the place in our own queue is kept."""
        ahead = self._ahead(key)
        try:
            grant = await self._claim(allowances, count, ahead)
        except Limited as limited:
            until = limited.until.timestamp() - self.clock.wall() if limited.until else MINUTE
            self._tickets[key] = _Ticket(count, self.clock.monotonic() + until)
            raise
        self._tickets.pop(key, None)
        return grant

    def _ahead(self, key: str) -> int:
        """How many writes wait in front of this wish."""
        ahead = 0
        for name, ticket in self._tickets.items():
            if name == key:
                break
            ahead += ticket.count
        return ahead

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
            if self.allowances is None:  # else there is room here, and not yet among all
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
        remaining, reset = headers.get("x-ratelimit-remaining"), _number(headers.get("x-ratelimit-reset"))
        spent = remaining == "0" and reset is not None
        if spent and reset is not None:
            self._spent_until[resource] = now + max(0.0, reset - wall) + 1
            self._tell(resource, max(0.0, reset - wall) + 1)
        if remaining is not None and resource in _RESOURCES:
            self._note(resource, remaining, headers.get("x-ratelimit-limit"), reset, wall)
        if not limited:
            return None
        said = retry_after({"Retry-After": headers.get("retry-after", "")}, wall)
        wait = said if said is not None else self._spent_until.get(resource, now) - now if spent else MINUTE
        if said is not None or not spent:
            self._not_before = max(self._not_before, now + wait)
            self._tell("all", wait)
        return wait

    def known(self) -> Mapping[str, Left]:
        """What is left by resource, as this process or another one heard last."""
        return self.left if self.allowances is None else self.allowances.left(self.key) or self.left

    def _tell(self, kind: str, seconds: float) -> None:
        if self.allowances is not None:
            self.allowances.pause(self.key, kind, seconds)

    def _note(self, resource: str, remaining: str, limit: str | None, reset: float | None, wall: float) -> None:
        left = _number(remaining)
        if left is not None:
            most = _number(limit)
            said = Left(None if most is None else int(most), int(left), None if reset is None else max(0.0, reset - wall), wall)
            self.left[resource] = said
            if self.allowances is not None:
                self.allowances.note(self.key, resource, said)

    def limited(self, seconds: float) -> Limited:
        """The error for a wait that is too long."""
        until = datetime.fromtimestamp(self.clock.wall() + max(0.0, min(seconds, 86400.0)), UTC)
        return Limited(f"GitHub's limits: again from {until:%H:%M:%S} UTC", until)


def _number(text: str | None) -> float | None:
    return float(text) if text and text.strip().isdecimal() else None
