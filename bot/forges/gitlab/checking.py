"""The facts of open merge requests, read again only where something moved.

Three things tell that nothing did: the request's listing (its change date, head and merge status), the head of its base, and the
project's newest pipelines, which one question answers for all requests. What depends on anything else (an external status check,
a set time, another request) is read anew at every look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bot.forges.base import ForgeError, Limited
from bot.forges.gitlab.people import DEVELOPER, MAINTAINER, Us, role_of
from bot.forges.gitlab.pipelines import Pipelines, counting
from bot.forges.gitlab.readiness import Answers, protection, readiness
from bot.forges.gitlab.requests import Table, head_of, is_open, request_of
from bot.forges.gitlab.session import Declined
from bot.forges.gitlab.wire import Lane, quoted
from rules.requests import PullRequest

Json = Mapping[str, Any]

_LOOKING = frozenset({"unchecked", "checking", "preparing", "approvals_syncing"})
_PAUSES = (0.3, 0.7, 1.5)
# With one of these, only what is watched can change the answer.
_SETTLED = frozenset(
    {
        "mergeable",
        "ci_still_running",
        "ci_must_pass",
        "not_approved",
        "requested_changes",
        "discussions_not_resolved",
        "draft_status",
        "conflict",
        "need_rebase",
        "title_regex",
        "commits_status",
    }
)
_LISTED = (
    "sha", "updated_at", "state", "detailed_merge_status", "has_conflicts", "blocking_discussions_resolved", "draft",
    "merge_when_pipeline_succeeds", "target_branch", "user_notes_count",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Written:
    """A commit that we wrote to a branch, so that it need not be read again."""

    commit: str
    message: str
    parent: str


@dataclass(frozen=True, slots=True)
class Commits:
    """What a branch has beyond its base: the newest message, whether a person wrote any of it, and the commit under it where
    that is plain to see."""

    message: str
    foreign: bool
    fork: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """All that was read of one request, and what its listing and its base were at that moment."""

    key: tuple[object, ...]
    request: Json
    approvals: Json | None
    reviewers: Sequence[Json] | None
    pipelines: Sequence[Json]
    commits: Commits
    on_train: bool | None
    parents: Mapping[str, Sequence[str]]


@dataclass(slots=True)
class Checker:
    """Reads the requests of one project. `emails` are those under which we write commits, beside our own."""

    lane: Lane
    written: dict[str, Written] = field(default_factory=dict)
    emails: frozenset[str] = frozenset()
    _readings: dict[int, Reading] = field(default_factory=dict)
    _commits: dict[int, tuple[str, Commits]] = field(default_factory=dict)
    pipelines: Pipelines = field(init=False)

    def __post_init__(self) -> None:
        self.pipelines = Pipelines(self.lane)

    async def requests(self, rows: Iterable[Json], project: Json, bases: Mapping[str, Json | None], us: Us) -> list[PullRequest]:
        """The requests, the open ones with their readiness."""
        every = list(rows)
        for gone in self._readings.keys() - {int(row["iid"]) for row in every if is_open(row)}:
            del self._readings[gone]
            self._commits.pop(gone, None)
        return list(await asyncio.gather(*(self._request(row, project, bases, us) for row in every)))

    async def _request(self, row: Json, project: Json, bases: Mapping[str, Json | None], us: Us) -> PullRequest:
        if not is_open(row):
            return request_of(row, us)
        base = bases.get(str(row["target_branch"]))
        try:
            reading = await self._read(row, project, base, us)
        except Limited:
            raise
        except ForgeError:  # this one could not be read; the others can
            self._readings.pop(int(row["iid"]), None)
            return request_of(row, us)
        facts = readiness(self._answers(reading, us), protection(project, base))
        known = request_of(reading.request, us)
        return replace(known, edited_by_person=reading.commits.foreign, readiness=facts if known.state == "open" else None)

    async def _read(self, row: Json, project: Json, base: Json | None, us: Us) -> Reading:
        number = int(row["iid"])
        key = (*(row.get(name) for name in _LISTED), _head(base), (base or {}).get("protected"))
        old = self._readings.get(number)
        if old is not None and old.key == key and not self.pipelines.has_moved(row) and _settled(old.request):
            return old
        request = await self._up_to_date(await self._single(number))
        same = old is not None and old.key == key and request.get("sha") == old.request.get("sha")
        approvals, reviewers, commits, on_train = await asyncio.gather(
            _known(old.approvals) if old and same else self._approvals(number),
            _known(old.reviewers) if old and same else self._reviewers(request),
            self.commits(request, us),
            self._on_train(number, project),
        )
        pipelines = await self.pipelines.of(request)
        parents = await self.pipelines.parents(pipelines)
        if "user" not in request and (right := _may_merge(project, base)) is not None:
            request = {**request, "user": {"can_merge": right}}
        reading = Reading(key, request, approvals, reviewers, pipelines, commits, on_train, parents)
        self._readings[number] = reading
        return reading

    async def _up_to_date(self, request: Json) -> Json:
        """GitLab's answers name a new head a little after it was written. Where one is not the head that we wrote, the branch
        itself is asked which of the two it is: late, or a person's."""
        branch, said = str(request["source_branch"]), request.get("sha")
        mine = self.written.get(branch)
        wrote = mine.commit if mine is not None else head_of(str(request.get("description") or ""))
        if wrote is None or wrote == said:
            return request
        there = await self.lane.find(f"/repository/branches/{quoted(branch)}")
        if there is None or there["commit"]["id"] != wrote:
            return request
        return {**request, "sha": wrote, "head_pipeline": None, "detailed_merge_status": "checking"}

    async def settle(self, number: int, table: Table) -> None:
        """Read a request again after a write of ours that leaves its branch alone: what we did ourselves is no news."""
        old = self._readings.pop(number, None)
        if old is None:
            return
        request = {key: old.request[key] for key in ("user",) if key in old.request} | dict(await self._single(number, ()))
        if request.get("sha") != old.request.get("sha") or not is_open(request):
            return
        key = (*(request.get(name) for name in _LISTED), *old.key[len(_LISTED) :])
        approvals, reviewers = await self._approvals(number), await self._reviewers(request)
        self._readings[number] = replace(old, key=key, request=request, approvals=approvals, reviewers=reviewers)
        table.put(request)

    async def _single(self, number: int, pauses: Sequence[float] = _PAUSES) -> Json:
        """A request by itself. GitLab begins to look at it when it is asked, and is often done a moment later."""
        for pause in (*pauses, None):
            request: Json = await self.lane.get(
                f"/merge_requests/{number}", include_diverged_commits_count="true", include_rebase_in_progress="true"
            )
            if pause is None or request.get("detailed_merge_status") not in _LOOKING:
                break
            await self.lane.wire.clock.sleep(pause)
        return request

    async def _approvals(self, number: int) -> Json | None:
        try:
            return dict(await self.lane.get(f"/merge_requests/{number}/approvals"))
        except Declined as declined:
            return {} if declined.status == 404 else None  # a GitLab without approvals counts none

    async def _reviewers(self, request: Json) -> Sequence[Json] | None:
        if not request.get("reviewers"):
            return None
        try:
            return list(await self.lane.get(f"/merge_requests/{request['iid']}/reviewers"))
        except Declined:
            return None

    async def _on_train(self, number: int, project: Json) -> bool | None:
        if not project.get("merge_trains_enabled"):
            return False
        try:
            car = await self.lane.find(f"/merge_trains/merge_requests/{number}")
        except Declined:
            return None
        return car is not None and car.get("status") not in ("merged", "skip_merged")

    async def commits(self, request: Json, us: Us) -> Commits:
        """What the branch of a request has beyond its base."""
        number, head = int(request["iid"]), str(request.get("sha") or "")
        mine = self.written.get(str(request["source_branch"]))
        if mine is not None and mine.commit == head:
            return Commits(mine.message, False, mine.parent)
        kept = self._commits.get(number)
        if kept is not None and kept[0] == head:
            return kept[1]
        rows = await self._rows(request)
        newest = next((one for one in rows if one.get("id") == head), rows[0] if rows else {})
        fork = rows[0]["parent_ids"] if len(rows) == 1 and len(rows[0].get("parent_ids") or ()) == 1 else [None]
        ours = head_of(str(request.get("description") or "")) == head or all(us.made(one, self.emails) for one in rows)
        found = Commits(str(newest.get("message") or ""), not ours, fork[0])
        self._commits[number] = (head, found)
        return found

    async def _rows(self, request: Json) -> list[Json]:
        """The commits of a request; where they are not to be had, the newest one."""
        try:
            return await self.lane.all(f"/merge_requests/{request['iid']}/commits")
        except Declined as declined:
            if declined.status != 404:
                raise
        branch = await self.lane.find(f"/repository/branches/{quoted(str(request['source_branch']))}")
        return [branch["commit"]] if branch is not None else []

    def _answers(self, reading: Reading, us: Us) -> Answers:
        pipelines = counting(reading.pipelines, us)
        request = reading.request
        if request.get("state") == "locked":
            request = {**request, "detailed_merge_status": "checking"}
        return Answers(
            request,
            reading.approvals,
            pipelines,
            reading.reviewers,
            reading.commits.message,
            reading.on_train,
            reading.parents,
        )


async def _known(value: Any) -> Any:
    return value


def _settled(request: Json) -> bool:
    return request.get("state") == "opened" and request.get("detailed_merge_status") in _SETTLED


def _may_merge(project: Json, base: Json | None) -> bool | None:
    """Whether we may merge, where the request does not say: by the target branch, else by our role."""
    if base is None:
        return None
    if "can_push" in base:
        return bool(base["can_push"])
    role = role_of(project)
    return None if role is None else role >= (MAINTAINER if base.get("protected") else DEVELOPER)


def _head(base: Json | None) -> object:
    return ((base or {}).get("commit") or {}).get("id")
