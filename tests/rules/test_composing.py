"""What libyaml alone would refuse or let through: limits, anchors set anew, colons between braces."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from rules.composing import DEPTH_LIMIT, YamlError, composed


def plain(node: Node) -> object:
    """A document as Python's values, every scalar a text."""
    if isinstance(node, MappingNode):
        return [(plain(key), plain(value)) for key, value in node.value]
    if isinstance(node, SequenceNode):
        return [plain(one) for one in node.value]
    assert isinstance(node, ScalarNode)
    return node.value


@pytest.mark.parametrize(
    ("data", "documents"),
    [
        ("", []),
        ("---\n---\n# nothing\n", []),
        ("a", ["a"]),
        ("a: 1.10\n---\nb: ~\n...\n", [[("a", "1.10")], [("b", "~")]]),
        ("%YAML 1.2\n---\na: b\n", [[("a", "b")]]),
        ("!Sub a: !vault |\n  b\n", [[("a", "b\n")]]),
        # braces
        ("{image: web:1}", [[("image", "web:1")]]),
        ("[web:1, a?b, {c: d:e:f}]", [["web:1", "a?b", [("c", "d:e:f")]]]),
        ("{a: 'b:c', \"d\":e}", [[("a", "b:c"), ("d", "e")]]),
        # anchors set anew
        ("a: &x 1\nb: *x\nc: &x 2\nd: *x\n", [[("a", "1"), ("b", "1"), ("c", "2"), ("d", "2")]]),
        ("a: &x [1]\nb: &x {c: *x}\n", None),
        ("- &x {a: 1}\n- &x [*x]\n", None),
        # pairs of surrogates
        ('["\\ud83d\\ude00", a]', [["?" * 12, "a"]]),
    ],
)  # fmt: skip
def test_documents(data: str, documents: list[object] | None) -> None:
    nodes = composed(data.encode())
    if documents is not None:
        assert [plain(node) for node in nodes] == documents


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"a: *x\n", 1),
        (b"a: &x 1\nb: &x 2\n---\nc: *x\n", 4),
        (b"a: &x 1\nb: &x 2\nc: [\n", 4),
        (b"- " * (DEPTH_LIMIT + 1), 1),
        (b"a: &x 1\nb: &x " + b"[" * (DEPTH_LIMIT + 1), 2),
        (b"{" * 100_000, 1),
        (b"\xff", 1),
        (b"a\n\x00", 2),
        (b"a: {b: c:d\n", 2),
        ("a: {b: c:d, \ue000: 1}\n".encode(), 1),
    ],
)
def test_what_is_refused(data: bytes, line: int) -> None:
    with pytest.raises(YamlError) as caught:
        composed(data)
    assert caught.value.line == line


def test_the_deepest_that_is_read() -> None:
    assert len(composed(b"[" * (DEPTH_LIMIT - 1) + b"]" * (DEPTH_LIMIT - 1))) == 1


@given(st.text("ab:?,[]{}&*#-|>'\"! \n\t\r%@\ufeff\u2028é\\<", max_size=60))
def test_any_text_is_read_or_refused(data: str) -> None:
    with suppress(YamlError):
        composed(data.encode())


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(YamlError):
        composed(data)
