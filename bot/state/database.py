"""How a ledger's database is opened, made and brought to this version, and how its errors come out: for `bot.state.ledger`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import MetaData, event, func, insert, select, text, update
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import InvalidatePoolError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from bot.state import tables
from bot.state.driver import opened

_MAKING = 7_245_001  # an advisory lock of ours
_POOL = 10  # connections to PostgreSQL
_FILES = 6  # connections to a file of SQLite
_STATEMENTS = 32  # that each of them keeps ready
_CHUNK = 100  # SQLite's oldest limit is 999 bound values a statement; a row has up to nine
_RESTED = 2.0  # seconds

_T = TypeVar("_T")


class LedgerError(Exception):
    """The ledger could not be opened, read or written; the message is for a person."""


class Using:
    """A connection whose errors of the database come out as LedgerError. `turn` is held meanwhile, where there is one."""

    def __init__(self, context: Any, what: str, turn: asyncio.Lock | None = None) -> None:
        self._context = context
        self._what = what
        self._turn = turn

    async def __aenter__(self) -> AsyncConnection:
        if self._turn is not None:
            await self._turn.acquire()
        try:
            connection: AsyncConnection = await self._context.__aenter__()
        except BaseException as error:
            self._end_turn()
            if isinstance(error, SQLAlchemyError | OSError):
                raise LedgerError(f"the ledger cannot be {self._what}: {cause(error)}") from error
            raise
        return connection

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            await self._context.__aexit__(kind, error, trace)
        except SQLAlchemyError as late:
            raise LedgerError(f"the ledger cannot be {self._what}: {cause(late)}") from late
        finally:
            self._end_turn()
        if isinstance(error, SQLAlchemyError):
            raise LedgerError(f"the ledger cannot be {self._what}: {cause(error)}") from error

    def _end_turn(self) -> None:
        if self._turn is not None:
            self._turn.release()


def migrate(connection: Connection) -> None:
    """Bring a ledger to this version, step by step; one that is newer than the program is refused, not guessed at."""
    make(connection, tables.metadata)
    found = connection.execute(select(func.max(tables.about.c.version))).scalar()
    if found is None:
        connection.execute(insert(tables.about).values(version=tables.VERSION))
    elif found > tables.VERSION:
        raise LedgerError(f"the ledger has version {found}, this program knows {tables.VERSION}: update tagboat")
    elif found < tables.VERSION:
        for version in range(found + 1, tables.VERSION + 1):
            for step in tables.STEPS.get(version, ()):
                connection.execute(text(step))
        connection.execute(update(tables.about).values(version=tables.VERSION))


def make(connection: Connection, metadata: MetaData) -> None:
    """Make tables where they are missing; of several processes that begin at once, one after the other. All of the transaction
    is done or none: SQLite's driver would commit each such statement by itself."""
    shared = connection.dialect.name == "postgresql"
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MAKING})" if shared else "BEGIN IMMEDIATE")
    metadata.create_all(connection)


def chunks(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Values in parts that one statement can bind."""
    return (items[at : at + _CHUNK] for at in range(0, len(items), _CHUNK))


def engine_for(url: str) -> AsyncEngine:
    """The engine for a state's address. Raises LedgerError for one that is none."""
    driver = driver_url(url)
    if is_in_memory(driver):
        # In memory there is one connection, which takes one transaction after the other.
        return create_async_engine(driver, poolclass=AsyncAdaptedQueuePool, pool_size=1, max_overflow=0)
    if make_url(driver).get_backend_name() == "sqlite":
        # A file is always there: nothing is asked before use. Each connection is a thread and a cache: so many and no more.
        options = {"async_creator_fn": opened, "cached_statements": _STATEMENTS}
        engine = create_async_engine(driver, connect_args=options, pool_size=_FILES, max_overflow=0, pool_use_lifo=True)
        event.listen(engine.sync_engine, "connect", tune_sqlite)
        return engine
    # A connection beyond the pool's size is closed when it is given back: as many stay as passes run at once, and some.
    engine = create_async_engine(driver, pool_size=_POOL, max_overflow=_POOL)
    _ask_the_rested(engine)
    return engine


def _ask_the_rested(engine: AsyncEngine) -> None:
    """Ask a connection whether it is still there if it was not used for a moment: to ask each time costs as much as a query."""

    def rest(connection: Any, record: Any) -> None:
        record.info["rests"] = time.monotonic()

    def check(connection: Any, record: Any, proxy: Any) -> None:
        if time.monotonic() - record.info.get("rests", time.monotonic()) > _RESTED:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as error:
                raise InvalidatePoolError from error

    event.listen(engine.sync_engine, "checkin", rest)
    event.listen(engine.sync_engine, "checkout", check)


def driver_url(url: str) -> str:
    parsed = make_url(url)
    match parsed.get_backend_name():
        case "sqlite":
            if parsed.database and parsed.database != ":memory:":
                try:
                    Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
                except OSError as error:
                    raise LedgerError(f"cannot open the ledger {shown(url)}: {error.strerror}") from error
            return parsed.set(drivername="sqlite+aiosqlite").render_as_string(hide_password=False)
        case "postgresql":
            return parsed.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
        case other:
            raise LedgerError(f"state {shown(url)}: {other!r} is not supported; use sqlite:///… or postgresql://…")


def is_in_memory(url: str) -> bool:
    parsed = make_url(url)
    return parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:")


def tune_sqlite(connection: Any, record: object) -> None:
    cursor = connection.cursor()
    # The operating system keeps the file at hand; a cache of two MiB for each connection would be kept besides.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000", "cache_size=-512"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def shown(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True)


def cause(error: Exception) -> str:
    return (str(getattr(error, "orig", None) or error) or type(error).__name__).splitlines()[0]
