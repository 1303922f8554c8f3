"""Variables with defaults: what is put in, and where in the text it stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.formats.variables import resolve


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("web:1", "web:1"),
        ("${A:-b}", "b"),
        ("${A-b}", "b"),
        ("x${A:-b}y${C-d}z", "xbydz"),
        ("${A:-${B:-c}}", "c"),
        ("${A:-b-${C-d}}", "b-d"),
        ("$$A", "$A"),
        ("${A:-}", ""),
        ("${A:-b:-c}", "b:-c"),
    ],
)
def test_defaults_are_put_in(written: str, text: str) -> None:
    assert (resolve(written).text, resolve(written).unknown) == (text, None)


@pytest.mark.parametrize(
    ("written", "unknown"),
    [
        ("$A", "$A"),
        ("x:${A}", "$A"),
        ("${A:?no}", "$A"),
        ("${A?no}", "$A"),
        ("${A:+b}", "$A"),
        ("${A:-$B}", "$B"),
        ("${A:-b", "${A:-b"),
    ],
)
def test_what_has_no_default_is_unknown(written: str, unknown: str) -> None:
    assert (resolve(written).text, resolve(written).unknown) == (written, unknown)


def test_defaults_in_defaults_end() -> None:
    assert resolve("${A:-" * 9 + "x" + "}" * 9).text == "x"
    assert resolve("${A:-" * 2000 + "x" + "}" * 2000).unknown is not None


@given(st.text("ab:-${}$1", max_size=40))
def test_a_whole_piece_stands_in_what_was_written(written: str) -> None:
    resolved = resolve(written)
    if resolved.unknown is None:
        assert len(resolved.places) == len(resolved.text)
        for start in range(len(resolved.text)):
            place = resolved.whole(start, len(resolved.text))
            if place is not None and "$$" not in written:
                assert written[place : place + len(resolved.text) - start] == resolved.text[start:]
