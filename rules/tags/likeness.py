"""Likeness: which tags of a listing can be compared with the one that stands there, and how they are ordered.

    like(read("1.25.3-alpine3.18")).key("1.26.0-alpine3.18")     ((1, 26, 0), (1,), ())
    like(read("1.25.3-alpine3.18")).key("1.26.0-alpine3.19")     None
    like(read("main-3f2a9c1-41")).key("main-8e1b2c3-42")         ((42,), (1,), ())

The shape of one tag becomes one pattern, which is then held against every other tag: a listing has thousands.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache

from rules.tags.dates import YEARS, is_calendar, is_date, layout, stamped
from rules.tags.endings import PRERELEASE, maturity
from rules.tags.values import HASH, NUMBER, RELEASE, Form, Key, Tag

_ANY_VARIANT = r"(?:(?:[-_+.~]|u[0-9]).*)?"
_SMALL = {f"{number:0{width}}": number for width in (1, 2, 3) for number in range(10**width)}


class Like:
    """The tags that are like one tag. With `any_variant` what follows the numbers may be anything."""

    def __init__(self, tag: Tag, *, any_variant: bool = False) -> None:
        self.tag = tag
        self._loose = any_variant and tag.form in (Form.VERSION, Form.DATE)
        self._count = len(tag.numbers)
        self._template = NUMBER in tag.prefix or not tag.numbers
        self._year = tag.form is Form.VERSION and tag.numbers[0] < 1000 and max(tag.numbers) < 1000
        self._dotted = self._count > 1
        self._is_date = tag.form is Form.DATE
        self._layout = layout(tag.text)
        self._fullmatch = re.compile(self._shape(), re.DOTALL).fullmatch
        self._dates = self._own_dates()
        self._dateless = True not in self._dates
        self._plain = self._plain_shape()

    def keys(self, texts: Collection[str]) -> Iterable[Key | None]:
        """The keys of a whole listing: those that `key` gives, sooner."""
        rows = self._plain.findall("\n".join(texts)) if self._plain is not None else []
        if len(rows) != len(texts):  # nothing in it is plain, or a text has several lines
            return map(self.key, texts)
        numbers = zip(*(map(_SMALL.get, column) for column in zip(*rows, strict=True)), strict=True)
        return [
            (found, RELEASE, ()) if found[0] is not None else self.key(text) for found, text in zip(numbers, texts, strict=True)
        ]

    def key(self, text: str) -> Key | None:
        """What orders a tag among those like it; None where it is not like it."""
        if self._layout:
            if layout(text) != self._layout:
                return None
            text = stamped(text)
        found = self._fullmatch(text)
        if found is None:
            return None
        groups = found.groups()
        numbers = tuple(map(int, groups[: self._count]))
        if self._template:
            return (numbers, RELEASE, ()) if self._same_dates(groups) else None
        if self._dotted and is_calendar(numbers) is not self._is_date:
            return None
        # A year is no version: neither 2024.20 nor 31.12.2024 is newer than 8.1.
        if self._year and (numbers[0] in YEARS or (self._count == 3 and numbers[2] in YEARS and numbers[0] <= 31)):
            return None
        pre, rest = groups[self._count], groups[self._count + 1 :]
        # Fewer than eight characters hold no date; most tags are that short, and a listing has thousands.
        if not (self._dateless if len(text) < 8 else self._same_dates((*groups[: self._count], *rest))):
            return None
        return numbers, maturity(pre) if pre else RELEASE, tuple(map(int, rest)) if rest else ()

    def _same_dates(self, groups: tuple[str, ...]) -> bool:
        """Whether just those numbers are dates that are dates in the tag: `main-41` is not older than `main-20260102`."""
        if max(map(len, groups), default=0) < 8:
            return self._dateless
        return all(is_date(group) is date for group, date in zip(groups, self._dates, strict=False))

    def _own_dates(self) -> tuple[bool, ...]:
        """Which of the tag's own numbers are dates."""
        found = self._fullmatch(stamped(self.tag.text) if self._layout else self.tag.text)
        if found is None:
            return ()
        groups = found.groups()
        return tuple(map(is_date, groups if self._template else (*groups[: self._count], *groups[self._count + 1 :])))

    def _shape(self) -> str:
        tag = self.tag
        hashes = iter(tag.hashes)
        if self._template:
            return self._fixed(tag.prefix, hashes)
        digits = "[0-9]{1,20}"
        if self._count == 1 and tag.form is Form.VERSION:
            digits = "[0-9]{1,4}"
        elif self._count == 1 and tag.form is Form.DATE:
            width = len(str(tag.numbers[0]))
            digits = f"[0-9]{{{width}}}" if width > 9 or is_date(str(tag.numbers[0])) else "[0-9]{5,9}"
        numbers = r"\.".join(f"({digits})" for _ in tag.numbers)
        pre = rf"(?i:({PRERELEASE})(?=[-_+.~]|$))?"
        return re.escape(tag.prefix) + numbers + pre + (_ANY_VARIANT if self._loose else self._fixed(tag.variant, hashes))

    def _plain_shape(self) -> re.Pattern[str] | None:
        """Finds, line by line, what most listings are full of: small numbers with dots, no year, no date, nothing behind them; of
        other lines, nothing. What it takes has the same key by the long way."""
        tag = self.tag
        plain = tag.form is Form.VERSION and self._dotted and self._dateless and not tag.variant
        if not plain or self._layout or self._template or self._loose:
            return None
        numbers = r"\.".join(["([0-9]{1,3})"] * self._count)
        return re.compile(f"^(?:{re.escape(tag.prefix)}{numbers}|.*)$", re.MULTILINE)

    def _fixed(self, template: str, hashes: Iterator[str]) -> str:
        pieces: list[str] = []
        for piece in re.split(f"([{NUMBER}{HASH}])", template):
            if piece == NUMBER:
                pieces.append("([0-9]{1,20})")
            elif piece == HASH:
                pieces.append(_hash(next(hashes)))
            else:
                pieces.append(re.escape(piece))
        return "".join(pieces)


def _hash(example: str) -> str:
    """Another hash in its place: of any length where it has letters and digits, of the same one where it lacks either."""
    length = len(example.removeprefix("g"))
    return f"g?(?:(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{{7,64}}|[0-9]{{{length}}}|[a-f]{{{length}}})"


@lru_cache(maxsize=1024)
def like(tag: Tag, *, any_variant: bool = False) -> Like:
    """Those like a tag."""
    return Like(tag, any_variant=any_variant)
