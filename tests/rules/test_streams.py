"""Streams: which updates share a request, and how its branch is named."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.automerge import Automerge
from rules.config.values import Config, Landing
from rules.images import canonical
from rules.proposals import fingerprint
from rules.streams import PERSON, PUSH, Member, Stream, apart_from, group_of, landing_key, member, streams
from rules.updates import Update
from tests.rules.small_world import rule, update

LANDS = Landing(Automerge())


def keys(updates: list[Update], *rules: Any, apart: frozenset[str] = frozenset()) -> list[tuple[str, str, str | None]]:
    found = streams(updates, Config(rules=tuple(rules)), "main", "github", apart)
    return [(stream.subject, stream.landing, stream.major) for stream in found]


@pytest.mark.parametrize(
    ("sentence", "one", "other", "together"),
    [
        ("the same image in two files", update(), update(file="b.yaml"), True),
        ("two spellings of one image", update(), update("image: docker.io/acme/web:1.4.1"), True),
        ("two tags of one image", update(), update("image: acme/web:1.3.0"), True),
        ("a patch and a minor that land alike", update(), update(new="1.5.0", kind="minor"), True),
        ("two images", update(), update("image: acme/api:1.4.1"), False),
        ("a patch and the next major", update(), update(new="2.0.0", kind="major"), False),
        ("two majors", update(new="3.0.0", kind="major"), update(new="2.0.0", kind="major"), False),
        ("two tags of one new major", update(new="v2.1.0", kind="major"), update(new="2.0.0", kind="major"), True),
    ],
)
def test_what_shares_a_stream(sentence: str, one: Update, other: Update, together: bool) -> None:
    assert (len(keys([one, other])) == 1) is together


@pytest.mark.parametrize(
    ("sentence", "rules", "landing"),
    [
        ("no rule", [], PERSON),
        ("automerge", [rule(automerge=LANDS)], "rule"),
        ("automerge that does not cover the kind", [rule(automerge=Landing(Automerge(update_types=("major",))))], PERSON),
        ("automerge that is switched off", [rule(automerge=Landing(Automerge(automerge=False)))], PERSON),
        ("straight to the branch", [rule(delivery="push")], PUSH),
        ("straight to the branch, with automerge", [rule(delivery="push", automerge=LANDS)], PUSH),
        ("a later rule takes it back", [rule(delivery="push"), rule(delivery="request")], PERSON),
    ],
)
def test_how_a_stream_lands(sentence: str, rules: list[Any], landing: str) -> None:
    assert keys([update()], *rules) == [("docker.io/acme/web", landing, None)]


@pytest.mark.parametrize(
    "odd", [{"method": "merge"}, {"min_pr_age": timedelta(hours=1)}, {"blocking_labels": ("stop",)}, {"min_approvals": 1}]
)
def test_rules_that_say_something_else_have_a_word_of_their_own(odd: dict[str, Any]) -> None:
    mine = landing_key(_member(Automerge(**odd)))
    assert mine.startswith("rule-")
    assert mine == landing_key(_member(Automerge(**odd)))
    assert mine != landing_key(_member(Automerge()))


def _member(automerge: Automerge) -> Member:
    return member(update(), Config(rules=(rule(automerge=Landing(automerge)),)), "github")


def test_a_group_has_one_stream_a_base_and_way_and_one_for_its_majors() -> None:
    updates = [
        update(), update("image: acme/api:1.4.1"), update(new="2.0.0", kind="major"),
        update("image: acme/db:7.0.0", "8.0.0", "major"),
    ]  # fmt: skip
    assert keys(updates, rule(group="all")) == [("group:all", PERSON, None), ("group:all", PERSON, "major")]


def test_a_member_that_is_set_apart_has_a_stream_of_its_own() -> None:
    updates = [update(), update("image: acme/api:1.4.1")]
    apart = frozenset({apart_from("group:all", "acme/api")})
    assert keys(updates, rule(group="all"), apart=apart) == [
        ("group:all", PERSON, None),
        ("group:all+docker.io/acme/api", PERSON, None),
    ]
    assert keys(updates, rule(group="all", lockstep=True), apart=apart) == [("group:all", PERSON, None)]


@pytest.mark.parametrize(
    ("subject", "group"),
    [
        ("docker.io/acme/web", None),
        ("group:platform", "platform"),
        ("group:envs/dev", "envs/dev"),
        ("group:c++", "c++"),
        ("group:platform+docker.io/acme/web", "platform"),
        ("group:c+++docker.io/acme/web", "c++"),
        ("group:a+b", "a+b"),
    ],
)
def test_a_stream_knows_its_group(subject: str, group: str | None) -> None:
    stream = Stream("main", subject, PERSON)
    assert (stream.group, Stream.subject_of(stream.key)) == (group, subject)


HOSTILE = st.text(max_size=60) | st.sampled_from(["../../etc", "a|b", "-x", "@{0}", "x.lock", "🚀", "\u202e", "a" * 900])


@given(HOSTILE, HOSTILE)
def test_a_branch_is_a_name_that_git_takes_and_no_two_streams_share_one(one: str, other: str) -> None:
    branch = Stream("main", f"group:{one}", "rule").branch("tagboat/")
    slug = branch.removeprefix("tagboat/")
    assert 9 < len(slug) < 60
    assert all(char.isascii() and (char.isalnum() or char == "-") for char in slug)
    assert not slug.startswith("-")
    if one != other:
        assert branch != Stream("main", f"group:{other}", "rule").branch("tagboat/")


def test_the_base_and_the_way_tell_streams_apart_too() -> None:
    found = {Stream(base, "x", way, major).mark for base in ("main", "next") for way in ("rule", PERSON) for major in (None, "2")}
    assert len(found) == 8


def test_a_groups_pattern_that_cannot_be_read_is_a_name() -> None:
    assert group_of("path:[", "a/b.yaml") == "path:["


def test_what_is_wished_tells_the_work_apart_and_nothing_else_does() -> None:
    assert fingerprint([update()]) == fingerprint([update(kind="minor")])
    assert fingerprint([update(), update(file="b.yaml")]) == fingerprint([update(file="b.yaml"), update()])
    assert canonical("acme/web") == "docker.io/acme/web"
