"""Likeness: the short way that most tags take gives the same key as the long one."""

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
    st.sampled_from(["", "-alpine", "-rc.1", "b2", "_9", "-63-gabc1234", "-1", "+b", "-20260102"]),
)


class LongWay(Like):
    """The same without the short way."""

    def _plain_shape(self) -> None:
        return None


@given(TAGS, st.lists(TAGS, max_size=30))
@example("1.20240102-rc.1", ["1.7"])
@example("1.2", ["2024.5", "1.3", "31.12"])
def test_the_short_way_and_the_long_one_agree(current: str, others: list[str]) -> None:
    tag = read(current)
    short, long = Like(tag), LongWay(tag)
    for other in (current, *others):
        assert short.key(other) == long.key(other), other
