"""One look at a GitHub repository: heads, settings, what its branches demand, our requests. One query where nothing moved.

Requests of other people are not read in full: the first look takes the newest open ones as they come, later ones ask for ours by
number and for the rest only whose they are. Of those that ended, ours are remembered from look to look; the first look goes back
some weeks, so that what a person closed is known after a restart too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from bot.forges.base import Denied, ForgeError, Gone, Look, Project
from bot.forges.github import queries
from bot.forges.github.answers import Forbidden, Missing, Trouble
from bot.forges.github.place import Json, Known, Place, whole
from bot.forges.github.protection import protection, protection_from_rest
from bot.forges.github.reduced import fields_of, part, reviews_by_rest, rules_by_rest, without
from bot.forges.github.requests import doubtful, has_holes, in_full, is_ours, known_of, left_behind, may_be_ours, request_of
from bot.forges.github.wire import Wire
from rules.merging import Method, Protection
from rules.requests import PullRequest

log = structlog.get_logger(__name__)

CONFIG = "HEAD:.tagboat.yaml"  # what every pass reads next
NOBODY = "0" * 40
_PAGES = 20
_BACK = timedelta(days=30)
_BACK_PAGES = 4
_KEPT = 500


async def introduce(wire: Wire, place: Place, viewer: Json | None) -> None:
    """Know who we are: as GraphQL says it, else by the list of installations, else as REST says it. Raises ForgeError."""
    if not place.meet(viewer):
        place.meet(await wire.get("/user"))
    if not place.us.login:
        raise Denied("GitHub does not say whose credentials these are")


class Looker:
    """Looks at one repository and keeps its place up to date."""

    def __init__(self, wire: Wire, place: Place) -> None:
        self._wire = wire
        self._place = place
        self._ungiven: frozenset[str] = frozenset()

    async def look(self, bases: Sequence[str]) -> Look:
        place = self._place
        wanted = list(dict.fromkeys((place.default, *bases)))
        found, troubles = await self._ask(wanted)
        default = (found.get("defaultBranchRef") or {}).get("name") or place.default
        if default != place.default:
            place.default = default
            wanted = list(dict.fromkeys((default, *bases)))
            found, troubles = await self._ask(wanted)
        demands = {base: await self._demands(found, troubles, at, base) for at, base in enumerate(wanted)}
        heads = {base: found[f"base{at}"]["target"]["oid"] for at, base in enumerate(wanted) if found.get(f"base{at}")}
        requests = await self._open(found, troubles, wanted, demands)
        await self._ended(found.get("ended") or {})
        ended = [request for request, _ in self._place.ended.values() if request.number not in requests]
        await self._clear(found, requests.values())
        every = sorted([*requests.values(), *ended], key=lambda request: request.number)
        protections = {base: demands[base] for base in wanted if base in heads}
        return Look(_project(found, default, protections), heads, tuple(every), place.us.login)

    async def _ask(self, bases: Sequence[str]) -> tuple[Json, list[Trouble]]:
        """The one query."""
        place = self._place
        numbers = None if place.numbers is None else [[n for b, n in place.numbers if b == base] for base in bases]
        others = [n for b, n in place.numbers or () if b not in bases]
        variables: dict[str, Any] = {f"ref{at}": f"refs/heads/{base}" for at, base in enumerate(bases)}
        variables |= {f"base{at}": base for at, base in enumerate(bases) if numbers is None or numbers[at]}
        variables |= {"config": CONFIG, "temporary": queries.TEMPORARY, **place.names}
        data, troubles = await self._query(queries.look(len(bases), numbers, others), variables)
        found = data.get("repository")
        if not isinstance(found, Mapping):
            raise self._absent(troubles)
        place.path, place.id = str(found.get("nameWithOwner") or place.path), str(found.get("id") or "")
        if found.get("isArchived") or found.get("isFork"):
            raise Gone(f"{place.path} is {'archived' if found.get('isArchived') else 'a fork'}: it is left alone")
        if found.get("isDisabled"):
            raise Denied(f"{place.path} was disabled by GitHub")
        await introduce(self._wire, place, data.get("viewer"))
        place.seen = True
        place.deletes = found.get("deleteBranchOnMerge") is True
        place.settings = str((found.get("config") or {}).get("oid") or "")
        _keep(place, found.get("config"))
        return found, troubles

    async def _query(self, document: str, variables: Mapping[str, Any]) -> tuple[Json, list[Trouble]]:
        """Ask, and where fields that this server does not give spoil the answer, ask without them, from now on."""
        while True:
            reduced = without(document, self._ungiven)
            data, troubles = await self._wire.query(reduced, **{k: v for k, v in variables.items() if f"${k}:" in reduced})
            found = data.get("repository")
            ungiven = fields_of(troubles) - self._ungiven
            if not ungiven or (isinstance(found, Mapping) and not has_holes(found)):
                return data, troubles
            log.info("asked without some fields", repository=self._place.path, fields=sorted(ungiven), why=troubles[0].message)
            self._ungiven |= ungiven

    def _absent(self, troubles: Sequence[Trouble]) -> ForgeError:
        why = troubles[0] if troubles else Trouble("", "it gives no reason")
        if why.kind == "NOT_FOUND":
            if self._place.seen:
                return Gone(f"{self._place.path} was removed, or is no longer shown to Tagboat")
            return Denied(f"GitHub has no repository {self._place.path}, or these credentials may not see it")
        if why.kind in ("FORBIDDEN", "INSUFFICIENT_SCOPES"):
            return Denied(f"GitHub does not let these credentials read {self._place.path}: {why.message}")
        return ForgeError(f"GitHub tells nothing of {self._place.path}: {why.message}")

    # -- what a base branch demands

    async def _demands(self, found: Json, troubles: Sequence[Trouble], at: int, base: str) -> Protection:
        ref = found.get(f"base{at}")
        if ref and not isinstance(ref.get("rules"), Mapping):
            rules = await rules_by_rest(self._wire, self._place.rest, base)
            if not (ref.get("branchProtectionRule") or ref.get("refUpdateRule")):
                return await self._demands_by_rest(found, rules, base)
            told = {**ref, "rules": {"totalCount": len(rules or ()), "nodes": rules}}
            demands = protection(found, told, us=self._place.us.login)
            return replace(demands, known=demands.known and rules is not None)
        demands = protection(found, ref, us=self._place.us.login)
        hidden = any(trouble.path[1:3] == (f"base{at}", "refUpdateRule") for trouble in troubles)
        # What binds us could not be read, and nor could the whole: then nobody knows whether there is anything.
        return replace(demands, known=False) if hidden and not (ref or {}).get("branchProtectionRule") else demands

    async def _demands_by_rest(self, found: Json, rules: list[Json] | None, base: str) -> Protection:
        """The same of classic protection."""
        flags = {
            "allow_merge_commit": found.get("mergeCommitAllowed"),
            "allow_squash_merge": found.get("squashMergeAllowed"),
            "allow_rebase_merge": found.get("rebaseMergeAllowed"),
        }
        classic, readable = None, True
        try:
            classic = await self._wire.get(f"{self._place.rest}/branches/{part(base)}/protection", kept=True)
        except Missing:
            classic = None
        except Forbidden:
            readable = False
        return protection_from_rest(flags, rules, classic, us=self._place.us.login, readable=readable)

    # -- open requests

    async def _open(
        self, found: Json, troubles: Sequence[Trouble], bases: Sequence[str], demands: Mapping[str, Protection]
    ) -> dict[int, PullRequest]:
        place = self._place
        nodes = dict(in_full(found))
        unsure = doubtful(found, troubles)
        every = await self._list(found.get("open") or {})
        listed = {int(one["number"]): one for one in every if may_be_ours(one, place.us)}
        place.others = {
            int(one["number"]): (str(one["headRefOid"]), str(one["baseRefName"]))
            for one in every
            if int(one["number"]) not in listed and one.get("isCrossRepository") is False and one.get("headRefOid")
        }
        missing = {number: one for number, one in listed.items() if number not in nodes}
        if missing:
            numbers = [[n for n, one in missing.items() if one["baseRefName"] == base] for base in bases]
            others = [n for n, one in missing.items() if one["baseRefName"] not in bases]
            variables = {f"base{at}": base for at, base in enumerate(bases) if numbers[at]}
            more, problems = await self._query(queries.pulls(numbers, others), variables | place.names)
            rest = more.get("repository") or {}
            nodes |= dict(in_full(rest))
            unsure |= doubtful(rest, problems)
        requests: dict[int, PullRequest] = {}
        known: dict[int, Known] = {}
        for number, node in nodes.items():
            # Right after it was opened a list may not have it yet; asked for by number it is there.
            if node.get("state") == "OPEN" and may_be_ours(node, place.us) and is_ours(node, place.us):
                if "commits" in node and node.get("latestOpinionatedReviews") is None:
                    node = {**node, "latestOpinionatedReviews": await reviews_by_rest(self._wire, place.rest, number)}
                demand = demands.get(str(node.get("baseRefName")))
                requests[number] = request_of(node, place, demand, complete=number not in unsure)
                known[number] = known_of(node, place.us)
        place.known = known
        place.numbers = tuple((requests[number].base, number) for number in sorted(requests))
        for number in requests:
            place.ended.pop(number, None)  # a person opened it again
        return requests

    async def _list(self, page: Json) -> list[Json]:
        """Who has which request open, to the last page."""
        nodes = [node for node in page.get("nodes") or () if node]
        for _ in range(_PAGES):
            info = page.get("pageInfo") or {}
            if not info.get("hasNextPage"):
                return nodes
            data, _troubles = await self._wire.query(queries.MORE_OPEN, after=info["endCursor"], **self._place.names)
            page = (data.get("repository") or {}).get("open") or {}
            nodes += [node for node in page.get("nodes") or () if node]
        raise ForgeError(f"{self._place.path} has more than {len(nodes)} open pull requests: too many to look through")

    # -- ended requests

    async def _ended(self, page: Json) -> None:
        """Take in what ended since the last look; the first goes back some weeks."""
        place, since = self._place, self._place.newest_end
        for left in reversed(range(_PAGES if since else _BACK_PAGES)):
            nodes = [node for node in page.get("nodes") or () if node]
            for node in nodes:
                if may_be_ours(node, place.us) and is_ours(node, place.us):
                    request = request_of(node, place, None)
                    place.ended[request.number] = (request, request.ended_at)
            place.newest_end = max([place.newest_end, *(str(node.get("updatedAt") or "") for node in nodes)])
            info, last = page.get("pageInfo") or {}, str(nodes[-1].get("updatedAt") or "") if nodes else ""
            if not info.get("hasNextPage") or not left or last < (since or self._weeks_before(place.newest_end)):
                break
            data, _ = await self._query(queries.MORE_ENDED, {"after": info["endCursor"], **place.names})
            page = (data.get("repository") or {}).get("ended") or {}
        for number in sorted(place.ended)[: max(0, len(place.ended) - _KEPT)]:
            del place.ended[number]

    @staticmethod
    def _weeks_before(moment: str) -> str:
        try:
            return (datetime.fromisoformat(moment) - _BACK).isoformat()
        except ValueError:
            return moment

    # -- leftovers

    async def _clear(self, found: Json, requests: Iterable[PullRequest]) -> None:
        """Delete what a crash left: branches that were to take another's place, and those of requests that we ended just then."""
        place, used = self._place, {request.branch for request in requests}
        left = {
            node["name"]: node["target"]["oid"]
            for node in (found.get("left") or {}).get("nodes") or ()
            if node and str(node.get("name") or "").endswith(queries.TEMPORARY) and node.get("target")
        }
        for node in (found.get("ended") or {}).get("nodes") or ():
            if node and left_behind(node, place.us) and node["headRefName"] not in used:
                left[node["headRefName"]] = node["headRefOid"]
        fresh = {name: oid for name, oid in left.items() if (name, oid) not in place.cleared}
        if not fresh or not place.id:
            return
        place.cleared.update(dict.fromkeys(fresh.items(), True))
        moves = [{"name": f"refs/heads/{name}", "beforeOid": oid, "afterOid": NOBODY} for name, oid in fresh.items()]
        try:
            await self._wire.mutate(queries.MOVE, again=True, input={"repositoryId": place.id, "refUpdates": moves})
        except ForgeError as error:
            log.warning("leftover branches stay", repository=place.path, why=str(error))


def _project(found: Json, default: str, protections: Mapping[str, Protection]) -> Project:
    flags: tuple[tuple[Method, str], ...] = (
        ("merge", "mergeCommitAllowed"),
        ("squash", "squashMergeAllowed"),
        ("rebase", "rebaseMergeAllowed"),
    )
    return Project(
        default_branch=default,
        allowed_methods=tuple(method for method, flag in flags if found.get(flag)),
        merge_queue=default in protections and protections[default].merge_queue,
        auto_merge_allowed=bool(found.get("autoMergeAllowed")),
        squash_title_default=found.get("squashMergeCommitTitle"),
        squash_body_default=found.get("squashMergeCommitMessage"),
        merge_title_default=found.get("mergeCommitTitle"),
        merge_body_default=found.get("mergeCommitMessage"),
        protections=dict(protections),
    )


def _keep(place: Place, blob: Json | None) -> None:
    """Keep the configuration file, which is read next, if it came whole."""
    data = whole(blob) if blob else None
    if blob and data is not None:
        place.blobs[str(blob["oid"])] = data
