"""What is left to GitHub's own auto-merge is taken back in trouble too: no ledger, a failed closing, a dropped base."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.app import App
from bot.state.ledger import LedgerError
from tests.stories.github.test_native import FILES, NATIVE, TAGS, left, rule
from tests.stories.github.world import REQUIRED, World
from tests.stories.world import note, pod

TWO = {
    ".tagboat.yaml": NATIVE,
    "dev/web.yaml": pod("HOST/acme/web:1.4.0"),
    "dev/api.yaml": pod("HOST/acme/api:2.0.0"),
}


async def passes(app: App) -> None:
    async for _ in app.run_all():
        pass


def on(world: World) -> list[int]:
    """The open requests on which auto-merge is on."""
    return [number for number, pull in world.repo.pulls.items() if pull.state == "OPEN" and pull.auto_merge is not None]


async def test_without_a_ledger_all_of_it_is_taken_back(tmp_path: Path) -> None:
    async with World.of(tmp_path, TWO, {**TAGS, "acme/api": ["2.0.0", "2.0.1"]}) as world:
        world.repo.classic["main"] = REQUIRED
        world.repo.allow_auto_merge = True
        await world.run()
        for number in (1, 2):
            world.check(None, number)
        async with world.app() as app:
            await passes(app)
            assert on(world) == [1, 2]

            async def broken(*args: object, **more: object) -> None:
                raise LedgerError("the disk is full")

            app.ledger.record = broken  # type: ignore[method-assign]
            app.ledger.history = broken  # type: ignore[method-assign,assignment]
            app.ledger.holds = broken  # type: ignore[method-assign,assignment]
            world.write(".tagboat.yaml", "rules: [{autmerge: true}]\n")
            await passes(app)
            assert on(world) == []


@pytest.mark.parametrize("trouble", ["PATCH /repos/{owner}/{repo}/pulls/{number}", "POST /repos/{owner}/{repo}/issues"])
async def test_a_request_that_could_not_be_closed_does_not_land(tmp_path: Path, trouble: str) -> None:
    async with left(tmp_path) as world:
        rule("false")(world)
        world.github.fail(trouble, status=500, times=40)
        await world.run()
        assert world.states()[1] == "open", "the closing failed"
        assert on(world) == []


@asynccontextmanager
async def on_two_bases(folder: Path) -> AsyncIterator[World]:
    rules = NATIVE + "base_branches: [main, release]\n"
    async with World.of(folder, FILES | {".tagboat.yaml": rules}, TAGS) as world:
        for base in ("main", "release", "other"):
            world.repo.classic[base] = REQUIRED
        world.repo.allow_auto_merge = True
        for base in ("release", "other"):
            world.repo.files.checkout("main")
            world.repo.files.person("push", "-q", "origin", f"HEAD:refs/heads/{base}")
        await world.run()
        for number in world.repo.pulls:
            world.check(None, number)
        await world.run()
        assert on(world) == [1, 2]
        yield world


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(NATIVE, id="one base less"),
        pytest.param(NATIVE + "base_branches: [main, other]\n", id="another base"),
        pytest.param("rules: [{autmerge: true}]\n", id="the file is broken"),
    ],
)
@pytest.mark.parametrize("restarted", [True, False])
async def test_what_is_left_on_a_base_that_is_not_looked_at_any_more_is_taken_back(
    tmp_path: Path, text: str, restarted: bool
) -> None:
    async with on_two_bases(tmp_path) as world, world.app() as app:
        if not restarted:
            await passes(app)
        world.write(".tagboat.yaml", text)
        await passes(app)
        there = {number for number in on(world) if world.pull(number).base == "release"}
        assert not there


async def test_where_files_cannot_be_read_nothing_stays_left(tmp_path: Path) -> None:
    async with left(tmp_path) as world, world.app() as app:
        await passes(app)
        assert on(world) == [1]
        world.pull().labels.add("tagboat:disabled")
        world.write("dev/api.yaml", pod("HOST/acme/api:2.0.0"))
        world.github.fail("/git/trees/", status=500, times=40)
        await passes(app)
        assert on(world) == []


async def test_where_github_cannot_be_asked_nothing_is_tried(tmp_path: Path) -> None:
    async with left(tmp_path) as world, world.app() as app:
        await passes(app)
        world.github.take()
        world.github.fail("Look", status=500, times=40)
        await passes(app)
        assert "NoAutoMerge" not in world.github.take()
        assert on(world) == [1]


async def test_what_another_worker_took_back_is_told_when_it_is_left_again(tmp_path: Path) -> None:
    async with left(tmp_path) as world, world.app() as app:
        await passes(app)
        world.pull().labels.add("tagboat:disabled")
        await world.run()  # the other worker
        world.pull().labels.clear()
        assert on(world) == []
        await passes(app)
        assert on(world) == [1]
        world.check()
        assert note(await world.run(), "landed").reason == "it was left to GitHub's own auto-merge, and has landed"
