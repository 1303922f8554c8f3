"""The writes on GitHub: open, refresh, close, land. Each may be the last before a crash, so each finds what an earlier one made.

A new request is a branch, a commit on it, and the request. An open one gets its new commit on a branch beside its own, which then
takes its place in one step: so there is no moment in which the request has no diff, and a push of a person in between wins.
Labels and people come before the last words: until those are written the request says of itself that it is not finished.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import structlog

from bot.forges.base import Denied, Moved, Unreachable
from bot.forges.github import queries
from bot.forges.github.answers import Refusal
from bot.forges.github.commits import Branch, Committer, Move, writes
from bot.forges.github.landing import Lander
from bot.forges.github.people import Inviter, wished
from bot.forges.github.place import Json, Known, Place
from bot.forges.github.readiness import login
from bot.forges.github.requests import CLOSED_LINE, known_of, request_of
from bot.forges.github.talking import Talker
from bot.forges.github.wire import Wire
from rules.messages import closing
from rules.proposals import Message, Proposal
from rules.records import record_of
from rules.requests import PullRequest

FAULT_POINTS = (
    "open:branch", "open:commit", "open:request", "people:labels", "people:assignees", "people:reviewers", "open:words",
    "refresh:auto", "refresh:branch", "refresh:commit", "refresh:moved", "refresh:words", "comment:written",
    "close:closed", "close:deleted", "merge:landed", "merge:deleted", "auto:off", "push:written", "show:written",
)  # fmt: skip
"""The points after each write, at which tests end the work."""

_WORDS = re.compile(r'"words": "[0-9a-f]*"')
log = structlog.get_logger(__name__)


class Writer:
    """Carries out what was decided about the requests of one place."""

    def __init__(
        self,
        wire: Wire,
        place: Place,
        talker: Talker,
        committer: Committer,
        lander: Lander,
        fault: Callable[[str], None],
    ) -> None:
        self._wire = wire
        self._place = place
        self._talker = talker
        self.committer = committer
        self._lander = lander
        self._inviter = Inviter(wire, place, fault)
        self._fault = fault

    # -- opening

    async def open(self, proposal: Proposal, onto: str) -> PullRequest:
        count = 2 + writes(proposal.files) + wished(proposal) + bool(wished(proposal))
        async with self._wire.writing(f"{self._place.path} {proposal.branch}", count):
            head: str | None = None
            if not await self.committer.create(proposal.branch, onto):
                found = await self._found(proposal, onto)
                if isinstance(found, PullRequest):
                    return found
                head = found
            self._fault("open:branch")
            if head is None:
                head = await self.committer.commit(proposal.branch, onto, proposal.files, proposal.message)
            self._fault("open:commit")
            request = await self._request(proposal, head)
            self._fault("open:request")
            if not wished(proposal):
                return request
            labels = await self._inviter.invite(request, proposal)
            await self._words(request.number, proposal.title, proposal.body)
            self._fault("open:words")
            return replace(request, labels=labels, body=proposal.body)

    async def _found(self, proposal: Proposal, onto: str) -> PullRequest | str | None:
        """What is to become of a branch that is there already: its request, its commit if that is the wished one, or None: it
        stands at `onto` now. Raises Denied where it holds somebody else's commits."""
        there = await self.committer.branch(proposal.branch, proposal.stream.base)
        for node in there.open:
            if login(node.get("author")) == self._place.us.login and node.get("baseRefName") == proposal.stream.base:
                return self._take_up(node)
        if there.oid is None:
            raise Moved(f"{self._place.path}: the branch {proposal.branch!r} was there and is gone")
        if there.own != 0 and not self._is_ours(there):
            raise Denied(
                f"{self._place.path}: the branch {proposal.branch!r} has commits that are not Tagboat's; delete or rename it"
            )
        same = there.parents == (onto,) and there.message.strip() == str(self.committer.message(proposal.message)).strip()
        if same and await self.committer.holds(there.oid, proposal.files):
            return there.oid
        if there.oid != onto:
            try:
                await self.committer.move(Move(proposal.branch, there.oid, onto))
            except Refusal as refusal:
                raise Moved(f"{self._place.path}: the branch {proposal.branch!r} cannot be taken back: {refusal}") from None
        return None

    def _take_up(self, node: Json) -> PullRequest:
        """A request that was opened before, in another process or just before a crash."""
        request = request_of(node, self._place, None)
        self._place.opened(request.number, request.base, known_of(node, self._place.us))
        return request

    def _is_ours(self, branch: Branch) -> bool:
        return branch.oid in self._place.written or self._place.us.wrote(branch.author, branch.message)

    async def _request(self, proposal: Proposal, head: str) -> PullRequest:
        """Open the request; where the answer was lost, or somebody was first, find it."""
        body = _WORDS.sub('"words": ""', proposal.body) if wished(proposal) else proposal.body
        wish = {"title": proposal.title, "head": proposal.branch, "base": proposal.stream.base, "body": body}
        try:
            made = await self._wire.write("POST", f"{self._place.rest}/pulls", wish)
        except (Refusal, Unreachable) as trouble:
            there = await self.committer.branch(proposal.branch, proposal.stream.base)
            for node in there.open:
                if login(node.get("author")) == self._place.us.login and node.get("baseRefName") == proposal.stream.base:
                    return self._take_up(node)
            if isinstance(trouble, Refusal) and "already exists" in str(trouble).lower():
                raise Moved(f"{self._place.path}: the request for {proposal.branch!r} is there, and not listed yet") from None
            if isinstance(trouble, Refusal):
                raise Denied(f"{self._place.path}: GitHub does not open a request for {proposal.branch!r}: {trouble}") from None
            raise
        number = int(made["number"])
        self._place.opened(
            number, proposal.stream.base, Known(str(made.get("node_id") or ""), head, str(proposal.message), comments=())
        )
        return PullRequest(
            number=number,
            branch=proposal.branch,
            base=proposal.stream.base,
            title=str(made.get("title") or proposal.title),
            body=str(made.get("body") or body),
            head=head,
            state="open",
            url=str(made.get("html_url") or ""),
            draft=bool(made.get("draft")),
            created_at=datetime.fromisoformat(made["created_at"]) if made.get("created_at") else None,
            record=record_of(body),
        )

    async def _words(self, number: int, title: str, body: str) -> Json:
        path = f"{self._place.rest}/pulls/{number}"
        found: Json = await self._wire.write("PATCH", path, {"title": title, "body": body}, again=True)
        return found

    # -- refreshing

    async def refresh(self, request: PullRequest, proposal: Proposal, onto: str, rewrite: bool) -> PullRequest:
        count = 1 + wished(proposal) + (3 + writes(proposal.files) if rewrite else 0)
        async with self._wire.writing(f"{self._place.path} {request.branch}", count):
            head = request.head
            if rewrite and not await self._is_written(request, proposal, onto):
                if self._ends_auto_merge(request, proposal):
                    await self._lander.no_auto_merge(request)
                    self._fault("refresh:auto")
                head = await self._rewrite(request, proposal, onto)
            labels = await self._inviter.invite(request, proposal)
            if (request.title, request.body) != (proposal.title, proposal.body):
                await self._words(request.number, proposal.title, proposal.body)
                self._fault("refresh:words")
            return replace(
                request,
                head=head,
                title=proposal.title,
                body=proposal.body,
                labels=labels,
                record=record_of(proposal.body),
                edited_by_person=request.edited_by_person and head == request.head,
                readiness=request.readiness if head == request.head else None,
            )

    def _ends_auto_merge(self, request: PullRequest, proposal: Proposal) -> bool:
        """Whether GitHub's auto-merge has to go before a new commit: it was asked for another content, or by us on conditions
        that are judged anew. A person's stays where the same wish is put on a newer base."""
        ready, record = request.readiness, request.record
        if ready is None or not ready.auto_merge:
            return False
        same = record is not None and record.fingerprint == proposal.fingerprint
        return not same or ready.auto_merge_by in ("", self._place.us.login)

    async def _is_written(self, request: PullRequest, proposal: Proposal, onto: str) -> bool:
        """Whether the branch holds this very commit: then only the words were not written any more."""
        known = self._place.known.get(request.number)
        if known is None or known.head != request.head or request.edited_by_person:
            return False
        same = known.message.strip() == str(self.committer.message(proposal.message)).strip()
        if not same or (known.fork, known.commits) != (onto, 1):
            return False
        return await self.committer.holds(request.head, proposal.files)

    async def _rewrite(self, request: PullRequest, proposal: Proposal, onto: str) -> str:
        """Put a new commit in the place of the branch's old ones, in one step."""
        branch, files = request.branch, proposal.files
        beside = branch + queries.TEMPORARY
        moves: list[Move] = []
        if self.committer.needs_trees(files):
            new = await self.committer.detached(onto, files, proposal.message)
        else:
            if not await self.committer.create(beside, onto):
                there = await self.committer.branch(beside, request.base)
                if there.oid not in (onto, None):
                    await self.committer.move(Move(beside, there.oid, onto))
            self._fault("refresh:branch")
            new = await self.committer.commit(beside, onto, files, proposal.message)
            moves.append(Move(beside, new, None))
        self._fault("refresh:commit")
        try:
            await self.committer.move(Move(branch, request.head, new), *moves)
        except Refusal as refusal:
            there = await self.committer.branch(branch, request.base)
            if there.oid not in (new, request.head):
                await self.committer.drop(*moves)
                raise Moved(f"{self._place.path}: somebody pushed to {branch!r}") from None
            if there.oid != new:
                await self._alone(Move(branch, request.head, new), refusal, moves)
        self._fault("refresh:moved")
        known = self._place.known.get(request.number)
        if known is not None:
            fresh = replace(known, head=new, message=str(proposal.message), fork=onto, commits=1, check=None)
            self._place.known[request.number] = fresh
        return new

    async def _alone(self, move: Move, refusal: Refusal, others: list[Move]) -> None:
        """Move the branch by itself, where the other one may not be deleted in the same step."""
        try:
            if not others:
                raise refusal
            await self.committer.move(move)
        except Refusal as error:
            why = f"GitHub does not let the branch {move.branch!r} be rewritten: {error}"
            raise Denied(f"{self._place.path}: {why}") from None
        finally:
            await self.committer.drop(*others)

    # -- closing

    async def close(self, request: PullRequest, reason: str) -> None:
        async with self._wire.writing(f"{self._place.path} {request.branch}", 3):
            await self._talker.comment(request, closing(reason))
            if request.readiness is not None and request.readiness.auto_merge:
                await self._lander.no_auto_merge(request)
            body = request.body if CLOSED_LINE in request.body else f"{request.body.rstrip()}\n{CLOSED_LINE}\n"
            path = f"{self._place.rest}/pulls/{request.number}"
            await self._wire.write("PATCH", path, {"state": "closed", "body": body}, again=True)
            self._fault("close:closed")
            await self.committer.drop(Move(request.branch, request.head, None))
            self._fault("close:deleted")

    async def push(self, proposal: Proposal, onto: str, message: Message) -> str:
        base = proposal.stream.base
        async with self._wire.writing(f"{self._place.path} {proposal.branch}", writes(proposal.files)):
            commit = await self.committer.commit(base, onto, proposal.files, message)
            self._fault("push:written")
            return commit
