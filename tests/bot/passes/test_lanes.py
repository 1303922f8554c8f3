"""One landing at a time on a base that wants branches up to date: the next is brought up to date at once, and only the next."""

from __future__ import annotations

import pytest

from tests.bot.passes.small import Small, pod

CI = "ci/test"


async def small(count: int = 5, *, strict: bool = True) -> Small:
    """So many requests open, their checks green, and a long time gone by."""
    names = [f"app{at}" for at in range(count)]
    files = {f"{name}.yaml": pod(f"{name}:1.0.0") for name in names} | {".tagboat.yaml": "rules: [{automerge: true}]\n"}
    here = await Small.of(files, {name: ["1.0.0", "1.0.1"] for name in names}, required=(CI,), strict=strict)
    await here.run()
    here.later(hours=30)
    here.green()
    return here


def fresh(here: Small) -> list[int]:
    """The open requests whose branch is on top of its base."""
    return [one.number for one in here.forge.open_requests() if one.readiness and one.readiness.behind_by == 0]


async def test_when_one_lands_the_next_is_brought_up_to_date_at_once_and_nobody_else() -> None:
    here = await small()
    for landed in range(1, 5):
        await here.run()
        assert len(here.forge.landings) == landed
        assert len(fresh(here)) == 1
        assert here.forge.writes.count("refresh") == landed
        here.later(minutes=10)
        here.green()
    await here.run()
    assert len(here.forge.landings) == 5


async def test_nobody_overtakes_it_before_its_checks_have_said_anything() -> None:
    here = await small()
    await here.run()
    for _ in range(3):
        here.later(minutes=20)
        assert not (await here.run()).changed
    assert len(fresh(here)) == 1


async def test_a_request_of_which_nothing_is_heard_for_hours_gives_its_place_up() -> None:
    here = await small()
    await here.run()
    here.later(hours=3)
    await here.run()
    assert len(fresh(here)) == 2


@pytest.mark.parametrize("conclusion", ["failure", "cancelled"])
async def test_a_red_one_gives_its_place_up_at_once(conclusion: str) -> None:
    here = await small()
    await here.run()
    (first,) = fresh(here)
    here.forge.check(first, CI, conclusion)
    await here.run()
    assert len(fresh(here)) == 2


async def test_where_nobody_wants_that_all_land_in_one_pass() -> None:
    here = await small(strict=False)
    await here.run()
    assert len(here.forge.landings) == 5
    assert here.forge.writes.count("refresh") == 0
