"""Templates of titles: which can be used, and what they are filled in to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.titles import DEFAULT, FIELDS, BadTemplate, check, fill

VALUES = {"action": "Update", "image": "web", "old": "1.4.1", "new": "1.4.2", "kind": "patch", "count": "1"}


@pytest.mark.parametrize(
    ("template", "title"),
    [
        (DEFAULT, "Update web from 1.4.1 to 1.4.2"),
        ("chore(deps): {image} {new}", "chore(deps): web 1.4.2"),
        ("{{image}} {image}", "{image} web"),
        ("a {group} b", "a b"),
        ("  {image}\t{new}  ", "web 1.4.2"),
    ],
)
def test_filled_in(template: str, title: str) -> None:
    check(template)
    assert fill(template, VALUES) == title


NO_FIELD = "is no field of a title: there are {action}, {image}, {old}, {new}, {kind}, {path}, {group}, {count}, {base}"
SKIPS = "in a title would skip the checks of the request itself; commits.marker puts it where it is safe"
TOKENS = ("[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[Skip CI]", "[ skip ci ]", "[skip-ci]")
OTHER_TOKENS = ("***NO_CI***", "skip-checks: true")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("", "must not be empty"),
        ("   ", "must not be empty"),
        ("{what}", f"{{what}} {NO_FIELD}"),
        ("{}", f"{{}} {NO_FIELD}"),
        ("{image.__class__}", f"{{image.__class__}} {NO_FIELD}"),
        ("{image!r}", f"{{image!r}} {NO_FIELD}"),
        ("a { b", "a single { stands in it: write {{ for the character itself"),
        ("a } b", "a single } stands in it: write }} for the character itself"),
        *((f"{{image}} {token}", f"{token!r} {SKIPS}") for token in (*TOKENS, *OTHER_TOKENS)),
        ("skip-ci: {image}", f"'skip-ci:' {SKIPS}"),
    ],
)
def test_refused(template: str, said: str) -> None:
    with pytest.raises(BadTemplate) as caught:
        check(template)
    assert str(caught.value) == said


# Each piece of a template, and what becomes of it where every field's value is a field itself.
PIECES = [*((f"{{{name}}}", "{image}") for name in FIELDS), ("x", "x"), (" ", " "), ("{{", "{"), ("}}", "}")]


@given(st.lists(st.sampled_from(PIECES)))
def test_values_are_never_read_as_templates(pieces: list[tuple[str, str]]) -> None:
    """A field of a hostile name stays what it is: filling in is done once."""
    template, expected = "".join(piece for piece, _ in pieces), "".join(text for _, text in pieces)
    assert fill(template, dict.fromkeys(FIELDS, "{image}")) == " ".join(expected.split())
