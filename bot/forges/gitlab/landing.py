"""Landing on GitLab: the merge call with the head's id, or a place on the merge train.

| project lands by     | squash           | our words are in                        |
|----------------------|------------------|-----------------------------------------|
| merge commit         | no               | the merge commit                        |
| merge commit         | yes              | the squashed commit and the merge commit|
| semi-linear          | as above, and the branch has to be up to date               |
| fast-forward         | yes              | the squashed commit                     |
| fast-forward         | no               | nowhere: the branch's commit lands      |
| merge train          |                  | nowhere; a skip token would drop it     |

The settings are read again right before, since what carries our words hangs on them. A landing of which the answer was lost is
looked for before anything is said about it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from bot.forges.base import ForgeError, Landed, Landing, NotLanded, Unreachable
from bot.forges.gitlab.readiness import protection
from bot.forges.gitlab.requests import Table, is_open, landed
from bot.forges.gitlab.session import Declined
from bot.forges.gitlab.wire import Lane
from rules.ci.tokens import may_contain_marker
from rules.requests import PullRequest

Json = Mapping[str, Any]
log = structlog.get_logger(__name__)

_TRIES = 5
# GitLab may refuse a request that it made a moment ago, or is still thinking about.
_THINKING = frozenset({"mergeable", "unchecked", "checking", "preparing", "approvals_syncing"})


class Lander:
    """Lands the requests of one project. `settings` reads the project anew."""

    def __init__(self, lane: Lane, table: Table, settings: Callable[[], Awaitable[Json]], fault: Callable[[str], None]) -> None:
        self._lane = lane
        self._table = table
        self._settings = settings
        self._fault = fault

    async def merge(self, request: PullRequest, landing: Landing) -> Landed | NotLanded:
        if why := refusal(await self._settings(), landing):
            return NotLanded(None, why)
        if landing.enqueue:
            return await self._board(request, landing)
        body = _terms(landing)
        for attempt in range(_TRIES):
            try:
                row = await self._lane.put(f"/merge_requests/{request.number}/merge", body, again=False)
            except Declined as declined:
                outcome = await self._refused(declined, request, landing)
                if outcome is None and attempt + 1 < _TRIES:
                    await self._lane.wire.clock.sleep(0.25 * (attempt + 1) ** 2)
                    continue
                return outcome or NotLanded(declined.status, declined.words or "GitLab does not take it yet")
            except Unreachable:
                row = await self._after_trouble(request)
                if row is None:
                    raise
            self._fault("merge:done")
            return self._taken(row)
        raise AssertionError("the last try returns")

    async def no_auto_merge(self, request: PullRequest) -> None:
        """Take GitLab's auto-merge off a request. Where there was none GitLab says so with 201 or 406, by its version."""
        try:
            await self._lane.ask("post", f"/merge_requests/{request.number}/cancel_merge_when_pipeline_succeeds", again=True)
        except Declined as declined:
            if declined.status != 406:
                raise
            log.info("auto-merge was off", number=request.number, why=declined.words)
        self._fault("auto:off")

    async def _refused(self, declined: Declined, request: PullRequest, landing: Landing) -> Landed | NotLanded | None:
        """What a refusal means; None: it is worth another try."""
        if declined.status not in (405, 406, 409, 422):
            return NotLanded(declined.status, declined.words or "GitLab does not allow it")
        row = await self._lane.get(f"/merge_requests/{request.number}")
        if row.get("state") == "merged":
            return self._taken(row)
        if not is_open(row):
            return NotLanded(declined.status, "it is closed")
        if row.get("sha") != landing.head:
            return NotLanded(409, "the branch is not where it was when this was decided")
        status = str(row.get("detailed_merge_status") or "unchecked")
        if declined.status == 405 and status in _THINKING:
            return None
        return NotLanded(declined.status, f"GitLab says {status!r}: {declined.words}".removesuffix(": "))

    async def _after_trouble(self, request: PullRequest) -> Json | None:
        """The request, if a landing whose answer was lost took place."""
        for attempt in range(3):
            try:
                row: Json = await self._lane.get(f"/merge_requests/{request.number}")
            except ForgeError:
                return None
            if row.get("state") == "merged":
                return row
            if row.get("state") != "locked":
                return None
            await self._lane.wire.clock.sleep(0.5 * (attempt + 1))
        return None

    async def _board(self, request: PullRequest, landing: Landing) -> Landed | NotLanded:
        """A place on the merge train, through its own door: the merge call would go past the train."""
        body = {"sha": landing.head, "squash": landing.method == "squash", "auto_merge": True, "when_pipeline_succeeds": True}
        tail = f"/merge_trains/merge_requests/{request.number}"
        try:
            await self._lane.ask("post", tail, None, body)
        except Declined as declined:
            there = await self._lane.find(tail) if declined.status in (400, 409, 422) else None
            if there is None or there.get("status") in ("merged", "skip_merged"):
                return NotLanded(declined.status, declined.words or "GitLab does not take it onto the train")
        except Unreachable:
            if await self._lane.find(tail) is None:
                raise
        self._fault("merge:done")
        return Landed(None)

    def _taken(self, row: Json) -> Landed:
        self._table.put(row)
        return Landed(landed(row))


def refusal(project: Json, landing: Landing) -> str | None:
    """Why a landing cannot be as it was decided, by the project's settings; None: it can."""
    trains = bool(project.get("merge_trains_enabled"))
    methods = protection(project, None).allowed_methods
    if landing.method not in methods:
        return f"the project lands by {' or '.join(methods)}, not by {landing.method}"
    if landing.enqueue and not trains:
        return "the project has no merge train any more"
    if trains and not landing.enqueue:
        return "the project lands by its merge train, and a direct merge would go past it"
    if landing.enqueue and may_contain_marker(str(landing.message)):
        return "a merge train carries no words of ours, and drops a request whose message has a skip token"
    return None


def _terms(landing: Landing) -> dict[str, Any]:
    """The body of the merge call. By `sha` GitLab refuses where the branch has moved, and drops an auto-merge when it does."""
    words = str(landing.message).rstrip("\n")
    squash = landing.method == "squash"
    body: dict[str, Any] = {"sha": landing.head, "squash": squash, "should_remove_source_branch": landing.delete_branch}
    if landing.method != "fast-forward":
        body["merge_commit_message"] = words
    if squash:
        body["squash_commit_message"] = words
    if landing.auto:
        # The newer name and, for GitLab before 17.11, the older one.
        body |= {"auto_merge": True, "merge_when_pipeline_succeeds": True}
    return body
