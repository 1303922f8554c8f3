"""A forge in memory: one repository with one branch, requests with a readiness that tests set, and a list of what was asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from bot.forges.base import (
    Change,
    Comment,
    Commit,
    Entry,
    ForgeError,
    ForgeKind,
    Landed,
    Landing,
    Look,
    Moved,
    NotLanded,
    Project,
    Standing,
)
from bot.forges.git.objects import blob_id
from rules.merging import Check, Protection, Readiness
from rules.proposals import Message, Proposal
from rules.records import record_of
from rules.requests import PullRequest

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
GREEN = Check("ci/test", "check_run", "actions", "completed", "success", NOW)
RUNNING = Check("ci/test", "check_run", "actions", "in_progress", None, NOW)
PROTECTED = Protection(present=True)
STRICT = Protection(present=True, strict=True)

Ready = Callable[["MemoryForge", PullRequest], Readiness | None]


def green(forge: MemoryForge, request: PullRequest) -> Readiness:
    """Everything is fine."""
    return Readiness(
        "message",
        "tagboat[bot]",
        forge.behind(request),
        False,
        PROTECTED,
        mergeable="MERGEABLE",
        merge_state="CLEAN",
        checks=(GREEN,),
    )


@dataclass
class MemoryForge:
    """`files` stand on the branch main; `ready` says how a request stands; `landings` are the answers to merges, in turn."""

    files: dict[str, bytes]
    ready: Ready = green
    landings: list[ForgeError | NotLanded] = field(default_factory=list)
    kind: ForgeKind = "github"
    name: str = "acme/gitops"
    requests: dict[int, PullRequest] = field(default_factory=dict)
    written: dict[int, tuple[int, dict[str, bytes], dict[str, bytes]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    shown: dict[int, Standing] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    moves: int = 1

    def behind(self, request: PullRequest) -> int:
        """How many commits of main came after the request's branch was written."""
        return self.moves - self.written[request.number][0]

    async def look(self, bases: Sequence[str] = ()) -> Look:
        self.asked.append("look")
        seen = [replace(one, readiness=self.ready(self, one)) if one.state == "open" else one for one in self.requests.values()]
        return Look(Project("main", ("squash", "merge", "rebase")), {"main": f"{self.moves:040x}"}, tuple(seen), "tagboat[bot]")

    async def tree(self, commit: str) -> Mapping[str, Entry]:
        return {path: Entry(blob_id(data, "sha1"), "100644", len(data)) for path, data in self.files.items()}

    async def blobs(self, oids: Collection[str]) -> Mapping[str, bytes]:
        there = {blob_id(data, "sha1"): data for data in self.files.values()}
        return {oid: there[oid] for oid in oids}

    async def open(self, proposal: Proposal, onto: str) -> PullRequest:
        number = len(self.requests) + 1
        self.asked.append(f"open {number}")
        request = PullRequest(number, proposal.branch, "main", "", "", "", "open", created_at=NOW)
        return self._write(request, proposal)

    async def refresh(self, request: PullRequest, proposal: Proposal, onto: str, *, rewrite: bool) -> PullRequest:
        self.asked.append(f"refresh {request.number}")
        if self.requests[request.number].head != request.head:
            raise Moved(f"somebody pushed to {request.branch}")
        return self._write(request, proposal)

    def _write(self, request: PullRequest, proposal: Proposal) -> PullRequest:
        new = {file.path: file.data for file in proposal.files}
        self.written[request.number] = (self.moves, {path: self.files[path] for path in new}, new)
        head = f"{len(self.asked):038x}{request.number:02x}"
        body, title = proposal.body, proposal.title
        written = replace(request, title=title, body=body, head=head, record=record_of(body), readiness=None)
        self.requests[request.number] = written
        return written

    async def close(self, request: PullRequest, reason: str) -> None:
        self.asked.append(f"close {request.number}")
        self.requests[request.number] = replace(request, state="closed", closed_by_us=True, ended_at=NOW)

    async def changes(self, request: PullRequest) -> Sequence[Change]:
        _, old, new = self.written[request.number]
        return [Change(path, blob_id(old[path], "sha1"), blob_id(new[path], "sha1"), "100644", "100644") for path in new]

    async def merge(self, request: PullRequest, landing: Landing) -> Landed | NotLanded:
        self.asked.append(f"merge {request.number}")
        if self.landings:
            answer = self.landings.pop(0)
            if isinstance(answer, ForgeError):
                raise answer
            return answer
        self.files |= self.written[request.number][2]
        self.moves += 1
        self.messages.append(landing.message.headline)
        self.requests[request.number] = replace(request, state="merged", ended_at=NOW, landed=f"{self.moves:040x}")
        return Landed(f"{self.moves:040x}")

    async def no_auto_merge(self, request: PullRequest) -> None:
        self.asked.append(f"no auto-merge {request.number}")

    async def push(self, proposal: Proposal, onto: str, message: Message) -> str:
        raise NotImplementedError

    async def comment(self, request: PullRequest, text: str) -> None:
        self.asked.append(f"comment {request.number}")

    async def comments(self, request: PullRequest, since: datetime | None = None) -> Sequence[Comment]:
        return ()

    async def show(self, request: PullRequest, standing: Standing) -> None:
        self.shown[request.number] = standing

    async def dashboard(self, text: str) -> None:
        self.asked.append("dashboard")

    def commit_as(self, author: tuple[str, str] | None, signoff: bool) -> None:
        pass

    async def history(self, base: str, paths: Sequence[str], since: datetime | None = None) -> Sequence[Commit]:
        return ()

    async def close_session(self) -> None:
        pass

    @property
    def effects(self) -> list[str]:
        """What was done, without the looks."""
        return [one for one in self.asked if one != "look"]
