"""Why: one sentence for each place and each candidate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.messages.reasons import counts, nearest, why, why_not
from rules.policies.base import Choice, Judged, Verdict
from rules.updates import Stay, Target, Trouble, Update
from tests.rules.small_world import DIGEST, OTHER, occurrences, update

(PLACE,) = occurrences({"app.yaml": "image: acme/web:1.4.1"})
LOST = (
    Judged("1.5.0", Verdict.WAITING, "too-young", "3d"),
    Judged("1.4.9", Verdict.REFUSED, "platforms-missing", "linux/arm64"),
    Judged("1.4.1", Verdict.OLDER, "current"),
    Judged("1.10.0", Verdict.OLDER, "older"),
    Judged("1.9.0", Verdict.OLDER, "older"),
    Judged("2.0.0", Verdict.FILTERED, "next-major"),
    Judged("latest", Verdict.FILTERED, "form-moving"),
    Judged("1.4.2", Verdict.CHOSEN, "newest"),
)
CHOICE = Choice("1.4.2", "patch", "newest-alike", "1.x", major="2.0.0", candidates=LOST)


def moving(new: str, kind: object, choice: Choice) -> Update:
    return replace(update(), target=Target(*new.split("@")), kind=kind, choice=choice)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (moving("1.4.2", "patch", CHOICE), "it is the newest 1.x"),
        (moving("2.0.0", "major", CHOICE), "2.0.0 is the next major, which has a request of its own"),
        (moving("1.4.2", "major", replace(CHOICE, major=None, kind="major")), "it is the newest 1.x"),
        (
            moving(f"1.4.1@{OTHER}", "pin", Choice(None, None, "nothing-newer")),
            "the rule wants a digest beside the tag, and this is what 1.4.1 points to",
        ),
        (
            moving(f"1.4.1@{DIGEST}", "digest", Choice(None, None, "nothing-newer")),
            "1.4.1 points to another image than when its digest was written",
        ),
        (Stay(PLACE, "nothing newer is there"), "nothing newer is there"),
        (Trouble("a.yaml", 1, "acme/web", "its registry is down"), "its registry is down"),
    ],
)
def test_why(outcome: Update | Stay | Trouble, sentence: str) -> None:
    assert why(outcome) == sentence


def test_why_not() -> None:
    assert [why_not(judged) for judged in LOST[:2]] == ["it is not 3d old yet", "it is not there for linux/arm64"]


def test_what_was_looked_at_is_counted() -> None:
    assert counts(CHOICE) == "7 other tags: 3 older, 2 filtered, 1 waiting, 1 refused"
    assert counts(replace(CHOICE, candidates=LOST[:1])) == "1 other tag: 1 waiting"
    assert counts(replace(CHOICE, candidates=LOST[-1:])) == ""
    assert counts(replace(CHOICE, candidates=())) == ""


def test_the_nearest_are_those_that_only_wait_then_the_newest_alike() -> None:
    assert [judged.tag for judged in nearest(CHOICE, 9)] == ["1.5.0", "1.4.9", "1.4.1", "1.10.0", "1.9.0", "latest"]
    assert [judged.tag for judged in nearest(CHOICE)] == ["1.5.0", "1.4.9", "1.4.1"]
