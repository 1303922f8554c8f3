"""Freezes: stretches of time in which nothing is proposed or landed.

    freeze:
      - {from: 2026-12-20, to: 2027-01-05, except_label: urgent, tz: Europe/Zurich}
      - {from: 2026-06-30 18:00, to: 2026-07-01 06:00}

A day stands for the whole of it, so a freeze `to: 2027-01-05` ends with that day. A time of day ends the freeze at that
moment. Days and times are local to `tz` (UTC where left out). Without `from` it holds already, without `to` until it is taken
out of the file. A request that carries the label `except_label` is let through.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from rules.schedules import BadSchedule, at

KEYS = ("from", "to", "except_label", "tz")
_MOMENT = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[ Tt]+(\d\d):(\d\d)(?::00)?(Z|z|[+-]\d\d:\d\d)?)?\Z")


@dataclass(frozen=True, slots=True)
class Freeze:
    """One freeze, from `start` up to and without `until`; None: without an end on that side. `text` is what was written."""

    start: datetime | None
    until: datetime | None
    except_label: str | None = None
    text: str = ""

    def __str__(self) -> str:
        return self.text


def frozen(freezes: Iterable[Freeze], now: datetime, labels: Collection[str] = ()) -> Freeze | None:
    """The freeze that holds at `now` for something with these labels: of several the one that ends last; None: none."""
    holding = [freeze for freeze in freezes if _holds(freeze, now) and freeze.except_label not in labels]
    return max(holding, key=_end, default=None)


def next_change(freezes: Iterable[Freeze], now: datetime) -> datetime | None:
    """The next moment after `now` at which a freeze begins or ends; None: no more."""
    moments = (moment for freeze in freezes for moment in (freeze.start, freeze.until))
    return min((moment for moment in moments if moment is not None and moment > now), default=None)


def read(start: str | None, end: str | None, *, tz: str = "UTC", except_label: str | None = None) -> Freeze:
    """A freeze from what a file says. Raises BadSchedule, whose path names the key that is wrong."""
    first = _moment(start, tz, "from") if start is not None else None
    last = _moment(end, tz, "to") if end is not None else None
    if first is None and last is None:
        raise BadSchedule("a freeze needs `from`, `to` or both")
    if first is not None and last is not None and last <= first:
        raise BadSchedule(f"the freeze ends ({end}) before it begins ({start})", ("to",))
    return Freeze(first, last, except_label, _words(start, end, tz))


def _holds(freeze: Freeze, now: datetime) -> bool:
    return (freeze.start is None or freeze.start <= now) and (freeze.until is None or now < freeze.until)


def _end(freeze: Freeze) -> datetime:
    return freeze.until or datetime.max.replace(tzinfo=UTC)


def _moment(text: str, tz: str, key: str) -> datetime:
    match = _MOMENT.match(text.strip())
    try:
        if match is None:
            raise ValueError
        day = date(int(match[1]), int(match[2]), int(match[3]))
        if match[6]:
            return datetime.fromisoformat(f"{day}T{match[4]}:{match[5]}{match[6].upper()}").astimezone(UTC)
        if match[4] is None:
            return at(day, 24 * 60 if key == "to" else 0, tz)
        if int(match[4]) > 24 or int(match[5]) > 59:
            raise ValueError
        return at(day, int(match[4]) * 60 + int(match[5]), tz)
    except BadSchedule as error:
        raise BadSchedule(str(error), ("tz",)) from None
    except (ValueError, OverflowError):
        raise BadSchedule(f"{text[:40]!r} is not a date: write 2026-12-20 or 2026-12-20 18:00", (key,)) from None


def _words(start: str | None, end: str | None, tz: str) -> str:
    parts = [f"from {start}" if start else "", f"to {end}" if end else "", tz if tz != "UTC" else ""]
    return "freeze " + " ".join(part for part in parts if part)
