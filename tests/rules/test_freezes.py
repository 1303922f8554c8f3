"""Freezes: what they say, when they hold, and for whom they do not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rules.freezes import Freeze, frozen, next_change, read
from rules.schedules import BadSchedule


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "tz", "expected"),
    [
        ("2026-12-20", "2027-01-05", "UTC", ("2026-12-20 00:00", "2027-01-06 00:00")),
        ("2026-12-20", "2026-12-20", "UTC", ("2026-12-20 00:00", "2026-12-21 00:00")),
        ("2026-12-20", "2027-01-05", "Europe/Zurich", ("2026-12-19 23:00", "2027-01-05 23:00")),
        ("2026-06-30 18:00", "2026-07-01 06:00", "UTC", ("2026-06-30 18:00", "2026-07-01 06:00")),
        ("2026-06-30 18:00", "2026-07-01 06:00", "Europe/Zurich", ("2026-06-30 16:00", "2026-07-01 04:00")),
        ("2026-06-30T18:00:00Z", "2026-07-01T06:00+02:00", "America/New_York", ("2026-06-30 18:00", "2026-07-01 04:00")),
        ("2026-06-30 24:00", None, "UTC", ("2026-07-01 00:00", None)),
        ("2026-12-20", None, "UTC", ("2026-12-20 00:00", None)),
        (None, "2026-12-20", "UTC", (None, "2026-12-21 00:00")),
        # the day on which the clock is put forward has 23 hours
        ("2026-03-29", "2026-03-29", "Europe/Zurich", ("2026-03-28 23:00", "2026-03-29 22:00")),
    ],
)
def test_what_a_freeze_says(start: str | None, end: str | None, tz: str, expected: tuple[str | None, str | None]) -> None:
    found = read(start, end, tz=tz)
    assert (found.start, found.until) == tuple(one and utc(one) for one in expected)


NO_DATE = "is not a date: write 2026-12-20 or 2026-12-20 18:00"
ENDS = "the freeze ends ({}) before it begins ({})"


@pytest.mark.parametrize(
    ("start", "end", "tz", "message", "path"),
    [
        (None, None, "UTC", "a freeze needs `from`, `to` or both", ()),
        ("2027-01-05", "2026-12-20", "UTC", "the freeze ends (2026-12-20) before it begins (2027-01-05)", ("to",)),
        ("2026-12-20 18:00", "2026-12-20 18:00", "UTC", ENDS.format("2026-12-20 18:00", "2026-12-20 18:00"), ("to",)),
        ("20.12.2026", None, "UTC", "'20.12.2026' is not a date: write 2026-12-20 or 2026-12-20 18:00", ("from",)),
        ("2026-02-29", None, "UTC", "'2026-02-29' is not a date: write 2026-12-20 or 2026-12-20 18:00", ("from",)),
        (None, "2026-12-20 25:00", "UTC", "'2026-12-20 25:00' is not a date: write 2026-12-20 or 2026-12-20 18:00", ("to",)),
        (None, "9999-12-31", "UTC", "'9999-12-31' is not a date: write 2026-12-20 or 2026-12-20 18:00", ("to",)),
        ("0000-01-01", None, "UTC", "'0000-01-01' is not a date: write 2026-12-20 or 2026-12-20 18:00", ("from",)),
        ("2026-12-20T18:00+99:00", None, "UTC", f"'2026-12-20T18:00+99:00' {NO_DATE}", ("from",)),
        ("2026-12-20", None, "Nowhere", "'Nowhere' is not a time zone: write an IANA name such as Europe/Zurich or UTC", ("tz",)),
    ],
)  # fmt: skip
def test_what_is_none(start: str | None, end: str | None, tz: str, message: str, path: tuple[str, ...]) -> None:
    with pytest.raises(BadSchedule) as caught:
        read(start, end, tz=tz)
    assert (str(caught.value), caught.value.path) == (message, path)


HOLIDAYS = read("2026-12-20", "2027-01-05", except_label="urgent")
NIGHT = read("2026-12-31 18:00", "2027-01-01 06:00")
OPEN_END = read("2027-06-01", None)


@pytest.mark.parametrize(
    ("now", "labels", "expected"),
    [
        ("2026-12-19 23:59", [], None),
        ("2026-12-20 00:00", [], HOLIDAYS),
        ("2027-01-05 23:59", [], HOLIDAYS),
        ("2027-01-06 00:00", [], None),
        ("2026-12-24 12:00", ["urgent"], None),
        ("2026-12-24 12:00", ["urgently"], HOLIDAYS),
        # a freeze without a label lets nothing through
        ("2026-12-31 20:00", ["urgent"], NIGHT),
        # of several that hold, the one that ends last
        ("2026-12-31 20:00", [], HOLIDAYS),
        ("2030-01-01 00:00", [], OPEN_END),
    ],
)
def test_which_freeze_holds(now: str, labels: list[str], expected: Freeze | None) -> None:
    assert frozen([NIGHT, HOLIDAYS, OPEN_END], utc(now), labels) == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-01-01 00:00", "2026-12-20 00:00"),
        ("2026-12-20 00:00", "2026-12-31 18:00"),
        ("2026-12-31 18:00", "2027-01-01 06:00"),
        ("2027-01-01 06:00", "2027-01-06 00:00"),
        ("2027-01-06 00:00", "2027-06-01 00:00"),
        ("2027-06-01 00:00", None),
    ],
)
def test_when_that_changes(now: str, expected: str | None) -> None:
    assert next_change([NIGHT, HOLIDAYS, OPEN_END], utc(now)) == (expected and utc(expected))


@pytest.mark.parametrize(
    ("freeze", "text"),
    [
        (HOLIDAYS, "freeze from 2026-12-20 to 2027-01-05"),
        (OPEN_END, "freeze from 2027-06-01"),
        (read(None, "2026-12-20", tz="Europe/Zurich"), "freeze to 2026-12-20 Europe/Zurich"),
    ],
)
def test_the_words_of_a_freeze(freeze: Freeze, text: str) -> None:
    assert str(freeze) == text
