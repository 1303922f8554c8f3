"""The writes of plain git: each one atomic push of branch, record and base, from the values that were read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot.forges.base import Denied, Landed, Landing, Moved, NotLanded, Standing
from bot.forges.git.address import branch_ref
from bot.forges.git.clone import Clone, Listing, RefUpdate
from bot.forges.git.errors import Refused
from bot.forges.git.objects import Person, Signature, commit_stream, is_ours, read_commit
from bot.forges.git.people import METHODS, People
from bot.forges.git.records import DASHBOARD, KEPT, RequestRecord, first_record, number_of, same_standing, standing_text
from bot.forges.git.refs import Refs, newest
from rules.plan import PullRequest
from rules.proposals import Message, Proposal

FAULT_POINTS = (
    "look:found", "look:noted", "open:made", "open:done", "refresh:made", "refresh:done",
    "close:made", "close:done", "merge:made", "merge:done", "push:made", "push:done",
)  # fmt: skip
"""The points before and after each push, at which tests end the process."""

_TRIES = 4


class Writer:
    """Makes commits with `us` as committer, by `author` (us, unless set), and moves the remote's refs.

    `fault` is called with the name of each fault point."""

    def __init__(
        self,
        clone: Clone,
        refs: Refs,
        people: People,
        us: Person,
        signoff: bool,
        now: Callable[[], datetime],
        fault: Callable[[str], None],
    ) -> None:
        self._clone = clone
        self._refs = refs
        self._people = people
        self._us = us
        self.author = us
        self.signoff = signoff
        self._now = now
        self._fault = fault

    async def open(self, proposal: Proposal, onto: str) -> PullRequest:
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
        if there is not None:
            facts = read_commit((await self._clone.small([there]))[there])
            if not is_ours(facts.committer, facts.message, self._us):
                raise Denied(
                    f"{self._clone.name}: the branch {proposal.branch!r} has commits that are not Tagboat's; delete or rename it"
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
        return await self._people.request(record, listing.refs, relation)

    async def refresh(self, request: PullRequest, proposal: Proposal, onto: str, rewrite: bool) -> PullRequest:
        refs, record = (await self._refs.listing()).refs, await self._refs.record(request.number)
        if record.state != "open" or record.branch != proposal.branch or refs.get(branch_ref(record.branch)) != request.head:
            raise Moved(f"{self._clone.name}: request {request.number} is not as it was read")
        wish = record.reworded(proposal, onto if rewrite else None)
        if rewrite and (record.fingerprint, record.onto, record.head) != (proposal.fingerprint, onto, request.head):
            wish = await self._write_branch("refresh", proposal, onto, request.head, wish, self._keep(record, request.head, refs))
        elif wish != record:
            self._fault("refresh:made")
            await self._refs.push("refreshing a request", [await self._refs.write(wish)])
            self._fault("refresh:done")
        return await self._reread(wish)

    async def close(self, request: PullRequest, reason: str) -> None:
        listing, record = await self._refs.listing(), await self._refs.record(request.number)
        there = listing.refs.get(branch_ref(record.branch))
        if record.state != "open":
            return
        if there not in (None, request.head):
            raise Moved(f"{self._clone.name}: somebody pushed to {record.branch!r}")
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

    async def merge(self, request: PullRequest, landing: Landing) -> Landed | NotLanded:
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
            return NotLanded(409, "the branch is too far behind its base to be compared with it")
        if relation.conflict:
            return NotLanded(409, f"conflicts in {', '.join(relation.conflicting[:3])}")
        if relation.merged_tree in (None, read_commit((await self._clone.small([base]))[base]).tree):
            return NotLanded(409, "the base has the branch's change already")
        if landing.method == "fast-forward":
            moved = NotLanded(409, "the base moved: it cannot be fast-forwarded to the branch")
            return landing.head if relation.behind == 0 else moved
        parents = (base, landing.head) if landing.method == "merge" else (base,)
        message = self._signed(landing.message)
        return await self._clone.add(commit_stream(message, parents, self._signature(), tree=relation.merged_tree))

    async def push(self, proposal: Proposal, onto: str, message: Message) -> str:
        """One commit straight onto the base branch."""
        commit = await self._make(proposal, (onto,), message)
        self._fault("push:made")
        await self._refs.push("writing to the base branch", [RefUpdate(branch_ref(proposal.stream.base), onto, commit)])
        self._fault("push:done")
        return commit

    async def comment(self, request: PullRequest, text: str) -> None:
        """Keep a text in the record."""
        record = await self._refs.record(request.number)
        if record.comment != text:
            await self._refs.push("writing a comment", [await self._refs.write(replace(record, comment=text))])

    async def show(self, request: PullRequest, standing: Standing) -> None:
        """Keep how an open request stands in its record, where more than the wording of it changed."""
        record, text = await self._refs.record(request.number), standing_text(standing)
        if record.state == "open" and not same_standing(record.standing, text):
            await self._refs.push("telling how a request stands", [await self._refs.write(replace(record, standing=text))])

    async def dashboard(self, text: str) -> None:
        """Keep the dashboard's text."""
        old, new = (await self._refs.listing()).refs.get(DASHBOARD), await self._clone.add_blob(text.encode())
        if old != new:
            await self._refs.push("writing the dashboard", [RefUpdate(DASHBOARD, old, new)])

    async def _make(self, proposal: Proposal, parents: Sequence[str], message: Message) -> str:
        for parent in parents:
            await self._clone.need_commit(parent)
        return await self._clone.add(commit_stream(self._signed(message), parents, self._signature(), files=proposal.files))

    def _signature(self) -> Signature:
        return Signature(self.author, self._us, self._now())

    def _signed(self, message: Message) -> str:
        """The message, signed off where that is asked for."""
        text, line = str(message).rstrip("\n"), f"Signed-off-by: {self.author.ident}"
        if not self.signoff or line in text.splitlines():
            return str(message)
        paragraphs = text.split("\n\n")
        trailers = len(paragraphs) > 1 and all(": " in part for part in paragraphs[-1].splitlines())
        return f"{text}{'' if trailers else chr(10)}\n{line}\n"
