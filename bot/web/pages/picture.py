"""The picture of an image's tags over time: a dot for each tag at the moment when it was first seen, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WIDTH, LEFT, RIGHT, TOP, ROW = 720, 24, 170, 14, 24


@dataclass(frozen=True, slots=True)
class Dot:
    """A tag in the picture. `stands` names the places where it stands, `next` is true for one that a place moves to."""

    tag: str
    seen: datetime
    x: float
    y: float
    stands: str
    next: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """Coordinates only; the template draws. `ticks` are (x, label)."""

    dots: Sequence[Dot]
    ticks: Sequence[tuple[float, str]]
    width: int
    height: int


def picture(seen: Mapping[str, datetime], stands: Mapping[str, Sequence[str]], wanted: set[str], now: datetime) -> Picture | None:
    """The picture for the tags that were seen (by tag); None where none were. The newest is on top, at most thirty are drawn."""
    newest = sorted(seen.items(), key=lambda item: (item[1], item[0]), reverse=True)[:30]
    if not newest:
        return None
    start = newest[-1][1]
    span = max((now - start).total_seconds(), timedelta(hours=1).total_seconds())
    room = WIDTH - LEFT - RIGHT

    def at(moment: datetime) -> float:
        return round(LEFT + room * (moment - start).total_seconds() / span, 1)

    dots = [
        Dot(tag, moment, at(moment), TOP + row * ROW, ", ".join(stands.get(tag, ())), tag in wanted)
        for row, (tag, moment) in enumerate(newest)
    ]
    steps = [start + timedelta(seconds=span * part / 4) for part in range(5)]
    form = "%d %b" if span > timedelta(days=2).total_seconds() else "%H:%M"
    return Picture(dots, [(at(step), step.strftime(form)) for step in steps], WIDTH, TOP + len(dots) * ROW + 22)
