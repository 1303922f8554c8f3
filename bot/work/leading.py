"""Locks in PostgreSQL that several processes go by, each held for as long as its connection lives: which of them leads, and whose
turn something is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import blake2b

import structlog
from psycopg import AsyncConnection, Error

from bot.state.ledger import LedgerError
from bot.work.postgres import conninfo

log = structlog.get_logger(__name__)

_SECONDS = 10
_FIRST_PAUSE, _LONGEST_PAUSE = 0.03, 0.5  # seconds between two questions for a turn
_PATIENCE = 120.0  # seconds for which a turn is waited for: whoever has it may hang
_LEADER = 7_245_003  # an advisory lock of ours

# A machine that is gone without a word keeps its locks until PostgreSQL asks for it: by itself after two hours, so in 30 seconds.
_WATCH = """SELECT set_config('tcp_keepalives_' || name, seconds, false)
FROM (VALUES ('idle', '15'), ('interval', '5'), ('count', '3')) AS row (name, seconds)"""


class Leadership:
    """One process's claim. A leader that is killed loses its connection, and with that the lock: the next to ask has it."""

    def __init__(self, url: str) -> None:
        self._conninfo = conninfo(url)
        self._connection: AsyncConnection | None = None
        self._leads = False
        self._asking = asyncio.Lock()

    async def __call__(self) -> bool:
        """Whether this process leads now. Raises LedgerError where the database cannot be asked."""
        try:
            async with asyncio.timeout(_SECONDS), self._asking:
                await self._claim()
        except (Error, TimeoutError) as error:
            await self.close()
            raise LedgerError(f"the timer's lock cannot be asked for: {type(error).__name__}") from error
        return self._leads

    async def _claim(self) -> None:
        if self._connection is None:
            self._connection = await _connected(self._conninfo, "tagboat leading")
        if self._leads:
            await self._connection.execute("SELECT 1")
            return
        row = await (await self._connection.execute(f"SELECT pg_try_advisory_lock({_LEADER})")).fetchone()
        self._leads = bool(row and row[0])
        if self._leads:
            log.info("this process keeps the time for all")

    async def close(self) -> None:
        """Let another one lead."""
        self._leads = False
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


class Turns:
    """Turns of several processes at the same thing, by a lock in PostgreSQL that is named for it.

        async with turns.turn("harbor.example.com/team/web"):
            ...

    One connection holds all the turns of a process, however long they take, and a process that dies loses its connection: what it
    did is at once the turn of another. Where the database cannot be asked, or a turn does not come within two minutes, everybody
    goes ahead: twice is better than never. Two in one process may not want the same turn at the same time: to PostgreSQL they are
    one.
    """

    def __init__(self, url: str) -> None:
        self._conninfo = conninfo(url)
        self._connection: AsyncConnection | None = None
        self._connecting = asyncio.Lock()

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """Wait for the turn, and have it."""
        number = int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), signed=True)
        pause, waited = _FIRST_PAUSE, 0.0
        held: bool | None = False
        try:
            while (held := await self._ask("pg_try_advisory_lock", number)) is False and waited < _PATIENCE:
                await asyncio.sleep(pause)
                waited += pause
                pause = min(2 * pause, _LONGEST_PAUSE)
            yield
        finally:
            # Also where the question was cut off: the answer may have been yes.
            if held is not None:
                await asyncio.shield(self._ask("pg_advisory_unlock", number))

    async def close(self) -> None:
        """Let go of everything."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _ask(self, function: str, number: int) -> bool | None:
        """What PostgreSQL says; None where it cannot be asked."""
        try:
            async with self._connecting:
                if self._connection is None or self._connection.closed:
                    self._connection = await _connected(self._conninfo, "tagboat turns")
            async with asyncio.timeout(_SECONDS):
                row = await (await self._connection.execute(f"SELECT {function}(%s)", (number,))).fetchone()
                return bool(row and row[0])
        except (Error, TimeoutError) as error:
            log.warning("turns cannot be asked for", why=type(error).__name__)
            await self.close()
            return None


async def _connected(url: str, name: str) -> AsyncConnection:
    """A connection whose other end is looked after."""
    connection = await AsyncConnection.connect(url, autocommit=True, connect_timeout=_SECONDS, application_name=name)
    try:
        async with asyncio.timeout(_SECONDS):
            await connection.execute(_WATCH)
    except BaseException:
        await connection.close()
        raise
    return connection
