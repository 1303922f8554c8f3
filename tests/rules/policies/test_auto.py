"""auto: what stands there says what is next."""

from __future__ import annotations

import pytest

from rules.policies import words
from tests.rules.policies.asking import answer, reasons, verdicts


@pytest.mark.parametrize(
    ("current", "tags", "expected", "kind", "major"),
    [
        # versions: as many numbers, the same prefix and variant
        ("1.2.3", "1.2.3 1.2.4", "1.2.4", "patch", None),
        ("1.2.3", "1.2.4 1.3.0 1.10.0 1.9.0", "1.10.0", "minor", None),
        ("1.2.3", "1.2.4 2.0.0 3.1.0", "1.2.4", "patch", "3.1.0"),
        ("1.2.3", "2.0.0", None, None, "2.0.0"),
        ("1.25", "1.25.4 1.26 1.26.1 1 2 1.27-alpine", "1.26", "minor", None),
        ("1.2.3.4", "1.2.3.5 1.2.4.0 1.2.4", "1.2.4.0", "patch", None),
        ("8", "9 10 8.1 2024", None, None, "10"),
        ("v2", "v3 3 v2.1", None, None, "v3"),
        ("1.25.3-alpine3.18", "1.25.4-alpine3.19 1.25.4-alpine3.18 1.26.0 1.26.0-alpine", "1.25.4-alpine3.18", "patch", None),
        ("v1.2.3", "1.2.4 v1.2.4 V1.2.5", "v1.2.4", "patch", None),
        ("release-1.2.3", "release-1.2.4 1.2.5 rel-1.2.6", "release-1.2.4", "patch", None),
        ("8-jdk17", "8-jdk21 9-jdk17 9-jdk21", None, None, "9-jdk17"),
        ("1.2.3_build", "1.2.4_build 1.2.5+build 1.2.5", "1.2.4_build", "patch", None),
        ("1.2.3+build", "1.2.4+build 1.2.5", "1.2.4+build", "patch", None),
        # pre-releases only from a pre-release
        ("1.2.3", "1.2.4-rc.1 1.3.0b1 1.2.4-SNAPSHOT", None, None, None),
        ("1.2.3-rc.1", "1.2.3-rc.2 1.2.3-rc.10 1.2.3-rc.9", "1.2.3-rc.10", "patch", None),
        ("1.2.3-rc.1", "1.2.3-rc.2 1.2.3", "1.2.3", "patch", None),
        ("1.2.3-rc.1", "1.2.3-rc.2 1.3.0-alpha.1", "1.2.3-rc.2", "patch", None),
        ("1.2.3-alpha.1", "1.2.3-beta.1 1.2.3-alpha.9", "1.2.3-beta.1", "patch", None),
        ("3.13.0rc2-slim", "3.13.0rc3-slim 3.13.0rc3 3.14.0a1-slim", "3.13.0rc3-slim", "patch", None),
        # a revision of the same version, with the same variant
        ("1.2.3-debian-12-r5", "1.2.3-debian-12-r6 1.2.3-debian-13-r0", "1.2.3-debian-12-r6", "build", None),
        ("1.2.3-debian-12-r5", "1.2.4-debian-12-r0 1.2.3-debian-12-r9", "1.2.4-debian-12-r0", "patch", None),
        ("v1.29.3-eks-1", "v1.29.4-eks-1 v1.29.4", "v1.29.4-eks-1", "patch", None),
        ("11.0.21_9-jdk", "11.0.22_7-jdk 11.0.22_7-jre 17.0.1_1-jdk", "11.0.22_7-jdk", "patch", "17.0.1_1-jdk"),
        # dates and serial numbers, never mixed with versions
        ("20240102", "20240103 20241301 20240301-1 1.2.3 99999999", "20240103", "build", None),
        ("2024.01.02", "2024.02.01 3.0.0 20250101 2023.12.31", "2024.02.01", "build", None),
        ("1.2.3", "1.2.4 2024.01.02 20240102", "1.2.4", "patch", None),
        ("20240102-1", "20240102-2 20240102 20240101-9", "20240102-2", "build", None),
        ("1704067200", "1704067201 1.2", "1704067201", "build", None),
        ("RELEASE.2024-01-02T03-04-05Z", "RELEASE.2024-05-02T03-04-05Z latest", "RELEASE.2024-05-02T03-04-05Z", "build", None),
        # builds
        ("main-3f2a9c1-41", "main-8e1b2c3-42 dev-8e1b2c3-43 main-3f2a9c1-9", "main-8e1b2c3-42", "build", None),
        ("main-3f2a9c1-41", "main-1234567-42 main-20240102-43 main-43", "main-1234567-42", "build", None),
        ("main-1234567-41", "main-3f2a9c1-40 main-8e1b2c3-42", "main-8e1b2c3-42", "build", None),
        ("41-3f2a9c1", "42-8e1b2c3 9-8e1b2c3 43-main", "42-8e1b2c3", "build", None),
        ("main-41", "main-42 main-20240102", "main-42", "build", None),
        ("main-41-alpine3.18", "main-42-alpine3.18 main-43-alpine3.19", "main-42-alpine3.18", "build", None),
        # nothing that could be ordered
        ("latest", "latest 1.2.3", None, None, None),
        ("pr-41", "pr-42", None, None, None),
        ("pg16", "pg17", None, None, "pg17"),
        (None, "1.2.3", None, None, None),
    ],
)  # fmt: skip
def test_what_is_next(current: str | None, tags: str, expected: str | None, kind: str | None, major: str | None) -> None:
    found = answer(current, f"{current} {tags}" if current else tags)
    assert (found.chosen, found.kind, found.major) == (expected, kind, major)


STAMPED = {"tags": r"^main-.*-(?P<ts>\d+)$", "extract": "$ts"}
LISTED = "1.2.3 1.2.4 1.3.0 1.4.0-rc.1 1.5.0-alpine 2.0.0 2.1.0-rc.1 3.0.0"


@pytest.mark.parametrize(
    ("keys", "expected", "major"),
    [
        ({}, "1.3.0", "3.0.0"),
        ({"max_step": "minor"}, "1.3.0", None),
        ({"max_step": "patch"}, "1.2.4", None),
        ({"prereleases": True}, "1.4.0-rc.1", "3.0.0"),
        ({"variant": "any"}, "1.5.0-alpine", "3.0.0"),
        ({"variant": "any", "prereleases": True}, "1.5.0-alpine", "3.0.0"),
        ({"range": "<2.5"}, "1.3.0", "2.0.0"),
        ({"range": "^1.2.3-0"}, "1.4.0-rc.1", None),
        ({"range": "~1.2"}, "1.2.4", None),
        ({"tags": r"^1\.2\."}, "1.2.4", None),
        ({"ignore": ("1.3.*", "3.*")}, "1.2.4", "2.0.0"),
    ],
)
def test_other_keys(keys: dict[str, object], expected: str, major: str | None) -> None:
    found = answer("1.2.3", LISTED, **keys)
    assert (found.chosen, found.major) == (expected, major)


@pytest.mark.parametrize(
    ("current", "listed", "keys", "expected"),
    [
        # what is extracted is what stands there
        ("main-3f2a9c1-1704067200", "main-8e1b2c3-1704067300 dev-1-1704067400", STAMPED, "main-8e1b2c3-1704067300"),
        ("x1.2.3y", "x1.2.4y x2.0.0y z1.9.0y", {"tags": "^x(.*)y$", "extract": "$1"}, "x1.2.4y"),
        ("latest", "x1.2.4y", {"tags": "^x(.*)y$", "extract": "$1"}, None),
        # a range is about versions
        ("20240102", "20240103", {"range": "*"}, None),
        ("1.2.3.4", "1.2.3.5", {"range": "*"}, None),
        # of two variants of one version the one that stands there
        ("1.2.3-slim", "1.2.4-alpine 1.2.4-slim 1.2.4", {"variant": "any"}, "1.2.4-slim"),
        ("1.2.3-slim", "1.2.4-bookworm 1.2.4-alpine", {"variant": "any"}, "1.2.4-alpine"),
        ("1.2.3", "v1.2.4", {"variant": "any"}, None),
        # a version that begins with a year is read as one
        ("2024.1.2", "2024.1.3", {"max_step": "patch"}, "2024.1.3"),
        ("2024.1.2", "2024.2.0 2025.1.0", {"max_step": "minor"}, "2024.2.0"),
        ("2024.01.02", "2025.02.01", {"max_step": "patch"}, "2025.02.01"),
        ("main-41", "main-42", {"max_step": "patch"}, "main-42"),
    ],
)  # fmt: skip
def test_more_keys(current: str, listed: str, keys: dict[str, str], expected: str | None) -> None:
    assert answer(current, f"{current} {listed}", **keys).chosen == expected


def test_how_far_a_calendar_version_moves() -> None:
    for new, kind in (("2024.1.3", "patch"), ("2024.2.0", "minor"), ("2025.1.0", "major")):
        assert answer("2024.1.2", f"2024.1.2 {new}").kind == kind
    assert answer("2024.01.02", "2024.01.02 2025.02.01").kind == "build"
    assert answer("2024.01", "2024.01 2025.02").kind == "build"
    assert answer("20240102.3", "20240102.3 20240103.1").kind == "build"


def test_every_candidate_says_why() -> None:
    found = answer(
        "1.2.3", "1.2.3 1.2.4 1.3.0 1.2.2 2.0.0 2.1.0 1.4.0-rc.1 1.4.0-alpine v1.4.0 1.4 latest 20240102 main-41 3f2a9c1"
    )
    assert reasons(found) == {
        "1.2.3": "it stands there now",
        "1.2.4": "something newer is taken",
        "1.3.0": "it is the newest 1.x",
        "1.2.2": "it is older than 1.2.3",
        "2.0.0": "it is of the next major, which has a request of its own",
        "2.1.0": "it is of the next major, which has a request of its own",
        "1.4.0-rc.1": "it is a pre-release, and no such pre-release stands there",
        "1.4.0-alpine": "it is another variant than 1.2.3",
        "v1.4.0": "it does not begin as 1.2.3 does",
        "1.4": "it has not as many numbers as 1.2.3",
        "latest": "it is a name that moves",
        "20240102": "it is a date or serial number, and a version stands there",
        "main-41": "it is a build, and a version stands there",
        "3f2a9c1": "it is a commit hash, and a version stands there",
    }
    assert {tag for tag, verdict in verdicts(found).items() if verdict == "older"} == {"1.2.3", "1.2.4", "1.2.2"}


@pytest.mark.parametrize(
    ("current", "keys", "reason"),
    [
        (None, {}, "no tag stands there"),
        ("latest", {}, "latest is a name that moves, and names have no successor; pin it to its digest to follow it"),
        ("1.2.3", {}, "nothing newer of its kind (1.x) is there"),
        ("v2", {}, "nothing newer of its kind (version) is there"),
        ("main-41", {}, "nothing newer of its kind (build) is there"),
        ("x", {"tags": "^y", "extract": "$0"}, "what stands there does not match ^y, so nothing of it can be ordered"),
        ("1.2.3", {"policy": "none"}, "a rule leaves it alone (policy: none)"),
        ("1.2.3", {"range": "^^1"}, "'^^' is no operator: write ^"),
        ("1.2.3", {"tags": "(?=a)"}, "RE2 has no look-around and no back-references"),
        ("1.2.3", {"ignore": ("[",)}, "is never closed"),
        ("1.2.3", {"policy": "smver"}, "there is no policy smver"),
    ],
)
def test_where_nothing_is_chosen_it_says_why(current: str | None, keys: dict[str, object], reason: str) -> None:
    found = answer(current, "latest 1.2.3 main-41 x v2", **keys)
    assert found.chosen is None
    assert reason in words.of_choice(found)
    assert all(reasons(found).values())


@pytest.mark.parametrize(
    ("current", "listed", "expected", "kind", "major"),
    [
        # runtimes and distributions
        ("18.19.0-bookworm", "18.20.4-bookworm 20.1.0-bookworm 18.20.5-bullseye", "18.20.4-bookworm", "minor", "20.1.0-bookworm"),
        ("3.11-slim", "3.12-slim 3.13-rc-slim 3.13-slim 3-slim", "3.13-slim", "minor", None),
        ("6.0.2-nanoserver-1809", "6.0.3-nanoserver-1809 6.0.4-nanoserver-ltsc2022", "6.0.3-nanoserver-1809", "patch", None),
        ("17.0.9_9-jdk", "17.0.10_7-jdk 17.0.11_9-jre 21.0.1_12-jdk", "17.0.10_7-jdk", "patch", "21.0.1_12-jdk"),
        ("16.1-alpine3.18", "16.2-alpine3.18 16.3-alpine3.19 17.0-alpine3.18", "16.2-alpine3.18", "minor", "17.0-alpine3.18"),
        ("3.19.1", "3.19.2 3.20.0 20240807 edge", "3.20.0", "minor", None),
        ("22.04", "24.04 22.10 jammy jammy-20240111", "22.10", "minor", "24.04"),
        ("jammy-20240111", "jammy-20240212 noble-20240213", "jammy-20240212", "build", None),
        ("2019-latest", "2022-latest 2019-CU25", None, None, "2022-latest"),
        # products
        ("9.0.5-debian-11-r12", "9.0.5-debian-12-r13 9.1.0-debian-11-r0", "9.1.0-debian-11-r0", "minor", None),
        ("5.0.4.2942-ls197", "5.0.4.2943-ls1 5.0.4.2943-ls198", "5.0.4.2943-ls198", "patch", None),
        ("10.2.3-security-01", "10.2.3-security-02 10.2.4", "10.2.3-security-02", "build", None),
        ("2.10.0-cuda12.8-cudnn9-runtime", "2.11.0-cuda12.8-cudnn9-runtime 2.11.0-cuda13.0-cudnn9-runtime",
         "2.11.0-cuda12.8-cudnn9-runtime", "minor", None),
        ("v5.3.0-20260428", "v5.3.0-20260501 v5.4.0-20260510", "v5.4.0-20260510", "minor", None),
        ("3.0.0.Final", "3.1.0.Final 3.2.0.Beta1 4.0.0.Final", "3.1.0.Final", "minor", "4.0.0.Final"),
        ("0.12.0-incubating", "0.13.0-incubating 0.14.0", "0.13.0-incubating", "minor", None),
        ("v3.12.0-amd64", "v3.13.0-amd64 v3.14.0-arm64", "v3.13.0-amd64", "minor", None),
        ("4.6.0-4.8.3-distroless", "4.7.0-4.8.4-distroless", None, None, None),
        ("1.2.3-alpine", "1.2.4-alpine-rc1 1.2.4-rc1-alpine 1.2.4-alpine-beta", None, None, None),
        # what pipelines write
        ("build-1234", "build-1235 1236", "build-1235", "build", None),
        ("r1234", "r1235 v1236", "r1235", "build", None),
        ("b1234-3f2a9c1", "b1240-8e1b2c3", "b1240-8e1b2c3", "build", None),
        ("main_3f2a9c1_41", "main_8e1b2c3_42 main-8e1b2c3-43", "main_8e1b2c3_42", "build", None),
        ("dev-1.2.3-41", "dev-1.2.3-42 1.2.3-43", "dev-1.2.3-42", "build", None),
        ("1.2.3-41", "1.2.3-42 1.2.4-1", "1.2.4-1", "patch", None),
        ("0.0.0-20240102-3f2a9c1", "0.0.0-20240103-8e1b2c3", "0.0.0-20240103-8e1b2c3", "build", None),
        ("1.2.3-SNAPSHOT", "1.2.4-SNAPSHOT 1.2.3", "1.2.4-SNAPSHOT", "patch", None),
        ("202401021504", "202401031504 20240104 1704067200", "202401031504", "build", None),
        ("1.2.3-pr.41", "1.2.3-pr.42", None, None, None),
    ],
)  # fmt: skip
def test_tags_as_the_world_writes_them(
    current: str, listed: str, expected: str | None, kind: str | None, major: str | None
) -> None:
    found = answer(current, f"{current} {listed}")
    assert (found.chosen, found.kind, found.major) == (expected, kind, major)
