"""What whole passes cost on GitLab, by a Tagboat that goes on running."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.app import App
from bot.report import Report
from tests.stories.gitlab.world import World
from tests.stories.world import DEV_LANDS, kinds, pod

FILES = {
    ".tagboat.yaml": DEV_LANDS,
    "dev/web.yaml": pod("HOST/acme/web:1.4.0"),
    "prod/web.yaml": pod("HOST/acme/web:1.4.0", "HOST/acme/worker:1.0.0"),
}
TAGS = {"acme/web": ["1.4.0", "1.4.1"], "acme/worker": ["1.0.0"]}
MUST = {"only_allow_merge_if_pipeline_succeeds": True}


async def go(app: App) -> Report:
    (report,) = [report async for report in app.run_all()]
    assert not report.failed
    return report


@pytest.mark.parametrize("status", ["running", "failed"])
async def test_a_pass_where_nothing_moved_costs_three_requests(tmp_path: Path, status: str) -> None:
    async with World.of(tmp_path, FILES, TAGS, ci="request", ci_status=status, **MUST) as world, world.app() as app:
        await go(app)
        await go(app)
        for _ in range(3):
            world.gitlab.forget()
            assert not (await go(app)).changed
            assert len(world.gitlab.log) == 3, world.gitlab.log


async def test_with_nothing_to_update_a_pass_costs_three_requests(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, {"acme/web": ["1.4.0"], "acme/worker": ["1.0.0"]}) as world, world.app() as app:
        await go(app)
        world.gitlab.forget()
        await go(app)
        assert len(world.gitlab.log) == 3


async def test_a_plain_new_request_costs_at_most_five(tmp_path: Path) -> None:
    files = {"web.yaml": pod("HOST/acme/web:1.4.0")}
    async with World.of(tmp_path, files, {"acme/web": ["1.4.0"]}) as world:
        async with world.app() as app:
            await go(app)
        await world.push("acme/web", "1.4.1")
        async with world.app() as app:
            world.gitlab.forget()
            assert kinds(await go(app)).count("opened") == 1
            # A new process: who we are, the token, the project, the look; and then the request itself. The tree and the file
            # were read by the process before.
            writes = [line for line in world.gitlab.log if line.startswith("POST")]
            assert (len(writes), len(world.gitlab.log)) == (2, 3 + 2 + 2)


async def test_what_a_person_said_is_read_once(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS, ci="request", ci_status="running", **MUST) as world, world.app() as app:
        await go(app)
        await go(app)
        world.gitlab.note(world.merge(), world.gitlab.user("ada"), "looks good")
        await go(app)
        world.gitlab.forget()
        await go(app)
        assert len(world.gitlab.log) == 3


async def test_an_alarm_before_the_token_runs_out_is_in_the_summary(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS) as world:
        from datetime import timedelta

        world.gitlab.tokens[world.token].expires_at = world.now().date() + timedelta(days=9)
        async with world.app() as app:
            reports = [report async for report in app.run_all()]
        assert [note.where for report in reports for note in report.notes if "expires in 9 days" in note.reason] == ["token"]
        assert not any(report.failed for report in reports)
