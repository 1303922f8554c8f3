"""Durations: what is one, what is none, and that the text of one reads as itself."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.durations import LIMIT, PATTERN, BadDuration, parse, text


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("1s", 1),
        ("90m", 5400),
        ("1h30m", 5400),
        ("12h", 43200),
        ("3d", 3 * 86400),
        ("1w", 7 * 86400),
        ("1w2d3h4m5s", 9 * 86400 + 3 * 3600 + 4 * 60 + 5),
        (" 3d ", 3 * 86400),
        ("3660d", 3660 * 86400),
    ],
)
def test_a_duration(written: str, seconds: int) -> None:
    assert parse(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("3", "3 has no unit: write 3d for days, 3h for hours, 3m for minutes"),
        ("", "'' is not a duration: write for example 3d, 12h, 90m or 1h30m"),
        ("soon", "'soon' is not a duration: write for example 3d, 12h, 90m or 1h30m"),
        ("1m1h", "'1m1h' is not a duration: write for example 3d, 12h, 90m or 1h30m"),
        ("1h1h", "'1h1h' is not a duration: write for example 3d, 12h, 90m or 1h30m"),
        ("-3d", "'-3d' is not a duration: write for example 3d, 12h, 90m or 1h30m"),
        ("1.5h", "'1.5h' is not a duration: write for example 3d, 12h, 90m or 1h30m"),
        ("3D", "'3D' is not a duration: write for example 3d, 12h, 90m or 1h30m"),
        ("3 d", "'3 d' is not a duration: write for example 3d, 12h, 90m or 1h30m"),
        ("3661d", "3661d is longer than ten years"),
        ("999999999w", "999999999w is longer than ten years"),
        ("x" * 100, f"'{'x' * 40}' is not a duration: write for example 3d, 12h, 90m or 1h30m"),
    ],
)
def test_none(written: str, said: str) -> None:
    with pytest.raises(BadDuration) as caught:
        parse(written)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("duration", "written"),
    [
        (timedelta(0), "0"),
        (timedelta(seconds=59.9), "59s"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(days=7), "1w"),
        (timedelta(days=10), "10d"),
        (timedelta(days=7, hours=1), "7d1h"),
        (timedelta(days=14), "2w"),
    ],
)
def test_the_text_of_a_duration(duration: timedelta, written: str) -> None:
    assert text(duration) == written


@given(st.integers(0, int(LIMIT.total_seconds())).map(lambda seconds: timedelta(seconds=seconds)))
def test_the_text_reads_as_the_duration(duration: timedelta) -> None:
    assert parse(text(duration)) == duration


@given(st.from_regex(r"[0-9]{0,3}[wdhms]?[0-9]{0,3}[wdhms]?", fullmatch=True) | st.text(max_size=6))
def test_the_pattern_of_the_schema_takes_the_same_texts(written: str) -> None:
    if written != written.strip():
        return
    try:
        parse(written)
        fits = True
    except BadDuration as error:
        fits = "longer than" in str(error)
    assert (re.search(PATTERN.replace("$", r"\Z"), written) is not None) is fits
