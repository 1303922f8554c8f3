"""Landing on GitHub: directly with a guard on the head, by GitHub's own auto-merge, or by its queue.

A direct landing carries our title and body. Rebasing keeps the messages of the branch, and a queue makes its own: GitHub ignores
ours there. Auto-merge is refused for what could land at once; then it is landed directly.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import structlog

from bot.forges.base import Landed, Landing, NotLanded, Unreachable
from bot.forges.github import queries
from bot.forges.github.answers import Broken, Forbidden, Missing, Refusal
from bot.forges.github.commits import Committer, Move
from bot.forges.github.place import Json, Place
from bot.forges.github.wire import Wire
from rules.requests import PullRequest

log = structlog.get_logger(__name__)


class Lander:
    """Lands the requests of one place."""

    def __init__(self, wire: Wire, place: Place, committer: Committer, fault: Callable[[str], None]) -> None:
        self._wire = wire
        self._place = place
        self._committer = committer
        self._fault = fault

    async def merge(self, request: PullRequest, landing: Landing) -> Landed | NotLanded:
        async with self._wire.writing(f"{self._place.path} {request.branch}", 2):
            if landing.method == "fast-forward":
                return NotLanded(None, "GitHub cannot fast-forward")
            if landing.enqueue:
                wish = {"pullRequestId": await self._node(request), "expectedHeadOid": landing.head}
                return await self._handed_over(queries.ENQUEUE, wish, "enqueuePullRequest")
            if landing.auto:
                answer = await self._auto(request, landing)
                if answer is not None:
                    return answer
            landed = await self._land(request, landing)
            if isinstance(landed, Landed) and landing.delete_branch:
                self._fault("merge:landed")
                if not self._place.deletes:
                    await self._committer.drop(Move(request.branch, landing.head, None))
                self._fault("merge:deleted")
            return landed

    async def _land(self, request: PullRequest, landing: Landing) -> Landed | NotLanded:
        message = landing.message
        wish = {"sha": landing.head, "merge_method": landing.method}
        if landing.method != "rebase":  # which keeps the branch's own messages
            wish |= {"commit_title": message.headline, "commit_message": message.body}
        try:
            answer = await self._wire.write("PUT", f"{self._place.rest}/pulls/{request.number}/merge", wish)
        except Refusal as refusal:
            return await self._landed_before(request) or NotLanded(refusal.status, str(refusal))
        except Forbidden as error:
            return NotLanded(error.status, str(error))
        except Missing as error:
            return NotLanded(404, str(error))
        except Unreachable as error:
            # It may have happened: the request itself knows.
            landed = await self._landed_before(request)
            if landed is not None or not isinstance(error, Broken):
                return landed or NotLanded(None, str(error))
            return NotLanded(error.status, str(error))
        return Landed(answer.get("sha"))

    async def _landed_before(self, request: PullRequest) -> Landed | None:
        """The landing, if the request has landed. Raises where that cannot be read."""
        found = await self._wire.get(f"{self._place.rest}/pulls/{request.number}")
        return Landed(found.get("merge_commit_sha")) if found.get("merged") else None

    async def _auto(self, request: PullRequest, landing: Landing) -> Landed | NotLanded | None:
        """Let GitHub land it. None: it could land at once, which GitHub leaves to us."""
        wish: dict[str, Any] = {
            "pullRequestId": await self._node(request),
            "mergeMethod": landing.method.upper(),
            "expectedHeadOid": landing.head,
        }
        if landing.method != "rebase":
            wish |= {"commitHeadline": landing.message.headline, "commitBody": landing.message.body}
        answer = await self._handed_over(queries.AUTO_MERGE, wish, "enablePullRequestAutoMerge")
        if isinstance(answer, NotLanded) and re.search(r"(clean|unstable|has_hooks) status", answer.reason, re.IGNORECASE):
            return None
        return answer

    async def _handed_over(self, document: str, wish: Json, field: str) -> Landed | NotLanded:
        try:
            await self._wire.mutate(document, again=True, input=wish)
        except Refusal as refusal:
            if "already" in str(refusal).lower():
                return Landed(None)
            return NotLanded(409 if refusal.kind == "STALE_DATA" else 405, str(refusal))
        except Forbidden as error:
            return NotLanded(error.status, str(error))
        except Missing as error:
            return NotLanded(404, str(error))
        self._fault("merge:landed")
        return Landed(None)

    async def no_auto_merge(self, request: PullRequest) -> None:
        """Take GitHub's own auto-merge off a request."""
        try:
            await self._wire.mutate(queries.NO_AUTO_MERGE, again=True, input={"pullRequestId": await self._node(request)})
        except Refusal as refusal:
            log.info("auto-merge was off", repository=self._place.path, number=request.number, why=str(refusal))
        self._fault("auto:off")

    async def _node(self, request: PullRequest) -> str:
        known = self._place.known.get(request.number)
        if known is not None and known.id:
            return known.id
        return str((await self._wire.get(f"{self._place.rest}/pulls/{request.number}"))["node_id"])
