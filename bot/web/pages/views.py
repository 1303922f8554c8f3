"""What the pages show, from the summaries of all repositories (`bot.serving.summaries`). Nobody is asked anything for a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.report import Note
from bot.serving.service import Service
from bot.serving.summaries import FRESH, HELD, OPEN, UNKNOWN, WRONG, PlaceRow, RequestRow, Summary
from bot.state.ledger import Event
from rules.images import DOCKER_HUB, canonical


@dataclass(frozen=True, slots=True)
class Shown:
    """What there is to show: every repository that is looked at, its summary where a pass has ended, and when it is looked at
    next."""

    names: Mapping[str, tuple[str, str]]
    summaries: Mapping[str, Summary]
    looks: Mapping[str, datetime]
    now: datetime


async def shown(service: Service) -> Shown:
    """Read it. May raise LedgerError."""
    summaries = await service.summaries.current()
    names = {key: (one.name, one.kind) for key, one in summaries.items()}
    names |= {key: (berth.name, berth.forge.kind) for key, berth in service.berths.items()}
    return Shown(names, summaries, await service.shelf.looks(), service.app.clock())


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
class ImageRow:
    """An image with all its places."""

    name: str
    places: Sequence[PlaceRow]
    worst: str

    @property
    def days(self) -> int | None:
        """How many days the place that waits longest is behind."""
        return max((one.days for one in self.places if one.days is not None), default=None)


@dataclass(frozen=True, slots=True)
class HostRow:
    """A forge or registry that was asked by this process: `requests` of a kind, and what it says is `left` of `limit`."""

    host: str
    kind: str
    requests: int
    left: int | None
    limit: int | None


_ORDER = (WRONG, HELD, OPEN, UNKNOWN, FRESH)


def short(image: str) -> str:
    """An image's name for people: Docker Hub's own host left out."""
    return image.removeprefix(f"{DOCKER_HUB}/").removeprefix("library/")


def repositories(all_: Shown, query: str = "") -> list[RepositoryRow]:
    """Every repository, those that need a person first."""
    rows = [_repository(all_, key) for key in all_.names if _fits(query, key)]
    return sorted(rows, key=lambda row: (_ORDER.index(row.worst), row.name))


def requests(all_: Shown, only: str | None = None, query: str = "") -> list[RequestRow]:
    """Every open request, the oldest first."""
    every = (one for key, found in all_.summaries.items() if only in (None, key) for one in found.requests)
    rows = [one for one in every if _fits(query, one.title, one.repository)]
    return sorted(rows, key=lambda row: (row.since is None, row.since.timestamp() if row.since else 0, row.key, row.number))


def places(all_: Shown, only: str | None = None, query: str = "") -> list[PlaceRow]:
    """Every place of every image, those that need a person first."""
    every = (one for key, found in all_.summaries.items() if only in (None, key) for one in found.places)
    rows = [row for row in every if _fits(query, row.image, row.file, row.repository)]
    return sorted(rows, key=lambda row: (_ORDER.index(row.state), row.image, row.repository, row.file, row.line))


def dated(rows: Iterable[PlaceRow], seen: Mapping[tuple[str, str], datetime], now: datetime) -> list[PlaceRow]:
    """Places with how many days they are behind. `seen` has when the tags that they are to move to were first seen, by image and
    tag."""
    found = []
    for row in rows:
        since = seen.get((canonical(row.image), tag_of(row.next))) if row.next else None
        found.append(replace(row, days=(now - since).days) if since else row)
    return found


def tag_of(reference: str) -> str:
    """The tag of `tag@digest`."""
    return reference.partition("@")[0]


def images(rows: Iterable[PlaceRow]) -> list[ImageRow]:
    """The same by image."""
    by_name: dict[str, list[PlaceRow]] = {}
    for row in rows:
        by_name.setdefault(canonical(row.image), []).append(row)
    found = [ImageRow(name, mine, min((one.state for one in mine), key=_ORDER.index)) for name, mine in by_name.items()]
    return sorted(found, key=lambda row: (_ORDER.index(row.worst), row.name))


def hosts(service: Service) -> list[HostRow]:
    """Every forge and registry that was asked since the start, or whose allowance is known."""
    found: list[HostRow] = []
    for usage in service.app.usages():
        asked = sum(usage.requests.values())
        told = [HostRow(usage.host, kind, asked, left.remaining, left.limit) for kind, left in sorted(usage.left.items())]
        found += told or [HostRow(usage.host, "", asked, None, None)]
    registries = service.app.registries
    counts: Counter[str] = Counter()
    for (host, _), count in registries.requests.items():
        counts[host] += count
    for host in counts.keys() | registries.quotas.keys():
        quota = registries.quotas.get(host)
        found.append(HostRow(host, "", counts[host], quota.remaining if quota else None, quota.limit if quota else None))
    return sorted(found, key=lambda row: (row.host, row.kind))


def events(every: Iterable[Event], query: str = "") -> list[Event]:
    """The history, or what of it has these words."""
    return [one for one in every if _fits(query, one.repository, one.kind, one.subject, *map(str, one.detail.values()))]


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


def _repository(all_: Shown, key: str) -> RepositoryRow:
    (name, kind), found, due = all_.names[key], all_.summaries.get(key), all_.looks.get(key)
    if found is None:
        return RepositoryRow(key, name, kind, UNKNOWN, 0, 0, 0, 0, (), None, due)
    open_, held = len(found.requests), len(found.held)
    worst = WRONG if found.troubles else HELD if held else OPEN if open_ else FRESH
    images_ = {canonical(place.image) for place in found.places}
    return RepositoryRow(key, name, kind, worst, len(found.places), len(images_), open_, held, found.troubles, found.looked, due)
