"""Durations as people write them in a rule: `3d`, `12h`, `90m`, `1h30m`, `1w`, `0`.

Units are `w`, `d`, `h`, `m` (minutes) and `s`; a larger unit stands before a smaller one, each at most once.
A number without a unit is refused, save `0`: nobody can tell whether `3` means days or hours.
"""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}
_SHAPE = re.compile("".join(rf"(?:(\d{{1,9}}){unit})?" for unit in _UNITS) + r"\Z")
PATTERN = r"^(0|(?=\d)" + "".join(rf"(\d{{1,9}}{unit})?" for unit in _UNITS) + ")$"  # the same, for the JSON Schema
LIMIT = timedelta(days=3660)


class BadDuration(ValueError):
    """The text is no duration; the message says what one looks like."""


def parse(text: str) -> timedelta:
    """Read a duration. Raises BadDuration, with what was probably meant, where the text is none or beyond ten years."""
    wanted = text.strip()
    match = _SHAPE.match(wanted)
    if wanted == "0":
        return timedelta(0)
    if match is None or not wanted:
        raise BadDuration(_complaint(wanted))
    seconds = sum(int(count) * unit for count, unit in zip(match.groups(), _UNITS.values(), strict=True) if count)
    if seconds > LIMIT.total_seconds():
        raise BadDuration(f"{wanted} is longer than ten years")
    return timedelta(seconds=seconds)


def text(duration: timedelta) -> str:
    """The shortest text that `parse` reads as this duration: `1h30m`, `1w`, `0`. Parts of a second are dropped."""
    left = int(duration.total_seconds())
    parts: list[str] = []
    for name, unit in _UNITS.items():
        count, rest = divmod(left, unit)
        # 10d is plainer than 1w3d: weeks are used for whole weeks only.
        if count and not (name == "w" and rest):
            parts.append(f"{count}{name}")
            left = rest
    return "".join(parts) or "0"


def _complaint(wanted: str) -> str:
    if wanted.isdecimal():
        return f"{wanted} has no unit: write {wanted}d for days, {wanted}h for hours, {wanted}m for minutes"
    return f"{wanted[:40]!r} is not a duration: write for example 3d, 12h, 90m or 1h30m"
