"""SQLite for asyncio with one visit a statement: what `create_async_engine` is given to open connections with.

    engine = create_async_engine("sqlite+aiosqlite:///data/tagboat.db", connect_args={"async_creator_fn": opened})

A connection of aiosqlite is a thread, and to send it something and hear of it again costs more than most statements do. Cursor,
execution, rows and closing are one visit here, and a commit or rollback where no transaction is open is none.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

import aiosqlite


class _Done(NamedTuple):
    """What a statement came to."""

    description: Any = None
    rowcount: int = -1
    lastrowid: int | None = None
    rows: Sequence[Any] = ()


def opened(path: str, **options: Any) -> Connection:
    """A connection to a file, open once it is awaited. `options` are those of `sqlite3.connect`."""
    connection = Connection(lambda: sqlite3.connect(path, **options), iter_chunk_size=64)
    connection._thread.daemon = True  # a process that ends does not wait for it
    return connection


class Connection(aiosqlite.Connection):
    """A connection whose statements are one visit to its thread each."""

    _is_sure = True  # whether nothing is under way in the thread that nobody waits for any more

    def cursor(self) -> Cursor:  # type: ignore[override]
        """A cursor that has done nothing yet."""
        return Cursor(self)

    async def commit(self) -> None:
        """End a transaction, if there is one."""
        if self.in_transaction or not self._is_sure:
            await super().commit()

    async def rollback(self) -> None:
        """Undo a transaction, if there is one."""
        if self.in_transaction or not self._is_sure:
            await super().rollback()
            self._is_sure = True

    async def visit(self, sql: str, values: Any, *, many: bool) -> _Done:
        """Execute a statement and fetch all of its rows."""
        try:
            done: _Done = await self._execute(_run, self._conn, sql, values, many)  # type: ignore[no-untyped-call]
        except asyncio.CancelledError:
            self._is_sure = False
            raise
        return done


class Cursor:
    """One statement and its rows."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._done = _Done()

    async def __aenter__(self) -> Cursor:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    @property
    def description(self) -> Any:
        """The columns of the rows, as DB-API has them; None where there are no rows."""
        return self._done.description

    @property
    def rowcount(self) -> int:
        """How many rows were changed; -1 where that is not known."""
        return self._done.rowcount

    @property
    def lastrowid(self) -> int | None:
        """The id of the row that was inserted last."""
        return self._done.lastrowid

    async def execute(self, sql: str, values: Any = ()) -> Cursor:
        """Execute a statement with one row of values."""
        self._done = await self._connection.visit(sql, values, many=False)
        return self

    async def executemany(self, sql: str, values: Any) -> Cursor:
        """Execute a statement for each row of values."""
        self._done = await self._connection.visit(sql, values, many=True)
        return self

    async def fetchall(self) -> Sequence[Any]:
        """Every row; they are there already."""
        return self._done.rows

    async def close(self) -> None:
        """Nothing is open."""


def _run(connection: sqlite3.Connection, sql: str, values: Any, many: bool) -> _Done:
    cursor = connection.cursor()
    try:
        if many:
            cursor.executemany(sql, values)
        else:
            cursor.execute(sql, values)
        rows = cursor.fetchall() if cursor.description is not None else ()
        return _Done(cursor.description, cursor.rowcount, cursor.lastrowid, rows)
    finally:
        cursor.close()
