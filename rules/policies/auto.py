"""auto: the next of what stands there, read from its own text. The policy where no rule says another.

    1.25.3-alpine3.18      version: the newest of as many numbers, the same prefix and variant; the next major apart
    20260102, 2026.01.02   date or serial number: the largest of the same shape, never mixed with versions
    main-3f2a9c1-41        build: the largest number with the same fixed text
    3f2a9c1                commit hash: the newest by time, where the registry tells times
    latest                 a name: no successor

A pre-release is taken only where one stands there (one that is as mature, or a later one of the same version), or where the
rule says `prereleases: true`. How tags are read is told in `rules/tags`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from operator import itemgetter

from rules import tags
from rules.policies import newest, ranges
from rules.policies.base import Choice, Need, Question, Verdict
from rules.policies.entry import Entry
from rules.policies.kinds import of_step, within
from rules.policies.settling import Entrant, Entrants, Field, Ruling, left, settle
from rules.policies.versions import Key as VersionKey
from rules.tags import Form, Key, Tag, plain
from rules.tags.dates import is_date
from rules.tags.likeness import like

KEYS = frozenset({"range", "tags", "extract", "ignore", "variant", "prereleases", "max_step"})


def choose(question: Question) -> Choice | Need:
    """The next of what stands there. Raises BadRange, BadPattern or BadGlob where a key cannot be read."""
    entry = Entry(question.choosing)
    texts = entry.texts(question.tags)
    if question.current_tag is None:
        return left(question, "no-tag")
    text = entry.text(question.current_tag) if entry.extract is not None else question.current_tag
    if text is None:
        return left(question, "current-unmatched", question.choosing.tags or "")
    here = tags.among(text, texts.values())
    if here.form is Form.MOVING or like(here).key(here.text) is None:
        return left(question, "moving", question.current_tag)
    if here.form is Form.HASH:
        alike = like(here)
        return newest.choose(question, {tag for tag, text in texts.items() if alike.key(text) is not None}, "hash")
    return settle(question, _Alike(question, entry, here).field(texts))


class _Alike:
    """A listing, as far as it is like the tag that stands there."""

    def __init__(self, question: Question, entry: Entry, here: Tag) -> None:
        self.choosing = question.choosing
        self.current = question.current_tag or ""
        self.entry, self.here = entry, here
        self.range = ranges.read(self.choosing.range) if self.choosing.range else None
        self.like = like(here, any_variant=self.choosing.variant == "any")
        self.key = self.like.key(here.text) or here.key

    def field(self, texts: Mapping[str, str]) -> Field:
        here, keys = self.key, self.like.keys(texts.values())
        newer = [(key, tag) for key, tag in zip(keys, texts, strict=True) if key is not None and key > here]
        newer = [(key, tag) for key, tag in newer if self._barred(key) is None]
        newer.sort(key=(lambda one: (self._varied(one[1]), one[1])) if self.choosing.variant == "any" else itemgetter(1))
        newer.sort(key=itemgetter(0), reverse=True)
        apart = self.here.form is Form.VERSION
        major = here[0][0]
        entrants = Entrants([one for one in newer if not apart or one[0][0][0] == major], partial(of_step, self.here))
        majors = [Entrant(tag, "major") for key, tag in newer if apart and key[0][0] != major]
        shape = self._shape()
        return Field(entrants, ("newest-alike", shape), ("nothing-newer-alike", shape), self.judge, majors)

    def judge(self, tag: str) -> Ruling:
        if (refusal := self.entry.refusal(tag)) is not None:
            return Verdict.FILTERED, *refusal
        text = self.entry.text(tag) or ""
        key = self.like.key(text)
        if key is None:
            return Verdict.FILTERED, "unlike", f"{self.here.text}\n{text}"  # what is unlike is worked out when somebody reads it
        if tag == self.current or key == self.key:
            return Verdict.OLDER, "current" if tag == self.current else "same-version", self.current
        if key < self.key:
            return Verdict.OLDER, "older-than-current", self.current
        if (barred := self._barred(key)) is not None:
            return Verdict.FILTERED, *barred
        if self.here.form is Form.VERSION and key[0][0] != self.key[0][0]:
            return Verdict.FILTERED, "next-major", ""
        return Verdict.OLDER, "older", ""

    def _barred(self, key: Key) -> tuple[str, str] | None:
        """Why a newer tag of the same shape is not taken; None: it may be."""
        if key[1] != tags.RELEASE and not self._takes(key):
            return "prerelease-auto", ""
        if self.choosing.max_step != "major" and not within(of_step(self.here, key), self.choosing.max_step):
            return "step", self.choosing.max_step
        if self.range is not None and not self._in_range(key, self.range):
            return "out-of-range", self.range.text
        return None

    def _takes(self, key: Key) -> bool:
        """Whether a pre-release competes: `1.4.0-rc.2` and `1.5.0-rc.1` with `1.4.0-rc.1`, but not `1.5.0-alpha.1`."""
        if self.choosing.prereleases or (self.range is not None and self.range.names_prereleases):
            return True
        numbers, pre, _ = key
        return self.here.is_prerelease and (numbers == self.here.numbers or pre[1] >= self.here.pre[1])

    def _in_range(self, key: Key, allowed: ranges.Range) -> bool:
        if self.here.form is not Form.VERSION or self.here.precision > 3:
            return False
        major, minor, patch = (*key[0], 0, 0)[:3]
        version: VersionKey = (major, minor, patch, 1, ())
        if key[1] != tags.RELEASE:
            version = (major, minor, patch, 0, ((1, key[1][2]), *((0, number) for number in key[1][3])))
        return allowed.allows(version, prereleases=True)

    def _varied(self, tag: str) -> bool:
        """Of two variants of one version, the one that stands there comes first."""
        return self.choosing.variant == "any" and tags.read(self.entry.text(tag) or "").variant != self.here.variant

    def _shape(self) -> str:
        """The tags that are like it, in a few words: `1.x like 1.25.3-alpine`."""
        if self.here.form is Form.VERSION and self.here.precision > 1:
            return f"{self.here.prefix}{self.here.numbers[0]}.x{plain(self.here.variant)}"
        serial = self.here.form is Form.DATE and self.here.precision == 1 and not is_date(str(self.here.numbers[0]))
        return "serial number" if serial else self.here.form.value
