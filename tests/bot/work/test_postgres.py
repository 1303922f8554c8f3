"""Passes shared by several workers through a real PostgreSQL: coalesced, apart, fair, and taken over when a worker is killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from bot.state.ledger import LedgerError
from bot.work import postgres
from bot.work.base import Outcome
from bot.work.postgres import PostgresWork

CHILD = Path(__file__).parent / "postgres_child.py"
ROOT = Path(__file__).parents[3]


class Passes:
    """Passes of several workers; two over one repository at once are an error."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.done: list[str] = []
        self.by: Counter[str] = Counter()
        self.running: Counter[str] = Counter()
        self.most = 0
        self.gate = asyncio.Event()
        self.gate.set()

    def worker(self, url: str, name: str = "one", *, at_once: int = 4, **options: float) -> PostgresWork:
        async def run(repository: str, why: str, asked: datetime) -> Outcome:
            self.running[repository] += 1
            assert self.running[repository] == 1, "two passes over one repository at once"
            self.most = max(self.most, self.running.total())
            await self.gate.wait()
            await asyncio.sleep(self.seconds)
            self.running[repository] -= 1
            self.done.append(repository)
            self.by[name] += 1
            return Outcome()

        return PostgresWork(url, run, at_once=at_once, **({"heartbeat": 0.2, "dead_after": 1.0} | options))


@asynccontextmanager
async def working(*workers: PostgresWork) -> AsyncIterator[None]:
    await asyncio.gather(*(worker.start() for worker in workers))
    try:
        yield
    finally:
        await asyncio.gather(*(worker.stop(5) for worker in workers))


async def until(condition: object, seconds: float = 20.0) -> None:
    """Wait for something that a function says."""
    assert callable(condition)
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_any_number_of_events_while_a_pass_runs_are_one_more_pass(database: str) -> None:
    passes = Passes()
    one, two = passes.worker(database), passes.worker(database, "two")
    async with working(one, two):
        passes.gate.clear()
        await one.ask("acme/gitops", "push")
        await until(lambda: passes.running["acme/gitops"])
        await asyncio.gather(*(worker.ask("acme/gitops", "push") for worker in (one, two) for _ in range(100)))
        assert await two.depth() == 1
        passes.gate.set()
        async with asyncio.timeout(10):
            await one.idle()
    assert passes.done == ["acme/gitops", "acme/gitops"]


async def test_two_workers_share_the_work_and_never_a_repository(database: str) -> None:
    passes = Passes(0.01)
    one, two = passes.worker(database), passes.worker(database, "two")
    async with working(one, two):
        for _ in range(3):
            await asyncio.gather(*(one.ask(f"github:acme/app-{at}", "push") for at in range(40)))
        async with asyncio.timeout(30):
            await two.idle()
    assert set(passes.done) == {f"github:acme/app-{at}" for at in range(40)}
    assert min(passes.by.values()) >= 5
    assert len(passes.by) == 2


async def test_a_busy_organisation_does_not_starve_others(database: str) -> None:
    passes = Passes(0.002)
    asker = passes.worker(database, at_once=1)
    await asker.start()
    passes.gate.clear()
    for at in range(60):
        await asker.ask(f"github:busy/app-{at}", "push")
    await asker.ask("github:small/gitops", "push")
    await asker.ask("github:other/gitops", "push")
    passes.gate.set()
    async with asyncio.timeout(20):
        await asker.idle()
    await asker.stop(5)
    # Some may have gone first: the clock's seconds count too.
    assert passes.done.index("github:small/gitops") <= 8
    assert len(passes.done) == 62


async def test_who_waits_is_not_overtaken_for_ever(database: str) -> None:
    now = [datetime(2026, 11, 25, 12, tzinfo=UTC)]
    passes = Passes()
    work = PostgresWork(database, passes.worker(database)._run, at_once=1, now=lambda: now[0])
    await work.start()
    passes.gate.clear()
    await work.ask("github:x/first", "it runs and holds the only place")
    await until(lambda: passes.running["github:x/first"])
    for at in range(5):
        await work.ask(f"github:busy/app-{at}", "push")
    now[0] = datetime(2026, 11, 25, 12, 1, tzinfo=UTC)
    await work.ask("github:late/gitops", "a minute later")
    passes.gate.set()
    async with asyncio.timeout(20):
        await work.idle()
    await work.stop(5)
    assert passes.done[-1] == "github:late/gitops"


async def test_ten_thousand_events_are_absorbed(database: str) -> None:
    passes = Passes()
    work = passes.worker(database)
    await work.start()
    passes.gate.clear()
    for start in range(0, 10_000, 500):
        await asyncio.gather(*(work.ask(f"github:acme/app-{at % 100}", "push") for at in range(start, start + 500)))
    assert await work.depth() <= 100
    passes.gate.set()
    async with asyncio.timeout(60):
        await work.idle()
    await work.stop(5)
    assert set(passes.done) == {f"github:acme/app-{at}" for at in range(100)}
    assert len(passes.done) <= 104


async def test_in_a_burst_of_ten_thousand_events_a_small_organisation_waits_for_few_passes(database: str) -> None:
    passes = Passes()
    work = PostgresWork(database, passes.worker(database)._run, at_once=4, now=lambda: datetime(2026, 11, 25, 12, tzinfo=UTC))
    await work.start()
    passes.gate.clear()
    for start in range(0, 10_000, 500):
        await asyncio.gather(*(work.ask(f"github:busy/app-{at % 5000}", "push") for at in range(start, start + 500)))
    await work.ask("github:small/gitops", "push")
    assert 4990 <= await work.depth() <= 5001
    passes.gate.set()
    await until(lambda: "github:small/gitops" in passes.done)
    await work.stop(5)
    assert passes.done.index("github:small/gitops") <= 2 * 4 + 1, "after those that ran already, and the first of the burst"


async def test_a_pass_is_given_out_and_asked_for_without_reading_the_whole_queue(database: str) -> None:
    asker = Passes().worker(database)
    await asker._make_tables()
    await asker._app.open_async()
    asker._open = True
    # The statistics are those of an empty queue, as after a quiet night.
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ANALYZE procrastinate_jobs")
    for at in range(2000):
        await asker.ask(f"github:org{at % 20}/app-{at}", "push")
    async with await psycopg.AsyncConnection.connect(database) as own:
        await postgres._configure(own)
        read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'procrastinate_jobs'"
        for _ in range(10):
            await own.execute("SELECT * FROM procrastinate_fetch_job_v2(ARRAY['passes'], NULL)")
        (given,) = await (await own.execute(read)).fetchone() or (0,)
        assert 10 <= given <= 10 * 20
        named = {"queue": "passes", "task": "tagboat.pass", "seconds": 1, "most": 1000, "owner": "github:org3", "args": "{}"}
        await own.execute(postgres._ASK, named | {"repository": "github:org3/new"})
        (both,) = await (await own.execute(read)).fetchone() or (0,)
        assert 90 <= both - given <= 100 + 20, "only those of its own organisation"
    await asker._app.close_async()


@asynccontextmanager
async def child(url: str, diary: Path, seconds: float) -> AsyncIterator[int]:
    """A worker in a process of its own, given its process id."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(CHILD), url, str(diary), str(seconds), cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    try:
        await until(lambda: diary.exists() and f"ready - {process.pid}" in diary.read_text(), 30)
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_the_passes_of_a_killed_worker_are_taken_over_also_where_a_newer_row_waits(database: str, tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    names = ["github:acme/a", "github:acme/b", "github:acme/c"]
    passes = Passes()
    async with child(database, diary, 3600) as pid:
        asker = passes.worker(database, at_once=2)
        await asker._make_tables()
        await asker._app.open_async()  # it hands out work, and does none yet
        asker._open = True
        for name in names:
            await asker.ask(name, "push")
        await until(lambda: diary.read_text().count("begin") == 3)
        await asker.ask(names[0], "a newer event for the first")
        os.kill(pid, signal.SIGKILL)
    survivor = passes.worker(database, "survivor")
    async with working(survivor):
        async with asyncio.timeout(20):
            await survivor.idle()
    await asker._app.close_async()
    assert sorted(passes.done) == names, "each once: the newer row of the first is the pass that was taken over"


async def test_a_repository_that_kills_every_worker_is_given_up(database: str) -> None:
    passes = Passes()
    work = passes.worker(database)
    await work.start()
    passes.gate.clear()
    await work.ask("github:acme/poison", "push")
    await until(lambda: passes.running["github:acme/poison"])
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE procrastinate_jobs SET attempts = 4, worker_id = NULL")
    async with asyncio.timeout(10):
        await work.idle()
    passes.gate.set()
    await work.stop(5)
    assert len(passes.done) <= 1


async def test_one_that_kills_workers_is_given_up_although_newer_events_come(database: str) -> None:
    passes = Passes()
    asker = passes.worker(database)
    await asker._make_tables()
    await asker._app.open_async()
    asker._open = True
    with psycopg.connect(database, autocommit=True) as connection:
        for attempts in range(1, 6):
            await asker.ask("github:acme/poison", "an event")
            connection.execute("SELECT procrastinate_fetch_job_v2(ARRAY['passes'], NULL)")  # its worker has died
            await asker.ask("github:acme/poison", "a newer event")
            named = {"queue": "passes", "orphans": [], "dead_after": 1.0, "tries": 5}
            (row,) = await asker._app.connector.execute_query_all_async(postgres._RESCUE, **named)
            assert row["again"] == (attempts < 5)
            waiting = connection.execute("SELECT attempts FROM procrastinate_jobs").fetchall()
            assert waiting == [(attempts if attempts < 5 else 0,)], "one row: the newer event's, which knows of the dead"
    await asker._app.close_async()


async def test_stopping_lets_passes_end_and_leaves_what_waits_to_others(database: str) -> None:
    passes = Passes()
    one = passes.worker(database, at_once=1)
    await one.start()
    passes.gate.clear()
    await one.ask("github:acme/one", "push")
    await until(lambda: passes.running.total())
    await one.ask("github:acme/two", "push")
    asyncio.get_running_loop().call_later(0.2, passes.gate.set)
    assert await one.stop(10)
    assert passes.done == ["github:acme/one"]
    two = passes.worker(database, "two")
    async with working(two):
        async with asyncio.timeout(10):
            await two.idle()
    assert passes.done == ["github:acme/one", "github:acme/two"]


async def test_a_pass_that_is_cut_off_by_a_stop_is_somebody_else_s(database: str) -> None:
    passes = Passes()
    one = passes.worker(database, grace=0.2)
    await one.start()
    passes.gate.clear()
    await one.ask("github:acme/one", "push")
    await until(lambda: passes.running.total())
    assert not await one.stop(10)
    assert passes.done == []
    passes.running.clear()
    passes.gate.set()
    two = passes.worker(database, "two")
    async with working(two):
        async with asyncio.timeout(10):
            await two.idle()
    assert passes.done == ["github:acme/one"]


async def test_a_database_that_goes_away_and_comes_back_loses_nothing(database: str) -> None:
    passes = Passes()
    work = passes.worker(database)
    async with working(work):
        passes.gate.clear()
        await work.ask("github:acme/one", "push")
        await until(lambda: passes.running.total())
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        passes.gate.set()
        await until(lambda: passes.done)
        async with asyncio.timeout(30):
            await work.ask("github:acme/two", "push")
            await until(lambda: "github:acme/two" in passes.done)
            await work.idle()


async def test_two_that_begin_at_once_make_the_tables_once(database: str) -> None:
    passes = Passes()
    async with working(*(passes.worker(database, str(at)) for at in range(4))):
        pass


async def test_a_database_that_is_not_there_is_said_without_its_password() -> None:
    work = PostgresWork("postgresql://tagboat:very-secret@127.0.0.1:1/x", Passes().worker("postgresql://x/y")._run)
    with pytest.raises(LedgerError) as caught:
        await work.start()
    assert "very-secret" not in str(caught.value)
