"""Labels, assignees and reviewers of a request: added where they are missing, never taken away."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from bot.forges.base import ForgeError, Limited, Unreachable
from bot.forges.github.answers import Forbidden, Missing, Refusal
from bot.forges.github.place import Place
from bot.forges.github.wire import Wire
from rules.proposals import Proposal
from rules.requests import PullRequest

log = structlog.get_logger(__name__)


class Inviter:
    """Calls those whom a proposal wishes for."""

    def __init__(self, wire: Wire, place: Place, fault: Callable[[str], None]) -> None:
        self._wire = wire
        self._place = place
        self._fault = fault

    async def invite(self, request: PullRequest, proposal: Proposal) -> frozenset[str]:
        """Add what is missing; the labels that are there now. Somebody whom GitHub does not take is left out, with a warning."""
        rest, number = self._place.rest, request.number
        known = self._place.known.get(number)
        labels = missing(proposal.labels, request.labels)
        if labels:
            await self._call("POST", f"{rest}/issues/{number}/labels", "labels", labels)
            self._fault("people:labels")
        assignees = missing(proposal.assignees, known.assignees if known else ())
        if assignees:
            await self._call("POST", f"{rest}/issues/{number}/assignees", "assignees", assignees)
            self._fault("people:assignees")
        ready = request.readiness
        asked = () if ready is None else (*ready.review_requests, *(review.user for review in ready.reviews))
        users, teams = split(missing(proposal.reviewers, asked))
        if users or teams:
            await self._review(f"{rest}/pulls/{number}/requested_reviewers", users, teams)
            self._fault("people:reviewers")
        return request.labels | frozenset(proposal.labels)

    async def _review(self, path: str, users: Sequence[str], teams: Sequence[str]) -> None:
        try:
            await self._wire.write("POST", path, {"reviewers": list(users), "team_reviewers": list(teams)}, again=True)
        except (Refusal, Missing, Forbidden):
            # One name that GitHub does not take spoils all of them.
            for key, names in (("reviewers", users), ("team_reviewers", teams)):
                for name in names:
                    await self._call("POST", path, key, [name])

    async def _call(self, method: str, path: str, key: str, names: Sequence[str]) -> None:
        try:
            await self._wire.write(method, path, {key: list(names)}, again=True)
        except (Limited, Unreachable):
            raise
        except ForgeError as error:
            log.warning("not added to a request", repository=self._place.path, what=key, names=list(names), why=str(error))


def wished(proposal: Proposal) -> int:
    """How many requests that takes for a new one."""
    return bool(proposal.labels) + bool(proposal.assignees) + bool(proposal.reviewers)


def missing(wanted: Sequence[str], there: Sequence[str] | frozenset[str]) -> list[str]:
    """GitHub's names know no upper and lower case."""
    have = {name.casefold() for name in there}
    return [name for name in wanted if name.casefold() not in have]


def split(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """People, and teams (`acme/platform`, of which GitHub wants the second part)."""
    plain = [name.removeprefix("@") for name in names]
    return [name for name in plain if "/" not in name], [name.rpartition("/")[2] for name in plain if "/" in name]
