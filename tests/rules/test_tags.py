"""Tags: what their text says, which can be compared, and that nothing in a text is too odd to be read."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rules.tags import RELEASE, Form, among, major_of, older, plain, read, same_version
from rules.tags.likeness import like

HASH = "3f2a9c1"

# fmt: off
READ = [
    # version: prefix, numbers, variant (counters and hashes as dots), revision
    ("1.2.3", Form.VERSION, "", (1, 2, 3), "", ()),
    ("1.25", Form.VERSION, "", (1, 25), "", ()),
    ("8", Form.VERSION, "", (8,), "", ()),
    ("1.2.3.4", Form.VERSION, "", (1, 2, 3, 4), "", ()),
    ("v2", Form.VERSION, "v", (2,), "", ()),
    ("1.25.3-alpine3.18", Form.VERSION, "", (1, 25, 3), "-alpine3.18", ()),
    ("8-jdk17", Form.VERSION, "", (8,), "-jdk17", ()),
    ("22-bookworm-slim", Form.VERSION, "", (22,), "-bookworm-slim", ()),
    ("3.9-windowsservercore-1809", Form.VERSION, "", (3, 9), "-windowsservercore-1809", ()),
    ("12.1.0-cudnn8-devel-ubuntu22.04", Form.VERSION, "", (12, 1, 0), "-cudnn8-devel-ubuntu22.04", ()),
    ("2022-latest", Form.VERSION, "", (2022,), "-latest", ()),
    ("24.04", Form.VERSION, "", (24, 4), "", ()),
    ("1.2.3+build", Form.VERSION, "", (1, 2, 3), "+build", ()),
    ("1.2.3_build", Form.VERSION, "", (1, 2, 3), "_build", ()),
    ("1.2.3.Final", Form.VERSION, "", (1, 2, 3), ".Final", ()),
    ("4.19.1-2.5.0", Form.VERSION, "", (4, 19, 1), "-2.5.0", ()),
    ("release-1.2.3", Form.VERSION, "release-", (1, 2, 3), "", ()),
    ("ci-0.150.0", Form.VERSION, "ci-", (0, 150, 0), "", ()),
    ("python3-1.2", Form.VERSION, "python3-", (1, 2), "", ()),
    ("k8s-1.2.3", Form.VERSION, "k8s-", (1, 2, 3), "", ()),
    # the version of something else: to raise it is a step for a person
    ("pg16", Form.VERSION, "pg", (16,), "", ()),
    ("java-17", Form.VERSION, "java-", (17,), "", ()),
    ("ltsc2022", Form.VERSION, "ltsc", (2022,), "", ()),
    # counters of builds behind a version
    ("1.2.3-debian-12-r5", Form.VERSION, "", (1, 2, 3), "-debian-12-r…", (5,)),
    ("v1.29.3-eks-1", Form.VERSION, "v", (1, 29, 3), "-eks-…", (1,)),
    ("v1.29.3-eks-1-29-7", Form.VERSION, "v", (1, 29, 3), "-eks-…-…-…", (1, 29, 7)),
    ("v1.11.1-eksbuild.4", Form.VERSION, "v", (1, 11, 1), "-eksbuild.…", (4,)),
    ("v1.29.3-k3s1", Form.VERSION, "v", (1, 29, 3), "-k3s…", (1,)),
    ("11.0.21_9-jdk", Form.VERSION, "", (11, 0, 21), "_…-jdk", (9,)),
    ("8u392-b08-jdk", Form.VERSION, "", (8,), "u…-b…-jdk", (392, 8)),
    ("1.2.3-20240102.5", Form.VERSION, "", (1, 2, 3), "-….…", (20240102, 5)),
    ("1.2.3-63-gabc1234", Form.VERSION, "", (1, 2, 3), "-…-…", (63,)),
    ("v1.2.3-main-3f2a9c1", Form.VERSION, "v", (1, 2, 3), "-main-…", ()),
    ("0.1.0-main.41.3f2a9c1", Form.VERSION, "", (0, 1, 0), "-main.….…", (41,)),
    ("0.1.0-main.41+3f2a9c1", Form.VERSION, "", (0, 1, 0), "-main.…+…", (41,)),
    ("1.2.3-pr.41", Form.VERSION, "", (1, 2, 3), "-pr.41", ()),
    ("v1-2", Form.VERSION, "v", (1,), "-…", (2,)),
    # date or serial
    ("20240102", Form.DATE, "", (20240102,), "", ()),
    ("2024.01.02", Form.DATE, "", (2024, 1, 2), "", ()),
    ("2024.01", Form.DATE, "", (2024, 1), "", ()),
    ("20240102-1", Form.DATE, "", (20240102,), "-…", (1,)),
    ("2024-01-02", Form.DATE, "…", (20240102,), "", ()),
    ("20240102T030405Z", Form.DATE, "…", (20240102030405,), "", ()),
    ("RELEASE.2024-01-02T03-04-05Z", Form.DATE, "RELEASE.…", (20240102030405,), "", ()),
    ("bookworm-20240101-slim", Form.DATE, "bookworm-…-slim", (20240101,), "", ()),
    ("v20240102-3f2a9c1", Form.DATE, "v", (20240102,), "-…", ()),
    ("prod-20240102.1504", Form.DATE, "prod-", (20240102, 1504), "", ()),
    ("1704067200", Form.DATE, "", (1704067200,), "", ()),
    ("1234567", Form.DATE, "", (1234567,), "", ()),
    # build
    ("main-3f2a9c1-41", Form.BUILD, "main-…-…", (41,), "", ()),
    ("41-3f2a9c1", Form.BUILD, "", (41,), "-…", ()),
    ("41-main", Form.BUILD, "", (41,), "-main", ()),
    ("main-42", Form.BUILD, "main-…", (42,), "", ()),
    ("feature-x-41", Form.BUILD, "feature-x-…", (41,), "", ()),
    ("main-41-alpine3.18", Form.BUILD, "main-…-alpine3.18", (41,), "", ()),
    ("main-41-debian-12", Form.BUILD, "main-…-debian-12", (41,), "", ()),
    ("pr-42-3f2a9c1-7", Form.BUILD, "pr-42-…-…", (7,), "", ()),
    ("build.41", Form.BUILD, "build.…", (41,), "", ()),
    ("main.3f2a9c1.41", Form.BUILD, "main.….…", (41,), "", ()),
    ("main-3f2a9c1-20240102.150405", Form.BUILD, "main-…-….…", (20240102, 150405), "", ()),
    ("b41", Form.BUILD, "b…", (41,), "", ()),
    ("main-20240102-3f2a9c1", Form.BUILD, "main-…-…", (20240102,), "", ()),
    # hash
    ("3f2a9c1", Form.HASH, "…", (), "", ()),
    ("sha-3f2a9c1", Form.HASH, "sha-…", (), "", ()),
    ("sha-1234567", Form.HASH, "sha-…", (), "", ()),
    ("main-3f2a9c1", Form.HASH, "main-…", (), "", ()),
    # names
    ("latest", Form.MOVING, "latest", (), "", ()),
    ("pr-42", Form.MOVING, "pr-42", (), "", ()),
    ("defaced", Form.MOVING, "defaced", (), "", ()),
    ("1.2.3.4.5", Form.MOVING, "1.2.3.4.5", (), "", ()),
    ("31-12-2026", Form.MOVING, "31-12-2026", (), "", ()),
    ("31.12.2026", Form.MOVING, "31.12.2026", (), "", ()),
    ("", Form.MOVING, "", (), "", ()),
    ("é", Form.MOVING, "é", (), "", ()),
    ("\udcff", Form.MOVING, "\udcff", (), "", ()),
    ("9" * 5000, Form.MOVING, "9" * 5000, (), "", ()),
]
# fmt: on


@pytest.mark.parametrize(("text", "form", "prefix", "numbers", "variant", "revision"), READ)
def test_what_a_tag_says(
    text: str, form: Form, prefix: str, numbers: tuple[int, ...], variant: str, revision: tuple[int, ...]
) -> None:
    tag = read(text)
    assert (tag.form, plain(tag.prefix), tag.numbers, plain(tag.variant), tag.revision) == (
        form, prefix, numbers, variant, revision,
    )  # fmt: skip
    assert tag.pre == RELEASE


@pytest.mark.parametrize(
    ("text", "numbers", "variant"),
    [
        ("1.2.3-rc.1", (1, 2, 3), ""),
        ("1.2.3-rc1", (1, 2, 3), ""),
        ("1.2.3-beta", (1, 2, 3), ""),
        ("1.2.3-SNAPSHOT", (1, 2, 3), ""),
        ("1.2.3.dev4", (1, 2, 3), ""),
        ("9.0.0-rc.1.24431.7", (9, 0, 0), ""),
        ("9.0-preview", (9, 0), ""),
        ("3.13.0b2", (3, 13, 0), ""),
        ("3.13.0rc2-slim-bookworm", (3, 13, 0), "-slim-bookworm"),
        ("1.2.3-rc.1-alpine", (1, 2, 3), "-alpine"),
        ("1.2.3-M1", (1, 2, 3), ""),
        ("1.2.3-nightly-2024-01-02", (1, 2, 3), ""),
    ],
)
def test_pre_releases(text: str, numbers: tuple[int, ...], variant: str) -> None:
    tag = read(text)
    assert tag.is_prerelease
    assert (tag.form, tag.numbers, tag.variant) == (Form.VERSION, numbers, variant)


@pytest.mark.parametrize(
    "rising",
    [
        "1.2.3-SNAPSHOT 1.2.3-alpha.1 1.2.3-alpha.2 1.2.3-beta 1.2.3-rc.9 1.2.3-rc.10 1.2.3 1.2.4-rc.1 1.10.0",
        "1.2.3-nightly-2024-01-02 1.2.3-nightly-2024-11-01 1.2.3",
        "1.2.3-alpha.9.3f2a9c1 1.2.3-alpha.41.8e1b2c3",
        "3.13.0a7 3.13.0b1 3.13.0rc9 3.13.0rc10 3.13.0 3.13.1",
        "1.2.3-debian-12-r5 1.2.3-debian-12-r10 1.2.4-debian-12-r0",
        "main-3f2a9c1-9 main-1c2a9c1-10 main-0000001-100",
        "20231231 20240101 20240102",
        "2024.1.9 2024.01.10 2024.10.1 2025.1.1",
    ],
)
def test_what_is_newer(rising: str) -> None:
    tags = rising.split()
    for at, tag in enumerate(tags):
        for later in tags[at + 1 :]:
            assert older(tag, later) is True, (tag, later)
            assert older(later, tag) is False, (later, tag)
        assert older(tag, tag) is False


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.25", "1.25.3"),
        ("1.2.3", "2024.01.02"),
        ("1.2.3", "20240102"),
        ("main-3f2a9c1-41", "dev-3f2a9c1-42"),
        ("main-41", "main-20240102"),
        ("3f2a9c1", "8e1b2c3"),
        ("latest", "stable"),
        ("1.2.3-alpine", "1.2.3-slim"),
        ("20240102", "20240102-1"),
        ("2024-01-02", "20240103"),
        ("pr-41", "pr-42"),
        ("1.2.3", "main-42"),
    ],
)
def test_what_cannot_be_compared(one: str, other: str) -> None:
    assert older(one, other) is None
    assert older(other, one) is None
    assert not read(one).comparable(read(other))


def test_versions_of_other_variants_are_older_by_their_numbers() -> None:
    assert older("1.4.1", "1.4.2-alpine") is True
    assert older("v1.4.2", "1.4.1-alpine") is False
    assert older("v1.4.2", "1.4.2") is None


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("1.4.0", "v1.4.0", True),
        ("1.4.0", "1.4.0-alpine", True),
        ("1.4", "1.4.0", True),
        ("1.4.0-debian-12-r5", "1.4.0-debian-12-r6", True),
        ("1.4.0", "1.4.1", False),
        ("1.4.0-rc.1", "1.4.0", False),
        ("1.4.0", "latest", False),
        ("latest", "latest", True),
        ("latest", "stable", False),
        ("main-3f2a9c1-41", "main-3f2a9c1-41", True),
        ("main-3f2a9c1-41", "main-8e1b2c3-41", False),
        ("20240102", "20240102", True),
        ("2024.01.02", "2024.1.2", True),
        ("", "", True),
    ],
)
def test_the_same_version(one: str, other: str, expected: bool) -> None:
    assert same_version(one, other) is expected
    assert same_version(other, one) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1.4.0", 1), ("v2", 2), ("8-jdk17", 8), ("2024.01.02", None), ("main-41", None), ("latest", None), ("", None)],
)
def test_the_major_of_a_version(text: str, expected: int | None) -> None:
    assert major_of(text) == expected


@pytest.mark.parametrize(
    ("text", "others", "form"),
    [
        ("main-1234567-41", "main-3f2a9c1-40", Form.BUILD),
        ("1234567", "3f2a9c1", Form.HASH),
        ("1234567", "1234568", Form.DATE),
        ("1234567", "3f2a9c12", Form.DATE),  # of another length
        ("abcdefa", "3f2a9c1", Form.HASH),
        ("abcdefa", "latest", Form.MOVING),
        ("1.2.3-1234567", "1.2.4-3f2a9c1", Form.VERSION),
        ("1234567-41", "3f2a9c1-40", Form.BUILD),
    ],
)
def test_others_tell_a_hash_that_lacks_a_letter_or_a_digit(text: str, others: str, form: Form) -> None:
    tag = among(text, others.split())
    assert tag.form is form
    assert not tag.hashes or like(tag).key(others) is not None


PIECES = """
v V release- main- rc alpine slim debian jdk17 r5 r b41 build. build-41 1 12 1.2 1.2.3 1.2.3.4 2024.01.02 20240102 2024-01-02
20240102T030405Z 3f2a9c1 1234567 abcdefa g3f2a9c1 - - . _ + -rc.1 b2 -beta -alpha.3 -alpine3.18 -1 -eks-1 latest pr sha sha-
-SNAPSHOT u392 09 31-12-2026 1704067200 .dev4 -M1 a ~
"""
TAGS = st.lists(st.sampled_from(PIECES.split()), min_size=1, max_size=5).map("".join)


@given(TAGS)
def test_every_tag_is_like_itself_or_nothing_is(text: str) -> None:
    """The pattern of a tag and its reading are two ways to the same answer."""
    tag = read(text)
    if tag.is_ordered:
        assert like(tag).key(text) in (tag.key, None)


@given(TAGS, TAGS)
def test_two_ways_to_compare(one: str, other: str) -> None:
    first, second = read(one), read(other)
    key = like(first).key(other) if first.is_ordered else None
    if key is not None and second.is_ordered and first.shape == second.shape and not first.hashes:
        assert key == second.key


@given(st.text(max_size=300) | TAGS | st.from_regex(r"\A[\w.+-]{1,128}\Z"), st.lists(TAGS, max_size=4))
@example("a-" * 64, [])
@example("a1-" * 42, [])
@example("deadbee-" * 16, ["3f2a9c1-" * 16])
def test_nothing_is_too_odd(text: str, others: list[str]) -> None:
    tag = among(text, others)
    assert tag.text == text
    assert same_version(text, text)
    assert older(text, text) in (False, None)
    assert major_of(text) is None or tag.form in Form
    assert read(plain(tag.prefix)) is not None


@pytest.mark.parametrize(
    "text", ["a-" * 64, "a1-" * 64, "1-" * 64, "deadbee1" * 16, "v" * 128, "1." * 64, "-rc.1" * 25, "a1" * 64]
)
def test_reading_takes_time_in_proportion(text: str) -> None:
    start = time.perf_counter()
    tag = read(text)
    like(tag).key(text + "!")
    assert time.perf_counter() - start < 0.5
