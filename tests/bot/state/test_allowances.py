"""What is allowed towards a host: one suite for one process and for many, whose PostgreSQL goes by a clock of the test's own."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from bot.state.allowances import Allowances, Grant, Left, Own, Span, earliest, fingerprint
from bot.state.ledger import Ledger
from bot.state.sharing import FEWEST, Shared, metadata

KEY = "github api.github.com 0123456789abcdef"
START = 1_772_366_400.0
SMALL = (Span(3, 10.0), Span(5, 60.0))
GITHUB = (Span(60, 60.0), Span(480, 3600.0))

# Before the server's own clock in the path: what asks for the time by its plain name is told the test's.
_CLOCK = """
CREATE TABLE hands (at float8); INSERT INTO hands VALUES ({start});
CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT to_timestamp(at) FROM public.hands';
ALTER DATABASE {name} SET search_path TO public, pg_catalog;
"""


class World(Protocol):
    """Allowances, and their time."""

    async def another(self) -> Allowances: ...
    async def passes(self, seconds: float) -> None: ...


@dataclass
class OneProcess:
    now: float = START
    own: Own | None = None

    async def another(self) -> Allowances:
        self.own = self.own or Own(lambda: self.now)
        return self.own

    async def passes(self, seconds: float) -> None:
        self.now += seconds

    async def close(self) -> None:
        return


class ManyProcesses:
    """Each of `another` has connections and a memory of its own, as in a process of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.now = START
        self.ledgers: list[Ledger] = []
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_CLOCK.format(start=START, name=url.rpartition("/")[2]))  # type: ignore[arg-type]

    async def another(self) -> Shared:
        ledger = await Ledger.open(self.url)
        self.ledgers.append(ledger)
        await ledger.ensure(metadata)
        return Shared(ledger, monotonic=lambda: self.now, wall=lambda: self.now)

    async def passes(self, seconds: float) -> None:
        self.now += seconds
        async with self.ledgers[0].writing() as connection:
            await connection.execute(text("UPDATE hands SET at = :at"), {"at": self.now})

    async def close(self) -> None:
        for ledger in self.ledgers:
            await ledger.close()


@pytest.fixture(params=["one process", "many processes"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    made = OneProcess() if request.param == "one process" else ManyProcesses(request.getfixturevalue("database"))
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("steps", "waits"),
    [
        ([(0, 1), (0, 1), (0, 1)], [0, 0, 0]),
        ([(0, 1), (0, 1), (0, 1), (0, 1)], [0, 0, 0, 10]),
        ([(0, 3), (0, 1), (0, 1), (0, 1)], [0, 10, 10, 60]),
        ([(0, 2), (4, 2), (0, 1)], [0, 6, 6]),
        ([(0, 2), (4, 2), (6, 1), (0, 1)], [0, 6, 0, 50]),
        ([(0, 3), (100, 3), (100, 3)], [0, 0, 0]),
        ([(0, 9), (0, 1)], [0, 10]),
    ],
)
async def test_when_so_much_may_go(world: World, steps: list[tuple[float, int]], waits: list[float]) -> None:
    """Each step lets time pass and takes some, from one process and the other in turn."""
    who = [await world.another(), await world.another()]
    found = []
    for at, (seconds, amount) in enumerate(steps):
        await world.passes(seconds)
        grant = await who[at % 2].take(KEY, "content", amount, SMALL)
        assert grant.taken
        found.append(grant.wait)
    assert found == pytest.approx(waits, abs=0.01)


async def test_what_is_too_far_away_is_not_taken(world: World) -> None:
    one, two = await world.another(), await world.another()
    await one.take(KEY, "content", 3, SMALL)
    for _ in range(3):
        assert await two.take(KEY, "content", 1, SMALL, within=9.0) == Grant(
            pytest.approx(10, abs=0.01), False, pytest.approx(START + 10, abs=0.01)
        )
    # Two more in front: of the three that were taken, all have to be out of the span by then, and one more is out of the other.
    assert (await two.take(KEY, "content", 1, SMALL, within=9.0, ahead=2)).wait == pytest.approx(60, abs=0.01)
    assert (await two.take(KEY, "content", 1, SMALL, within=11.0)).taken


async def test_keys_and_kinds_are_apart(world: World) -> None:
    one = await world.another()
    for key, kind in ((KEY, "content"), (KEY, "writes"), (KEY + "x", "content")):
        assert (await one.take(key, kind, 3, SMALL)).wait == 0


async def test_what_is_given_back_is_there_for_others(world: World) -> None:
    one, two = await world.another(), await world.another()
    first = await one.take(KEY, "content", 3, SMALL)
    await one.give_back(KEY, "content", first, 2)
    assert (await two.take(KEY, "content", 2, SMALL)).wait == 0
    assert (await two.take(KEY, "content", 1, SMALL)).wait == pytest.approx(10, abs=0.01)


async def test_a_reservation_whose_holder_was_killed_ends_by_itself(world: World) -> None:
    one, two = await world.another(), await world.another()
    await one.take(KEY, "content", 3, SMALL)
    del one
    assert not (await two.take(KEY, "content", 3, SMALL, within=5.0)).taken
    await world.passes(61)
    assert (await two.take(KEY, "content", 3, SMALL, within=0.0)).taken


async def test_a_pause_that_one_was_told_holds_the_other_back(world: World) -> None:
    one, two = await world.another(), await world.another()
    await one.fresh(KEY)
    await two.fresh(KEY)
    one.pause(KEY, "core", 120.0)
    await one.fresh(KEY)
    await asyncio.sleep(0.2)
    await world.passes(1.5)
    await two.fresh(KEY)
    assert two.paused(KEY, "core") == pytest.approx(118.5, abs=0.1)
    assert two.paused(KEY, "graphql") == two.paused("another", "core") == 0
    one.pause(KEY, "core", 30.0)  # a shorter one takes nothing away
    await world.passes(60)
    await two.fresh(KEY)
    assert two.paused(KEY, "core") == pytest.approx(58.5, abs=0.1)
    await world.passes(60)
    await two.fresh(KEY)
    assert two.paused(KEY, "core") == 0


async def test_what_a_host_says_is_left_is_known_to_all(world: World) -> None:
    one, two = await world.another(), await world.another()
    one.note(KEY, "core", Left(5000, 4000, 60.0, START))
    two.note(KEY, "core", Left(5000, 4001, 60.0, START - 5))  # an answer that came late
    for each in (one, two, one, two):
        await world.passes(4)
        await each.fresh(KEY)
    for each in (one, two):
        left = each.left(KEY)["core"]
        assert (left.limit, left.remaining, left.noted) == (5000, 4000, pytest.approx(START, abs=0.1))


async def test_each_is_told_how_many_ask(database: str) -> None:
    world = ManyProcesses(database)
    one, two, three = [await world.another() for _ in range(3)]
    for each in (one, two, one):
        await each.fresh(KEY)
        await world.passes(1.5)
    await three.fresh("another")
    assert (one.sharers(KEY), two.sharers(KEY), three.sharers("another")) == (2, 2, 1)
    for _ in range(6):  # two says nothing any more
        await world.passes(10)
        await one.fresh(KEY)
    assert one.sharers(KEY) == 1
    await world.close()


async def test_without_its_database_a_process_keeps_to_a_part_and_says_so_once(database: str) -> None:
    world = ManyProcesses(database)
    shared = await world.another()
    for _ in range(10):
        assert (await shared.take(KEY, "writes", 1, GITHUB)).wait == 0
    table, away = "ALTER TABLE allowances RENAME TO {}", "ALTER TABLE elsewhere RENAME TO allowances"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(table.format("elsewhere"))  # type: ignore[arg-type]
        with structlog.testing.capture_logs() as logs:
            grants = [await shared.take(KEY, "writes", 1, GITHUB, within=1.0) for _ in range(60)]
            await shared.fresh(KEY)
            world.now += 30
            grants += [await shared.take(KEY, "writes", 1, GITHUB, within=1.0) for _ in range(60)]
            # Ten were taken before, so of a part of sixty there are so many left.
            assert sum(grant.taken for grant in grants) == 60 // FEWEST - 10
            connection.execute(away)  # type: ignore[arg-type]
            await world.passes(11)
            await shared.fresh(KEY)
        assert [one["log_level"] for one in logs] == ["warning", "info"]
    other = await world.another()
    # What was given out meanwhile counts: fifteen are taken.
    assert (await other.take(KEY, "writes", 45, GITHUB)).wait == 0
    assert (await other.take(KEY, "writes", 1, GITHUB)).wait > 15
    await world.close()


async def test_what_was_given_out_alone_is_written_down_once_whatever_fails_on_the_way(database: str) -> None:
    class Broken(Shared):
        """Of what it is to write, so many statements go through. While one fails, `meanwhile` is done."""

        through = 0

        async def _ask(self, statement: Any, **named: Any) -> Any:
            if "ages" not in named or self.through > 0:
                self.through -= "ages" in named
                return await super()._ask(statement, **named)
            self._away_until = self._monotonic() + 10
            await self.take(KEY, "writes", 2, GITHUB)
            return None

    world = ManyProcesses(database)
    await world.another()
    shared = Broken(world.ledgers[0], monotonic=lambda: world.now, wall=lambda: world.now)
    shared._away_until = world.now + 10
    await shared.take(KEY, "content", 3, GITHUB)
    await shared.take(KEY, "writes", 3, GITHUB)
    await world.passes(11)
    shared.through = 1
    await shared.fresh(KEY)
    await world.passes(11)
    shared.through = 9
    await shared.fresh(KEY)
    with psycopg.connect(database) as connection:
        rows = dict(connection.execute("SELECT kind, cardinality(taken) FROM allowances WHERE cardinality(taken) > 0").fetchall())
    assert rows == {"content": 3, "writes": 5}
    await world.close()


async def test_a_sign_of_life_that_was_not_written_is_given_again(database: str) -> None:
    world = ManyProcesses(database)
    one, two = await world.another(), await world.another()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ALTER TABLE allowances RENAME TO elsewhere")
        await one.fresh(KEY)
        connection.execute("ALTER TABLE elsewhere RENAME TO allowances")
    await world.passes(11)
    for each in (one, two):
        await each.fresh(KEY)
    assert two.sharers(KEY) == 2
    await world.close()


async def test_a_pause_without_end_does_not_outlive_a_day_and_its_process(database: str) -> None:
    """Of what one host says by mistake, nobody who begins anew hears for ever."""
    world = ManyProcesses(database)
    one, two = await world.another(), await world.another()
    await two.fresh(KEY)
    one.pause(KEY, "all", 366 * 86400.0)
    await one.fresh(KEY)
    await world.passes(1.5)
    await two.fresh(KEY)
    assert two.paused(KEY, "all") == pytest.approx(86400, abs=2)
    await world.passes(86401)
    begun = await world.another()
    await begun.fresh(KEY)
    assert begun.paused(KEY, "all") == two.paused(KEY, "all") == 0
    assert await pauses(database) == 1
    await world.passes(2 * 86400.0)
    await (await world.another()).fresh("another")
    assert await pauses(database) == 0
    await world.close()


async def pauses(database: str) -> int:
    async with await psycopg.AsyncConnection.connect(database) as connection:
        row = await (await connection.execute("SELECT count(*) FROM allowances WHERE kind = 'all'")).fetchone()
    assert row is not None
    return int(row[0])


def test_both_agree() -> None:
    """The arithmetic by hand: the moment for so much behind what was taken, and more in front."""
    taken = [0.0, 1.0, 2.0]
    assert earliest([], 5.0, 3, SMALL) == 5.0
    assert earliest(taken, 2.5, 1, SMALL) == pytest.approx(10, abs=0.01)
    assert earliest(taken, 2.5, 2, SMALL) == pytest.approx(11, abs=0.01)
    assert earliest(taken, 2.5, 1, SMALL, ahead=2) == pytest.approx(60, abs=0.01)
    assert earliest(taken, 2.5, 1, SMALL, ahead=99) == pytest.approx(62, abs=0.01)


def test_a_fingerprint_holds_no_secret() -> None:
    secret = "ghp_abcdefghijklmnopqrstuvwxyz"
    key = fingerprint("github", f"https://user:{secret}@github.example.com/api/v3", "token", secret=secret)
    assert key.startswith("github github.example.com/api/v3 ")
    assert secret not in key
    others = [fingerprint("github", "https://github.example.com/api/v3", *who) for who in (("1",), ("2",), ("token",))]
    assert len({key, *others}) == 4
    assert key == fingerprint("github", f"https://user:{secret}@github.example.com/api/v3", "token", secret=secret)


steps = st.lists(st.tuples(st.floats(0, 20), st.integers(1, 3), st.sampled_from([0.0, 15.0, math.inf])), max_size=60)


@given(steps)
def test_no_window_is_exceeded_however_the_takes_come(steps: list[tuple[float, int, float]]) -> None:
    async def story() -> list[float]:
        world, moments = OneProcess(), list[float]()
        own = await world.another()
        for seconds, amount, within in steps:
            await world.passes(seconds)
            grant = await own.take(KEY, "content", amount, SMALL, within=within)
            assert grant.taken == (grant.wait <= within)
            moments += [world.now + grant.wait] * amount if grant.taken else []
        return moments

    held(asyncio.run(story()), SMALL)


def held(moments: list[float], spans: tuple[Span, ...]) -> None:
    for span in spans:
        for moment in moments:
            assert sum(moment - span.seconds < one <= moment for one in moments) <= span.limit


@settings(max_examples=12)
@given(st.lists(st.lists(st.tuples(st.integers(1, 3), st.booleans()), max_size=12), min_size=2, max_size=4))
def test_no_window_is_exceeded_by_several_at_once(server: Any, works: list[list[tuple[int, bool]]]) -> None:
    """As they come, through a real PostgreSQL and its own clock; both implementations agree on what comes of it in a row."""

    async def story(url: str) -> list[float]:
        world = ManyProcesses(url)
        moments: list[float] = []

        async def work(some: list[tuple[int, bool]]) -> None:
            shared = await world.another()
            for amount, back in some:
                grant = await shared.take(KEY, "content", amount, SMALL, within=500.0)
                if grant.taken and back:
                    await shared.give_back(KEY, "content", grant, amount)
                elif grant.taken:
                    moments.extend([grant.at] * amount)

        await asyncio.gather(*(work(some) for some in works))
        await world.close()
        return moments

    held(asyncio.run(story(server.database())), SMALL)
