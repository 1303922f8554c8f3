"""Likeness: a listing read in one go gives the same keys as its tags one by one."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from rules.tags import read
from rules.tags.likeness import Like

NUMBERS = st.sampled_from(["0", "1", "7", "12", "31", "99", "392", "999", "1000", "1990", "2024", "20240102", "01", "007"])
TAGS = st.builds(
    lambda prefix, numbers, ending: prefix + ".".join(numbers) + ending,
    st.sampled_from(["", "v", "release-", "jdk-"]),
    st.lists(NUMBERS, min_size=1, max_size=4),
    st.sampled_from(["", "-alpine", "-rc.1", "b2", "_9", "-63-gabc1234", "-1", "+b", "-20260102", "\n"]),
)


@given(TAGS, st.lists(TAGS, max_size=30))
@example("1.20240102-rc.1", ["1.7"])
@example("1.2", ["2024.5", "1.3", "31.12"])
@example("1.2.3", ["", "1.2.4", "1.2.5\n", "1.2.6\n1.2.7", "1.2.8"])
@example("1.2.3", ["", "1.2.4", "١.2.3", "v1.2.3", "1.2", "1.2.3.4", " 1.2.3"])
@example("1.2.3", [])
def test_a_listing_has_the_keys_of_its_tags(current: str, others: list[str]) -> None:
    alike = Like(read(current))
    listing = [current, *others]
    assert list(alike.keys(listing)) == list(map(alike.key, listing))
    assert list(alike.keys(others)) == list(map(alike.key, others))
