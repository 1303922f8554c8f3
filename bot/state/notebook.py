"""The server's notebook, in the ledger's database: which images stand where, which have news, which deliveries were seen.

    fresh = await notebook.take(hints, now)        writes down what is new, before anything is done about it
    names = await notebook.users(images)           the repositories in which these images stand

Losing it costs nothing that lasts: every repository is looked at again in time. What workers share besides (tag lists, due looks,
summaries) is in `bot.state.shelf`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy import Column, Float, Index, MetaData, Table, delete, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.state.database import chunks
from bot.state.hints import Hint
from bot.state.ledger import Ledger
from bot.state.tables import Prose, Words

KEPT = timedelta(days=3)
"""For so long a delivery is known again. Senders repeat theirs within a day."""

_T = TypeVar("_T")
_metadata = MetaData()
_deliveries = Table(
    "deliveries",
    _metadata,
    Column("id", Words(400), primary_key=True),
    Column("at", Float, nullable=False, index=True),
)
_stale = Table("stale", _metadata, Column("image", Words(512), primary_key=True), Column("since", Float, nullable=False))
_told = Table(
    "told",
    _metadata,
    Column("repository", Words(512), primary_key=True),
    Column("subject", Words(1024), primary_key=True),
    Column("text", Prose, nullable=False),
    Column("at", Float, nullable=False),
)
_places = Table(
    "places",
    _metadata,
    Column("repository", Words(512), primary_key=True),
    Column("image", Words(512), primary_key=True),
    Index("places_by_image", "image"),
)


class Notebook:
    """One open notebook. Methods may raise LedgerError."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @classmethod
    async def open(cls, ledger: Ledger) -> Notebook:
        """The notebook in a ledger's database; its tables are made where they are missing."""
        await ledger.ensure(_metadata)
        return cls(ledger)

    async def take(self, hints: Sequence[Hint], now: datetime) -> list[Hint]:
        """The hints that are new: their deliveries are noted and their images marked stale, in one transaction, so that neither
        is there without the other. A hint without a delivery number is always new."""
        ids = sorted({hint.delivery[:400] for hint in hints if hint.delivery})
        async with self._ledger.writing() as connection:
            at = await self._clock(connection, now)
            known = await self._known(connection, ids)
            fresh = [hint for hint in hints if not hint.delivery or hint.delivery[:400] not in known]
            if rows := [{"id": one, "at": at} for one in ids if one not in known]:
                await connection.execute(self._ledger.insert_new(_deliveries), rows)
            if marks := [{"image": image, "since": at} for image in sorted({hint.image for hint in fresh if hint.image})]:
                mark = self._ledger.insert(_stale)
                since = mark.excluded.since
                newest = mark.on_conflict_do_update(index_elements=["image"], set_={"since": since}, where=_stale.c.since < since)
                await connection.execute(newest, marks)
        return fresh

    async def stale(self, images: Collection[str]) -> Mapping[str, datetime]:
        """For those of these images that have a mark: no listing older than it may be believed."""
        found: dict[str, datetime] = {}
        async with self._ledger.reading() as connection:
            for some in chunks(sorted(images)):
                rows = await connection.execute(select(_stale).where(_stale.c.image.in_(_padded(some))))
                found |= {image: datetime.fromtimestamp(since, UTC) for image, since in rows}
        return found

    async def stands(self, repository: str, images: Iterable[str]) -> None:
        """Note which images stand in a repository, in place of what was noted before."""
        wanted = set(images)
        async with self._ledger.writing() as connection:
            before = await connection.execute(select(_places.c.image).where(_places.c.repository == repository))
            had = {image for (image,) in before}
            for gone in chunks(sorted(had - wanted)):
                where = (_places.c.repository == repository, _places.c.image.in_(gone))
                await connection.execute(delete(_places).where(*where))
            for new in chunks(sorted(wanted - had)):
                rows = [{"repository": repository, "image": image} for image in new]
                await connection.execute(self._ledger.insert_new(_places).values(rows))

    async def users(self, images: Collection[str]) -> Mapping[str, frozenset[str]]:
        """The repositories in which each of these images stands."""
        found: dict[str, set[str]] = {}
        async with self._ledger.reading() as connection:
            for some in chunks(sorted(images)):
                rows = await connection.execute(
                    select(_places.c.image, _places.c.repository).where(_places.c.image.in_(_padded(some)))
                )
                for image, repository in rows:
                    found.setdefault(image, set()).add(repository)
        return {image: frozenset(names) for image, names in found.items()}

    async def told(self, repository: str) -> dict[str, str]:
        """What people were told of a repository and is not over: text by subject."""
        async with self._ledger.reading() as connection:
            rows = await connection.execute(select(_told.c.subject, _told.c.text).where(_told.c.repository == repository))
            return {row.subject: row.text for row in rows}

    async def tell(self, repository: str, subject: str, words: str, now: datetime) -> None:
        """Note that people were told."""
        row = {"repository": repository, "subject": subject, "text": words, "at": now.timestamp()}
        said = self._ledger.insert(_told).values(row)
        async with self._ledger.writing() as connection:
            await connection.execute(
                said.on_conflict_do_update(index_elements=["repository", "subject"], set_={"text": words, "at": row["at"]})
            )

    async def untell(self, repository: str, subject: str) -> None:
        """Note that people were told that it is over."""
        async with self._ledger.writing() as connection:
            await connection.execute(delete(_told).where(_told.c.repository == repository, _told.c.subject == subject))

    async def tidy(self, now: datetime, every: timedelta) -> None:
        """Drop deliveries that will not come again, and marks that tell nothing: what is older than looks are apart (`every`) no
        pass believes anyway."""
        async with self._ledger.writing() as connection:
            await connection.execute(delete(_deliveries).where(_deliveries.c.at < (now - KEPT).timestamp()))
            await connection.execute(delete(_stale).where(_stale.c.since < (now - max(every, KEPT)).timestamp()))

    async def _clock(self, connection: AsyncConnection, now: datetime) -> float:
        """The moment by the clock that all who share the database go by."""
        if not self._ledger.is_shared:
            return now.timestamp()
        return float((await connection.execute(text("SELECT extract(epoch FROM clock_timestamp())"))).scalar_one())

    async def _known(self, connection: AsyncConnection, ids: Sequence[str]) -> set[str]:
        known: set[str] = set()
        for some in chunks(ids):
            rows = await connection.execute(select(_deliveries.c.id).where(_deliveries.c.id.in_(_padded(some))))
            known |= {one for (one,) in rows}
        return known


def _padded(items: Sequence[_T]) -> Sequence[_T]:
    """The same with the last one repeated up to a power of two: a statement for each number of values would be kept otherwise."""
    size = 1 << (len(items) - 1).bit_length()
    return [items[min(at, len(items) - 1)] for at in range(size)]
