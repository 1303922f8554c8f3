"""Dates in tags: `20260102`, `2026-01-02T03-04-05Z`, `2026.01.02`, seconds since 1970."""

from __future__ import annotations

import re
from collections.abc import Sequence

YEARS = range(1990, 2100)
_STAMP = re.compile(
    r"(?<![0-9])((?:19|20)[0-9]{2})(?:-([0-9]{2})-([0-9]{2})|([0-9]{2})([0-9]{2})(?=T))"
    r"(?:T([0-9]{2})-?([0-9]{2})-?([0-9]{2})Z?)?(?![0-9])"
)
_DAY_FIRST = re.compile(r"(?:0?[1-9]|[12][0-9]|3[01])([-._])(?:0?[1-9]|1[0-2])\1(?:19|20)[0-9]{2}(?![0-9])")


def is_date(token: str) -> bool:
    """Whether digits are a date (`20260102`), a date with a time, or a time in seconds: 8, or 10 to 14 of them."""
    if not token.isdecimal() or not token.isascii():
        return False
    if len(token) == 8:
        return token[:2] in ("19", "20") and "01" <= token[4:6] <= "12" and "01" <= token[6:8] <= "31"
    return 10 <= len(token) <= 14


def is_calendar(numbers: Sequence[int]) -> bool:
    """Whether dotted numbers begin with a year and a month, or with a whole date."""
    if len(numbers) < 2:
        return False
    first = numbers[0]
    # Every date in one number has eight digits or more.
    return (first in YEARS and 0 < numbers[1] <= 12) or (first >= 10_000_000 and is_date(str(first)))


def is_day_first(text: str, at: int = 0) -> bool:
    """Whether a date that begins with its day stands at a place: `31-12-2026`. Nothing orders such tags safely."""
    return _DAY_FIRST.match(text, at) is not None


def is_stamp(text: str, at: int) -> bool:
    """Whether a date that begins with its year, in several parts, stands at a place."""
    return _STAMP.match(text, at) is not None


def stamped(text: str) -> str:
    """The text with dates such as `2026-01-02T03-04-05Z` written in one number."""
    return _STAMP.sub(lambda stamp: "".join(group for group in stamp.groups() if group), text)


def layout(text: str) -> str:
    """How the dates in a text are written: `2026-01-02T03-04-05Z` as `0000-00-00T00-00-00Z`."""
    return " ".join(re.sub("[0-9]", "0", stamp[0]) for stamp in _STAMP.finditer(text))
