"""Places and choices to updates: every place gets an answer, and the answer says why."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from rules.config.values import Config
from rules.policies.base import Candidate, Choice, Choosing
from rules.updates import Outcome, Stay, Subject, Target, Trouble, Update, largest, needed, subjects, unanswered, updates
from tests.rules.small_world import DIGEST, NOW, OTHER, occurrences, rule


def subject(line: str, **choosing: Any) -> Subject:
    (place,) = occurrences({"app.yaml": line})
    return Subject("docker.io/acme/web", Choosing(**choosing), place.tag, place.digest, (place,))


def told(outcomes: list[Outcome]) -> list[tuple[str, str | None]]:
    """Each outcome in short: what is to stand there and by what kind, or what it is instead."""
    return [(str(one.target), one.kind) if isinstance(one, Update) else (type(one).__name__, None) for one in outcomes]


PATCH = Choice("1.4.2", "patch", "newest")
NONE = Choice(None, None, "nothing-newer")
BOTH = Choice("1.4.2", "patch", "newest", major="2.0.0")
MAJOR = Choice(None, None, "nothing-newer", major="2.0.0")
MOVED = Choice("latest", "digest", "moved", digest=OTHER)


@pytest.mark.parametrize(
    ("line", "pin", "choice", "expected"),
    [
        ("acme/web:1.4.1", False, PATCH, [("1.4.2", "patch")]),
        ("acme/web:1.4.1", False, BOTH, [("1.4.2", "patch"), ("2.0.0", "major")]),
        ("acme/web:1.4.1", False, MAJOR, [("2.0.0", "major")]),
        ("acme/web:1.4.1", False, NONE, [("Stay", None)]),
        # a digest beside the tag moves with it
        (f"acme/web:1.4.1@{DIGEST}", False, PATCH, [(f"1.4.2@{OTHER}", "patch")]),
        (f"acme/web:1.4.1@{DIGEST}", False, BOTH, [(f"1.4.2@{OTHER}", "patch"), (f"2.0.0@{OTHER}", "major")]),
        (f"acme/web:1.4.1@{DIGEST}", False, NONE, [(f"1.4.1@{OTHER}", "digest")]),
        (f"acme/web:1.4.1@{OTHER}", False, NONE, [("Stay", None)]),
        # a digest alone follows what the policy chose, and stays a digest alone
        (f"acme/web@{DIGEST}", False, PATCH, [(f"@{OTHER}", "patch")]),
        (f"acme/web@{OTHER}", False, PATCH, [("Stay", None)]),
        (f"acme/web@{DIGEST}", False, NONE, [("Stay", None)]),
        # pin
        ("acme/web:1.4.1", True, PATCH, [(f"1.4.2@{OTHER}", "patch")]),
        ("acme/web:1.4.1", True, NONE, [(f"1.4.1@{OTHER}", "pin")]),
        # a policy that follows digests says the digest itself
        ("acme/web:latest", False, MOVED, [(f"latest@{OTHER}", "digest")]),
        (f"acme/web:latest@{DIGEST}", False, MOVED, [(f"latest@{OTHER}", "digest")]),
        # no digest, no half of an update
        (f"acme/web:0.9.0@{DIGEST}", False, Choice("0.9.9", "patch", "newest"), [("Trouble", None)]),
        (f"acme/web:1.4.1@{DIGEST}", False, replace(BOTH, major="9.9.9"), [(f"1.4.2@{OTHER}", "patch"), ("Trouble", None)]),
    ],
)
def test_what_becomes_of_a_place(line: str, pin: bool, choice: Choice, expected: list[tuple[str, str | None]]) -> None:
    known = {tag: Candidate(tag, OTHER) for tag in ("1.4.1", "1.4.2", "2.0.0")}
    assert told(updates(subject(f"image: {line}", pin=pin), choice, known, NOW)) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("held-platforms-missing", "Stay"),
        ("held-too-young", "Stay"),
        ("held-age-unknown", "Stay"),
        ("digest-same", "Stay"),
        ("digest-unknown", "Trouble"),
    ],
)
def test_a_digest_that_its_policy_holds_back_is_not_taken_all_the_same(code: str, expected: str) -> None:
    known = {} if code == "digest-unknown" else {"latest": Candidate("latest", OTHER)}
    held = Choice(None, None, code, "latest linux/arm64")
    found = updates(subject(f"image: acme/web:latest@{DIGEST}", policy="digest"), held, known, NOW)
    assert [type(one).__name__ for one in found] == [expected]


def test_the_digest_of_the_tag_is_followed_while_a_newer_tag_is_held_back() -> None:
    held = Choice(None, None, "held-too-young", "1.4.2 3d")
    found = updates(subject(f"image: acme/web:1.4.1@{DIGEST}"), held, {"1.4.1": Candidate("1.4.1", OTHER)}, NOW)
    assert told(found) == [(f"1.4.1@{OTHER}", "digest")]


@pytest.mark.parametrize(
    ("line", "pin", "choice", "expected"),
    [
        ("acme/web:1.4.1", False, BOTH, ()),
        (f"acme/web:1.4.1@{DIGEST}", False, BOTH, ("1.4.2", "2.0.0")),
        (f"acme/web:1.4.1@{DIGEST}", False, NONE, ("1.4.1",)),
        (f"acme/web@{DIGEST}", False, NONE, ()),
        ("acme/web:1.4.1", True, NONE, ("1.4.1",)),
        ("acme/web:latest", False, MOVED, ()),
    ],
)
def test_only_digests_that_are_needed_are_asked_for(line: str, pin: bool, choice: Choice, expected: tuple[str, ...]) -> None:
    assert needed(subject(f"image: {line}", pin=pin), choice) == expected


@pytest.mark.parametrize(
    ("seen", "expected", "wake"),
    [
        (NOW - timedelta(days=4), "digest", None),
        (NOW - timedelta(days=1), "is not 3d old yet", NOW + timedelta(days=2)),
        (None, "is not 3d old yet", None),
    ],
)
def test_new_content_under_the_same_tag_has_an_age_of_its_own(
    seen: datetime | None, expected: str, wake: datetime | None
) -> None:
    known = {"1.4.1": Candidate("1.4.1", OTHER, first_seen=seen)}
    (found,) = updates(subject(f"image: acme/web:1.4.1@{DIGEST}", min_age=timedelta(days=3)), NONE, known, NOW)
    if isinstance(found, Update):
        assert found.kind == expected
    else:
        assert isinstance(found, Stay)
        assert expected in found.reason
        assert found.wake == wake


def test_an_image_is_asked_for_once_for_each_way_of_choosing_and_each_tag() -> None:
    config = Config(rules=(rule(paths=["prod/**"], policy="semver", range="^1"),))
    files = {
        "dev/a.yaml": "image: acme/web:1.4.1\nimage: docker.io/acme/web:1.4.1\n",
        "dev/b.yaml": "image: acme/web:1.4.0\n",
        "prod/a.yaml": "image: acme/web:1.4.1\n",
    }
    asked, answered = subjects(occurrences(files), config)
    assert [(one.tag, one.choosing.policy, len(one.places)) for one in asked] == [
        ("1.4.1", "auto", 2),
        ("1.4.0", "auto", 1),
        ("1.4.1", "semver", 1),
    ]
    assert {one.image for one in asked} == {"docker.io/acme/web"}
    assert answered == []


@pytest.mark.parametrize(
    ("line", "kind", "reason"),
    [
        ("image: acme/web", Stay, "no tag stands there"),
        ("image: acme/web:1.4.1  # tagboat: ignore", Stay, "a comment beside it says to ignore it"),
        ("image: acme/web:1.4.1  # tagboat: ignore until ACME-7", Stay, "says to ignore it: until ACME-7"),
        ("image: acme/off:1.4.1", Stay, "policy: none"),
        ("image: acme/web:1.4.1  # tagboat: smver ^1.4", Trouble, "did you mean 'semver'?"),
        ("image: acme/web:1.4.1  # tagboat: newest first", Trouble, "takes nothing, not 'first'"),
        ('image: acme/web:1.4.1  # {"$imagepolicy": "flux-system:web:tag"}', Stay, "names the ImagePolicy flux-system:web"),
        ('image: acme/web:1.4.1  # {"$imagepolicy": 7}', Trouble, "names no ImagePolicy"),
    ],
)
def test_a_place_that_asks_nothing_says_why(line: str, kind: type, reason: str) -> None:
    config = Config(rules=(rule(images=["acme/off"], policy="none"),))
    asked, answered = subjects(occurrences({"app.yaml": line}), config)
    assert asked == []
    assert [type(one) for one in answered] == [kind]
    assert reason in answered[0].reason


def test_what_is_not_resolved_or_not_in_one_piece_is_left() -> None:
    (place,) = occurrences({"app.yaml": "image: acme/web:1.4.1"})
    asked, answered = subjects([replace(place, unresolved="$TAG is a variable"), replace(place, tag_span=None)], Config())
    assert asked == []
    assert sorted(one.reason for one in answered) == [
        "$TAG is a variable",
        "its tag is not written in one piece, so it cannot be changed without guessing",
    ]


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("# tagboat: semver ^1.4 || ^2", ("semver", "^1.4 || ^2", "asc")),
        ("#tagboat:  numerical   desc", ("numerical", None, "desc")),
        ("# tagboat: auto", ("auto", None, "asc")),
        ("# pinned by Ann, see tagboat: ignore", ("semver", "^9", "desc")),
        ('# {"$imagepolicy": "apps:web"}', ("numerical", None, "asc")),
    ],
)
def test_a_comment_beside_the_image_is_its_policy(comment: str, expected: tuple[str, str | None, str]) -> None:
    everywhere = Config(rules=(replace(rule(), choosing={"policy": "semver", "range": "^9", "order": "desc", "pin": True}),))
    found, _ = subjects(
        occurrences({"a.yaml": f"image: acme/web:1.4.1  {comment}"}), everywhere, {"apps:web": Choosing("numerical")}
    )
    (one,) = found
    assert (one.choosing.policy, one.choosing.range, one.choosing.order) == expected
    assert one.choosing.pin  # all other keys of the rules still hold


def test_an_image_whose_registry_failed_is_trouble_in_each_of_its_places() -> None:
    asked, _ = subjects(occurrences({"a.yaml": "image: acme/web:1.4.1\n", "b.yaml": "\nimage: acme/web:1.4.1\n"}), Config())
    assert unanswered(asked[0], "no answer") == [
        Trouble("a.yaml", 1, "acme/web", "no answer"),
        Trouble("b.yaml", 2, "acme/web", "no answer"),
    ]


@pytest.mark.parametrize(
    ("trouble", "covers"),
    [
        (Trouble("a.yaml", 1, "acme/web", ""), True),
        (Trouble("a.yaml", 1, "docker.io/acme/web", ""), True),
        (Trouble("a.yaml", None, "", "does not parse"), True),
        (Trouble("", None, "", "could not be read", base="main"), True),
        (Trouble("", None, "", "could not be read", base="next"), False),
        (Trouble("b.yaml", 1, "acme/web", ""), False),
        (Trouble("a.yaml", 1, "acme/api", ""), False),
    ],
)
def test_trouble_covers_what_cannot_be_known_because_of_it(trouble: Trouble, covers: bool) -> None:
    assert trouble.covers("main", "a.yaml", "acme/web") is covers


def test_a_group_counts_as_its_largest_and_an_unknown_kind_is_larger_than_all() -> None:
    assert largest(["patch", "digest", "minor"]) == "minor"
    assert largest(["patch", None]) is None
    assert str(Target("1.4", DIGEST)) == f"1.4@{DIGEST}"
