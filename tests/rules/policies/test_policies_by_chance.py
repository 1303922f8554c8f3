"""What holds for every policy and every listing: nothing excluded, nothing older, and no difference by order or by repetition."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rules import globs, tags
from rules.policies import POLICIES, choose, ranges, versions, words
from rules.policies.base import Candidate, Choice, Choosing, Need, Question, Verdict
from rules.policies.numerical import number
from tests.rules.policies.asking import NOW

NUMBERS = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
SUFFIX = st.sampled_from(
    ["", "", "", "-alpine", "-alpine3.18", "-rc.1", "-rc.2", "b1", "-debian-12-r5", "-debian-12-r6", "-1", "_build"]
)
VERSIONS = st.builds(lambda v, n, s: v + n + s, st.sampled_from(["", "", "v", "release-"]), NUMBERS, SUFFIX)
BUILDS = st.builds(
    lambda branch, sha, n: f"{branch}-{sha}-{n}",
    st.sampled_from(["main", "dev"]), st.sampled_from(["3f2a9c1", "8e1b2c3", "1234567"]), st.integers(0, 120),
)  # fmt: skip
DAYS = st.dates(date(2023, 1, 1), date(2026, 2, 1))
DATES = st.builds(lambda day, shape: f"{day:{shape}}", DAYS, st.sampled_from(["%Y%m%d", "%Y.%m.%d", "%Y-%m-%d", "%Y%m%d-1"]))
NAMES = st.sampled_from(
    ["latest", "stable", "3f2a9c1", "8e1b2c3", "1234567", "41", "42", "pr-7", "7", "sha256-" + "a" * 64, "é", ""]
)
TAG = VERSIONS | VERSIONS | BUILDS | DATES | NAMES | st.text("01.-vab", max_size=6)
LISTING = st.lists(TAG, max_size=12)
KEYS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"policy": st.sampled_from(sorted(set(POLICIES) - {"follow"}))},
    optional={
        "range": st.sampled_from(["^1", ">=1.0.0-0", "*", "~1.2 || ^3", "<2"]),
        "order": st.sampled_from(["asc", "desc"]),
        "tags": st.sampled_from([r"^v?\d", r"^main-[0-9a-f]+-(?P<n>\d+)$", r"(\d+)$"]),
        "extract": st.sampled_from(["$1", "${1}.0", "$n"]),
        "ignore": st.lists(st.sampled_from(["*-rc*", "v*", "*alpine*"]), max_size=2).map(tuple),
        "variant": st.sampled_from(["keep", "any"]),
        "prereleases": st.booleans(),
        "max_step": st.sampled_from(["patch", "minor", "major"]),
        "min_age": st.sampled_from([timedelta(0), timedelta(days=3)]),
        "platforms": st.sampled_from(["auto", "any", ("linux/arm64",)]),
    },
)
TIMES: st.SearchStrategy[datetime | None] = st.none() | st.integers(0, 9).map(lambda days: NOW - timedelta(days=days))
FACTS = st.builds(
    lambda pushed, seen, digest, platforms: Candidate("", digest, pushed, seen, platforms),
    TIMES, TIMES,
    st.sampled_from([None, "sha256:1", "sha256:2"]),
    st.sampled_from([None, frozenset({"linux/amd64"}), frozenset({"linux/arm64"})]),
)  # fmt: skip
RANK = {kind: at for at, kind in enumerate(["patch", "minor", "major"])}


@st.composite
def questions(draw: st.DrawFn) -> Question:
    listing = draw(LISTING)
    current = draw(st.none() | (st.sampled_from(listing) if listing else TAG) | TAG)
    known = {tag: replace(draw(FACTS), tag=tag) for tag in dict.fromkeys(listing)}
    here = draw(st.sampled_from([None, frozenset({"linux/amd64"}), frozenset[str]()]))
    return Question(Choosing(**draw(KEYS)), current or None, listing, NOW, draw(st.sampled_from([None, "sha256:1"])), here, known)


def settled(question: Question) -> Choice:
    """The choice, after every fact that was asked for was said to be unknown. It is asked for once."""
    found = choose(question)
    for _ in range(60):
        if isinstance(found, Choice):
            return found
        assert isinstance(found, Need)
        asked = {*found.ages, *found.digests, *found.platforms}
        assert asked
        assert asked.isdisjoint(question.unknown), "asked twice"
        question = replace(
            question, unknown=question.unknown | asked, current_platforms=question.current_platforms or frozenset()
        )
        again = found.again
        found = choose(question)
        assert again is None or _told(again(question)) == _told(found)
    raise AssertionError("asked without an end")


def _told(found: Choice | Need) -> object:
    if isinstance(found, Need):
        return found
    return found.chosen, found.kind, found.code, found.major, found.digest, found.wake, tuple(found.candidates)


@settings(max_examples=300, deadline=None)
@given(questions())
def test_what_holds_for_every_choice(question: Question) -> None:
    found, choosing = settled(question), question.choosing
    judged = {one.tag: one for one in found.candidates}
    # every tag of the listing is judged, once, and in words
    assert list(judged) == list(dict.fromkeys(question.tags))
    assert len(judged) == len(found.candidates)
    for one in found.candidates:
        sentence = words.of_candidate(one)
        assert sentence
        assert one.code in words._CANDIDATES | words._CHOICES, one
        assert "{" not in sentence.replace(one.detail, "")
    assert words.of_choice(found)
    assert found.code in words._CHOICES
    chosen = [one.tag for one in found.candidates if one.verdict is Verdict.CHOSEN]
    assert chosen == ([] if found.chosen is None else [found.chosen])
    for taken in (found.chosen, found.major):
        if taken is None:
            continue
        # never what is excluded, what stands there, or what is not listed
        assert taken in question.tags
        assert taken != question.current_tag or found.digest not in (None, question.current_digest)
        assert not globs.matches_any(choosing.ignore, taken) or choosing.policy == "digest"
        facts = question.known[taken]
        if choosing.min_age:
            assert (facts.pushed_at or facts.first_seen or NOW) <= NOW - choosing.min_age
        if choosing.platforms == ("linux/arm64",):
            assert "linux/arm64" in (facts.platforms or ())
        # never back
        by_time = found.code.startswith("hash")  # 1234567 among hashes is one
        assert tags.older(taken, question.current_tag or "") is not True or by_time or _may_go_back(choosing)
    if found.chosen is None:
        assert found.kind is None
    if found.kind in RANK:
        assert RANK[found.kind] <= RANK[choosing.max_step]
    if found.major is not None:
        assert choosing.policy == "auto"
        assert choosing.max_step == "major"


def _may_go_back(choosing: Choosing) -> bool:
    """Orders of its own: what comes last by the alphabet, by a number in it or by time may be an older version."""
    return choosing.policy in ("alphabetical", "numerical", "newest") or choosing.extract is not None


@settings(max_examples=150, deadline=None)
@given(questions(), st.randoms(use_true_random=False))
def test_the_order_of_a_listing_and_its_duplicates_change_nothing(question: Question, random: Any) -> None:
    mixed = [*question.tags, *question.tags[:3]]
    random.shuffle(mixed)
    one, other = settled(question), settled(replace(question, tags=mixed))
    assert (one.chosen, one.kind, one.major, one.code, one.detail, one.wake) == (
        other.chosen, other.kind, other.major, other.code, other.detail, other.wake,
    )  # fmt: skip
    assert {judged.tag: judged for judged in one.candidates} == {judged.tag: judged for judged in other.candidates}


@settings(max_examples=300, deadline=None)
@given(questions())
def test_choosing_again_from_what_was_chosen_changes_nothing(question: Question) -> None:
    found = settled(question)
    if found.chosen is None:
        return
    there = replace(question, current_tag=found.chosen, current_digest=found.digest or question.current_digest)
    again = settled(there)
    assert again.chosen is None, (found.chosen, again.chosen)


@settings(max_examples=300, deadline=None)
@given(LISTING, st.sampled_from(["^1", ">=1.0.0-0", "*", "~1.2 || ^3", "<2"]))
def test_semver_takes_the_highest_that_the_range_allows(listing: list[str], text: str) -> None:
    found = settled(Question(Choosing("semver", text, platforms="any"), None, listing, NOW)).chosen
    allowed = ranges.read(text)
    keys = {tag: key for tag in listing if (key := versions.read(tag)) is not None and allowed.allows(key)}
    best = max(keys.values(), default=None)
    assert found == min((tag for tag, key in keys.items() if key == best), default=None)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(-99, 99).map(str) | st.floats(-9, 9).map(lambda n: f"{n:.3f}") | NAMES, max_size=10), st.booleans())
def test_numerical_takes_the_largest_or_smallest(listing: list[str], descending: bool) -> None:
    order = "desc" if descending else "asc"
    found = settled(Question(Choosing("numerical", order=order, platforms="any"), None, listing, NOW)).chosen
    values = [float(tag) for tag in listing if number(tag) is not None]
    assert (None if found is None else float(found)) == ((min if descending else max)(values) if values else None)
