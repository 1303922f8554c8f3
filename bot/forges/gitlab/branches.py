"""Branches on GitLab: a branch with its commit in one call, straight pushes, and what a write took off a branch by accident.

GitLab cannot move a branch only from where it was read. So the head is read right before, and right after a forced write GitLab's
own record of pushes is asked from where it moved the branch: what is found there and is not ours can be kept.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from bot.forges.base import ForgeError, Moved
from bot.forges.git.objects import blob_id
from bot.forges.gitlab.checking import Checker, Written
from bot.forges.gitlab.people import People
from bot.forges.gitlab.session import Declined
from bot.forges.gitlab.wire import Lane, quoted
from rules import messages
from rules.messages import Message
from rules.proposals import FileChange, Proposal

Json = Mapping[str, Any]

_CHECKS = (0.0, 0.2, 0.5, 1.0)  # seconds before each look for GitLab's record of a push, which is written a little later
_COMPARED = 5  # files whose content is held against what stands on a branch

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Replacement:
    """A write that took `before` off a branch, as far as we read; `after` None: the branch was removed."""

    branch: str
    before: str
    after: str | None


class Untold(Exception):
    """GitLab does not say from where it moved a branch."""


class Branches:
    """The branches of one project. `author` is the author of commits, where it is not our own user."""

    def __init__(self, name: Callable[[], str], lane: Lane, people: People, checker: Checker) -> None:
        self._name = name
        self._lane = lane
        self._people = people
        self._checker = checker
        self.author: tuple[str, str] | None = None
        self.signoff = False

    async def get(self, name: str) -> Json | None:
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

    async def stands(self, branch: Json, proposal: Proposal, onto: str) -> str | None:
        """The head of a branch that is just as we would write it now, or None. A second try starts no second pipeline so."""
        commit = branch["commit"]
        message = await self._signed(proposal.message)
        if list(commit.get("parent_ids") or ()) != [onto] or len(proposal.files) > _COMPARED:
            return None
        if str(commit.get("message") or "").rstrip() != message.rstrip():
            return None
        head = str(commit["id"])
        found = await asyncio.gather(*(self._header(file.path, head, "x-gitlab-blob-id") for file in proposal.files))
        kind = "sha256" if len(head) == 64 else "sha1"
        if found != [blob_id(file.data, kind) for file in proposal.files]:
            return None
        self._checker.written[proposal.branch] = Written(head, message, onto)
        return head

    async def made(self, commit: Json) -> bool:
        """Whether a commit is as we left it."""
        return (await self._people.us()).made(commit, self._checker.emails)

    async def replaced(self, write: Replacement, *, patient: bool = True) -> str | None:
        """A person's commit that a write of ours took off a branch, where it is not the one that was read there; None: none was.

        Raises Untold where GitLab does not say; it may a little later (`patient`: wait for that some moments)."""
        lost = await self._moved_from(write, _CHECKS if patient else _CHECKS[:1])
        if lost == write.before:
            return None
        commit = await self._lane.find(f"/repository/commits/{lost}")
        return None if commit is None or await self.made(commit) else lost

    async def _moved_from(self, write: Replacement, pauses: Sequence[float]) -> str:
        for pause in pauses:
            if pause:
                await self._lane.wire.clock.sleep(pause)
            try:
                events = await self._lane.get("/events", action="pushed", per_page=50)
            except ForgeError as error:
                raise Untold(str(error)) from None
            for data in (event.get("push_data") or {} for event in events):
                fits = data.get("ref") == write.branch and data.get("commit_to") == write.after
                if fits and data.get("commit_from") is not None:
                    return str(data["commit_from"])
        raise Untold("it is not among the newest pushes yet")

    async def keep(self, name: str, commit: str) -> None:
        """Put a branch on a commit, so that it stays."""
        try:
            await self._lane.post("/repository/branches", {"branch": name, "ref": commit})
        except Declined as declined:
            if declined.status != 400:  # it is there already
                raise
        log.warning("a push was rescued", project=self._name(), branch=name)

    async def delete(self, name: str) -> bool:
        """Remove a branch; False where it is gone already, or GitLab does not let us."""
        try:
            await self._lane.ask("delete", f"/repository/branches/{quoted(name)}")
        except Declined as declined:
            if declined.status not in (403, 404):
                raise
            return False
        return True

    async def push(self, proposal: Proposal, onto: str, message: Message) -> str:
        """One commit straight onto the base branch, which has to stand at `onto`."""
        base = proposal.stream.base
        there = await self.get(base)
        if there is None or there["commit"]["id"] != onto:
            raise Moved(f"{self._name()}: {base!r} has moved")
        # Between that look and the write the base may move: not so the files.
        lasts = await asyncio.gather(*(self._header(file.path, onto, "x-gitlab-last-commit-id") for file in proposal.files))
        guards = [{"last_commit_id": last} if last else {} for last in lasts]
        actions = [_action(file) | guard for file, guard in zip(proposal.files, guards, strict=True)]
        body = {"branch": base, "commit_message": await self._signed(message), "actions": actions}
        try:
            commit = await self._lane.post("/repository/commits", body | self._authorship())
        except Declined as declined:
            if declined.status == 400 and ("changed since" in declined.words or "has changed" in declined.words):
                raise Moved(f"{self._name()}: {declined.words}") from None
            raise
        return str(commit["id"])

    async def _header(self, path: str, ref: str, name: str) -> str | None:
        """What GitLab says of a file without its content; None: nothing."""
        try:
            answer = await self._lane.ask("head", f"/repository/files/{quoted(path)}", {"ref": ref})
        except Declined:
            return None
        return answer.headers.get(name)

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
