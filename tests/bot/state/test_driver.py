"""SQLite for asyncio: a statement is one visit to the connection's thread, and nothing that was cut short stays open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.state import driver
from bot.state.ledger import Hold, Ledger, LedgerError
from bot.state.notebook import Notebook


@pytest_asyncio.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    made = create_async_engine(
        f"sqlite+aiosqlite:///{tmp_path}/t.db", connect_args={"async_creator_fn": driver.opened}, pool_size=1, max_overflow=0
    )
    async with made.begin() as connection:
        await connection.execute(text("CREATE TABLE ships (name TEXT PRIMARY KEY, tons INTEGER)"))
    yield made
    await made.dispose()


@pytest.fixture
def visits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    execute = driver.Connection._execute

    async def counted(self: driver.Connection, function: Any, *args: Any, **named: Any) -> Any:
        seen.append(getattr(function, "__name__", str(function)))
        return await execute(self, function, *args, **named)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(driver.Connection, "_execute", counted)
    return seen


async def test_rows_counts_and_ids_are_those_of_sqlite(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        one = await connection.execute(text("INSERT INTO ships VALUES ('Ann', 20)"))
        assert (one.rowcount, one.lastrowid) == (1, 1)
        await connection.execute(
            text("INSERT INTO ships VALUES (:name, :tons)"), [{"name": n, "tons": 5} for n in ("Bea", "Cid")]
        )
        changed = await connection.execute(text("UPDATE ships SET tons = tons + 1 WHERE tons < 10"))
        assert changed.rowcount == 2
        back = await connection.execute(text("DELETE FROM ships WHERE name = 'Cid' RETURNING tons"))
        assert back.scalar_one() == 6
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT name, tons FROM ships ORDER BY name"))
        assert list(rows.keys()) == ["name", "tons"]
        assert [tuple(row) for row in rows] == [("Ann", 20), ("Bea", 6)]
        assert (await connection.execute(text("SELECT 1 WHERE 0"))).all() == []


async def test_an_error_is_the_database_s_own_and_undoes_the_transaction(engine: AsyncEngine) -> None:
    async def twice() -> None:
        async with engine.begin() as connection:
            await connection.execute(text("INSERT INTO ships VALUES ('Ann', 1)"))
            await connection.execute(text("INSERT INTO ships VALUES ('Ann', 2)"))

    with pytest.raises(IntegrityError, match="UNIQUE"):
        await twice()
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM ships"))).scalar_one() == 0


async def test_a_statement_is_one_visit_and_reading_needs_no_other(engine: AsyncEngine, visits: list[str]) -> None:
    async with engine.connect() as connection:
        (await connection.execute(text("SELECT name FROM ships"))).all()
    assert visits == ["_run"]
    visits.clear()
    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO ships VALUES ('Ann', 1)"))
    assert visits == ["_run", "commit"]


async def test_a_statement_that_nobody_waits_for_any_more_leaves_no_transaction_open(engine: AsyncEngine) -> None:
    slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT 'ship ' || i, i FROM n"

    async def insert() -> None:
        async with engine.begin() as connection:
            await connection.execute(text(f"INSERT INTO ships {slow}"))

    for pause in (0.0, 0.005, 0.05):
        task = asyncio.create_task(insert())
        await asyncio.sleep(pause)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with engine.begin() as connection:
            await connection.execute(text("DELETE FROM ships WHERE name = 'Ann'"))
            await connection.execute(text("INSERT INTO ships VALUES ('Ann', 1)"))
        async with engine.connect() as connection:
            assert (await connection.execute(text("SELECT count(*) FROM ships"))).scalar_one() == 1


async def test_a_rollback_after_a_statement_that_was_cut_short_waits_for_its_end(tmp_path: Path) -> None:
    connection = driver.opened(str(tmp_path / "t.db"))
    await connection
    await connection.cursor().execute("CREATE TABLE ships (name TEXT)")
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT i FROM n"
    task = asyncio.create_task(connection.cursor().execute(f"INSERT INTO ships {numbers}"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await connection.rollback()
    found = await connection.cursor().execute("SELECT count(*) FROM ships")
    assert (await found.fetchall(), connection.in_transaction) == ([(0,)], False)
    await connection.close()


async def test_many_writers_and_readers_at_once_get_on(tmp_path: Path) -> None:
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/many.db")
    notebook, now = await Notebook.open(ledger), datetime.now(UTC)
    some = [notebook.tell(f"acme/{at % 7}", str(at), "words", now) for at in range(200)]
    async with asyncio.timeout(30):
        await asyncio.gather(*some, *(notebook.told(f"acme/{at % 7}") for at in range(200)))
    told = await asyncio.gather(*(notebook.told(f"acme/{at}") for at in range(7)))
    assert sum(map(len, told)) == 200
    await ledger.close()


async def test_trouble_while_writing_keeps_nobody_else_from_it(tmp_path: Path) -> None:
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/trouble.db")
    now = datetime.now(UTC)
    with pytest.raises(LedgerError):
        async with ledger.writing() as connection:
            await connection.execute(text("INSERT INTO nowhere VALUES (1)"))
    with pytest.raises(ZeroDivisionError):
        async with ledger.writing():
            raise ZeroDivisionError
    late = asyncio.create_task(ledger.hold(Hold("acme/gitops", "h/a", "", "", "cut short", "ann", now)))
    await asyncio.sleep(0)
    late.cancel()
    await asyncio.gather(late, return_exceptions=True)
    async with asyncio.timeout(5):
        await ledger.hold(Hold("acme/gitops", "h/a", "", "", "wait", "ann", now))
    assert [one.reason for one in await ledger.holds("acme/gitops")] == ["wait"]
    await ledger.close()
