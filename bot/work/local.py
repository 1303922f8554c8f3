"""Passes in this process: a bounded number at once, one at a time for each repository, organisations in turn.

    work = LocalWork(run, at_once=8)
    await work.start()
    await work.ask("acme/gitops", "pushed")

A burst of events for one repository is one pass (or one more, where one is running). Whose turn it is goes round by
organisation, so one with a thousand waiting repositories does not starve one with a single one.

The first event of a repository has its pass at once. Passes over repositories that were looked at a moment ago are at most ten a
second all together: where events come without end, the passes do not, and one repository alone is never made to wait. None is
held back for that longer than ten seconds after its last pass. Where both kinds wait, neither has more than every second turn.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import structlog

from bot.work.base import Run, organisation

log = structlog.get_logger(__name__)

Asked = tuple[str, datetime]
"""Why, and when it was first asked for."""

_MOMENT = 10.0  # seconds
_BETWEEN = 0.1  # seconds between two passes over repositories that were looked at a moment ago
_SPARE = 0.5  # seconds of that which may be saved up


class Turns:
    """Repositories that wait, organisations in turn."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, OrderedDict[str, Asked]] = OrderedDict()  # organisation -> repository

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __contains__(self, repository: str) -> bool:
        return repository in self._waiting.get(organisation(repository), ())

    def add(self, repository: str, asked: Asked) -> None:
        """Have it wait; one that waits already stays where it is."""
        self._waiting.setdefault(organisation(repository), OrderedDict()).setdefault(repository, asked)

    def remove(self, repository: str) -> Asked | None:
        """Have it wait no more; None where it did not."""
        owner = organisation(repository)
        repositories = self._waiting.get(owner, OrderedDict[str, Asked]())
        found = repositories.pop(repository, None)
        if not repositories:
            self._waiting.pop(owner, None)
        return found

    def take(self) -> tuple[str, Asked]:
        """The first repository of the organisation whose turn it is; that one goes to the end of the line."""
        owner, repositories = self._waiting.popitem(last=False)
        found = repositories.popitem(last=False)
        if repositories:
            self._waiting[owner] = repositories
        return found

    def clear(self) -> None:
        """Nobody waits any more."""
        self._waiting.clear()


class LocalWork:
    """The queue and its workers."""

    def __init__(self, run: Run, *, at_once: int = 8, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._run = run
        self._now = now
        self._at_once = at_once
        self._fresh = Turns()
        self._seen = Turns()  # those that were looked at a moment ago
        self._ended: OrderedDict[str, float] = OrderedDict()  # when, by the loop's clock, the oldest first
        self._next_seen = 0.0
        self._was_seen = False  # whether the last turn was one of theirs
        self._alarm: asyncio.TimerHandle | None = None
        self._running: set[str] = set()
        self._again: dict[str, Asked] = {}
        self._there = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._workers: list[asyncio.Task[None]] = []
        self._open = True

    async def start(self) -> None:
        """Begin to work."""
        self._workers = [asyncio.create_task(self._work(), name=f"passes-{at}") for at in range(self._at_once)]

    async def ask(self, repository: str, why: str) -> None:
        """Have a repository looked at; while it is being looked at, once more afterwards."""
        self._take(repository, (why, self._now()))

    async def depth(self) -> int:
        """How many repositories wait."""
        return len(self._fresh) + len(self._seen) + len(self._again)

    async def idle(self) -> None:
        """Wait until nothing waits and nothing runs."""
        await self._idle.wait()

    async def stop(self, seconds: float) -> bool:
        """Take nothing new; what runs may end within this time, and is cancelled after it."""
        self._open = False
        self._fresh.clear()
        self._seen.clear()
        self._again.clear()
        self._there.set()
        if self._alarm is not None:
            self._alarm.cancel()
        if not self._workers:
            return True
        _, late = await asyncio.wait(self._workers, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        return not late

    def _take(self, repository: str, asked: Asked) -> None:
        if not self._open:
            return
        if repository in self._running:
            self._again.setdefault(repository, asked)
        elif repository not in self._fresh and repository not in self._seen:
            self._let_go()
            (self._seen if repository in self._ended else self._fresh).add(repository, asked)
            self._there.set()
            self._idle.clear()

    async def _work(self) -> None:
        while self._open:
            found = self._next()
            if found is None:
                self._there.clear()
                await self._there.wait()
                continue
            repository, (why, asked) = found
            self._running.add(repository)
            try:
                await self._run(repository, why, asked)
            except Exception as error:  # a defect: the worker goes on, even where standard error is closed
                with suppress(Exception):
                    log.exception("a pass was not carried out", repository=repository, why=type(error).__name__)
            finally:
                self._running.discard(repository)
                self._ended[repository] = asyncio.get_running_loop().time()
                self._ended.move_to_end(repository)
                if (more := self._again.pop(repository, None)) is not None:
                    self._take(repository, more)
                if not (self._running or self._fresh or self._seen):
                    self._idle.set()

    def _next(self) -> tuple[str, Asked] | None:
        """What is to be looked at now, if anything."""
        self._let_go()
        loop = asyncio.get_running_loop()
        # Passes that take long are fewer than ten a second: then the two have their turns one after the other.
        if self._seen and loop.time() >= self._next_seen and not (self._was_seen and self._fresh):
            self._was_seen = True
            self._next_seen = max(self._next_seen, loop.time() - _SPARE) + _BETWEEN
            return self._seen.take()
        if self._fresh:
            self._was_seen = False
            return self._fresh.take()
        if self._seen and self._alarm is None:
            self._alarm = loop.call_at(self._next_seen, self._ring)
        return None

    def _ring(self) -> None:
        self._alarm = None
        self._there.set()

    def _let_go(self) -> None:
        """Those whose last pass is longer ago than a moment are as others."""
        before = asyncio.get_running_loop().time() - _MOMENT
        while self._ended and next(iter(self._ended.values())) < before:
            repository, _ = self._ended.popitem(last=False)
            if (asked := self._seen.remove(repository)) is not None:
                self._fresh.add(repository, asked)
