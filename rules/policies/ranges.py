"""Ranges: the versions that a rule allows, in the grammar of Masterminds/semver.

    1.2.3            this version                  ^1.2      from 1.2.0 on, below 2.0.0
    1.2, 1.2.x       any 1.2                       ^0.2      from 0.2.0 on, below 0.3.0
    *                any                           ~1.2.3    from 1.2.3 on, below 1.3.0 (`~>` is the same)
    >=1.2, <2        both hold (a space will do)   1.2 - 2   from 1.2.0 on, up to any 2
    ^1 || ^3         one of them holds             !=1.4.1   not this one

A pre-release is allowed only where a version of the same `||` part names one: `>=1.0.0-0` allows them all from there on.
`>1` means from 2.0.0 on, `<=1` any 1, `~0.0.0` any. A `v` before a number and zeros in front of it say nothing.

Each comparison is the stretch of versions between two bounds. A bound may be shorter or longer than a version's key: `(2,)`
lies before everything that begins with 2, pre-releases included, and a key with one more element lies right after its version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rules.policies.versions import Key, prerelease

Bound = tuple[Any, ...]
_OPERATOR = re.compile(r"[=!<>~^]*")
_WORD = re.compile(r"[^\s,|=!<>~^]*")
_SPACE = " \t\n\r\f"
_HYPHEN = re.compile(r"[ \t\n\r\f]+-[ \t\n\r\f]+")
_PARTIAL = re.compile(
    r"v?([0-9]+|[xX*])(?:\.([0-9]+|[xX*]))?(?:\.([0-9]+|[xX*]))?"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_OPERATORS = ("", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^")
_END: Bound = (0,)
_LIMIT = 1000  # characters


class BadRange(ValueError):
    """The text is no range; the message names the piece that is wrong."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The versions from `low` on and before `high` (None: no end), or with `outside` all others. With `ending` only those
    that end like it lie within: releases, or one pre-release of each."""

    low: Bound
    high: Bound | None = None
    outside: bool = False
    ending: Bound | None = None

    def holds(self, key: Key) -> bool:
        """Whether the version lies in it."""
        inside = self.low <= key and (self.high is None or key < self.high) and self.ending in (None, key[3:])
        return inside is not self.outside


@dataclass(frozen=True, slots=True)
class Part:
    """One `||` part: all stretches hold, and pre-releases only where one of its versions names a pre-release."""

    stretches: tuple[Stretch, ...]
    prereleases: bool

    def holds(self, key: Key, prereleases: bool) -> bool:
        """Whether the version is allowed; `prereleases` lets them in where the part does not."""
        return (key[3] == 1 or self.prereleases or prereleases) and all(stretch.holds(key) for stretch in self.stretches)


@dataclass(frozen=True, slots=True)
class Range:
    """A range that was read. `text` is how it was written."""

    text: str
    parts: tuple[Part, ...]

    def allows(self, key: Key, *, prereleases: bool = False) -> bool:
        """Whether a version is in the range. `prereleases` lets them in where the range does not name any itself."""
        return any(part.holds(key, prereleases) for part in self.parts)

    @property
    def names_prereleases(self) -> bool:
        """Whether one of its parts lets pre-releases in by itself."""
        return any(part.prereleases for part in self.parts)


@dataclass(frozen=True, slots=True)
class _Partial:
    """A version in a range, in which numbers may be left out or stand as `x`. `given` counts those that are there."""

    key: Key
    given: int


@lru_cache(maxsize=1024)
def read(text: str) -> Range:
    """Read a range. Raises BadRange."""
    if not text.strip(_SPACE):
        raise BadRange("the range is empty: write for example ^1.4, or * for any version")
    if len(text) > _LIMIT:
        raise BadRange(f"the range is longer than {_LIMIT} characters")
    return Range(text, tuple(_part(piece, text) for piece in text.split("||")))


def _part(piece: str, text: str) -> Part:
    if not piece.strip(_SPACE):
        raise BadRange(f"nothing stands on one side of `||` in {_shown(text)}")
    found = list(_Scan(piece).comparisons())
    stretches = tuple(stretch for operator, version in found for stretch in _stretches(operator, version))
    return Part(stretches, any(version.key[3] == 0 for _, version in found))


class _Scan:
    """One `||` part on its way to comparisons."""

    def __init__(self, piece: str) -> None:
        self.piece = piece
        self.at = 0

    def comparisons(self) -> Iterator[tuple[str, _Partial]]:
        self._space()
        while self.at < len(self.piece):
            operator = self._take(_OPERATOR)
            if operator not in _OPERATORS:
                raise BadRange(f"{_shown(operator)} is no operator: {_meant(operator)}")
            self._space()
            version = self._version(operator)
            if not operator and (hyphen := _HYPHEN.match(self.piece, self.at)):
                self.at = hyphen.end()
                yield ">=", version
                operator, version = "<=", self._version("-")
            yield operator, version
            self._separator()

    def _version(self, operator: str) -> _Partial:
        word = self._take(_WORD)
        if not word:
            rest = self.piece[self.at : self.at + 1]
            what = f"behind {_shown(operator)}" if operator else "before " + (_shown(rest) if rest else "the end")
            raise BadRange(f"a version is missing {what} in {_shown(self.piece.strip())}")
        return _partial(word)

    def _separator(self) -> None:
        start = self.at
        self._space()
        rest = self.piece[self.at :]
        if rest.startswith(","):
            self.at += 1
            self._space()
            if self.at == len(self.piece):
                raise BadRange(f"nothing follows the comma at the end of {_shown(self.piece.strip())}")
        elif rest and self.at == start:
            raise BadRange(f"a space or a comma is missing before {_shown(rest.strip())}")

    def _space(self) -> None:
        while self.at < len(self.piece) and self.piece[self.at] in _SPACE:
            self.at += 1

    def _take(self, shape: re.Pattern[str]) -> str:
        found = shape.match(self.piece, self.at)
        assert found is not None
        self.at = found.end()
        return found[0]


def _partial(word: str) -> _Partial:
    found = _PARTIAL.fullmatch(word)
    if found is None:
        raise BadRange(f"{_shown(word)} is no version: {_what_is_wrong(word)}")
    *parts, pre = found.groups()
    numbers: list[int] = []
    for part in parts:
        if part is None or part in "xX*":
            break
        numbers.append(int(part))
    if any(number >= 2**64 for number in numbers):
        raise BadRange(f"{_shown(word)} is no version: the number is too large")
    identifiers = prerelease(pre) if pre else ()
    if identifiers is None:
        raise BadRange(f"{_shown(word)} is no version: a number in its pre-release begins with a zero")
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return _Partial((major, minor, patch, 0 if pre else 1, identifiers), len(numbers))


def _stretches(operator: str, version: _Partial) -> Iterator[Stretch]:
    key, given = version.key, version.given
    major, minor, patch = key[:3]
    series: Bound = (major + 1,) if given == 1 else (major, minor + 1)  # the end of all that begins with what is given
    match operator:
        case ">":
            yield Stretch(series if given in (1, 2) else key + _END)
        case "<":
            yield Stretch((), key)
        case ">=" | "=>":
            yield Stretch(key)
        case "<=" | "=<":
            yield Stretch((), key + _END if given == 3 else series)
        case "!=" if given == 1:
            yield Stretch((major,), (major + 1,), outside=True)
        case "!=" if given == 2:
            yield Stretch((major, minor), series, outside=True, ending=key[3:])
        case "!=":
            yield Stretch(key, key + _END, outside=True)
        case "^":
            yield Stretch(key, _caret_end(major, minor, patch, given))
        case "" | "=" if given == 3:
            yield Stretch(key, key + _END)
        case _:
            anything = (major, minor, patch) == (0, 0, 0) and given in (0, 3)
            yield Stretch(key, None if anything else series)


def _caret_end(major: int, minor: int, patch: int, given: int) -> Bound:
    """Below the next version whose first number that is not zero is another one."""
    if major > 0 or given == 1:
        return (major + 1,)
    if minor > 0 or given == 2:
        return (major, minor + 1)
    return (major, minor, patch + 1)


def _what_is_wrong(word: str) -> str:
    core = word.removeprefix("v").partition("-")[0].partition("+")[0]
    parts = core.split(".")
    if len(parts) > 3:
        return "it has more than three numbers"
    for part in parts:
        if part and not part.isdecimal() and part not in ("x", "X", "*"):
            return f"{_shown(part)} is neither a number nor x"
        if not part:
            return "a number is missing"
    return "its pre-release or build has a piece that is empty or has other characters than letters, digits and hyphens"


def _meant(operator: str) -> str:
    known = {"==": "=", "===": "=", "<>": "!=", "~=": "~", "~~": "~", "^^": "^", "=~": "~", "!": "!=", "^=": "^", "=^": "^"}
    return f"write {known[operator]}" if operator in known else "there are = != > < >= <= ~ ^"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")
