"""What a pass read from the registries, to be asked again without asking them.

recorded = Recorded(listings)       hands everything on, and remembers the answers while `keeps` is true
recalled = Recalled(recorded)       answers from those alone; `recalled.missing` names the images it lacked something of
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from cachetools import LRUCache

from bot.reading.choosing import FirstSights, Listings, Prepared
from bot.registries.base import Description, RegistryError
from rules.images import canonical

_TAGS_KEPT = 500_000


class NotRead(RegistryError):
    """Nobody has listed the image in this pass."""


@dataclass(slots=True)
class Recorded:
    """Listings, and the ledger's first sights, that remember what they said. Of more than half a million tags, only the last."""

    listings: Listings
    sights: FirstSights | None = None
    keeps: bool = True
    listed: LRUCache[str, tuple[str, ...]] = field(default_factory=lambda: LRUCache(_TAGS_KEPT, getsizeof=lambda t: len(t) + 1))
    digests: dict[tuple[str, str], str | None] = field(default_factory=dict)
    described: dict[tuple[str, str], Description | None] = field(default_factory=dict)
    ages: LRUCache[tuple[str, str], datetime | None] = field(default_factory=lambda: LRUCache(_TAGS_KEPT))
    seen: LRUCache[tuple[str, str, str | None], datetime] = field(default_factory=lambda: LRUCache(_TAGS_KEPT))

    async def prepare(self, images: Iterable[str], *, for_repository: str | None = None) -> None:
        if isinstance(self.listings, Prepared):
            await self.listings.prepare(images, for_repository=for_repository)

    async def tags(self, image: str, *, for_repository: str | None = None) -> tuple[str, ...]:
        found = await self.listings.tags(image, for_repository=for_repository)
        if self.keeps and len(found) < _TAGS_KEPT:
            self.listed[canonical(image)] = found
        return found

    async def digest(self, image: str, reference: str, *, for_repository: str | None = None) -> str | None:
        found = await self.listings.digest(image, reference, for_repository=for_repository)
        if self.keeps:
            self.digests[canonical(image), reference] = found
        return found

    async def describe(
        self, image: str, reference: str, *, for_repository: str | None = None, labels: bool = False
    ) -> Description | None:
        found = await self.listings.describe(image, reference, for_repository=for_repository, labels=labels)
        if self.keeps:
            self.described[canonical(image), reference] = found
        return found

    async def pushed(self, image: str, tags: Iterable[str], *, for_repository: str | None = None) -> dict[str, datetime]:
        asked, name = tuple(tags), canonical(image)
        found = await self.listings.pushed(image, asked, for_repository=for_repository)
        for tag in asked if self.keeps else ():
            self.ages[name, tag] = found.get(tag)
        return found

    async def first_seen(self, image: str, tags: Iterable[tuple[str, str | None]], now: datetime) -> dict[str, datetime]:
        asked, name = tuple(tags), canonical(image)
        found = await self.sights.first_seen(image, asked, now) if self.sights else {}
        for tag, digest in asked if self.keeps else ():
            if tag in found:
                self.seen[name, tag, digest] = found[tag]
        return found


@dataclass(frozen=True, slots=True)
class Recalled:
    """The same answers once more. What was not asked then is not known: a listing raises NotRead, the rest is left out."""

    recorded: Recorded
    missing: set[str] = field(default_factory=set)

    async def tags(self, image: str, *, for_repository: str | None = None) -> tuple[str, ...]:
        found = self.recorded.listed.get(canonical(image))
        if found is None:
            self.missing.add(canonical(image))
            raise NotRead(f"{image} was not looked at yet")
        return found

    async def digest(self, image: str, reference: str, *, for_repository: str | None = None) -> str | None:
        self._miss(image, (canonical(image), reference) not in self.recorded.digests)
        return self.recorded.digests.get((canonical(image), reference))

    async def describe(
        self, image: str, reference: str, *, for_repository: str | None = None, labels: bool = False
    ) -> Description | None:
        self._miss(image, (canonical(image), reference) not in self.recorded.described)
        return self.recorded.described.get((canonical(image), reference))

    async def pushed(self, image: str, tags: Iterable[str], *, for_repository: str | None = None) -> dict[str, datetime]:
        asked = {tag: self.recorded.ages.get((canonical(image), tag)) for tag in tags}
        self._miss(image, any((canonical(image), tag) not in self.recorded.ages for tag in asked))
        return {tag: at for tag, at in asked.items() if at is not None}

    async def first_seen(self, image: str, tags: Iterable[tuple[str, str | None]], now: datetime) -> dict[str, datetime]:
        asked = {tag: self.recorded.seen.get((canonical(image), tag, digest)) for tag, digest in tags}
        self._miss(image, None in asked.values())
        return {tag: at for tag, at in asked.items() if at is not None}

    def _miss(self, image: str, unknown: bool) -> None:
        if unknown:
            self.missing.add(canonical(image))
