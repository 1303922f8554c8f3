"""When a repository is looked at without an event: every `scan.every`, slower where it is quiet, at once when a clock says so.

    timer = Timer(ask, shelf, every=timedelta(hours=1))
    await timer.after("acme/gitops", outcome, now)      the next look, from how the last one ended

The looks are spread: each waits its interval and up to a tenth of it more, by a share that is the repository's own. They stand in
the database, so a restart begins nothing anew, and of several processes one (the leader) asks for all.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog

from bot.state.ledger import LedgerError
from bot.state.shelf import Shelf
from bot.work.base import Outcome

log = structlog.get_logger(__name__)

_SLOWEST = 4  # times the interval, for a repository in which nothing has happened for long
_QUIET = 6  # looks without news before it slows down by one
_SOONEST = timedelta(seconds=5)  # a wake that is due already must not turn into a busy loop
_LONGEST = 5.0  # seconds between two looks at the database: other processes set looks too


async def _always() -> bool:
    return True


class Timer:
    """The next look of every repository. `leads` tells whether this process asks for what is due."""

    def __init__(
        self,
        ask: Callable[[str, str], Awaitable[None]],
        shelf: Shelf,
        *,
        every: timedelta,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        leads: Callable[[], Awaitable[bool]] = _always,
    ) -> None:
        self._ask = ask
        self._shelf = shelf
        self._every = every
        self._now = now
        self._leads = leads
        self._changed = asyncio.Event()

    async def first(self, repositories: Iterable[str], *, sooner: bool = False) -> None:
        """Repositories that are new here (with `sooner`: all of these): each is looked at within the first tenth of an interval,
        one after the other; where they are few, within as many seconds."""
        names, now = list(repositories), self._now()
        spread = min(self._every / 10, timedelta(seconds=len(names)))
        await self._shelf.first({name: now + spread * _share(name) for name in names}, "first look", sooner=sooner)
        self._changed.set()

    async def after(self, repository: str, outcome: Outcome, now: datetime) -> datetime:
        """The next look, from how the last one ended."""
        quiet = await self._shelf.quiet(repository) + 1 if outcome.quiet and not outcome.failed else 0
        pace = min(1 + quiet // _QUIET, _SLOWEST)
        due, why = now + self._every * pace * (1 + _share(repository) / 10), "timer"
        if outcome.wake is not None and outcome.wake < due:
            due, why = max(outcome.wake, now + _SOONEST), "a clock has run out"
        await self._shelf.set_look(repository, due, why, quiet)
        self._changed.set()
        return due

    async def run(self) -> None:
        """Ask for what is due, until cancelled."""
        while True:
            pause = _LONGEST
            try:
                if await self._leads():
                    pause = await self._round()
            except LedgerError as error:
                log.error("the timer cannot look", why=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):  # before Python 3.12 `wait_for` may lose a cancellation
                    await self._changed.wait()
            self._changed.clear()

    async def _round(self) -> float:
        """Ask for what is due; how long to wait then."""
        now = self._now()
        dues = await self._shelf.due(now)
        for one in dues:
            await self._ask(one.repository, one.why)
        # After that, so that a process which is killed here loses nothing.
        await self._shelf.postpone([one.repository for one in dues], now, now + self._every)
        due = await self._shelf.next_due()
        return _LONGEST if due is None else min(max((due - self._now()).total_seconds(), 0.0), _LONGEST)


def _share(name: str) -> float:
    """A number from 0 to 1 that is a repository's own: the same on every machine and after every start."""
    return (zlib.crc32(name.encode("utf-8", "surrogatepass")) % 1000) / 1000
