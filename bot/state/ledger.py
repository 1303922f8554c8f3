"""The ledger: what nobody else remembers. First sight of a tag, asked-for holds, failed landings, history.

SQLite by default (`sqlite:///data/tagboat.db`), PostgreSQL (`postgresql://…`) by the same code. A lost ledger costs first
sights (ages are learned anew), asked-for holds and history; requests, their branches and reverts stand on the forge.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from sqlalchemy import MetaData, Table, delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.state import tables
from bot.state.database import LedgerError as LedgerError
from bot.state.database import Using, cause, chunks, engine_for, make, migrate, shown

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Hold:
    """A person's word: no update of `image` (in `path`, everywhere where that is empty); with `version`, just not that one."""

    repository: str
    image: str
    path: str
    version: str
    reason: str
    author: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Attempts:
    """Landings of one head that the forge refused, and when it last did."""

    failed: int = 0
    last_http: int | None = None
    at: datetime | None = None


EventKind = Literal[
    "opened", "refreshed", "closed", "landed", "refused", "pushed", "held", "resumed", "skipped", "asked", "alarm", "trouble",
    "auto",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was done or found, with its reason in `detail`."""

    at: datetime
    repository: str
    kind: EventKind
    subject: str
    detail: Mapping[str, Any]


class Ledger:
    """One open ledger. Methods may raise LedgerError."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._dialect = engine.dialect.name
        # A statement that only reads needs no transaction around it, which would be two more questions for a server.
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT") if self.is_shared else engine
        # SQLite takes one writer after the other, and would have those who come second look again and again.
        self._turn = asyncio.Lock() if not self.is_shared else None
        self._made: set[MetaData] = set()

    @classmethod
    async def open(cls, url: str) -> Ledger:
        """Open the ledger at a URL (`sqlite:///path`, `sqlite://` in memory, `postgresql://…`), creating what is missing."""
        engine = engine_for(url)
        ledger = cls(engine)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(migrate)
        except (SQLAlchemyError, OSError) as error:
            await engine.dispose()
            raise LedgerError(f"cannot open the ledger {shown(url)}: {cause(error)}") from error
        except LedgerError:
            await engine.dispose()
            raise
        return ledger

    @property
    def engine(self) -> AsyncEngine:
        """The database itself, for `bot.state.notebook`, which keeps what only a server needs."""
        return self._engine

    @property
    def is_shared(self) -> bool:
        """Whether other machines may use the same database."""
        return self._dialect == "postgresql"

    async def ensure(self, metadata: MetaData) -> None:
        """Make the tables of another module in the ledger's database where they are missing; asked for once."""
        if metadata not in self._made:
            async with self.writing() as connection:
                await connection.run_sync(make, metadata)
            self._made.add(metadata)

    def writing(self) -> Using:
        """A transaction; errors of the database come out of it as LedgerError."""
        return Using(self._engine.begin(), "written", self._turn)

    def reading(self) -> Using:
        """A connection to read with; errors of the database come out of it as LedgerError."""
        return Using(self._reader.connect(), "read")

    def insert_new(self, table: Table) -> Any:
        """An insert that leaves rows alone which are there: where two learn the same thing, the first one's row stands."""
        return self.insert(table).on_conflict_do_nothing()

    def insert(self, table: Table) -> Any:
        """An insert that knows `on_conflict_do_update`, as both databases have it."""
        dialect = postgresql if self._dialect == "postgresql" else sqlite
        return dialect.insert(table)

    async def close(self) -> None:
        await self._engine.dispose()

    async def first_seen(self, image: str, tags: Iterable[tuple[str, str | None]], now: datetime) -> dict[str, datetime]:
        """When each `(tag, digest)` of an image was first seen; those that are new are seen `now`, and remembered so."""
        async with self.writing() as connection:
            return await self._first_seen(connection, image, tags, now)

    async def sighted(self, tags: Mapping[str, Iterable[str]], now: datetime) -> None:
        """Remember tags of several images that are seen `now`, unless they were seen before."""
        wanted = {(image, tag) for image, some in tags.items() for tag in some}
        async with self.writing() as connection:
            known: set[tuple[str, str]] = set()
            for images in chunks(sorted(tags)):
                query = select(tables.sights.c.image, tables.sights.c.tag).where(
                    tables.sights.c.image.in_(images), tables.sights.c.digest == ""
                )
                for names in chunks(sorted({tag for image in images for tag in tags[image]})):
                    rows = await connection.execute(query.where(tables.sights.c.tag.in_(names)))
                    known |= {(image, tag) for image, tag in rows}
            fresh = [{"image": image, "tag": tag, "digest": "", "first_seen": now} for image, tag in sorted(wanted - known)]
            for some_rows in chunks(fresh):
                await connection.execute(self.insert_new(tables.sights).values(list(some_rows)))

    async def _first_seen(
        self, connection: AsyncConnection, image: str, tags: Iterable[tuple[str, str | None]], now: datetime
    ) -> dict[str, datetime]:
        wanted = {(tag, digest or "") for tag, digest in tags}
        names = sorted({tag for tag, _ in wanted})
        known: dict[tuple[str, str], datetime] = {}
        for some in chunks(names):
            query = select(tables.sights.c.tag, tables.sights.c.digest, tables.sights.c.first_seen).where(
                tables.sights.c.image == image, tables.sights.c.tag.in_(some)
            )
            known |= {(tag, digest): at for tag, digest, at in await connection.execute(query)}
        fresh = [{"image": image, "tag": t, "digest": d, "first_seen": now} for t, d in sorted(wanted - known.keys())]
        for some_rows in chunks(fresh):
            await connection.execute(self.insert_new(tables.sights).values(list(some_rows)))
        return {tag: known.get((tag, digest), now) for tag, digest in wanted}

    async def sights(self, image: str, tags: Iterable[str] | None = None) -> dict[str, datetime]:
        """When each tag of an image (or those of these) was first seen, as far as that is remembered."""
        sights = tables.sights.c
        query = select(sights.tag, func.min(sights.first_seen)).where(sights.image == image).group_by(sights.tag)
        if tags is not None:
            query = query.where(sights.tag.in_(sorted(tags)))
        async with self.reading() as connection:
            rows = (await connection.execute(query)).all()
        return {tag: at if at.tzinfo else at.replace(tzinfo=UTC) for tag, at in rows}

    async def hold(self, hold: Hold) -> None:
        """Remember a person's hold or skip; the same one again replaces the earlier."""
        async with self.writing() as connection:
            await connection.execute(
                delete(tables.holds).where(*_same_hold(hold.repository, hold.image, hold.path, hold.version))
            )
            await connection.execute(insert(tables.holds).values(**asdict(hold)))

    async def resume(self, repository: str, image: str, path: str = "", *, at: datetime | None = None) -> int:
        """Lift every hold and skip on an image (in one place, or everywhere); how many there were. What people said by closing or
        reverting before `at` (now, where left out) counts no more either."""
        where = [tables.holds.c.repository == repository, tables.holds.c.image == image]
        if path:
            where.append(tables.holds.c.path == path)
        row = {"repository": repository, "image": image, "path": path}
        async with self.writing() as connection:
            count = int((await connection.execute(delete(tables.holds).where(*where))).rowcount)
            await connection.execute(
                delete(tables.resumes).where(*(tables.resumes.c[key] == value for key, value in row.items()))
            )
            await connection.execute(insert(tables.resumes).values(**row, at=at or datetime.now(UTC)))
            return count

    async def resumed(self, repository: str) -> dict[tuple[str, str], datetime]:
        """When somebody last said `resume` in a repository, by image and path (empty: everywhere)."""
        query = select(tables.resumes.c.image, tables.resumes.c.path, tables.resumes.c.at).where(
            tables.resumes.c.repository == repository
        )
        async with self.reading() as connection:
            return {(image, path): at for image, path, at in await connection.execute(query)}

    async def holds(self, repository: str) -> Sequence[Hold]:
        """The asked-for holds of a repository, oldest first."""
        columns = [column for column in tables.holds.c if column.name != "id"]
        async with self.reading() as connection:
            rows = await connection.execute(
                select(*columns).where(tables.holds.c.repository == repository).order_by(tables.holds.c.id)
            )
            return [Hold(**row) for row in rows.mappings()]

    async def attempts(self, repository: str, number: int, head: str) -> Attempts:
        """The refused landings of a request at this very head."""
        query = select(tables.attempts.c.failed, tables.attempts.c.last_http, tables.attempts.c.at).where(
            *_same_head(repository, number, head)
        )
        async with self.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
            return Attempts(*row) if row else Attempts()

    async def refused(self, repository: str, number: int, head: str, status: int | None, at: datetime | None = None) -> None:
        """Remember that the forge refused to land this head."""
        before = await self.attempts(repository, number, head)
        async with self.writing() as connection:
            await connection.execute(delete(tables.attempts).where(*_same_head(repository, number, head)))
            row = {"repository": repository, "number": number, "head": head, "failed": before.failed + 1, "last_http": status}
            await connection.execute(insert(tables.attempts).values(**row, at=at or datetime.now(UTC)))

    async def record(self, *events: Event) -> None:
        """Add to the history."""
        rows = [
            {"at": e.at, "repository": e.repository, "kind": e.kind, "subject": e.subject, "detail": json.dumps(dict(e.detail))}
            for e in events
        ]
        if rows:
            async with self.writing() as connection:
                await connection.execute(insert(tables.history), rows)

    async def history(
        self, repository: str | None = None, *, kinds: Sequence[EventKind] = (), limit: int = 100
    ) -> Sequence[Event]:
        """The newest events (of these kinds, where some are named), newest first."""
        query = select(tables.history).order_by(tables.history.c.id.desc()).limit(limit)
        if repository is not None:
            query = query.where(tables.history.c.repository == repository)
        if kinds:
            query = query.where(tables.history.c.kind.in_(kinds))
        async with self.reading() as connection:
            return [
                Event(row["at"], row["repository"], row["kind"], row["subject"], json.loads(row["detail"]))
                for row in (await connection.execute(query)).mappings()
            ]

    async def forget(self, before: datetime) -> int:
        """Drop history older than a moment; how much it was. Sights and holds stay."""
        async with self.writing() as connection:
            return int((await connection.execute(delete(tables.history).where(tables.history.c.at < before))).rowcount)

    async def manifest(self, digest: str) -> str | None:
        """What was kept for a digest. Content behind a digest never changes, so this is for ever."""
        async with self.reading() as connection:
            query = select(tables.manifests.c.description).where(tables.manifests.c.digest == digest)
            return (await connection.execute(query)).scalar_one_or_none()

    async def keep_manifest(self, digest: str, description: str) -> None:
        async with self.writing() as connection:
            await connection.execute(self.insert_new(tables.manifests).values(digest=digest, description=description))


def _same_hold(repository: str, image: str, path: str, version: str) -> tuple[Any, ...]:
    return (
        tables.holds.c.repository == repository,
        tables.holds.c.image == image,
        tables.holds.c.path == path,
        tables.holds.c.version == version,
    )


def _same_head(repository: str, number: int, head: str) -> tuple[Any, ...]:
    return (tables.attempts.c.repository == repository, tables.attempts.c.number == number, tables.attempts.c.head == head)
