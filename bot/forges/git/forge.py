"""Plain git: any repository by URL, no API.

    forges:
      - {kind: git, url: "file:///srv/git/gitops.git", branch: main}

A request is a branch plus its record (`refs/tagboat/requests/<number>`, see `records`). What people do is read from where the
branches stand (see `people`); a branch that is not where we put it was edited by a person.
Every write is one atomic push in which each ref moves only from the value that was read: there is no half-done state to find
after a crash, and whoever comes second is told `Moved`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import structlog

from bot.forges.base import (
    Change,
    Comment,
    Commit,
    Denied,
    Entry,
    ForgeError,
    ForgeKind,
    Landed,
    Landing,
    Look,
    NotLanded,
    Project,
    Standing,
)
from bot.forges.git import history
from bot.forges.git.address import Address, branch_ref
from bot.forges.git.cli import Access, Git
from bot.forges.git.clone import Clone, Listing, RefUpdate
from bot.forges.git.errors import Refused
from bot.forges.git.objects import Person, read_tree
from bot.forges.git.people import METHODS, People
from bot.forges.git.records import RequestRecord, number_of
from bot.forges.git.refs import Refs, newest, superfluous
from bot.forges.git.writing import FAULT_POINTS, Writer
from rules.merging import Protection
from rules.plan import PullRequest
from rules.proposals import Message, Proposal

__all__ = ["FAULT_POINTS", "METHODS", "GitForge"]

T = TypeVar("T")
log = structlog.get_logger(__name__)

_SUPERFLUOUS = 100


class GitForge:
    """One plain git repository. `cache` is the folder under which clones are kept; `branch` the base branch, where it is not
    the remote's own; `author` name and e-mail of our commits. `fault` is called with the name of each fault point."""

    kind: ForgeKind = "git"

    def __init__(
        self,
        url: str,
        *,
        branch: str | None = None,
        cache: Path,
        ssh_key: Path | None = None,
        known_hosts: Path | None = None,
        username: str | None = None,
        password: str | None = None,
        author: tuple[str, str] = ("tagboat", "tagboat@localhost"),
        signoff: bool = False,
        now: Callable[[], datetime],
        fault: Callable[[str], None] = lambda point: None,
    ) -> None:
        address = Address.parse(url)
        if branch is not None:
            branch_ref(branch)
        folder = cache.absolute() / hashlib.sha256(address.url.encode("utf-8", "surrogateescape")).hexdigest()[:24]
        access = Access(ssh_key, known_hosts, username, password)
        self.name = address.name
        self._clone = Clone(Git(address, folder / "clone", folder / "home", access), folder)
        self._refs = Refs(self._clone)
        us = Person(*author)
        self._people = People(self._clone, us, now)
        self._writer = Writer(self._clone, self._refs, self._people, us, signoff, now, fault)
        self._branch = branch
        self._us = us
        self._fault = fault

    # -- looking

    async def look(self, bases: Sequence[str] = ()) -> Look:
        """Heads and our requests; one `ls-remote` where nothing moved. What people did since is written to the records."""
        return await self._do(lambda: self._look(bases))

    async def tree(self, commit: str) -> Mapping[str, Entry]:
        """Every file of a commit. Sizes are known where the clone holds the contents."""

        async def read() -> Mapping[str, Entry]:
            await self._clone.need_commit(commit)
            sizes = () if self._clone.filtered else ("-l",)
            return read_tree(await self._clone.git.local("ls-tree", "-r", "-z", "--full-tree", *sizes, commit))

        return await self._do(read)

    async def blobs(self, oids: Collection[str]) -> Mapping[str, bytes]:
        """The contents of blobs, those that the clone lacks in one fetch."""
        return await self._do(lambda: self._clone.objects(oids))

    async def changes(self, request: PullRequest) -> Sequence[Change]:
        """What the branch changes against its merge base."""

        async def compare() -> Sequence[Change]:
            return await history.changes(self._clone, await self._fork(request), request.head)

        return await self._do(compare)

    async def diff(self, request: PullRequest) -> str:
        """The same as a unified diff, for people."""

        async def compare() -> str:
            return await history.diff(self._clone, await self._fork(request), request.head)

        return await self._do(compare)

    async def history(self, base: str, paths: Sequence[str], since: datetime | None = None) -> Sequence[Commit]:
        """The newest commits of a base branch that touched any of `paths`; this is what makes the clone deeper."""

        async def read() -> Sequence[Commit]:
            listing, ref = await self._refs.listing(), branch_ref(base)
            if ref not in listing.refs:
                raise Denied(f"{self.name}: there is no branch {base!r}")
            tip = {ref: listing.refs[ref]}
            await self._clone.bring(tip, listing)
            return await history.history(self._clone, tip[ref], tip, paths, since, self._us)

        return await self._do(read)

    # -- writing

    async def open(self, proposal: Proposal, onto: str) -> PullRequest:
        """Branch and record in one push; a request that is there already is found, also where another process was first."""
        return await self._do(lambda: self._writer.open(proposal, onto))

    async def refresh(self, request: PullRequest, proposal: Proposal, onto: str, *, rewrite: bool) -> PullRequest:
        """The same branch and number with a new commit, or new words only."""
        return await self._do(lambda: self._writer.refresh(request, proposal, onto, rewrite))

    async def close(self, request: PullRequest, reason: str) -> None:
        """Remove the branch and end the record. Commits of a person on it stay at `refs/tagboat/kept/<number>`."""
        await self._do(lambda: self._writer.close(request, reason))

    async def merge(self, request: PullRequest, landing: Landing) -> Landed | NotLanded:
        """Move base, branch and record in one push. NotLanded has the status 409 where base or branch moved or they conflict."""
        return await self._do(lambda: self._writer.merge(request, landing))

    async def no_auto_merge(self, request: PullRequest) -> None:
        """Plain git has no auto-merge."""

    async def push(self, proposal: Proposal, onto: str, message: Message) -> str:
        """One commit straight onto the base branch, which has to stand at `onto`."""
        return await self._do(lambda: self._writer.push(proposal, onto, message))

    async def comment(self, request: PullRequest, text: str) -> None:
        """Plain git has no comments: the text is kept in the record, as `comment`."""
        await self._do(lambda: self._writer.comment(request, text))

    async def comments(self, request: PullRequest, since: datetime | None = None) -> Sequence[Comment]:
        """Plain git has no comments: nobody wrote any."""
        return ()

    async def show(self, request: PullRequest, standing: Standing) -> None:
        """Keep how a request stands in its record, as `standing`."""
        await self._do(lambda: self._writer.show(request, standing))

    async def dashboard(self, text: str) -> None:
        """Keep the text as a blob at `refs/tagboat/dashboard`: `git cat-file -p refs/tagboat/dashboard` shows it."""
        await self._do(lambda: self._writer.dashboard(text))

    def commit_as(self, author: tuple[str, str] | None, signoff: bool) -> None:
        """Take the author and signing off from the repository's own settings. The committer stays as it is."""
        self._writer.author = Person(*author) if author else self._us
        self._writer.signoff = signoff

    async def close_session(self) -> None:
        """Nothing stays open; a clone that grew too large is thrown away."""
        await self._clone.tidy()

    # -- how it is done

    async def _do(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await self._clone.work(work)
        except Refused as refusal:
            raise Denied(f"{self.name}: the remote refused the push: {refusal}") from None
        except ForgeError:
            self._refs.forget()
            raise

    async def _look(self, bases: Sequence[str]) -> Look:
        listing = await self._refs.read()
        default = self._default(listing)
        named = {base: listing.refs.get(branch_ref(base)) for base in dict.fromkeys((default, *bases))}
        heads = {base: oid for base, oid in named.items() if oid is not None}
        protections = {base: Protection(allowed_methods=METHODS) for base in heads}
        project = Project(default, METHODS, object_format=listing.object_format, protections=protections)
        if not listing.refs:
            return Look(project, {}, (), self._us.name)
        tips = {ref: oid for ref, oid in listing.refs.items() if number_of(ref)} | {
            branch_ref(b): oid for b, oid in heads.items()
        }
        await self._clone.bring(tips, listing)
        records = await self._refs.records()
        live = [record for record in newest(records).values() if record.state != "merged"]
        used = {branch_ref(name) for record in live for name in (record.branch, record.base)} & listing.refs.keys()
        await self._clone.bring(tips | {ref: listing.refs[ref] for ref in used}, listing)
        await self._clone.small({listing.refs[ref] for ref in used})  # read at once, not one by one below
        self._people.look()
        requests = {number: record.request() for number, record in records.items() if record.state != "open"}
        changed: list[RequestRecord] = []
        for record in live:
            after, relation = await self._people.outcome(record, listing.refs)
            if after != record:
                changed.append(after)
            requests[record.number] = await self._people.request(after, listing.refs, relation)
        await self._note(changed, superfluous(records, _SUPERFLUOUS))
        return Look(project, heads, tuple(requests[number] for number in sorted(requests)), self._us.name, at_once=True)

    def _default(self, listing: Listing) -> str:
        branch = self._branch or listing.head_branch
        if branch is None:
            usual = [name for name in ("main", "master") if branch_ref(name) in listing.refs]
            if listing.refs and not usual:
                raise Denied(f"{self.name}: its HEAD names no branch that exists; name the branch in the settings")
            branch = usual[0] if usual else "main"
        if listing.refs and branch_ref(branch) not in listing.refs:
            raise Denied(f"{self.name}: there is no branch {branch!r}")
        return branch

    async def _note(self, changed: Sequence[RequestRecord], old: Sequence[RequestRecord]) -> None:
        """Write down what people did. Where that is not allowed or somebody was first, the next look finds it again."""
        if not changed and len(old) < _SUPERFLUOUS:
            return
        self._fault("look:found")
        try:
            refs = (await self._refs.listing()).refs
            updates = [await self._refs.write(record) for record in changed]
            await self._refs.push("noting what people did", [*updates, *(RefUpdate(r.ref, refs[r.ref], None) for r in old)])
        except (ForgeError, Refused) as error:
            log.warning("record not written", remote=self.name, why=str(error))
            self._refs.forget()
        self._fault("look:noted")

    async def _fork(self, request: PullRequest) -> str:
        """The merge base of a request's branch."""
        refs, record = (await self._refs.listing()).refs, await self._refs.record(request.number)
        await self._clone.need_commit(request.head)
        base = refs.get(branch_ref(record.base))
        fork = (await self._people.relation(record, request.head, base, refs)).fork if base else None
        if fork is None:
            raise ForgeError(f"{self.name}: request {request.number} has no common commit with its base within reach")
        return fork
