"""Going back after a landing: the new image is reported unhealthy, or a person says `rollback`.

    - match: {paths: ["envs/prod/**"]}
      rollback: propose        # propose: a request that goes back is opened; auto: it lands by rule; none: nothing is done

    Health("harbor.example.com/team/shop:1.4.2", "envs/prod/shop.yaml", healthy=False, reason="CrashLoopBackOff", at=…)

A report counts for what it names: the image with the tag (or digest) that stands in the place, where that landed by one of our
requests not longer than a day before. The newest report for an image in a place counts, so a later healthy one ends it. The place
goes back to what stood there before that landing, in a request of its own; whatever newer there is waits meanwhile. The version
is held in that place until somebody says `resume`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from rules.commands import TakeBack
from rules.config.values import Config
from rules.formats.base import Occurrence
from rules.holds import Hold
from rules.images import BadReference, ImageRef, canonical
from rules.policies.base import Choice, UpdateKind
from rules.policies.kinds import of_step
from rules.requests import PullRequest, Resumed, lifted
from rules.tags import read
from rules.updates import ROLLBACK, Outcome, Stay, Target, Update

WATCH = timedelta(days=1)
"""For so long after a landing a report is taken to be about it."""


@dataclass(frozen=True, slots=True)
class Health:
    """What somebody who watches reports. `image` is a reference with its tag or digest; `place` is a file of the repository,
    empty for every place where the image stands."""

    image: str
    place: str
    healthy: bool
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """A person's word, and when it was said."""

    what: TakeBack
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Reports:
    """What is known about how landings went: reports of those who watch, and what people asked for."""

    healths: tuple[Health, ...] = ()
    asked: tuple[Asked, ...] = ()
    resumed: Resumed | None = None


@dataclass(frozen=True, slots=True)
class _Landed:
    """The newest landing of an image in a file: what it moved from where to where, and when."""

    old: str
    new: str
    at: datetime | None


def held(reports: Reports, places: Iterable[Occurrence], config: Config) -> list[Hold]:
    """The versions that must not be proposed again where they were reported unhealthy, or taken back by a person's word."""
    found: dict[Hold, None] = {}
    for place in places if reports.healths else ():
        if config.proposing(place.image, place.file, None).rollback == "none":
            continue
        for version, report in _unhealthy(reports, place).items():
            reason = f"{version} was reported unhealthy" + (f": {report.reason}" if report.reason else "")
            found[Hold(canonical(place.image), place.file, version, reason, since=report.at)] = None
    for one in reports.asked:
        if not lifted(one.what.image, one.what.path, one.at, reports.resumed or {}):
            reason = f"{one.by} took {one.what.version} back" + (f": {one.what.reason}" if one.what.reason else "")
            found[Hold(one.what.image, one.what.path, one.what.version, reason, since=one.at)] = None
    return list(found)


def back(
    outcomes: Iterable[Outcome], requests: Iterable[PullRequest], base: str, reports: Reports, config: Config
) -> list[Outcome]:
    """The outcomes, those places that have to go back moved to what stood there before. `requests` are ours that landed."""
    every = tuple(outcomes)
    if not reports.healths and not reports.asked:
        return list(every)
    landings = _landings(requests, base)
    found: list[Outcome] = []
    done: set[Occurrence] = set()
    for outcome in every:
        if not isinstance(outcome, Update | Stay):
            found.append(outcome)
            continue
        place = outcome.occurrence
        if place in done:
            continue
        wanted = _wanted(place, landings.get((place.file, canonical(place.image))), reports, config)
        if wanted is None:
            found.append(outcome)
        elif _is_gone(wanted, outcome):
            done.add(place)
            reason = f"it should go back to {wanted.target}, which its registry no longer has ({wanted.choice.detail})"
            found.append(Stay(place, reason, outcome.choice, outcome if isinstance(outcome, Update) else outcome.held))
        else:  # every other update of the place (its next major) waits for it
            done.add(place)
            found = [one for one in found if not (isinstance(one, Update | Stay) and one.occurrence == place)]
            found.append(wanted)
    return found


def _wanted(place: Occurrence, landed: _Landed | None, reports: Reports, config: Config) -> Update | None:
    """The update that takes a place back; None: it stays as it is."""
    here = str(Target(place.tag, place.digest))
    if landed is None or landed.new != here or landed.old == landed.new:
        return None
    reason = _asked_for(place, here, reports) or _reported(place, landed, reports, config)
    target = _target(place, landed.old)
    if reason is None or target is None:
        return None
    return Update(place, target, _kind(place.tag, target.tag), ROLLBACK, Choice(target.tag, None, ROLLBACK, reason))


def _is_gone(wanted: Update, outcome: Update | Stay) -> bool:
    listed = outcome.choice.candidates if outcome.choice else ()
    return bool(listed) and wanted.target.tag is not None and all(one.tag != wanted.target.tag for one in listed)


def _asked_for(place: Occurrence, here: str, reports: Reports) -> str | None:
    for one in reports.asked:
        what = one.what
        mine = what.image == canonical(place.image) and what.path in ("", place.file) and what.version in (here, place.tag)
        if mine and not lifted(what.image, place.file, one.at, reports.resumed or {}):
            return f"{one.by} asked for it" + (f": {what.reason}" if what.reason else "")
    return None


def _reported(place: Occurrence, landed: _Landed, reports: Reports, config: Config) -> str | None:
    if config.proposing(place.image, place.file, None).rollback == "none":
        return None
    for version, report in _unhealthy(reports, place).items():
        soon = landed.at is None or timedelta(0) <= report.at - landed.at <= WATCH
        if version in (place.tag, str(Target(place.tag, place.digest)), f"@{place.digest}") and soon:
            return f"{version} was reported unhealthy" + (f": {report.reason}" if report.reason else "")
    return None


def _unhealthy(reports: Reports, place: Occurrence) -> Mapping[str, Health]:
    """The versions of a place's image whose newest report is that they are not well."""
    newest: dict[str, Health] = {}
    for report in reports.healths:
        try:
            reference = ImageRef.parse(report.image)
        except BadReference:
            continue
        if reference.canonical != canonical(place.image) or report.place not in ("", place.file):
            continue
        version = reference.tag or f"@{reference.digest}"
        if version not in newest or newest[version].at <= report.at:
            newest[version] = report
    resumed = reports.resumed or {}
    return {
        version: report
        for version, report in newest.items()
        if not report.healthy and not lifted(place.image, place.file, report.at, resumed)
    }


def _landings(requests: Iterable[PullRequest], base: str) -> Mapping[tuple[str, str], _Landed]:
    ended = [one for one in requests if one.state == "merged" and one.base == base and one.record is not None]
    ended.sort(key=lambda one: (one.ended_at.timestamp() if one.ended_at else 0, one.number))
    found: dict[tuple[str, str], _Landed] = {}
    for request in ended:
        for file, image, old, new in request.record.targets if request.record else ():
            found[file, canonical(image)] = _Landed(old, new, request.ended_at)
    return found


def _target(place: Occurrence, old: str) -> Target | None:
    """What stood there, as this place can say it. A digest that was not there before cannot be taken off again without guessing:
    such a place a person takes back."""
    tag, _, digest = old.partition("@")
    found = Target(tag or None, digest or None)
    writable = (found.tag is None) == (place.tag is None) and (found.digest is None) == (place.digest is None)
    return found if writable and (place.tag == found.tag or place.tag_span is not None) else None


def _kind(here: str | None, old: str | None) -> UpdateKind | None:
    """How far the step back is; of a digest under the same tag it is one."""
    if here == old:
        return "digest"
    mine, theirs = read(here or ""), read(old or "")
    return of_step(mine, theirs.key) if mine.comparable(theirs) else None
