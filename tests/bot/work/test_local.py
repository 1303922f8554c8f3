"""Passes in this process: coalesced, one at a time for each repository, fair between organisations."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime

import pytest

from bot.work.base import Outcome, organisation
from bot.work.local import LocalWork


class Passes:
    """Passes that take as long as they are told, and note what ran beside what."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.running: Counter[str] = Counter()
        self.most = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def run(self, repository: str, why: str, asked: datetime) -> Outcome:
        self.running[repository] += 1
        assert self.running[repository] == 1, "two passes over one repository at once"
        self.most = max(self.most, self.running.total())
        await self.gate.wait()
        await asyncio.sleep(0)
        self.running[repository] -= 1
        self.done.append(repository)
        return Outcome()


async def test_any_number_of_events_while_a_pass_runs_are_one_more_pass() -> None:
    passes = Passes()
    work = LocalWork(passes.run, at_once=2)
    await work.start()
    passes.gate.clear()
    await work.ask("acme/gitops", "push")
    await asyncio.sleep(0.01)
    for _ in range(10_000):
        await work.ask("acme/gitops", "push")
    assert await work.depth() == 1
    passes.gate.set()
    await work.idle()
    assert passes.done == ["acme/gitops", "acme/gitops"]
    assert await work.stop(1)


async def test_a_burst_is_absorbed_and_bounded() -> None:
    passes = Passes()
    work = LocalWork(passes.run, at_once=3)
    for at in range(10_000):
        await work.ask(f"acme/app-{at % 500}", "push")
    assert await work.depth() == 500
    await work.start()
    await work.idle()
    assert sorted(passes.done) == sorted(f"acme/app-{at}" for at in range(500))
    assert passes.most == 3
    await work.stop(1)


async def test_a_busy_organisation_does_not_starve_others() -> None:
    passes = Passes()
    work = LocalWork(passes.run, at_once=1)
    for at in range(300):
        await work.ask(f"busy/app-{at}", "push")
    await work.ask("small/gitops", "push")
    await work.start()
    await work.idle()
    assert passes.done.index("small/gitops") <= 1
    await work.stop(1)


async def test_what_is_asked_for_at_the_very_end_of_a_pass_is_not_lost() -> None:
    count = 0

    async def run(repository: str, why: str, asked: datetime) -> Outcome:
        nonlocal count
        count += 1
        if count < 5:
            await work.ask(repository, "again")
        return Outcome()

    work = LocalWork(run, at_once=2)
    await work.start()
    await work.ask("acme/gitops", "push")
    await work.idle()
    assert count == 5
    await work.stop(1)


async def test_a_pass_that_raises_takes_no_worker_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    done: list[str] = []

    async def run(repository: str, why: str, asked: datetime) -> Outcome:
        if repository.startswith("broken"):
            raise ValueError("I/O operation on closed file")
        done.append(repository)
        return Outcome()

    work = LocalWork(run, at_once=2)
    await work.start()
    for name in ("broken/1", "broken/2", "broken/3", "acme/gitops"):
        await work.ask(name, "push")
    async with asyncio.timeout(5):
        await work.idle()
    assert done == ["acme/gitops"]
    assert await work.stop(1)


async def test_stopping_waits_for_what_runs_and_takes_nothing_new() -> None:
    passes = Passes()
    work = LocalWork(passes.run, at_once=1)
    await work.start()
    passes.gate.clear()
    await work.ask("acme/one", "push")
    await work.ask("acme/two", "push")
    await asyncio.sleep(0.01)
    asyncio.get_running_loop().call_later(0.05, passes.gate.set)
    assert await work.stop(5)
    assert passes.done == ["acme/one"]


async def test_stopping_does_not_wait_for_ever() -> None:
    passes = Passes()
    work = LocalWork(passes.run, at_once=1)
    await work.start()
    passes.gate.clear()
    await work.ask("acme/one", "push")
    await asyncio.sleep(0.01)
    assert not await work.stop(0.05)
    assert passes.done == []


@pytest.mark.parametrize(
    ("repository", "whose"),
    [
        ("acme/gitops", "acme"),
        ("acme/platform/gitops", "acme"),
        ("https://git.example.com/team/gitops.git", "git.example.com/team"),
        ("file:///srv/git/gitops.git", "/srv"),
        ("gitops", "gitops"),
    ],
)
def test_whose_a_repository_is(repository: str, whose: str) -> None:
    assert organisation(repository) == whose
