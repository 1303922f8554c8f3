"""What alphabetical and numerical share: every tag has one value, and the first or last of them is taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from rules import tags
from rules.policies.base import Choice, Need, Question, UpdateKind, Verdict
from rules.policies.entry import Entry
from rules.policies.kinds import of_step, within
from rules.policies.settling import Entrants, Field, Ruling, settle

Value = Callable[[str], Any]  # what orders a text; None where it has nothing to order


def choose(question: Question, value: Value, unreadable: str, *, versions: bool) -> Choice | Need:
    """The tag whose value is last (`order: asc`) or first (`desc`), if it lies beyond that of the tag that stands there.

    `unreadable` is the code for a tag without a value. With `versions` the kind of an update is read from the tags where both
    are versions of one shape. Raises BadPattern or BadGlob where a key cannot be read.
    """
    return settle(question, _Ordered(question, value, unreadable, versions).field(question.tags))


class _Ordered:
    def __init__(self, question: Question, value: Value, unreadable: str, versions: bool) -> None:
        self.choosing, self.current = question.choosing, question.current_tag
        self.entry = Entry(question.choosing)
        self.value, self.unreadable, self.versions = value, unreadable, versions
        self.descending = question.choosing.order == "desc"
        text = self.entry.text(self.current) if self.current is not None else None
        self.here = None if text is None else value(text)

    def field(self, listing: Sequence[str]) -> Field:
        found = [(value, tag) for tag, text in self.entry.texts(listing).items() if (value := self.value(text)) is not None]
        found = [(value, tag) for value, tag in found if tag != self.current and self._beyond(value)]
        if self.choosing.max_step != "major":
            found = [(value, tag) for value, tag in found if self._within(self._kind(tag))]
        found.sort(key=itemgetter(1))
        found.sort(key=itemgetter(0), reverse=not self.descending)
        entrants = Entrants([(tag, tag) for _, tag in found], self._kind)
        order = "first" if self.descending else "last"
        nothing = (f"nothing-beyond-{order}", self.current) if self.current is not None else ("nothing-competes", "")
        return Field(entrants, (f"order-{order}", ""), nothing, self.judge)

    def judge(self, tag: str) -> Ruling:
        if (refusal := self.entry.refusal(tag)) is not None:
            return Verdict.FILTERED, *refusal
        value = self.value(self.entry.text(tag) or "")
        if value is None:
            return Verdict.FILTERED, self.unreadable, ""
        if tag == self.current:
            return Verdict.OLDER, "current", tag
        if self._beyond(value) and not self._within(self._kind(tag)):
            return Verdict.FILTERED, "step", self.choosing.max_step
        return Verdict.OLDER, "older" if self._beyond(value) else "not-beyond-current", self.current or ""

    def _beyond(self, value: Any) -> bool:
        if self.here is None:
            return True
        return bool(value < self.here if self.descending else value > self.here)

    def _kind(self, tag: str) -> UpdateKind | None:
        if self.current is None or self.here is None:
            return None
        here, there = tags.read(self.current), tags.read(tag)
        return of_step(here, there.key) if self.versions and here.comparable(there) else "build"

    def _within(self, kind: UpdateKind | None) -> bool:
        return self.current is None or within(kind, self.choosing.max_step)
