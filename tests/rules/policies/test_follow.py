"""Promotion: what has soaked upstream, and what of it is taken."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.policies import choose, words
from rules.policies.base import Candidate, Choice, Choosing, Follow, Need, Question, Stood
from rules.policies.follow import soak
from tests.rules.small_world import DIGEST, NOW, OTHER

HOUR = timedelta(hours=1)
FOLLOW = Choosing("follow", follow=Follow("envs/dev/**", 24 * HOUR))
TAGS = ("1.4.0", "1.4.1", "1.4.2", "1.5.0", "2.0.0", "main-a1b2c3d-7", "main-b1b2c3d-8", "a1b2c3d", "b1b2c3d", "stable")


def dev(*stood: tuple[str, float | None], path: str = "envs/dev/a.yaml", image: str = "docker.io/acme/web") -> tuple[Stood, ...]:
    """What stood in a place: each text with the hours since it came; the last stands there still."""
    moments = [None if ago is None else NOW - ago * HOUR for _, ago in stood]
    ends: list[datetime | None] = [*moments[1:], None]
    return tuple(Stood(path, image, text, since, until) for (text, _), since, until in zip(stood, moments, ends, strict=True))


def ask(current: str, *places: tuple[Stood, ...], choosing: Choosing = FOLLOW, tags: tuple[str, ...] = TAGS) -> Choice:
    tag, _, digest = current.partition("@")
    question = Question(choosing, tag, tags, NOW, digest or None, upstream=tuple(one for place in places for one in place))
    answer = choose(question)
    if isinstance(answer, Need):
        platforms = {one: Candidate(one, platforms=frozenset({"linux/amd64"})) for one in tags}
        answer = choose(Question(choosing, tag, tags, NOW, digest or None, frozenset(), platforms, upstream=question.upstream))
    assert isinstance(answer, Choice)
    return answer


B = "envs/dev/b.yaml"


@pytest.mark.parametrize(
    ("sentence", "current", "places", "chosen", "reason"),
    [
        ("a day in dev is enough", "1.4.0", [dev(("1.4.1", 24))], "1.4.1", "it has stood in envs/dev/** for 1d"),
        ("an hour less is not", "1.4.0", [dev(("1.4.1", 23))], None, "1.4.1 soaks in envs/dev/** until 2026-03-02 13:00 UTC"),
        ("it stands here too", "1.4.1", [dev(("1.4.1", 48))], None, "what stands here is what has soaked in envs/dev/**"),
        ("the image stands nowhere there", "1.4.0", [], None, "the image stands nowhere in envs/dev/**"),
        (
            "nobody knows since when",
            "1.4.0",
            [dev(("1.4.1", None))],
            None,
            "nobody knows since when 1.4.1 has stood in envs/dev/**",
        ),
        # continuous occupancy
        ("a break starts the clock anew", "1.4.0", [dev(("1.4.1", 50), ("", 2), ("1.4.1", 1))], "1.4.1", "it has stood"),
        ("two short stays are no long one", "1.4.0", [dev(("1.4.1", 30), ("1.4.2", 15), ("1.4.1", 13))], None, "1.4.1 soaks in"),
        # something newer came before or after
        ("a newer one that soaks does not void it", "1.4.0", [dev(("1.4.1", 30), ("1.4.2", 2))], "1.4.1", "it has stood"),
        ("but what was replaced too early never soaked", "1.4.0", [dev(("1.4.1", 20), ("1.4.2", 2))], None, "1.4.2 soaks in"),
        ("of two that soaked the last is taken", "1.4.0", [dev(("1.4.1", 60), ("1.4.2", 30))], "1.4.2", "it has stood"),
        ("the last is here, the next soaks", "1.4.1", [dev(("1.4.1", 30), ("1.4.2", 2))], None, "1.4.2 soaks in"),
        # a rollback upstream stops the promotion
        (
            "what dev went back from is not taken",
            "1.4.0",
            [dev(("1.4.1", 90), ("1.4.2", 60), ("1.4.1", 1))],
            "1.4.1",
            "it has stood",
        ),
        ("dev went back to what stands here", "1.4.1", [dev(("1.4.2", 60), ("1.4.1", 1))], None, "what stands here"),
        (
            "dev went behind what stands here",
            "1.4.2",
            [dev(("1.4.2", 90), ("1.4.1", 30))],
            None,
            "which is behind what stands here",
        ),
        ("dev went back and then forward", "1.4.0", [dev(("1.4.2", 90), ("1.4.1", 60), ("1.4.2", 30))], "1.4.2", "it has stood"),
        (
            "hashes: dev went back",
            "a1b2c3d",
            [dev(("a1b2c3d", 90), ("b1b2c3d", 60), ("a1b2c3d", 30))],
            None,
            "what stands here is what has soaked",
        ),
        (
            "hashes: dev went back behind what stands here",
            "b1b2c3d",
            [dev(("a1b2c3d", 90), ("b1b2c3d", 60), ("a1b2c3d", 30))],
            None,
            "behind",
        ),
        ("hashes: dev went on", "a1b2c3d", [dev(("a1b2c3d", 90), ("b1b2c3d", 60))], "b1b2c3d", "it has stood"),
        # several places
        ("in one place it has not soaked", "1.4.0", [dev(("1.4.1", 30)), dev(("1.4.1", 2), path=B)], None, "1.4.1 soaks in"),
        ("in both it has", "1.4.0", [dev(("1.4.1", 30)), dev(("1.4.1", 25), path=B)], "1.4.1", "it has stood"),
        ("they differ", "1.4.0", [dev(("1.4.1", 30)), dev(("1.4.2", 30), path=B)], None, "several tags stand in envs/dev/**"),
        (
            "they differ now and agreed before",
            "1.4.0",
            [dev(("1.4.1", 30), ("1.4.2", 1)), dev(("1.4.1", 30), path=B)],
            "1.4.1",
            "it",
        ),
        (
            "taken back in one of them",
            "1.4.0",
            [dev(("1.4.2", 60)), dev(("1.4.2", 60), ("1.4.1", 1), path=B)],
            None,
            "several tags",
        ),
        ("a file with two tags", "1.4.0", [dev(("", 30))], None, "several tags stand in envs/dev/**"),
        # what cannot be taken
        ("the registry lost it", "1.4.0", [dev(("1.3.9", 30))], None, "the registry no longer has it"),
        ("only a digest stands there", "1.4.0", [dev((f"@{DIGEST}", 30))], None, "no tag stands in envs/dev/**, only a digest"),
        ("it never goes back", "1.4.2", [dev(("1.4.1", 30))], None, "which is behind what stands here"),
        # other kinds of tags
        ("builds", "main-a1b2c3d-7", [dev(("main-b1b2c3d-8", 30))], "main-b1b2c3d-8", "it has stood"),
        ("a major", "1.4.0", [dev(("2.0.0", 30))], "2.0.0", "it has stood"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_promoted(sentence: str, current: str, places: list[tuple[Stood, ...]], chosen: str | None, reason: str) -> None:
    choice = ask(current, *places)
    assert choice.chosen == chosen
    assert reason in words.of_choice(choice)


@pytest.mark.parametrize(
    ("current", "tag", "kind"),
    [
        ("1.4.0", "1.4.1", "patch"),
        ("1.4.0", "1.5.0", "minor"),
        ("1.4.0", "2.0.0", "major"),
        ("main-a1b2c3d-7", "main-b1b2c3d-8", "build"),
        ("a1b2c3d", "b1b2c3d", "build"),
        ("stable", "1.5.0", None),
        ("1.4.0", "main-b1b2c3d-8", None),
    ],
)
def test_how_far_a_promotion_goes(current: str, tag: str, kind: str | None) -> None:
    choice = ask(current, dev((tag, 30)))
    assert (choice.chosen, choice.kind) == (tag, kind)


def test_the_moment_at_which_it_will_have_soaked_wakes_a_pass() -> None:
    assert ask("1.4.0", dev(("1.4.1", 20))).wake == NOW + 4 * HOUR
    assert ask("1.4.0", dev(("1.4.1", 20)), dev(("1.4.1", 2), path=B)).wake == NOW + 22 * HOUR
    assert ask("1.4.0", dev(("1.4.1", 24))).wake is None


@pytest.mark.parametrize(
    ("current", "text", "digest", "kind"),
    [
        (f"1.4.0@{DIGEST}", f"1.4.1@{OTHER}", OTHER, "patch"),
        (f"1.4.1@{DIGEST}", f"1.4.1@{OTHER}", OTHER, "digest"),
        ("1.4.0", f"1.4.1@{OTHER}", None, "patch"),  # no digest stands here, and no rule pins
        (f"1.4.0@{DIGEST}", "1.4.1", None, "patch"),  # none upstream: it is read from the registry
    ],
)
def test_the_digest_goes_along(current: str, text: str, digest: str | None, kind: str) -> None:
    choice = ask(current, dev((text, 30)))
    assert (choice.chosen, choice.digest, choice.kind) == ("1.4.1", digest, kind)


def test_without_soak_what_stands_there_is_taken_at_once() -> None:
    at_once = Choosing("follow", follow=Follow("envs/dev/**"))
    assert ask("1.4.0", dev(("1.4.1", 0)), choosing=at_once).chosen == "1.4.1"
    assert ask("1.4.0", dev(("1.4.1", None)), choosing=at_once).chosen == "1.4.1"
    assert ask("1.4.0", dev(("1.4.2", 9), ("1.4.1", 1)), choosing=at_once).chosen == "1.4.1"
    assert words.of_choice(ask("1.4.0", dev(("1.4.1", 0)), choosing=Choosing("follow"))).startswith("the policy follow needs")


def test_what_was_taken_away_upstream_is_no_place_any_more() -> None:
    gone = tuple(Stood(B, "docker.io/acme/web", "1.3.0", NOW - 90 * HOUR, NOW - HOUR) for _ in "1")
    assert ask("1.4.0", dev(("1.4.1", 30)), gone).chosen == "1.4.1"


def test_an_age_and_the_platforms_count_for_a_promotion_too() -> None:
    young = Choosing("follow", follow=FOLLOW.follow, min_age=48 * HOUR, platforms="any")
    known = {"1.4.1": Candidate("1.4.1", pushed_at=NOW - 30 * HOUR)}
    answer = choose(Question(young, "1.4.0", TAGS, NOW, known=known, upstream=dev(("1.4.1", 29))))
    assert isinstance(answer, Choice)
    assert (answer.chosen, words.of_choice(answer), answer.wake) == (None, "1.4.1 is not 2d old yet", NOW + 18 * HOUR)


VERSIONS = [f"1.{minor}.0" for minor in range(6)]


@given(
    st.lists(st.lists(st.tuples(st.sampled_from(VERSIONS), st.integers(1, 40)), min_size=1, max_size=6), min_size=1, max_size=3),
    st.sampled_from(VERSIONS),
)
def test_whatever_happened_upstream(places: list[list[tuple[str, int]]], current: str) -> None:
    """What is chosen is newer than what stands here, soaked in every place, and no place went back from it."""
    histories = []
    for at, stays in enumerate(places):
        ago, rows = 0, []
        for text, hours in reversed(stays):
            ago += hours
            rows.append((text, float(ago)))
        histories.append(dev(*reversed(rows), path=f"envs/dev/{at}.yaml"))
    choice = ask(current, *histories, tags=tuple(VERSIONS))
    if choice.chosen is None:
        return
    assert VERSIONS.index(choice.chosen) > VERSIONS.index(current)
    for one in histories:
        stays = [stay for stay in one if stay.text == choice.chosen]
        long = [stay for stay in stays if stay.since and (stay.until or NOW) - stay.since >= 24 * HOUR]
        assert long
        after = one[one.index(long[-1]) :]
        assert all(VERSIONS.index(later.text) >= VERSIONS.index(choice.chosen) for later in after)


def test_soak_says_what_stands_and_until_when() -> None:
    found = soak([*dev(("1.4.1", 30), ("1.4.2", 4)), *dev(("1.4.1", 30), ("1.4.2", 2), path=B)], 24 * HOUR, NOW)
    assert (found.ripe, found.standing, found.until) == (("1.4.1",), "1.4.2", NOW + 22 * HOUR)
    assert soak([], HOUR, NOW).standing is None
