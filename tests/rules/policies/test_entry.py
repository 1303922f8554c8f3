"""Who competes (`tags`, `ignore`), and what of a tag is ordered (`extract`)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.policies.base import Choosing
from rules.policies.entry import BadPattern, Entry, compiled, expand, unknown_groups


@pytest.mark.parametrize(
    ("pattern", "extract", "expected"),
    [
        (None, None, {"ver1": "ver1", "ver22": "ver22", "rel1": "rel1"}),
        ("", None, {"ver1": "ver1", "ver22": "ver22", "rel1": "rel1"}),
        ("^ver", None, {"ver1": "ver1", "ver22": "ver22"}),
        ("er", None, {"ver1": "ver1", "ver22": "ver22"}),  # anywhere in the tag
        (r"ver(\d+)", "$1", {"ver1": "1", "ver22": "22"}),
        (r"ver(\d+)", "", {"ver1": "ver1", "ver22": "ver22"}),
        (r"(?P<what>[a-z]+)(?P<n>\d)", "$what-$n", {"ver1": "ver-1", "ver22": "ver-2", "rel1": "rel-1"}),
        (r"(?<n>\d)", "${n}", {"ver1": "1", "ver22": "2", "rel1": "1"}),
        ("nothing", None, {}),
    ],
)
def test_filters(pattern: str | None, extract: str | None, expected: dict[str, str]) -> None:
    assert Entry(Choosing(tags=pattern, extract=extract)).texts(["ver1", "ver22", "rel1"]) == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("$1", "20240102"),
        ("${1}", "20240102"),
        ("$date", "20240102"),
        ("${date}${time}", "202401020304"),
        ("$date$time", "202401020304"),
        ("$date.$time", "20240102.0304"),
        ("$0", "main-20240102-0304"),
        ("$1x", ""),  # the group named 1x, which is not there
        ("${1}x", "20240102x"),
        ("$date_", ""),  # the group named date_
        ("$nothing", ""),
        ("$9", ""),
        ("$01", ""),
        ("$$1", "$1"),
        ("$", "$"),
        ("a$-b", "a$-b"),
        ("${}", "${}"),
        ("${date", "${date"),
        ("$3", ""),  # a group that took no part
        ("no group", "no group"),
    ],
)
def test_a_template_is_filled_in_as_go_does(template: str, expected: str) -> None:
    match = compiled(r"main-(?P<date>\d+)-(?P<time>\d+)(-x)?").search("main-20240102-0304")
    assert expand(template, match) == expected


@pytest.mark.parametrize(
    ("ignore", "expected"),
    [
        (("*-rc*",), ["1.2.3", "dev-1"]),
        (("*-rc*", "dev-?"), ["1.2.3"]),
        (("1.2.[0-9]*",), ["dev-1"]),
        (("{dev,qa}-*",), ["1.2.3", "1.2.3-rc1"]),
        (("1.2.3",), ["1.2.3-rc1", "dev-1"]),  # the whole tag
        (("*",), []),
    ],
)
def test_what_is_ignored_does_not_compete(ignore: tuple[str, ...], expected: list[str]) -> None:
    assert list(Entry(Choosing(ignore=ignore)).texts(["1.2.3", "1.2.3-rc1", "dev-1"])) == expected


@pytest.mark.parametrize("tag", ["sha256-" + "a" * 64, "sha256-" + "0" * 64 + ".sig", "sha256-" + "0" * 64 + ".att", "x.sig"])
def test_signatures_never_compete(tag: str) -> None:
    entry = Entry(Choosing())
    assert entry.texts([tag, "1.2.3"]) == {"1.2.3": "1.2.3"}
    assert entry.refusal(tag) == ("artefact", "")


@pytest.mark.parametrize("tag", ["sha256-abc", "shape-1", "sha-" + "a" * 64, "sha256-" + "g" * 64, "1.2.3-sig"])
def test_what_only_looks_like_one_does(tag: str) -> None:
    assert Entry(Choosing()).texts([tag]) == {tag: tag}


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(?=a)b", "RE2 has no look-around and no back-references"),
        ("(?<!a)b", "RE2 has no look-around and no back-references"),
        (r"(a)\1", "RE2 has no look-around and no back-references"),
        ("(a", "'(a' is not a regular expression of RE2: missing )"),
        ("[", "missing ]"),
        ("a{1001}", "is not a regular expression of RE2"),
        ("((a{100}){100}){100}", "is not a regular expression of RE2"),
        ("\ud800", "half a character"),
    ],
)
def test_what_is_no_pattern_says_why(pattern: str, message: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadPattern) as caught:
        compiled(pattern)
    assert message in str(caught.value)
    assert capfd.readouterr() == ("", "")  # RE2 itself says nothing


def test_groups_that_are_not_there() -> None:
    assert unknown_groups(r"(?P<n>\d+)-(x)", "$n ${n} $1 $2 $0 $$3") == []
    assert unknown_groups(r"(?P<n>\d+)", "$n1 ${2} $1x $m") == ["n1", "2", "1x", "m"]


@given(st.text(max_size=30), st.text(max_size=12))
def test_no_tag_is_too_odd(tag: str, template: str) -> None:
    entry = Entry(Choosing(tags="(.)(?P<n>.*)", extract=template, ignore=("x*",)))
    texts = entry.texts([tag, "\udcff", "a\udcffb"])
    assert set(texts) <= {tag}
    assert (tag in texts) is (entry.refusal(tag) is None)
    assert entry.refusal("\udcff") is not None
