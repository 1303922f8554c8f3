"""Writing on GitLab: merge requests on their branches, their words, their people, their end.

Each step finds what an earlier try left behind: a branch without a request, a request whose words are old, a note. A person's
push that falls between our look and our write is put on a branch of its own (`tagboat-kept/<number>-<commit>`), and the request
says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog

from bot.forges.base import Denied, ForgeError, Moved
from bot.forges.gitlab.branches import Branches, Replacement, Untold
from bot.forges.gitlab.notes import harmless
from bot.forges.gitlab.people import People
from bot.forges.gitlab.requests import Table, is_open, request_of, with_head
from bot.forges.gitlab.session import Declined
from bot.forges.gitlab.wire import Lane
from rules import messages
from rules.messages import Message
from rules.proposals import Proposal
from rules.requests import PullRequest

Json = Mapping[str, Any]
Say = Callable[[PullRequest, str], Any]

FAULT_POINTS = (
    "open:branch", "open:request", "refresh:branch", "refresh:checked", "refresh:words", "close:note", "close:branch",
    "close:request", "merge:done", "auto:off", "push:done",
)  # fmt: skip
"""The points after each write, at which tests end the process."""

KEPT = "tagboat-kept"
_TITLE_LIMIT = 255

log = structlog.get_logger(__name__)


class Writer:
    """The writes about one project. `say` puts a sentence into the request's note."""

    def __init__(
        self,
        name: Callable[[], str],
        lane: Lane,
        people: People,
        table: Table,
        branches: Branches,
        say: Say,
        fault: Callable[[str], None],
    ) -> None:
        self._name = name
        self._lane = lane
        self._people = people
        self._table = table
        self._branches = branches
        self._say = say
        self._fault = fault
        self._unsure: list[tuple[PullRequest, Replacement]] = []

    # -- opening

    async def open(self, proposal: Proposal, onto: str) -> PullRequest:
        try:
            head = await self._branches.write(proposal, onto, force=False)
        except Declined as declined:
            # No status of its own: a branch by this name exists, or a file or commit is not there (then that is the answer).
            there = await self._branches.get(proposal.branch) if declined.status in (400, 409) else None
            if there is None:
                raise
            found = await self._request_of(proposal.branch)
            if found is not None:
                return found
            head = await self._take_over(there, proposal, onto)
        self._fault("open:branch")
        request = await self._create(proposal, head)
        self._fault("open:request")
        return request

    async def _take_over(self, there: Json, proposal: Proposal, onto: str) -> str:
        """Write over a branch by our name that has no request, if what is on it is ours."""
        if (stands := await self._branches.stands(there, proposal, onto)) is not None:
            return stands
        head = there["commit"]
        if not await self._branches.made(head) and head.get("id") != onto and not there.get("merged"):
            raise Denied(
                f"{self._name()}: the branch {proposal.branch!r} has commits that are not Tagboat's; delete or rename it"
            )
        return await self._branches.write(proposal, onto, force=True)

    async def _create(self, proposal: Proposal, head: str) -> PullRequest:
        body: dict[str, Any] = {
            "source_branch": proposal.branch,
            "target_branch": proposal.stream.base,
            "title": proposal.title[:_TITLE_LIMIT],
            "description": with_head(harmless(proposal.body), head),
            "remove_source_branch": True,
        }
        if labels := _labels(proposal.labels):
            body["labels"] = labels
        if proposal.reviewers:
            body["reviewer_ids"] = await self._people.ids(proposal.reviewers)
        if proposal.assignees:
            body["assignee_ids"] = await self._people.ids(proposal.assignees)
        try:
            row = await self._lane.post("/merge_requests", body)
        except Declined as declined:
            found = await self._request_of(proposal.branch) if declined.status == 409 else None
            if found is None:
                raise
            return found
        # GitLab may not have looked at the branch yet.
        row = {**row, "sha": head, "user_notes_count": row.get("user_notes_count", 0)}
        self._table.put(row)
        return request_of(row, await self._people.us())

    async def _request_of(self, branch: str) -> PullRequest | None:
        """Our open request of a branch."""
        us = await self._people.us()
        rows = await self._lane.get("/merge_requests", source_branch=branch, state="opened")
        for row in rows:
            if row.get("source_branch") == branch and is_open(row):
                if (row.get("author") or {}).get("username") != us.login:
                    raise Denied(f"{self._name()}: somebody else has an open merge request for the branch {branch!r}")
                self._table.put(row)
                return request_of(row, us)
        return None

    # -- refreshing

    async def refresh(self, request: PullRequest, proposal: Proposal, onto: str, *, rewrite: bool) -> PullRequest:
        head = request.head
        if rewrite:
            there = await self._branches.get(request.branch)
            if there is not None and there["commit"]["id"] != head:
                raise Moved(f"{self._name()}: somebody pushed to {request.branch!r}")
            stands = await self._branches.stands(there, proposal, onto) if there is not None else None
            if stands is None:
                stands = await self._branches.write(proposal, onto, force=there is not None)
                self._fault("refresh:branch")
                if there is not None:
                    await self._rescue(request, stands)
                self._fault("refresh:checked")
            head = stands
        row = {**(await self._reword(request, proposal, head)), "sha": head}
        self._fault("refresh:words")
        self._table.put(row)
        return request_of(row, await self._people.us())

    async def _reword(self, request: PullRequest, proposal: Proposal, head: str) -> Json:
        """Title, description, labels and people, where they are not as wished."""
        row = self._table.rows.get(request.number) or {}
        body: dict[str, Any] = {}
        title, text = proposal.title[:_TITLE_LIMIT], with_head(harmless(proposal.body), head)
        if row.get("title") != title:
            body["title"] = title
        if (row.get("description") or "").rstrip() != text.rstrip():
            body["description"] = text
        if lacking := _labels(label for label in proposal.labels if label not in request.labels):
            body["add_labels"] = lacking
        for key, names in (("reviewer", proposal.reviewers), ("assignee", proposal.assignees)):
            there = {int(one["id"]): str(one.get("username")) for one in row.get(f"{key}s") or ()}
            if missing := [name for name in names if name.lower() not in {one.lower() for one in there.values()}]:
                wished = await self._people.ids(missing)
                if set(wished) - there.keys():
                    body[f"{key}_ids"] = [*there, *wished]
        return {**row, **(await self._lane.put(f"/merge_requests/{request.number}", body) if body or not row else {})}

    async def _rescue(self, request: PullRequest, after: str | None) -> None:
        """Keep what a write of ours took off the branch, if it was not what we read there."""
        write = Replacement(request.branch, request.head, after)
        try:
            lost = await self._branches.replaced(write)
        except Untold as untold:
            log.warning("it is not known yet what a write replaced", project=self._name(), branch=request.branch, why=str(untold))
            self._unsure.append((request, write))
            return
        if lost is not None:
            await self._keep(request, write, lost)

    async def recheck(self) -> None:
        """See again about the writes of which GitLab did not tell at once; what it still does not tell by then, it never will."""
        unsure, self._unsure = self._unsure, []
        for request, write in unsure:
            try:
                lost = await self._branches.replaced(write, patient=False)
                if lost is not None:
                    await self._keep(request, write, lost)
            except (Untold, ForgeError) as error:
                log.warning(
                    "GitLab does not tell what a write replaced", project=self._name(), branch=write.branch, why=str(error)
                )

    async def _keep(self, request: PullRequest, write: Replacement, lost: str) -> None:
        kept = f"{KEPT}/{request.number}-{lost[:12]}"
        await self._branches.keep(kept, lost)
        did = "wrote it anew" if write.after else "removed it"
        await self._say(
            request,
            f"Somebody pushed {messages.code(lost[:12])} to this branch in the moment in which Tagboat {did}. "
            f"Nothing is lost: that commit is on the branch {messages.code(kept)}.",
        )

    # -- ending

    async def close(self, request: PullRequest, reason: str) -> None:
        """The note first, then the branch, then the request: what is left over by a crash is found as an open request."""
        there = await self._branches.get(request.branch)
        if there is not None and there["commit"]["id"] != request.head:
            raise Moved(f"{self._name()}: somebody pushed to {request.branch!r}")
        row = await self._lane.get(f"/merge_requests/{request.number}")
        if not is_open(row):
            self._table.put(row)
            return
        await self._say(request, messages.closing(reason))
        self._fault("close:note")
        if there is not None and await self._branches.delete(request.branch):
            await self._rescue(request, None)
        self._fault("close:branch")
        self._table.put(await self._lane.put(f"/merge_requests/{request.number}", {"state_event": "close"}))
        self._fault("close:request")

    # -- straight to the base

    async def push(self, proposal: Proposal, onto: str, message: Message) -> str:
        commit = await self._branches.push(proposal, onto, message)
        self._fault("push:done")
        return commit


def _labels(labels: Iterable[str]) -> str:
    """GitLab takes labels as one text, with commas between them: a name cannot have one."""
    return ",".join(label for label in labels if "," not in label)
