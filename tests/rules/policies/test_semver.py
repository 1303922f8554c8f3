"""semver: what Flux and Argo CD Image Updater would choose, and where Tagboat differs because it knows what stands there."""

from __future__ import annotations

import pytest

from tests.rules.policies.asking import answer, chosen, reasons, verdicts

LISTED = "0.1 0.5.1 0.9 1.0 1.0.1 1.1.2 2.0.3"


@pytest.mark.parametrize(
    ("range", "tags", "expected"),
    [
        # as Flux tells it
        ("1.0.x", "1.0.0 1.0.0.1 1.0.0p 1.0.1 1.2.0 0.1.0", "1.0.1"),
        ("1.0.x", "v1.2.3 v1.0.0 v0.1.0", "v1.0.0"),
        ("1.0.x", "b1.2.3 b1.0.0 b0.1.0", None),
        ("1.0.x", "", None),
        ("1.0.x", "1.2.0", None),
        (">=2025", "2025.07.03 2025.11.01 2024.12.31", "2025.11.01"),
        ("*", "1.2.3.4 latest main", None),
        (">=1.0.0-0", "1.0.0 1.1.0-rc.9 1.1.0-rc.10", "1.1.0-rc.10"),
        (">=1.0.0-0", "1.1.0-rc9 1.1.0-rc10", "1.1.0-rc9"),
        (">=1.0.0", "1.2.3-63-gabc1234 1.2.2", "1.2.2"),
        (">=1.0.0-0", "1.2.3-63-gabc1234 1.2.2", "1.2.3-63-gabc1234"),
        ("^1.x-0", "1.0.0 1.3.0-alpine 2.0.0-rc.1", "1.3.0-alpine"),
        # as Argo CD Image Updater tells it: one and two numbers are versions
        (None, LISTED, "2.0.3"),
        ("^1.0", LISTED, "1.1.2"),
        ("~1.0", LISTED, "1.0.1"),
        ("~1.0", "0.1 0.5.1 0.9 2.0.3", None),
        (None, "zz bb yy cc", None),
        ("1.0.1", LISTED, "1.0.1"),
        # no constraint: releases only
        (None, "1.0.0 1.1.0-rc.1", "1.0.0"),
        # ties: the first in byte order
        ("*", "v1.0.0 1.0.0", "1.0.0"),
        ("*", "1.0.0+b 1.0.0+a", "1.0.0+a"),
    ],
)
def test_with_nothing_there(range: str | None, tags: str, expected: str | None) -> None:  # noqa: A002
    found = answer(None, tags, policy="semver", range=range)
    assert (found.chosen, found.kind, found.major) == (expected, None, None)


@pytest.mark.parametrize(
    ("current", "allowed", "tags", "expected", "kind"),
    [
        ("1.2.3", "^1", "1.2.4", "1.2.4", "patch"),
        ("1.2.3", "^1", "1.2.4 1.3.0", "1.3.0", "minor"),
        ("1.2.3", ">=1", "1.2.4 2.0.0", "2.0.0", "major"),
        ("1.2.3", None, "1.2.4 2.0.0", "2.0.0", "major"),
        # never down, also where the range asks for it
        ("1.2.3", "^1", "1.2.3 1.2.2", None, None),
        ("2.0.0", "^1", "1.9.0", None, None),
        ("1.2.3", "<1.2", "1.1.9", None, None),
        # what stands there need not be a version
        ("latest", "^1", LISTED, "1.1.2", None),
        ("main-41", "^1", LISTED, "1.1.2", None),
        # its precision is kept
        ("1.0", "^1.0", LISTED, None, None),
        ("1.0", "*", LISTED + " 1.4 2.1", "2.1", "major"),
        ("1.0.0", "^1", "1.0.1 1.1 1", "1.0.1", "patch"),
        # the spelling that stands there, where there are two
        ("1.0.0", "^1", "v1.1.0 1.1.0", "1.1.0", "minor"),
        ("v1.0.0", "^1", "v1.1.0 1.1.0", "v1.1.0", "minor"),
        ("1.0.0", "^1", "v1.1.0", "v1.1.0", "minor"),
        ("v1.0.0", "^1", "1.0.0", None, None),
        # a variant is kept, and is no pre-release
        ("1.2.3-alpine", "^1", "1.2.4-alpine 1.2.5 1.2.5-slim 2.0.0-alpine", "1.2.4-alpine", "patch"),
        ("1.2.3-alpine3.18", "^1", "1.2.4-alpine3.19 1.2.4-alpine3.18", "1.2.4-alpine3.18", "patch"),
        ("1.2.3-debian-12-r5", "^1", "1.2.3-debian-12-r6", "1.2.3-debian-12-r6", "build"),
        ("1.2.3-alpine", ">=1.0.0-0", "1.2.4-alpine 1.2.5 1.2.5-rc.1", "1.2.4-alpine", "patch"),
        ("1.2.3", ">=1.0.0-0", "1.2.4-slim 1.2.4-rc.1", "1.2.4-rc.1", "patch"),
        ("1.2.3-rc.1-alpine", "^1.2.3-0", "1.2.3-rc.2-alpine 1.2.3-rc.3", "1.2.3-rc.2-alpine", "patch"),
        # pre-releases
        ("1.2.3-rc.1", "^1.2", "1.2.3-rc.2 1.2.3", "1.2.3", "patch"),
        ("1.2.3-rc.1", "^1.2.3-0", "1.2.3-rc.2 1.2.3-rc.10", "1.2.3-rc.10", "patch"),
        ("1.2.3-63-gabc1234", ">=1.0.0-0", "1.2.3-64-gdef1234 1.2.3-9-gdef1234", "1.2.3-9-gdef1234", "patch"),
    ],
)  # fmt: skip
def test_beside_what_stands_there(
    current: str,
    allowed: str | None,
    tags: str,
    expected: str | None,
    kind: str | None,
) -> None:
    found = answer(current, f"{current} {tags}", policy="semver", range=allowed)
    assert (found.chosen, found.kind) == (expected, kind)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"max_step": "patch"}, "1.2.4"),
        ({"max_step": "minor"}, "1.3.0"),
        ({"max_step": "major"}, "2.0.0"),
        ({"prereleases": True}, "2.1.0-rc.1"),
        ({"prereleases": True, "range": "^1"}, "1.4.0-rc.1"),
        ({"ignore": ("2.*",)}, "1.3.0"),
        ({"ignore": ("2.*", "1.3.?"), "range": "*"}, "1.2.4"),
        ({"tags": r"^1\.2\."}, "1.2.4"),
    ],
)
def test_other_keys(keys: dict[str, object], expected: str) -> None:
    listed = "1.2.3 1.2.4 1.3.0 1.4.0-rc.1 2.0.0 2.1.0-rc.1"
    assert chosen("1.2.3", listed, policy="semver", **keys) == expected


def test_a_step_that_cannot_be_measured_is_not_taken_where_steps_are_limited() -> None:
    assert chosen("latest", "1.2.3 latest", policy="semver") == "1.2.3"
    assert chosen("latest", "1.2.3 latest", policy="semver", max_step="minor") is None


@pytest.mark.parametrize(
    ("extract", "expected"),
    [("$1", "api-1.10.0"), ("${version}", "api-1.10.0"), (None, None)],
)
def test_what_is_extracted_is_the_version(extract: str | None, expected: str | None) -> None:
    listed = "api-1.9.0 api-1.10.0 web-2.0.0"
    assert chosen("api-1.9.0", listed, policy="semver", tags="^api-(?P<version>.*)$", extract=extract) == expected


def test_variant_any_is_the_plain_grammar() -> None:
    listed = "1.2.3-alpine 1.2.4-alpine 1.2.4"
    assert chosen("1.2.3-alpine", listed, policy="semver", range="^1", variant="any") == "1.2.4"
    assert chosen("1.2.3", f"1.2.3 {listed}", policy="semver", range="^1-0", variant="any") == "1.2.4"


def test_every_candidate_says_why() -> None:
    listed = "1.2.3 1.2.4 1.3.0 2.0.0 1.4.0-rc.1 1.3.0-alpine 1.2 latest 1.2.2 v1.2.3 sha256-" + "a" * 64
    found = answer("1.2.3", listed, policy="semver", range="^1")
    assert verdicts(found) == {
        "1.2.3": "older", "1.2.4": "older", "1.3.0": "chosen", "2.0.0": "filtered", "1.4.0-rc.1": "filtered",
        "1.3.0-alpine": "filtered", "1.2": "filtered", "latest": "filtered", "1.2.2": "older", "v1.2.3": "older",
        "sha256-" + "a" * 64: "filtered",
    }  # fmt: skip
    assert reasons(found) == {
        "1.2.3": "it stands there now",
        "1.2.4": "something newer is taken",
        "1.3.0": "it is the highest version in ^1",
        "2.0.0": "it is outside of ^1",
        "1.4.0-rc.1": "it is a pre-release, and ^1 names none",
        "1.3.0-alpine": "it is another variant than 1.2.3",
        "1.2": "it has not as many numbers as 1.2.3",
        "latest": "it is not a version",
        "1.2.2": "it is older than 1.2.3",
        "v1.2.3": "it is the same version as 1.2.3",
        "sha256-" + "a" * 64: "it is a signature or attestation, not an image",
    }
