"""Edits: only the named bytes change."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.edits import BadEdit, Edit, Span, apply

DATA = b"image: web:1.2\nother: api:3\n"


def at(start: int, end: int, new: bytes, data: bytes = DATA) -> Edit:
    return Edit(Span(start, end), data[start:end], new)


@pytest.mark.parametrize(
    ("edits", "after"),
    [
        ([], DATA),
        ([at(11, 14, b"1.10")], b"image: web:1.10\nother: api:3\n"),
        ([at(26, 27, b"4"), at(11, 14, b"2")], b"image: web:2\nother: api:4\n"),
        ([at(14, 14, b"@sha256:0")], b"image: web:1.2@sha256:0\nother: api:3\n"),
        ([at(11, 14, b"2"), at(14, 14, b"@x")], b"image: web:2@x\nother: api:3\n"),
        ([at(11, 14, b"2"), at(11, 14, b"2")], b"image: web:2\nother: api:3\n"),
        ([at(0, len(DATA), b"")], b""),
    ],
)
def test_the_bytes_of_the_span_are_replaced(edits: list[Edit], after: bytes) -> None:
    assert apply(DATA, edits) == after


@pytest.mark.parametrize(
    "edits",
    [
        [at(11, 14, b"2"), at(12, 15, b"3")],
        [at(11, 14, b"2"), at(11, 14, b"3")],
        [Edit(Span(11, 14), b"1.3", b"2")],
        [Edit(Span(26, 99), b"3", b"4")],
    ],
    ids=["overlapping", "two wishes for one place", "other bytes stand there", "beyond the end"],
)
def test_what_does_not_fit_is_refused(edits: list[Edit]) -> None:
    with pytest.raises(BadEdit):
        apply(DATA, edits)


@st.composite
def edited(draw: st.DrawFn) -> tuple[bytes, list[Edit]]:
    data = draw(st.binary(max_size=60))
    cuts = sorted(draw(st.sets(st.integers(0, len(data)), max_size=8)))
    spans = zip(cuts[::2], cuts[1::2], strict=False)
    return data, [Edit(Span(start, end), data[start:end], draw(st.binary(max_size=5))) for start, end in spans]


@given(edited(), st.randoms())
def test_outside_the_spans_nothing_changes_in_whatever_order(case: tuple[bytes, list[Edit]], chance: random.Random) -> None:
    data, edits = case
    after = apply(data, edits)
    shuffled = edits[:]
    chance.shuffle(shuffled)
    assert apply(data, shuffled) == after
    at = now = 0
    for edit in edits:
        kept = edit.span.start - at
        assert after[now : now + kept] == data[at : edit.span.start]
        now += kept
        assert after[now : now + len(edit.new)] == edit.new
        at, now = edit.span.end, now + len(edit.new)
    assert after[now:] == data[at:]


@given(edited())
def test_an_edit_is_undone_by_its_reverse(case: tuple[bytes, list[Edit]]) -> None:
    data, edits = case
    back, shift = [], 0
    for edit in edits:
        start = edit.span.start + shift
        back.append(Edit(Span(start, start + len(edit.new)), edit.new, edit.old))
        shift += len(edit.new) - len(edit.old)
    if len({edit.span.start for edit in back}) == len(back):  # two emptied neighbours cannot be told apart
        assert apply(apply(data, edits), back) == data
