"""Allowances that all processes on one PostgreSQL share: see `bot.state.allowances` for what is asked of them.

    shared = await Shared.open(ledger)
    await shared.take("github api.github.com 5f0c…", "content", 3, spans, within=60.0)

A row holds the moments that were taken of one window; a take is one statement, and the row's lock keeps two apart. The clock is
the database's. Pauses, quotas and who asks are written and read together, once a second at most and only while somebody asks.
Where the database cannot be reached, each process goes on with its own share of what is allowed, and says so once.
"""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy import Column, Float, Integer, MetaData, Table, text
from sqlalchemy.dialects.postgresql import ARRAY

from bot.state.allowances import GRAIN, Grant, Left, Own, Span
from bot.state.database import LedgerError, Using
from bot.state.ledger import Ledger
from bot.state.tables import Words

log = structlog.get_logger(__name__)

FEWEST = 4  # so many processes are thought to share what is allowed, at least, while the database is away
_EVERY = 1.0  # seconds from one reading to the next
_QUOTAS = 3.0  # seconds from one writing of quotas to the next
_PRESENT = 20.0  # seconds from one sign of life to the next; who gives none for twice as long asks no more
_AWAY = 10.0  # seconds for which a database that could not be reached is left alone
_PATIENCE = 5.0  # seconds for an answer of the database
_KEPT = 2 * 86400.0  # seconds for which a row is kept that nobody uses
_LONGEST = 86400.0  # seconds: no pause that others are told of is longer, since no restart ends it
_TIDY = 3600.0
_ASKS = "asks:"  # the kind of a sign of life, before the process's name
_SAYS = "left:"  # the kind of a quota

metadata = MetaData()
_table = Table(
    "allowances",
    metadata,
    Column("key", Words(300), primary_key=True),
    Column("kind", Words(60), primary_key=True),
    Column("taken", ARRAY(Float), nullable=False, server_default="{}"),
    Column("wait", Float, nullable=False, server_default="0"),
    Column("fits", Integer, nullable=False, server_default="1"),
    Column("at", Float, nullable=False, server_default="0"),
    Column("until", Float, nullable=False, server_default="0"),
    Column("most", Integer),
    Column("remaining", Integer),
    Column("seconds", Float),
    Column("used", Float, nullable=False),
)

# The clock is read once a statement, when the row is ours. Of `taken`, in order, so many have to be out of each span: what is
# beyond both ends of the array is NULL, which `greatest` passes over.
_TAKE = text("""
INSERT INTO allowances AS a (key, kind, taken, at, used)
SELECT :key, :kind, array_fill(now, ARRAY[cast(:amount AS int)]), now, now
FROM (SELECT cast(extract(epoch FROM clock_timestamp()) AS float8) AS now OFFSET 0) AS clock
ON CONFLICT (key, kind) DO UPDATE SET (taken, wait, fits, at, used) = (
  SELECT CASE WHEN fits THEN kept || array_fill(first, ARRAY[cast(:amount AS int)]) ELSE kept END,
    CASE WHEN fits THEN first ELSE greatest(first, later) END - now, cast(fits AS int), first, now
  FROM (SELECT cast(extract(epoch FROM clock_timestamp()) AS float8) AS now OFFSET 0) AS clock
  CROSS JOIN LATERAL (
    SELECT array(SELECT t FROM unnest(a.taken) AS t WHERE t > now - cast(:longest AS float8) ORDER BY t) AS kept
  ) AS rows
  CROSS JOIN LATERAL (
    SELECT greatest(now, kept[cardinality(kept)],
        max(kept[cardinality(kept) - most + cast(:amount AS int)] + seconds + cast(:grain AS float8))) AS first,
      max(kept[least(cardinality(kept), cardinality(kept) - most + cast(:ahead AS int))]
        + seconds + cast(:grain AS float8)) AS later
    FROM unnest(cast(:mosts AS int[]), cast(:spans AS float8[])) AS span (most, seconds)
  ) AS moments
  CROSS JOIN LATERAL (SELECT first - now <= cast(:within AS float8) AS fits) AS verdict
)
RETURNING a.wait, a.fits, a.at
""")
_GIVE_BACK = text("""
UPDATE allowances AS a SET taken = array(
  SELECT t FROM (SELECT t, row_number() OVER (PARTITION BY t) AS n FROM unnest(a.taken) AS t) AS one
  WHERE t <> cast(:at AS float8) OR n > :amount ORDER BY t)
WHERE key = :key AND kind = :kind
""")
# What was given out while the database was away: `ages` are seconds.
_BOOK = text("""
INSERT INTO allowances AS a (key, kind, taken, used)
SELECT :key, :kind, array(SELECT now - age FROM unnest(cast(:ages AS float8[])) AS age ORDER BY 1), now
FROM (SELECT cast(extract(epoch FROM clock_timestamp()) AS float8) AS now OFFSET 0) AS clock
ON CONFLICT (key, kind) DO UPDATE SET
  taken = array(SELECT t FROM unnest(a.taken || excluded.taken) AS t ORDER BY t), used = excluded.used
""")
_NOTE = text("""
INSERT INTO allowances AS a (key, kind, until, most, remaining, seconds, used)
SELECT key, kind, now + pause, most, remaining, seconds, now - age
FROM (SELECT cast(extract(epoch FROM clock_timestamp()) AS float8) AS now OFFSET 0) AS clock,
  unnest(cast(:keys AS text[]), cast(:kinds AS text[]), cast(:pauses AS float8[]), cast(:mosts AS int[]),
    cast(:lefts AS int[]), cast(:seconds AS float8[]), cast(:ages AS float8[]))
    AS row (key, kind, pause, most, remaining, seconds, age)
ORDER BY key, kind
ON CONFLICT (key, kind) DO UPDATE SET until = greatest(a.until, excluded.until), most = excluded.most,
  remaining = excluded.remaining, seconds = excluded.seconds, used = excluded.used
WHERE excluded.remaining IS NULL OR excluded.used >= a.used
""")
_READ = text("""
SELECT key, kind, until - now AS pause, most, remaining, seconds, now - used AS age
FROM allowances, (SELECT cast(extract(epoch FROM clock_timestamp()) AS float8) AS now OFFSET 0) AS clock
WHERE until > now OR (remaining IS NOT NULL AND used > now - 86400)
""")
_FORGET = text("DELETE FROM allowances WHERE greatest(used, until) < extract(epoch FROM clock_timestamp()) - :kept")
_INT = 2**31 - 1
_Note = tuple[str, str, float, int | None, int | None, float | None, float]


class Shared:
    """The allowances of one process among several."""

    def __init__(
        self, ledger: Ledger, *, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._engine = ledger.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._monotonic = monotonic
        self._wall = wall
        self._name = _ASKS + secrets.token_hex(8)
        self._own = Own(monotonic)  # what this process took, and what it knows
        self._asking: dict[str, float] = {}
        self._said: dict[str, float] = {}
        self._count: dict[str, int] = {}
        self._pauses: set[tuple[str, str]] = set()
        self._quotas: set[tuple[str, str]] = set()
        self._owed: dict[tuple[str, str], list[float]] = {}
        self._read_at = self._quotas_at = self._tidied_at = -math.inf
        self._away_until = -math.inf
        self._is_away = False
        self._exchange: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, ledger: Ledger) -> Shared:
        """The allowances in a ledger's database, which is PostgreSQL. Raises LedgerError."""
        await ledger.ensure(metadata)
        return cls(ledger)

    async def close(self) -> None:
        """Write down what is not written yet."""
        if self._exchange is not None:
            await asyncio.wait([self._exchange], timeout=_PATIENCE)

    async def take(
        self, key: str, kind: str, amount: int, spans: Sequence[Span], *, within: float = math.inf, ahead: int = 0
    ) -> Grant:
        amount = min(amount, *(span.limit for span in spans))
        named: dict[str, Any] = {
            "amount": amount,
            "ahead": amount + ahead,
            "grain": GRAIN,
            "within": min(within, 1e9),
            "longest": max(span.seconds for span in spans),
            "mosts": [span.limit for span in spans],
            "spans": [span.seconds for span in spans],
        }
        rows = await self._ask(_TAKE, key=key, kind=kind, **named)
        if rows is None:
            return await self._take_alone(key, kind, amount, spans, within, ahead)
        row = rows[0]
        if row.fits:
            self._own.book(key, kind, self._monotonic() + row.wait, amount, named["longest"])
        return Grant(row.wait, bool(row.fits), row.at)

    async def _take_alone(self, key: str, kind: str, amount: int, spans: Sequence[Span], within: float, ahead: int) -> Grant:
        """A share of what is allowed, of which what this process took before is a part."""
        share = max(FEWEST, self.sharers(key))
        less = [Span(max(amount, span.limit // share), span.seconds) for span in spans]
        grant = await self._own.take(key, kind, amount, less, within=within, ahead=ahead)
        if grant.taken:
            self._owed.setdefault((key, kind), []).extend([grant.at] * amount)
        return Grant(grant.wait, grant.taken, -math.inf)

    async def give_back(self, key: str, kind: str, grant: Grant, amount: int) -> None:
        if grant.at > 0:
            await self._ask(_GIVE_BACK, key=key, kind=kind, at=grant.at, amount=amount)

    def pause(self, key: str, kind: str, seconds: float) -> None:
        if seconds > self._own.paused(key, kind) + _EVERY:
            self._own.pause(key, kind, seconds)
            self._pauses.add((key, kind))
            self._begin()

    def paused(self, key: str, kind: str) -> float:
        return self._own.paused(key, kind)

    def note(self, key: str, kind: str, left: Left) -> None:
        self._own.note(key, kind, left)
        self._quotas.add((key, kind))

    def left(self, key: str) -> Mapping[str, Left]:
        return self._own.left(key)

    def sharers(self, key: str) -> int:
        return max(1, self._count.get(key, 1))

    async def fresh(self, key: str) -> None:
        now = self._monotonic()
        known, self._asking[key] = key in self._asking, now
        if known and now - self._read_at < _EVERY:
            return
        if now >= self._away_until:
            await asyncio.shield(self._begin())

    # -- with the database

    def _begin(self) -> asyncio.Task[None]:
        """Write and read, unless that is under way."""
        if self._exchange is None or self._exchange.done():
            self._exchange = asyncio.create_task(self._exchange_all(), name="allowances")
        return self._exchange

    async def _exchange_all(self) -> None:
        while True:
            pauses, self._pauses = self._pauses, set()
            notes, booked = [*self._pausing(pauses), *self._quoting(), *self._living()], self._owed
            self._owed = {}
            if not await self._write(notes, booked):
                self._pauses |= pauses
                for which, moments in booked.items():
                    self._owed.setdefault(which, []).extend(moments)
                self._said.clear()
                return
            rows = await self._ask(_READ)
            if rows is None:
                return
            self._learn(rows)
            if not self._pauses:
                return

    async def _write(self, notes: Sequence[_Note], booked: dict[tuple[str, str], list[float]]) -> bool:
        """Whether all is written; of `booked`, what was not written stays."""
        now = self._monotonic()
        for (key, kind), moments in list(booked.items()):
            if await self._ask(_BOOK, key=key, kind=kind, ages=[now - moment for moment in moments]) is None:
                return False
            del booked[key, kind]
        if now - self._tidied_at > _TIDY and await self._ask(_FORGET, kept=_KEPT) is not None:
            self._tidied_at = now
        if not notes:
            return True
        names = ("keys", "kinds", "pauses", "mosts", "lefts", "seconds", "ages")
        columns = dict(zip(names, (list(column) for column in zip(*notes, strict=True)), strict=True))
        return await self._ask(_NOTE, **columns) is not None

    def _pausing(self, which: set[tuple[str, str]]) -> Iterator[_Note]:
        for key, kind in which:
            yield key, kind, min(self._own.paused(key, kind), _LONGEST), None, None, None, 0.0

    def _quoting(self) -> Iterator[_Note]:
        now = self._monotonic()
        if now - self._quotas_at < _QUOTAS:
            return
        self._quotas_at, which, self._quotas = now, self._quotas, set()
        for key, kind in which:
            left = self._own.left(key)[kind]
            limit = None if left.limit is None else min(left.limit, _INT)
            yield key, _SAYS + kind, 0.0, limit, min(left.remaining, _INT), left.seconds, max(0.0, self._wall() - left.noted)

    def _living(self) -> Iterator[_Note]:
        now = self._monotonic()
        for key, at in list(self._asking.items()):
            if now - at > _PRESENT:
                del self._asking[key]
            elif now - self._said.get(key, -math.inf) >= _PRESENT:
                self._said[key] = now
                yield key, self._name, 2 * _PRESENT, None, None, None, 0.0

    def _learn(self, rows: Sequence[Any]) -> None:
        self._read_at = self._monotonic()
        self._count = {}
        for row in rows:
            if row.kind.startswith(_ASKS):
                self._count[row.key] = self._count.get(row.key, 0) + 1
            elif row.kind.startswith(_SAYS):
                left = Left(row.most, row.remaining, row.seconds, self._wall() - row.age)
                self._own.note(row.key, row.kind.removeprefix(_SAYS), left)
            else:
                self._own.pause(row.key, row.kind, row.pause)

    async def _ask(self, statement: Any, **named: Any) -> Sequence[Any] | None:
        """Its rows; None where the database cannot be reached, which is not tried again for a while."""
        if self._monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(_PATIENCE), Using(self._engine.connect(), "asked") as connection:
                result = await connection.execute(statement, named)
                rows: Sequence[Any] = result.all() if result.returns_rows else ()
        except (LedgerError, TimeoutError) as error:
            self._away_until = self._monotonic() + _AWAY
            if not self._is_away:
                log.warning("limits are not shared for now: each process keeps a part of them", why=str(error) or "no answer")
            self._is_away = True
            return None
        if self._is_away:
            log.info("limits are shared again")
        self._is_away = False
        return rows
