"""The body of a request: what changes and where, why this tag, how it lands and what is missing, and the hidden line.

    **`acme/web`** from `1.4.1` to `1.4.2` (patch)

    - `envs/dev/app.yaml`, line 12

    Pushed 2026-03-01 12:00 UTC. Size 41.2 MB (was 40.9 MB). Platforms linux/amd64, linux/arm64.
    What changed: https://github.com/acme/web/compare/3f2a9c1...8d0be77

    Why `1.4.2`: it is the newest 1.x of the same precision (policy `auto`).
    41 other tags: 30 older, 8 filtered, 2 waiting. Nearest: …

    **Lands by rule** (squash), once all of this holds:
    - ✅ it is open
    - ⏳ not finished: ci/test

Everything from outside stands in code spans or escaped (`rules.messages.escaping`). A body that would be too long loses whole
blocks, the last first, and says so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rules import durations
from rules.images import canonical
from rules.messages.about import About, about
from rules.messages.escaping import code, prose
from rules.messages.headlines import name, short
from rules.messages.reasons import counts, nearest, why, why_not
from rules.records import Record, Written, hidden_line, targets
from rules.streams import PUSH
from rules.updates import Stay, Update

if TYPE_CHECKING:  # a proposal's words are made while it is made
    from rules.merging.values import Condition
    from rules.proposals import Proposal

LIMIT = 60_000  # characters: GitHub takes 65,536
PLACES = 30  # of one image, named one by one
_LEFT_OUT = 5
_CUT = "_More stood here than fits. The change itself shows the rest._"
_FOOTER = "Close it to skip this version. Push to its branch, and Tagboat leaves it to you."
Known = Mapping[tuple[str, str, str], tuple[About, About]]
"""What the registry tells of the images of an update, before and after, by canonical image, current and target."""
_NOTHING: Known = {}
_SIGNS = {True: "✅", False: "❌", None: "⏳"}


def body(proposal: Proposal, conditions: Sequence[Condition] = (), known: Known | None = None) -> str:
    """The whole body of a proposal's request. `conditions` are those of its landing, where they are known (`rules.merging`).

    What the registry tells (`known`) is for people only: a request whose body lacks it is up to date all the same."""
    fixed = [*_landing(proposal), *_left_out(proposal.left_out)]
    blocks, told = list(_what(proposal.updates)), list(_what(proposal.updates, known or {}))
    ticks = "\n".join(f"- {_SIGNS[condition.met]} {prose(condition.text)}" for condition in conditions)
    digest = _digest(proposal, [*blocks, *fixed], conditions)
    record = Record(proposal.stream.key, proposal.fingerprint, targets(proposal.updates))
    line = hidden_line(record, Written(proposal.title, digest))
    end = [*fixed[:1], *([ticks] if ticks else []), *fixed[1:], _FOOTER, line]
    return "\n\n".join([*_fitting(told, LIMIT - len("\n\n".join(end)) - 4), *end]) + "\n"


def _fitting(blocks: Sequence[str], room: int) -> list[str]:
    """The first blocks that fit, and where some do not, a line that says so."""
    if sum(len(block) + 2 for block in blocks) <= room:
        return list(blocks)
    kept: list[str] = []
    for block in blocks:
        room -= len(block) + 2
        if room < len(_CUT) + 2:
            break
        kept.append(block)
    return [*kept, _CUT]


def _what(updates: Sequence[Update], known: Known = _NOTHING) -> Iterator[str]:
    by_image: dict[str, list[Update]] = {}
    for update in updates:
        by_image.setdefault(canonical(update.occurrence.image), []).append(update)
    if len(by_image) > 1:
        yield f"{len(by_image)} images in {len({update.occurrence.file for update in updates})} files."
    for members in by_image.values():
        yield from _image(members, known)


def _image(updates: Sequence[Update], known: Known) -> Iterator[str]:
    first, moves = updates[0], {(update.current, update.target) for update in updates}
    shown = f"**{code(name(first.occurrence.image))}**"
    if len(moves) == 1:
        yield f"{shown} {_move(first)} ({first.kind or 'of unknown kind'})"
    else:
        yield shown
    lines = [_place(update, with_move=len(moves) > 1) for update in updates[:PLACES]]
    if len(updates) > PLACES:
        lines.append(f"- and {len(updates) - PLACES} more places")
    yield "\n".join(lines)
    image, facts = canonical(first.occurrence.image), dict[str, None]()
    for update in updates:
        old, new = known.get((image, str(update.current), str(update.target)), (About(), About()))
        facts |= dict.fromkeys(about(old, new))
    if facts:
        yield "\n".join(list(facts)[:_LEFT_OUT])
    yield from _reasons(updates)


def _move(update: Update) -> str:
    return f"from {code(short(update.current, update.target))} to {code(short(update.target, update.current))}"


def _place(update: Update, *, with_move: bool) -> str:
    place = f"- {code(update.occurrence.file)}, line {update.occurrence.tag_line or update.occurrence.line}"
    return f"{place}: {_move(update)} ({update.kind or 'of unknown kind'})" if with_move else place


def _reasons(updates: Sequence[Update]) -> Iterator[str]:
    """Each reason once, with what was looked at; places that were chosen for alike share theirs."""
    told: set[tuple[str, str]] = set()
    for update in updates:
        reason, target = why(update), short(update.target, update.current)
        if (reason, target) not in told:
            told.add((reason, target))
            yield "\n".join(_reason(update, reason, target))
        if len(told) == _LEFT_OUT:
            return


def _reason(update: Update, reason: str, target: str) -> Iterator[str]:
    yield f"Why {code(target)}: {prose(reason)} (policy {code(update.policy)})."
    if looked_at := counts(update.choice):
        yield f"{looked_at}."
    for judged in nearest(update.choice):
        yield f"- {code(judged.tag)}: {prose(why_not(judged))}"


def _landing(proposal: Proposal) -> Iterator[str]:
    rule = proposal.automerge
    if rule is None or proposal.stream.landing == PUSH:
        yield "**A person lands it.**"
        return
    terms: list[str] = [rule.method]
    if rule.min_pr_age:
        terms.append(f"open for {durations.text(rule.min_pr_age)}")
    if rule.schedule is not None:
        terms.append(prose(f"within {rule.schedule}"))
    yield f"**Lands by rule** ({', '.join(terms)}), once every condition holds."


def _left_out(stays: Iterable[Stay]) -> Iterator[str]:
    """Places that would be part of it and are held back."""
    lines = [f"- {code(stay.occurrence.file)}, {code(name(stay.occurrence.image))}: {prose(stay.reason)}" for stay in stays]
    if lines:
        more = [f"- and {len(lines) - _LEFT_OUT} more"] if len(lines) > _LEFT_OUT else []
        yield "\n".join(["Left out:", *lines[:_LEFT_OUT], *more])


def _digest(proposal: Proposal, blocks: Sequence[str], conditions: Iterable[Condition]) -> str:
    """Changes where our words, labels or people do. Of a condition only whether it is met counts: what is missing may be told
    with an age or the name of a check, and a body is not written anew for each of them."""
    people = (proposal.labels, proposal.reviewers, proposal.assignees)
    ticks = [(condition.name, condition.met) for condition in conditions]
    said = json.dumps([proposal.title, *blocks, people, ticks])
    return hashlib.sha256(said.encode()).hexdigest()[:16]
