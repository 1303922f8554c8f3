"""Schedules: what a text says, when a window is open by the clock on the wall, and when that changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.schedules import EXAMPLE, BadSchedule, Schedule, Window, at, is_open, next_change, read

ZURICH = "Europe/Zurich"


def moment(text: str, tz: str = "UTC") -> datetime:
    """A local time; `+` behind it is the later one of the two where the clock shows it twice."""
    local = datetime.fromisoformat(text.removesuffix("+"))
    return local.replace(tzinfo=ZoneInfo(tz), fold=int(text.endswith("+"))).astimezone(UTC)


EVERY_DAY = frozenset(range(7))
SHAPE = 'a schedule is a text such as "Mon-Fri 08:00-17:00 Europe/Zurich", or a mapping of days, from, to and tz'
NO_ZONE = "is not a time zone: write an IANA name such as Europe/Zurich or UTC"


@pytest.mark.parametrize(
    ("said", "windows"),
    [
        ("Mon-Fri 08:00-17:00 Europe/Zurich", [Window(frozenset(range(5)), 480, 1020, ZURICH)]),
        ("mon-fri 8:00-17:00 Europe/Zurich", [Window(frozenset(range(5)), 480, 1020, ZURICH)]),
        ("Europe/Zurich 08:00 - 17:00 Mon – Fri", [Window(frozenset(range(5)), 480, 1020, ZURICH)]),
        ("weekdays", [Window(frozenset(range(5)), 0, 1440)]),
        ("weekends", [Window(frozenset({5, 6}), 0, 1440)]),
        ("daily 22:00-06:00", [Window(EVERY_DAY, 1320, 1800)]),
        ("22:00-06:00", [Window(EVERY_DAY, 1320, 1800)]),
        ("Fri-Mon", [Window(frozenset({4, 5, 6, 0}), 0, 1440)]),
        ("Sat, Sun", [Window(frozenset({5, 6}), 0, 1440)]),
        ("monday,thurs-fri", [Window(frozenset({0, 3, 4}), 0, 1440)]),
        ("UTC", [Window(EVERY_DAY, 0, 1440)]),
        ("08:00-24:00", [Window(EVERY_DAY, 480, 1440)]),
        ("00:00-24:00", [Window(EVERY_DAY, 0, 1440)]),
        ("08:00-08:00", [Window(EVERY_DAY, 480, 1920)]),
        ("24:00-06:00", [Window(EVERY_DAY, 0, 360)]),
        ({}, [Window(EVERY_DAY, 0, 1440)]),
        ({"days": ["mon", "tue"], "from": "22:00", "to": "04:00", "tz": ZURICH}, [Window(frozenset({0, 1}), 1320, 1680, ZURICH)]),
        ({"days": "mon-wed, sat"}, [Window(frozenset({0, 1, 2, 5}), 0, 1440)]),
        ({"from": "08:00"}, [Window(EVERY_DAY, 480, 1440)]),
        (["weekends", {"to": "06:00"}], [Window(frozenset({5, 6}), 0, 1440), Window(EVERY_DAY, 0, 360)]),
    ],
)
def test_what_a_schedule_says(said: Any, windows: list[Window]) -> None:
    assert list(read(said).windows) == windows


@pytest.mark.parametrize(
    ("said", "message", "path"),
    [
        ("", 'an empty text is no schedule; an example is "Mon-Fri 08:00-17:00 Europe/Zurich"', ()),
        (
            "Mon 8-17",
            f"'8-17' in 'Mon 8-17' is neither days, times nor a zone; an example is {EXAMPLE}",
            (),
        ),
        ("Mon Tue", "'Mon Tue' names its days twice: write several windows as a list", ()),
        ("08:00-09:00 10:00-11:00", "'08:00-09:00 10:00-11:00' names its times twice: write several windows as a list", ()),
        ("UTC UTC", "'UTC UTC' names its zone twice: write several windows as a list", ()),
        ("Mon-Fri Europe/Zuerich", "'Europe/Zuerich' is not a time zone: write an IANA name such as Europe/Zurich or UTC", ()),
        ("CEST", "'CEST' is not a time zone: write an IANA name such as Europe/Zurich or UTC", ()),
        ("25:00-26:00", "'25:00' is not a time of day: write 08:00 to 24:00", ()),
        ("08:60-09:00", "'08:60' is not a time of day: write 08:00 to 24:00", ()),
        ("24:01-09:00", "'24:01' is not a time of day: write 08:00 to 24:00", ()),
        (["Mon"] * 21, "a schedule has at most 20 windows, and here are 21", ()),
        ([], "an empty list would never be open: leave the key out for always", ()),
        (["weekends", "Someday"], "'Someday' is not a time zone: write an IANA name such as Europe/Zurich or UTC", (1,)),
        (
            [["weekends"]],
            SHAPE,
            (0,),
        ),
        (7, SHAPE, ()),
        ({"until": "x"}, "unknown key 'until': a schedule has days, from, to, tz", ("until",)),
        ({"days": []}, "no day is named, so the window would never open", ("days",)),
        ({"days": ["funday"]}, "'funday' is not a day: write mon, tue, wed, thu, fri, sat, sun", ("days",)),
        ({"from": "noon"}, "'noon' is not a time of day: write 08:00 to 24:00", ("from",)),
        (
            [{}, {"tz": "../etc/passwd"}],
            f"'../etc/passwd' {NO_ZONE}",
            (1, "tz"),
        ),
    ],
)
def test_what_is_no_schedule(said: Any, message: str, path: tuple[int | str, ...]) -> None:
    with pytest.raises(BadSchedule) as caught:
        read(said)
    assert (str(caught.value), caught.value.path) == (message, path)


@pytest.mark.parametrize(
    ("said", "now", "tz", "opened"),
    [
        # 2026-03-02 is a Monday
        ("Mon-Fri 08:00-17:00 Europe/Zurich", "2026-03-02 08:00", ZURICH, True),
        ("Mon-Fri 08:00-17:00 Europe/Zurich", "2026-03-02 07:59", ZURICH, False),
        ("Mon-Fri 08:00-17:00 Europe/Zurich", "2026-03-02 16:59", ZURICH, True),
        ("Mon-Fri 08:00-17:00 Europe/Zurich", "2026-03-02 17:00", ZURICH, False),
        ("Mon-Fri 08:00-17:00 Europe/Zurich", "2026-03-07 12:00", ZURICH, False),
        ("Mon-Fri 08:00-17:00 Europe/Zurich", "2026-03-02 07:30", "UTC", True),
        ("Mon-Fri 08:00-17:00 Europe/Zurich", "2026-07-06 06:30", "UTC", True),
        ("Mon-Fri 08:00-17:00 Europe/Zurich", "2026-07-06 15:30", "UTC", False),
        # a window over midnight belongs to the day on which it starts
        ("Mon 22:00-04:00", "2026-03-02 23:00", "UTC", True),
        ("Mon 22:00-04:00", "2026-03-03 03:59", "UTC", True),
        ("Mon 22:00-04:00", "2026-03-03 04:00", "UTC", False),
        ("Mon 22:00-04:00", "2026-03-02 03:00", "UTC", False),
        ("Mon 22:00-04:00", "2026-03-03 23:00", "UTC", False),
        ("Sun 22:00-04:00", "2026-03-02 01:00", "UTC", True),
        # the day is the zone's own
        ("Mon Pacific/Auckland", "2026-03-01 12:00", "UTC", True),
        ("Mon Pacific/Auckland", "2026-03-02 12:00", "UTC", False),
        ("weekends", "2026-03-07 00:00", "UTC", True),
        ("weekends", "2026-03-09 00:00", "UTC", False),
        # of several windows one is enough
        (["weekends", "22:00-06:00"], "2026-03-02 23:00", "UTC", True),
        (["weekends", "22:00-06:00"], "2026-03-02 12:00", "UTC", False),
        # 2026-03-29 in Zurich: 02:00 to 03:00 is skipped
        ("Sun 02:00-03:00 Europe/Zurich", "2026-03-29 01:00", "UTC", False),
        ("Sun 02:00-03:00 Europe/Zurich", "2026-03-29 00:59", "UTC", False),
        ("Sun 01:00-04:00 Europe/Zurich", "2026-03-29 01:30", "UTC", True),
        # 2026-10-25 in Zurich: 02:00 to 03:00 comes twice
        ("Sun 02:00-03:00 Europe/Zurich", "2026-10-25 00:30", "UTC", True),
        ("Sun 02:00-03:00 Europe/Zurich", "2026-10-25 01:30", "UTC", True),
        ("Sun 02:00-03:00 Europe/Zurich", "2026-10-25 02:00", "UTC", False),
        ("Sun 02:00-03:00 Europe/Zurich", "2026-10-25 00:00", "UTC", True),
    ],
)  # fmt: skip
def test_when_a_schedule_is_open(said: Any, now: str, tz: str, opened: bool) -> None:
    assert is_open(read(said), moment(now, tz)) is opened


@pytest.mark.parametrize(
    ("said", "now", "tz", "change"),
    [
        ("Mon-Fri 08:00-17:00", "2026-03-02 07:00", "UTC", "2026-03-02 08:00"),
        ("Mon-Fri 08:00-17:00", "2026-03-02 08:00", "UTC", "2026-03-02 17:00"),
        ("Mon-Fri 08:00-17:00", "2026-03-06 17:00", "UTC", "2026-03-09 08:00"),
        ("Mon 22:00-04:00", "2026-03-02 23:00", "UTC", "2026-03-03 04:00"),
        ("Mon 08:00-08:00", "2026-03-02 09:00", "UTC", "2026-03-03 08:00"),
        # windows that touch are one
        (["Mon 08:00-12:00", "Mon 12:00-17:00"], "2026-03-02 09:00", "UTC", "2026-03-02 17:00"),
        (["Mon", "Tue"], "2026-03-02 09:00", "UTC", "2026-03-04 00:00"),
        # the day on which the clock is put forward has 23 hours, the one on which it is put back 25
        ("daily 08:00-17:00 Europe/Zurich", "2026-03-28 18:00", ZURICH, "2026-03-29 08:00"),
        ("daily 08:00-17:00 Europe/Zurich", "2026-10-24 18:00", ZURICH, "2026-10-25 08:00"),
        ("Sun 02:30-03:30 Europe/Zurich", "2026-03-29 00:00", ZURICH, "2026-03-29 03:00"),
        ("Sun 02:00-03:00 Europe/Zurich", "2026-03-28 00:00", ZURICH, "2026-04-05 02:00"),
        ("Sun 02:00-03:00 Europe/Zurich", "2026-10-25 02:00", ZURICH, "2026-10-25 03:00"),
        # at half past two the clock is put back to half past … of an hour that was open before
        ("Sun 02:30-04:00 Europe/Zurich", "2026-10-25 02:40", ZURICH, "2026-10-25 02:00+"),
        ("Sun 02:30-04:00 Europe/Zurich", "2026-10-25 02:00+", ZURICH, "2026-10-25 02:30+"),
        # half an hour at Lord Howe Island
        ("Sun 01:45-02:15 Australia/Lord_Howe", "2026-10-04 01:50", "Australia/Lord_Howe", "2026-10-04 02:30"),
    ],
)  # fmt: skip
def test_when_that_changes(said: Any, now: str, tz: str, change: str) -> None:
    assert next_change(read(said), moment(now, tz)) == moment(change, tz)


@pytest.mark.parametrize("said", ["UTC", "00:00-24:00", "08:00-08:00", ["weekdays", "weekends"], "daily Europe/Zurich"])
def test_what_is_always_open_never_changes(said: Any) -> None:
    schedule = read(said)
    assert is_open(schedule, moment("2026-03-29 02:30"))
    assert next_change(schedule, moment("2026-03-02 09:00")) is None


@pytest.mark.parametrize(
    ("minute", "day", "tz", "utc"),
    [
        (0, date(2026, 3, 2), "UTC", "2026-03-02 00:00"),
        (1440, date(2026, 3, 2), "UTC", "2026-03-03 00:00"),
        (0, date(2026, 3, 2), ZURICH, "2026-03-01 23:00"),
        (0, date(2026, 7, 2), ZURICH, "2026-07-01 22:00"),
        (150, date(2026, 10, 25), ZURICH, "2026-10-25 00:30"),  # the earlier of the two
        (180, date(2026, 10, 25), ZURICH, "2026-10-25 02:00"),
        (1440, date(2026, 3, 29), ZURICH, "2026-03-29 22:00"),
    ],
)
def test_the_moment_of_a_local_time(minute: int, day: date, tz: str, utc: str) -> None:
    assert at(day, minute, tz) == moment(utc)


WINDOWS = st.builds(
    lambda days, start, length, tz: Window(frozenset(days), start, start + length, tz),
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(0, 95).map(lambda quarter: quarter * 15),
    st.integers(1, 96).map(lambda quarter: quarter * 15),
    st.sampled_from(["UTC", ZURICH, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
# Around the days on which the clocks of these zones are changed, and any other day.
DAYS = ((3, 28), (10, 24), (3, 7), (10, 31), (10, 3), (4, 4), (6, 10))
MOMENTS = st.builds(
    lambda day, minutes: day + timedelta(minutes=minutes),
    st.sampled_from([datetime(2026, month, day, tzinfo=UTC) for month, day in DAYS]),
    st.integers(0, 3 * 1440),
)


def opened(window: Window, now: datetime) -> bool:
    """By the words of the documentation: the wall's day and time lie in a window that started today or yesterday."""
    wall = now.astimezone(ZoneInfo(window.tz)).replace(tzinfo=None)
    starts = (datetime.combine(wall.date() - timedelta(days=back), datetime.min.time()) for back in (0, 1))
    return any(
        start.weekday() in window.days and start + timedelta(minutes=window.start) <= wall < start + timedelta(minutes=window.end)
        for start in starts
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(WINDOWS, min_size=1, max_size=3), MOMENTS)
def test_nothing_changes_before_the_next_change_and_then_it_does(windows: list[Window], now: datetime) -> None:
    schedule = Schedule(tuple(windows))
    was = any(opened(window, now) for window in windows)
    assert is_open(schedule, now) is was
    change = next_change(schedule, now)
    steps = ((change or now + timedelta(days=3)) - now) // timedelta(minutes=15)
    first = now + timedelta(minutes=-now.minute % 15)  # windows and clocks change at quarters of an hour
    for step in range(min(steps, 3 * 96)):
        between = first + timedelta(minutes=15 * step)
        assert change is None or between >= change or any(opened(window, between) for window in windows) is was
    if change is not None:
        assert change > now
        assert any(opened(window, change) for window in windows) is not was
        assert any(opened(window, change - timedelta(minutes=1)) for window in windows) is was


SAID: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text(max_size=12) | st.sampled_from(["mon", "08:00", "24:00", "UTC", "Europe/Zurich"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["days", "from", "to", "tz", "x"]), inner),
)


@given(SAID)
def test_nothing_but_a_bad_schedule_is_ever_raised(said: Any) -> None:
    try:
        schedule = read(said)
    except BadSchedule:
        return
    assert is_open(schedule, moment("2026-03-02 09:00")) in (True, False)
