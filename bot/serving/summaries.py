"""What the last pass over a repository found, in short: what the pages and `tagboat status` show, whichever process ran the pass.

    await keep(shelf, summary("github:acme/gitops", "github", report, now))
    found = await Summaries(shelf).current()         by key; read anew only what has changed

A summary is plain values made from a report. It stands in the database, so a restart forgets none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from bot.forges.base import Standing
from bot.report import Note, Report
from bot.state.shelf import Shelf
from rules.formats.base import Occurrence
from rules.merging import Condition
from rules.messages import reasons
from rules.requests import PullRequest
from rules.updates import Target

State = Literal["fresh", "open", "held", "wrong", "unknown"]
FRESH, OPEN, HELD, WRONG, UNKNOWN = "fresh", "open", "held", "wrong", "unknown"


@dataclass(frozen=True, slots=True)
class RequestRow:
    """An open request, and how it stands. `images` are those that it changes, as their files name them."""

    key: str
    repository: str
    number: int
    title: str
    url: str
    base: str
    since: datetime | None
    standing: Standing
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """An image where it stands. `next` is what it is to become, `state` and `reason` say how it is with it, `wake` when that can
    change by itself."""

    key: str
    repository: str
    file: str
    line: int
    image: str
    tag: str
    next: str
    state: State
    reason: str
    wake: datetime | None = None
    days: int | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """A repository after a pass. `key` tells it from one of the same name elsewhere: `github:acme/gitops`."""

    key: str
    name: str
    kind: str
    looked: datetime
    places: tuple[PlaceRow, ...] = ()
    requests: tuple[RequestRow, ...] = ()
    troubles: tuple[Note, ...] = ()
    waiting: int = 0
    blocked: int = 0

    @property
    def held(self) -> Sequence[PlaceRow]:
        """The places that are held back."""
        return [one for one in self.places if one.state == HELD]


_ADAPTER = TypeAdapter(Summary)
# Modules of ours name some types for the type checker only.
_ADAPTER.rebuild(force=True, _types_namespace={**globals(), "Condition": Condition})
_A_PERSON = Standing("wait", "a person lands it")


def summary(key: str, kind: str, report: Report, now: datetime, before: Summary | None = None) -> Summary:
    """What to keep of a report. A pass that could not look at all keeps what was known `before`, with its trouble."""
    troubles = tuple(report.of("trouble"))
    waiting, blocked = sum(1 for _ in report.of("waiting")), sum(1 for _ in report.of("blocked"))
    if troubles and not report.places and not report.requests and before is not None:
        return Summary(key, report.repository, kind, now, before.places, before.requests, troubles, waiting, blocked)
    requests = tuple(_requests(key, report, now))
    return Summary(key, report.repository, kind, now, tuple(_places(key, report)), requests, troubles, waiting, blocked)


async def keep(shelf: Shelf, one: Summary) -> None:
    """Write a summary down for everybody. May raise LedgerError."""
    await shelf.keep_summary(one.key, one.looked.timestamp(), _ADAPTER.dump_json(one))


class Summaries:
    """The summaries of all repositories, as they stand in the database."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._known: dict[str, tuple[float, Summary]] = {}

    async def one(self, key: str) -> Summary | None:
        """That of one repository. May raise LedgerError."""
        content = await self._shelf.summary(key)
        try:
            return None if content is None else _ADAPTER.validate_json(content)
        except ValidationError:
            return None

    async def current(self) -> Mapping[str, Summary]:
        """Every summary by key. May raise LedgerError."""
        fresh, names = await self._shelf.summaries({key: version for key, (version, _) in self._known.items()})
        for gone in self._known.keys() - names:
            del self._known[gone]
        for key, (version, content) in fresh.items():
            try:
                self._known[key] = version, _ADAPTER.validate_json(content)
            except ValidationError:
                continue  # another version of Tagboat wrote it: the next pass writes it anew
        return {key: one for key, (_, one) in self._known.items()}


def _requests(key: str, report: Report, now: datetime) -> Iterator[RequestRow]:
    """The open requests as the last look found them, and those that were opened after it."""
    ended = {note.where for note in report.of("closed", "landed")}
    seen = set[str]()
    for one in report.requests:
        seen.add(f"!{one.number}")
        if one.state == "open" and f"!{one.number}" not in ended:
            yield _request(key, report, one)
    for note in report.of("opened"):
        if note.where not in seen | ended and note.where[1:].isdigit():
            number = int(note.where[1:])
            standing = report.standings.get(number, _A_PERSON)
            yield RequestRow(key, report.repository, number, note.title, note.url, "", now, standing)


def _request(key: str, report: Report, request: PullRequest) -> RequestRow:
    standing = report.standings.get(request.number, _A_PERSON)
    proposals = (one for wish in report.wishes for one in wish.proposals if one.branch == request.branch)
    images = tuple(sorted({update.occurrence.image for one in proposals for update in one.updates}))
    return RequestRow(
        key, report.repository, request.number, request.title, request.url, request.base, request.created_at, standing, images
    )


def _places(key: str, report: Report) -> Iterator[PlaceRow]:
    """What a report says of each place: it is in a proposal, it stays, or something is wrong with it."""
    moving = {_at(update.occurrence): update for wish in report.wishes for one in wish.proposals for update in one.updates}
    staying = {_at(stay.occurrence): stay for wish in report.wishes for stay in wish.stays}
    troubles = [trouble for wish in report.wishes for trouble in wish.troubles if not trouble.skipped]
    for place in report.places:
        tag, wanted, wake = str(Target(place.tag, place.digest)), "", None
        state: State
        trouble = next((one for one in troubles if one.covers(one.base, place.file, place.image)), None)
        if (update := moving.get(_at(place))) is not None:
            wanted, state, reason = str(update.target), "open", reasons.why(update)
        elif trouble is not None:
            state, reason = "wrong", trouble.reason
        elif (stay := staying.get(_at(place))) is not None:
            wanted, wake = str(stay.held.target) if stay.held else "", stay.wake
            state, reason = "held" if stay.held else "fresh", stay.reason
        else:
            state, reason = "unknown", "not looked at"
        yield PlaceRow(key, report.repository, place.file, place.line, place.image, tag, wanted, state, reason, wake)


def _at(place: Occurrence) -> tuple[str, int, str]:
    return place.file, place.line, place.image
