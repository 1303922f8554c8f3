"""Tag lists that several workers share on a real PostgreSQL: each image is read once, whoever asks or dies meanwhile."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.registries.base import RegistryError
from bot.serving import freshness
from bot.serving.freshness import FreshListings, SharedTags
from bot.state.hints import Hint
from bot.state.ledger import Ledger
from bot.state.notebook import Notebook
from bot.state.shelf import Shelf
from bot.work import leading
from bot.work.leading import Turns

ROOT = Path(__file__).parents[3]
IMAGES = [f"reg.example.com/team/app-{at}" for at in range(20)]
HOLDER = """
import asyncio, sys
from bot.work.leading import Turns

async def main():
    async with Turns(sys.argv[1]).turn(sys.argv[2]):
        print("mine", flush=True)
        await asyncio.sleep(3600)

asyncio.run(main())
"""


@dataclass
class SlowRegistry:
    """A registry that answers when the gate is open; `failing` images cannot be read."""

    read: Counter[str] = field(default_factory=Counter)
    failing: set[str] = field(default_factory=set)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def scope(self, image: str, for_repository: str | None) -> str:
        return "anonymous"

    async def tags(self, image: str, **_: Any) -> tuple[str, ...]:
        self.read[image] += 1
        await self.gate.wait()
        await asyncio.sleep(0.01)
        if image in self.failing:
            raise RegistryError("reg.example.com: 503")
        return ("1.0.0", f"1.0.{self.read[image]}")


@dataclass
class Machine:
    """What one worker has of its own."""

    ledger: Ledger
    notebook: Notebook
    shared: SharedTags
    registry: Any

    async def listed(self, oldest: datetime) -> list[tuple[str, ...]]:
        """All images, as one pass asks for them."""
        listings = FreshListings(self.registry, self.notebook, oldest, self.shared)
        await listings.prepare(IMAGES)
        return await asyncio.gather(*map(listings.tags, IMAGES))


@asynccontextmanager
async def machines(url: str, registry: SlowRegistry, count: int) -> AsyncIterator[list[Machine]]:
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(count):
            ledger = await Ledger.open(url)
            stack.push_async_callback(ledger.close)
            shared = SharedTags(registry, await Shelf.open(ledger), Turns(url))  # type: ignore[arg-type]
            stack.push_async_callback(shared.close)
            made.append(Machine(ledger, await Notebook.open(ledger), shared, registry))
        yield made


def hour_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


async def test_every_image_is_read_once_for_all_passes_of_all_workers(database: str) -> None:
    registry = SlowRegistry()
    async with machines(database, registry, 4) as several:
        passes = [asyncio.create_task(one.listed(hour_ago())) for one in several for _ in range(8)]
        async with asyncio.timeout(30):
            while len(registry.read) < len(IMAGES):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.5)
            # Nobody keeps a connection of the pool while a registry takes its time.
            assert [one.ledger.engine.pool.checkedout() for one in several] == [0, 0, 0, 0]  # type: ignore[attr-defined]
            registry.gate.set()
            found = await asyncio.gather(*passes)
    assert registry.read == dict.fromkeys(IMAGES, 1)
    assert all(tags == ("1.0.0", "1.0.1") for one in found for tags in one)


async def test_an_image_with_news_is_read_once_more_and_no_other(database: str) -> None:
    registry = SlowRegistry()
    registry.gate.set()
    async with machines(database, registry, 2) as (one, two):
        await one.listed(hour_ago())
        await two.listed(hour_ago())
        await one.notebook.take([Hint("image", "push", image=IMAGES[3])], datetime.now(UTC))
        found = await asyncio.gather(one.listed(hour_ago()), two.listed(hour_ago()))
    assert registry.read == {image: 2 if image == IMAGES[3] else 1 for image in IMAGES}
    assert [tags[3] for tags in found] == [("1.0.0", "1.0.2")] * 2


async def test_news_that_are_written_down_late_take_nothing_from_those_that_came_after_them(database: str) -> None:
    """The later of two that are written at the same time goes by the later moment, whichever ends first."""
    ledger = await Ledger.open(database)
    notebook = await Notebook.open(ledger)
    async with await psycopg.AsyncConnection.connect(database) as other:
        later = datetime.now(UTC).timestamp() + 5
        await other.execute("INSERT INTO stale VALUES (%s, %s)", (IMAGES[0], later))
        taking = asyncio.create_task(notebook.take([Hint("image", "pushed", image=IMAGES[0])], datetime.now(UTC)))
        await asyncio.sleep(0.3)
        assert not taking.done()
        await other.commit()
        await taking
    assert (await notebook.stale([IMAGES[0]]))[IMAGES[0]].timestamp() == pytest.approx(later, abs=0.01)
    await ledger.close()


async def test_a_worker_that_is_killed_while_it_reads_holds_up_nobody(database: str) -> None:
    registry = SlowRegistry()
    registry.gate.set()
    async with machines(database, registry, 1) as (one,):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", HOLDER, database, f"{IMAGES[0]}\nanonymous", cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"mine\n"
        waiting = asyncio.create_task(one.listed(hour_ago()))
        await asyncio.sleep(0.5)
        assert registry.read[IMAGES[0]] == 0, "the other one is reading it"
        assert registry.read[IMAGES[1]] == 1
        assert not waiting.done()
        process.kill()
        await process.wait()
        async with asyncio.timeout(10):
            await waiting
    assert registry.read == dict.fromkeys(IMAGES, 1)


async def test_a_failure_is_told_to_all_who_asked_and_asked_again_by_the_next_worker(database: str) -> None:
    registry = SlowRegistry(failing={IMAGES[0]})
    registry.gate.set()
    async with machines(database, registry, 2) as (one, two):
        since = datetime.now(UTC).timestamp() - 3600
        asked = (one.shared.tags(IMAGES[0], None, since) for _ in range(5))
        failed = await asyncio.gather(*asked, return_exceptions=True)
        assert {str(error) for error in failed} == {"reg.example.com: 503"}
        assert registry.read[IMAGES[0]] == 1
        registry.failing.clear()
        async with asyncio.timeout(10):
            assert await two.shared.tags(IMAGES[0], None, since) == ("1.0.0", "1.0.2")


async def test_a_list_that_makes_room_for_others_meanwhile_is_there_all_the_same(database: str) -> None:
    registry = SlowRegistry()
    registry.gate.set()
    async with machines(database, registry, 1) as (one,):
        listings, lists = one.shared._shelf.listings, one.shared._lists
        since = hour_ago()
        first = await one.listed(since)

        async def slow(*args: Any) -> Any:
            found = await listings(*args)
            lists.clear()
            return found

        one.shared._shelf.listings = slow  # type: ignore[method-assign]
        assert await one.listed(since) == first
    assert registry.read == dict.fromkeys(IMAGES, 1)


async def test_a_registry_that_is_back_is_asked_again_soon(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has a repository looked at again does not hear for an hour what was wrong once."""
    monkeypatch.setattr(freshness, "_FAILED", 0.3)
    registry = SlowRegistry(failing={IMAGES[0]})
    registry.gate.set()
    async with machines(database, registry, 1) as (one,):
        since = datetime.now(UTC).timestamp() - 3600
        for _ in range(3):
            with pytest.raises(RegistryError, match="503"):
                await one.shared.tags(IMAGES[0], None, since)
        assert registry.read[IMAGES[0]] == 1, "those who come about then are told the same"
        registry.failing.clear()
        await asyncio.sleep(0.4)
        assert await one.shared.tags(IMAGES[0], None, since) == ("1.0.0", "1.0.2")


async def test_without_the_database_everybody_goes_ahead() -> None:
    async with asyncio.timeout(20):
        async with Turns("postgresql://nobody@127.0.0.1:1/x").turn("an image"):
            pass


async def test_who_gives_up_waiting_keeps_no_turn(database: str) -> None:
    one, two = Turns(database), Turns(database)
    async with one.turn("an image"):
        waiting = asyncio.create_task(_have(two))
        await asyncio.sleep(0.2)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with asyncio.timeout(5):
        await _have(one)
        await _have(two)
    await one.close()
    await two.close()


async def test_a_worker_that_hangs_while_it_reads_holds_up_nobody_for_ever(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leading, "_PATIENCE", 1.0)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, database, "an image", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"mine\n"
    process.send_signal(signal.SIGSTOP)
    turns = Turns(database)
    try:
        async with asyncio.timeout(10):
            await _have(turns)
            await _have(turns)
    finally:
        await turns.close()
        process.kill()
        await process.wait()


async def test_a_machine_that_is_gone_without_a_word_is_found_out_within_a_minute(database: str) -> None:
    """PostgreSQL asks whether the other side of a connection is there; by itself it does after two hours."""
    turns, leadership = Turns(database), leading.Leadership(database)
    await _have(turns)
    await leadership()
    for holder in (turns, leadership):
        assert holder._connection is not None
        found = await holder._connection.execute(
            "SELECT sum(setting::int * CASE name WHEN 'tcp_keepalives_interval' THEN current_setting('tcp_keepalives_count')::int"
            " ELSE 1 END) FROM pg_settings WHERE name IN ('tcp_keepalives_idle', 'tcp_keepalives_interval')"
        )
        assert 0 < (await found.fetchone() or (0,))[0] <= 60
        await holder.close()


async def _have(turns: Turns) -> None:
    async with turns.turn("an image"):
        pass
