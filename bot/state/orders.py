"""What people and watchers told us about a repository, in the ledger's database: comments that were heard, landings that a person
allowed, what is to be taken back, and how landings are reported to have gone.

    await orders.allow(ledger, "acme/gitops", 7, fingerprint, "ann", now)      a person's `merge`
    await orders.report(ledger, "acme/gitops", health)                         somebody who watches says how an image is
    reports = await orders.reports(ledger, "acme/gitops")                      for `rules.rollbacks`

Asked-for holds and skips are the ledger's own. Losing this costs words that were not carried out yet: they have to be said again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import Boolean, Column, Float, Integer, MetaData, Table, delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.state import tables
from bot.state.ledger import Ledger
from bot.state.tables import Prose, Words
from rules.commands import TakeBack
from rules.rollbacks import Asked, Health, Reports

KEPT = timedelta(days=90)
"""For so long words are remembered. A rollback's hold ends with it."""

metadata = MetaData()
_heard = Table(
    "heard",
    metadata,
    Column("repository", Words(512), primary_key=True),
    Column("comment", Words(200), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("at", Float, nullable=False),
    Column("answer", Prose, nullable=False, default=""),
)
_allowed = Table(
    "allowed",
    metadata,
    Column("repository", Words(512), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("fingerprint", Words(64), nullable=False),
    Column("by", Words(200), nullable=False),
    Column("at", Float, nullable=False),
)
_takebacks = Table(
    "takebacks",
    metadata,
    Column("repository", Words(512), primary_key=True),
    Column("image", Words(512), primary_key=True),
    Column("path", Words(1024), primary_key=True),
    Column("version", Words(400), primary_key=True),
    Column("reason", Prose, nullable=False),
    Column("by", Words(200), nullable=False),
    Column("at", Float, nullable=False),
)
_healths = Table(
    "healths",
    metadata,
    Column("repository", Words(512), primary_key=True),
    Column("image", Words(700), primary_key=True),
    Column("place", Words(1024), primary_key=True),
    Column("healthy", Boolean, nullable=False),
    Column("reason", Prose, nullable=False),
    Column("at", Float, nullable=False),
)


async def unheard(ledger: Ledger, repository: str, comments: Collection[str]) -> frozenset[str]:
    """Those of these comments (by id) that were not heard yet. May raise LedgerError, as everything here."""
    if not comments:
        return frozenset()
    async with _using(ledger) as connection:
        query = select(_heard.c.comment).where(_heard.c.repository == repository, _heard.c.comment.in_(sorted(comments)))
        return frozenset(comments) - {comment for (comment,) in await connection.execute(query)}


async def heard(ledger: Ledger, repository: str, number: int, answers: Mapping[str, str], at: datetime) -> None:
    """Remember comments on a request, by id, with what was answered to each."""
    async with _using(ledger) as connection:
        for comment, answer in answers.items():
            await connection.execute(delete(_heard).where(_heard.c.repository == repository, _heard.c.comment == comment))
            row = {"repository": repository, "comment": comment, "number": number, "at": at.timestamp(), "answer": answer}
            await connection.execute(insert(_heard).values(**row))
        await connection.execute(delete(_heard).where(_heard.c.at < (at - 2 * KEPT).timestamp()))


async def answers(ledger: Ledger, repository: str, number: int, count: int = 5) -> list[str]:
    """What was answered last on a request, oldest first."""
    query = (
        select(_heard.c.answer)
        .where(_heard.c.repository == repository, _heard.c.number == number, _heard.c.answer != "")
        .order_by(_heard.c.at.desc(), _heard.c.comment.desc())
        .limit(count)
    )
    async with _using(ledger) as connection:
        return [answer for (answer,) in await connection.execute(query)][::-1]


async def allow(ledger: Ledger, repository: str, number: int, fingerprint: str, by: str, at: datetime) -> None:
    """Remember that what a request holds may land by a person's word."""
    async with _using(ledger) as connection:
        await connection.execute(delete(_allowed).where(_allowed.c.repository == repository, _allowed.c.number == number))
        await connection.execute(delete(_allowed).where(_allowed.c.at < (at - KEPT).timestamp()))
        row = {"repository": repository, "number": number, "fingerprint": fingerprint, "by": by, "at": at.timestamp()}
        await connection.execute(insert(_allowed).values(**row))


async def allowed(ledger: Ledger, repository: str) -> Mapping[tuple[int, str], str]:
    """The landings that people allowed, by request and what it held then; who did."""
    query = select(_allowed.c.number, _allowed.c.fingerprint, _allowed.c.by).where(_allowed.c.repository == repository)
    async with _using(ledger) as connection:
        return {(number, fingerprint): by for number, fingerprint, by in await connection.execute(query)}


async def take_back(ledger: Ledger, repository: str, what: TakeBack, by: str, at: datetime) -> None:
    """Remember a person's `rollback` of an image in a file."""
    key = {"repository": repository, "image": what.image, "path": what.path, "version": what.version}
    async with _using(ledger) as connection:
        await connection.execute(delete(_takebacks).where(*(_takebacks.c[name] == value for name, value in key.items())))
        await connection.execute(insert(_takebacks).values(**key, reason=what.reason, by=by, at=at.timestamp()))
        await connection.execute(delete(_takebacks).where(_takebacks.c.at < (at - KEPT).timestamp()))


async def report(ledger: Ledger, repository: str, *healths: Health) -> None:
    """Remember how images are reported to be; of each in each place the newest report."""
    async with _using(ledger) as connection:
        for one in healths:
            key = {"repository": repository, "image": one.image[:700], "place": one.place[:1024]}
            same = [_healths.c[name] == value for name, value in key.items()]
            newer = await connection.execute(select(_healths.c.at).where(*same, _healths.c.at > one.at.timestamp()))
            if newer.first() is not None:
                continue
            await connection.execute(delete(_healths).where(*same))
            row = {"healthy": one.healthy, "reason": one.reason[:1000], "at": one.at.timestamp()}
            await connection.execute(insert(_healths).values(**key, **row))
            await connection.execute(delete(_healths).where(_healths.c.at < (one.at - KEPT).timestamp()))


async def reports(ledger: Ledger, repository: str) -> Reports:
    """How landings are reported to have gone, and what people took back."""
    async with _using(ledger) as connection:
        healths = await connection.execute(select(_healths).where(_healths.c.repository == repository).order_by(_healths.c.at))
        asked = await connection.execute(
            select(_takebacks).where(_takebacks.c.repository == repository).order_by(_takebacks.c.at)
        )
        return Reports(
            tuple(Health(row.image, row.place, row.healthy, row.reason, _moment(row.at)) for row in healths),
            tuple(Asked(TakeBack(row.image, row.path, row.version, row.reason), row.by, _moment(row.at)) for row in asked),
        )


async def spoken(ledger: Ledger, repository: str) -> bool:
    """Whether anybody ever said anything about a repository that could bear on what is proposed now: of most, nobody did."""
    said = (tables.holds, tables.resumes, _takebacks, _healths)
    pushed = (tables.history.c.repository == repository, tables.history.c.kind == "pushed")
    words = [select(one.c.repository).where(one.c.repository == repository).exists() for one in said]
    await ledger.ensure(metadata)
    async with ledger.reading() as connection:
        query = select(or_(*words, select(tables.history.c.id).where(*pushed).exists()))
        return bool((await connection.execute(query)).scalar_one())


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


@asynccontextmanager
async def _using(ledger: Ledger) -> AsyncIterator[AsyncConnection]:
    """A transaction in the ledger's database, its tables made where they are missing."""
    await ledger.ensure(metadata)
    async with ledger.writing() as connection:
        yield connection
