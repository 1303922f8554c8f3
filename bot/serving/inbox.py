"""The inbox: hints are written down first, all that came within a moment together, then work is asked for.

    await inbox.take(hints)      returns once they are written down; whoever sent them may be answered

A hint that comes alone is written down at once; those that follow it closely are written down together. An image means: the
repositories in which it stands. A delivery that was seen before means nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from datetime import datetime
from typing import Any

import structlog

from bot.state.hints import Hint
from bot.state.ledger import LedgerError
from bot.state.notebook import Notebook

log = structlog.get_logger(__name__)

_AGAIN = 2.0  # seconds until what could not be asked for is asked for again
_TOGETHER = 500  # hints that are written in one transaction
_MOMENT = 0.01  # seconds from one transaction to the next, so that under load there are a hundred a second and not one a hint


class Full(Exception):
    """More hints wait to be written down than the inbox holds: the sender is to come again."""


class Inbox:
    """Takes hints. `ask` is called for each repository that has news, `refresh` where the list of them may have changed."""

    def __init__(
        self,
        notebook: Notebook,
        ask: Callable[[str, str], Awaitable[None]],
        refresh: Callable[[], Coroutine[Any, Any, None]],
        now: Callable[[], datetime],
        *,
        capacity: int = 20_000,
    ) -> None:
        self._notebook = notebook
        self._ask_for = ask
        self._refresh = refresh
        self._now = now
        self._capacity = capacity
        self._waiting: list[tuple[Sequence[Hint], asyncio.Future[int]]] = []
        self._owed: list[Hint] = []
        self._there = asyncio.Event()
        self._turn = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None
        self._refreshing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to take hints."""
        self._writer = asyncio.create_task(self._write(), name="inbox")

    async def stop(self) -> None:
        """Write down what waits, and end."""
        async with self._turn:  # what is being written is written
            while self._waiting:
                await self._flush()
        for task in (self._writer, self._refreshing):
            if task is not None:
                task.cancel()

    async def take(self, hints: Iterable[Hint]) -> int:
        """Write hints down; how many of them are new. Raises LedgerError or Full: then the sender has to come again."""
        named = tuple(hint for hint in hints if hint.kind != "none")
        if not named:
            return 0
        if len(self._waiting) >= self._capacity:
            raise Full
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((named, done))
        self._there.set()
        return await done

    async def _write(self) -> None:
        while True:
            await self._there.wait()
            self._there.clear()
            while self._waiting:
                async with self._turn:
                    await self._flush()
                await asyncio.sleep(_MOMENT)
            if self._owed:
                await self._pay()

    async def _flush(self) -> None:
        some, self._waiting = self._waiting[:_TOGETHER], self._waiting[_TOGETHER:]
        try:
            fresh = await self._notebook.take([hint for hints, _ in some for hint in hints], self._now())
        except LedgerError as error:
            log.error("hints not written down", count=len(some), why=str(error))
            for _, done in some:
                if not done.done():
                    done.set_exception(error)
            return
        self._owed += fresh
        await self._pay()
        new = {id(hint) for hint in fresh}
        for hints, done in some:
            if not done.done():  # else the sender has gone
                done.set_result(sum(id(hint) in new for hint in hints))

    async def _pay(self) -> None:
        """Ask for what is written down. Where that fails it stays owed: one who is sent back would be known by then."""
        try:
            await self._ask(self._owed)
            self._owed = []
        except LedgerError as error:
            log.error("work cannot be asked for yet", hints=len(self._owed), why=str(error))
            asyncio.get_running_loop().call_later(_AGAIN, self._there.set)

    async def _ask(self, hints: Sequence[Hint]) -> None:
        """Ask for every repository that has news, once."""
        users = await self._notebook.users({hint.image for hint in hints if hint.image})
        wanted: dict[str, str] = {}
        again = False
        for hint in hints:
            match hint.kind:
                case "image":
                    for repository in users.get(hint.image or "", ()):
                        wanted.setdefault(repository, hint.reason)
                case "repository" | "request":
                    if hint.repository:
                        wanted.setdefault(hint.repository, hint.reason)
                case "installation":
                    again = True
                case "none":
                    pass
        for repository, reason in wanted.items():
            await self._ask_for(repository, reason)
        if again and (self._refreshing is None or self._refreshing.done()):
            self._refreshing = asyncio.create_task(self._refresh(), name="refresh")
