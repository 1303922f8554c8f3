"""Globs: what a pattern means, by a table and beside a small matcher that was written from the documentation alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.globs import BadGlob, check, matches, matches_any, matches_image, spellings


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not"),
    [
        ("app.yaml", ["app.yaml"], ["a/app.yaml", "app.yaml/x", "appxyaml", "App.yaml", ""]),
        ("*.yaml", ["app.yaml", ".yaml"], ["a/app.yaml", "app.yml"]),
        ("envs/*/app.yaml", ["envs/dev/app.yaml"], ["envs/app.yaml", "envs/dev/x/app.yaml"]),
        ("?.yaml", ["a.yaml", "é.yaml"], ["ab.yaml", ".yaml", "/.yaml"]),
        ("**", ["a", "a/b", ".git/x", ""], []),
        ("**/*.yaml", ["a.yaml", "x/a.yaml", "x/y/a.yaml"], ["a.yml"]),
        ("**/testdata/**", ["testdata/a", "x/testdata/a", "x/testdata/y/a"], ["testdata", "xtestdata/a", "testdatax/a"]),
        ("envs/**", ["envs/a", "envs/a/b", "envs/"], ["envs", "envsx/a"]),
        ("envs/**/app.yaml", ["envs/app.yaml", "envs/a/app.yaml", "envs/a/b/app.yaml"], ["envs/a.yaml", "envsapp.yaml"]),
        ("a**b", ["ab", "axb", "a/x/b"], ["a/x/c"]),
        ("envs/dev/", ["envs/dev/a", "envs/dev/a/b"], ["envs/dev", "envs/devx/a"]),
        ("/a/b", ["a/b"], ["/a/b"]),
        ("./a/b", ["a/b"], ["./a/b"]),
        ("{dev,staging}/**", ["dev/a", "staging/a"], ["prod/a", "dev"]),
        ("{a,b{c,d}}", ["a", "bc", "bd"], ["b", "bcd"]),
        ("x{,y}", ["x", "xy"], ["xyy"]),
        ("{**/,}a", ["a", "x/a", "x/y/a"], ["xa"]),
        ("a,b", ["a,b"], ["a"]),
        ("a}b", ["a}b"], ["ab"]),
        ("app-[0-9].yaml", ["app-1.yaml"], ["app-x.yaml", "app-12.yaml"]),
        ("[!a-c]", ["d"], ["a", "/", "dd"]),
        ("[^a-c]", ["d"], ["b"]),
        ("[]a]", ["]", "a"], ["b"]),
        ("[!]a]", ["b"], ["]"]),
        ("[a-]", ["a", "-"], ["b"]),
        ("[.-0]", [".", "0"], ["/"]),
        ("[/]", [], ["/", "a"]),
        (r"a\*b", ["a*b"], ["axb"]),
        (r"\{a\}", ["{a}"], ["a"]),
        ("a.b+c(d)|e^$", ["a.b+c(d)|e^$"], ["axb+c(d)|e^$"]),
        ("ü/*", ["ü/ö"], ["u/o"]),
        ("a b#c&~", ["a b#c&~"], ["a b"]),
        (r"\d", ["d"], ["1"]),
        (".*", [".git", "."], ["a.git"]),
    ],
)
def test_what_a_pattern_matches(pattern: str, fits: list[str], does_not: list[str]) -> None:
    assert [path for path in fits if not matches(pattern, path)] == []
    assert [path for path in does_not if matches(pattern, path)] == []


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "an empty pattern matches nothing"),
        ("./", "an empty pattern matches nothing"),
        ("[a", "'[a': a '[' is never closed"),
        ("[]", "'[]': a '[' is never closed"),
        ("{a", "'{a': a '{' is never closed"),
        ("[z-a]", "'[z-a]': the range z-a runs backwards"),
        ("a\\", "'a\\\\' ends in a backslash"),
        ("a" * 1001, "the pattern is longer than 1000 characters"),
        ("\ud800*", "'\\ud800*' holds half a character"),
    ],
)
def test_what_is_no_pattern(pattern: str, said: str) -> None:
    with pytest.raises(BadGlob) as caught:
        check(pattern)
    assert str(caught.value) == said


def test_one_of_several_is_enough() -> None:
    assert matches_any(["a", "b/*"], "b/c")
    assert not matches_any(["a", "b/*"], "c")
    assert not matches_any([], "c")


def test_a_name_that_is_not_utf_8_matches_stars_only() -> None:
    broken = b"a/\xff.yaml".decode("utf-8", "surrogateescape")
    assert matches("a/*.yaml", broken)
    assert not matches("b/*.yaml", broken)
    assert matches("**", broken)


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("nginx", {"nginx", "docker.io/library/nginx", "library/nginx", "docker.io/nginx"}),
        ("docker.io/library/nginx", {"nginx", "docker.io/library/nginx", "library/nginx", "docker.io/nginx"}),
        ("acme/web", {"acme/web", "docker.io/acme/web"}),
        ("ghcr.io/acme/web", {"ghcr.io/acme/web"}),
        ("localhost:5000/web", {"localhost:5000/web"}),
    ],
)
def test_the_spellings_of_an_image(name: str, spelled: set[str]) -> None:
    assert set(spellings(name)) == spelled


def test_an_image_matches_in_any_spelling() -> None:
    assert matches_image("nginx", "index.docker.io/library/nginx")
    assert matches_image("library/*", "nginx")
    assert not matches_image("nginx", "ghcr.io/nginx")


def slow(pattern: str, path: str) -> bool:
    """`*`, `**`, `?` and letters, one character after the other."""
    if not pattern:
        return not path
    if pattern.startswith("**/"):
        # no folder at all, or some
        return slow(pattern[3:], path) or any(slow(pattern[3:], path[at + 1 :]) for at, char in enumerate(path) if char == "/")
    if pattern.startswith("**"):
        return any(slow(pattern[2:].lstrip("*"), path[at:]) for at in range(len(path) + 1))
    if pattern[0] == "*":
        end = path.find("/") if "/" in path else len(path)
        return any(slow(pattern[1:], path[at:]) for at in range(end + 1))
    return bool(path) and (pattern[0] == path[0] or (pattern[0] == "?" and path[0] != "/")) and slow(pattern[1:], path[1:])


# `**` stands between slashes: elsewhere it is two stars that cross them, which the table has.
PARTS = st.lists(st.sampled_from(["a", "b", "*", "?", "a*", "*b", "a?", "**"]), min_size=1, max_size=5).map("/".join)
PATHS = st.text(alphabet="ab/", min_size=0, max_size=8)


@settings(max_examples=1000)
@given(PARTS, PATHS)
def test_it_agrees_with_a_matcher_that_is_slow_and_plain(pattern: str, path: str) -> None:
    assert matches(pattern, path) is slow(pattern, path)


@settings(max_examples=500)
@given(st.text(alphabet="ab*?[]{},!^-\\/.é", max_size=12), st.text(max_size=12))
def test_a_pattern_is_read_or_refused(pattern: str, path: str) -> None:
    try:
        assert matches(pattern, path) in (True, False)
    except BadGlob:
        with pytest.raises(BadGlob):
            check(pattern)


def test_no_pattern_takes_long() -> None:
    start = time.perf_counter()
    assert not matches("*a" * 200 + "b", "a" * 5000)
    assert not matches("**/" * 50 + "x", "a/" * 2000)
    assert time.perf_counter() - start < 5
