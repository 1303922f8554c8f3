"""Left to GitLab's own auto-merge, over sockets: asked for once, landed by GitLab, and taken back as soon as it may not stay."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.stories.gitlab.world import World
from tests.stories.world import kinds, note, pod

NATIVE = 'rules: [{match: {paths: ["dev/**"]}, automerge: {native: true}}]\n'
FILES = {".tagboat.yaml": NATIVE, "dev/web.yaml": pod("HOST/acme/web:1.4.0")}
TAGS = {"acme/web": ["1.4.0", "1.4.1"]}
TITLE = "Update acme/web from 1.4.0 to 1.4.1"
MUST = {"only_allow_merge_if_pipeline_succeeds": True}
LEFT = "not finished: the pipeline (running); GitLab lands it by its own auto-merge"
OFF = "GitLab's own auto-merge was taken off it: what it was left to that for does not hold any more"
CANCEL = "cancel_merge_when_pipeline_succeeds"


@asynccontextmanager
async def opened(folder: Path, rules: str = NATIVE, **settings: Any) -> AsyncIterator[World]:
    """A request whose pipeline runs."""
    files = FILES | {".tagboat.yaml": rules}
    async with World.of(folder, files, TAGS, ci="request", ci_status="running", **(MUST | settings)) as world:
        await world.run()
        yield world


@asynccontextmanager
async def left(folder: Path) -> AsyncIterator[World]:
    """A request that is left to GitLab."""
    async with opened(folder) as world:
        await world.run()
        assert world.merge().auto is not None
        yield world


async def history(world: World, *kinds: str) -> list[str]:
    async with world.app() as app:
        events = await app.ledger.history("acme/gitops", kinds=kinds)  # type: ignore[arg-type]
    return [event.kind for event in reversed(events)]


async def test_it_lands_when_its_pipeline_passes_with_our_words(tmp_path: Path) -> None:
    async with left(tmp_path) as world:
        assert note(await world.run(), "waiting").reason == LEFT
        assert any(LEFT in text for text in world.notes())
        world.gitlab.finish(world.project)
        assert world.states() == {1: "merged"}
        assert world.headlines() == [f"{TITLE} (!1)", "First commit"]
        assert world.project.repo.branches() == ["main"]
        assert note(await world.run(), "landed").reason == "it was left to GitLab's own auto-merge, and has landed"
        assert "landed" not in kinds(await world.run())
        assert await history(world, "auto", "landed") == ["auto", "landed"]


async def test_it_is_asked_for_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as world, world.app() as app:
        merges = []
        for _ in range(4):
            world.gitlab.forget()
            [report] = [report async for report in app.run_all()]
            assert not report.failed
            merges.append(sum(line.startswith("PUT") and line.endswith("/merge") for line in world.gitlab.log))
        assert sum(merges) == 1
        assert {line.split(" ")[0] for line in world.gitlab.log} == {"GET"}
        assert len(world.gitlab.log) == 3


def config(text: str) -> Callable[[World], object]:
    return lambda world: world.write(".tagboat.yaml", text)


def push(world: World) -> None:
    world.write("dev/web.yaml", pod("HOST/acme/web:evil"), branch=world.merge().source)


ACTS: dict[str, Callable[[World], object]] = {
    "a label switches it off": lambda world: world.merge().labels.append("tagboat:disabled"),
    "its title says no": lambda world: setattr(world.merge(), "title", "WIP: not now"),
    "a freeze to come": config(f"{NATIVE}freeze: [{{from: 2126-12-20, to: 2127-01-05}}]\n"),
    "a marker for every landing": config(f'{NATIVE}commits: {{marker: "skip-ci:"}}\n'),
    "the file is broken": config("rules: [{autmerge: true}]\n"),
    "the file is gone": lambda world: world.gitlab.push_as("ada", world.project, "main", {".tagboat.yaml": None}, "No file"),
    "the operator only proposes": lambda world: setattr(world, "extra", "mode: propose\n"),
    "the pipeline may fail now": lambda world: world.project.settings.update(only_allow_merge_if_pipeline_succeeds=False),
}


@pytest.mark.parametrize("act", ACTS)
async def test_it_is_taken_back_when_it_may_not_stay(tmp_path: Path, act: str) -> None:
    async with left(tmp_path) as world:
        ACTS[act](world)
        world.merge().updated_at = world.gitlab.time.text()
        world.gitlab.forget()
        report = await world.run()
        assert world.merge().auto is None
        if world.states() == {1: "opened"}:
            assert any(one.reason == OFF for one in report.of("left"))
            assert sum(CANCEL in line for line in world.gitlab.log) == 1
            assert await history(world, "auto") == ["auto", "auto"]
        world.gitlab.finish(world.project)
        assert world.states()[1] != "merged"


async def test_a_push_of_a_person_ends_it_at_once(tmp_path: Path) -> None:
    async with left(tmp_path) as world:
        push(world)
        assert world.merge().auto is None
        await world.run()
        world.gitlab.finish(world.project)
        await world.run()
        assert (world.states(), world.merge().auto) == ({1: "opened"}, None)


async def test_what_a_person_left_to_gitlab_stays_theirs(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        theirs = {"user": world.gitlab.user("ada")}
        world.merge().auto = theirs
        for labels in ([], ["tagboat:disabled"]):
            world.merge().labels = labels
            world.gitlab.forget()
            await world.run()
            assert not any(CANCEL in line or line.endswith("/merge") for line in world.gitlab.log)
            assert world.merge().auto is theirs


@pytest.mark.parametrize(
    ("rules", "settings", "why"),
    [
        pytest.param(NATIVE.replace("native: true", "native: true, all_checks: true"), {}, "(all_checks)", id="a gate of ours"),
        pytest.param(
            NATIVE, {"only_allow_merge_if_pipeline_succeeds": False}, "does not want its pipelines", id="red would land too"
        ),
    ],
)
async def test_it_is_said_why_it_is_not_asked_for(tmp_path: Path, rules: str, settings: dict[str, Any], why: str) -> None:
    async with opened(tmp_path, rules, **settings) as world:
        reason = note(await world.run(), "waiting").reason
        assert "GitLab's own auto-merge is not asked for: " in reason
        assert why in reason
        assert world.merge().auto is None


class Killed(BaseException):
    """Nothing in the program catches it."""


@pytest.mark.parametrize("point", ["before merge", "merge:done", "after merge", "after record", "auto:off"])
async def test_killed_at_any_point_it_is_finished_by_the_next_pass(tmp_path: Path, point: str) -> None:
    async with World.of(tmp_path, FILES, TAGS, ci="request", ci_status="running", **MUST) as world:
        killed: list[str] = []

        def fault(name: str) -> None:
            if name == point and not killed:
                killed.append(name)
                raise Killed

        async def run() -> None:
            try:
                await world.run()
            except Killed:
                await world.run()

        await world.run()
        world.fault = fault
        await run()
        assert world.merge().auto is not None
        world.merge().labels.append("tagboat:disabled")
        await run()
        assert world.merge().auto is None
        world.merge().labels.clear()
        await run()
        assert world.merge().auto is not None
        world.gitlab.finish(world.project)
        await run()
        assert killed == [point]
        assert world.headlines() == [f"{TITLE} (!1)", "First commit"]
        assert (await history(world, "auto", "landed"))[-2:] == ["auto", "landed"]
