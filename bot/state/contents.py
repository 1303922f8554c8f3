"""Trees and blobs that were read from a forge, kept in the ledger's database: the next process reads only what changed.

They are named by what they hold, so nothing of it can be out of date. Losing it costs requests, nothing else: trouble with the
database is logged and passed over.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Column, Float, LargeBinary, MetaData, Table, delete, select

from bot.forges.base import Entry
from bot.state.ledger import Ledger, LedgerError
from bot.state.tables import Words

log = structlog.get_logger(__name__)

metadata = MetaData()
_contents = Table(
    "contents",
    metadata,
    Column("name", Words(80), primary_key=True),
    Column("at", Float, nullable=False, index=True),
    Column("data", LargeBinary, nullable=False),
)
_LARGEST_BLOB = 256 * 1024  # bytes; a larger one is read again
_LARGEST_TREE = 50_000  # files
_KEPT = 30 * 86400.0  # seconds since it was put there
_TIDY = 3600.0  # seconds from one sweep to the next
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Contents:
    """What is kept in one ledger. Nothing here raises for trouble with the database."""

    ledger: Ledger
    tidied: dict[str, float] = field(default_factory=dict)

    async def tree(self, commit: str) -> Mapping[str, Entry] | None:
        """Every file of a commit, where it was read before."""
        found = await self._read([f"tree:{commit}"])
        if not found:
            return None
        rows = json.loads(next(iter(found.values())))
        return {path: Entry(oid, mode, size) for path, oid, mode, size in rows}

    async def keep_tree(self, commit: str, entries: Mapping[str, Entry]) -> None:
        """Keep a commit's files."""
        if len(entries) <= _LARGEST_TREE:
            rows = [(path, entry.oid, entry.mode, entry.size) for path, entry in entries.items()]
            await self._write({f"tree:{commit}": json.dumps(rows).encode("utf-8", "surrogatepass")})

    async def blobs(self, oids: Iterable[str]) -> dict[str, bytes]:
        """Those of these blobs that were read before."""
        found = await self._read([f"blob:{oid}" for oid in oids])
        return {name.partition(":")[2]: data for name, data in found.items()}

    async def keep_blobs(self, blobs: Mapping[str, bytes]) -> None:
        """Keep blobs."""
        await self._write({f"blob:{oid}": data for oid, data in blobs.items() if len(data) <= _LARGEST_BLOB})

    async def _read(self, names: Sequence[str]) -> dict[str, bytes]:
        try:
            await self.ledger.ensure(metadata)
            found: dict[str, bytes] = {}
            async with self.ledger.reading() as connection:
                for at in range(0, len(names), _AT_ONCE):
                    some = names[at : at + _AT_ONCE]
                    rows = await connection.execute(select(_contents.c.name, _contents.c.data).where(_contents.c.name.in_(some)))
                    found |= {row.name: zlib.decompress(row.data) for row in rows}
            return found
        except (LedgerError, zlib.error) as error:
            log.warning("contents not at hand", why=str(error))
            return {}

    async def _write(self, contents: Mapping[str, bytes]) -> None:
        now = time.time()
        rows = [{"name": name, "at": now, "data": zlib.compress(data, 3)} for name, data in contents.items()]
        try:
            await self.ledger.ensure(metadata)
            async with self.ledger.writing() as connection:
                for at in range(0, len(rows), _AT_ONCE):
                    await connection.execute(self.ledger.insert_new(_contents).values(rows[at : at + _AT_ONCE]))
                if now - self.tidied.get("at", 0.0) > _TIDY:
                    await connection.execute(delete(_contents).where(_contents.c.at < now - _KEPT))
                    self.tidied["at"] = now
        except LedgerError as error:
            log.warning("contents not kept", why=str(error))
