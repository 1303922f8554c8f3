"""When a repository is looked at without an event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio

from bot.state.ledger import Ledger
from bot.state.shelf import Shelf
from bot.work.base import Outcome
from bot.work.timer import Timer

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest_asyncio.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/tagboat.db")
    yield await Shelf.open(ledger)
    await ledger.close()


@asynccontextmanager
async def running(timer: Timer) -> AsyncIterator[None]:
    task = asyncio.create_task(timer.run())
    yield
    task.cancel()
    await asyncio.wait([task])


async def _never(repository: str, why: str) -> None:
    raise AssertionError


@pytest.mark.parametrize(
    ("quiet_looks", "outcome", "soonest", "latest"),
    [
        (0, Outcome(quiet=False), HOUR, HOUR * 1.1),
        (0, Outcome(), HOUR, HOUR * 1.1),
        (5, Outcome(), 2 * HOUR, 2.2 * HOUR),
        (60, Outcome(), 4 * HOUR, 4.4 * HOUR),
        (60, Outcome(quiet=False), HOUR, HOUR * 1.1),
        (60, Outcome(failed=True), HOUR, HOUR * 1.1),
        (0, Outcome(wake=NOW + timedelta(minutes=7)), timedelta(minutes=7), timedelta(minutes=7)),
        (0, Outcome(wake=NOW - HOUR), timedelta(seconds=5), timedelta(seconds=5)),
        (0, Outcome(wake=NOW + 9 * HOUR), HOUR, HOUR * 1.1),
    ],
)
async def test_the_next_look(shelf: Shelf, quiet_looks: int, outcome: Outcome, soonest: timedelta, latest: timedelta) -> None:
    timer = Timer(_never, shelf, every=HOUR, now=lambda: NOW)
    for _ in range(quiet_looks):
        await timer.after("acme/gitops", Outcome(), NOW)
    due = await timer.after("acme/gitops", outcome, NOW)
    assert soonest <= due - NOW <= latest
    assert await shelf.looks() == {"acme/gitops": due}


async def test_first_looks_are_spread_and_every_repository_has_one(shelf: Shelf) -> None:
    clock, asked = [NOW], list[str]()

    async def ask(repository: str, why: str) -> None:
        asked.append(repository)

    timer = Timer(ask, shelf, every=HOUR, now=lambda: clock[0])
    names = [f"acme/app-{at}" for at in range(400)]
    await timer.first(names)
    counts = []
    for minute in range(7):
        clock[0] = NOW + timedelta(minutes=minute)
        async with running(timer):
            await asyncio.sleep(0.1)
        counts.append(len(asked))
    assert sorted(asked) == sorted(names)
    assert counts[0] < 20
    assert all(45 <= after - before <= 90 for before, after in pairwise(counts[:6]))


async def test_what_was_set_anew_is_asked_for_once(shelf: Shelf) -> None:
    asked: list[tuple[str, str]] = []

    async def ask(repository: str, why: str) -> None:
        asked.append((repository, why))

    timer = Timer(ask, shelf, every=HOUR, now=lambda: NOW + 1.2 * HOUR)
    await timer.first(["acme/gitops"])
    await timer.after("acme/gitops", Outcome(), NOW)
    await timer.after("acme/gitops", Outcome(), NOW)
    async with running(timer):
        await asyncio.sleep(0.1)
    assert asked == [("acme/gitops", "timer")]


async def test_a_restart_goes_on_where_the_last_one_was_and_a_server_that_begins_looks_soon(shelf: Shelf) -> None:
    await Timer(_never, shelf, every=HOUR, now=lambda: NOW).after("acme/gitops", Outcome(), NOW)
    (before,) = (await shelf.looks()).values()
    again = Timer(_never, shelf, every=HOUR, now=lambda: NOW)
    await again.first(["acme/gitops"])
    assert await shelf.looks() == {"acme/gitops": before}
    await again.first(["acme/gitops"], sooner=True)
    (after,) = (await shelf.looks()).values()
    assert after - NOW <= HOUR / 10
    await again.first(["acme/gitops"], sooner=True)
    assert await shelf.looks() == {"acme/gitops": after}


async def test_a_pass_that_ends_before_the_timer_has_noted_that_it_asked_keeps_its_word(shelf: Shelf) -> None:
    soon = Outcome(wake=NOW + timedelta(minutes=7))

    async def ask(repository: str, why: str) -> None:
        await timer.after(repository, soon, NOW)  # the pass ends at once

    timer = Timer(ask, shelf, every=HOUR, now=lambda: NOW)
    await shelf.set_look("acme/gitops", NOW - HOUR, "timer", 0)
    async with running(timer):
        await asyncio.sleep(0.1)
    assert await shelf.looks() == {"acme/gitops": NOW + timedelta(minutes=7)}


async def test_who_does_not_lead_asks_for_nothing_until_it_does(shelf: Shelf) -> None:
    asked: list[str] = []
    leads = False

    async def ask(repository: str, why: str) -> None:
        asked.append(repository)

    async def leading() -> bool:
        return leads

    timer = Timer(ask, shelf, every=HOUR, now=lambda: NOW, leads=leading)
    await shelf.set_look("acme/gitops", NOW - HOUR, "timer", 0)
    async with running(timer):
        await asyncio.sleep(0.05)
        assert asked == []
        leads = True
        await timer.first([])  # wakes it
        await asyncio.sleep(0.1)
    assert asked == ["acme/gitops"]


async def test_a_forgotten_repository_is_not_looked_at(shelf: Shelf) -> None:
    timer = Timer(_never, shelf, every=HOUR)
    await timer.first(["acme/gitops"])
    await shelf.forget(["acme/gitops"])
    assert await shelf.looks() == {}


@pytest.mark.parametrize("turns", range(4))
async def test_it_stops_although_something_changes_at_that_very_moment(shelf: Shelf, turns: int) -> None:
    timer = Timer(_never, shelf, every=HOUR, now=lambda: NOW)
    task = asyncio.create_task(timer.run())
    await asyncio.sleep(0.2)
    await timer.first([])
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=2)
    assert task.cancelled()
