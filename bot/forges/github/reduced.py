"""Asking for less: an Enterprise Server does not know every field that github.com knows, and some fields fail alone.

A query whose answer is nothing because of some fields is asked again without them. What was not asked for is not known, which
every reader of the answer takes as such: nothing lands because of it. Rules and reviews REST tells as well.

    without(document, {"isDisabled", "mergeStateStatus"})
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from bot.forges.github.answers import Forbidden, Missing, Trouble, quoted
from bot.forges.github.place import Json
from bot.forges.github.wire import Wire

_UNKNOWN = re.compile(r"[Ff]ield '(\w+)' doesn't exist|Cannot query field [\"'](\w+)[\"']")
_FRAGMENT = re.compile(r"fragment (\w+) on ")
_KEYWORDS = frozenset({"query", "mutation", "fragment", "on", "..."})
_OPINIONS = frozenset({"APPROVED", "CHANGES_REQUESTED", "DISMISSED"})
_NEEDED = frozenset({"repository", "nameWithOwner", "nodes", "number", "oid"})


def fields_of(troubles: Iterable[Trouble]) -> frozenset[str]:
    """The fields that the errors are about, save those without which nothing makes sense."""
    found: set[str] = set()
    for trouble in troubles:
        if match := _UNKNOWN.search(trouble.message):
            found.add(match[1] or match[2])
        elif trouble.kind not in ("NOT_FOUND", "RATE_LIMITED"):
            names = [part for part in trouble.path if isinstance(part, str)]
            found |= set(names[-1:])
    return frozenset(found) - _NEEDED


def without(document: str, names: Collection[str]) -> str:
    """The document without these fields (by name or alias) and whatever they have below them, and without the fragments and
    variables that nothing uses any more."""
    for name in names:
        document = _cut(document, name)
    while unused := [found for found in _FRAGMENT.findall(document) if f"...{found} " not in _spaced(document)]:
        start = document.index(f"fragment {unused[0]} on ")
        document = document[:start] + document[_past(document, document.index("{", start), "{", "}") :]
    head, brace, body = document.partition("{")
    for variable in re.findall(r"\$(\w+):", head):
        if not re.search(rf"\${variable}\b", body):
            head = re.sub(rf"(, )?\${variable}: [\w!\[\]]+( = \w+)?", "", head)
    return head.replace("(, ", "(") + brace + body


def _spaced(document: str) -> str:
    return re.sub(r"[\s}]", " ", document)


def _cut(document: str, name: str) -> str:
    """The document without every field of that name or alias. Names in brackets are arguments, and stay."""
    pattern = re.compile(rf"(?<![\w$.:])(?:\w+: {re.escape(name)}\b|{re.escape(name)}\b(?:: \w+)?)")
    at = 0
    while match := pattern.search(document, at):
        before = document[: match.start()]
        words = before.split()
        if before.count("(") > before.count(")") or before.endswith("...") or (words and words[-1] in _KEYWORDS):
            at = match.end()
            continue
        end = _past(document, _past(document, match.end(), "(", ")"), "{", "}")
        document = before + document[end:]
        at = match.start()
    return document


def _past(document: str, start: int, opening: str, closing: str) -> int:
    """Where a bracket that begins here (after blanks) ends; the start, if there is none."""
    at = start
    while at < len(document) and document[at].isspace():
        at += 1
    if document[at : at + 1] != opening:
        return start
    depth = 0
    for end in range(at, len(document)):
        depth += {opening: 1, closing: -1}.get(document[end], 0)
        if not depth:
            return end + 1
    return start


async def rules_by_rest(wire: Wire, rest: str, base: str) -> list[Json] | None:
    """The rules of all rulesets for a branch, kept by ETag; None: they may not be read."""
    try:
        return list(await wire.get(f"{rest}/rules/branches/{part(base)}", kept=True))
    except Missing:
        return []  # who sees the repository sees its rules: so this is a server that has no rulesets
    except Forbidden:
        return None


async def reviews_by_rest(wire: Wire, rest: str, number: int) -> Json | None:
    """Everybody's newest opinion of a request, in the form of `latestOpinionatedReviews`; None: they may not be read."""
    newest: dict[str, Json] = {}
    try:
        async for row in wire.pages(f"{rest}/pulls/{number}/reviews?per_page=100"):
            user = row.get("user") or {}
            if row.get("state") in _OPINIONS:
                author = {"login": user.get("login"), "__typename": user.get("type")}
                newest[str(user.get("login"))] = {"state": row["state"], "submittedAt": row.get("submitted_at"), "author": author}
    except (Missing, Forbidden):
        return None
    return {"totalCount": len(newest), "nodes": list(newest.values())}


def part(name: str) -> str:
    """A branch's name as one part of an address."""
    return quoted(name).replace("/", "%2F")
