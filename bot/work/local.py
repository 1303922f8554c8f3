"""Passes in this process: a bounded number at once, one at a time for each repository, organisations in turn.

    work = LocalWork(run, at_once=8)
    await work.start()
    await work.ask("acme/gitops", "pushed")

A burst of events for one repository is one pass (or one more, where one is running). Whose turn it is goes round by
organisation, so one with a thousand waiting repositories does not starve one with a single one.
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


class LocalWork:
    """The queue and its workers."""

    def __init__(self, run: Run, *, at_once: int = 8, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._run = run
        self._now = now
        self._at_once = at_once
        self._waiting: OrderedDict[str, OrderedDict[str, Asked]] = OrderedDict()  # organisation -> repository
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
        return sum(map(len, self._waiting.values())) + len(self._again)

    async def idle(self) -> None:
        """Wait until nothing waits and nothing runs."""
        await self._idle.wait()

    async def stop(self, seconds: float) -> bool:
        """Take nothing new; what runs may end within this time, and is cancelled after it."""
        self._open = False
        self._waiting.clear()
        self._again.clear()
        self._there.set()
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
        else:
            self._waiting.setdefault(organisation(repository), OrderedDict()).setdefault(repository, asked)
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
                if (more := self._again.pop(repository, None)) is not None:
                    self._take(repository, more)
                if not (self._running or self._waiting):
                    self._idle.set()

    def _next(self) -> tuple[str, Asked] | None:
        """The first repository of the organisation whose turn it is; that one goes to the end of the line."""
        if not self._waiting:
            return None
        owner, repositories = self._waiting.popitem(last=False)
        found = repositories.popitem(last=False)
        if repositories:
            self._waiting[owner] = repositories
        return found
