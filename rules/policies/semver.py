"""semver: the highest version that a range allows.

    - match: {images: ["ghcr.io/acme/*"]}
      policy: semver
      range: "^1.4"            # see docs/policies.md for the grammar; without a range: any release

Every part counts as Masterminds/semver counts it, so that a range means what it means to Flux and Argo CD Image Updater; where
Tagboat differs, it is because it knows what stands there now:

- it never goes down: a tag above the range stays;
- with `1.4` there, only tags of two numbers compete; `1.4.2` competes with those of three;
- with `1.4.2-alpine` there, `-alpine` is a variant and no pre-release (`variant: keep`), and only tags that have it compete;
- of two spellings of one version (`v1.5.0`, `1.5.0`) it takes the one that is spelled like the tag that stands there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

from rules import tags
from rules.policies import ranges, versions
from rules.policies.base import Choice, Need, Question, UpdateKind, Verdict
from rules.policies.entry import Entry
from rules.policies.kinds import by_part, within
from rules.policies.settling import Entrants, Field, Ruling, settle
from rules.tags.likeness import like
from rules.tags.words import BRANCHES, COUNTERS, PRERELEASES

KEYS = frozenset({"range", "tags", "extract", "ignore", "variant", "prereleases", "max_step"})


def choose(question: Question) -> Choice | Need:
    """The highest version in the range. Raises BadRange, BadPattern or BadGlob where a key cannot be read."""
    return settle(question, _Versions(question).field(question.tags))


class _Versions:
    """A listing as versions, beside the one that stands there."""

    def __init__(self, question: Question) -> None:
        self.choosing = question.choosing
        self.entry = Entry(question.choosing)
        self.range = ranges.read(question.choosing.range or "*")
        self.current = question.current_tag
        text = self.entry.text(self.current) if self.current is not None else None
        self.text = text if self.entry.extract is not None else self.current
        self.like = _variant_of(self.text, self.range) if self.choosing.variant == "keep" else None
        self.here = self._key(self.text) if self.text is not None else None
        self.precision = versions.precision(self.text) if self.text is not None and self.here is not None else None

    def field(self, listing: Sequence[str]) -> Field:
        texts = self.entry.texts(listing)
        here, key_of = self.here, self._key
        found = [(key, tag) for tag, text in texts.items() if (key := key_of(text)) is not None]
        if here is not None:
            found = [(key, tag) for key, tag in found if key > here]
        found = [(key, tag) for key, tag in found if self._admits(key, texts[tag])]
        if self.choosing.max_step != "major":
            found = [(key, tag) for key, tag in found if self._within(self._kind(key))]
        found.sort(key=lambda one: (self._spelled_otherwise(one[1]), one[1]))
        found.sort(key=itemgetter(0), reverse=True)
        return Field(Entrants(found, self._kind), ("highest", self.range.text), self._nothing(), self.judge)

    def judge(self, tag: str) -> Ruling:
        if (refusal := self.entry.refusal(tag)) is not None:
            return Verdict.FILTERED, *refusal
        text = self.entry.text(tag) or ""
        key = self._key(text)
        if key is None:
            return Verdict.FILTERED, "other-variant" if self.like and versions.read(text) else "no-version", self.current or ""
        if self.precision is not None and versions.precision(text) != self.precision:
            return Verdict.FILTERED, "other-precision", self.current or ""
        if not self._admits(key, text):
            return Verdict.FILTERED, *self._outside(key, text)
        if self.here is not None:
            if tag == self.current or key == self.here:
                return Verdict.OLDER, "current" if tag == self.current else "same-version", self.current or ""
            if key < self.here:
                return Verdict.OLDER, "older-than-current", self.current or ""
        if not self._within(self._kind(key)):
            return Verdict.FILTERED, "step", self.choosing.max_step
        return Verdict.OLDER, "older", ""

    def _key(self, text: str) -> Any:
        """What orders a version: its key and the revision of its variant; None where it is none, or another variant's."""
        if self.like is None:
            key = versions.read(text)
            return None if key is None else (key, ())
        found = self.like.key(text)
        if found is None:
            return None
        numbers, pre, revision = found
        identifiers = ((1, pre[2]), *((0, number) for number in pre[3])) if pre != tags.RELEASE else ()
        return (*(*numbers, 0, 0)[:3], 0 if identifiers else 1, identifiers), revision

    def _admits(self, key: Any, text: str) -> bool:
        """Whether a version may be taken by everything but its place in the order."""
        if self.precision is not None and versions.precision(text) != self.precision:
            return False
        if not self.range.allows(key[0], prereleases=self.choosing.prereleases):
            return False
        return not (versions.is_prerelease(key[0]) and self._is_variant(text))

    def _is_variant(self, text: str) -> bool:
        """Whether what reads as a pre-release is a variant that the current tag does not have."""
        if self.here is None or self.like is not None or self.choosing.variant == "any":
            return False
        return _has_words(tags.read(text).variant) and not _has_words(tags.read(self.text or "").variant)

    def _outside(self, key: Any, text: str) -> tuple[str, str]:
        if versions.is_prerelease(key[0]) and self._is_variant(text):
            return "other-variant", self.current or ""
        in_range = self.range.allows(key[0], prereleases=True)
        return "prerelease" if in_range else "out-of-range", self.range.text

    def _kind(self, key: Any) -> UpdateKind | None:
        if self.here is None:
            return None
        kind = by_part(self.here[0][:3], key[0][:3])
        if kind is None:
            return "patch" if self.here[0] != key[0] else "build"
        return kind

    def _within(self, kind: UpdateKind | None) -> bool:
        return self.current is None or within(kind, self.choosing.max_step)

    def _spelled_otherwise(self, tag: str) -> bool:
        return self.current is not None and tag.startswith("v") != self.current.startswith("v")

    def _nothing(self) -> tuple[str, str]:
        if self.here is None:
            return "nothing-in-range", self.range.text
        above = not self.range.allows(self.here[0], prereleases=True)
        return ("current-outside" if above else "nothing-higher", self.range.text)


def _variant_of(text: str | None, allowed: ranges.Range) -> Any:
    """What tells the tags of the same variant; None where the current tag has none, or what it has is a pre-release."""
    tag = tags.read(text or "")
    if tag.form is not tags.Form.VERSION or not tag.variant or tag.precision > 3:
        return None
    if tag.prefix not in ("", "v") or (allowed.names_prereleases and not _has_words(tag.variant)):
        return None
    return like(tag)


def _has_words(variant: str) -> bool:
    """Whether a variant names something: `-alpine3.18` does, `-63-gabc1234` and `-main.5` do not."""
    return any(word not in COUNTERS | BRANCHES | PRERELEASES.keys() for word in _words(variant))


def _words(variant: str) -> Iterator[str]:
    return (word.lower() for word in re.findall("[A-Za-z]{2,}", variant))
