"""The main job from end to end: a better tag appears, a request is opened, the rule lands it, a person lands the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stories.world import DEV_LANDS, World, kinds, note, pod

FILES = {
    ".tagboat.yaml": DEV_LANDS,
    "dev/web.yaml": pod("HOST/acme/web:1.4.0"),
    "prod/web.yaml": pod("HOST/acme/web:1.4.0"),
}


async def test_dev_lands_by_its_rule_and_prod_waits_for_a_person(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, {"acme/web": ["1.4.0", "1.4.1"]}) as world:
        report = await world.run()
        assert sorted(kinds(report)) == ["landed", "opened", "opened", "waiting"]
        assert world.file("dev/web.yaml") == pod("HOST/acme/web:1.4.1").rstrip()
        assert world.file("prod/web.yaml") == pod("HOST/acme/web:1.4.0").rstrip()
        assert world.headlines() == ["Update acme/web from 1.4.0 to 1.4.1 in dev", "First commit"]
        assert list(world.titles().values()) == ["Update acme/web from 1.4.0 to 1.4.1 in prod"]
        assert note(report, "waiting").reason == "a person lands it"
        assert world.repo.git("diff", "--stat", "main~1", "main").splitlines()[-1].split(",")[1:] == [
            " 1 insertion(+)",
            " 1 deletion(-)",
        ]


async def test_a_second_pass_does_nothing(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, {"acme/web": ["1.4.0", "1.4.1", "2.0.0"]}) as world:
        await world.run()
        before = world.repo.refs()
        world.later(hours=1)
        report = await world.run()
        assert not report.changed
        assert not report.failed
        assert world.repo.refs() == before


async def test_a_newer_tag_refreshes_the_open_request_in_place(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, {"acme/web": ["1.4.0", "1.4.1"]}) as world:
        await world.run()
        ((number, _),) = world.titles().items()
        branch = world.branch(number)
        await world.push("acme/web", "1.4.2")
        report = await world.run()
        assert note(report, "refreshed").reason == "now 1.4.2"
        assert world.titles() == {number: "Update acme/web from 1.4.0 to 1.4.2 in prod"}
        assert world.branch(number) == branch
        assert world.file("prod/web.yaml", branch) == pod("HOST/acme/web:1.4.2").rstrip()
        assert world.file("dev/web.yaml") == pod("HOST/acme/web:1.4.2").rstrip()


async def test_a_queue_drains_in_one_pass(tmp_path: Path) -> None:
    images = [f"acme/app{at}" for at in range(6)]
    files = {".tagboat.yaml": DEV_LANDS, "dev/all.yaml": pod(*(f"HOST/{image}:1.0.0" for image in images))}
    async with World.of(tmp_path, files, dict.fromkeys(images, ("1.0.0", "1.0.1"))) as world:
        report = await world.run()
        assert kinds(report).count("landed") == 6
        assert world.file("dev/all.yaml") == pod(*(f"HOST/{image}:1.0.1" for image in images)).rstrip()
        assert set(world.states().values()) == {"merged"}
        assert not (await world.run()).changed


async def test_what_a_person_lands_is_noticed(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, {"acme/web": ["1.4.0", "1.4.1"]}) as world:
        await world.run()
        ((number, _),) = world.titles().items()
        world.repo.checkout("main")
        world.repo.person("merge", "-q", "--no-ff", "-m", "Ship it", f"origin/{world.branch(number)}")
        world.repo.person("push", "-q", "origin", "HEAD:main", f":{world.branch(number)}")
        report = await world.run()
        assert not report.changed
        assert world.states()[number] == "merged"


@pytest.mark.parametrize(("mode", "branches"), [("observe", 1), ("propose", 3)])
async def test_a_server_goes_only_as_far_as_its_mode(tmp_path: Path, mode: str, branches: int) -> None:
    async with World.of(tmp_path, FILES, {"acme/web": ["1.4.0", "1.4.1"]}, f"mode: {mode}\n") as world:
        report = await world.run()
        assert not report.failed
        assert world.headlines() == ["First commit"]
        assert sum(ref.startswith("refs/heads/") for ref in world.repo.refs()) == branches
        assert ("would" in kinds(report)) is (mode == "observe")
        assert not (await world.run()).changed


async def test_one_group_is_one_request(tmp_path: Path) -> None:
    files = {
        ".tagboat.yaml": "rules: [{group: platform}]\n",
        "a.yaml": pod("HOST/acme/web:1.0.0", "HOST/acme/worker:1.0.0"),
        "b.yaml": pod("HOST/acme/web:1.0.0"),
    }
    async with World.of(tmp_path, files, {"acme/web": ["1.0.0", "1.0.1"], "acme/worker": ["1.0.0", "1.0.2"]}) as world:
        await world.run()
        assert world.titles() == {1: "Update platform: 2 images"}
        assert world.file("a.yaml", world.branch(1)) == pod("HOST/acme/web:1.0.1", "HOST/acme/worker:1.0.2").rstrip()
        assert world.file("b.yaml", world.branch(1)) == pod("HOST/acme/web:1.0.1").rstrip()


async def test_the_marker_stands_on_the_landed_commit_and_nowhere_else(tmp_path: Path) -> None:
    """The repository builds the image that it deploys: without a marker the landing would build it again."""
    build = (
        "on: {push: {branches: [main]}}\njobs:\n  image:\n    runs-on: ubuntu-latest\n    steps:\n"
        "      - uses: docker/build-push-action@v6\n        with: {push: true, tags: 'HOST/acme/web:main'}\n"
    )
    files = {**FILES, ".github/workflows/build.yaml": build}
    async with World.of(tmp_path, files, {"acme/web": ["1.4.0", "1.4.1"]}) as world:
        await world.run()
        landed, _ = world.headlines()
        assert landed.startswith("Update acme/web from 1.4.0 to 1.4.1 in dev")
        assert "[skip ci]" in landed
        for record in world.records().values():
            assert "skip ci" not in f"{record['title']} {record['body']}"
        ((number, _),) = world.titles().items()
        assert "skip ci" not in world.repo.git("log", "-1", "--format=%B", world.branch(number))
