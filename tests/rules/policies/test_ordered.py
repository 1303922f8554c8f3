"""alphabetical and numerical: what Flux and Argo CD Image Updater would choose, and never back."""

from __future__ import annotations

import random

import pytest

from tests.rules.policies.asking import answer, chosen, reasons

FLOATS = "47.40896403322944 -27.8520927455902 53.47333823144817 -50.41072694704882 3.2008658570411086"
STAMPS = "1606234201 1606364286 1606334092 1606334284 1606334201"
BUILDS = "main-3f2a9c1-9 main-8e1b2c3-10 main-0a1b2c3-100 dev-3f2a9c1-999 latest"
NAMED = r"^main-[0-9a-f]+-(?P<n>\d+)$"


@pytest.mark.parametrize(
    ("policy", "order", "tags", "expected"),
    [
        ("alphabetical", "asc", "16.04 16.04.1 16.10 20.04 20.10", "20.10"),
        ("alphabetical", "desc", "16.04 16.04.1 16.10 20.04 20.10", "16.04"),
        ("alphabetical", "asc", "xenial yakkety zesty artful bionic", "zesty"),
        ("alphabetical", "desc", "xenial yakkety zesty artful bionic", "artful"),
        ("alphabetical", "asc", STAMPS, "1606364286"),
        ("alphabetical", "desc", STAMPS, "1606234201"),
        ("alphabetical", "asc", "rel-1606234201 rel-1606364286 rel-1606334092", "rel-1606364286"),
        ("alphabetical", "asc", "1.0.9 1.0.63", "1.0.9"),
        ("alphabetical", "asc", "zz bb yy cc yy aa ll", "zz"),
        ("alphabetical", "asc", "Zebra apple", "apple"),  # upper case comes first
        ("alphabetical", "asc", "", None),
        ("numerical", "asc", "-62 -88 73 72 15 16 15 29 -33 -91", "73"),
        ("numerical", "desc", "5 -8 -78 25 70 -4 80 92 -20 -24", "-78"),
        ("numerical", "asc", FLOATS, "53.47333823144817"),
        ("numerical", "desc", FLOATS, "-50.41072694704882"),
        ("numerical", "asc", STAMPS, "1606364286"),
        ("numerical", "desc", STAMPS, "1606234201"),
        ("numerical", "asc", "1", "1"),
        ("numerical", "asc", "", None),
        ("numerical", "asc", "9 10 9.5", "10"),
        ("numerical", "asc", "1e3 999", "1e3"),
        ("numerical", "asc", "+5 4 .5 6.", "6."),
        # where Tagboat differs on purpose: one tag that is no number does not fail the policy, and numbers are exact
        ("numerical", "asc", "0 1a b", "0"),
        ("numerical", "asc", "9007199254740993 9007199254740992", "9007199254740993"),
        ("numerical", "asc", "7 inf nan 0x10 1_000 infinity 1234e56 \u0664\u0665", "7"),
        ("numerical", "asc", "1" * 5000 + " 7", "1" * 5000),
    ],
)
def test_with_nothing_there(policy: str, order: str, tags: str, expected: str | None) -> None:
    listed = tags.split()
    random.Random(7).shuffle(listed)
    found = answer(None, listed, policy=policy, order=order)
    assert (found.chosen, found.kind) == (expected, None)


@pytest.mark.parametrize(
    ("policy", "current", "keys", "tags", "expected", "kind"),
    [
        ("alphabetical", "b", {}, "a b c", "c", "build"),
        ("alphabetical", "c", {}, "a b c", None, None),
        ("alphabetical", "b", {"order": "desc"}, "a b c", "a", "build"),
        ("alphabetical", "a", {"order": "desc"}, "a b c", None, None),
        ("alphabetical", "1.8.0", {}, "1.8.0 1.9.0", "1.9.0", "minor"),
        ("alphabetical", "1.8.0", {}, "1.8.0 2.0.0", "2.0.0", "major"),
        ("alphabetical", "1.8.0", {"max_step": "minor"}, "1.8.0 1.9.0 2.0.0", "1.9.0", "minor"),
        ("alphabetical", "main", {"tags": "^rel-"}, "main rel-1 rel-2", "rel-2", None),
        ("numerical", "9", {}, "8 9 10", "10", "build"),
        ("numerical", "10", {}, "8 9 10", None, None),
        ("numerical", "1.9", {}, "1.9 2.0", "2.0", "build"),
        ("numerical", "latest", {}, "latest 7", "7", None),
        ("numerical", "main-3f2a9c1-9", {"tags": NAMED, "extract": "$n"}, BUILDS, "main-0a1b2c3-100", "build"),
        ("numerical", "main-3f2a9c1-9", {"tags": NAMED, "extract": "${n}", "order": "desc"}, BUILDS, None, None),
        ("numerical", "main-0a1b2c3-100", {"tags": NAMED, "extract": "$1"}, BUILDS, None, None),
        ("numerical", "dev-3f2a9c1-999", {"tags": NAMED, "extract": "$1"}, BUILDS, "main-0a1b2c3-100", None),
    ],
)
def test_beside_what_stands_there(
    policy: str, current: str, keys: dict[str, str], tags: str, expected: str | None, kind: str | None
) -> None:
    found = answer(current, tags, policy=policy, **keys)
    assert (found.chosen, found.kind) == (expected, kind)


def test_of_two_tags_with_the_same_extract_the_first_in_byte_order_is_taken() -> None:
    keys = {"policy": "numerical", "tags": r"-(\d+)$", "extract": "$1"}
    assert chosen("x-1", "b-2 a-2 x-1", **keys) == "a-2"
    assert chosen("b-2", "b-2 a-2 x-1", **keys) is None


def test_every_candidate_says_why() -> None:
    found = answer("main-8e1b2c3-10", BUILDS, policy="numerical", tags=NAMED, extract="$n")
    assert reasons(found) == {
        "main-3f2a9c1-9": "it comes before main-8e1b2c3-10 in order",
        "main-8e1b2c3-10": "it stands there now",
        "main-0a1b2c3-100": "it is the last in order",
        "dev-3f2a9c1-999": f"it does not match {NAMED}",
        "latest": f"it does not match {NAMED}",
    }
    assert reasons(answer("1", "1 x", policy="numerical"))["x"] == "it is not a number"
    assert reasons(answer("1.8.0", "1.8.0 2.0.0", policy="alphabetical", max_step="patch"))["2.0.0"] == (
        "the step is larger than `max_step: patch`"
    )
