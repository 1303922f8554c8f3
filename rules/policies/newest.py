"""newest: the tag that was pushed last.

    - match: {images: ["harbor.example.com/team/*"]}
      policy: newest
      tags: '^main-'

Times are those at which the registry says that a tag was pushed, or else at which Tagboat saw it first. The date in an image's
own configuration is never asked: whoever builds the image sets it, and a reproducible build says 1970. Of two tags of the same
moment the last in byte order is taken. A tag of which no time is known does not compete, and where none is known of the tag that
stands there, nothing is changed.
"""

from __future__ import annotations

from collections.abc import Set
from datetime import datetime

from rules.policies.base import Candidate, Choice, Need, Question, UpdateKind, Verdict
from rules.policies.entry import Entry
from rules.policies.settling import Entrant, Field, Ruling, left, settle

KEYS = frozenset({"tags", "ignore"})


def choose(question: Question, alike: Set[str] | None = None, why: str = "time") -> Choice | Need:
    """The tag that was pushed last; with `alike` only these compete. Raises BadPattern or BadGlob where a key cannot be read."""
    race = _Race(question, alike, why)
    missing = race.missing()
    if missing:
        return Need(ages=missing)
    if race.current in race.tags and race.here is None:
        return left(question, f"{why}-unknown", race.current or "")
    return settle(question, race.field())


class _Race:
    def __init__(self, question: Question, alike: Set[str] | None, why: str) -> None:
        self.question, self.current, self.why = question, question.current_tag, why
        self.entry = Entry(question.choosing)
        self.alike = alike
        self.tags = frozenset(question.tags)
        self.competing = [tag for tag in self.entry.texts(question.tags) if alike is None or tag in alike]
        self.here = self.time(self.current) if self.current is not None else None

    def time(self, tag: str) -> datetime | None:
        """When a tag was pushed or first seen."""
        return self.facts(tag).pushed_at or self.facts(tag).first_seen

    def facts(self, tag: str) -> Candidate:
        return self.question.known.get(tag, Candidate(tag))

    def missing(self) -> tuple[str, ...]:
        """The tags whose times have to be asked for."""
        wanted = dict.fromkeys(self.competing)
        if self.current in self.tags and self.current is not None:
            wanted[self.current] = None
        return tuple(tag for tag in wanted if self.time(tag) is None and tag not in self.question.unknown)

    def field(self) -> Field:
        later = [tag for tag in self.competing if self._later(tag)]
        pushed = [(time, tag) for tag in later if (time := self.facts(tag).pushed_at) is not None]
        found = pushed or [(time, tag) for tag in later if (time := self.time(tag)) is not None]
        found.sort(reverse=True)
        kind: UpdateKind | None = "build" if self.here is not None else None
        entrants = [Entrant(tag, kind) for _, tag in found]
        nothing = (f"{self.why}-none-later", self.current) if self.current is not None else ("nothing-competes", "")
        return Field(entrants, (f"{self.why}-newest", ""), nothing, self.judge)

    def judge(self, tag: str) -> Ruling:
        if (refusal := self.entry.refusal(tag)) is not None:
            return Verdict.FILTERED, *refusal
        if self.alike is not None and tag not in self.alike:
            return Verdict.FILTERED, "unlike", self.current or ""
        if tag == self.current:
            return Verdict.OLDER, "current", tag
        if self.time(tag) is None:
            return Verdict.WAITING, "time-unknown", ""
        return Verdict.OLDER, "pushed-earlier" if self._later(tag) else "not-later", self.current or ""

    def _later(self, tag: str) -> bool:
        """Whether a tag is known to have come after the one that stands there. A first sight is later than the push that it
        saw: it says nothing beside the time of a push."""
        if tag == self.current or self.time(tag) is None:
            return False
        if self.here is None:
            return True
        pushed = self.facts(tag).pushed_at
        if pushed is not None:
            return pushed > self.here
        return self.facts(self.current or "").pushed_at is None and (self.time(tag) or self.here) > self.here
