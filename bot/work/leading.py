"""Which of several processes leads: the one that holds a lock in PostgreSQL, for as long as its connection lives."""

from __future__ import annotations

import asyncio

import structlog
from psycopg import AsyncConnection, Error

from bot.state.ledger import LedgerError
from bot.work.postgres import conninfo

log = structlog.get_logger(__name__)

_SECONDS = 10
_LEADER = 7_245_003  # an advisory lock of ours


class Leadership:
    """One process's claim. A leader that is killed loses its connection, and with that the lock: the next to ask has it."""

    def __init__(self, url: str) -> None:
        self._conninfo = conninfo(url)
        self._connection: AsyncConnection | None = None
        self._leads = False

    async def __call__(self) -> bool:
        """Whether this process leads now. Raises LedgerError where the database cannot be asked."""
        try:
            async with asyncio.timeout(_SECONDS):
                await self._claim()
        except (Error, TimeoutError) as error:
            await self.close()
            raise LedgerError(f"the timer's lock cannot be asked for: {type(error).__name__}") from error
        return self._leads

    async def _claim(self) -> None:
        if self._connection is None:
            self._connection = await AsyncConnection.connect(self._conninfo, autocommit=True, connect_timeout=_SECONDS)
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
