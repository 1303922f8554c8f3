"""A tag as a value: its form, its fixed texts, and what orders it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Key = tuple[tuple[int, ...], tuple[Any, ...], tuple[int, ...]]
NUMBER, HASH = "\x00", "\x01"  # where a number or a hash stands in fixed text
RELEASE: tuple[Any, ...] = (1,)  # comes after every pre-release


class Form(StrEnum):
    """What a tag is by its text."""

    VERSION = "version"
    DATE = "date"
    BUILD = "build"
    HASH = "hash"
    MOVING = "moving"


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag that was read.

    `prefix` and `variant` are the fixed texts before and after the numbers; in `variant` (and, for builds, in `prefix`) the
    places of counters and hashes are marked. `numbers` are ordered first, then `pre` (a release comes after its pre-releases),
    then `revision`, the counters of the variant. `hashes` are not ordered at all.
    """

    text: str
    form: Form
    prefix: str = ""
    numbers: tuple[int, ...] = ()
    pre: tuple[Any, ...] = RELEASE
    variant: str = ""
    revision: tuple[int, ...] = ()
    hashes: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """What orders it among those that it can be compared with."""
        return self.numbers, self.pre, self.revision

    @property
    def is_prerelease(self) -> bool:
        return self.pre != RELEASE

    @property
    def is_ordered(self) -> bool:
        """Whether there is something in it by which it can be older or newer than another."""
        return self.form in (Form.VERSION, Form.DATE, Form.BUILD)

    @property
    def precision(self) -> int:
        """How many numbers it has."""
        return len(self.numbers)

    @property
    def shape(self) -> tuple[Any, ...]:
        """Equal for tags that can be compared."""
        width = len(str(self.numbers[0])) if self.form is Form.DATE and len(self.numbers) == 1 else 0
        return self.form, self.prefix, len(self.numbers), self.variant, len(self.revision), width

    def comparable(self, other: Tag) -> bool:
        """Whether one of the two can be said to be older."""
        return self.is_ordered and self.shape == other.shape
