"""What the pages show: plain values made from the last report of each repository. Nothing is asked of anybody for a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.forges.base import Standing
from bot.report import Note, Report
from bot.service import Service
from rules.formats.base import Occurrence
from rules.images import DOCKER_HUB, canonical
from rules.messages import reasons
from rules.requests import PullRequest
from rules.updates import Stay, Target

FRESH, OPEN, HELD, WRONG, UNKNOWN = "fresh", "open", "held", "wrong", "unknown"


@dataclass(frozen=True, slots=True)
class RepositoryRow:
    """A repository in a word and a few figures. `worst` is what a person should look at first."""

    key: str
    name: str
    kind: str
    worst: str
    places: int
    images: int
    open: int
    held: int
    troubles: Sequence[Note]
    looked: datetime | None
    next_look: datetime | None


@dataclass(frozen=True, slots=True)
class RequestRow:
    """An open request, and how it stands."""

    key: str
    repository: str
    number: int
    title: str
    url: str
    base: str
    since: datetime | None
    standing: Standing


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """An image where it stands. `next` is what it is to become, `state` and `reason` say how it is with it."""

    key: str
    repository: str
    file: str
    line: int
    image: str
    tag: str
    next: str
    state: str
    reason: str
    days: int | None = None


@dataclass(frozen=True, slots=True)
class ImageRow:
    """An image with all its places."""

    name: str
    places: Sequence[PlaceRow]
    worst: str


_ORDER = (WRONG, HELD, OPEN, UNKNOWN, FRESH)


def short(image: str) -> str:
    """An image's name for people: Docker Hub's own host left out."""
    return image.removeprefix(f"{DOCKER_HUB}/").removeprefix("library/")


def repositories(service: Service, query: str = "") -> list[RepositoryRow]:
    """Every repository, those that need a person first."""
    rows = [_repository(service, key) for key in service.berths if _fits(query, key)]
    return sorted(rows, key=lambda row: (_ORDER.index(row.worst), row.name))


def requests(service: Service, only: str | None = None, query: str = "") -> list[RequestRow]:
    """Every open request, the oldest first."""
    rows = [
        _request(key, report, one)
        for key, report in service.reports.items()
        if only in (None, key)
        for one in report.requests
        if one.state == "open" and _fits(query, one.title, report.repository)
    ]
    return sorted(rows, key=lambda row: (row.since is None, row.since.timestamp() if row.since else 0, row.key, row.number))


def places(
    service: Service, only: str | None = None, query: str = "", seen: Mapping[str, datetime] | None = None
) -> list[PlaceRow]:
    """Every place of every image. `seen` has when the tags that places are to move to were first seen, by `image:tag`."""
    rows: list[PlaceRow] = []
    for key, report in service.reports.items():
        if only in (None, key):
            rows += _places(key, report, seen or {}, service.app.clock())
    found = [row for row in rows if _fits(query, row.image, row.file, row.repository)]
    return sorted(found, key=lambda row: (_ORDER.index(row.state), row.image, row.repository, row.file, row.line))


def images(rows: Iterable[PlaceRow]) -> list[ImageRow]:
    """The same by image."""
    by_name: dict[str, list[PlaceRow]] = {}
    for row in rows:
        by_name.setdefault(canonical(row.image), []).append(row)
    found = [ImageRow(name, mine, min((one.state for one in mine), key=_ORDER.index)) for name, mine in by_name.items()]
    return sorted(found, key=lambda row: (_ORDER.index(row.worst), row.name))


def ago(moment: datetime | None, now: datetime) -> str:
    """How long ago, or until when, in the largest unit that fits: `3 h ago`, `in 12 min`."""
    if moment is None:
        return "never"
    span = now - moment
    ahead = span < timedelta(0)
    seconds = abs(span).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            text = f"{int(seconds // size)} {unit}"
            break
    else:
        text = "a moment"
    return f"in {text}" if ahead else f"{text} ago"


def _fits(query: str, *texts: str) -> bool:
    return all(any(word in text.lower() for text in texts) for word in query.lower().split())


def _repository(service: Service, key: str) -> RepositoryRow:
    berth, report = service.berths[key], service.reports.get(key)
    due, looked = service.timer.next_look(key), service.looked.get(key)
    if report is None:
        return RepositoryRow(key, berth.name, berth.forge.kind, UNKNOWN, 0, 0, 0, 0, (), looked, due)
    troubles = list(report.of("trouble"))
    open_, held = sum(one.state == "open" for one in report.requests), sum(1 for _ in _held(report))
    worst = WRONG if troubles else HELD if held else OPEN if open_ else FRESH
    names = {canonical(place.image) for place in report.places}
    return RepositoryRow(
        key, berth.name, berth.forge.kind, worst, len(report.places), len(names), open_, held, troubles, looked, due
    )


def _held(report: Report) -> Iterator[Stay]:
    return (stay for wish in report.wishes for stay in wish.stays if stay.held is not None)


def _request(key: str, report: Report, request: PullRequest) -> RequestRow:
    standing = report.standings.get(request.number, Standing("wait", "a person lands it"))
    return RequestRow(
        key, report.repository, request.number, request.title, request.url, request.base, request.created_at, standing
    )


def _places(key: str, report: Report, seen: Mapping[str, datetime], now: datetime) -> Iterator[PlaceRow]:
    """What a report says of each place: it is in a proposal, it stays, or something is wrong with it."""
    moving = {_at(update.occurrence): update for wish in report.wishes for one in wish.proposals for update in one.updates}
    staying = {_at(stay.occurrence): stay for wish in report.wishes for stay in wish.stays}
    troubles = [trouble for wish in report.wishes for trouble in wish.troubles if not trouble.skipped]
    for place in report.places:
        tag, wanted, days = str(Target(place.tag, place.digest)), "", None
        trouble = next((one for one in troubles if one.covers(one.base, place.file, place.image)), None)
        if (update := moving.get(_at(place))) is not None:
            wanted, state, reason = str(update.target), OPEN, reasons.why(update)
            since = seen.get(f"{canonical(place.image)}:{update.target.tag}")
            days = (now - since).days if since else None
        elif trouble is not None:
            state, reason = WRONG, trouble.reason
        elif (stay := staying.get(_at(place))) is not None:
            wanted = str(stay.held.target) if stay.held else ""
            state, reason = HELD if stay.held else FRESH, stay.reason
        else:
            state, reason = UNKNOWN, "not looked at"
        yield PlaceRow(key, report.repository, place.file, place.line, place.image, tag, wanted, state, reason, days)


def _at(place: Occurrence) -> tuple[str, int, str]:
    return place.file, place.line, place.image
