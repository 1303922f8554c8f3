"""Old enough, and for every platform: the best tag that may be taken, and the next best where it may not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from rules.policies import choose, words
from rules.policies.base import Candidate, Choice, Judged, Need, Verdict
from rules.policies.settling import Candidates
from tests.rules.policies.asking import NOW, answer, lacks, question, reasons, verdicts

DAY = timedelta(days=1)
BOTH = frozenset({"linux/amd64", "linux/arm64"})
ONE = frozenset({"linux/amd64"})
LISTED = "1.2.3 1.2.4 1.2.5 2.0.0"


def known(**facts: Any) -> dict[str, Candidate]:
    """Facts by tag, `v1_2_4` for 1.2.4: platforms, or days since it was pushed."""
    found: dict[str, Candidate] = {}
    for name, fact in facts.items():
        tag = name.removeprefix("v").replace("_", ".")
        age = {"platforms": fact} if isinstance(fact, frozenset) else {"pushed_at": NOW - fact * DAY}
        found[tag] = Candidate(tag, **age)
    return found


# Age


@pytest.mark.parametrize(
    ("facts", "expected", "major", "wake"),
    [
        ({"v1_2_4": 5, "v1_2_5": 4, "v2_0_0": 9}, "1.2.5", "2.0.0", None),
        ({"v1_2_4": 5, "v1_2_5": 3, "v2_0_0": 9}, "1.2.5", "2.0.0", None),
        ({"v1_2_4": 5, "v1_2_5": 1, "v2_0_0": 9}, "1.2.4", "2.0.0", NOW + 2 * DAY),
        ({"v1_2_4": 2, "v1_2_5": 1, "v2_0_0": 9}, None, "2.0.0", NOW + DAY),
        ({"v1_2_4": 5, "v1_2_5": 4, "v2_0_0": 1}, "1.2.5", None, NOW + 2 * DAY),
    ],
)
def test_a_tag_has_to_be_old_enough(
    facts: Mapping[str, int], expected: str | None, major: str | None, wake: datetime | None
) -> None:
    found = answer("1.2.3", LISTED, known(**facts), min_age=3 * DAY)
    assert (found.chosen, found.major, found.wake) == (expected, major, wake)


def test_a_tag_that_waits_says_so_and_so_does_the_choice() -> None:
    found = answer("1.2.3", "1.2.3 1.2.4", known(v1_2_4=1), min_age=3 * DAY)
    assert verdicts(found) == {"1.2.3": "older", "1.2.4": "waiting"}
    assert reasons(found)["1.2.4"] == "it is not 3d old yet"
    assert words.of_choice(found) == "1.2.4 is not 3d old yet"


def test_the_push_counts_before_the_first_sight() -> None:
    facts = {"1.2.4": Candidate("1.2.4", pushed_at=NOW - DAY, first_seen=NOW - 9 * DAY)}
    assert answer("1.2.3", "1.2.3 1.2.4", facts, min_age=3 * DAY).chosen is None
    facts = {"1.2.4": Candidate("1.2.4", first_seen=NOW - 9 * DAY)}
    assert answer("1.2.3", "1.2.3 1.2.4", facts, min_age=3 * DAY).chosen == "1.2.4"


def test_ages_are_asked_for_of_all_that_could_be_taken() -> None:
    assert set(lacks("1.2.3", "1.2.3 1.2.2 1.2.4 1.2.5 2.0.0", min_age=DAY).ages) == {"1.2.4", "1.2.5", "2.0.0"}


def test_an_unknown_age_is_never_old_enough() -> None:
    asked = replace(question("1.2.3", LISTED, known(v1_2_4=5), min_age=DAY), unknown=frozenset({"1.2.5", "2.0.0"}))
    found = choose(asked)
    assert isinstance(found, Choice)
    assert (found.chosen, found.major) == ("1.2.4", None)
    assert reasons(found)["1.2.5"] == "nobody tells how old it is, and the rule wants 1d"
    assert verdicts(found)["2.0.0"] == "waiting"


# Platforms


def serving(
    current: frozenset[str] | None, facts: Mapping[str, Candidate], unknown: tuple[str, ...] = (), **keys: Any
) -> Choice | Need:
    asked = question("1.2.3", LISTED, facts, **{"platforms": "auto"} | keys)
    return choose(replace(asked, current_platforms=current, unknown=frozenset(unknown)))


def test_platforms_are_asked_for_of_the_tags_that_would_be_taken_only() -> None:
    assert serving(None, {}) == Need(platforms=("1.2.5", "2.0.0"))
    assert serving(BOTH, known(v1_2_5=ONE, v2_0_0=BOTH)) == Need(platforms=("1.2.4",))


@pytest.mark.parametrize(
    ("current", "facts", "keys", "expected", "major"),
    [
        (BOTH, {"v1_2_5": BOTH, "v2_0_0": BOTH}, {}, "1.2.5", "2.0.0"),
        (BOTH, {"v1_2_5": ONE, "v1_2_4": BOTH, "v2_0_0": ONE}, {}, "1.2.4", None),
        (ONE, {"v1_2_5": ONE, "v2_0_0": BOTH}, {}, "1.2.5", "2.0.0"),
        (frozenset(), {"v1_2_5": ONE, "v2_0_0": ONE}, {}, "1.2.5", "2.0.0"),  # nothing is known of what stands there
        (BOTH, {}, {"platforms": "any"}, "1.2.5", "2.0.0"),
        (ONE, {"v1_2_5": ONE, "v1_2_4": BOTH, "v2_0_0": BOTH}, {"platforms": ("linux/arm64",)}, "1.2.4", "2.0.0"),
        # one spelling or another
        (frozenset({"linux/arm64/v8"}), {"v1_2_5": frozenset({"linux/arm64"}), "v2_0_0": ONE}, {}, "1.2.5", None),
        (BOTH, {"v1_2_5": frozenset({"linux/arm/v7"}), "v2_0_0": ONE}, {"platforms": ("linux/arm",)}, "1.2.5", None),
        (BOTH, {"v1_2_5": frozenset({"linux/amd64/v3"}), "v2_0_0": ONE}, {"platforms": ("linux/amd64",)}, "1.2.5", "2.0.0"),
    ],
)  # fmt: skip
def test_every_platform_has_to_be_there(
    current: frozenset[str], facts: Mapping[str, frozenset[str]], keys: dict[str, Any], expected: str, major: str | None
) -> None:
    found = serving(current, known(**{"v1_2_4": ONE} | facts), **keys)
    assert isinstance(found, Choice)
    assert (found.chosen, found.major) == (expected, major)


def test_what_lacks_a_platform_is_refused_and_what_cannot_be_read_waits() -> None:
    found = serving(BOTH, known(v1_2_5=ONE, v2_0_0=ONE), unknown=("1.2.4",))
    assert isinstance(found, Choice)
    assert found.chosen is None
    assert verdicts(found) == {"1.2.3": "older", "1.2.4": "waiting", "1.2.5": "refused", "2.0.0": "refused"}
    assert reasons(found)["1.2.5"] == "it is not there for linux/arm64"
    assert reasons(found)["1.2.4"] == "its platforms could not be read"
    assert words.of_choice(found) == "1.2.5 is not there for linux/arm64"


def test_after_a_dozen_that_lack_a_platform_no_further_one_is_tried() -> None:
    listed = ["1.2.3", *(f"1.2.{n}" for n in range(4, 60))]
    facts = {tag: Candidate(tag, platforms=ONE) for tag in listed}
    found = choose(replace(question("1.2.3", listed, facts, platforms="auto"), current_platforms=BOTH))
    assert isinstance(found, Choice)
    assert found.chosen is None
    assert sum(judged.verdict is Verdict.REFUSED for judged in found.candidates) == 12


def test_only_what_is_old_enough_is_asked_for_its_platforms() -> None:
    assert serving(None, known(v1_2_4=9, v1_2_5=1, v2_0_0=1), min_age=3 * DAY) == Need(platforms=("1.2.4",))


def test_a_need_answers_again_without_reading_the_listing() -> None:
    need = serving(None, {})
    assert isinstance(need, Need)
    assert need.again is not None
    more = replace(question("1.2.3", (), known(v1_2_5=BOTH, v2_0_0=BOTH), platforms="auto"), current_platforms=BOTH)
    found = need.again(more)
    assert isinstance(found, Choice)
    assert (found.chosen, found.kind, found.major) == ("1.2.5", "patch", "2.0.0")


# The digest of a tag

OLD, NEW = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def following(digest: str | None, current: str | None, *, unknown: bool = False, **keys: Any) -> Choice | Need:
    facts = {"latest": Candidate("latest", digest, platforms=keys.pop("serves", None), pushed_at=keys.pop("pushed", None))}
    asked = question("latest", "latest 1.2.3", facts, policy="digest", **keys)
    return choose(replace(asked, current_digest=current, unknown=frozenset({"latest"}) if unknown else frozenset()))


def test_the_digest_of_the_tag_is_asked_for() -> None:
    assert following(None, OLD) == Need(digests=("latest",))


@pytest.mark.parametrize(
    ("digest", "current", "unknown", "expected"),
    [
        (NEW, OLD, False, ("latest", "digest", NEW)),
        (NEW, None, False, ("latest", "pin", NEW)),
        (OLD, OLD, False, (None, None, None)),
        (None, OLD, True, (None, None, None)),
    ],
)
def test_a_tag_is_followed_by_its_digest(
    digest: str | None, current: str | None, unknown: bool, expected: tuple[str | None, str | None, str | None]
) -> None:
    found = following(digest, current, unknown=unknown)
    assert isinstance(found, Choice)
    assert (found.chosen, found.kind, found.digest) == expected
    assert verdicts(found)["1.2.3"] == "filtered"


def test_new_content_has_to_be_old_enough_and_for_every_platform() -> None:
    found = following(NEW, OLD, pushed=NOW - DAY, min_age=3 * DAY)
    assert isinstance(found, Choice)
    assert (found.chosen, found.wake) == (None, NOW + 2 * DAY)
    need = following(NEW, OLD, platforms=("linux/arm64",))
    assert need == Need(platforms=("latest",))
    assert isinstance(need, Need)
    assert need.again is None  # the answer has to bring the digest
    found = following(NEW, OLD, platforms=("linux/arm64",), serves=ONE)
    assert isinstance(found, Choice)
    assert (found.chosen, words.of_choice(found)) == (None, "latest is not there for linux/arm64")


# Candidates are judged when somebody looks


def test_candidates_are_judged_once_and_only_when_somebody_looks() -> None:
    judged: list[str] = []

    def judge(tag: str) -> Judged:
        judged.append(tag)
        return Judged(tag, Verdict.OLDER, "older")

    found = Candidates(("a", "b", "a"), judge)
    assert judged == []
    assert [one.tag for one in found] == ["a", "b"]
    assert (len(found), found[0].tag, [one.tag for one in found[1:]]) == (2, "a", ["b"])
    assert judged == ["a", "b"]
    assert found == (Judged("a", Verdict.OLDER, "older"), Judged("b", Verdict.OLDER, "older"))
    assert found != ()
    assert hash(found) == hash(Candidates(("a", "b", "a"), judge))
