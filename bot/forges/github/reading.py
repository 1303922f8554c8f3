"""Files and commits on GitHub, in as few requests as it takes.

tree       one request; where GitHub cuts it off, folder by folder
blobs      many in one GraphQL query; by REST what is binary, large, or not exactly what its id says; a first look at very many
           files takes the whole archive instead
changes    the two trees compared: a diff by GitHub has no modes, and ends after 300 files
history    several paths in one GraphQL query
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog

from bot.forges.base import Change, Commit, Denied, Entry, ForgeError, Unreachable
from bot.forges.github import queries
from bot.forges.github.answers import quoted
from bot.forges.github.archive import from_archive
from bot.forges.github.place import Json, Place, blob_id, whole
from bot.forges.github.wire import Wire
from rules.requests import PullRequest

log = structlog.get_logger(__name__)

BATCH = 60
ARCHIVE_FROM = 400  # blobs that are wanted at once
_BATCH_BYTES = 4 * 1024 * 1024
_TEXT_LIMIT = 512 * 1024  # GraphQL cuts larger texts off
_PATHS = 20
_LIMIT = 300
_TREE = "tree"


class Reader:
    """Reads what a place holds."""

    def __init__(self, wire: Wire, place: Place) -> None:
        self._wire = wire
        self._place = place

    async def tree(self, commit: str) -> Mapping[str, Entry]:
        """Every file of a commit."""
        place = self._place
        if commit not in place.trees:
            entries = await self._tree(commit)
            place.sizes.update({entry.oid: entry.size for entry in entries.values() if entry.size is not None})
            place.trees[commit] = entries
        place.listed = commit
        return place.trees[commit]

    async def _tree(self, commit: str) -> dict[str, Entry]:
        answer = await self._wire.get(f"{self._place.rest}/git/trees/{commit}?recursive=1")
        if not answer.get("truncated"):
            return dict(_files(answer, ""))
        self._place.large = True
        return await self._walked(commit, "")

    async def _walked(self, tree: str, root: str) -> dict[str, Entry]:
        """All files below a folder, folder by folder."""
        entries: dict[str, Entry] = {}
        waiting = [(root, tree)]
        while waiting:
            folder, oid = waiting.pop()
            answer = await self._wire.get(f"{self._place.rest}/git/trees/{oid}")
            if answer.get("truncated"):
                raise ForgeError(f"{self._place.path}: the folder {folder or '/'} has more files than GitHub lists")
            entries |= _files(answer, folder)
            for row in answer["tree"]:
                if row["type"] == _TREE:
                    whole_one = await self._below(row["sha"], f"{folder}{row['path']}/")
                    if whole_one is None:
                        waiting.append((f"{folder}{row['path']}/", row["sha"]))
                    else:
                        entries |= whole_one
        return entries

    async def _below(self, oid: str, folder: str) -> dict[str, Entry] | None:
        """All files below a folder; None where GitHub cuts that off too."""
        answer = await self._wire.get(f"{self._place.rest}/git/trees/{oid}?recursive=1")
        return None if answer.get("truncated") else dict(_files(answer, folder))

    async def blobs(self, oids: Collection[str]) -> Mapping[str, bytes]:
        """Contents by id."""
        place = self._place
        found = {oid: place.blobs[oid] for oid in set(oids) if oid in place.blobs}
        wanted = sorted(set(oids) - found.keys())
        if len(wanted) >= ARCHIVE_FROM and place.listed is not None:
            try:
                found |= await from_archive(self._wire, place, place.listed, wanted)
            except Unreachable as error:
                log.warning("archive not read", repository=place.path, why=str(error))
            wanted = [oid for oid in wanted if oid not in found]
        small = [oid for oid in wanted if place.sizes.get(oid, 0) <= _TEXT_LIMIT]
        for some in self._batches(small):
            found |= await self._batch(some)
        for oid in wanted:
            if oid not in found:
                found[oid] = await self._one(oid)
        return found

    def _batches(self, oids: Sequence[str]) -> Iterable[list[str]]:
        some: list[str] = []
        size = 0
        for oid in oids:
            size += self._place.sizes.get(oid, 0)
            if some and (len(some) >= BATCH or size > _BATCH_BYTES):
                yield some
                some, size = [], self._place.sizes.get(oid, 0)
            some.append(oid)
        if some:
            yield some

    async def _batch(self, oids: Sequence[str]) -> dict[str, bytes]:
        """Those of the blobs whose text is all of them."""
        places = self._places(oids)
        variables = {f"b{at}": places.get(oid, oid) for at, oid in enumerate(oids)}
        data, _ = await self._wire.query(queries.blobs([oid in places for oid in oids]), **variables, **self._place.names)
        answer = data.get("repository") or {}
        found: dict[str, bytes] = {}
        for at, oid in enumerate(oids):
            blob = answer.get(f"b{at}")
            content = whole(blob) if blob and blob.get("oid") == oid else None
            if content is not None:
                found[oid] = content
        return found

    def _places(self, oids: Collection[str]) -> dict[str, str]:
        """Where blobs stand in the commit that was listed last, as GitHub reads an expression."""
        commit, wanted = self._place.listed, set(oids)
        entries = self._place.trees.get(commit or "", {})
        return {entry.oid: f"{commit}:{path}" for path, entry in entries.items() if entry.oid in wanted and _is_text(path)}

    async def _one(self, oid: str) -> bytes:
        answer = await self._wire.get(f"{self._place.rest}/git/blobs/{oid}")
        try:
            data = base64.b64decode(answer["content"]) if answer["encoding"] == "base64" else answer["content"].encode()
        except (KeyError, TypeError, binascii.Error, ValueError):
            raise ForgeError(f"{self._place.path}: GitHub does not give the content of {oid[:12]}") from None
        if blob_id(data) != oid:
            raise Unreachable(f"{self._place.path}: GitHub gives another content than {oid[:12]}")
        return data

    async def changes(self, request: PullRequest) -> Sequence[Change]:
        """What a branch changes against its merge base."""
        known = self._place.known.get(request.number)
        fork = known.fork if known is not None and known.head == request.head else None
        if fork is None:
            base = quoted(request.base).replace("/", "%2F")
            answer = await self._wire.get(f"{self._place.rest}/compare/{base}...{request.head}?per_page=1")
            fork = str(answer["merge_base_commit"]["sha"])
        if self._place.large:
            pairs_of = await self._compared(fork, request.head, "")
            return [_change(path, *sides) for path, sides in sorted(pairs_of.items()) if _differ(*sides)]
        listed = self._place.listed
        before, after = await self.tree(fork), await self.tree(request.head)
        self._place.listed = listed
        pairs = ((path, before.get(path), after.get(path)) for path in sorted(before.keys() | after.keys()))
        return [_change(path, old, new) for path, old, new in pairs if _differ(old, new)]

    async def _compared(self, old: str, new: str, folder: str) -> dict[str, tuple[Entry | None, Entry | None]]:
        """The files that may differ between two trees, where whole trees are too large: only folders that differ are opened."""
        sides = [await self._wire.get(f"{self._place.rest}/git/trees/{oid}") for oid in (old, new)]
        if any(side.get("truncated") for side in sides):
            raise ForgeError(f"{self._place.path}: the folder {folder or '/'} has more files than GitHub lists")
        one, other = ({row["path"]: row for row in side["tree"]} for side in sides)
        found: dict[str, tuple[Entry | None, Entry | None]] = {}
        for name in sorted(one.keys() | other.keys()):
            rows = (one.get(name), other.get(name))
            if _alike(*rows):
                continue
            trees = [row["sha"] if row and row["type"] == _TREE else None for row in rows]
            if trees[0] and trees[1]:
                found |= await self._compared(trees[0], trees[1], f"{folder}{name}/")
                continue
            before, after = [await self._side(row, folder) for row in rows]
            found |= {path: (before.get(path), after.get(path)) for path in before.keys() | after.keys()}
        return found

    async def _side(self, row: Json | None, folder: str) -> dict[str, Entry]:
        """All files of one row of a tree."""
        if row is not None and row["type"] == _TREE:
            return await self._walked(row["sha"], f"{folder}{row['path']}/")
        return dict(_files({"tree": [row] if row else []}, folder))

    async def history(self, base: str, paths: Sequence[str], since: datetime | None) -> Sequence[Commit]:
        """The newest commits that touched any of the paths; without paths, the newest of all."""
        found: dict[str, Commit] = {}
        moment = since.astimezone(UTC).isoformat() if since else None
        for start in range(0, max(len(paths), 1), _PATHS):
            some = paths[start : start + _PATHS]
            variables: dict[str, Any] = {f"p{at}": path for at, path in enumerate(some)}
            data, troubles = await self._wire.query(
                queries.history(len(some)), ref=f"refs/heads/{base}", since=moment, **variables, **self._place.names
            )
            ref = (data.get("repository") or {}).get("ref")
            if ref is None:
                raise Denied(
                    f"{self._place.path}: there is no branch {base!r}" + (f" ({troubles[0].message})" if troubles else "")
                )
            for at in range(max(len(some), 1)):
                nodes = ((ref.get("target") or {}).get(f"p{at}") or {}).get("nodes") or ()
                found |= {commit.oid: commit for commit in (self._commit(node) for node in nodes if node)}
        return sorted(found.values(), key=lambda commit: commit.at, reverse=True)[:_LIMIT]

    def _commit(self, node: Json) -> Commit:
        author = node.get("author") or {}
        message = str(node.get("message") or "")
        return Commit(
            oid=str(node["oid"]),
            author=str((author.get("user") or {}).get("login") or author.get("name") or ""),
            message=message,
            at=datetime.fromisoformat(node["committedDate"]),
            ours=self._place.us.wrote(author, message),
        )


def _alike(old: Json | None, new: Json | None) -> bool:
    return old is not None and new is not None and (old["sha"], old["mode"]) == (new["sha"], new["mode"])


def _is_text(path: str) -> bool:
    """Whether a path can be said in JSON: git's names are bytes."""
    return not any("\ud800" <= char <= "\udfff" for char in path)


def _files(answer: Json, folder: str) -> Iterable[tuple[str, Entry]]:
    for row in answer["tree"]:
        if row["type"] != _TREE:
            yield f"{folder}{row['path']}", Entry(row["sha"], row["mode"], row.get("size"))


def _change(path: str, old: Entry | None, new: Entry | None) -> Change:
    before, after = ((side.oid, side.mode) if side else (None, None) for side in (old, new))
    return Change(path, before[0], after[0], before[1], after[1])


def _differ(before: Entry | None, after: Entry | None) -> bool:
    return before is None or after is None or (before.oid, before.mode) != (after.oid, after.mode)
