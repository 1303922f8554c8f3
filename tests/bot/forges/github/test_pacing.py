"""Content creation within GitHub's limits, by simulation: a clock of its own, the real budget, 300 repositories with changes."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.forges.base import Limited
from bot.forges.github.limits import Budget, Pace, Window
from bot.registries.limits import Clock

PER_MINUTE, PER_HOUR = 80, 500  # what GitHub documents
WRITES = 3  # of a plain new request
LATENCY = 0.25


@dataclass
class Simulation:
    """Time passes only when everybody waits."""

    now: float = 1_772_366_400.0
    _sleeping: list[tuple[float, int, asyncio.Future[None]]] = field(default_factory=list)
    _count: int = 0

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleeping, (self.now + max(0.0, seconds), self._count, future))
        await future

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.now, wall=lambda: self.now, sleep=self.sleep, jitter=lambda: 0.5)

    async def run(self, *work: Awaitable[None]) -> None:
        tasks = [asyncio.ensure_future(one) for one in work]
        while not all(task.done() for task in tasks):
            for _ in range(8):
                await asyncio.sleep(0)
            if self._sleeping:
                self.now, _, future = heapq.heappop(self._sleeping)
                future.set_result(None)
        await asyncio.gather(*tasks)


@dataclass
class Shop:
    """Repositories that want something written; `sent` has the moment of each write, `done` who was finished when."""

    time: Simulation
    budget: Budget
    sent: list[float] = field(default_factory=list)
    done: list[tuple[float, str]] = field(default_factory=list)
    first: dict[str, float] = field(default_factory=dict)

    async def want(
        self, name: str, at: float, writes: int = WRITES, again: Callable[[float], float] = lambda until: until
    ) -> None:
        """Ask at a moment, and again when told (`again` makes another moment of that), until it is written."""
        await self.time.sleep(at)
        self.first[name] = self.time.now
        while True:
            try:
                async with self.budget.writing(name, writes):
                    for _ in range(writes):
                        async with self.budget.asking(graphql=False, write=True):
                            self.sent.append(self.time.now)
                            await self.time.sleep(LATENCY)
                self.done.append((self.time.now, name))
                return
            except Limited as told:
                until = again(told.until.timestamp() if told.until else self.time.now)
                await self.time.sleep(until - self.time.now + 0.01)


def most_within(moments: list[float], span: float) -> int:
    """The most that ever fell into a span."""
    ordered, start, most = sorted(moments), 0, 0
    for at, moment in enumerate(ordered):
        while ordered[start] <= moment - span:
            start += 1
        most = max(most, at - start + 1)
    return most


@pytest.fixture
def shop() -> Shop:
    time = Simulation()
    return Shop(time, Budget(Pace(), time.clock()))


def within_limits(shop: Shop) -> None:
    assert most_within(shop.sent, 60) <= PER_MINUTE
    assert most_within(shop.sent, 3600) <= PER_HOUR


async def test_300_repositories_at_once(shop: Shop) -> None:
    start = shop.time.now
    await shop.time.run(*(shop.want(f"repo-{n:03}", n * 0.01) for n in range(300)))
    within_limits(shop)
    assert len(shop.done) == 300
    # 900 writes at 480 an hour: the rest of them in the second hour, and not a minute later than that needs.
    assert shop.done[-1][0] - start < 3600 + 25 * 60
    assert shop.done[159][0] - start < 20 * 60
    # Who asked first was served first.
    order = [name for _, name in shop.done]
    late = [abs(order.index(f"repo-{n:03}") - n) for n in range(300)]
    assert max(late) <= Pace().waiting // WRITES


async def test_those_who_come_later_wait_for_those_who_came_before(shop: Shop) -> None:
    early = [shop.want(f"early-{n:03}", 0) for n in range(250)]
    later = [shop.want(f"later-{n:03}", 1800 + n) for n in range(100)]
    await shop.time.run(*early, *later)
    within_limits(shop)
    order = [name for _, name in shop.done]
    last_early = max(at for at, name in enumerate(order) if name.startswith("early"))
    assert sum(name.startswith("later") for name in order[:last_early]) <= Pace().waiting // WRITES


async def test_a_large_one_is_not_overtaken_for_ever(shop: Shop) -> None:
    """Many small wishes all the time, and one that needs much at once."""
    small = [shop.want(f"small-{n:04}", n * 8, writes=1) for n in range(900)]
    await shop.time.run(shop.want("large", 1000, writes=40), *small)
    within_limits(shop)
    finished = {name: moment for moment, name in shop.done}
    assert finished["large"] - shop.first["large"] < 3600 + 600


async def test_those_who_come_back_only_every_hour_do_not_starve(shop: Shop) -> None:
    """They are late for their turn, and get what is free then."""
    start = shop.time.now

    def hourly(until: float) -> float:
        """The next full hour, which is up to an hour later than told."""
        return start + 3600 * ((until - start) // 3600 + 1)

    await shop.time.run(*(shop.want(f"repo-{n:03}", n * 0.01, again=hourly) for n in range(300)))
    within_limits(shop)
    assert shop.done[-1][0] - start < 9 * 3600


async def test_wishes_that_never_come_back_hold_nobody_up_for_long(shop: Shop) -> None:
    async def give_up(n: int) -> None:
        try:
            async with shop.budget.writing(f"gone-{n}", WRITES):
                for _ in range(WRITES):
                    async with shop.budget.asking(graphql=False, write=True):
                        shop.sent.append(shop.time.now)
                        await shop.time.sleep(LATENCY)
        except Limited:
            return

    await shop.time.run(*(give_up(n) for n in range(400)))
    asked = shop.time.now
    await shop.time.run(shop.want("there", 0))
    within_limits(shop)
    assert shop.done[-1][0] - asked < 3 * 3600


async def test_what_was_set_aside_and_not_used_is_given_back(shop: Shop) -> None:
    pace = Pace()
    for n in range(1000):
        async with shop.budget.writing(f"nothing-{n}", pace.waiting):
            pass
    assert shop.sent == []


async def test_a_write_within_a_write_is_a_part_of_it(shop: Shop) -> None:
    budget, all_of_it = shop.budget, Pace().waiting
    async with budget.writing("outer", all_of_it), budget.writing("inner", all_of_it), budget.asking(graphql=True, write=True):
        pass


async def test_reading_keeps_to_the_points(shop: Shop) -> None:
    read: list[float] = []

    async def ask(graphql: bool) -> None:
        async with shop.budget.asking(graphql=graphql, write=False):
            read.append(shop.time.now)
            await shop.time.sleep(0.01)

    await shop.time.run(*(ask(False) for _ in range(2000)))
    assert most_within(read, 60) <= 900
    read.clear()
    await shop.time.run(*(ask(True) for _ in range(4500)))
    assert most_within(read, 60) <= 2000


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 3)), max_size=60))
def test_a_window_never_holds_more_than_its_limit(steps: list[tuple[float, int]]) -> None:
    window, now = Window(7, 10), 0.0
    taken: list[tuple[float, int]] = []
    for pause, amount in steps:
        now += pause
        now += window.wait(now, amount)
        window.take(now, amount)
        taken.append((now, amount))
    for moment, _ in taken:
        assert sum(amount for at, amount in taken if moment - 10 < at <= moment) <= 7
