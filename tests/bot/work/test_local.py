"""Passes in this process: coalesced, one at a time for each repository, fair between organisations."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.work import local
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


async def storm(work: LocalWork, repositories: int, seconds: float) -> int:
    """Events for these without end, for so long; how many they were."""
    loop = asyncio.get_running_loop()
    until, count = loop.time() + seconds, 0
    while loop.time() < until:
        for at in range(repositories):
            await work.ask(f"acme/app-{at}", "push")
            count += 1
        await asyncio.sleep(0.002)
    return count


@pytest.mark.parametrize("repositories", [1, 20])
async def test_events_without_end_are_no_passes_without_end(repositories: int) -> None:
    passes = Passes()
    work = LocalWork(passes.run, at_once=4)
    await work.start()
    events = await storm(work, repositories, 0.6)
    await work.idle()
    most = repositories + (0.6 + local._SPARE) / local._BETWEEN + repositories + 1  # the first, those between, the last
    assert events > 50 * repositories / 2
    assert repositories < len(passes.done) <= most
    assert set(passes.done) == {f"acme/app-{at}" for at in range(repositories)}
    await work.stop(1)


async def test_a_first_event_does_not_wait_behind_those_of_repositories_that_were_just_looked_at() -> None:
    passes = Passes()
    work = LocalWork(passes.run, at_once=1)
    await work.start()
    await storm(work, 30, 0.2)
    assert await work.depth() >= 20
    done = len(passes.done)
    await work.ask("small/gitops", "push")
    await asyncio.sleep(0.05)
    assert "small/gitops" in passes.done[done : done + 2]
    assert await work.stop(1), "those that are held back keep nobody from stopping"
    assert await work.depth() == 0


async def test_passes_that_take_long_over_some_repositories_keep_nobody_out() -> None:
    """Slower than ten a second, what was just looked at could have every turn there is."""
    done: list[str] = []

    async def run(repository: str, why: str, asked: datetime) -> Outcome:
        await asyncio.sleep(2 * local._BETWEEN)
        done.append(repository)
        if repository.startswith("busy"):
            await work.ask(repository, "push")
        return Outcome()

    work = LocalWork(run, at_once=1)
    await work.start()
    await work.ask("busy/one", "push")
    await work.ask("busy/two", "push")
    await asyncio.sleep(5 * local._BETWEEN)
    before = len(done)
    for at in range(3):
        await work.ask(f"small/app-{at}", "push")
    await asyncio.sleep(16 * local._BETWEEN)
    await work.stop(1)
    after = done[before:]
    assert [name for name in after if name.startswith("small")] == ["small/app-0", "small/app-1", "small/app-2"]
    assert sum(name.startswith("busy") for name in after[:6]) >= 2, "those that were just looked at have their turns too"


async def test_nobody_is_held_back_longer_than_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_MOMENT", 0.2)
    monkeypatch.setattr(local, "_BETWEEN", 60.0)
    passes = Passes()
    work = LocalWork(passes.run, at_once=2)
    await work.start()
    for _ in range(2):
        for at in range(20):
            await work.ask(f"acme/app-{at}", "push")
        await asyncio.sleep(0.05)
    assert len(passes.done) == 20 + 1, "one has what was saved up"
    assert await work.depth() == 19
    await asyncio.sleep(0.2)
    await work.ask("other/gitops", "push")
    async with asyncio.timeout(5):
        await work.idle()
    assert Counter(passes.done) == Counter({f"acme/app-{at}": 2 for at in range(20)} | {"other/gitops": 1})
    await work.stop(1)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8)), max_size=60), st.integers(1, 3))
def test_every_repository_is_looked_at_after_its_last_event(events: list[tuple[int, int]], at_once: int) -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        begun: dict[str, float] = {}
        last: dict[str, float] = {}
        running: set[str] = set()

        async def run(repository: str, why: str, asked: datetime) -> Outcome:
            assert repository not in running
            running.add(repository)
            begun[repository] = loop.time()
            await asyncio.sleep(0.002)
            running.discard(repository)
            return Outcome()

        work = LocalWork(run, at_once=at_once)
        await work.start()
        for number, pause in events:
            last[f"acme/app-{number}"] = loop.time()
            await work.ask(f"acme/app-{number}", "push")
            if pause < 5:
                await asyncio.sleep(pause / 1000)
        async with asyncio.timeout(20):
            await work.idle()
        assert begun.keys() == last.keys()
        assert all(begun[name] >= moment for name, moment in last.items())
        assert await work.depth() == 0
        assert await work.stop(1)

    asyncio.run(story())


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
