"""What a pass did and found, for the summary of `run`, the log, the history and the dashboard alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Literal

from bot.forges.base import Standing
from rules.findings import Finding
from rules.formats.base import Occurrence
from rules.policies.base import Choice
from rules.proposals import Proposal, Wishes
from rules.requests import PullRequest
from rules.updates import Stay, Update

Kind = Literal["opened", "refreshed", "closed", "left", "landed", "pushed", "waiting", "blocked", "would", "trouble"]


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that was done or found. `where` is a request (`!7`), a file with its line, or an image; `url` may be empty.

    A `trouble` is something that could not be looked at or done: the rest of the pass went on without it.
    """

    kind: Kind
    where: str
    reason: str
    title: str = ""
    url: str = ""
    wake: datetime | None = None


@dataclass(slots=True)
class Report:
    """The notes of one pass over one repository, in the order in which things happened.

    `wishes` is what ought to be by the last look, every place that stays as it is with its reason among it; `requests` are ours
    as the last look found them; `places` are all the images that stand there; `standings`
    say how each open request stands that was decided about.
    """

    repository: str
    notes: list[Note] = field(default_factory=list)
    wishes: tuple[Wishes, ...] = ()
    requests: tuple[PullRequest, ...] = ()
    places: tuple[Occurrence, ...] = ()
    standings: Mapping[int, Standing] = field(default_factory=dict)

    def add(self, kind: Kind, where: str, reason: str, *, title: str = "", url: str = "", wake: datetime | None = None) -> None:
        note = Note(kind, where, reason, title, url, wake)
        if note not in self.notes:
            self.notes.append(note)

    def find(self, kind: Kind, finding: Finding) -> None:
        """Add what is wrong or without effect in the repository's own file."""
        where = f"{finding.file}:{finding.line}" if finding.line else finding.file
        self.add(kind, where, str(replace(finding, file="", line=None)).removeprefix(": "))

    def of(self, *kinds: Kind) -> Iterator[Note]:
        return (note for note in self.notes if note.kind in kinds)

    @property
    def failed(self) -> bool:
        """Whether something could not be looked at or done."""
        return any(self.of("trouble"))

    @property
    def changed(self) -> bool:
        """Whether anything was written to the forge."""
        return any(self.of("opened", "refreshed", "closed", "landed", "pushed"))

    @property
    def wake(self) -> datetime | None:
        """When something can change by itself (an age, a schedule, a soak), if anything can."""
        noted = (note.wake for note in self.notes)
        staying = (stay.wake for wish in self.wishes for stay in wish.stays)
        withheld = (one.wake for wish in self.wishes for one in wish.withheld)
        return min((moment for moment in chain(noted, staying, withheld) if moment), default=None)


def lasting(wishes: Iterable[Wishes]) -> tuple[Wishes, ...]:
    """Wishes as they are kept after a pass: without file contents and candidates that lost, which hold whole listings."""
    slim: dict[int, Choice] = {}

    def choice(one: Choice) -> Choice:
        return slim.setdefault(id(one), replace(one, candidates=()))

    def update(one: Update) -> Update:
        return replace(one, choice=choice(one.choice))

    def stay(one: Stay) -> Stay:
        held = update(one.held) if one.held else None
        return replace(one, choice=choice(one.choice) if one.choice else None, held=held)

    def proposal(one: Proposal) -> Proposal:
        left_out = tuple(map(stay, one.left_out))
        return replace(one, files=(), updates=tuple(map(update, one.updates)), left_out=left_out)

    return tuple(
        replace(wish, proposals=tuple(map(proposal, wish.proposals)), stays=tuple(map(stay, wish.stays))) for wish in wishes
    )
