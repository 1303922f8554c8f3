"""Text from outside in titles, code spans and prose."""

from __future__ import annotations

import pytest
from hypothesis import given

from rules.messages.escaping import LIMIT, clean, code, plain, prose
from tests.rules.messages.hostile import HOSTILE, TEXT
from tests.rules.messages.reading import dangers, outside_of_code, plain_dangers

J = "\u2060"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.4.2", "1.4.2"),
        ("main-3f2a9c1-41", "main-3f2a9c1-41"),
        ("envs/dev/app.yaml:12", "envs/dev/app.yaml:12"),
        ("ghcr.io/acme/web", "ghcr.io/acme/web"),
        ("a  b\n c", "a b c"),
        ("fix @ann", f"fix @{J}ann"),
        ("closes #12", f"closes #{J}12"),
        ("GH-12", f"GH{J}-12"),
        ("see https://x", f"see https:{J}//x"),
        ("x [skip ci]", f"x [{J}skip{J} ci]"),
        ("\u202e1.4.2", "U+202E1.4.2"),
        ("a\x00b", "aU+0000b"),
        ("a - b", "a - b"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_plain_text_reads_as_it_was(text: str, expected: str) -> None:
    assert plain(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.4.2", "`1.4.2`"),
        ("a`b", "``a`b``"),
        ("`a`", "`` `a` ``"),
        ("a``b`c", "```a``b`c```"),
        ("", "`   `"),
        ("@ann", "`@ann`"),  # means nothing in code
        ("<b>", "`<b>`"),
        ("[skip ci]", f"`[{J}skip{J} ci]`"),
    ],
)
def test_a_code_span_cannot_be_left(text: str, expected: str) -> None:
    assert code(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("it is the newest 1.x", "it is the newest 1.x"),
        ("<b>*1*</b> #2", f"&lt;b&gt;\\*1\\*&lt;/b&gt; #{J}2"),
        ("# title", "\\# title"),
        ("- item", "\\- item"),
        ("1. item", "1\\. item"),
        ("a_b_c", "a\\_b\\_c"),
        ("[x](y)", "\\[x\\](y)"),
    ],
)
def test_prose_shows_what_was_written(text: str, expected: str) -> None:
    assert prose(text) == expected


@given(TEXT)
def test_nothing_from_outside_does_anything(text: str) -> None:
    assert plain_dangers(plain(text)) == []
    assert dangers(prose(text)) == []
    span = code(text)
    assert outside_of_code(span) == ""
    assert dangers(span) == []


@given(TEXT)
def test_it_is_one_visible_line_of_bounded_length(text: str) -> None:
    for found in (clean(text), plain(text), prose(text), code(text)):
        assert "\n" not in found
        assert "\r" not in found
        assert found.replace(J, "").isprintable() or " " in found
        assert len(found) <= 3 * LIMIT + 4
    assert len(clean(text)) <= LIMIT


@pytest.mark.parametrize("text", HOSTILE)
def test_done_twice_it_is_still_harmless(text: str) -> None:
    assert plain_dangers(plain(plain(text))) == []
    assert plain_dangers(plain(text) + plain(text)) == []
