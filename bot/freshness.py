"""Registries as one pass of a server may read them: no listing older than an image's news, or than the interval of looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.notebook import Notebook
from bot.registries.base import Description
from bot.registries.pool import Registries
from rules.images import canonical


@dataclass(frozen=True, slots=True)
class FreshListings:
    """`oldest` is the moment before which nothing that was read counts; an image with news counts from its news on."""

    registries: Registries
    notebook: Notebook
    oldest: datetime
    marks: dict[str, float] = field(default_factory=dict)

    async def prepare(self, images: Iterable[str]) -> None:
        """Read the marks of many images at once (canonical names)."""
        wanted = set(images) - self.marks.keys()
        found: Mapping[str, datetime] = await self.notebook.stale(wanted)
        for image in wanted:
            self.marks[image] = max(found.get(image, self.oldest), self.oldest).timestamp()

    async def tags(self, image: str, *, for_repository: str | None = None) -> tuple[str, ...]:
        """Every tag of an image."""
        return await self.registries.tags(image, for_repository=for_repository, no_older_than=await self._since(image))

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
