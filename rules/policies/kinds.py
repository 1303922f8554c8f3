"""Kinds of update: how far a step goes, by the part of the version that moves."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rules.policies.base import Step, UpdateKind
from rules.tags import Form, Key, Tag
from rules.tags.dates import YEARS

_ORDER: dict[UpdateKind | None, int] = {"build": 0, "digest": 0, "pin": 0, "patch": 1, "minor": 2, "major": 3}
_PARTS: tuple[UpdateKind, ...] = ("major", "minor", "patch", "patch")
_PLAIN_DATE = re.compile(r"(?:19|20)[0-9]{2}\.(?:0[1-9]|1[0-2])(?:\.(?:0[1-9]|[12][0-9]|3[01]))?(?![.0-9])")


def by_part(old: Sequence[int], new: Sequence[int]) -> UpdateKind | None:
    """The kind by the first number that differs; None where none does."""
    return next((_PARTS[place] for place, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), None)


def of_step(here: Tag, key: Key) -> UpdateKind:
    """How far it is from a tag to another of its shape. Of a date, and of a build, nothing tells how much has changed; a
    version that begins with a year (`2026.1.5`) is read as one."""
    numbers, pre, _ = key
    if here.form is Form.BUILD or (here.form is Form.DATE and _is_plain(here)):
        return "build"
    kind = by_part(here.numbers, numbers)
    if kind is None:
        return "patch" if pre != here.pre else "build"
    return kind


def _is_plain(tag: Tag) -> bool:
    """Whether a date is no more than that: `20260102`, `20260102.1`, or with month and day in two digits `2026.01.02`."""
    return tag.precision == 1 or tag.numbers[0] not in YEARS or _PLAIN_DATE.search(tag.text) is not None


def within(kind: UpdateKind | None, limit: Step) -> bool:
    """Whether a step is allowed by `max_step`. One that cannot be measured is allowed only where there is no limit."""
    return limit == "major" or (kind is not None and _ORDER[kind] <= _ORDER[limit])
