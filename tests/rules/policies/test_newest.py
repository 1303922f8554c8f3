"""newest, and what `auto` does with commit hashes: by the time at which a tag was pushed, or else first seen."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from rules.policies import choose, words
from rules.policies.base import Candidate, Choice, Need
from tests.rules.policies.asking import NOW, answer, lacks, question, reasons, verdicts


def days(count: float) -> datetime:
    return NOW - timedelta(days=count)


def pushed(**ago: float) -> dict[str, Candidate]:
    return {tag: Candidate(tag, pushed_at=days(count)) for tag, count in ago.items()}


def seen(**ago: float) -> dict[str, Candidate]:
    return {tag: Candidate(tag, first_seen=days(count)) for tag, count in ago.items()}


@pytest.mark.parametrize(
    ("current", "known", "expected", "kind"),
    [
        (None, pushed(zz=7, bb=6, yy=3, cc=4, aa=2, ll=1), "ll", None),
        ("bb", pushed(zz=7, bb=6, yy=3, cc=4, aa=2, ll=1), "ll", "build"),
        ("ll", pushed(zz=7, bb=6, yy=3, cc=4, aa=2, ll=1), None, None),
        (None, pushed(a=1, b=1, c=2), "b", None),  # of the same moment the last in byte order
        ("a", pushed(a=1, b=1, c=2), None, None),
        ("a", seen(a=3, b=2, c=3), "b", "build"),
        ("a", seen(a=3, b=3, c=3), None, None),  # all were there when we first looked
        ("a", pushed(a=3) | seen(b=2), None, None),  # it may have been pushed before
        ("a", seen(a=3) | pushed(b=2), "b", "build"),
        ("a", seen(a=3) | pushed(b=4), None, None),
        ("gone", pushed(a=3, b=4), "a", None),
    ],
)
def test_the_one_that_was_pushed_last(
    current: str | None, known: dict[str, Candidate], expected: str | None, kind: str | None
) -> None:
    found = answer(current, sorted(known), known, policy="newest")
    assert (found.chosen, found.kind) == (expected, kind)


def test_times_are_asked_for_of_those_that_compete_and_of_what_stands_there() -> None:
    assert lacks("old", "old main-1 main-2 dev-1", pushed(), policy="newest", tags="^main-") == Need(
        ages=("main-1", "main-2", "old")
    )


def test_where_nobody_tells_a_time_nothing_is_chosen() -> None:
    asked = question("a", "a b", policy="newest")
    found = choose(replace_unknown(asked, "a", "b"))
    assert isinstance(found, Choice)
    assert found.chosen is None
    assert words.of_choice(found) == "nobody tells when a was pushed, so nothing can be said to be newer"


def test_a_tag_without_a_time_does_not_compete() -> None:
    found = choose(replace_unknown(question("a", "a b c", pushed(a=3, b=2), policy="newest"), "c"))
    assert isinstance(found, Choice)
    assert found.chosen == "b"
    assert verdicts(found) == {"a": "older", "b": "chosen", "c": "waiting"}
    assert reasons(found)["c"] == "nobody tells when it was pushed"


def test_a_commit_hash_goes_by_time() -> None:
    listed = "3f2a9c1 8e1b2c3 1234567 latest 1.2.3 sha-3f2a9c1"
    need = lacks("3f2a9c1", listed)
    assert set(need.ages) == {"3f2a9c1", "8e1b2c3", "1234567"}
    known = {tag: Candidate(tag, pushed_at=days(ago)) for tag, ago in (("3f2a9c1", 3), ("8e1b2c3", 2), ("1234567", 1))}
    found = answer("3f2a9c1", listed, known)
    assert (found.chosen, found.kind) == ("1234567", "build")
    assert words.of_choice(found) == "it is the commit hash that was pushed last"
    assert verdicts(found)["sha-3f2a9c1"] == "filtered"


def test_a_commit_hash_is_left_where_nobody_tells_times() -> None:
    found = choose(replace_unknown(question("main-3f2a9c1", "main-3f2a9c1 main-8e1b2c3"), "main-3f2a9c1", "main-8e1b2c3"))
    assert isinstance(found, Choice)
    assert found.chosen is None
    assert "the registry does not tell when it was pushed" in words.of_choice(found)


def replace_unknown(asked, *tags: str):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    return replace(asked, unknown=frozenset(tags))
