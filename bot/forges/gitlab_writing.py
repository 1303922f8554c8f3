"""Writing on GitLab: a branch with its commit in one call, the merge request, its words, its people, its end.

GitLab cannot move a branch only from where it was read. So the head is read right before, and right after a forced write GitLab's
own record of pushes is asked from where it moved the branch: if a person's push fell between, their commit is put on a branch of
its own (`tagboat-kept/<number>-<commit>`) and the request says so.

Each step finds what an earlier try left behind: a branch without a request, a request whose words are old, a note.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog

from bot.forges.base import Denied, ForgeError, Moved
from bot.forges.git_objects import blob_id
from bot.forges.gitlab_checking import Checker, Written
from bot.forges.gitlab_notes import harmless
from bot.forges.gitlab_people import People
from bot.forges.gitlab_requests import Table, is_open, request_of, with_head
from bot.forges.gitlab_session import Declined
from bot.forges.gitlab_wire import Lane, quoted
from rules import messages
from rules.messages import Message
from rules.proposals import FileChange, Proposal
from rules.requests import PullRequest

Json = Mapping[str, Any]
Say = Callable[[PullRequest, str], Any]

FAULT_POINTS = (
    "open:branch", "open:request", "refresh:branch", "refresh:checked", "refresh:words", "close:note", "close:branch",
    "close:request", "merge:done", "push:done",
)  # fmt: skip
"""The points after each write, at which tests end the process."""

KEPT = "tagboat-kept"
_TITLE_LIMIT = 255
_CHECKS = (0.0, 0.2, 0.5, 1.0)  # seconds before each look for GitLab's record of a push, which is written a little later
_COMPARED = 5  # files whose content is held against what stands on a branch

log = structlog.get_logger(__name__)


class Writer:
    """The writes about one project. `say` puts a sentence into the request's note."""

    def __init__(
        self,
        name: Callable[[], str],
        lane: Lane,
        people: People,
        table: Table,
        checker: Checker,
        say: Say,
        fault: Callable[[str], None],
    ) -> None:
        self._name = name
        self._lane = lane
        self._people = people
        self._table = table
        self._checker = checker
        self._say = say
        self._fault = fault
        self.author: tuple[str, str] | None = None
        self.signoff = False

    # -- branches

    async def branch(self, name: str) -> Json | None:
        """A branch as it stands now."""
        found: Json | None = await self._lane.find(f"/repository/branches/{quoted(name)}")
        return found

    async def write(self, proposal: Proposal, onto: str, *, force: bool) -> str:
        """The proposal's commit on its branch, made on `onto`; its id."""
        us = await self._people.us()
        message = await self._signed(proposal.message)
        body: dict[str, Any] = {
            "branch": proposal.branch,
            "start_sha": onto,
            "commit_message": message,
            "actions": [_action(file) for file in proposal.files],
        }
        if force:
            body["force"] = True
        commit = await self._lane.post("/repository/commits", body | self._authorship())
        us.learn(commit)
        made = str(commit["id"])
        self._checker.written[proposal.branch] = Written(made, message, onto)
        return made

    async def _stands(self, branch: Json, proposal: Proposal, onto: str) -> str | None:
        """The head of a branch that is just as we would write it now; None: it is not."""
        commit = branch["commit"]
        message = await self._signed(proposal.message)
        if list(commit.get("parent_ids") or ()) != [onto] or len(proposal.files) > _COMPARED:
            return None
        if str(commit.get("message") or "").rstrip() != message.rstrip():
            return None
        head = str(commit["id"])
        found = await asyncio.gather(*(self._blob(file.path, head) for file in proposal.files))
        kind = "sha256" if len(head) == 64 else "sha1"
        return head if found == [blob_id(file.data, kind) for file in proposal.files] else None

    async def _blob(self, path: str, ref: str) -> str | None:
        try:
            answer = await self._lane.ask("head", f"/repository/files/{quoted(path)}", {"ref": ref})
        except Declined:
            return None
        return answer.headers.get("x-gitlab-blob-id")

    # -- opening

    async def open(self, proposal: Proposal, onto: str) -> PullRequest:
        try:
            head = await self.write(proposal, onto, force=False)
        except Declined as declined:
            # No status of its own: a branch by this name exists, or a file or commit is not there (then that is the answer).
            there = await self.branch(proposal.branch) if declined.status in (400, 409) else None
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
        us, head = await self._people.us(), there["commit"]
        if (stands := await self._stands(there, proposal, onto)) is not None:
            self._checker.written[proposal.branch] = Written(stands, await self._signed(proposal.message), onto)
            return stands
        if not us.made(head, self._checker.emails) and head.get("id") != onto and not there.get("merged"):
            raise Denied(
                f"{self._name()}: the branch {proposal.branch!r} has commits that are not Tagboat's; delete or rename it"
            )
        return await self.write(proposal, onto, force=True)

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
            there = await self.branch(request.branch)
            if there is not None and there["commit"]["id"] != head:
                raise Moved(f"{self._name()}: somebody pushed to {request.branch!r}")
            stands = await self._stands(there, proposal, onto) if there is not None else None
            if stands is None:
                stands = await self.write(proposal, onto, force=there is not None)
                self._fault("refresh:branch")
                await self._rescue(request, head if there is not None else None, stands)
                self._fault("refresh:checked")
            head = stands
        row = await self._reword(request, proposal, head)
        self._fault("refresh:words")
        row = {**row, "sha": head}
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

    async def _rescue(self, request: PullRequest, before: str | None, after: str | None) -> None:
        """See from where GitLab moved the branch; a commit that is not `before` is a person's, and is kept."""
        lost = await self._moved_from(request.branch, before, after) if before is not None else None
        if lost is None:
            return
        commit = await self._lane.find(f"/repository/commits/{lost}")
        if commit is None or (await self._people.us()).made(commit, self._checker.emails):
            return
        kept = f"{KEPT}/{request.number}-{lost[:12]}"
        try:
            await self._lane.post("/repository/branches", {"branch": kept, "ref": lost})
        except Declined as declined:
            if declined.status != 400:  # it is there already
                raise
        log.warning("a push was rescued", project=self._name(), request=request.number, branch=kept)
        await self._say(
            request,
            f"Somebody pushed {messages.code(lost[:12])} to this branch in the moment in which Tagboat wrote it anew. "
            f"Nothing is lost: that commit is on the branch {messages.code(kept)}.",
        )

    async def _moved_from(self, branch: str, before: str, after: str | None) -> str | None:
        """The commit that a write of ours took off a branch, if it is not the one that was read there."""
        for pause in _CHECKS:
            if pause:
                await self._lane.wire.clock.sleep(pause)
            try:
                events = await self._lane.get("/events", action="pushed", per_page=20)
            except ForgeError as error:
                log.warning("could not see what a write replaced", project=self._name(), why=str(error))
                return None
            for data in (event.get("push_data") or {} for event in events):
                if data.get("ref") == branch and data.get("commit_to") == after and data.get("commit_from") is not None:
                    lost = str(data["commit_from"])
                    return lost if lost != before else None
        log.warning("GitLab does not tell what a write replaced", project=self._name(), branch=branch)
        return None

    # -- ending

    async def close(self, request: PullRequest, reason: str) -> None:
        """The note first, then the branch, then the request: what is left over by a crash is found as an open request."""
        there = await self.branch(request.branch)
        if there is not None and there["commit"]["id"] != request.head:
            raise Moved(f"{self._name()}: somebody pushed to {request.branch!r}")
        row = await self._lane.get(f"/merge_requests/{request.number}")
        if not is_open(row):
            self._table.put(row)
            return
        await self._say(request, messages.closing(reason))
        self._fault("close:note")
        if there is not None:
            await self.delete(request)
        self._fault("close:branch")
        self._table.put(await self._lane.put(f"/merge_requests/{request.number}", {"state_event": "close"}))
        self._fault("close:request")

    async def delete(self, request: PullRequest) -> None:
        """Remove the branch, where GitLab lets us; a push that fell between is kept."""
        try:
            await self._lane.ask("delete", f"/repository/branches/{quoted(request.branch)}")
        except Declined as declined:
            if declined.status not in (403, 404):
                raise
            return
        await self._rescue(request, request.head, None)

    # -- straight to the base

    async def push(self, proposal: Proposal, onto: str, message: Message) -> str:
        base = proposal.stream.base
        there = await self.branch(base)
        if there is None or there["commit"]["id"] != onto:
            raise Moved(f"{self._name()}: {base!r} has moved")
        # Between that look and the write the base may move: not so the files.
        guards = await asyncio.gather(*(self._last_commit(file.path, onto) for file in proposal.files))
        actions = [_action(file) | guard for file, guard in zip(proposal.files, guards, strict=True)]
        body = {"branch": base, "commit_message": await self._signed(message), "actions": actions}
        try:
            commit = await self._lane.post("/repository/commits", body | self._authorship())
        except Declined as declined:
            if declined.status == 400 and ("changed since" in declined.words or "has changed" in declined.words):
                raise Moved(f"{self._name()}: {declined.words}") from None
            raise
        self._fault("push:done")
        return str(commit["id"])

    async def _last_commit(self, path: str, ref: str) -> dict[str, str]:
        try:
            answer = await self._lane.ask("head", f"/repository/files/{quoted(path)}", {"ref": ref})
        except Declined:  # then the write itself is refused
            return {}
        last = answer.headers.get("x-gitlab-last-commit-id")
        return {"last_commit_id": last} if last else {}

    # -- words

    def _authorship(self) -> dict[str, str]:
        return {"author_name": self.author[0], "author_email": self.author[1]} if self.author else {}

    async def _signed(self, message: Message) -> str:
        if self.signoff:
            us = await self._people.us()
            name, email = self.author or (min(us.names), min(us.emails, default=""))
            message = messages.signed(message, name, email)
        return str(message)


def _action(file: FileChange) -> dict[str, Any]:
    """An update keeps the file's mode. Text goes as text, unless JSON could not carry it."""
    try:
        return {"action": "update", "file_path": file.path, "content": file.data.decode(), "encoding": "text"}
    except UnicodeDecodeError:
        content = base64.b64encode(file.data).decode()
        return {"action": "update", "file_path": file.path, "content": content, "encoding": "base64"}


def _labels(labels: Iterable[str]) -> str:
    """GitLab takes labels as one text, with commas between them: a name cannot have one."""
    return ",".join(label for label in labels if "," not in label)
