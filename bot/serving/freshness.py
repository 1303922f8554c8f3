"""Registries as one pass of a server may read them: no listing older than an image's news, or than the interval of looks.

With PostgreSQL, a tag list that one worker has read serves all of them: it is kept beside the marks, by image and by the
credentials that it was read with. Whoever reads an image says so (`bot.work.leading.Turns`), and the others wait for the list.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import structlog
from cachetools import LRUCache

from bot.registries.base import Description, RegistryError
from bot.registries.pool import Registries
from bot.state.ledger import LedgerError
from bot.state.notebook import Notebook
from bot.state.shelf import Shelf
from rules.images import canonical

if TYPE_CHECKING:
    from bot.work.leading import Turns

log = structlog.get_logger(__name__)

_TAGS_KEPT = 500_000  # in memory, of all lists together
_FAILED = 30.0  # seconds for which a failure is told to others who ask
_Key = tuple[str, str]  # image, and the scope of the credentials
_Kept = tuple[float, tuple[str, ...]]


class SharedTags:
    """The tag lists of all workers. One pass reads for all that want the same at the same time, in this process and, by `turns`,
    in all of them."""

    def __init__(self, registries: Registries, shelf: Shelf, turns: Turns | None = None) -> None:
        self._registries = registries
        self._shelf = shelf
        self._others = turns
        self._lists: LRUCache[_Key, _Kept] = LRUCache(_TAGS_KEPT, getsizeof=lambda kept: len(kept[1]) + 1)
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._failures: dict[tuple[str, str], tuple[float, float, RegistryError]] = {}  # begun, and ended by our clock

    async def tags(self, image: str, for_repository: str | None, since: float) -> tuple[str, ...]:
        """Every tag of an image, read after `since` by anybody. Raises RegistryError."""
        key = self._key(image, for_repository)
        async with self._turns.setdefault(key, asyncio.Lock()):
            failed = self._failures.get(key)
            if failed is not None and failed[0] >= since and time.monotonic() - failed[1] < _FAILED:
                raise type(failed[2])(*failed[2].args) from failed[2]
            found = self._lists.get(key)
            if found is not None and found[0] >= since:
                return found[1]
            async with self._alone(key):
                # Whoever had the turn before may have read what is wanted.
                found = (await self._kept([key])).get(key)
                return found[1] if found is not None and found[0] >= since else await self._read(key, image, for_repository)

    async def known(self, images: Iterable[str], for_repository: str | None) -> dict[str, _Kept]:
        """What is kept of these images (by canonical name) with the moment at which it was read, asked for at once."""
        return {
            image: kept for (image, _), kept in (await self._kept([self._key(one, for_repository) for one in images])).items()
        }

    async def close(self) -> None:
        """Let go of every turn."""
        if self._others is not None:
            await self._others.close()

    def _key(self, image: str, for_repository: str | None) -> _Key:
        return canonical(image), self._registries.scope(image, for_repository)

    def _alone(self, key: _Key) -> AbstractAsyncContextManager[None]:
        return self._others.turn("\n".join(key)) if self._others is not None else nullcontext()

    def prune(self, before: float) -> None:
        """Forget failures before a moment."""
        self._failures = {key: one for key, one in self._failures.items() if one[0] >= before}

    async def _read(self, key: tuple[str, str], image: str, for_repository: str | None) -> tuple[str, ...]:
        try:
            begun = await self._shelf.clock()
        except LedgerError:
            begun = 0.0
        try:
            # Nothing that this process read before: whether it is as new as what it is kept as could not be told.
            tags = await self._registries.tags(image, for_repository=for_repository, no_older_than=float("inf"))
        except RegistryError as error:
            self._failures[key] = begun, time.monotonic(), error
            raise
        self._failures.pop(key, None)
        self._remember(key, (begun, tags))
        try:
            await self._shelf.keep_listing(*key, tags, begun)
        except LedgerError as error:
            log.warning("a tag list is not kept for the others", why=str(error))
        return tags

    async def _kept(self, keys: Iterable[_Key]) -> dict[_Key, _Kept]:
        wanted = set(keys)
        held = {key: self._lists[key] for key in wanted if key in self._lists}  # they may have to make room meanwhile
        try:
            found = await self._shelf.listings(wanted, {key: at for key, (at, _) in held.items()})
        except LedgerError as error:
            log.warning("the tag lists of the others cannot be read", why=str(error))
            return {}
        kept = {key: (at, tags if tags is not None else held[key][1]) for key, (at, tags) in found.items()}
        for key, one in kept.items():
            self._remember(key, one)
        return kept

    def _remember(self, key: _Key, kept: _Kept) -> None:
        if len(kept[1]) < _TAGS_KEPT // 10:
            self._lists[key] = kept


@dataclass(frozen=True, slots=True)
class FreshListings:
    """`oldest` is the moment before which nothing that was read counts; an image with news counts from its news on."""

    registries: Registries
    notebook: Notebook
    oldest: datetime
    shared: SharedTags | None = None
    marks: dict[str, float] = field(default_factory=dict)
    kept: dict[str, _Kept] = field(default_factory=dict)

    async def prepare(self, images: Iterable[str], *, for_repository: str | None = None) -> None:
        """Read the marks and the shared lists of many images at once. May raise LedgerError."""
        wanted = {canonical(image) for image in images} - self.marks.keys()
        if not wanted:
            return
        await self._mark(wanted)
        if self.shared is not None:
            self.kept.update(await self.shared.known(wanted, for_repository))

    async def tags(self, image: str, *, for_repository: str | None = None) -> tuple[str, ...]:
        """Every tag of an image."""
        since = await self._since(image)
        if self.shared is not None:
            found = self.kept.get(canonical(image))
            return found[1] if found and found[0] >= since else await self.shared.tags(image, for_repository, since)
        return await self.registries.tags(image, for_repository=for_repository, no_older_than=since)

    async def digest(self, image: str, reference: str, *, for_repository: str | None = None) -> str | None:
        """The digest that a tag points at."""
        since = await self._since(image)
        return await self.registries.digest(image, reference, for_repository=for_repository, no_older_than=since)

    async def describe(
        self, image: str, reference: str, *, for_repository: str | None = None, labels: bool = False
    ) -> Description | None:
        """What a tag or digest points at."""
        since = await self._since(image)
        return await self.registries.describe(image, reference, for_repository=for_repository, labels=labels, no_older_than=since)

    async def pushed(self, image: str, tags: Iterable[str], *, for_repository: str | None = None) -> dict[str, datetime]:
        """When tags were pushed."""
        since = await self._since(image)
        return await self.registries.pushed(image, tags, for_repository=for_repository, no_older_than=since)

    async def _since(self, image: str) -> float:
        name = canonical(image)
        if name not in self.marks:
            await self._mark([name])
        return self.marks[name]

    async def _mark(self, images: Collection[str]) -> None:
        found: Mapping[str, datetime] = await self.notebook.stale(images)
        for image in images:
            self.marks[image] = max(found.get(image, self.oldest), self.oldest).timestamp()
