"""Occurrences and choices become Updates: which bytes of which file are to say what, and why."""

from __future__ import annotations

from dataclasses import dataclass

from rules.formats.base import Occurrence
from rules.policies.base import Choice, UpdateKind

KIND_ORDER: tuple[UpdateKind, ...] = ("pin", "digest", "build", "patch", "minor", "major")


@dataclass(frozen=True, slots=True)
class Target:
    """What is to stand in a place: a tag and, where the file names one or the rule pins, its digest."""

    tag: str | None
    digest: str | None = None

    def __str__(self) -> str:
        return (self.tag or "") + (f"@{self.digest}" if self.digest else "")


@dataclass(frozen=True, slots=True)
class Update:
    """One image in one place, with what is to stand there. `kind` is None where it could not be derived: never merged by rule."""

    occurrence: Occurrence
    target: Target
    kind: UpdateKind | None
    policy: str
    choice: Choice

    @property
    def current(self) -> Target:
        return Target(self.occurrence.tag, self.occurrence.digest)


def largest(kinds: list[UpdateKind | None]) -> UpdateKind | None:
    """The kind that a group counts as: its largest member; None (unknown) is larger than all."""
    return None if None in kinds else max((kind for kind in kinds if kind), key=KIND_ORDER.index, default=None)
