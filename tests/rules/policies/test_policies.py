"""The table of policies, what they object to, and their words."""

from __future__ import annotations

from typing import Any

import pytest

from rules.policies import POLICIES, Complaint, complaints, words
from rules.policies.base import Choice, Judged, Verdict


def test_every_policy_says_what_it_reads() -> None:
    known = {"range", "order", "tags", "extract", "ignore", "variant", "prereleases", "max_step", "follow"}
    assert frozenset().union(*(policy.KEYS for policy in POLICIES.values())) <= known


@pytest.mark.parametrize(
    ("said", "key", "message", "suggestion"),
    [
        ({"policy": "smver"}, "policy", "there is no policy 'smver'", "did you mean 'semver'?"),
        ({"policy": "xyz"}, "policy", "there is no policy 'xyz'", "write auto, semver, "),
        ({"range": "^1.a"}, "range", "'1.a' is no version: 'a' is neither a number nor x", ""),
        ({"range": ""}, "range", "the range is empty", ""),
        ({"tags": "(?!a)"}, "tags", "RE2 has no look-around and no back-references", ""),
        ({"tags": "a", "extract": "$1"}, "extract", "there is no group '1' in `tags`", ""),
        ({"tags": "(a)", "extract": "$1x"}, "extract", "there is no group '1x' in `tags`", "write ${1}x for group 1"),
        ({"tags": "(?P<n>a)", "extract": "$m"}, "extract", "there is no group 'm' in `tags`", ""),
        ({"ignore": ("[",)}, "ignore", "a '[' is never closed", ""),
    ],
)
def test_what_policies_object_to(said: dict[str, Any], key: str, message: str, suggestion: str) -> None:
    (found,) = complaints(said)
    assert found.key == key
    assert message in found.message
    assert suggestion in found.suggestion


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"policy": "follow"},
        {"policy": "semver", "range": "^1.4 || ^2"},
        {"policy": "auto", "range": "^1.4", "order": "desc"},  # a later rule may set another policy
        {"extract": "$ts"},  # another rule may have the pattern
        {"tags": r"^main-[0-9a-f]+-(?P<ts>\d+)$", "extract": "$ts"},
        {"tags": "^a", "ignore": ("*-rc*",)},
    ],
)
def test_what_they_do_not(said: dict[str, Any]) -> None:
    assert list(complaints(said)) == []


def test_all_that_is_wrong_is_said_at_once() -> None:
    found = list(complaints({"policy": "x", "range": "^", "tags": "(", "ignore": ("[", "]", "{")}))
    assert [one.key for one in found] == ["policy", "range", "ignore", "ignore", "tags"]
    assert all(isinstance(one, Complaint) for one in found)


def test_a_code_without_words_stands_for_itself() -> None:
    assert words.of_choice(Choice(None, None, "odd", "thing")) == "odd thing"
    assert words.of_candidate(Judged("1", Verdict.OLDER, "odd")) == "odd"


def test_a_candidate_that_lost_for_the_reason_of_the_choice_has_its_words() -> None:
    assert words.of_candidate(Judged("1", Verdict.FILTERED, "none")) == "a rule leaves it alone (policy: none)"


def test_braces_in_a_tag_or_pattern_are_no_fields() -> None:
    assert words.of_candidate(Judged("1", Verdict.FILTERED, "unmatched", "a{2}")) == "it does not match a{2}"
    assert words.of_choice(Choice(None, None, "held-too-young", "1.2.{x} 3d")) == "1.2.{x} is not 3d old yet"
