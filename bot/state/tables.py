"""The ledger's tables. `VERSION` is raised with every change of them, and `bot.state.ledger` brings an older ledger to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import Column, DateTime, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.types import TypeDecorator

VERSION = 1
STEPS: Mapping[int, Sequence[str]] = {}
"""What brings a ledger of the version before to this one, as statements that both databases take. Tables that are new come by
themselves."""


class Moment(TypeDecorator[datetime]):
    """A moment in UTC. SQLite forgets the zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: object) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: object) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class Words(TypeDecorator[str]):
    """Text from outside, cut to a length: PostgreSQL refuses what is longer, a zero byte, and bytes that are no text."""

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def process_bind_param(self, value: str | None, dialect: object) -> str | None:
        if value is None:
            return None
        fit = value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
        return fit.replace("\0", "")[: self.length]


class Prose(TypeDecorator[str]):
    """The same without a length."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: object) -> str | None:
        return value.encode("utf-8", "backslashreplace").decode().replace("\0", "") if value else value


metadata = MetaData()
about = Table("tagboat", metadata, Column("version", Integer, nullable=False))
sights = Table(
    "sights",
    metadata,
    Column("image", Words(512), primary_key=True),
    Column("tag", Words(128), primary_key=True),
    Column("digest", Words(200), primary_key=True, default=""),
    Column("first_seen", Moment, nullable=False),
)
holds = Table(
    "holds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("repository", Words(512), nullable=False, index=True),
    Column("image", Words(512), nullable=False),
    Column("path", Words(1024), nullable=False, default=""),
    Column("version", Words(200), nullable=False, default=""),
    Column("reason", Prose, nullable=False, default=""),
    Column("author", Words(200), nullable=False, default=""),
    Column("at", Moment, nullable=False),
)
attempts = Table(
    "attempts",
    metadata,
    Column("repository", Words(512), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("head", Words(64), primary_key=True),
    Column("failed", Integer, nullable=False),
    Column("last_http", Integer),
    Column("at", Moment, nullable=False),
)
resumes = Table(
    "resumes",
    metadata,
    Column("repository", Words(512), primary_key=True),
    Column("image", Words(512), primary_key=True),
    Column("path", Words(1024), primary_key=True, default=""),
    Column("at", Moment, nullable=False),
)
history = Table(
    "history",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False, index=True),
    Column("repository", Words(512), nullable=False),
    Column("kind", Words(40), nullable=False),
    Column("subject", Words(512), nullable=False, default=""),
    Column("detail", Prose, nullable=False, default="{}"),
    Index("history_by_repository", "repository", "id"),
)
manifests = Table(
    "manifests",
    metadata,
    Column("digest", Words(200), primary_key=True),
    Column("description", Prose, nullable=False),
)
