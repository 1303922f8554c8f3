"""When a repository is looked at without an event: every `scan.every`, slower where it is quiet, at once when a clock says so.

    timer = Timer(ask, every=timedelta(hours=1))
    timer.after("acme/gitops", outcome, now)      the next look, from how the last one ended

The looks are spread: each waits its interval and up to a tenth of it more, by a share that is the repository's own.
"""

from __future__ import annotations

import asyncio
import heapq
import zlib
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from bot.work.base import Outcome

_SLOWEST = 4  # times the interval, for a repository in which nothing has happened for long
_QUIET = 6  # looks without news before it slows down by one
_SOONEST = timedelta(seconds=5)  # a wake that is due already must not turn into a busy loop


class Timer:
    """The next look of every repository."""

    def __init__(
        self,
        ask: Callable[[str, str], Awaitable[None]],
        *,
        every: timedelta,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ask = ask
        self._every = every
        self._now = now
        self._due: dict[str, tuple[datetime, str]] = {}
        self._heap: list[tuple[datetime, str]] = []
        self._quiet: dict[str, int] = {}
        self._changed = asyncio.Event()

    def first(self, repositories: Iterable[str]) -> None:
        """Repositories that are new here: each is looked at within the first tenth of an interval, one after the other."""
        now = self._now()
        for name in repositories:
            if name not in self._due:
                self._set(name, now + self._every * _share(name) / 10, "first look")

    def forget(self, repository: str) -> None:
        """A repository that is no longer ours."""
        self._due.pop(repository, None)
        self._quiet.pop(repository, None)

    def after(self, repository: str, outcome: Outcome, now: datetime) -> datetime:
        """The next look, from how the last one ended."""
        quiet = self._quiet[repository] = self._quiet.get(repository, 0) + 1 if outcome.quiet and not outcome.failed else 0
        pace = min(1 + quiet // _QUIET, _SLOWEST)
        due, why = now + self._every * pace * (1 + _share(repository) / 10), "timer"
        if outcome.wake is not None and outcome.wake < due:
            due, why = max(outcome.wake, now + _SOONEST), "a clock has run out"
        self._set(repository, due, why)
        return due

    def next_look(self, repository: str) -> datetime | None:
        """When a repository is looked at next by itself."""
        found = self._due.get(repository)
        return found[0] if found else None

    async def run(self) -> None:
        """Ask for what is due, until cancelled."""
        while True:
            now = self._now()
            while self._heap and self._heap[0][0] <= now:
                due, name = heapq.heappop(self._heap)
                if self._due.get(name, (None,))[0] != due:
                    continue  # it was set anew since
                why = self._due[name][1]
                self._set(name, now + self._every, "timer")  # until its pass has ended and says better
                await self._ask(name, why)
            self._changed.clear()
            pause = (self._heap[0][0] - now).total_seconds() if self._heap else None
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), pause)

    def _set(self, repository: str, due: datetime, why: str) -> None:
        self._due[repository] = (due, why)
        heapq.heappush(self._heap, (due, repository))
        self._changed.set()


def _share(name: str) -> float:
    """A number from 0 to 1 that is a repository's own: the same on every machine and after every start."""
    return (zlib.crc32(name.encode("utf-8", "surrogatepass")) % 1000) / 1000
