"""Commit messages: of the branch, of the landing, and where the marker stands."""

from __future__ import annotations

import pytest
from hypothesis import given

from rules.loops import Marking
from rules.messages.commits import PLACES, Message, commit, landing, on_branch, signed
from rules.updates import Target, Update
from tests.rules.messages.hostile import TEXT
from tests.rules.messages.reading import plain_dangers
from tests.rules.small_world import DIGEST, OTHER, update

NATIVE, CUSTOM, NONE = Marking("[skip ci]", ""), Marking("skip-ci:", "", prefix=True, on_branch=True), Marking(None, "")
SHORT = Message("Update acme/web from 1.4.1 to 1.4.2", "- line")


def test_the_branch_commit() -> None:
    updates = [
        update(),
        update("image: acme/api:2.0.0", "2.1.0", "minor", "b.yaml"),
        update(f"image: acme/db:7@{DIGEST}", f"7@{OTHER}", "digest", "c.yaml"),
    ]
    assert str(commit(updates, "Update things")) == (
        "Update things\n\n"
        "- app.yaml:1: acme/web 1.4.1 -> 1.4.2\n"
        "- b.yaml:1: acme/api 2.0.0 -> 2.1.0\n"
        "- c.yaml:1: acme/db 7 (sha256:11111111) -> 7 (sha256:22222222)\n\n"
        "Tagboat-Image: docker.io/acme/api\nTagboat-Image: docker.io/acme/db\nTagboat-Image: docker.io/acme/web\n"
        "Tagboat-Update: minor\n"
    )


def test_very_many_places_are_counted() -> None:
    message = commit([update(file=f"{at}.yaml") for at in range(PLACES + 7)], "x")
    assert "- and 7 more" in message.body
    assert len(message.body.splitlines()) == PLACES + 4


@pytest.mark.parametrize(("kind", "trailer"), [(None, "unknown"), ("major", "major"), ("pin", "pin")])
def test_the_kind_is_that_of_the_largest(kind: None, trailer: str) -> None:
    assert commit([update(), update(kind=kind)], "x").body.endswith(f"Tagboat-Update: {trailer if kind != 'pin' else 'patch'}")


@pytest.mark.parametrize(
    ("marking", "reference", "expected"),
    [
        (NONE, "", "Update acme/web from 1.4.1 to 1.4.2"),
        (NONE, "#7", "Update acme/web from 1.4.1 to 1.4.2 (#7)"),
        (NATIVE, "", "Update acme/web from 1.4.1 to 1.4.2 [skip ci]"),
        (NATIVE, "!7", "Update acme/web from 1.4.1 to 1.4.2 (!7) [skip ci]"),
        (CUSTOM, "#7", "skip-ci: Update acme/web from 1.4.1 to 1.4.2 (#7)"),
    ],
)
def test_the_landing_carries_the_marker(marking: Marking, reference: str, expected: str) -> None:
    found = landing(SHORT, marking, reference)
    assert (found.headline, found.body) == (expected, SHORT.body)


@pytest.mark.parametrize("marking", [NONE, NATIVE, CUSTOM])
def test_a_long_headline_is_cut_and_never_its_marker(marking: Marking) -> None:
    found = landing(Message("x" * 250), marking, "#12345").headline
    assert len(found) <= 250
    assert "(#12345)" in found
    assert (marking.token or "") in found


@pytest.mark.parametrize(("marking", "marked"), [(NONE, False), (NATIVE, False), (CUSTOM, True)])
def test_the_branch_carries_only_what_no_ci_reads_by_itself(marking: Marking, marked: bool) -> None:
    assert (on_branch(SHORT, marking) != SHORT) is marked


def test_signing_off() -> None:
    once = signed(SHORT, "Tagboat", "bot@example.com")
    assert once.body == "- line\nSigned-off-by: Tagboat <bot@example.com>"
    assert signed(once, "Tagboat", "bot@example.com") == once
    assert signed(Message("x"), "a\nb: c", "e").body == "Signed-off-by: a b: c <e>"


@given(TEXT, TEXT)
def test_no_text_from_outside_does_anything_or_forges_a_trailer(file: str, tag: str) -> None:
    odd = Update(update(file=file).occurrence, Target(tag), "patch", "auto", update().choice)
    message = commit([odd], "x")
    line, blank, *trailers = message.body.splitlines()
    assert line.startswith("- ")
    assert (blank, trailers) == ("", ["Tagboat-Image: docker.io/acme/web", "Tagboat-Update: patch"])
    assert plain_dangers(message.body) == []
