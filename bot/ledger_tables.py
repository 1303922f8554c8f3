"""The ledger's tables. `VERSION` is raised with every change of them, and `bot.ledger` brings an older ledger to it."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Column, DateTime, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.types import TypeDecorator

VERSION = 1


class Moment(TypeDecorator[datetime]):
    """A moment in UTC. SQLite forgets the zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: object) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: object) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


metadata = MetaData()
about = Table("tagboat", metadata, Column("version", Integer, nullable=False))
sights = Table(
    "sights",
    metadata,
    Column("image", String(512), primary_key=True),
    Column("tag", String(128), primary_key=True),
    Column("digest", String(200), primary_key=True, default=""),
    Column("first_seen", Moment, nullable=False),
)
holds = Table(
    "holds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("repository", String(512), nullable=False, index=True),
    Column("image", String(512), nullable=False),
    Column("path", String(1024), nullable=False, default=""),
    Column("version", String(200), nullable=False, default=""),
    Column("reason", Text, nullable=False, default=""),
    Column("author", String(200), nullable=False, default=""),
    Column("at", Moment, nullable=False),
)
attempts = Table(
    "attempts",
    metadata,
    Column("repository", String(512), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("head", String(64), primary_key=True),
    Column("failed", Integer, nullable=False),
    Column("last_http", Integer),
    Column("at", Moment, nullable=False),
)
resumes = Table(
    "resumes",
    metadata,
    Column("repository", String(512), primary_key=True),
    Column("image", String(512), primary_key=True),
    Column("path", String(1024), primary_key=True, default=""),
    Column("at", Moment, nullable=False),
)
history = Table(
    "history",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False, index=True),
    Column("repository", String(512), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("subject", String(512), nullable=False, default=""),
    Column("detail", Text, nullable=False, default="{}"),
    Index("history_by_repository", "repository", "id"),
)
manifests = Table(
    "manifests",
    metadata,
    Column("digest", String(200), primary_key=True),
    Column("description", Text, nullable=False),
)
