"""The grammar of ranges: by a table, by what is refused, and by chance against a slow reading of the same grammar."""

from __future__ import annotations

import pytest
import semver
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rules.policies import ranges, versions


def allows(text: str, version: str) -> bool:
    key = versions.read(version)
    assert key is not None, version
    return ranges.read(text).allows(key)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        # one version; parts that are left out
        ("1.2.3", "1.2.3 v1.2.3 1.2.3+b", "1.2.4 1.2.2 1.2.3-rc.1"),
        ("=1.2.3", "1.2.3", "1.2.4"),
        ("v1.2.3", "1.2.3", "1.2.4"),
        ("01.02.03", "1.2.3", "1.2.4"),
        ("1.2", "1.2.0 1.2 1.2.99", "1.3.0 1.1.9 1.2.3-rc.1"),
        ("1", "1.0.0 1 1.99.9", "2.0.0 0.9.9"),
        ("=1.2", "1.2.7", "1.3.0"),
        ("1.2.x", "1.2.0 1.2.7", "1.3.0"),
        ("1.x", "1.0.0 1.9.9", "2.0.0"),
        ("1.X.X", "1.0.0 1.9.9", "2.0.0"),
        ("1.*.3", "1.0.0 1.9.9", "2.0.0"),
        ("*", "0.0.0 1.2.3 99.0.0", "1.2.3-rc.1"),
        ("x", "0.0.0 1.2.3", "1.0.0-a"),
        # not this one
        ("!=1.2.3", "1.2.4 1.2.2", "1.2.3 1.2.4-rc.1"),
        ("!=1.2", "1.3.0 1.1.9", "1.2.0 1.2.9"),
        ("!=1.x", "2.0.0 0.9.0", "1.0.0 1.9.0"),
        ("!=1.2-a", "1.2.1 1.2.1-b", "1.2.0-a 1.2.7-a"),
        # above and below
        (">1.2.3", "1.2.4 2.0.0", "1.2.3 1.2.2"),
        (">1.2", "1.3.0 2.0.0", "1.2.0 1.2.99"),
        (">1", "2.0.0", "1.0.0 1.99.9"),
        (">11", "12.0.0", "11.1.0 11.99.99"),
        (">*", "0.0.1 1.0.0", "0.0.0"),
        ("<1.2.3", "1.2.2 0.0.1", "1.2.3 1.2.4"),
        ("<1.2", "1.1.9", "1.2.0"),
        ("<11", "10.9.9", "11.0.0"),
        (">=1.2.3", "1.2.3 1.2.4", "1.2.2"),
        ("=>1.2", "1.2.0", "1.1.9"),
        ("<=1.2.3", "1.2.3 1.2.2", "1.2.4"),
        ("=<1.2", "1.2.0 1.2.99 1.1.0", "1.3.0"),
        ("<=11", "11.0.0 11.99.0 1.0.0", "12.0.0"),
        # ~ and ^
        ("~1.2.3", "1.2.3 1.2.99", "1.3.0 1.2.2"),
        ("~> 1.2.3", "1.2.3 1.2.99", "1.3.0"),
        ("~1.2", "1.2.0 1.2.9", "1.3.0 1.1.9"),
        ("~1", "1.0.0 1.9.9", "2.0.0"),
        ("~0.0.0", "0.0.0 0.5.0 7.0.0", "0.0.1-a"),
        ("~*", "0.0.0 7.0.0", "7.0.0-a"),
        ("~0", "0.0.0 0.9.0", "1.0.0"),
        ("^1.2.3", "1.2.3 1.9.9", "2.0.0 1.2.2"),
        ("^1", "1.0.0 1.9.9", "2.0.0 0.9.9"),
        ("^0.2.3", "0.2.3 0.2.9", "0.3.0 0.2.2 1.0.0"),
        ("^0.2", "0.2.0 0.2.9", "0.3.0 0.1.9"),
        ("^0.0.3", "0.0.3", "0.0.4 0.0.2"),
        ("^0.0", "0.0.0 0.0.9", "0.1.0"),
        ("^0", "0.0.0 0.9.9", "1.0.0"),
        ("^0.x", "0.0.0 0.9.9", "1.0.0"),
        # from - to
        ("1.2 - 2", "1.2.0 2.0.0 2.99.9", "1.1.9 3.0.0"),
        ("1.2.3 - 2.3.4", "1.2.3 2.3.4", "1.2.2 2.3.5"),
        ("v1.2.3  -  2.3", "2.3.99", "2.4.0"),
        # both, and one of them
        (">=1.2, <2", "1.2.0 1.9.9", "2.0.0 1.1.9"),
        (">=1.2 <2", "1.2.0 1.9.9", "2.0.0 1.1.9"),
        (">0,<2.0", "1.0.0 1.9.9", "0.9.0 2.0.0"),
        (">= 1.2 , < 2 , != 1.4.1", "1.4.0", "1.4.1 2.0.0"),
        ("^1 || ^3", "1.5.0 3.5.0", "2.0.0 4.0.0"),
        ("^1||^3", "1.5.0 3.5.0", "2.0.0"),
        ("1 - 2 || 5.x, !=5.1", "2.5.0 5.0.0", "3.0.0 5.1.7"),
        # pre-releases: where a version of the same part names one
        (">=1.0.0-0", "1.0.0-rc.1 1.0.0 1.5.0-alpha 2.0.0-rc.1", "0.9.9 0.9.0-rc.1"),
        ("^1.2.0-0", "1.2.0-alpha 1.9.0-rc.1 1.9.0", "2.0.0-rc.1 1.1.0-rc.1"),
        ("~1.2-0", "1.2.0-alpha 1.2.9-rc.1", "1.3.0-rc.1"),
        ("^1.x-0", "1.0.0-rc.1 1.9.0-b", "2.0.0-a"),
        (">=1.2.3-beta.2", "1.2.3-beta.2 1.2.3-beta.11 1.2.3-rc 1.2.3", "1.2.3-beta.1 1.2.3-alpha"),
        (">=1.0.0-0, <2", "1.5.0-rc.1 2.0.0-rc.1", "2.0.0"),
        ("1.2.3-rc.1", "1.2.3-rc.1", "1.2.3 1.2.3-rc.2"),
        (">=1.0.0 || >=2.0.0-0", "2.0.0-rc.1 1.0.0", "1.5.0-rc.1"),
        ("1.2.3-rc.1+b", "1.2.3-rc.1+c", "1.2.3-rc.2"),
    ],
)  # fmt: skip
def test_what_a_range_allows(text: str, inside: str, outside: str) -> None:
    assert [version for version in inside.split() if not allows(text, version)] == []
    assert [version for version in outside.split() if allows(text, version)] == []


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("", "the range is empty"),
        ("   ", "the range is empty"),
        ("latest", "'latest' is no version: 'latest' is neither a number nor x"),
        ("1.0.0p", "'0p' is neither a number nor x"),
        ("1x", "'1x' is neither a number nor x"),
        ("x1", "'x1' is neither a number nor x"),
        ("-1", "'-1' is no version"),
        ("1.2.3.4", "'1.2.3.4' is no version: it has more than three numbers"),
        ("1..2", "'1..2' is no version: a number is missing"),
        ("1.2.", "a number is missing"),
        ("1.2.3-", "its pre-release or build has a piece that is empty"),
        ("1.2.3-a..b", "its pre-release or build has a piece that is empty"),
        ("1.2.3-01", "a number in its pre-release begins with a zero"),
        (">=1, ", "nothing follows the comma"),
        (">=1,,<2", "a version is missing before ',' in '>=1,,<2'"),
        (",1", "a version is missing before ','"),
        (">=", "a version is missing behind '>='"),
        ("^ || 1", "a version is missing behind '^'"),
        ("1 ||", "nothing stands on one side of `||` in '1 ||'"),
        ("|| 1", "nothing stands on one side of `||`"),
        ("1 | 2", "a version is missing before '|'"),
        ("1|2", "a space or a comma is missing before '|2'"),
        ("==1", "'==' is no operator: write ="),
        (">>1", "'>>' is no operator: there are"),
        ("><1", "'><' is no operator"),
        ("!1", "'!' is no operator: write !="),
        (">=1<2", "a space or a comma is missing before '<2'"),
        ("1 - ", "a version is missing behind '-'"),
        ("^1 - 2", "'-' is no version"),
        ("1.2 -2", "'-2' is no version"),
        ("18446744073709551616", "the number is too large"),
        ("é", "'é' is no version"),
        ("1 " * 600, "longer than 1000 characters"),
    ],
)
def test_what_is_refused_names_the_piece(text: str, piece: str) -> None:
    with pytest.raises(ranges.BadRange) as caught:
        ranges.read(text)
    assert piece in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["1.2.3.4", "a", "1.2.3-01", "1.2.3-", "1.2.", "v", "vv1", "V1.2.3", "1.2.3-a..b", "1.0.0p", "", "9" * 20, "1" * 500],
)
def test_what_is_no_version(text: str) -> None:
    assert versions.read(text) is None


def test_versions_in_their_order() -> None:
    before = "alpha alpha.1 alpha.beta beta beta.2 beta.11 rc.1 rc10 rc9"
    rising = f"0.1 {' '.join(f'1.0.0-{word}' for word in before.split())} 1.0.0 1.0.1 1.2 1.10.0 v2 2025.07.03"
    keys = [versions.read(text) for text in rising.split()]
    assert None not in keys
    assert keys == sorted(keys, key=lambda key: key or ())


# The same grammar, read slowly: each operator is said as a sentence about numbers, with the `semver` library to compare.

NUMBER = st.sampled_from(["0", "0", "1", "1", "2", "3", "10", "01"])
PART = NUMBER | st.sampled_from(["x", "X", "*"])
PRE = st.sampled_from(["", "", "", "-0", "-rc.1", "-alpha", "-rc.10", "-1"])
OPERATOR = st.sampled_from(["", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^"])
PARTIAL = st.builds(
    lambda v, parts, pre: (v + ".".join(parts) + pre, parts, pre[1:]),
    st.sampled_from(["", "v"]), st.lists(PART, min_size=1, max_size=3), PRE,
)  # fmt: skip
COMPARISON = st.tuples(OPERATOR, st.sampled_from(["", " "]), PARTIAL)
RANGE = st.lists(st.lists(COMPARISON, min_size=1, max_size=3), min_size=1, max_size=3)
VERSION = st.builds(lambda parts, pre: ".".join(str(int(part)) for part in parts) + pre, st.tuples(NUMBER, NUMBER, NUMBER), PRE)


def slowly(text: list[list[tuple[str, str, tuple[str, list[str], str]]]], version: semver.Version) -> bool:
    """Whether one of the parts holds."""
    return any(
        (version.prerelease is None or any(pre for *_, (_, _, pre) in part))
        and all(_holds(operator, parts, pre, version) for operator, _, (_, parts, pre) in part)
        for part in text
    )


def _holds(operator: str, parts: list[str], pre: str, version: semver.Version) -> bool:
    numbers: list[int] = []
    for part in parts:
        if part in "xX*":
            break
        numbers.append(int(part))
    given = len(numbers)
    wanted = semver.Version(*(*numbers, 0, 0, 0)[:3], prerelease=pre or None)
    same = [getattr(version, name) == getattr(wanted, name) for name in ("major", "minor", "patch")]
    starts_alike = all(same[:given])
    match operator:
        case "" | "=" if given == 3:
            return version == wanted
        case "!=" if given in (0, 3):
            return version != wanted
        case "!=" if given == 1:
            return not starts_alike
        case "!=":
            return not (starts_alike and version.prerelease == wanted.prerelease)
        case ">" if given in (0, 3):
            return version > wanted
        case ">":
            return version.major > wanted.major or (given == 2 and same[0] and version.minor > wanted.minor)
        case "<":
            return version < wanted
        case ">=" | "=>":
            return version >= wanted
        case "<=" | "=<" if given == 3:
            return version <= wanted
        case "<=" | "=<":
            return version.major < wanted.major or (same[0] and (given == 1 or version.minor <= wanted.minor))
        case "^":
            return version >= wanted and _same_first(same, wanted, given)
        case _:
            everything = (wanted.major, wanted.minor, wanted.patch) == (0, 0, 0) and given in (0, 3)
            return version >= wanted and (everything or (same[0] and (given == 1 or same[1])))


def _same_first(same: list[bool], wanted: semver.Version, given: int) -> bool:
    if wanted.major > 0 or given == 1:
        return same[0]
    return same[0] and same[1] and (wanted.minor > 0 or given == 2 or same[2])


@settings(max_examples=400)
@given(RANGE, st.sampled_from([", ", " ", ","]), VERSION)
def test_a_range_means_what_its_sentences_say(text: list, between: str, version: str) -> None:  # type: ignore[type-arg]
    written = " || ".join(between.join(operator + space + partial for operator, space, (partial, *_) in part) for part in text)
    key = versions.read(version)
    assert key is not None
    assert ranges.read(written).allows(key) is slowly(text, semver.Version.parse(version)), written


@given(PARTIAL, PARTIAL, VERSION)
def test_from_to_is_two_comparisons(low: tuple, high: tuple, version: str) -> None:  # type: ignore[type-arg]
    key = versions.read(version)
    assert key is not None
    written, meant = f"{low[0]} - {high[0]}", f">={low[0]}, <={high[0]}"
    assert ranges.read(written).allows(key) is ranges.read(meant).allows(key)


@given(st.text(max_size=40) | st.text(alphabet="0123456789.xX*-+v^~<>=!|, ", max_size=40))
def test_any_text_is_a_range_or_says_why_not(text: str) -> None:
    try:
        found = ranges.read(text)
    except ranges.BadRange:
        return
    assert found.allows((1, 2, 3, 1, ())) in (True, False)


@given(VERSION, VERSION)
def test_versions_compare_as_semver_says(one: str, other: str) -> None:
    first, second = versions.read(one), versions.read(other)
    assume(first is not None and second is not None)
    assert first is not None
    assert second is not None
    assert (first < second) is (semver.Version.parse(one) < semver.Version.parse(other))
