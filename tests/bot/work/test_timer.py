"""When a repository is looked at without an event."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from bot.work.base import Outcome
from bot.work.timer import Timer

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


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
def test_the_next_look(quiet_looks: int, outcome: Outcome, soonest: timedelta, latest: timedelta) -> None:
    timer = Timer(_never, every=HOUR, now=lambda: NOW)
    for _ in range(quiet_looks):
        timer.after("acme/gitops", Outcome(), NOW)
    due = timer.after("acme/gitops", outcome, NOW)
    assert soonest <= due - NOW <= latest
    assert timer.next_look("acme/gitops") == due


async def test_first_looks_are_spread_and_every_repository_has_one() -> None:
    clock, asked = [NOW], list[str]()

    async def ask(repository: str, why: str) -> None:
        asked.append(repository)

    timer = Timer(ask, every=HOUR, now=lambda: clock[0])
    names = [f"acme/app-{at}" for at in range(200)]
    timer.first(names)
    task = asyncio.create_task(timer.run())
    counts = []
    for minute in range(7):
        clock[0] = NOW + timedelta(minutes=minute)
        timer.after("acme/other", Outcome(), clock[0])  # the clock is not the wall's: anything that is set anew wakes the timer
        await asyncio.sleep(0.01)
        counts.append(len(asked))
    task.cancel()
    assert sorted(asked) == sorted(names)
    assert counts[0] < 10
    assert all(20 <= after - before <= 50 for before, after in pairwise(counts[:6]))


async def test_what_was_set_anew_is_asked_for_once() -> None:
    asked: list[tuple[str, str]] = []

    async def ask(repository: str, why: str) -> None:
        asked.append((repository, why))

    timer = Timer(ask, every=timedelta(milliseconds=30))
    timer.first(["acme/gitops"])
    timer.after("acme/gitops", Outcome(), datetime.now(UTC))
    timer.after("acme/gitops", Outcome(), datetime.now(UTC))
    task = asyncio.create_task(timer.run())
    await asyncio.sleep(0.045)
    task.cancel()
    assert asked == [("acme/gitops", "timer")]


def test_a_forgotten_repository_is_not_looked_at() -> None:
    timer = Timer(_never, every=HOUR)
    timer.first(["acme/gitops"])
    timer.forget("acme/gitops")
    assert timer.next_look("acme/gitops") is None
