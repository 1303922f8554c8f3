"""Edits: a span of bytes, what must stand there, and what is to stand there instead. Nothing else of a file ever changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Span(NamedTuple):
    """A stretch of a file, in bytes, end exclusive."""

    start: int
    end: int


class BadEdit(ValueError):
    """The edit does not fit the file as it is now (moved, overlapping, or other text in its place)."""


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace the bytes `old` at `span` by `new`."""

    span: Span
    old: bytes
    new: bytes


def apply(data: bytes, edits: Iterable[Edit]) -> bytes:
    """The file after the edits. Raises BadEdit where one overlaps another, or where its `old` bytes do not stand at its span."""
    pieces: list[bytes] = []
    at = 0
    for edit in sorted(set(edits)):
        if edit.span.start < at:
            raise BadEdit(f"two edits overlap at byte {edit.span.start}")
        if data[edit.span.start : edit.span.end] != edit.old:
            raise BadEdit(f"at byte {edit.span.start} stands {data[edit.span.start : edit.span.end]!r}, not {edit.old!r}")
        pieces += (data[at : edit.span.start], edit.new)
        at = edit.span.end
    pieces.append(data[at:])
    return b"".join(pieces)
