"""Registries as one pass of a server may read them: no listing older than an image's news, or than the interval of looks.

With PostgreSQL, a tag list that one worker has read serves all of them: it is kept beside the marks, by image and by the
credentials that it was read with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from weakref import WeakValueDictionary

import structlog

from bot.registries.base import Description, RegistryError
from bot.registries.pool import Registries
from bot.state.ledger import LedgerError
from bot.state.notebook import Notebook
from bot.state.shelf import Shelf
from rules.images import canonical

log = structlog.get_logger(__name__)


class SharedTags:
    """The tag lists of all workers. In this process one pass reads for all that want the same at the same time."""

    def __init__(self, registries: Registries, shelf: Shelf) -> None:
        self._registries = registries
        self._shelf = shelf
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._failures: dict[tuple[str, str], tuple[float, RegistryError]] = {}

    async def tags(self, image: str, for_repository: str | None, since: float) -> tuple[str, ...]:
        """Every tag of an image, read after `since` by anybody. Raises RegistryError."""
        key = canonical(image), self._registries.scope(image, for_repository)
        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn:
            found = await self._kept(key)
            if found is not None and found[0] >= since:
                return found[1]
            failed = self._failures.get(key)
            if failed is not None and failed[0] >= since:
                raise type(failed[1])(*failed[1].args) from failed[1]
            return await self._read(key, image, for_repository)

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
            self._failures[key] = begun, error
            raise
        self._failures.pop(key, None)
        try:
            await self._shelf.keep_listing(*key, tags, begun)
        except LedgerError as error:
            log.warning("a tag list is not kept for the others", why=str(error))
        return tags

    async def _kept(self, key: tuple[str, str]) -> tuple[float, tuple[str, ...]] | None:
        try:
            return await self._shelf.listing(*key)
        except LedgerError as error:
            log.warning("the tag lists of the others cannot be read", why=str(error))
            return None


@dataclass(frozen=True, slots=True)
class FreshListings:
    """`oldest` is the moment before which nothing that was read counts; an image with news counts from its news on."""

    registries: Registries
    notebook: Notebook
    oldest: datetime
    shared: SharedTags | None = None
    marks: dict[str, float] = field(default_factory=dict)

    async def prepare(self, images: Iterable[str]) -> None:
        """Read the marks of many images at once (canonical names)."""
        wanted = set(images) - self.marks.keys()
        found: Mapping[str, datetime] = await self.notebook.stale(wanted)
        for image in wanted:
            self.marks[image] = max(found.get(image, self.oldest), self.oldest).timestamp()

    async def tags(self, image: str, *, for_repository: str | None = None) -> tuple[str, ...]:
        """Every tag of an image."""
        since = await self._since(image)
        if self.shared is not None:
            return await self.shared.tags(image, for_repository, since)
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
            await self.prepare([name])
        return self.marks[name]
