"""auto: what stands there says what is next."""

from __future__ import annotations

import pytest

from tests.rules.policies.asking import answer


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
