"""Reading a project's files and history: trees, blobs, what a branch changes, who committed what.

A tree comes in pages by keyset, and that of a large project the next time by what changed in it; a blob comes by its id, several
at the same time. Where very many blobs are wanted (the first look at a large project), one archive brings them all: each file of
it is held against its id, since an archive may leave files out or write something else into them (`export-ignore`,
`export-subst`), and what is missing is read by itself. GitLab.com gives five archives a minute, so at most four are asked for.
"""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from cachetools import LRUCache

from bot.forges.base import Change, Commit, Denied, Entry, ForgeError, Moved
from bot.forges.git.objects import blob_id
from bot.forges.gitlab.people import Us
from bot.forges.gitlab.requests import moment
from bot.forges.gitlab.session import Declined
from bot.forges.gitlab.wire import Lane, Wire, quoted

Json = Mapping[str, Any]

BLOB_LIMIT = 8 * 2**20
ARCHIVE_LIMIT = 64 * 2**20
ARCHIVE_FROM = 80
_FILES_KEPT = 200_000  # of all trees together
_UNPACKED_LIMIT = 1024 * 2**20
_SMALL = 10  # files: compared by themselves; more of them by whole trees
_SMALL_TREE = 100
_LARGE_TREE = 300  # files: from here on a new tree is told by its difference to one that is known
_FILES = frozenset({"100644", "100755", "120000"})
# A larger file is handed on as what no reader takes for anything: a YAML file of this size is reported as too large.
_TOO_LARGE = b"\0" * (BLOB_LIMIT + 1)


class Archives:
    """What the projects of one GitLab share: the trees that were read, and archives, one at a time and so many a minute."""

    def __init__(self, wire: Wire, most: int = 4) -> None:
        self.trees: LRUCache[str, Mapping[str, Entry]] = LRUCache(maxsize=_FILES_KEPT, getsizeof=lambda tree: len(tree) + 1)
        self._wire = wire
        self._most = most
        self._taken: deque[float] = deque()
        self._turn = asyncio.Lock()

    async def take(self, lane: Lane, commit: str) -> bytes | None:
        """The archive of a commit; None where it is not to be had now."""
        async with self._turn:
            now = self._wire.clock.monotonic()
            while self._taken and self._taken[0] < now - 60:
                self._taken.popleft()
            if len(self._taken) >= self._most:
                return None
            self._taken.append(now)
            try:
                query = {"sha": commit, "include_lfs_blobs": "false"}
                return (await lane.ask("get", "/repository/archive.tar.gz", query, limit=ARCHIVE_LIMIT, rare=True)).body
            except ForgeError:
                return None


class Reader:
    """Reads one project. Trees are remembered: an archive is found by them, and changes are told by them."""

    def __init__(self, lane: Lane, archives: Archives) -> None:
        self._lane = lane
        self._archives = archives
        self._trees = archives.trees
        self._recent: deque[str] = deque(maxlen=4)

    async def tree(self, commit: str) -> Mapping[str, Entry]:
        """Every file of a commit."""
        if commit not in self._trees:
            found = await self._grown(commit) or await self._listed(commit)
            if len(found) >= _FILES_KEPT // 2:
                return found
            self._trees[commit] = found
        if commit not in self._recent:
            self._recent.append(commit)
        return self._trees[commit]

    async def _listed(self, commit: str) -> Mapping[str, Entry]:
        try:
            rows = await self._lane.all("/repository/tree", ref=commit, recursive="true", pagination="keyset")
        except Declined as declined:
            if declined.status == 404:
                raise Moved(f"the commit {commit[:12]} is not there any more") from None
            raise
        return {str(row["path"]): Entry(str(row["id"]), str(row["mode"])) for row in rows if row.get("type") != "tree"}

    async def _grown(self, commit: str) -> Mapping[str, Entry] | None:
        """The tree of a commit by what it changes in a large one that is known; None: it has to be listed."""
        known = next((one for one in reversed(self._recent) if len(self._trees.get(one) or ()) > _LARGE_TREE), None)
        diffs = await self._diffs(known, commit) if known is not None else None
        if known is None or diffs is None or len(diffs) > _SMALL:
            return None
        tree, before = dict(self._trees[known]), {str(diff["old_path"]) for diff in diffs if not diff.get("new_file")}
        after = {str(diff["new_path"]): str(diff.get("b_mode")) for diff in diffs if not diff.get("deleted_file")}
        if before - tree.keys() or not set(after.values()) <= _FILES:
            return None
        oids = await asyncio.gather(*(self._file(path, commit) for path in after))
        for path in before:
            del tree[path]
        for (path, mode), entry in zip(after.items(), oids, strict=True):
            if entry is None:
                return None
            tree[path] = Entry(entry.oid, mode)
        return tree

    async def blobs(self, oids: Collection[str]) -> dict[str, bytes]:
        """The contents of blobs by id."""
        wanted = set(oids)
        found = await self._unpacked(wanted) if len(wanted) >= ARCHIVE_FROM else {}
        rest = sorted(wanted - found.keys())
        contents = await asyncio.gather(*map(self._blob, rest))
        return found | dict(zip(rest, contents, strict=True))

    async def _blob(self, oid: str) -> bytes:
        try:
            return (await self._lane.ask("get", f"/repository/blobs/{oid}/raw", limit=BLOB_LIMIT)).body
        except Denied as denied:
            if "larger than" in str(denied):
                return _TOO_LARGE
            raise

    async def _unpacked(self, wanted: Collection[str]) -> dict[str, bytes]:
        """As many of the blobs as the archive of a commit that we know has."""
        best: Mapping[str, str] = {}
        commit = ""
        for known in self._recent:
            entries = self._trees.get(known) or {}
            here = {path: entry.oid for path, entry in entries.items() if entry.oid in wanted}
            if len(here) > len(best):
                best, commit = here, known
        if len(best) < ARCHIVE_FROM:
            return {}
        data = await self._archives.take(self._lane, commit)
        return await asyncio.to_thread(_unpack, data, best) if data else {}

    async def changes(self, head: str, fork: str | None, base: str) -> Sequence[Change]:
        """What the commit `head` changes against `fork`, the commit under it on `base` (None: to be found)."""
        if fork is None:
            found = await self._lane.get("/repository/merge_base", **{"refs[]": [base, head]})
            fork = str(found["id"])
        small = fork in self._trees and len(self._trees[fork]) <= _SMALL_TREE
        paths = [] if small else await self._paths(fork, head)
        if not paths or len(paths) > _SMALL:
            return differences(await self.tree(fork), await self.tree(head))
        sides = await asyncio.gather(*(self._file(path, ref) for path in paths for ref in (fork, head)))
        before, after = dict(zip(paths, sides[::2], strict=True)), dict(zip(paths, sides[1::2], strict=True))
        if any(before[path] == after[path] for path in paths):  # it could not be read this way
            return differences(await self.tree(fork), await self.tree(head))
        return differences({p: e for p, e in before.items() if e}, {p: e for p, e in after.items() if e})

    async def _paths(self, fork: str, head: str) -> list[str]:
        """The paths that differ, where GitLab says so quickly and in full; else none."""
        diffs = await self._diffs(fork, head) or []
        return sorted({str(diff[side]) for diff in diffs for side in ("old_path", "new_path")})

    async def _diffs(self, one: str, other: str) -> list[Json] | None:
        """What differs between two commits; None where that cannot be told in full."""
        try:
            found = await self._lane.get("/repository/compare", **{"from": one, "to": other, "straight": "true"})
        except Declined:
            return None
        return None if found.get("compare_timeout") or "diffs" not in found else list(found["diffs"] or ())

    async def _file(self, path: str, ref: str) -> Entry | None:
        """A file's blob and mode at a commit, without its content."""
        if ref in self._trees:
            return self._trees[ref].get(path)
        try:
            answer = await self._lane.ask("head", f"/repository/files/{quoted(path)}", {"ref": ref})
        except Declined as declined:
            if declined.status in (404, 405):
                return None
            raise
        oid = answer.headers.get("x-gitlab-blob-id")
        if not oid or "x-gitlab-execute-filemode" not in answer.headers:
            return None
        return Entry(oid, "100755" if answer.headers["x-gitlab-execute-filemode"] == "true" else "100644")

    async def history(
        self, base: str, paths: Sequence[str], since: datetime | None, us: Us, emails: Collection[str]
    ) -> Sequence[Commit]:
        """The newest commits of a branch that touched any of the paths (none: all of them), newest first."""
        query: dict[str, Any] = {"ref_name": base, "per_page": 100}
        if since is not None:
            query["since"] = since.isoformat()
        each = [query | {"path": path} for path in dict.fromkeys(paths)] or [query]
        asked = [self._lane.get("/repository/commits", **one) for one in each]
        found = {str(row["id"]): _commit(row, us, emails) for rows in await asyncio.gather(*asked) for row in rows}
        return sorted(found.values(), key=lambda commit: commit.at, reverse=True)[:300]


def differences(before: Mapping[str, Entry], after: Mapping[str, Entry]) -> list[Change]:
    """The files that are not the same in two trees."""
    pairs = ((path, before.get(path), after.get(path)) for path in sorted(before.keys() | after.keys()))
    return [_change(path, old, new) for path, old, new in pairs if _side(old) != _side(new)]


def _side(entry: Entry | None) -> tuple[str, str] | None:
    return (entry.oid, entry.mode) if entry else None


def _change(path: str, old: Entry | None, new: Entry | None) -> Change:
    (old_oid, old_mode), (new_oid, new_mode) = _side(old) or (None, None), _side(new) or (None, None)
    return Change(path, old_oid, new_oid, old_mode, new_mode)


def _commit(row: Json, us: Us, emails: Collection[str]) -> Commit:
    at = moment(row.get("committed_date") or row.get("created_at"))
    assert at is not None
    return Commit(str(row["id"]), str(row.get("author_name") or ""), str(row.get("message") or ""), at, us.is_author(row, emails))


def _unpack(data: bytes, wanted: Mapping[str, str]) -> dict[str, bytes]:
    """The wanted files of an archive, by blob id, those whose content has that id."""
    found: dict[str, bytes] = {}
    left = _UNPACKED_LIMIT
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r|gz") as archive:
            for member in archive:
                left -= max(member.size, 512)
                if left < 0:
                    break
                oid = wanted.get(member.name.partition("/")[2])
                if oid is None or not member.isfile() or member.size > BLOB_LIMIT:
                    continue
                content = archive.extractfile(member)
                found |= _checked(oid, content.read() if content else b"")
    except (tarfile.TarError, OSError, EOFError):  # what is missing is read by itself
        pass
    return found


def _checked(oid: str, content: bytes) -> Iterable[tuple[str, bytes]]:
    return [(oid, content)] if blob_id(content, "sha256" if len(oid) == 64 else "sha1") == oid else []
