"""The remote's branches and records as one pass read them, with what the pass itself has moved since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.forges.base import Moved
from bot.forges.git.clone import Clone, Listing, RefUpdate
from bot.forges.git.records import PREFIX, RequestRecord, dump, load, number_of


class Refs:
    """What stands where. `listing` is asked of the remote once a pass; every push keeps it up to date. Records are remembered as
    long as they stand there: each move of one makes another blob, and the former one is read no more."""

    def __init__(self, clone: Clone) -> None:
        self._clone = clone
        self._listing: Listing | None = None
        self._records: dict[tuple[str, str], RequestRecord] = {}  # by ref and blob

    async def read(self) -> Listing:
        """Ask the remote anew."""
        self._listing = await self._clone.listing()
        return self._listing

    async def listing(self) -> Listing:
        """What is known; asked of the remote where nothing is."""
        return self._listing if self._listing is not None else await self.read()

    def forget(self) -> None:
        """Something is not as it was read: ask again next time."""
        self._listing = None

    async def records(self) -> dict[int, RequestRecord]:
        """Every record, by number, in order."""
        listing = await self.listing()
        standing = [(ref, oid) for ref, oid in listing.refs.items() if number_of(ref) is not None]
        known = self._records
        fresh = await self._clone.objects({one[1] for one in standing if one not in known})
        self._records = {one: known[one] if one in known else load(fresh[one[1]], one[0]) for one in standing}
        return dict(sorted((record.number, record) for record in self._records.values()))

    async def record(self, number: int) -> RequestRecord:
        """One record. Raises Moved where it is gone."""
        listing = await self.listing()
        ref = f"{PREFIX}{number}"
        if ref not in listing.refs:
            raise Moved(f"{self._clone.name}: the record of request {number} is gone")
        oid = listing.refs[ref]
        if (ref, oid) not in self._records:
            self._records[ref, oid] = load((await self._clone.objects([oid]))[oid], ref)
        return self._records[ref, oid]

    async def write(self, record: RequestRecord) -> RefUpdate:
        """The move of a record's ref to its new content."""
        old = (await self.listing()).refs.get(record.ref)
        return RefUpdate(record.ref, old, await self._clone.add_blob(dump(record)))

    async def push(self, doing: str, updates: Sequence[RefUpdate]) -> None:
        """Move refs of the remote, all or none (see `Clone.push`)."""
        await self._clone.push(doing, updates)
        if self._listing is not None:
            refs = dict(self._listing.refs) | {update.ref: update.new or "" for update in updates}
            self._listing = replace(self._listing, refs={ref: oid for ref, oid in refs.items() if oid})


def newest(records: Mapping[int, RequestRecord]) -> dict[str, RequestRecord]:
    """The newest record of each branch: older ones are over, whatever becomes of the branch."""
    return {record.branch: record for _, record in sorted(records.items())}


def superfluous(records: Mapping[int, RequestRecord], keep: int) -> list[RequestRecord]:
    """Records that nothing needs any more: ended, not the newest of their branch, and older than the `keep` newest such ones."""
    current = newest(records)
    over = [record for record in records.values() if record.state != "open" and current[record.branch] is not record]
    return over[: max(0, len(over) - keep)]
