"""Copies of the ledger: into a file that is a ledger itself, and from such a file into an empty ledger.

    await copy(ledger, Path("backup.db"))          a backup, of SQLite and of PostgreSQL alike
    await restore(Path("backup.db"), ledger)       also the way from SQLite to PostgreSQL

What only a running server needs (due looks, tag lists, summaries, the queue) is not copied: it comes anew.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import MetaData, Table, false, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.state import orders, standings, tables
from bot.state.ledger import Ledger, LedgerError

_ROWS = 500


async def copy(source: Ledger, to: Path) -> dict[str, int]:
    """Write a ledger into a new file; how many rows of each table. All of it is as it was at one moment.

    Raises LedgerError, also where the file is there already: nothing is overwritten."""
    if await asyncio.to_thread(to.exists):
        raise LedgerError(f"{to} is there already: name a new file")
    part = to.with_name(f"{to.name}.part")
    await asyncio.to_thread(part.unlink, missing_ok=True)
    target = await Ledger.open(f"sqlite:///{part}")
    try:
        counts = await _all(source, target)
    except BaseException:
        await target.close()
        await asyncio.to_thread(part.unlink, missing_ok=True)
        raise
    await target.close()
    await asyncio.to_thread(_finish, part, to)
    return counts


async def restore(file: Path, target: Ledger) -> dict[str, int]:
    """Read such a file (or any SQLite ledger) into a ledger that is empty; how many rows of each table. Raises LedgerError."""
    if not await asyncio.to_thread(file.is_file):
        raise LedgerError(f"there is no file {file}")
    for metadata in _parts():
        await target.ensure(metadata)
    async with target.reading() as connection:
        for table in _tables():
            if (await connection.execute(select(func.count()).select_from(table))).scalar_one():
                raise LedgerError(f"the ledger holds something already ({table.name}): only an empty one takes a copy")
    source = await Ledger.open(f"sqlite:///{file}")
    try:
        return await _all(source, target)
    finally:
        await source.close()


async def _all(source: Ledger, target: Ledger) -> dict[str, int]:
    for metadata in _parts():
        await source.ensure(metadata)
        await target.ensure(metadata)
    counts: dict[str, int] = {}
    async with source.reading() as reading, target.writing() as writing:
        # One moment for all tables.
        await reading.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY" if source.is_shared else "BEGIN"))
        for table in _tables():
            counts[table.name] = await _rows(reading, writing, table)
            if target.is_shared and "id" in table.c:
                # Rows that came with their numbers leave the counter behind.
                following = select(func.coalesce(func.max(table.c.id), 0) + 1).scalar_subquery()
                counter = func.pg_get_serial_sequence(table.name, "id")
                await writing.execute(select(func.setval(counter, following, false())))
    return counts


async def _rows(reading: AsyncConnection, writing: AsyncConnection, table: Table) -> int:
    count, waiting = 0, []
    for row in (await reading.execute(select(table))).mappings():
        waiting.append(dict(row))
        if len(waiting) == _ROWS:
            await writing.execute(insert(table), waiting)
            count, waiting = count + len(waiting), []
    if waiting:
        await writing.execute(insert(table), waiting)
    return count + len(waiting)


def _parts() -> tuple[MetaData, ...]:
    return tables.metadata, standings.metadata, orders.metadata


def _tables() -> Iterator[Table]:
    """Every table with something to keep; the version is the new ledger's own."""
    for metadata in _parts():
        yield from (table for table in metadata.sorted_tables if table is not tables.about)


def _finish(part: Path, to: Path) -> None:
    """Give a finished copy its name, and take away what SQLite kept beside it while writing."""
    os.chmod(part, 0o600)
    part.replace(to)
    for rest in ("-wal", "-shm"):
        part.with_name(part.name + rest).unlink(missing_ok=True)
