"""A forge in memory: one repository with commits, branches, requests, reviews and comments, as small as the protocol lets it be.

    forge = MemoryForge({"web.yaml": "image: acme/web:1.4.1\n"})
    forge.person_writes("web.yaml", "…")           forge.person_closes(1)          forge.check(1, "ci/test", "failure")

Files are merged as wholes: where base and branch changed the same file since they parted, that is a conflict.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from bot.forges.base import (
    Change,
    Comment,
    Commit,
    Denied,
    Entry,
    ForgeKind,
    Landed,
    Landing,
    Look,
    Moved,
    NotLanded,
    Project,
    Standing,
)  # fmt: skip
from bot.forges.git.objects import blob_id
from rules.merging import Check, Method, Protection, Readiness, RequiredCheck
from rules.plan import PullRequest
from rules.proposals import FileChange, Proposal
from rules.records import record_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
METHODS: tuple[Method, ...] = ("merge", "squash", "rebase")
LOGIN = "tagboat[bot]"
Tree = Mapping[str, tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Node:
    """A commit: its files by path with their modes, its parents, and who made it."""

    oid: str
    tree: Tree
    parents: tuple[str, ...]
    author: str
    message: str
    at: datetime


@dataclass
class MemoryForge:
    """`checks` are those of each head, by name; a head without its required checks has not reported them. `fault` is called
    before each write: raising there is a crash, or a forge that is down."""

    files: Mapping[str, str]
    required: tuple[str, ...] = ()
    strict: bool = False
    kind: ForgeKind = "github"
    name: str = "acme/gitops"
    clock: Callable[[], datetime] = lambda: NOON
    fault: Callable[[str], None] = lambda point: None
    nodes: dict[str, Node] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    requests: dict[int, PullRequest] = field(default_factory=dict)
    checks: dict[str, dict[str, Check]] = field(default_factory=dict)
    said: list[Comment] = field(default_factory=list)
    notes: dict[int, str] = field(default_factory=dict)
    shown: dict[int, Standing] = field(default_factory=dict)
    issue: str = ""
    writes: list[str] = field(default_factory=list)
    landings: list[tuple[PullRequest, Readiness]] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)

    _lines: dict[str, list[str]] = field(default_factory=dict)
    _oids: dict[bytes, str] = field(default_factory=dict)
    _blobs: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tree = {path: ("100644", text.encode()) for path, text in self.files.items()}
        self.branches["main"] = self._commit(tree, (), "ann", "First commit")

    # -- the protocol

    async def look(self, bases: Sequence[str] = ()) -> Look:
        heads = {base: self.branches[base] for base in dict.fromkeys(("main", *bases)) if base in self.branches}
        found = (self._told(request) for request in self.requests.values())
        project = Project("main", METHODS, protections=dict.fromkeys(heads, self._protection()))
        return Look(project, heads, tuple(found), LOGIN)

    async def tree(self, commit: str) -> Mapping[str, Entry]:
        tree = self.nodes[commit].tree
        return {path: Entry(self._oid(data), mode, len(data)) for path, (mode, data) in tree.items()}

    async def blobs(self, oids: Collection[str]) -> Mapping[str, bytes]:
        if not set(oids) <= self._blobs.keys():  # who asks knows them from elsewhere
            for _, data in (file for node in self.nodes.values() for file in node.tree.values()):
                self._oid(data)
        return {oid: self._blobs[oid] for oid in oids}

    async def open(self, proposal: Proposal, onto: str) -> PullRequest:
        for request in self.requests.values():
            if request.state == "open" and (request.branch, request.base) == (proposal.branch, proposal.stream.base):
                return self._told(request)
        there = self.branches.get(proposal.branch)
        if there is not None and self._edited(there, onto):
            raise Moved(f"the branch {proposal.branch} is somebody else's")
        self._write("open")
        self.branches[proposal.branch] = self._proposed(proposal, onto)
        self.fault("open: the branch is there, the request is not")
        number = max(self.requests, default=0) + 1
        request = PullRequest(
            number, proposal.branch, proposal.stream.base, proposal.title, proposal.body, self.branches[proposal.branch], "open",
            labels=frozenset(proposal.labels), created_at=self.clock(),
        )  # fmt: skip
        self.requests[number] = request
        return self._told(request)

    async def refresh(self, request: PullRequest, proposal: Proposal, onto: str, *, rewrite: bool) -> PullRequest:
        mine = self.requests[request.number]
        if mine.state != "open" or self.branches.get(mine.branch) != request.head:
            raise Moved(f"{mine.branch} is not where it was read")
        self._write("refresh")
        if rewrite:
            self.branches[mine.branch] = self._proposed(proposal, onto)
            self.fault("refresh: the branch is written, the words are not")
        mine = replace(mine, title=proposal.title, body=proposal.body, labels=mine.labels | set(proposal.labels))
        self.requests[mine.number] = mine
        return self._told(mine)

    async def close(self, request: PullRequest, reason: str) -> None:
        if self.requests[request.number].state == "open":
            self._write("close")
            self._end(request.number, "closed", by_us=True)
            self.branches.pop(request.branch, None)

    async def changes(self, request: PullRequest) -> Sequence[Change]:
        branch, base = self.branches[request.branch], self.branches[request.base]
        old, new = self.nodes[self._fork(branch, base)].tree, self.nodes[branch].tree
        return [
            Change(path, *(self._oid(side[path][1]) if path in side else None for side in (old, new)),
                   *(side[path][0] if path in side else None for side in (old, new)))
            for path in sorted({path for path in old.keys() | new.keys() if old.get(path) != new.get(path)})
        ]  # fmt: skip

    async def merge(self, request: PullRequest, landing: Landing) -> Landed | NotLanded:
        mine = self.requests[request.number]
        if self.refusals:
            return NotLanded(self.refusals.pop(), "the forge refused")
        if mine.state != "open" or self.branches.get(mine.branch) != landing.head:
            return NotLanded(409, "head moved")
        told = self._told(mine)
        merged = self._merged(self.branches[mine.branch], self.branches[mine.base])
        assert told.readiness is not None
        if merged is None:
            return NotLanded(405, "it conflicts")
        if self.strict and told.readiness.behind_by:
            return NotLanded(405, "it is behind")
        self._write("merge")
        self.landings.append((told, told.readiness))
        commit = self._commit(merged, (self.branches[mine.base],), LOGIN, str(landing.message))
        self.branches[mine.base] = commit
        self._end(mine.number, "merged", landed=commit)
        self.fault("merge: it landed, and nobody was told")
        del self.branches[mine.branch]
        return Landed(commit)

    async def no_auto_merge(self, request: PullRequest) -> None:
        """It has no auto-merge."""

    async def push(self, proposal: Proposal, onto: str, message: Any) -> str:
        base = proposal.stream.base
        if self.branches[base] != onto:
            raise Moved(f"{base} is not where it was read")
        self._write("push")
        self.branches[base] = self._commit(_with(self.nodes[onto].tree, proposal.files), (onto,), LOGIN, str(message))
        return self.branches[base]

    async def comment(self, request: PullRequest, text: str) -> None:
        if self.notes.get(request.number) != text:
            self._write("comment")
            self.notes[request.number] = text

    async def comments(self, request: PullRequest, since: datetime | None = None) -> Sequence[Comment]:
        return [one for one in self.said if one.number == request.number and (since is None or one.at > since)]

    async def show(self, request: PullRequest, standing: Standing) -> None:
        if self.shown.get(request.number) != standing:
            self._write("show")
            self.shown[request.number] = standing

    async def dashboard(self, text: str) -> None:
        if text != self.issue:
            self._write("dashboard")
            self.issue = text

    def commit_as(self, author: tuple[str, str] | None, signoff: bool) -> None:
        """Authors make no difference here."""

    async def history(self, base: str, paths: Sequence[str], since: datetime | None = None) -> Sequence[Commit]:
        found: list[Commit] = []
        at: str | None = self.branches[base]
        while at is not None:
            node = self.nodes[at]
            before = self.nodes[node.parents[0]].tree if node.parents else {}
            touched = not paths or any(node.tree.get(path) != before.get(path) for path in paths)
            if touched and (since is None or node.at >= since):
                found.append(Commit(node.oid, node.author, node.message, node.at, node.author == LOGIN))
            at = node.parents[0] if node.parents else None
        return found

    async def close_session(self) -> None:
        """Nothing stays open."""

    # -- what people and CI do

    def person_writes(self, path: str, text: str | None, branch: str = "main") -> str:
        """A person commits a file (None: takes it away)."""
        tree = {name: file for name, file in self.nodes[self.branches[branch]].tree.items() if name != path}
        if text is not None:
            tree[path] = ("100644", text.encode())
        self.branches[branch] = self._commit(tree, (self.branches[branch],), "ann", f"Write {path}")
        return self.branches[branch]

    def person_closes(self, number: int) -> None:
        self._end(number, "closed")

    def person_merges(self, number: int) -> bool:
        """A person presses the button; whether it could be merged."""
        mine = self.requests[number]
        tree = self._merged(self.branches[mine.branch], self.branches[mine.base])
        if tree is None:
            return False
        self.branches[mine.base] = self._commit(tree, (self.branches[mine.base],), "ann", "Merge")
        self._end(number, "merged", landed=self.branches[mine.base])
        return True

    def person_rebases(self, number: int) -> None:
        """The forge's own button: a person's commit brings the base into the branch."""
        mine = self.requests[number]
        branch, base = self.branches[mine.branch], self.branches[mine.base]
        tree = self._merged(branch, base)
        if tree is not None:
            self.branches[mine.branch] = self._commit(tree, (branch, base), "ann", "Merge the base")

    def person_changes(self, number: int, **what: Any) -> None:
        """Title, body or labels."""
        self.requests[number] = replace(self.requests[number], **what)

    def person_says(self, number: int, text: str, author: str = "ann", *, may_write: bool = True) -> None:
        self.said.append(Comment(str(len(self.said) + 1), number, author, text, self.clock(), may_write))

    def check(self, number: int, name: str, conclusion: str | None) -> None:
        """A check of the head says something; without a conclusion it runs."""
        head = self.branches[self.requests[number].branch]
        status = "completed" if conclusion else "in_progress"
        self.checks.setdefault(head, {})[name] = Check(name, "check_run", "ci", status, conclusion, self.clock())

    def text(self, path: str, branch: str = "main") -> str:
        return self.nodes[self.branches[branch]].tree[path][1].decode()

    def open_requests(self) -> list[PullRequest]:
        return [self._told(request) for request in self.requests.values() if request.state == "open"]

    # -- how it is done

    def _write(self, what: str) -> None:
        """Called where something is about to be written, after all that could refuse it."""
        self.fault(f"{what}: nothing is done yet")
        self.writes.append(what)

    def _commit(self, tree: Tree, parents: tuple[str, ...], author: str, message: str) -> str:
        oid = hashlib.sha1(f"{len(self.nodes)} {parents} {message}".encode(), usedforsecurity=False).hexdigest()
        self.nodes[oid] = Node(oid, tree, parents, author, message, self.clock())
        return oid

    def _proposed(self, proposal: Proposal, onto: str) -> str:
        return self._commit(_with(self.nodes[onto].tree, proposal.files), (onto,), LOGIN, str(proposal.message))

    def _oid(self, data: bytes) -> str:
        if data not in self._oids:
            self._oids[data] = blob_id(data, "sha1")
            self._blobs[self._oids[data]] = data
        return self._oids[data]

    def _ancestors(self, oid: str) -> list[str]:
        if oid not in self._lines:
            found: dict[str, None] = {}
            queue = deque([oid])
            while queue:
                one = queue.popleft()
                if one not in found:
                    found[one] = None
                    queue += self.nodes[one].parents
            self._lines[oid] = list(found)
        return self._lines[oid]

    def _fork(self, branch: str, base: str) -> str:
        theirs = set(self._ancestors(base))
        return next(oid for oid in self._ancestors(branch) if oid in theirs)

    def _edited(self, branch: str, base: str) -> bool:
        theirs = set(self._ancestors(base))
        return any(self.nodes[oid].author != LOGIN for oid in self._ancestors(branch) if oid not in theirs)

    def _merged(self, branch: str, base: str) -> Tree | None:
        """The tree of both together; None: they conflict."""
        fork, mine, theirs = (self.nodes[oid].tree for oid in (self._fork(branch, base), branch, base))
        merged = dict(theirs)
        for path in fork.keys() | mine.keys():
            if mine.get(path) == fork.get(path) or mine.get(path) == theirs.get(path):
                continue
            if theirs.get(path) != fork.get(path):
                return None
            if path in mine:
                merged[path] = mine[path]
            else:
                merged.pop(path, None)
        return merged

    def _end(self, number: int, state: Any, *, by_us: bool = False, landed: str | None = None) -> None:
        mine = self.requests[number]
        head = self.branches.get(mine.branch, mine.head)
        self.requests[number] = replace(
            mine, state=state, head=head, ended_at=self.clock(), closed_by_us=by_us, landed=landed, readiness=None
        )

    def _told(self, request: PullRequest) -> PullRequest:
        """A request as the forge lists it now."""
        told = replace(request, record=record_of(request.body))
        if request.state != "open":
            return told
        if request.branch not in self.branches:
            raise Denied(f"{request.branch} is gone")
        head, base = self.branches[request.branch], self.branches[request.base]
        edited = self._edited(head, base)
        mine = set(self._ancestors(head))
        behind = sum(oid not in mine for oid in self._ancestors(base))
        conflict = self._merged(head, base) is None
        state = "DIRTY" if conflict else "BEHIND" if behind and self.strict else "CLEAN"
        readiness = Readiness(
            self.nodes[head].message, LOGIN, behind, conflict, self._protection(),
            mergeable="CONFLICTING" if conflict else "MERGEABLE", merge_state=state,
            checks=tuple(self.checks.get(head, {}).values()),
        )  # fmt: skip
        return replace(told, head=head, edited_by_person=edited, readiness=readiness)

    def _protection(self) -> Protection:
        return Protection(True, required_checks=tuple(map(RequiredCheck, self.required)), strict=self.strict)


def _with(tree: Tree, files: Sequence[FileChange]) -> Tree:
    changed = dict(tree)
    for file in files:
        assert blob_id(tree[file.path][1], "sha1") == file.old_oid, "the branch is made from another base than the proposal"
        changed[file.path] = (file.mode, file.data)
    return changed
