"""Since when a tag stands in a place that others follow: the clock of soaking, in the ledger's database.

    stood = await standings.note(ledger, "acme/gitops", "main", watched(occurrences, config), now)

Each pass says what stands in the places that are followed; what is new there begins `now`, and what stood there before ended
then. So a tag has never soaked for longer than Tagboat has watched it. Losing this costs the clocks: they start anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, ColumnElement, Float, MetaData, Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.state.ledger import Ledger
from bot.state.tables import Words
from rules.policies.base import Stood

KEPT = timedelta(days=180)
"""What ended longer ago than this is forgotten."""

metadata = MetaData()
_standings = Table(
    "standings",
    metadata,
    Column("repository", Words(512), primary_key=True),
    Column("base", Words(255), primary_key=True),
    Column("path", Words(1024), primary_key=True),
    Column("image", Words(512), primary_key=True),
    Column("since", Float, primary_key=True),
    Column("until", Float),
    Column("text", Words(400), nullable=False),
)


async def note(
    ledger: Ledger, repository: str, base: str, places: Iterable[Stood], now: datetime, *, unread: Set[str] = frozenset()
) -> list[Stood]:
    """Write down what stands in these places of a base branch, and give the history of each. May raise LedgerError.

    A place that is not among them any more has ended: whatever comes there later starts anew. Of the files `unread` nothing is
    known now: what stood there goes on, and counts as several tags for the moment, so that nothing has soaked everywhere.
    """
    standing = {(one.path, one.image): one.text for one in places}
    await ledger.ensure(metadata)
    async with ledger.writing() as connection:
        await _note(connection, repository, base, standing, now.timestamp(), unread)
        rows = await connection.execute(select(_standings).where(*_of(repository, base)).order_by(_standings.c.since))
        found = [Stood(row.path, row.image, row.text, _moment(row.since), _moment(row.until)) for row in rows]
    clouded = [Stood(one.path, one.image, "") for one in found if one.path in unread and one.until is None]
    return [*(one for one in found if (one.path, one.image) in standing), *clouded]


async def _note(
    connection: AsyncConnection, repository: str, base: str, standing: dict[tuple[str, str], str], now: float, unread: Set[str]
) -> None:
    mine = _of(repository, base)
    before = (await connection.execute(select(_standings).where(*mine, _standings.c.until.is_(None)))).all()
    known = {(row.path, row.image): row for row in before}
    for key, row in known.items():
        if standing.get(key) != row.text and row.path not in unread:
            place = (_standings.c.path == row.path, _standings.c.image == row.image, _standings.c.since == row.since)
            await connection.execute(update(_standings).where(*mine, *place).values(until=max(now, row.since)))
    fresh = [key for key, text in standing.items() if key not in known or known[key].text != text]
    await _insert(connection, [(repository, base, *key, standing[key]) for key in fresh], now)
    await connection.execute(delete(_standings).where(*mine, _standings.c.until < now - KEPT.total_seconds()))


async def _insert(connection: AsyncConnection, rows: Sequence[tuple[str, str, str, str, str]], now: float) -> None:
    for repository, base, path, image, text in rows:
        here = (*_of(repository, base), _standings.c.path == path, _standings.c.image == image)
        # Two tags within one moment, or a clock that went back: what came first there never soaked.
        await connection.execute(delete(_standings).where(*here, _standings.c.since >= now))
        row = {"repository": repository, "base": base, "path": path, "image": image, "since": now, "text": text}
        await connection.execute(insert(_standings).values(**row))


def _of(repository: str, base: str) -> tuple[ColumnElement[bool], ...]:
    return (_standings.c.repository == repository, _standings.c.base == base)


def _moment(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, UTC)
