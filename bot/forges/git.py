"""Plain git: any repository by URL, no API.

A request is a branch plus its record (`refs/tagboat/requests/<number>`, see `git_records`).
What people do is read from the branches:

    the branch is gone, its change is not in the base     closed by a person
    the branch, or its change, is in the base             merged by a person
    the branch is not where we put it                     edited by a person
    the branch of a closed request is there again         reopened

Every write is one atomic push in which each ref moves only from the value that was read, so there is no half-done state to
find after a crash, and whoever comes second is told `Moved`.
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
from bot.forges.git_objects import Person, blob_id, commit_stream, is_ours, read_commit, read_tree
from bot.forges.git_records import KEPT, PREFIX, RequestRecord, dump, load, number_of, targets
from bot.forges.gitcli import Access, Git
from rules.merging import Method, Protection, Readiness
from rules.plan import PullRequest
from rules.proposals import Message, Proposal

T = TypeVar("T")
log = structlog.get_logger(__name__)

METHODS: tuple[Method, ...] = ("merge", "squash", "fast-forward")
_TRIES = 4
_RELATIONS_LIMIT = 2000


def _no_fault(point: str) -> None:
    """Where a test may end the process; nothing happens here."""


class GitForge:
    """One plain git repository. `cache` is the folder under which clones are kept; `branch` the base branch, where it is not the
    remote's own. `fault` is called with the name of each point between two effects."""

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
        fault: Callable[[str], None] = _no_fault,
    ) -> None:
        address = Address.parse(url)
        if branch is not None:
            branch_ref(branch)
        folder = cache.absolute() / hashlib.sha256(address.url.encode("utf-8", "surrogateescape")).hexdigest()[:24]
        access = Access(ssh_key, known_hosts, username, password)
        self.name = address.name
        self._clone = Clone(Git(address, folder / "clone", folder / "home", access), folder)
        self._branch = branch
        self._us = Person(*author)
        self._signoff = signoff
        self._now = now
        self._fault = fault
        self._listing: Listing | None = None
        self._relations: dict[tuple[str, str], Relation] = {}

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
            listing = await self._listed()
            ref = branch_ref(base)
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
            base = branch_ref(proposal.stream.base)
            commit = await self._make(proposal, onto, message)
            self._fault("push:made")
            await self._push("writing to the base branch", [RefUpdate(base, onto, commit)])
            self._fault("push:done")
            return commit

        return await self._do(write)

    async def comment(self, request: PullRequest, text: str) -> None:
        """Plain git has no comments: the text is kept in the record, as `comment`."""

        async def write() -> None:
            record = await self._record(request.number)
            if record.comment != text:
                await self._push("writing a comment", [await self._to_record(replace(record, comment=text))])

        await self._do(write)

    async def close_session(self) -> None:
        """Nothing stays open; a clone that grew too large is thrown away."""
        await self._clone.tidy()

    # -- how it is done

    async def _do(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await self._clone.work(work)
        except Moved:
            self._listing = None
            raise
        except Refused as refusal:
            raise Denied(f"{self.name}: the remote refused the push: {refusal}") from None

    async def _look(self, bases: Sequence[str]) -> Look:
        listing = self._listing = await self._clone.listing()
        default = self._default(listing)
        named = {base: listing.refs.get(branch_ref(base)) for base in dict.fromkeys((default, *bases))}
        heads = {base: oid for base, oid in named.items() if oid is not None}
        project = Project(
            default,
            METHODS,
            object_format=listing.object_format,
            protections={base: Protection(allowed_methods=METHODS) for base in heads},
        )
        if not listing.refs:
            return Look(project, {}, (), self._us.name)
        tips = {ref: oid for ref, oid in listing.refs.items() if number_of(ref)} | {
            branch_ref(base): oid for base, oid in heads.items()
        }
        await self._clone.bring(tips, listing)
        records = await self._records(listing)
        live = [record for record in _newest(records) if record.state != "merged"]
        branches = {ref for record in live for ref in (branch_ref(record.branch), branch_ref(record.base)) if ref in listing.refs}
        await self._clone.bring(tips | {ref: listing.refs[ref] for ref in branches}, listing)
        requests: dict[int, PullRequest] = {
            record.number: record.request() for record in records.values() if record.state != "open"
        }
        ended: list[RequestRecord] = []
        for record in live:
            after, relation = await self._outcome(record, listing)
            if after != record:
                ended.append(after)
            requests[record.number] = await self._as_request(after, listing, relation)
        await self._note(ended)
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

    async def _outcome(self, record: RequestRecord, listing: Listing) -> tuple[RequestRecord, Relation | None]:
        """The record after what people did to its branch, and how an open branch stands to its base."""
        head, base = listing.refs.get(branch_ref(record.branch)), listing.refs.get(branch_ref(record.base))
        if record.state == "closed":
            if head is None or base is None or (await self._relation(record, head, base, listing)).contained:
                return record, None
            record = replace(record, state="open", closed_by_us=False, reason=None, ended_at=None)
        if base is None:
            return record, None
        if head is None:
            landed = await self._landed_unseen(record, base, listing)
            return self._ended(record, landed, "the branch was deleted"), None
        relation = await self._relation(record, head, base, listing)
        if relation.contained:
            whole = head == record.head or await git_history.stands(self._clone, record.files, base)
            landed = await git_history.landing_commit(self._clone, record.files, head, base) if whole else None
            return self._ended(record, landed, "the branch was emptied"), relation
        if relation.adds is False:
            landed = await git_history.landing_commit(self._clone, record.files, None, base)
            return self._ended(record, landed, ""), relation
        return record, relation

    async def _landed_unseen(self, record: RequestRecord, base: str, listing: Listing) -> str | None:
        """The commit by which a branch that is gone landed; None where it did not."""
        if base == record.onto:
            return None
        relation = (
            await self._relation(record, record.head, base, listing)
            if await git_history.require(self._clone, record.head)
            else Relation(None)
        )
        if relation.contained:
            return await git_history.landing_commit(self._clone, record.files, record.head, base)
        if relation.adds is False or await git_history.stands(self._clone, record.files, base):
            return await git_history.landing_commit(self._clone, record.files, None, base)
        return None

    def _ended(self, record: RequestRecord, landed: str | None, reason: str) -> RequestRecord:
        if landed is not None:
            return replace(record, state="merged", landed=landed, ended_at=self._now())
        return replace(record, state="closed", reason=reason, ended_at=self._now())

    async def _relation(self, record: RequestRecord, head: str, base: str, listing: Listing) -> Relation:
        known = self._relations.get((head, base))
        if known is None and head != base:
            facts = await self._clone.small([head, base])
            mine, under = read_commit(facts[head]), read_commit(facts[base])
            if mine.parents == (base,):
                # As we leave a branch. A clone cut off right here could not tell, the commit itself does.
                return Relation(base, behind=0, conflict=False, adds=mine.tree != under.tree, merged_tree=mine.tree)
        if known is None:
            tips = {ref: listing.refs[ref] for ref in (branch_ref(record.branch), branch_ref(record.base)) if ref in listing.refs}
            known = await git_history.relation(self._clone, head, base, tips)
            if len(self._relations) >= _RELATIONS_LIMIT:
                self._relations.clear()
            self._relations[head, base] = known
        return known

    async def _as_request(self, record: RequestRecord, listing: Listing, relation: Relation | None) -> PullRequest:
        head = listing.refs.get(branch_ref(record.branch))
        if record.state != "open" or head is None:
            return record.request()
        facts = read_commit((await self._clone.small([head]))[head])
        ours = is_ours(facts.committer, facts.message, self._us)
        readiness = None
        if relation is not None:
            author = self._us.name if ours else facts.committer
            readiness = Readiness(facts.message, author, relation.behind, relation.conflict, Protection(allowed_methods=METHODS))
        return record.request(head, readiness)

    async def _note(self, records: Sequence[RequestRecord]) -> None:
        """Write down what people did. Where that is not allowed or somebody was first, the next look finds it again."""
        if not records:
            return
        self._fault("look:found")
        try:
            await self._push("writing down what became of a request", [await self._to_record(record) for record in records])
        except (ForgeError, Refused) as error:
            log.warning("record not written", remote=self.name, why=str(error))
            self._listing = None
        self._fault("look:noted")

    async def _open(self, proposal: Proposal, onto: str) -> PullRequest:
        branch = branch_ref(proposal.branch)
        for again in reversed(range(_TRIES)):
            listing = await self._listed()
            records = await self._records(listing)
            there = listing.refs.get(branch)
            newest = next((record for record in _newest(records) if record.branch == proposal.branch), None)
            if newest is not None and newest.state == "open" and there is not None:
                return await self._as_request(newest, listing, None)
            if there is not None:
                await self._adopt(proposal.branch, there)
            commit = await self._make(proposal, onto, proposal.message)
            number = max((number_of(ref) or 0 for ref in listing.refs), default=0) + 1
            record = self._new_record(number, proposal, commit, onto)
            self._fault("open:made")
            try:
                await self._push("opening a request", [RefUpdate(branch, there, commit), await self._to_record(record)])
            except Moved:
                if not again:
                    raise
                self._listing = None
                continue
            self._fault("open:done")
            return record.request(commit)
        raise AssertionError("the last try returns or raises")

    async def _adopt(self, branch: str, head: str) -> None:
        """A branch by our name without an open request is written over only where its newest commit is ours."""
        facts = read_commit((await self._clone.small([head]))[head])
        if not is_ours(facts.committer, facts.message, self._us):
            raise Denied(
                f"{self.name}: there is a branch {branch!r} already, with commits that are not Tagboat's; delete or rename it"
            )

    def _new_record(self, number: int, proposal: Proposal, commit: str, onto: str) -> RequestRecord:
        return RequestRecord(
            number, proposal.branch, proposal.stream.base, proposal.title, proposal.body, commit, onto,
            proposal.stream.key, proposal.fingerprint,
            proposal.labels, _wished(proposal, onto), targets(proposal), created_at=self._now(),
        )  # fmt: skip

    async def _refresh(self, request: PullRequest, proposal: Proposal, onto: str, rewrite: bool) -> PullRequest:
        listing = await self._listed()
        record = await self._record(request.number)
        branch = branch_ref(record.branch)
        if record.state != "open" or listing.refs.get(branch) != request.head:
            raise Moved(f"{self.name}: request {request.number} is not as it was read")
        wish = record.reworded(proposal)
        updates = []
        if rewrite and not (record.fingerprint == proposal.fingerprint and record.onto == onto and record.head == request.head):
            commit = await self._make(proposal, onto, proposal.message)
            wish = replace(wish, head=commit, onto=onto, files=_wished(proposal, onto), base=proposal.stream.base)
            updates = [RefUpdate(branch, request.head, commit), *_keep(record, request.head)]
        if wish != record:
            self._fault("refresh:made")
            await self._push("refreshing a request", [*updates, await self._to_record(wish)])
            self._fault("refresh:done")
        return wish.request(wish.head if updates else request.head)

    async def _close(self, request: PullRequest, reason: str) -> None:
        listing = await self._listed()
        record = await self._record(request.number)
        there = listing.refs.get(branch_ref(record.branch))
        if record.state != "open":
            return
        updates = []
        if there is not None:
            if there != request.head:
                raise Moved(f"{self.name}: somebody pushed to {record.branch!r}")
            updates = [RefUpdate(branch_ref(record.branch), there, None), *_keep(record, there)]
        ended = replace(record, state="closed", closed_by_us=True, reason=reason, comment=reason, ended_at=self._now())
        updates.append(await self._to_record(ended))
        self._fault("close:made")
        await self._push("closing a request", updates)
        self._fault("close:done")

    async def _merge(self, request: PullRequest, landing: Landing) -> Landed | NotLanded:
        if landing.method not in METHODS or landing.enqueue or landing.auto:
            return NotLanded(None, f"plain git cannot land by {'queue' if landing.enqueue or landing.auto else landing.method}")
        listing = self._listing = await self._clone.listing()
        record = await self._record(request.number)
        if record.state == "merged":
            return Landed(record.landed)
        branch, base = branch_ref(record.branch), branch_ref(record.base)
        tips = {ref: listing.refs[ref] for ref in (branch, base) if ref in listing.refs}
        if record.state != "open" or listing.refs.get(branch) != landing.head or base not in tips:
            return NotLanded(409, "the branch is not where it was when this was decided")
        await self._clone.bring(tips, listing)
        commit = await self._landing_commit(record, landing, tips[base], listing)
        if isinstance(commit, NotLanded):
            return commit
        ended = replace(record, state="merged", landed=commit, ended_at=self._now())
        updates = [RefUpdate(base, tips[base], commit), await self._to_record(ended)]
        if landing.delete_branch:
            updates.append(RefUpdate(branch, landing.head, None))
        self._fault("merge:made")
        try:
            await self._push("landing a request", updates)
        except Moved:
            self._listing = None
            return NotLanded(409, "the base or the branch moved meanwhile")
        except Refused as refusal:
            return NotLanded(None, f"the remote refused: {refusal}")
        self._fault("merge:done")
        return Landed(commit)

    async def _landing_commit(self, record: RequestRecord, landing: Landing, base: str, listing: Listing) -> str | NotLanded:
        relation = await self._relation(record, landing.head, base, listing)
        if relation.fork is None:
            return NotLanded(None, "branch and base have no common commit within reach")
        if relation.conflict:
            return NotLanded(409, f"conflicts in {', '.join(relation.conflicting[:3])}")
        if relation.contained or relation.merged_tree is None:
            return NotLanded(409, "the base has the branch already")
        if landing.method == "fast-forward":
            return (
                landing.head
                if relation.behind == 0
                else NotLanded(409, "the base moved: it cannot be fast-forwarded to the branch")
            )
        parents = (base, landing.head) if landing.method == "merge" else (base,)
        message = self._signed(landing.message)
        return await self._clone.add(commit_stream(message, parents, self._us, self._now(), tree=relation.merged_tree))

    async def _fork(self, request: PullRequest) -> str:
        listing = await self._listed()
        record = await self._record(request.number)
        await self._clone.need_commit(request.head)
        base = listing.refs.get(branch_ref(record.base))
        fork = (await self._relation(record, request.head, base, listing)).fork if base else None
        if fork is None:
            raise ForgeError(f"{self.name}: request {request.number} has no common commit with its base within reach")
        return fork

    async def _make(self, proposal: Proposal, onto: str, message: Message) -> str:
        await self._clone.need_commit(onto)
        return await self._clone.add(commit_stream(self._signed(message), (onto,), self._us, self._now(), files=proposal.files))

    def _signed(self, message: Message) -> str:
        text, line = str(message), f"Signed-off-by: {self._us.ident}"
        if not self._signoff or line in text:
            return text
        last = text.rstrip("\n").rpartition("\n\n")[2]
        trailers = "\n\n" in text.rstrip("\n") and all(": " in part for part in last.splitlines())
        return text.rstrip("\n") + ("\n" if trailers else "\n\n") + line + "\n"

    async def _listed(self) -> Listing:
        """The refs as this pass read them, with what we changed since."""
        if self._listing is None:
            self._listing = await self._clone.listing()
        return self._listing

    async def _records(self, listing: Listing) -> dict[int, RequestRecord]:
        """Every record, by number."""
        refs = {number: ref for ref in listing.refs if (number := number_of(ref)) is not None}
        blobs = await self._clone.small([listing.refs[ref] for ref in refs.values()])
        return {number: load(blobs[listing.refs[refs[number]]], refs[number]) for number in sorted(refs)}

    async def _record(self, number: int) -> RequestRecord:
        listing = await self._listed()
        ref = f"{PREFIX}{number}"
        if ref not in listing.refs:
            raise Moved(f"{self.name}: the record of request {number} is gone")
        return load((await self._clone.small([listing.refs[ref]]))[listing.refs[ref]], ref)

    async def _to_record(self, record: RequestRecord) -> RefUpdate:
        old = (await self._listed()).refs.get(record.ref)
        return RefUpdate(record.ref, old, await self._clone.add_blob(dump(record)))

    async def _push(self, doing: str, updates: Sequence[RefUpdate]) -> None:
        await self._clone.push(doing, updates)
        if self._listing is not None:
            refs = dict(self._listing.refs) | {update.ref: update.new or "" for update in updates}
            self._listing = replace(self._listing, refs={ref: oid for ref, oid in refs.items() if oid})


def _newest(records: Mapping[int, RequestRecord]) -> list[RequestRecord]:
    """The newest record of each branch: older ones are over, whatever becomes of the branch."""
    return list({record.branch: record for _, record in sorted(records.items())}.values())


def _keep(record: RequestRecord, head: str) -> list[RefUpdate]:
    """A ref that keeps a person's commits reachable where their branch is about to go."""
    return [RefUpdate(f"{KEPT}{record.number}", None, head)] if head != record.head else []


def _wished(proposal: Proposal, onto: str) -> tuple[tuple[str, str, str], ...]:
    kind = "sha256" if len(onto) == 64 else "sha1"
    return tuple((file.path, file.mode, blob_id(file.data, kind)) for file in proposal.files)
