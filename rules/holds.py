"""Holds: what people said no to, in words or by what they did.

    hold on an image, in one place or everywhere    asked for (`tagboat hold`)
    skip one version                                asked for, or by closing the request for it
    a landed update that a person took back         found: the merged request says 1.4.2, the file says 1.4.1 again

A found hold needs no memory: it is read from our ended requests and the files, each time anew. It ends when somebody says
`resume`, or when the file says what landed (or something newer) again, and it never holds a newer major. A skipped version is
not proposed again; a newer one is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rules.images import canonical
from rules.requests import SETTLING, PullRequest, Resumed, lifted
from rules.tags import major_of, older
from rules.updates import Outcome, Stay, Target, Trouble, Update


@dataclass(frozen=True, slots=True)
class Hold:
    """No update of an image (canonical name) in a file (everywhere where `path` is empty).

    With `version` it is that target only, as `Target` prints it. `below` is the version that was taken back: a newer major is
    not held. `reason` says who and why, `since` when.
    """

    image: str
    path: str = ""
    version: str = ""
    reason: str = ""
    below: str = ""
    base: str = ""
    since: datetime | None = None

    def holds(self, update: Update, base: str) -> bool:
        """Whether it stops this update."""
        place = update.occurrence
        if canonical(self.image) != canonical(place.image) or self.path not in ("", place.file) or self.base not in ("", base):
            return False
        if self.version:
            return self.version in (str(update.target), update.target.tag)
        return not (self.below and _newer_major(update.target.tag, self.below))


NEVER: Resumed = {}


def gate(outcomes: Iterable[Outcome], holds: Sequence[Hold], base: str = "") -> list[Outcome]:
    """The outcomes, those updates that a hold stops turned into places that stay."""
    by_image: dict[str, list[Hold]] = {}
    for hold in holds:
        by_image.setdefault(canonical(hold.image), []).append(hold)
    return [_gated(outcome, by_image, base) for outcome in outcomes]


def rejected(requests: Iterable[PullRequest], resumed: Resumed = NEVER) -> list[Hold]:
    """The versions that people said no to by closing the requests for them."""
    found: list[Hold] = []
    for request in requests:
        if request.state != "closed" or request.closed_by_us or request.record is None:
            continue
        for file, image, _, new in request.record.targets:
            if not lifted(image, file, request.ended_at, resumed):
                reason = f"request {request.number} for {new} was closed by a person"
                found.append(Hold(canonical(image), file, new, reason, base=request.base, since=request.ended_at))
    return found


def reverted(
    requests: Iterable[PullRequest],
    outcomes: Iterable[Outcome],
    base: str,
    now: datetime,
    resumed: Resumed = NEVER,
    settling: timedelta = SETTLING,
) -> list[Hold]:
    """The places of a base branch where a person went back behind what we landed: the newest landing of each image in each file
    against what stands there now. Of a place in trouble nothing is concluded, nor of a landing younger than `settling`."""
    standing = _standing(outcomes)
    found: list[Hold] = []
    for (file, image), (request, moves) in sorted(_landings(requests, base).items()):
        fresh = request.ended_at is not None and now - request.ended_at < settling
        if fresh or lifted(image, file, request.ended_at, resumed):
            continue
        for new in sorted({new for _, new in moves}):
            olds = {old for old, to in moves if to == new}
            behind = [text for text in standing.get((file, image), ()) if text in olds or older(_tag(text), _tag(new))]
            kept = len(standing.get((file, image), ())) - len(behind)
            if behind and kept < sum(to == new for _, to in moves):
                reason = f"{new} landed with request {request.number}, and a person went back to {behind[0]}"
                found.append(Hold(image, file, "", reason, _tag(new), base, request.ended_at))
    return found


def _gated(outcome: Outcome, holds: Mapping[str, Sequence[Hold]], base: str) -> Outcome:
    if not isinstance(outcome, Update):
        return outcome
    stopping = [hold for hold in holds.get(canonical(outcome.occurrence.image), ()) if hold.holds(outcome, base)]
    if not stopping:
        return outcome
    reason = stopping[0].reason or ("this version is skipped" if stopping[0].version else "it is on hold")
    refused = all(hold.version for hold in stopping)
    return Stay(outcome.occurrence, reason, outcome.choice, held=outcome, refused=refused)


def _landings(requests: Iterable[PullRequest], base: str) -> dict[tuple[str, str], tuple[PullRequest, list[tuple[str, str]]]]:
    """The newest landing of each image in each file: its request, and what it moved from where to where."""
    ended = [request for request in requests if request.state == "merged" and request.base == base and request.record]
    ended.sort(key=lambda request: (request.ended_at.timestamp() if request.ended_at else 0, request.number))
    found: dict[tuple[str, str], tuple[PullRequest, list[tuple[str, str]]]] = {}
    for request in ended:
        mine: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for file, image, old, new in request.record.targets if request.record else ():
            mine.setdefault((file, canonical(image)), []).append((old, new))
        found |= {key: (request, moves) for key, moves in mine.items()}
    return found


def _standing(outcomes: Iterable[Outcome]) -> dict[tuple[str, str], list[str]]:
    """What stands for each image in each file, save where one of its places is in trouble."""
    found: dict[tuple[str, str], list[str]] = {}
    troubled: list[Trouble] = []
    for outcome in outcomes:
        if isinstance(outcome, Trouble):
            troubled.append(outcome)
            continue
        place = outcome.occurrence
        found.setdefault((place.file, canonical(place.image)), []).append(str(Target(place.tag, place.digest)))
    return {key: texts for key, texts in found.items() if not any(trouble.covers("", *key) for trouble in troubled)}


def _tag(text: str) -> str:
    return text.partition("@")[0]


def _newer_major(tag: str | None, below: str) -> bool:
    mine, theirs = major_of(tag or ""), major_of(below)
    return mine is not None and theirs is not None and mine > theirs
