"""Schedules: weekly windows in which something may happen, by the clock on the wall of a place.

    schedule: "Mon-Fri 08:00-17:00 Europe/Zurich"
    schedule: {days: [mon, tue], from: "22:00", to: "04:00", tz: Europe/Zurich}
    schedule: ["Mon-Fri 22:00-06:00 Europe/Zurich", "Sat,Sun Europe/Zurich"]

Of several windows, one that is open is enough. Left out, `days` is every day, the times are the whole day, and the zone is
UTC. `days` name the local day on which a window starts: `Mon 22:00-04:00` still holds on Tuesday at 01:00. A window that
ends at or before its start ends on the next day.

The clock on the wall decides, also on the two odd days of a year: what it skips in spring is never open, and what it shows
twice in autumn is open twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_DAY = 24 * 60
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAMES = {"daily": "mon-sun", "weekdays": "mon-fri", "weekends": "sat-sun"}
_TIMES = re.compile(r"(\d{1,2}:\d\d)-(\d{1,2}:\d\d)\Z")
_TIME = re.compile(r"(\d{1,2}):(\d\d)\Z")
_LOOK_AHEAD = 16  # days: a weekly window that the change of the clock swallows once comes again within two weeks
_WINDOWS = 20  # the search for the next change looks at each of them at the ends of all
EXAMPLE = '"Mon-Fri 08:00-17:00 Europe/Zurich"'
KEYS = ("days", "from", "to", "tz")


class BadSchedule(ValueError):
    """The value is no schedule. `path` leads to the part that is wrong, within the value (`(0, "tz")`)."""

    def __init__(self, message: str, path: tuple[int | str, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a local day. `days`: 0 is Monday; `start` and `end` are minutes after the midnight of the day on which it
    starts, `end` exclusive and after `start` (above 1440: on the next day)."""

    days: frozenset[int]
    start: int
    end: int
    tz: str = "UTC"

    def is_open(self, now: datetime) -> bool:
        local = now.astimezone(zone(self.tz))
        minute, day = local.hour * 60 + local.minute, local.weekday()
        today = day in self.days and self.start <= minute < self.end
        return today or ((day - 1) % 7 in self.days and self.start <= minute + _DAY < self.end)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Windows of which one has to be open. `text` is what was written, for messages."""

    windows: tuple[Window, ...]
    text: str = ""

    def __str__(self) -> str:
        return self.text


def is_open(schedule: Schedule, now: datetime) -> bool:
    """Whether a window holds the moment `now` (with a zone)."""
    return any(window.is_open(now) for window in schedule.windows)


def next_change(schedule: Schedule, now: datetime) -> datetime | None:
    """The first moment after `now` at which `is_open` answers differently, in UTC; None where that is not in sight."""
    was = is_open(schedule, now)
    edges = {edge for window in schedule.windows for edge in _edges(window, now)}
    return next((edge for edge in sorted(edges) if edge > now and is_open(schedule, edge) is not was), None)


def read(value: object) -> Schedule:
    """A schedule from what a file says: a string, a mapping of `days`, `from`, `to` and `tz`, or a list of those.
    Raises BadSchedule."""
    if not isinstance(value, list):
        window, text = _window(value, ())
        return Schedule((window,), text)
    if not value:
        raise BadSchedule("an empty list would never be open: leave the key out for always")
    if len(value) > _WINDOWS:
        raise BadSchedule(f"a schedule has at most {_WINDOWS} windows, and here are {len(value)}")
    found = [_window(item, (place,)) for place, item in enumerate(value)]
    return Schedule(tuple(window for window, _ in found), "; ".join(text for _, text in found))


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name. Raises BadSchedule."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise BadSchedule(f"{name[:60]!r} is not a time zone: write an IANA name such as Europe/Zurich or UTC") from None


def at(day: date, minute: int, tz: str) -> datetime:
    """The moment, in UTC, of a local time (minutes after midnight of `day`; the earlier one where the clock shows it twice)."""
    local = datetime.combine(day, datetime.min.time(), zone(tz)) + timedelta(minutes=minute)
    return local.astimezone(UTC)


def _edges(window: Window, now: datetime) -> Iterator[datetime]:
    """Every moment around `now` at which the window may open or close: its own ends, and the changes of the clock."""
    tz = zone(window.tz)
    today = now.astimezone(tz).date()
    for ahead in range(-2, _LOOK_AHEAD):
        day = today + timedelta(days=ahead)
        for minute in (window.start, window.end):
            local = datetime.combine(day, datetime.min.time(), tz) + timedelta(minutes=minute)
            yield from (local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
        yield from _clock_change(tz, datetime.combine(day, datetime.min.time(), UTC))


def _clock_change(tz: ZoneInfo, since: datetime) -> Iterator[datetime]:
    """The moment within the day after `since` at which the zone's offset changes, if it does."""
    early, late = since, since + timedelta(days=1)
    before = early.astimezone(tz).utcoffset()
    if late.astimezone(tz).utcoffset() == before:
        return
    while late - early > timedelta(seconds=1):
        middle = early + timedelta(seconds=(late - early) // timedelta(seconds=2))
        early, late = (middle, late) if middle.astimezone(tz).utcoffset() == before else (early, middle)
    yield late


def _window(value: object, path: tuple[int | str, ...]) -> tuple[Window, str]:
    if isinstance(value, str):
        try:
            return _from_text(value), " ".join(value.split())
        except BadSchedule as error:
            raise BadSchedule(str(error), path) from None
    if isinstance(value, dict):
        return _from_mapping(value, path)
    raise BadSchedule(f"a schedule is a text such as {EXAMPLE}, or a mapping of days, from, to and tz", path)


def _from_text(text: str) -> Window:
    days, start, end, tz = frozenset(range(7)), 0, _DAY, "UTC"
    seen: set[str] = set()
    for word in re.sub(r"\s*([-–,])\s*", lambda m: m[1].replace("–", "-"), text.strip()).split():
        if times := _TIMES.match(word):
            kind, (start, end) = "times", _stretch(_minutes(times[1]), _minutes(times[2]))
        elif (found := _days(word)) is not None:
            kind, days = "days", found
        elif re.match(r"[A-Za-z]+(/|$)", word):
            kind, tz = "zone", zone(word).key
        else:
            raise BadSchedule(f"{word[:40]!r} in {text[:60]!r} is neither days, times nor a zone; an example is {EXAMPLE}")
        if kind in seen:
            raise BadSchedule(f"{text[:60]!r} names its {kind} twice: write several windows as a list")
        seen.add(kind)
    if not seen:
        raise BadSchedule(f"an empty text is no schedule; an example is {EXAMPLE}")
    return Window(days, start, end, tz)


def _from_mapping(value: dict[object, object], path: tuple[int | str, ...]) -> tuple[Window, str]:
    for key in value:
        if key not in KEYS:
            raise BadSchedule(f"unknown key {str(key)[:40]!r}: a schedule has {', '.join(KEYS)}", (*path, str(key)))
    here: tuple[int | str, ...] = path
    try:
        here = (*path, "days")
        days = _day_list(value.get("days"))
        here = (*path, "from")
        start = _minutes(value.get("from") or "00:00")
        here = (*path, "to")
        end = _minutes(value.get("to") or "24:00")
        here = (*path, "tz")
        tz = zone(str(value.get("tz") or "UTC")).key
    except BadSchedule as error:
        raise BadSchedule(str(error), here) from None
    start, end = _stretch(start, end)
    names = ",".join(_DAYS[day].capitalize() for day in sorted(days))
    return Window(days, start, end, tz), f"{names} {_clock(start)}-{_clock(end)} {tz}"


def _day_list(value: object) -> frozenset[int]:
    if value is None:
        return frozenset(range(7))
    words = value if isinstance(value, list) else str(value).replace(" ", "").split(",")
    found: set[int] = set()
    for word in words:
        days = _days(str(word))
        if days is None:
            raise BadSchedule(f"{str(word)[:40]!r} is not a day: write mon, tue, wed, thu, fri, sat, sun")
        found |= days
    if not found:
        raise BadSchedule("no day is named, so the window would never open")
    return frozenset(found)


def _days(text: str) -> frozenset[int] | None:
    """`Mon-Fri`, `sat,sun`, `daily`; None where a word is no day."""
    found: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = _NAMES.get(part, part).partition("-")
        start, end = _day(first), _day(last) if dash else _day(first)
        if start is None or end is None:
            return None
        found |= {(start + step) % 7 for step in range((end - start) % 7 + 1)}
    return frozenset(found)


def _day(name: str) -> int | None:
    full = {"tues": 1, "weds": 2, "thur": 3, "thurs": 3} | {
        day: place for place, day in enumerate(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"))
    }
    return _DAYS.index(name) if name in _DAYS else full.get(name)


def _minutes(value: object) -> int:
    match = _TIME.match(str(value))
    if match is None or int(match[2]) > 59 or int(match[1]) * 60 + int(match[2]) > _DAY:
        raise BadSchedule(f"{str(value)[:40]!r} is not a time of day: write 08:00 to 24:00")
    return int(match[1]) * 60 + int(match[2])


def _stretch(start: int, end: int) -> tuple[int, int]:
    start %= _DAY
    return start, end if end > start else end + _DAY


def _clock(minute: int) -> str:
    shown = minute if minute == _DAY else minute % _DAY
    return f"{shown // 60:02}:{shown % 60:02}"
