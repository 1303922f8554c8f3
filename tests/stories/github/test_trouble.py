"""GitHub in trouble, seen from a pass: limits, failures in the middle, tokens that end, repositories that go away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.stories.github.world import REQUIRED, World
from tests.stories.world import DEV_LANDS, kinds, note, pod

DEV_ONLY = {".tagboat.yaml": DEV_LANDS, "dev/web.yaml": pod("HOST/acme/web:1.4.0")}
TAGS = {"acme/web": ["1.4.0", "1.4.1"]}
PLAIN = "Update acme/web from 1.4.0 to 1.4.1"


async def test_a_used_up_allowance_is_told_with_its_end(tmp_path: Path) -> None:
    async with World.of(tmp_path, DEV_ONLY, TAGS) as world:
        async with world.app() as app:
            await app.berths()
            token = next(name for name in world.github.world.viewers if name.startswith("ghs_"))
            world.github.remaining[token] = (1, world.now + timedelta(days=400))
            reports = [report async for report in app.run_all()]
        assert note(reports[0], "trouble").wake is not None
        assert world.repo.pulls == {}
        world.github.remaining.clear()
        await world.run()
        assert world.titles() == {1: PLAIN}


async def test_a_request_that_has_to_wait_for_its_turn_says_until_when(tmp_path: Path) -> None:
    """The hour's writes are used up by other repositories of the installation."""
    async with World.of(tmp_path, DEV_ONLY, TAGS) as world, world.app() as app:
        [row] = await app.rows[0].host.repositories()
        budget = row.forge.wire.budget  # type: ignore[attr-defined]
        for _ in range(480):
            budget._hourly.take(budget.clock.monotonic(), 1)
        [report] = [report async for report in app.run_all()]
        found = note(report, "trouble")
        assert "GitHub's limits" in found.reason
        assert found.wake is not None
        assert found.wake > datetime.now(UTC) + timedelta(minutes=50)
        assert world.branches == ["main"]


@pytest.mark.parametrize("on", ["Look", "trees", "Blobs", "git/refs", "Commit", "/pulls"])
async def test_a_failure_in_the_middle_is_made_good_by_the_next_pass(tmp_path: Path, on: str) -> None:
    async with World.of(tmp_path, DEV_ONLY, TAGS) as world:
        world.repo.classic["main"] = REQUIRED
        world.github.fail(on, status=500, times=3)
        report = await world.run()
        assert report.failed or world.titles() == {1: PLAIN}
        world.github.faults.clear()
        await world.run()
        assert (world.titles(), world.branches) == ({1: PLAIN}, sorted(["main", world.pull().head]))


async def test_a_landing_whose_answer_is_lost_is_not_tried_again(tmp_path: Path) -> None:
    async with World.of(tmp_path, DEV_ONLY, TAGS) as world:
        world.repo.classic["main"] = REQUIRED
        await world.run()
        world.check()
        world.github.fail("/merge", "status", status=500, after=True)
        report = await world.run()
        assert kinds(report).count("landed") == 1
        await world.run()
        assert (world.headlines(), world.branches) == ([f"{PLAIN} (#1)", "First commit"], ["main"])


async def test_a_token_that_ends_in_the_middle(tmp_path: Path) -> None:
    async with World.of(tmp_path, DEV_ONLY, TAGS) as world, world.app() as app:
        await app.berths()
        world.later(hours=2)  # of GitHub's clock alone: our token is over, and we do not know it
        reports = [report async for report in app.run_all()]
        assert not reports[0].failed
        assert world.titles() == {1: PLAIN}


async def test_where_a_repository_goes(tmp_path: Path) -> None:
    async with World.of(tmp_path, DEV_ONLY, TAGS) as world:
        world.repo.classic["main"] = REQUIRED
        async with world.app() as app:
            [report] = [report async for report in app.run_all()]
            assert report.repository == "acme/gitops"
            world.github.world.rename("acme/gitops", "acme/deploy")
            world.check()
            [report] = [report async for report in app.run_all()]
            assert (report.repository, kinds(report).count("landed")) == ("acme/deploy", 1)
            world.repo.archived = True
            assert [report async for report in app.run_all()] == []


async def test_a_named_repository_says_what_became_of_it(tmp_path: Path) -> None:
    async with World.of(tmp_path, DEV_ONLY, TAGS) as world:
        world.github.world.token("hidden", "tagboat-user")
        (tmp_path / "token").write_text("hidden")
        world.login = 'token: {file: token}, repositories: ["acme/gitops"]'
        assert "opened" in kinds(await world.run())
        world.repo.archived = True
        assert "archived" in note(await world.run(), "left").reason
        del world.github.world.repos["acme/gitops"]
        report = await world.run()
        assert "no repository acme/gitops" in note(report, "trouble").reason
        assert "hidden" not in str(report)
