"""Layer 4: bumps are counted as long as nobody else commits; the count, not the clock, trips the breaker."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.breaker import Step, Tripped, chain, judge

IMAGE, PLACE = "ghcr.io/acme/shop", "deploy/app.yaml"
B = Step("b", ours=True, bumps=frozenset({(IMAGE, PLACE)}))
A = Step("o", ours=True, bumps=frozenset({("ghcr.io/acme/api", PLACE)}))
E = Step("e", ours=True, bumps=frozenset({(IMAGE, "deploy/other.yaml")}))
P = Step("p", ours=False)


def apart(steps: list[Step]) -> list[Step]:
    """Each step a commit of its own."""
    return [replace(step, oid=f"{step.oid}{number}") for number, step in enumerate(steps)]


@pytest.mark.parametrize(
    ("steps", "length"),
    [
        ([], 0),
        ([P], 0),
        ([P, B], 1),
        ([P, B, B], 2),
        ([P, B, B, B], 3),
        ([B, B, P, B], 1),
        ([B, B, B, P], 0),
        ([P, B, A, B, A], 2),
        ([P, B, E, B], 2),
    ],
)
def test_counts_since_the_last_commit_of_a_person(steps: list[Step], length: int) -> None:
    assert chain(IMAGE, PLACE, apart(steps)) == length


@pytest.mark.parametrize(("bumps", "trips"), [(0, False), (1, False), (2, False), (3, True), (4, True)])
def test_the_fourth_round_does_not_happen(bumps: int, trips: bool) -> None:
    found = judge(IMAGE, PLACE, apart([P, *[B] * bumps]), 3, suspect="CI in .github/workflows/ci.yml")
    assert (found is not None) is trips
    if found is not None:
        assert "CI in .github/workflows/ci.yml" in found.reason
        assert f"{bumps} times" in found.reason


def test_releases_of_an_image_from_elsewhere_are_no_loop() -> None:
    assert judge(IMAGE, PLACE, apart([B] * 20), 3, made_here=False) is None
    assert judge(IMAGE, PLACE, apart([B] * 20), 3, made_here=None) is not None


def test_trailers_do_where_nothing_else_is_known() -> None:
    message = f"Update shop\n\nTagboat-Image: {IMAGE}\n"
    steps = [Step(str(n), ours=True, message=f"{message}\nstep {n}\n", paths=(PLACE,)) for n in range(3)]
    assert judge(IMAGE, PLACE, steps, 3) == Tripped(
        3,
        f"{IMAGE} was bumped 3 times in {PLACE} without a commit of a person in between, "
        "so each landing seems to build it again; which pipeline does it is not known",
    )
    assert judge(IMAGE, "deploy/other.yaml", steps, 3) is None


def test_a_squash_and_its_merge_commit_are_one_landing() -> None:
    body = f"\n\n- {PLACE}:9: {IMAGE} 1 -> 2\n\nTagboat-Image: {IMAGE}\n"
    pair = [Step("s", ours=True, message=f"Update shop{body}"), Step("m", ours=True, message=f"Update shop (!7) [skip ci]{body}")]
    assert chain(IMAGE, PLACE, pair) == 1


@given(st.lists(st.sampled_from([B, A, E, P]), max_size=30), st.integers(1, 5))
def test_never_more_bumps_in_a_row_than_allowed(world: list[Step], maximum: int) -> None:
    """Played forward: what it lets through never makes a longer chain."""
    landed: list[Step] = []
    for step in apart(world):
        if step.bumps == B.bumps and judge(IMAGE, PLACE, landed, maximum) is not None:
            continue
        landed.append(step)
        assert chain(IMAGE, PLACE, landed) <= maximum
