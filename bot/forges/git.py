"""Plain git: any repository by URL, no API.

    forges:
      - {kind: git, url: "file:///srv/git/gitops.git", branch: main}

A request is a branch plus its record (`refs/tagboat/requests/<number>`, see `git_records`). What people do is read from where the
branches stand (see `git_people`); a branch that is not where we put it was edited by a person.
Every write is one atomic push in which each ref moves only from the value that was read: there is no half-done state to find
after a crash, and whoever comes second is told `Moved`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import structlog

from bot.forges import git_history
from bot.forges.base import Change, Commit, Denied, Entry, ForgeError, ForgeKind, Landed, Landing, Look, Moved, NotLanded, Project
from bot.forges.git_address import Address, branch_ref
from bot.forges.git_clone import Clone, Listing, RefUpdate
from bot.forges.git_errors import Refused
from bot.forges.git_history import Relation
from bot.forges.git_objects import Person, commit_stream, is_ours, read_commit, read_tree
from bot.forges.git_people import People
from bot.forges.git_records import KEPT, RequestRecord, first_record, number_of
from bot.forges.git_refs import Refs, newest, superfluous
from bot.forges.gitcli import Access, Git
from rules.merging import Method, Protection, Readiness
from rules.plan import PullRequest
from rules.proposals import Message, Proposal

T = TypeVar("T")
log = structlog.get_logger(__name__)

METHODS: tuple[Method, ...] = ("merge", "squash", "fast-forward")
FAULT_POINTS = (
    "look:found", "look:noted", "open:made", "open:done", "refresh:made", "refresh:done",
    "close:made", "close:done", "merge:made", "merge:done", "push:made", "push:done",
)  # fmt: skip
"""The points before and after each push, at which tests end the process."""

_TRIES = 4
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
        self._people = People(self._clone, now)
        self._branch = branch
        self._us = Person(*author)
        self._signoff = signoff
        self._now = now
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
            return await git_history.changes(self._clone, await self._fork(request), request.head)

        return await self._do(compare)

    async def diff(self, request: PullRequest) -> str:
        """The same as a unified diff, for people."""

        async def compare() -> str:
            return await git_history.diff(self._clone, await self._fork(request), request.head)

        return await self._do(compare)

    async def history(self, base: str, paths: Sequence[str], since: datetime | None = None) -> Sequence[Commit]:
        """The newest commits of a base branch that touched any of `paths`; this is what makes the clone deeper."""

        async def read() -> Sequence[Commit]:
            listing, ref = await self._refs.listing(), branch_ref(base)
            if ref not in listing.refs:
                raise Denied(f"{self.name}: there is no branch {base!r}")
            tip = {ref: listing.refs[ref]}
            await self._clone.bring(tip, listing)
            return await git_history.history(self._clone, tip[ref], tip, paths, since, self._us)

        return await self._do(read)

    # -- writing

    async def open(self, proposal: Proposal, onto: str) -> PullRequest:
        """Branch and record in one push; a request that is there already is found, also where another process was first."""
        return await self._do(lambda: self._open(proposal, onto))

    async def refresh(self, request: PullRequest, proposal: Proposal, onto: str, *, rewrite: bool) -> PullRequest:
        """The same branch and number with a new commit, or new words only."""
        return await self._do(lambda: self._refresh(request, proposal, onto, rewrite))

    async def close(self, request: PullRequest, reason: str) -> None:
        """Remove the branch and end the record. Commits of a person on it stay at `refs/tagboat/kept/<number>`."""
        await self._do(lambda: self._close(request, reason))

    async def merge(self, request: PullRequest, landing: Landing) -> Landed | NotLanded:
        """Move base, branch and record in one push. NotLanded has the status 409 where base or branch moved or they conflict."""
        return await self._do(lambda: self._merge(request, landing))

    async def push(self, proposal: Proposal, onto: str, message: Message) -> str:
        """One commit straight onto the base branch, which has to stand at `onto`."""

        async def write() -> str:
            commit = await self._make(proposal, (onto,), message)
            self._fault("push:made")
            await self._refs.push("writing to the base branch", [RefUpdate(branch_ref(proposal.stream.base), onto, commit)])
            self._fault("push:done")
            return commit

        return await self._do(write)

    async def comment(self, request: PullRequest, text: str) -> None:
        """Plain git has no comments: the text is kept in the record, as `comment`."""

        async def write() -> None:
            record = await self._refs.record(request.number)
            if record.comment != text:
                await self._refs.push("writing a comment", [await self._refs.write(replace(record, comment=text))])

        await self._do(write)

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
        requests = {number: record.request() for number, record in records.items() if record.state != "open"}
        changed: list[RequestRecord] = []
        for record in live:
            after, relation = await self._people.outcome(record, listing.refs)
            if after != record:
                changed.append(after)
            requests[record.number] = await self._request(after, listing, relation)
        await self._note(changed, superfluous(records, _SUPERFLUOUS))
        return Look(project, heads, tuple(requests[number] for number in sorted(requests)), self._us.name)

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

    async def _request(self, record: RequestRecord, listing: Listing, relation: Relation | None) -> PullRequest:
        """The request of a record, an open one with its readiness."""
        head = listing.refs.get(branch_ref(record.branch))
        if record.state != "open" or head is None:
            return record.request()
        if relation is None:
            return record.request(head)
        facts = read_commit((await self._clone.small([head]))[head])
        author = self._us.name if is_ours(facts.committer, facts.message, self._us) else facts.committer
        protection = Protection(allowed_methods=METHODS)
        return record.request(head, Readiness(facts.message, author, relation.behind, relation.conflict, protection))

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

    async def _open(self, proposal: Proposal, onto: str) -> PullRequest:
        branch = branch_ref(proposal.branch)
        for left in reversed(range(_TRIES)):
            listing, records = await self._refs.listing(), await self._refs.records()
            there = listing.refs.get(branch)
            found = newest(records).get(proposal.branch)
            if found is not None and found.state == "open" and there is not None:
                return await self._reread(found)
            await self._may_write(proposal, there)
            number = max((number_of(ref) or 0 for ref in listing.refs), default=0) + 1
            record = replace(first_record(number, proposal, onto), created_at=self._now())
            try:
                return await self._reread(await self._write_branch("open", proposal, onto, there, record))
            except Moved:
                if not left:
                    raise
                self._refs.forget()
        raise AssertionError("the last try returns or raises")

    async def _may_write(self, proposal: Proposal, there: str | None) -> None:
        """A branch by our name without an open request is written over only where its newest commit is ours."""
        if proposal.branch == proposal.stream.base:
            raise Denied(f"{self.name}: {proposal.branch!r} is the base branch itself")
        if there is not None:
            facts = read_commit((await self._clone.small([there]))[there])
            if not is_ours(facts.committer, facts.message, self._us):
                raise Denied(
                    f"{self.name}: the branch {proposal.branch!r} has commits that are not Tagboat's; delete or rename it"
                )

    async def _write_branch(
        self, point: str, proposal: Proposal, onto: str, old: str | None, record: RequestRecord, kept: Sequence[RefUpdate] = ()
    ) -> RequestRecord:
        """Put the proposal's commit on its branch, and the record beside it."""
        for parents in ((onto,), (onto, old or "")):
            commit = await self._make(proposal, parents, proposal.message)
            written = replace(record, head=commit)
            updates = [RefUpdate(branch_ref(record.branch), old, commit), await self._refs.write(written), *kept]
            self._fault(f"{point}:made")
            try:
                await self._refs.push("writing a request", updates)
            except Refused as refusal:
                # `git init --shared` and some hooks forbid to rewrite a branch. Then the new commit takes the old one as its
                # second parent: the same tree, and a fast-forward.
                if old is None or len(parents) == 2 or "fast-forward" not in str(refusal):
                    raise
            else:
                break
        self._fault(f"{point}:done")
        return written

    async def _reread(self, record: RequestRecord) -> PullRequest:
        """The request of an open record as it stands now."""
        listing = await self._refs.listing()
        head, base = listing.refs[branch_ref(record.branch)], listing.refs.get(branch_ref(record.base))
        relation = await self._people.relation(record, head, base, listing.refs) if base else None
        return await self._request(record, listing, relation)

    async def _refresh(self, request: PullRequest, proposal: Proposal, onto: str, rewrite: bool) -> PullRequest:
        refs, record = (await self._refs.listing()).refs, await self._refs.record(request.number)
        if record.state != "open" or record.branch != proposal.branch or refs.get(branch_ref(record.branch)) != request.head:
            raise Moved(f"{self.name}: request {request.number} is not as it was read")
        wish = record.reworded(proposal, onto if rewrite else None)
        if rewrite and (record.fingerprint, record.onto, record.head) != (proposal.fingerprint, onto, request.head):
            wish = await self._write_branch("refresh", proposal, onto, request.head, wish, self._keep(record, request.head, refs))
        elif wish != record:
            self._fault("refresh:made")
            await self._refs.push("refreshing a request", [await self._refs.write(wish)])
            self._fault("refresh:done")
        return await self._reread(wish)

    async def _close(self, request: PullRequest, reason: str) -> None:
        listing, record = await self._refs.listing(), await self._refs.record(request.number)
        there = listing.refs.get(branch_ref(record.branch))
        if record.state != "open":
            return
        if there not in (None, request.head):
            raise Moved(f"{self.name}: somebody pushed to {record.branch!r}")
        ended = replace(record, state="closed", closed_by_us=True, reason=reason, comment=reason, ended_at=self._now())
        self._fault("close:made")
        await self._end("closing a request", ended, there, self._keep(record, there, listing.refs))
        self._fault("close:done")

    async def _end(self, doing: str, ended: RequestRecord, there: str | None, others: Sequence[RefUpdate]) -> None:
        """Write an ended record and delete its branch (None: it stays, or is gone), where the remote lets us."""
        branch = [RefUpdate(branch_ref(ended.branch), there, None)] if there else []
        try:
            await self._refs.push(doing, [*others, await self._refs.write(ended), *branch])
        except Refused as refusal:
            if not branch or "deletion" not in str(refusal):
                raise
            await self._refs.push(doing, [*others, await self._refs.write(replace(ended, left=there))])

    def _keep(self, record: RequestRecord, head: str | None, refs: Mapping[str, str]) -> list[RefUpdate]:
        """A ref by which a person's commits stay reachable, where their branch is about to go."""
        ref = f"{KEPT}{record.number}"
        return [RefUpdate(ref, refs.get(ref), head)] if head not in (None, record.head) else []

    async def _merge(self, request: PullRequest, landing: Landing) -> Landed | NotLanded:
        if landing.method not in METHODS or landing.enqueue or landing.auto:
            return NotLanded(None, f"plain git cannot land by {'queue' if landing.enqueue or landing.auto else landing.method}")
        listing, record = await self._refs.read(), await self._refs.record(request.number)
        if record.state == "merged":
            return Landed(record.landed)
        branch, base = branch_ref(record.branch), branch_ref(record.base)
        tips = {ref: listing.refs[ref] for ref in (branch, base) if ref in listing.refs}
        if (record.state, record.branch, record.base) != ("open", request.branch, request.base) or tips.get(
            branch
        ) != landing.head:
            return NotLanded(409, "the branch is not where it was when this was decided")
        if base not in tips:
            return NotLanded(None, f"there is no branch {record.base!r} any more")
        await self._clone.bring(tips, listing)
        commit = await self._landing_commit(record, landing, tips[base], listing)
        if isinstance(commit, NotLanded):
            return commit
        ended = replace(record, state="merged", landed=commit, ended_at=self._now())
        self._fault("merge:made")
        try:
            there = landing.head if landing.delete_branch else None
            await self._end("landing a request", ended, there, [RefUpdate(base, tips[base], commit)])
        except Moved:
            self._refs.forget()
            return NotLanded(409, "the base or the branch moved meanwhile")
        except Refused as refusal:
            return NotLanded(None, f"the remote refused: {refusal}")
        self._fault("merge:done")
        return Landed(commit)

    async def _landing_commit(self, record: RequestRecord, landing: Landing, base: str, listing: Listing) -> str | NotLanded:
        relation = await self._people.relation(record, landing.head, base, listing.refs)
        if relation.fork is None:
            return NotLanded(None, "branch and base have no common commit within reach")
        if relation.conflict:
            return NotLanded(409, f"conflicts in {', '.join(relation.conflicting[:3])}")
        if relation.merged_tree is None or not relation.adds:
            return NotLanded(409, "the base has the branch's change already")
        if landing.method == "fast-forward":
            moved = NotLanded(409, "the base moved: it cannot be fast-forwarded to the branch")
            return landing.head if relation.behind == 0 else moved
        parents = (base, landing.head) if landing.method == "merge" else (base,)
        message = self._signed(landing.message)
        return await self._clone.add(commit_stream(message, parents, self._us, self._now(), tree=relation.merged_tree))

    async def _fork(self, request: PullRequest) -> str:
        """The merge base of a request's branch."""
        refs, record = (await self._refs.listing()).refs, await self._refs.record(request.number)
        await self._clone.need_commit(request.head)
        base = refs.get(branch_ref(record.base))
        fork = (await self._people.relation(record, request.head, base, refs)).fork if base else None
        if fork is None:
            raise ForgeError(f"{self.name}: request {request.number} has no common commit with its base within reach")
        return fork

    async def _make(self, proposal: Proposal, parents: Sequence[str], message: Message) -> str:
        for parent in parents:
            await self._clone.need_commit(parent)
        return await self._clone.add(commit_stream(self._signed(message), parents, self._us, self._now(), files=proposal.files))

    def _signed(self, message: Message) -> str:
        """The message, signed off where that is asked for."""
        text, line = str(message).rstrip("\n"), f"Signed-off-by: {self._us.ident}"
        if not self._signoff or line in text.splitlines():
            return str(message)
        paragraphs = text.split("\n\n")
        trailers = len(paragraphs) > 1 and all(": " in part for part in paragraphs[-1].splitlines())
        return f"{text}{'' if trailers else chr(10)}\n{line}\n"
