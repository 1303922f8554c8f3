"""What a server's processes share beside the ledger: tag lists, the next look of each repository, and what its last pass found.

    await shelf.keep_listing("harbor.example.com/team/web", scope, tags, at)
    found = await shelf.listing("harbor.example.com/team/web", scope)

Losing it costs a look at every repository, and nothing that lasts.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy import Column, Float, Integer, LargeBinary, MetaData, Table, delete, func, select, text, update

from bot.state.database import chunks
from bot.state.ledger import Ledger
from bot.state.tables import Words

KEPT = timedelta(days=2)
"""A tag list that nobody has read anew for so long goes."""

_T = TypeVar("_T")
_metadata = MetaData()
_listings = Table(
    "listings",
    _metadata,
    Column("image", Words(512), primary_key=True),
    Column("scope", Words(64), primary_key=True),
    Column("at", Float, nullable=False),
    Column("tags", LargeBinary, nullable=False),
)
_looks = Table(
    "looks",
    _metadata,
    Column("repository", Words(512), primary_key=True),
    Column("due", Float, nullable=False, index=True),
    Column("why", Words(200), nullable=False, default=""),
    Column("quiet", Integer, nullable=False, default=0),
)
_summaries = Table(
    "summaries",
    _metadata,
    Column("repository", Words(512), primary_key=True),
    Column("version", Float, nullable=False),
    Column("content", LargeBinary, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Due:
    """A repository whose time has come."""

    repository: str
    why: str


class Shelf:
    """One open shelf. Methods may raise LedgerError."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @classmethod
    async def open(cls, ledger: Ledger) -> Shelf:
        """The shelf in a ledger's database; its tables are made where they are missing."""
        await ledger.ensure(_metadata)
        return cls(ledger)

    @property
    def is_shared(self) -> bool:
        """Whether other processes may use it too."""
        return self._ledger.is_shared

    async def clock(self) -> float:
        """Seconds since 1970, by the database's clock where several machines go by it."""
        if not self.is_shared:
            return datetime.now(UTC).timestamp()
        async with self._ledger.reading() as connection:
            return float((await connection.execute(text("SELECT extract(epoch FROM clock_timestamp())"))).scalar_one())

    async def listing(self, image: str, scope: str) -> tuple[float, tuple[str, ...]] | None:
        """The tags of an image as somebody read them with the same credentials, and when that began."""
        query = select(_listings.c.at, _listings.c.tags).where(_listings.c.image == image, _listings.c.scope == scope)
        async with self._ledger.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return (row.at, tuple(json.loads(zlib.decompress(row.tags)))) if row else None

    async def listings(
        self, keys: Collection[tuple[str, str]], known: Mapping[tuple[str, str], float]
    ) -> dict[tuple[str, str], tuple[float, tuple[str, ...] | None]]:
        """The same for many by image and scope, at once; without the tags where they are `known` as of that moment."""
        found: dict[tuple[str, str], tuple[float, tuple[str, ...] | None]] = {}
        async with self._ledger.reading() as connection:
            for scope in sorted({scope for _, scope in keys}):
                for images in chunks(sorted({image for image, one in keys if one == scope})):
                    where = (_listings.c.scope == scope, _listings.c.image.in_(images))
                    rows = (await connection.execute(select(_listings.c.image, _listings.c.at).where(*where))).all()
                    found |= {(row.image, scope): (row.at, None) for row in rows}
                    fresh = [row.image for row in rows if known.get((row.image, scope)) != row.at]
                    if fresh:
                        where = (_listings.c.scope == scope, _listings.c.image.in_(fresh))
                        for row in await connection.execute(select(_listings).where(*where)):
                            found[row.image, scope] = row.at, tuple(json.loads(zlib.decompress(row.tags)))
        return found

    async def keep_listing(self, image: str, scope: str, tags: Sequence[str], at: float) -> None:
        """Keep tags for the others, unless theirs are newer."""
        packed = zlib.compress(json.dumps(tags).encode(), 1)
        added = self._ledger.insert(_listings).values(image=image, scope=scope, at=at, tags=packed)
        newer = added.on_conflict_do_update(
            index_elements=["image", "scope"], set_={"at": at, "tags": packed}, where=_listings.c.at < at
        )
        async with self._ledger.writing() as connection:
            await connection.execute(newer)

    async def first(self, dues: Mapping[str, datetime], why: str, *, sooner: bool = False) -> None:
        """The first look of repositories that have none; with `sooner` a later one is brought forward."""
        rows = [{"repository": name, "due": due.timestamp(), "why": why} for name, due in sorted(dues.items())]
        async with self._ledger.writing() as connection:
            for some in chunks(rows):
                added = self._ledger.insert(_looks).values(list(some))
                if sooner:
                    fresh = {"due": added.excluded.due, "why": added.excluded.why}
                    added = added.on_conflict_do_update(
                        index_elements=["repository"], set_=fresh, where=_looks.c.due > added.excluded.due
                    )
                else:
                    added = added.on_conflict_do_nothing()
                await connection.execute(added)

    async def quiet(self, repository: str) -> int:
        """How many looks without news a repository has had."""
        async with self._ledger.reading() as connection:
            query = select(_looks.c.quiet).where(_looks.c.repository == repository)
            return (await connection.execute(query)).scalar_one_or_none() or 0

    async def knows(self, repository: str) -> bool:
        """Whether a repository has a next look: one that some process has found."""
        async with self._ledger.reading() as connection:
            query = select(_looks.c.due).where(_looks.c.repository == repository)
            return (await connection.execute(query)).scalar_one_or_none() is not None

    async def set_look(self, repository: str, due: datetime, why: str, quiet: int) -> None:
        """The next look of a repository."""
        row = {"due": due.timestamp(), "why": why, "quiet": quiet}
        added = self._ledger.insert(_looks).values(repository=repository, **row)
        async with self._ledger.writing() as connection:
            await connection.execute(added.on_conflict_do_update(index_elements=["repository"], set_=row))

    async def due(self, now: datetime, limit: int = 500) -> list[Due]:
        """The repositories whose look is due, the oldest first."""
        query = select(_looks.c.repository, _looks.c.why).where(_looks.c.due <= now.timestamp()).order_by(_looks.c.due)
        async with self._ledger.reading() as connection:
            return [Due(name, why) for name, why in await connection.execute(query.limit(limit))]

    async def postpone(self, repositories: Collection[str], now: datetime, until: datetime) -> None:
        """Those that were asked for are not due again before `until`, unless their pass has ended since and says better."""
        async with self._ledger.writing() as connection:
            for some in chunks(sorted(repositories)):
                still = (_looks.c.repository.in_(some), _looks.c.due <= now.timestamp())
                await connection.execute(update(_looks).where(*still).values(due=until.timestamp(), why="timer"))

    async def next_due(self) -> datetime | None:
        """When the next look is due."""
        async with self._ledger.reading() as connection:
            found = (await connection.execute(select(func.min(_looks.c.due)))).scalar_one_or_none()
        return None if found is None else datetime.fromtimestamp(found, UTC)

    async def looks(self) -> dict[str, datetime]:
        """The next look of every repository."""
        async with self._ledger.reading() as connection:
            rows = await connection.execute(select(_looks.c.repository, _looks.c.due))
            return {name: datetime.fromtimestamp(due, UTC) for name, due in rows}

    async def keep_summary(self, repository: str, version: float, content: bytes) -> None:
        """What the last pass over a repository found."""
        row = {"version": version, "content": zlib.compress(content, 1)}
        added = self._ledger.insert(_summaries).values(repository=repository, **row)
        async with self._ledger.writing() as connection:
            await connection.execute(added.on_conflict_do_update(index_elements=["repository"], set_=row))

    async def summary(self, repository: str) -> bytes | None:
        """What the last pass over one repository found."""
        query = select(_summaries.c.content).where(_summaries.c.repository == repository)
        async with self._ledger.reading() as connection:
            content = (await connection.execute(query)).scalar_one_or_none()
        return None if content is None else zlib.decompress(content)

    async def summaries(self, known: Mapping[str, float]) -> tuple[dict[str, tuple[float, bytes]], set[str]]:
        """The summaries that are not `known` in this version, and the names of all."""
        found: dict[str, tuple[float, bytes]] = {}
        async with self._ledger.reading() as connection:
            versions = dict((await connection.execute(select(_summaries.c.repository, _summaries.c.version))).all())
            fresh = sorted(name for name, version in versions.items() if known.get(name) != version)
            for some in chunks(fresh):
                for row in await connection.execute(select(_summaries).where(_summaries.c.repository.in_(some))):
                    found[row.repository] = row.version, zlib.decompress(row.content)
        return found, set(versions)

    async def forget(self, repositories: Collection[str]) -> None:
        """Repositories that are no longer ours."""
        async with self._ledger.writing() as connection:
            for some in chunks(sorted(repositories)):
                await connection.execute(delete(_looks).where(_looks.c.repository.in_(some)))
                await connection.execute(delete(_summaries).where(_summaries.c.repository.in_(some)))

    async def tidy(self, now: datetime) -> None:
        """Drop tag lists that nobody uses any more."""
        async with self._ledger.writing() as connection:
            await connection.execute(delete(_listings).where(_listings.c.at < (now - KEPT).timestamp()))
