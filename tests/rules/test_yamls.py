"""YAML nodes and their places: bytes, lines, values letter by letter, text within texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml.nodes import Node, ScalarNode

from rules.yamls import Source, YamlError, child, compose, each, items, text, walk


def at(source: Source, *keys: str) -> ScalarNode:
    node = child(source.documents[0], *keys)
    assert isinstance(node, ScalarNode)
    return node


def written(source: Source, node: ScalarNode) -> bytes | None:
    """The bytes of the file at which the value begins, as many as the value has."""
    begin = source.begin(node)
    value = node.value.rstrip("\n") if node.style in ("|", ">") else node.value
    return None if begin is None else source.data[source.offset(begin) : source.offset(begin + len(value))]


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ("a: b", 3),
        ("a: 'b'", 4),
        ('a: "b"', 4),
        ("a: &x b", 6),
        ("a: !!str b", 9),
        ("a: &x !!str 'b'", 13),
        ("a: !!str &x b", 12),
        ("a:\n  b", 5),
        ("a: # c\n  b", 9),
        ("a: |\n  b\n", 7),
        ("a: |-  # c\n  b", 13),
        ("a: >2\n  b\n", 8),
        ("a: &x |\n  b\n", 10),
        ("a: |\n\n  b\n", None),  # the value begins with a line break
        ('a: "\\x62"', None),
        ('a: "\\\n  b"', None),
        ("'a': b", 5),
        ("? a\n: b", 6),
        ("{a: b}", 4),
        ("é: {a: b}\na: b", 14),
        ("a:\tb", 3),
    ],
)
def test_where_a_value_begins(data: str, place: int | None) -> None:
    for before in (b"", b"\xef\xbb\xbf"):
        source = Source(before + data.encode())
        begin = source.begin(at(source, "a"))
        assert (begin is None) == (place is None)
        if begin is not None and place is not None:
            assert source.offset(begin) == place + len(before)
            assert written(source, at(source, "a")) == b"b"


LINES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\x85\u2028\u2029\ufeff"), max_size=30
)
ENDS = st.sampled_from(["\n", "\r\n"])


@given(st.lists(st.tuples(LINES, ENDS), max_size=60), st.booleans(), ENDS)
def test_places_are_bytes_whatever_stands_before(lines: list[tuple[str, str]], mark: bool, end: str) -> None:
    before = ("\ufeff" if mark else "") + "".join(f"# {line}{end}" for line, end in lines)
    data = f'{before}key: {{inner: "é", image: web:1.2}}{end}'.encode()
    source = Source(data)
    node = at(source, "key", "image")
    begin = source.begin(node)
    assert begin is not None
    assert source.offset(begin) == data.index(b"web:1.2")
    assert source.line(begin) == len(lines) + 1
    assert written(source, node) == b"web:1.2"


@given(st.lists(st.tuples(LINES, ENDS), max_size=30), st.sampled_from(["\r", "\x85", "\u2028", "\u2029"]))
def test_odd_line_breaks_do_not_move_places(lines: list[tuple[str, str]], odd: str) -> None:
    data = f"{''.join(f'# {line}{end}' for line, end in lines)}# a{odd}image: web:1\n".encode()
    source = Source(data)
    begin = source.begin(at(source, "image"))
    assert begin is not None
    assert source.offset(begin) == data.index(b"web:1", data.index(b"image: web:1"))


def test_later_byte_order_marks_are_characters() -> None:
    source = Source("# \ufeff\na: b\n".encode())
    assert written(source, at(source, "a")) == b"b"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_text_within_a_text_has_its_places_in_the_file(end: str) -> None:
    lines = ["# é", "a:", "  - b: |", "      c: é", "", "      d: [x,", "        y]", "  - e: f"]
    data = end.join(lines).encode()
    source = Source(data)
    block = child(each(child(source.documents[0], "a"))[0], "b")
    assert isinstance(block, ScalarNode)
    inner = source.inside(block)
    assert inner is not None
    for node in each(child(inner.documents[0], "d")):
        assert isinstance(node, ScalarNode)
        begin = inner.begin(node)
        assert begin is not None
        assert data[inner.offset(begin) :][:1].decode() == node.value
        assert lines[inner.line(begin) - 1].strip(" d:[],") == node.value
    assert inner.rest_of_line(0, 100) == "c: é"


@pytest.mark.parametrize("value", ["'a: b'", "a", "|", ">\n  a: b", "[a]", "{a: b}"])
def test_only_literal_blocks_have_text_within(value: str) -> None:
    source = Source(f"x: {value}\n".encode())
    node = child(source.documents[0], "x")
    assert node is not None
    inside = source.inside(node)
    assert inside is None or inside.documents == []


def test_a_broken_text_within_is_told_with_the_line_in_the_file() -> None:
    source = Source(b"a: 1\nb: |\n  c: d\n  e: [\n")
    inner = source.inside(at(source, "b"))
    assert inner is not None
    with pytest.raises(YamlError) as caught:
        _ = inner.documents
    assert caught.value.line == 5


def test_lookups() -> None:
    (root,) = compose(b"a: {b: {c: 1}}\nlist: [1, 2]\nnothing: ~\nempty: ''\n'null': x\n? [k]\n: v\n")
    assert text(child(root, "a", "b", "c")) == "1"
    assert child(root, "a", "x", "c") is None
    assert child(root, "list", "c") is None
    assert [text(one) for one in each(child(root, "list"))] == ["1", "2"]
    assert each(child(root, "a")) == []
    assert text(child(root, "nothing")) is None
    assert text(child(root, "empty")) == ""
    assert text(child(root, "null")) == "x"
    assert text(root) is None
    assert text(None) is None
    assert [key.value for key, _ in items(root)] == ["a", "list", "nothing", "empty", "null"]
    assert list(items(None)) == []


def test_merge_keys_add_what_is_missing_and_earlier_sources_win() -> None:
    (root,) = compose(
        b"a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2, <<: *a}\nc: {<<: [*b, *a], x: 3}\nd: {'<<': {x: 1}}\ne: {<<: [{x: 4}, {x: 5}]}\n"
    )
    assert {key.value: text(value) for key, value in items(child(root, "c"))} == {"x": "3", "y": "2", "z": "2"}
    assert text(child(root, "c", "z")) == "2"
    assert [key.value for key, _ in items(child(root, "d"))] == ["<<"]
    assert text(child(root, "e", "x")) == "4"


def test_equal_keys_are_both_there_and_the_last_counts() -> None:
    (root,) = compose(b"a: 1\na: 2\n")
    assert text(child(root, "a")) == "2"
    assert len(list(items(root))) == 2


def test_the_walk_sees_each_mapping_once_with_the_key_that_holds_it() -> None:
    (root,) = compose(b"a: &a {b: [{c: 1}, [{d: 1}]]}\ne: *a\nskip: {f: {}}\n")

    def keys(node: Node) -> list[str]:
        return [key.value for key, _ in node.value]

    assert [(key, keys(node)) for key, node in walk(root, frozenset({"skip"}))] == [
        ("", ["a", "e", "skip"]),
        ("a", ["b"]),
        ("b", ["c"]),
        ("b", ["d"]),
    ]


def test_the_rest_of_a_line_has_no_line_end_and_no_more_than_asked_for() -> None:
    source = Source(b"a: b # c\r\nd: e")
    assert source.rest_of_line(4, 100) == " # c"
    assert source.rest_of_line(4, 3) == " # "
    assert source.rest_of_line(10, 100) == "d: e"
