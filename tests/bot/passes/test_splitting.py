"""A red group is taken apart: the good part lands, and the request that stays red says which member it is."""

from __future__ import annotations

import pytest

from tests.bot.passes.small import HOST, Small, pod

RULES = "rules: [{group: platform, automerge: true}]\n"


async def small(images: int = 3, rules: str = RULES, **tags: list[str]) -> Small:
    """A group with as many images, each in a file of its own, its request open."""
    names = [f"app{at}" for at in range(images)]
    files = {f"{name}.yaml": pod(f"{name}:1.0.0") for name in names}
    listed = {name: tags.get(name, ["1.0.0", "1.0.1"]) for name in names}
    here = await Small.of({**files, ".tagboat.yaml": rules}, listed, required=("ci/test",))
    await here.run()
    return here


def checks(here: Small, *red: str) -> None:
    """Every check speaks: requests that hold one of these images are red."""
    for request in here.forge.open_requests():
        held = {image.removeprefix(f"{HOST}/") for _, image, _, _ in request.record.targets} if request.record else set()
        here.forge.check(request.number, "ci/test", "failure" if held & set(red) else "success")


def titles(here: Small) -> list[str]:
    return sorted(request.title.replace(f"{HOST}/", "") for request in here.forge.open_requests())


@pytest.mark.parametrize("red", ["app0", "app1", "app2"])
async def test_whoever_is_red_the_others_land(red: str) -> None:
    here = await small()
    assert titles(here) == ["Update platform from 1.0.0 to 1.0.1"]
    for _ in range(6):
        checks(here, red)
        await here.run()
    left = [f"app{at}" for at in range(3) if "1.0.0" in here.forge.text(f"app{at}.yaml")]
    assert left == [red]
    assert len(here.forge.open_requests()) == 1
    (request,) = here.forge.open_requests()
    assert {image for _, image, _, _ in request.record.targets} == {f"{HOST}/{red}"}  # type: ignore[union-attr]
    assert not (await here.run()).changed


async def test_what_is_said_on_the_groups_request() -> None:
    here = await small(app1=["1.0.0", "1.1.0"])
    checks(here, "app1")
    report = await here.run()
    (note,) = report.of("refreshed")
    assert note.reason == f"its checks failed, and {HOST}/app0, {HOST}/app1 are set apart"
    assert "their checks will say which of them is red" in here.forge.notes[1]


async def test_of_a_large_group_a_few_at_a_time_the_largest_steps_first() -> None:
    here = await small(9, app8=["1.0.0", "1.1.0"])
    checks(here, "app8")
    await here.run()
    assert len(here.forge.open_requests()) == 6
    assert "Update app8 from 1.0.0 to 1.1.0" in " ".join(titles(here)) or len(titles(here)) == 6
    checks(here, "app8")
    await here.run()
    assert [at for at in range(9) if "1.0.0" in here.forge.text(f"app{at}.yaml")] == [8]


@pytest.mark.parametrize(
    "rules",
    [
        "rules: [{group: platform, lockstep: true, automerge: true}]\n",  # together or not at all
        "rules: [{automerge: true}]\n",  # no group
        "rules: [{group: platform}]\n",  # a person lands it
    ],
)
async def test_who_is_not_split(rules: str) -> None:
    here = await small(rules=rules)
    before = len(here.forge.open_requests())
    checks(here, "app1")
    await here.run()
    assert len(here.forge.open_requests()) + len(here.forge.landings) == before


async def test_a_group_that_something_else_keeps_is_left_together() -> None:
    here = await small()
    here.forge.person_changes(1, labels=frozenset({"tagboat:disabled"}))
    checks(here, "app1")
    await here.run()
    assert len(here.forge.open_requests()) == 1


async def test_a_member_comes_back_when_its_own_request_has_ended() -> None:
    here = await small()
    for _ in range(4):
        checks(here, "app1")
        await here.run()
    (request,) = here.forge.open_requests()
    here.forge.person_closes(request.number)
    for name in ("app0", "app1", "app2"):
        here.registry.tags_of[name] = ["1.0.0", "1.0.1", "1.0.2"]
    here.later(hours=1)
    await here.run()
    assert titles(here) == ["Update platform to 1.0.2"]
