"""Your CI and your landing method: what Tagboat does. Each cell is asked of `rules.loops.mark`, so the table cannot be wrong.

    cell(EXAMPLES[0], "github", "squash")     Cell("GitHub Actions", "github", "squash", "decided", "marks with `[skip ci]`", …)

The examples are the smallest repositories in which a loop is possible: the manifest stands beside the code, a push to the base
branch builds the image, and nothing else runs on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from rules import ci, loops
from rules.ci.base import ForgeName
from rules.ci.examples import EXAMPLES, IMAGE, PATHS, REPOSITORY, Example
from rules.ci.landings import CARRIES, WAYS, Way, exists, takes_marker
from rules.ci.situation import Marking, Refusal, Situation
from rules.ci.world import World

Status = Literal["decided", "unknown", "not applicable"]
FORGES: tuple[ForgeName, ...] = ("github", "gitlab")
LANDING_SOURCES: Mapping[ForgeName, str] = {
    "github": "GitHub docs: REST, merge a pull request; GraphQL, enablePullRequestAutoMerge and enqueuePullRequest",
    "gitlab": "GitLab docs: merge requests API, merge trains, auto-merge",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """What Tagboat does. `safe` is false where the landing would build the image again: then it is refused."""

    title: str
    forge: ForgeName
    way: Way
    status: Status
    does: str
    reason: str
    source: str
    safe: bool = True


def cell(example: Example, forge: ForgeName, way: Way) -> Cell:
    """One cell of the table."""
    system = ci.SYSTEMS[example.system]
    if forge not in system.FORGES or example.only not in (None, forge):
        return Cell(example.title, forge, way, "not applicable", "–", f"{system.TITLE} does not run for {forge}", "")
    if not exists(forge, way):
        return Cell(
            example.title, forge, way, "not applicable", "–", f"{loops.HOSTS[forge]} has no such method", LANDING_SOURCES[forge]
        )
    situation = Situation(forge, example.definitions, REPOSITORY, images=(IMAGE,), paths=PATHS)
    source = "; ".join(
        filter(None, (system.SKIP.source if system.SKIP else f"the {system.TITLE} definition itself", LANDING_SOURCES[forge]))
    )
    answer = loops.mark(situation, way)
    status: Status = "unknown" if _in_doubt(situation, way, answer) else "decided"
    if isinstance(answer, Marking):
        where = " on the branch commit too" if answer.on_branch else ""
        does = f"marks with `{answer.token}`{where}" if answer.token else "lands unmarked"
        return Cell(example.title, forge, way, status, does, answer.reason, source)
    if way == "auto-merge" and any(isinstance(loops.mark(situation, one), Marking) for one in _DIRECT):
        return Cell(example.title, forge, way, status, "lands directly instead", answer.reason, source)
    return Cell(example.title, forge, way, status, "refuses; path rules", answer.reason, source, safe=False)


def cells() -> Iterator[Cell]:
    """The whole table."""
    for example in EXAMPLES:
        for forge in FORGES:
            for way in WAYS:
                yield cell(example, forge, way)


def counts() -> dict[Status, int]:
    """How many cells are decided, unknown, not applicable."""
    found: dict[Status, int] = {"decided": 0, "unknown": 0, "not applicable": 0}
    for one in cells():
        found[one.status] += 1
    return found


def markdown() -> str:
    """The tables of the page."""
    parts: list[str] = []
    for forge in FORGES:
        ways = [way for way in WAYS if exists(forge, way)]
        rows = [
            f"### {loops.HOSTS[forge]}",
            "",
            f"| CI | {' | '.join(_HEADS.get(way, way) for way in ways)} |",
            "|---" * (len(ways) + 1) + "|",
        ]
        for example in EXAMPLES:
            told = [cell(example, forge, way) for way in ways]
            if any(one.status != "not applicable" for one in told):
                rows.append(f"| {example.title} | {' | '.join(_shown(one) for one in told)} |")
        parts.append("\n".join(rows))
    total = counts()
    words = ", ".join(f"{number} {status}" for status, number in total.items())
    parts.append(f"{sum(total.values())} cells: {words} (a method that the forge does not have, a CI that does not run there).")
    return "\n\n".join(parts)


def tokens() -> str:
    """The table of tokens."""
    rows = ["| CI | token | read in a push | read of a request | tags too | source |", "|---|---|---|---|---|---|"]
    for system in ci.SYSTEMS.values():
        skip = system.SKIP
        if skip is None:
            rows.append(f"| {system.TITLE} | none: its own filters decide | | | | |")
            continue
        push = {"head": "the newest commit", "all": "every commit", "none": "nothing"}[skip.push]
        names = {"head": "newest commit", "title": "title", "body": "description"}
        request = ", ".join(names[part] for part in ("head", "title", "body") if part in skip.request) or "nothing"
        doubt = "; in doubt" if skip.doubt else ""
        tags = "yes" if skip.tags else "not known"
        rows.append(f"| {system.TITLE} | `{skip.token}`{doubt} | {push} | {request} | {tags} | {skip.source} |")
    return "\n".join(rows)


def carriers() -> str:
    """The table of what can carry a marker."""
    rows = ["| forge | landing | carries a marker | because |", "|---|---|---|---|"]
    for forge in FORGES:
        for way, because in CARRIES[forge].items():
            carries = "yes" if takes_marker(forge, way) else "no"
            rows.append(f"| {loops.HOSTS[forge]} | {way} | {carries} | {because} |")
    return "\n".join(rows)


_DIRECT: tuple[Way, ...] = ("squash", "merge")
_HEADS: Mapping[Way, str] = {"merge": "merge commit", "queue": "queue / train", "push": "direct push"}


def _shown(one: Cell) -> str:
    return f"{one.does} (not confirmed)" if one.status == "unknown" else one.does


def _in_doubt(situation: Situation, way: Way, answer: Marking | Refusal) -> bool:
    """Whether the answer would be another one if what is not confirmed were so."""
    if isinstance(answer, Marking):
        return False
    world = World.of(situation)
    if way == "auto-merge":
        return situation.forge == "gitlab"  # whether a merged-results pipeline reads the waiting message
    if not takes_marker(situation.forge, way):
        return False
    looping = [one for one in world.landing(situation, way, Marking(None, "")) if one.loop]
    for marking in loops.candidates(world, looping):
        played = [one for one in world.landing(situation, way, marking) if one.loop]
        if played and all(one.start.answer == "unknown" and one.start.by == "token" for one in played):
            return True
    return False


PARTS: Mapping[str, Callable[[], str]] = {"landings": markdown, "tokens": tokens, "carriers": carriers}
"""The tables of docs/ci-loops.md, by the name of their place in it."""
