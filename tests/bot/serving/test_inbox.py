"""The inbox: what comes alone is written down at once, what comes close together in few transactions, and nothing gets lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest_asyncio

from bot.serving.inbox import Inbox
from bot.state.hints import Hint
from bot.state.ledger import Ledger
from bot.state.notebook import Notebook


class Counting(Notebook):
    """Counts the transactions, and can be slow."""

    sizes: list[int]
    slow = 0.0

    async def take(self, hints: Sequence[Hint], now: datetime) -> list[Hint]:
        self.sizes.append(len(hints))
        await asyncio.sleep(self.slow)
        return await super().take(hints, now)


class Desk:
    """An inbox with its notebook; `asked` are the repositories that were asked for."""

    def __init__(self, notebook: Counting) -> None:
        self.notebook = notebook
        self.asked: list[str] = []
        self.inbox = Inbox(notebook, self._ask, self._refresh, lambda: datetime.now(UTC))

    async def _ask(self, repository: str, why: str) -> None:
        self.asked.append(repository)

    async def _refresh(self) -> None:
        return None


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/t.db")
    notebook = Counting(ledger)
    notebook.sizes = []
    await Notebook.open(ledger)
    made = Desk(notebook)
    await made.inbox.start()
    yield made
    await made.inbox.stop()
    await ledger.close()


def hint(number: int) -> Hint:
    return Hint("repository", "a push", repository=f"github:acme/app-{number % 7}", delivery=f"delivery-{number}")


async def test_what_comes_alone_is_written_down_at_once(desk: Desk) -> None:
    assert await desk.inbox.take([hint(1)]) == 1
    assert await desk.inbox.take([hint(1)]) == 0, "a delivery that came before"
    assert (desk.notebook.sizes, desk.asked) == ([1, 1], ["github:acme/app-1"])


async def test_what_comes_close_together_is_written_together(desk: Desk) -> None:
    async def come(number: int) -> int:
        await asyncio.sleep(number / 5000)
        return await desk.inbox.take([hint(number)])

    assert sum(await asyncio.gather(*map(come, range(500)))) == 500
    assert sum(desk.notebook.sizes) == 500
    assert len(desk.notebook.sizes) <= 12, "a tenth of a second is ten transactions, and one for each end"
    assert set(desk.asked) == {f"github:acme/app-{at}" for at in range(7)}


async def test_stopping_waits_for_what_is_being_written(desk: Desk) -> None:
    desk.notebook.slow = 0.05
    taking = [asyncio.create_task(desk.inbox.take([hint(1)]))]
    await asyncio.sleep(0.01)
    taking.append(asyncio.create_task(desk.inbox.take([hint(2)])))
    await asyncio.sleep(0)
    await desk.inbox.stop()
    async with asyncio.timeout(1):
        assert await asyncio.gather(*taking) == [1, 1]
    assert desk.asked == ["github:acme/app-1", "github:acme/app-2"]


async def test_what_no_pass_goes_by_any_more_is_dropped(desk: Desk) -> None:
    """A registry tells of every image that is pushed, also where none of them stands anywhere."""
    begun = datetime(2026, 11, 20, tzinfo=UTC)
    for day in range(6):
        news = Hint("image", "pushed", image=f"reg.example.com/branch-{day}", delivery=f"delivery-{day}")
        await Notebook.take(desk.notebook, [news], begun + timedelta(days=day))
    names = [f"reg.example.com/branch-{day}" for day in range(6)]
    await desk.notebook.tidy(begun + timedelta(days=6), timedelta(days=4))
    assert sorted(await desk.notebook.stale(names)) == names[2:], "looks are four days apart: so long a mark counts"
    await desk.notebook.tidy(begun + timedelta(days=6), timedelta(hours=1))
    assert sorted(await desk.notebook.stale(names)) == names[3:]
    again = [Hint("repository", "a push", repository="github:acme/a", delivery=f"delivery-{day}") for day in range(6)]
    assert len(await Notebook.take(desk.notebook, again, begun + timedelta(days=6))) == 3
