"""The clone that is kept between passes: bare, shallow, without file contents where the remote can leave them out.

What the remote has is asked with one `ls-remote`; objects are fetched by exactly the ids that it told, so a look is one
moment of the repository. The clone is only a cache: damaged, outgrown or gone, it is made anew. Only one process at a time
works in it (a file lock beside it); whoever comes second waits.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import structlog
from cachetools import LRUCache

from bot.forges.base import Denied, ForgeError, Moved, Unreachable
from bot.forges.git import lock
from bot.forges.git.address import object_id
from bot.forges.git.cli import MIB, Answer, Git, write_home
from bot.forges.git.errors import BrokenClone, lacks_objects, network_trouble, push_trouble
from bot.forges.git.objects import read_batch

T = TypeVar("T")
log = structlog.get_logger(__name__)

_PACKS_LIMIT = 150
_BLOBS_LIMIT = 256 * MIB
_KNOWN = 50  # commits, and more where a look uses more
_NOT_THERE = re.compile(
    r"not our ref|unadvertised object|could not find remote ref|couldn't find remote ref|no such remote ref", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Listing:
    """The remote's branches and records (`refs` by full name), and the branch that its HEAD names, if it exists."""

    refs: Mapping[str, str]
    head_branch: str | None

    @property
    def object_format(self) -> Literal["sha1", "sha256"]:
        return "sha256" if any(len(oid) == 64 for oid in self.refs.values()) else "sha1"


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """One ref of a push: from `old` (None: it must not exist) to `new` (None: delete it)."""

    ref: str
    old: str | None
    new: str | None


class Clone:
    """The kept clone of one remote, in a folder of its own."""

    def __init__(self, git: Git, folder: Path) -> None:
        self.git = git
        self.name = git.address.name
        self.filtered = git.address.scheme != "file"
        self._folder = folder
        self._path = git.clone
        self._busy = asyncio.Lock()
        self._known: LRUCache[str, bytes] = LRUCache(_KNOWN)  # small objects by id: they never change
        self._refs: dict[str, str] | None = None  # what the clone has of the remote's refs, while it is held

    # -- who may work in it

    async def work(self, doing: Callable[[], Awaitable[T]]) -> T:
        """Run a piece of work with the clone held; once more on a new clone where this one turned out to be broken."""
        async with self._held():
            try:
                return await doing()
            except BrokenClone as error:
                log.warning("clone thrown away", remote=self.name, why=str(error))
                await self.discard()
            try:
                return await doing()
            except BrokenClone as error:
                await self.git.require_version()
                raise Unreachable(f"{self.name}: {error}") from None

    @asynccontextmanager
    async def _held(self) -> AsyncIterator[None]:
        async with self._busy, lock.held(self._folder, self.name):
            try:
                write_home(self._folder / "home", self.git.address)
            except OSError as error:
                raise Denied(f"the folder for clones cannot be written: {error}") from None
            self._refs = None
            yield

    async def discard(self) -> None:
        """Throw the clone away; the next fetch makes it anew."""
        self._known.clear()
        self._refs = None
        old = self._path.with_name("clone.old")
        await asyncio.to_thread(shutil.rmtree, old, ignore_errors=True)
        if self._path.exists():
            self._path.rename(old)
        await asyncio.to_thread(shutil.rmtree, old, ignore_errors=True)

    async def tidy(self) -> None:
        """Throw the clone away where it has collected much that nothing needs any more."""
        if len(list(self._path.glob("objects/pack/*.pack"))) > _PACKS_LIMIT:
            async with self._held():
                await self.discard()

    # -- what the remote has

    async def listing(self) -> Listing:
        """One `ls-remote`: branches, our records, HEAD."""
        out = await self.git.remote(
            "reading its branches", "ls-remote", "--quiet", "--symref", "--end-of-options",
            "origin", "HEAD", "refs/heads/*", "refs/tagboat/*",
        )  # fmt: skip
        refs, head = {}, None
        for line in out.decode("utf-8", "surrogateescape").splitlines():
            value, _, name = line.partition("\t")
            if value.startswith("ref: refs/heads/") and name == "HEAD":
                head = value.removeprefix("ref: refs/heads/")
            elif name.startswith(("refs/heads/", "refs/tagboat/")):
                refs[name] = value
        return Listing(refs, head if head is not None and f"refs/heads/{head}" in refs else None)

    async def bring(self, tips: Mapping[str, str], listing: Listing) -> None:
        """Have these refs (with the ids of the listing) and what they hold, as deep as the clone is."""
        await self._ready(listing.object_format)
        seen = await self._seen()
        stale = [ref for ref in seen if ref not in listing.refs]
        if stale:
            # Before the fetch: a branch `a` may have made room for a branch `a/b`.
            await self.git.local(
                "update-ref",
                "--stdin",
                stdin="".join(f"delete {_seen_as(ref)}\n" for ref in stale).encode("utf-8", "surrogateescape"),
            )
            for ref in stale:
                del seen[ref]
        wanted = {ref: oid for ref, oid in tips.items() if seen.get(ref) != oid}
        if wanted:
            await self._fetch(wanted, self.depth)
            seen |= wanted

    async def deepen(self, tips: Mapping[str, str], depth: int) -> bool:
        """Have at least `depth` generations of these refs. False where the clone was that deep already, or is whole."""
        if depth <= self.depth or not (self._path / "shallow").exists():
            return False
        await self._fetch(tips, depth)
        (self._path / "tagboat").write_text(json.dumps({"depth": depth}))
        return True

    @property
    def depth(self) -> int:
        """How many generations of commits are fetched; it only grows, until the clone is made anew."""
        try:
            return int(json.loads((self._path / "tagboat").read_text())["depth"])
        except (OSError, ValueError, KeyError, TypeError):
            return 1

    def boundary(self) -> frozenset[str]:
        """The commits whose parents were not fetched."""
        shallow = self._path / "shallow"
        return frozenset(shallow.read_text().split()) if shallow.exists() else frozenset()

    async def _seen(self) -> dict[str, str]:
        if self._refs is not None:
            return self._refs
        out = await self.git.local("for-each-ref", "--format=%(objectname) %(refname)", "refs/seen/")
        rows = (line.split(" ", 1) for line in out.decode("utf-8", "surrogateescape").splitlines())
        self._refs = {"refs/" + name.removeprefix("refs/seen/"): oid for oid, name in rows}
        return self._refs

    async def _ready(self, object_format: str) -> None:
        if (self._path / "HEAD").exists():
            return
        fresh = self._path.with_name("clone.new")
        await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)
        await self.git.local(
            "init", "--quiet", "--bare", "--template=", f"--object-format={object_format}", "--initial-branch=none", str(fresh)
        )
        fresh.rename(self._path)

    async def _fetch(self, refs: Mapping[str, str], depth: int | None) -> None:
        lines = "".join(f"+{object_id(oid)}:{_seen_as(ref)}\n" for ref, oid in refs.items())
        answer = await self._fetching(lines, depth)
        if answer is not None:
            raise answer

    async def _fetching(
        self, lines: str, depth: int | None, config: Mapping[str, str] | None = None
    ) -> ForgeError | BrokenClone | None:
        args = [
            "fetch", "--quiet", "--force", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance",
            "--no-recurse-submodules", "--stdin",
        ]  # fmt: skip
        if depth:
            args.append(f"--depth={depth}")
        if self.filtered:
            args.append("--filter=blob:none")
        answer = await self.git.exchange(
            *args,
            "--end-of-options",
            "origin",
            stdin=lines.encode("utf-8", "surrogateescape"),
            config=self._promise() | dict(config or {}),
        )
        if not answer.code:
            return None
        if _NOT_THERE.search(answer.err):
            return Moved(f"{self.name}: what was to be fetched is there no more")
        return network_trouble(self.name, "fetching", answer.err, self.git.redact)

    def _promise(self) -> dict[str, str]:
        # Given to commands that speak with the remote alone: in the clone itself a missing object is just missing,
        # and no command fetches it by surprise.
        return {"remote.origin.promisor": "true", "remote.origin.partialclonefilter": "blob:none"} if self.filtered else {}

    # -- objects

    async def objects(self, oids: Collection[str]) -> dict[str, bytes]:
        """The contents of objects by id, fetched where the clone lacks them. Raises Moved where the remote lacks them too."""
        found = await self._read([object_id(oid) for oid in dict.fromkeys(oids)])
        absent = [oid for oid in oids if oid not in found]
        if absent:
            await self.fetch_objects(absent)
            found |= await self._read(absent)
            if any(oid not in found for oid in absent):
                raise BrokenClone("objects that were just fetched are not there")
        return found

    async def _read(self, oids: Sequence[str]) -> dict[str, bytes]:
        if not oids or not (self._path / "HEAD").exists():
            return {}
        out = await self.git.local(
            "cat-file", "--batch", "--buffer", stdin="".join(f"{oid}\n" for oid in oids).encode(), limit=_BLOBS_LIMIT
        )
        return {oid: data for oid, _, data in read_batch(out) if data is not None}

    async def small(self, oids: Collection[str]) -> dict[str, bytes]:
        """As `objects`, for commits: what was read lately is remembered, three times as many as were asked for at once."""
        if 3 * len(oids) > self._known.maxsize:
            known, self._known = self._known, LRUCache(3 * len(oids))
            self._known.update(known)
        found = {oid: self._known[oid] for oid in dict.fromkeys(oids) if oid in self._known}
        if absent := [oid for oid in dict.fromkeys(oids) if oid not in found]:
            found |= await self.objects(absent)
        self._known.update(found)
        return found

    async def fetch_objects(self, oids: Collection[str], depth: int | None = None) -> None:
        """Fetch objects by id. Raises Moved where the remote has them no more."""
        await self._ready("sha256" if any(len(oid) == 64 for oid in oids) else "sha1")
        trouble = await self._fetching(
            "".join(f"{object_id(oid)}\n" for oid in oids), depth, {"fetch.negotiationAlgorithm": "noop"}
        )
        if trouble is not None:
            raise trouble

    async def has(self, oid: str) -> bool:
        """Whether a commit and its tree are in the clone."""
        return not (await self.git.answer("cat-file", "-e", f"{object_id(oid)}^{{tree}}", ok=(0, 1, 128))).code

    async def need_commit(self, oid: str) -> None:
        """Have a commit and its tree. Raises Moved where the remote has it no more."""
        if not (self._path / "HEAD").exists() or not await self.has(oid):
            await self.fetch_objects([oid], depth=1)

    async def add(self, stream: bytes) -> str:
        """Make a commit from a stream of `commit_stream`; its id."""
        out = await self.git.local("fast-import", "--quiet", "--force", "--done", "--date-format=raw", stdin=stream)
        return object_id(out.decode("ascii").strip())

    async def add_blob(self, data: bytes) -> str:
        """Put a blob into the clone; its id."""
        return object_id(
            (await self.git.local("hash-object", "-w", "--no-filters", "--stdin", stdin=data)).decode("ascii").strip()
        )

    # -- moving the remote's refs

    async def push(self, doing: str, updates: Sequence[RefUpdate]) -> None:
        """Move refs of the remote, all or none, each only from the value that was read.

        Raises Moved where one stands elsewhere by now, Refused where the remote says no, other ForgeErrors for other trouble."""
        answer = await self._pushing(updates, fetching=False)
        if answer.code and lacks_objects(answer.err):
            # The base moved, so git no longer sees that the remote has what is under our commit, and misses file contents.
            # With the new base at hand it misses few, and may fetch these.
            listing = await self.listing()
            moved = {ref: listing.refs[ref] for ref in await self._seen() if ref in listing.refs}
            await self.bring(moved, listing)
            answer = await self._pushing(updates, fetching=True)
        if answer.code:
            raise push_trouble(self.name, doing, answer.out.decode("utf-8", "replace"), answer.err, self.git.redact)
        await self._keep(updates)

    async def _pushing(self, updates: Sequence[RefUpdate], *, fetching: bool) -> Answer:
        leases = [f"--force-with-lease={update.ref}:{update.old or ''}" for update in updates]
        specs = [f"{object_id(update.new) if update.new else ''}:{update.ref}" for update in updates]
        return await self.git.exchange(
            "push", "--porcelain", "--atomic", "--no-verify", "--no-signed", "--no-recurse-submodules", *leases,
            "--end-of-options", "origin", *specs, config=self._promise(), fetching=fetching,
        )  # fmt: skip

    async def _keep(self, updates: Sequence[RefUpdate]) -> None:
        # Our own commits, fetched again at the clone's depth, would be cut off from their parents.
        lines = [f"update {_seen_as(update.ref)}\0{update.new}\0\0" for update in updates if update.new]
        lines += [f"delete {_seen_as(update.ref)}\0\0" for update in updates if not update.new]
        self._refs = None
        try:
            await self.git.local("update-ref", "--stdin", "-z", stdin="".join(lines).encode("utf-8", "surrogateescape"))
        except BrokenClone:
            # What was pushed stands; only this clone has to be made anew.
            await self.discard()


def _seen_as(ref: str) -> str:
    return "refs/seen/" + ref.removeprefix("refs/")
