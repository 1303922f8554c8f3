"""Pull requests of GraphQL become ours: which are ours, whose commits they hold, who closed them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from bot.forges.base import OWN_CHECK, Comment
from bot.forges.github.answers import Trouble
from bot.forges.github.place import Json, Known, Place, Us
from bot.forges.github.readiness import login, readiness
from rules.merging import Protection
from rules.records import record_of
from rules.requests import PullRequest

CLOSED_LINE = "<!-- tagboat closed this -->"
COMMENT_LINE = "<!-- tagboat comment -->"
_BRANCH = re.compile(r"-[0-9a-f]{8}\Z")
# What may be missing without making a decision wrong.
_HARMLESS = frozenset({"comments", "every", "databaseId", "fullDatabaseId", "externalId", "assignees", "mergedBy"})


def request_of(node: Json, place: Place, demands: Protection | None, *, complete: bool = True) -> PullRequest:
    """A request in the words that all forges share. `demands` None: its base was not looked at; `complete` False: part of what
    its readiness is made of could not be read."""
    us, state = place.us, str(node.get("state") or "").lower()
    body = str(node.get("body") or "")
    ready = readiness(node, demands) if demands is not None and "commits" in node else None
    if ready is not None and not complete:
        ready = replace(ready, complete=False)
    return PullRequest(
        number=int(node["number"]),
        branch=str(node["headRefName"]),
        base=str(node["baseRefName"]),
        title=str(node.get("title") or ""),
        body=body,
        head=str(node["headRefOid"]),
        state="merged" if state == "merged" else "closed" if state == "closed" else "open",
        url=str(node.get("url") or ""),
        labels=frozenset(label["name"] for label in (node.get("labels") or {}).get("nodes") or () if label),
        draft=bool(node.get("isDraft")),
        created_at=moment(node.get("createdAt")),
        ended_at=moment(node.get("mergedAt") or node.get("closedAt")),
        edited_by_person=_edited(node, place),
        closed_by_us=state == "closed" and CLOSED_LINE in body and _closer(node) in (us.login, None),
        landed=(node.get("mergeCommit") or {}).get("oid"),
        record=record_of(body),
        readiness=ready,
        auto_merge_by=login((node.get("autoMergeRequest") or {}).get("enabledBy")) if ready is None else "",
    )


def known_of(node: Json, us: Us) -> Known:
    """What the writes want to know of a request."""
    commits, _ = _commits(node)
    talk = node.get("comments") or {}
    said = [one for one in talk.get("nodes") or () if one]
    every = talk.get("totalCount") == len(said)
    mine = next((one for one in said if login(one.get("author")) == us.login and COMMENT_LINE in str(one.get("body"))), None)
    first = commits[0] if commits else None
    parents = [parent["oid"] for parent in ((first or {}).get("parents") or {}).get("nodes") or () if parent]
    return Known(
        id=str(node.get("id") or ""),
        head=str(node["headRefOid"]),
        message=str((commits[-1] if commits else {}).get("message") or ""),
        fork=parents[0] if len(commits) == 1 and len(parents) == 1 else None,
        commits=len(commits),
        comments=tuple(comment_of(one, int(node["number"])) for one in said) if every else None,
        ours=(_number(mine), str(mine.get("body") or "")) if mine else None,
        check=_our_check(node, us),
        assignees=frozenset(one["login"] for one in (node.get("assignees") or {}).get("nodes") or () if one),
    )


def comment_of(one: Json, number: int) -> Comment:
    """A comment of GraphQL."""
    at = datetime.fromisoformat(one["createdAt"])
    return Comment(_number(one), number, login(one.get("author")), str(one.get("body") or ""), at)


def _number(one: Json) -> str:
    return str(one.get("fullDatabaseId") or one.get("databaseId") or "")


def _our_check(node: Json, us: Us) -> tuple[int, str] | None:
    """Our check run on the head, by its App."""
    for entry in (node.get("commits") or {}).get("nodes") or ():
        rollup = (entry.get("commit") or {}).get("statusCheckRollup") or {}
        for context in (rollup.get("contexts") or {}).get("nodes") or ():
            if not context or context.get("name") != OWN_CHECK or not context.get("databaseId"):
                continue
            if f"{((context.get('checkSuite') or {}).get('app') or {}).get('slug')}[bot]" == us.login:
                return int(context["databaseId"]), str(context.get("externalId") or "")
    return None


def in_full(found: Json) -> Iterator[tuple[int, Json]]:
    """The requests of an answer, by number, however they were asked for."""
    for alias, value in found.items():
        if not value:
            continue
        if re.fullmatch(r"pulls\d+", alias):
            yield from ((int(node["number"]), node) for node in value.get("nodes") or () if node)
        elif re.fullmatch(r"(pull\d+|other)_\d+", alias):
            yield int(value["number"]), value


def has_holes(found: Json) -> bool:
    """Whether a request that is there came as nothing, as it does where a field that it must have could not be given."""
    for alias, value in found.items():
        if re.fullmatch(r"(pull\d+|other)_\d+", alias) and value is None:
            return True
        if re.fullmatch(r"pulls\d+|open|ended", alias) and any(node is None for node in (value or {}).get("nodes") or ()):
            return True
    return False


def doubtful(found: Json, troubles: Iterable[Trouble]) -> set[int]:
    """The requests of which GitHub could not give something that matters."""
    numbers: set[int] = set()
    for trouble in troubles:
        alias, rest = str((*trouble.path, "", "")[1]), trouble.path[2:]
        if _HARMLESS & set(rest):
            continue
        if match := re.fullmatch(r"(?:pull\d+|other)_(\d+)", alias):
            numbers.add(int(match[1]))
        elif re.fullmatch(r"pulls\d+", alias):
            nodes = (found.get(alias) or {}).get("nodes") or ()
            at = rest[1] if len(rest) > 1 and isinstance(rest[1], int) and rest[1] < len(nodes) else None
            some = [nodes[at]] if at is not None else nodes
            numbers |= {int(node["number"]) for node in some if node}
    return numbers


def may_be_ours(one: Json, us: Us) -> bool:
    """By what a list tells: our login, this repository, the end of a branch's name as streams have it."""
    mine = login(one.get("author")) == us.login and one.get("isCrossRepository") is False
    return mine and _BRANCH.search(str(one.get("headRefName") or "")) is not None


def is_ours(node: Json, us: Us) -> bool:
    """A login that a person uses too needs more: our record, or a commit of ours."""
    if us.is_bot or record_of(str(node.get("body") or "")) is not None:
        return True
    return any(us.wrote(commit.get("author"), str(commit.get("message") or "")) for commit in _commits(node)[0])


def _commits(node: Json) -> tuple[list[Json], bool]:
    """The commits of a request's branch, and whether these are all."""
    found = node.get("every") or {}
    commits = [entry["commit"] for entry in found.get("nodes") or () if entry and entry.get("commit")]
    return commits, found.get("totalCount") == len(commits)


def _edited(node: Json, place: Place) -> bool:
    """Whether the branch holds a commit that is not ours. Nobody knows: then it is taken to be so."""
    commits, every = _commits(node)
    if node.get("state") != "OPEN":
        return False
    return not every or not all(
        commit.get("oid") in place.written or place.us.wrote(commit.get("author"), str(commit.get("message") or ""))
        for commit in commits
    )


def _closer(node: Json) -> str | None:
    events = [event for event in (node.get("timelineItems") or {}).get("nodes") or () if event and event.get("actor")]
    return login(events[-1]["actor"]) if events else None


def left_behind(node: Json, us: Us) -> bool:
    """Whether the branch of a request that we ended is still there, just as we left it."""
    there = ((node.get("headRef") or {}).get("target") or {}).get("oid")
    if there is None or there != node.get("headRefOid") or not may_be_ours(node, us) or not is_ours(node, us):
        return False
    if node.get("state") == "MERGED":
        return login(node.get("mergedBy")) == us.login
    return CLOSED_LINE in str(node.get("body") or "") and _closer(node) in (us.login, None)


def moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
