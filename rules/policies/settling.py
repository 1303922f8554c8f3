"""From the tags that are better to the one that is taken: old enough, and for every platform that is served now.

A policy hands in a `Field`: the tags that are newer than what stands there, best first, and how to judge all others. The best
one is taken; where it is too young or lacks a platform, the next. Facts are asked for only of tags that would be taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, overload

from rules import durations
from rules.platforms import normal
from rules.policies.base import Candidate, Choice, Judged, Need, Question, UpdateKind, Verdict

_FALLBACKS = 12  # tags that may lack a platform before no further one is tried
Reason = tuple[str, str]
Ruling = tuple[Verdict, str, str]


@dataclass(frozen=True, slots=True)
class Entrant:
    """A tag that may be taken, and how far that would move."""

    tag: str
    kind: UpdateKind | None


@dataclass(frozen=True, slots=True)
class Field:
    """What a policy makes of a question.

    `entrants` are better than what stands there, the best first; `majors` likewise, where the next major is a stream of its
    own. `won` says why the one that is taken is taken, `nothing` why there is none; `judge` says of any other tag what became
    of it.
    """

    entrants: Sequence[Entrant]
    won: Reason
    nothing: Reason
    judge: Callable[[str], Ruling]
    majors: Sequence[Entrant] = ()


class Candidates(Sequence[Judged]):
    """Every tag of a listing, judged when somebody looks."""

    __slots__ = ("_judge", "_judged", "_tags")

    def __init__(self, tags: Sequence[str], judge: Callable[[str], Judged]) -> None:
        self._tags = tags
        self._judge = judge
        self._judged: tuple[Judged, ...] | None = None

    @overload
    def __getitem__(self, at: int) -> Judged: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Judged]: ...
    def __getitem__(self, at: int | slice) -> Judged | Sequence[Judged]:
        return self._all()[at]

    def __iter__(self) -> Iterator[Judged]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Sequence) and tuple(self) == tuple(other))

    def __hash__(self) -> int:
        return hash(len(self._tags))

    def _all(self) -> tuple[Judged, ...]:
        if self._judged is None:
            self._judged = tuple(map(self._judge, dict.fromkeys(self._tags)))
        return self._judged


class Entrants(Sequence[Entrant]):
    """Tags with what they are ordered by, best first; how far each would move is worked out when it is looked at."""

    __slots__ = ("_kind", "_pairs")

    def __init__(self, pairs: Sequence[tuple[Any, str]], kind: Callable[[Any], UpdateKind | None]) -> None:
        self._pairs = pairs
        self._kind = kind

    @overload
    def __getitem__(self, at: int) -> Entrant: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Entrant]: ...
    def __getitem__(self, at: int | slice) -> Entrant | Sequence[Entrant]:
        if isinstance(at, slice):
            return Entrants(self._pairs[at], self._kind)
        key, tag = self._pairs[at]
        return Entrant(tag, self._kind(key))

    def __len__(self) -> int:
        return len(self._pairs)


def _settle(field: Field, question: Question) -> Choice | Need:
    return settle(question, field)


def settle(question: Question, field: Field) -> Choice | Need:
    """The choice that a field leads to, or the facts that it lacks."""
    search = _Search(question)
    taken = search.first(field.entrants)
    major = search.first(field.majors)
    if search.lacks:
        again = partial(_settle, field)
        return Need(platforms=tuple(search.platforms), ages=tuple(search.ages), again=again)
    decided = dict(search.lost)
    if major is not None:
        decided[major.tag] = Judged(major.tag, Verdict.FILTERED, "next-major")
    if taken is not None:
        decided[taken.tag] = Judged(taken.tag, Verdict.CHOSEN, *field.won)
    code, detail = field.won if taken is not None else _why_none(field, search)
    ruling = field.judge  # what else is in the field need not be kept

    def judge(tag: str) -> Judged:
        return decided.get(tag) or Judged(tag, *ruling(tag))

    return Choice(
        taken.tag if taken else None,
        taken.kind if taken else None,
        code,
        detail,
        major=major.tag if major else None,
        candidates=Candidates(question.tags, judge),
        wake=search.wake,
    )


def left(question: Question, code: str, detail: str = "") -> Choice:
    """Nothing is chosen, whatever the registry has."""
    return Choice(
        None, None, code, detail, candidates=Candidates(question.tags, lambda tag: Judged(tag, Verdict.FILTERED, code, detail))
    )


def _why_none(field: Field, search: _Search) -> Reason:
    """Why nothing is taken: the best one is held back, or there is none."""
    for entrant in field.entrants:
        if (lost := search.lost.get(entrant.tag)) is not None:
            return f"held-{lost.code}", f"{lost.tag} {lost.detail}"
    return field.nothing


class _Search:
    """Looks for the first of some tags that may be taken, and keeps what became of the others."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.lost: dict[str, Judged] = {}
        self.platforms: list[str] = []
        self.ages: list[str] = []
        self.wake: datetime | None = None

    @property
    def lacks(self) -> bool:
        return bool(self.platforms or self.ages)

    def first(self, entrants: Iterable[Entrant]) -> Entrant | None:
        """The first that may be taken; None: none of them, or a fact is missing."""
        refused = 0
        for entrant in entrants:
            facts = self.question.known.get(entrant.tag, Candidate(entrant.tag))
            if not self._old_enough(entrant.tag, facts):
                continue
            if self.ages:  # those of all are wanted before one is taken
                continue
            match self._serves(entrant.tag, facts):
                case True:
                    return entrant
                case None:
                    self.platforms.append(entrant.tag)
                    return None
                case _:
                    refused += 1
            if refused == _FALLBACKS:
                return None
        return None

    def _old_enough(self, tag: str, facts: Candidate) -> bool:
        wanted = self.question.choosing.min_age
        if wanted <= timedelta(0):
            return True
        since = facts.pushed_at or facts.first_seen
        if since is None:
            if tag not in self.question.unknown:
                self.ages.append(tag)
            else:
                self.lost[tag] = Judged(tag, Verdict.WAITING, "age-unknown", durations.text(wanted))
            return False
        if self.question.now - since >= wanted:
            return True
        self.wake = min(filter(None, (self.wake, since + wanted)))
        self.lost[tag] = Judged(tag, Verdict.WAITING, "too-young", durations.text(wanted))
        return False

    def _serves(self, tag: str, facts: Candidate) -> bool | None:
        """Whether a tag has every platform that is wanted; None: that has to be asked."""
        question, rule = self.question, self.question.choosing.platforms
        if rule == "any" or (rule == "auto" and question.current_tag is None and question.current_digest is None):
            return True
        if rule == "auto" and question.current_platforms is not None and not question.current_platforms:
            return True  # nothing is known of what stands there, so nothing is wanted of what follows it
        if facts.platforms is None and tag not in question.unknown:
            return None
        wanted = frozenset(map(normal, rule if isinstance(rule, tuple) else question.current_platforms or ()))
        if not wanted:
            return True
        if not facts.platforms:
            self.lost[tag] = Judged(tag, Verdict.WAITING, "platforms-unknown")
            return False
        there = frozenset(map(normal, facts.platforms))
        missing = sorted(one for one in wanted if not _has(there, one, any_variant=rule != "auto"))
        if missing:
            self.lost[tag] = Judged(tag, Verdict.REFUSED, "platforms-missing", ", ".join(missing))
        return not missing


def _has(there: frozenset[str], wanted: str, *, any_variant: bool) -> bool:
    """Whether a platform is there. One that a person wrote without a variant is served by each of its variants."""
    return wanted in there or (any_variant and wanted.count("/") == 1 and any(one.startswith(wanted + "/") for one in there))
