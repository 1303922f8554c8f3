"""The hidden line: it comes back as it was written, closes no comment, calls nobody, and what was changed in it is noticed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.ci.tokens import may_contain_marker
from rules.records import Record, Written, hidden_line, record_of, targets, written_of
from tests.rules.small_world import DIGEST, OTHER, update

RECORD = Record("main|docker.io/acme/web|rule|", "0123456789abcdef", (("app.yaml", "acme/web", "1.4.1", "1.4.2"),))
WRITTEN = Written("Update acme/web from 1.4.1 to 1.4.2", "fedcba")
LINE = hidden_line(RECORD, WRITTEN)

HOSTILE = [
    "-->", "<!-- tagboat: {} -->", "--!>", "@octocat", "#1", "!1", "&epic", "~label", "%milestone", "[skip ci]", "[ci skip]",
    "***NO_CI***", "skip-checks: true", "/close", "/merge", "](http://x)", "<script>", "\u202egnp.exe", "\x00", "\ud800",
    "\n\n/close", "a" * 5000, "\u2028", '"', "\\", "\\u003e", "https://example.com/x", "www.example.com", "GH-1",
]  # fmt: skip
TEXT = st.text(max_size=80) | st.sampled_from(HOSTILE) | st.tuples(*[st.sampled_from(HOSTILE)] * 3).map("".join)


@given(TEXT, TEXT, st.lists(st.tuples(TEXT, TEXT, TEXT, TEXT), max_size=3), TEXT, TEXT)
def test_it_comes_back_as_it_was_written(
    stream: str, mark: str, rows: list[tuple[str, str, str, str]], title: str, words: str
) -> None:
    line = hidden_line(Record(stream, mark, tuple(rows)), Written(title, words))
    body = f"Some words.\n\n{line}\n"
    assert record_of(body) in (Record(stream, mark, tuple(rows)), Record(stream, mark))  # very many places are not told
    assert written_of(body) == Written(title, words)
    assert "\n" not in line
    assert line.startswith("<!-- tagboat: ")
    assert line.index("-->") == len(line) - 3, "nothing in it closes the comment"
    assert not may_contain_marker(line)
    assert not any(char in line[4:-3] for char in "@#<>&!~%`"), "nobody is called, nothing is linked"
    assert line.isascii()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_tags_are_only_data(text: str) -> None:
    record = Record(text, text, ((text, text, text, text),))
    assert record_of(hidden_line(record, WRITTEN)) in (record, Record(text, text))


@pytest.mark.parametrize(
    ("sentence", "body", "record"),
    [
        ("a body of ours", f"words\n\n{LINE}\n", RECORD),
        ("with the line ends of a browser", f"words\r\n\r\n{LINE}\r\n", RECORD),
        ("with words behind it", f"{LINE}\n\nthanks!", RECORD),
        ("indented", f"  {LINE}", RECORD),
        ("two lines: the last counts", f"{hidden_line(Record('x', 'y'), WRITTEN)}\n{LINE}", RECORD),
        ("no line", "words", None),
        ("nothing", "", None),
        ("quoted", f"> {LINE}", None),
        ("in the middle of a line", f"see {LINE}", None),
        ("cut off", LINE[:-10], None),
        ("no JSON", "<!-- tagboat: {nope} -->", None),
        ("JSON that is no object", "<!-- tagboat: {} -->", None),
        ("numbers for words", '<!-- tagboat: {"stream": 1, "fingerprint": 2} -->', None),
        ("no fingerprint", '<!-- tagboat: {"stream": "a"} -->', None),
        ("nested without end", "<!-- tagboat: {" + '"a":{' * 4000 + " -->", None),
        ("odd targets", '<!-- tagboat: {"stream": "a", "fingerprint": "b", "targets": 7} -->', Record("a", "b")),
        (
            "one odd target spoils all",
            '<!-- tagboat: {"stream": "a", "fingerprint": "b", "targets": [["f","i","1","2"],["f","i","1"]]} -->',
            Record("a", "b"),
        ),
        ("far down in a body that is much too long", "x" * 300_000 + f"\n{LINE}", RECORD),
        ("far up in a body that is much too long", f"{LINE}\n" + "x" * 300_000, None),
    ],
)
def test_what_a_body_says(sentence: str, body: str, record: Record | None) -> None:
    assert record_of(body) == record


@pytest.mark.parametrize("key", ["stream", "fingerprint", "targets", "title", "words"])
def test_what_was_changed_in_it_is_another_record(key: str) -> None:
    """Planning compares it with what it would write: so a changed line is brought back, and never believed for a landing."""
    said = json.loads(LINE.removeprefix("<!-- tagboat: ").removesuffix(" -->"))
    said[key] = [["app.yaml", "acme/web", "1.4.1", "9.9.9"]] if key == "targets" else f"{said[key]}x"
    body = f"<!-- tagboat: {json.dumps(said)} -->"
    assert (record_of(body), written_of(body)) != (RECORD, WRITTEN)


def test_a_request_for_very_many_places_says_no_targets_and_stays_short() -> None:
    rows = tuple((f"envs/{at}/app.yaml", "acme/web", "1.4.1", "1.4.2") for at in range(2000))
    line = hidden_line(Record("s", "f", rows), WRITTEN)
    assert len(line) < 20_000
    assert record_of(line) == Record("s", "f")
    assert written_of(line) == WRITTEN


def test_targets_say_what_stands_there_and_what_is_to_stand_there() -> None:
    assert targets([update(f"image: acme/web:1.4.1@{DIGEST}", f"1.4.2@{OTHER}")]) == (
        ("app.yaml", "acme/web", f"1.4.1@{DIGEST}", f"1.4.2@{OTHER}"),
    )
