"""The main job on GitHub from end to end, over sockets: installed, a better tag, a pull request, its checks, the landed title."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.forges.github.forge import FAULT_POINTS
from bot.passes.acting import FAULT_POINTS as ACTING
from rules.ci.tokens import may_contain_marker
from tests.stories.github.world import REQUIRED, World
from tests.stories.world import DEV_LANDS, kinds, note, pod

FILES = {
    ".tagboat.yaml": DEV_LANDS,
    "dev/web.yaml": pod("HOST/acme/web:1.4.0"),
    "prod/web.yaml": pod("HOST/acme/web:1.4.0"),
}
DEV_ONLY = {name: text for name, text in FILES.items() if not name.startswith("prod")}
TAGS = {"acme/web": ["1.4.0", "1.4.1"]}
DEV, PROD = "Update acme/web from 1.4.0 to 1.4.1 in dev", "Update acme/web from 1.4.0 to 1.4.1 in prod"
PLAIN = "Update acme/web from 1.4.0 to 1.4.1"
REFS, PULLS = "POST /repos/{owner}/{repo}/git/refs", "POST /repos/{owner}/{repo}/pulls"
TREE, MERGE = "GET /repos/{owner}/{repo}/git/trees/{sha}", "PUT /repos/{owner}/{repo}/pulls/{number}/merge"
CHECK = "POST /repos/{owner}/{repo}/check-runs"


async def test_dev_lands_when_its_checks_have_passed_and_prod_waits_for_a_person(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS) as world:
        world.repo.classic["main"] = REQUIRED
        assert kinds(await world.run()).count("opened") == 2
        assert set(world.titles().values()) == {DEV, PROD}
        assert world.headlines() == ["First commit"]
        reasons = {one.reason for one in (await world.run()).notes}
        assert "not reported yet: ci/test" in reasons
        dev = next(number for number, title in world.titles().items() if title == DEV)
        world.check(None, dev)
        assert "not finished: ci/test" in {one.reason for one in (await world.run()).notes}
        world.check("success", dev)
        report = await world.run()
        assert note(report, "landed").where == f"!{dev}"
        assert world.headlines() == [f"{DEV} (#{dev})", "First commit"]
        assert (world.file("dev/web.yaml"), world.file("prod/web.yaml")) == (
            pod("HOST/acme/web:1.4.1").rstrip(),
            pod("HOST/acme/web:1.4.0").rstrip(),
        )
        assert list(world.titles().values()) == [PROD]
        own = [run for run in world.repo.checks[world.pull(dev).head_oid] if run.name == "tagboat"]
        assert [run.status for run in own] == ["completed"]
        assert "ci/test" in own[0].output["summary"]


async def test_what_it_costs(tmp_path: Path) -> None:
    """One request where nothing moved; a plain new request five more; a landing as many as its look, comparison and clearing."""
    async with World.of(tmp_path, DEV_ONLY, TAGS) as world:
        world.repo.classic["main"] = REQUIRED
        async with world.app() as app:

            async def asked() -> list[str]:
                world.github.take()
                [report] = [report async for report in app.run_all()]
                assert not report.failed
                finding = ("GET /app", "POST /app", "GET /installation")
                return [one for one in world.github.take() if not one.startswith(finding)]

            assert await asked() == ["Look", TREE, "Blobs", REFS, "Commit", PULLS]
            assert await asked() == ["Look", CHECK]
            assert await asked() == ["Look"]
            world.check()
            # After a landing the new head is looked at, as there may be more to do.
            assert await asked() == ["Look", TREE, MERGE, "Move", "Look", TREE, "Blobs"]
            assert await asked() == ["Look"]


async def test_a_second_pass_writes_nothing(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, {"acme/web": ["1.4.0", "1.4.1", "2.0.0"]}) as world:
        world.repo.classic["main"] = REQUIRED
        await world.run()
        await world.run()
        before = world.repo.git.refs()
        world.later(hours=1)
        world.github.take()
        report = await world.run()
        assert not report.changed
        assert not report.failed
        writes = [one for one in world.github.take() if not one.startswith(("GET", "Look", "Blobs", "Pulls", "POST /app"))]
        assert (writes, world.repo.git.refs()) == ([], before)


async def test_the_title_that_lands_keeps_ci_from_building_again(tmp_path: Path) -> None:
    """The repository builds the image that it deploys: without a marker the landing would build it again."""
    build = (
        "on: {push: {branches: [main]}, pull_request: {}}\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n"
        "      - run: docker build -t HOST/acme/web:1.4.1 . && docker push HOST/acme/web:1.4.1\n"
    )
    files = {**DEV_ONLY, ".github/workflows/build.yaml": build, "Dockerfile": "FROM scratch\n"}
    async with World.of(tmp_path, files, TAGS) as world:
        world.repo.classic["main"] = REQUIRED
        await world.run()
        pull = world.pull(1)
        branch = world.repo.git.commit(pull.head_oid).message
        assert not any(may_contain_marker(text) for text in (pull.title, pull.body, branch))
        world.check()
        await world.run()
        assert world.headlines()[0].startswith(PLAIN)
        assert may_contain_marker(world.headlines()[0])


async def test_a_newer_tag_refreshes_the_open_request_in_place(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS) as world:
        world.repo.classic["main"] = REQUIRED
        await world.run()
        branches = {number: pull.head for number, pull in world.repo.pulls.items()}
        await world.push("acme/web", "1.4.2")
        report = await world.run()
        assert kinds(report).count("refreshed") == 2
        assert {number: pull.head for number, pull in world.repo.pulls.items()} == branches
        assert set(world.titles().values()) == {DEV.replace("1.4.1", "1.4.2"), PROD.replace("1.4.1", "1.4.2")}
        assert set(world.states().values()) == {"open"}
        assert world.branches == sorted(["main", *branches.values()])


async def test_a_branch_that_is_behind_is_brought_up_to_date_when_it_is_about_to_land(tmp_path: Path) -> None:
    async with World.of(tmp_path, DEV_ONLY, TAGS) as world:
        world.repo.classic["main"] = REQUIRED | {"requiresStrictStatusChecks": True}
        await world.run()
        world.check()
        world.write("README.md", "Elsewhere.\n")
        report = await world.run()
        assert kinds(report).count("refreshed") == 1
        assert world.headlines()[0] == "By hand"
        world.check()
        await world.run()
        assert world.headlines()[0] == f"{PLAIN} (#1)"


async def test_a_conflict_is_written_anew(tmp_path: Path) -> None:
    async with World.of(tmp_path, DEV_ONLY, TAGS) as world:
        world.repo.classic["main"] = REQUIRED
        await world.run()
        world.write("dev/web.yaml", pod("HOST/acme/web:1.4.0").replace("# stays", "# moved"))
        await world.run()
        assert world.file("dev/web.yaml", world.pull().head) == pod("HOST/acme/web:1.4.1").replace("# stays", "# moved").rstrip()
        world.check()
        await world.run()
        assert world.states() == {1: "merged"}


async def test_the_merge_queue_lands_it(tmp_path: Path) -> None:
    async with World.of(tmp_path, DEV_ONLY, TAGS) as world:
        world.repo.rules["main"] = [{"type": "MERGE_QUEUE", "parameters": None}]
        await world.run()
        world.check()
        await world.run()
        assert world.pull().queued
        assert world.states() == {1: "open"}
        world.github.world.run_queue(world.repo)
        await world.run()
        assert (world.states(), world.branches) == ({1: "merged"}, ["main", world.pull().head])


class Killed(BaseException):
    """Nothing in the program catches it."""


WAY = [
    *(point for point in FAULT_POINTS if point.startswith(("open:", "people:", "merge:", "show:"))),
    *(point for point in ACTING if point.split()[1] in ("open", "merge", "record")),
]


@pytest.mark.parametrize("point", WAY)
async def test_killed_at_any_point_it_is_finished_by_the_next_pass(tmp_path: Path, point: str) -> None:
    config = DEV_LANDS.replace("automerge: true", "automerge: true, labels: [images], reviewers: [ada], assignees: [ada]")
    async with World.of(tmp_path, {**DEV_ONLY, ".tagboat.yaml": config}, TAGS) as world:
        world.repo.classic["main"] = REQUIRED
        reached: list[str] = []

        def fault(name: str) -> None:
            reached.append(name)
            if name == point and reached.count(point) == 1:
                raise Killed

        async def life() -> None:
            for _ in range(3):
                await world.run()
            world.check()
            for _ in range(2):
                await world.run()

        world.fault = fault
        killed = False
        for _ in range(2):
            try:
                await life()
            except Killed:
                killed = True
        assert killed, f"{point} was never reached"
        assert world.states() == {1: "merged"}
        assert (world.branches, world.headlines()) == (["main"], [f"{PLAIN} (#1)", "First commit"])
        pull = world.pull()
        assert (pull.labels, pull.reviewers, pull.assignees) == ({"images"}, {"ada"}, {"ada"})
        assert len(pull.comments) <= 1
