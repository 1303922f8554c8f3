"""The main job on GitLab from end to end, over sockets: a better tag, a merge request, its pipeline, the landed title."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.stories.gitlab.world import World
from tests.stories.world import DEV_LANDS, kinds, note, pod

FILES = {
    ".tagboat.yaml": DEV_LANDS,
    "dev/web.yaml": pod("HOST/acme/web:1.4.0"),
    "prod/web.yaml": pod("HOST/acme/web:1.4.0"),
}
TAGS = {"acme/web": ["1.4.0", "1.4.1"]}
DEV_TITLE, PROD_TITLE = "Update acme/web from 1.4.0 to 1.4.1 in dev", "Update acme/web from 1.4.0 to 1.4.1 in prod"
MUST = {"only_allow_merge_if_pipeline_succeeds": True}
DEV_ONLY = {".tagboat.yaml": DEV_LANDS, "dev/web.yaml": pod("HOST/acme/web:1.4.0")}


async def test_dev_lands_when_its_pipeline_has_passed_and_prod_waits_for_a_person(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS, ci="request", ci_status="running", **MUST) as world:
        report = await world.run()
        assert sorted(kinds(report)) == ["opened", "opened", "waiting", "waiting"]
        assert set(world.titles().values()) == {DEV_TITLE, PROD_TITLE}
        reasons = [one.reason for one in (await world.run()).notes if one.kind == "waiting"]
        assert sorted(reasons) == ["a person lands it", "not finished: the pipeline (running)"]
        assert world.headlines() == ["First commit"]
        world.gitlab.finish(world.project)
        report = await world.run()
        assert kinds(report).count("landed") == 1
        landed = next(number for number, state in world.states().items() if state == "merged")
        assert world.headlines() == [f"{DEV_TITLE} (!{landed})", "First commit"]
        assert world.file("dev/web.yaml") == pod("HOST/acme/web:1.4.1").rstrip()
        assert world.file("prod/web.yaml") == pod("HOST/acme/web:1.4.0").rstrip()
        assert list(world.titles().values()) == [PROD_TITLE]


async def test_a_second_pass_writes_nothing(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, {"acme/web": ["1.4.0", "1.4.1", "2.0.0"]}, ci="request", **MUST) as world:
        await world.run()
        await world.run()
        world.later(hours=1)
        world.gitlab.forget()
        report = await world.run()
        assert not report.changed
        assert not report.failed
        assert {line.split(" ")[0] for line in world.gitlab.log} <= {"GET", "HEAD"}


async def test_the_title_that_lands_keeps_ci_from_building_again(tmp_path: Path) -> None:
    """The repository builds the image that it deploys: without a marker the landing would build it again."""
    image = "HOST/acme/web:$CI_COMMIT_SHA"
    build = f"build:\n  script:\n    - docker build -t {image} .\n    - docker push {image}\n"
    files = {**DEV_ONLY, ".gitlab-ci.yml": build}
    async with World.of(tmp_path, files, TAGS, ci="both", **MUST) as world:
        await world.run()
        await world.run()
        landed = world.headlines()[0]
        assert landed.startswith("Update acme/web from 1.4.0 to 1.4.1")
        assert "[skip ci]" in landed or "[ci skip]" in landed
        assert [one.status for one in world.project.pipelines if one.ref == "main"][-1] == "skipped"
        (merge,) = world.project.merges.values()
        assert "skip ci" not in f"{merge.title} {merge.description}".replace("\u2060", "skip")
        assert {one.status for one in world.project.pipelines if one.ref != "main"} == {"success"}


async def test_a_newer_tag_refreshes_the_open_request_in_place(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS) as world:
        await world.run()
        branches = {number: merge.source for number, merge in world.project.merges.items()}
        await world.push("acme/web", "1.4.2")
        report = await world.run()
        assert kinds(report).count("refreshed") == 2
        assert {number: merge.source for number, merge in world.project.merges.items()} == branches
        assert set(world.titles().values()) == {DEV_TITLE.replace("1.4.1", "1.4.2"), PROD_TITLE.replace("1.4.1", "1.4.2")}


async def test_a_queue_drains_in_one_pass(tmp_path: Path) -> None:
    images = [f"acme/app{at}" for at in range(5)]
    files = {".tagboat.yaml": DEV_LANDS} | {f"dev/{at}.yaml": pod(f"HOST/{image}:1.0.0") for at, image in enumerate(images)}
    async with World.of(tmp_path, files, dict.fromkeys(images, ("1.0.0", "1.0.1")), ci="request", **MUST) as world:
        await world.run()
        report = await world.run()
        assert kinds(report).count("landed") == 5
        assert set(world.states().values()) == {"merged"}
        assert not (await world.run()).changed


WAYS: list[tuple[str, dict[str, Any], str, int]] = [
    ("merge commits, squashed", {}, "squash", 2),
    ("merge commits", {}, "merge", 2),
    ("semi-linear", {"merge_method": "rebase_merge"}, "merge", 2),
    ("fast-forward, squashed", {"merge_method": "ff"}, "squash", 1),
    ("fast-forward", {"merge_method": "ff", "squash_option": "never"}, "fast-forward", 1),
]


@pytest.mark.parametrize(("settings", "method", "parents"), [row[1:] for row in WAYS], ids=[row[0] for row in WAYS])
async def test_every_kind_of_project(tmp_path: Path, settings: dict[str, Any], method: str, parents: int) -> None:
    files = DEV_ONLY | {".tagboat.yaml": f"rules: [{{automerge: {{method: {method}}}}}]\n"}
    async with World.of(tmp_path, files, TAGS, ci="request", **MUST, **settings) as world:
        await world.run()
        world.write("readme", "the base moves\n")
        reports = [await world.run() for _ in range(3)]
        assert sum(kinds(report).count("landed") for report in reports) == 1, [report.notes for report in reports]
        head = world.project.repo.head("main")
        assert len(world.project.repo.info(str(head))["parent_ids"]) == parents  # type: ignore[arg-type]
        assert world.file("dev/web.yaml") == pod("HOST/acme/web:1.4.1").rstrip()


async def test_what_the_project_does_not_allow_is_said_on_the_request(tmp_path: Path) -> None:
    files = {path: text.replace("automerge: true", "automerge: {method: squash}") for path, text in DEV_ONLY.items()}
    assert files != DEV_ONLY
    async with World.of(tmp_path, files, TAGS, ci="request", squash_option="never", **MUST) as world:
        await world.run()
        report = await world.run()
        assert "the rule lands by squash, and the repository allows merge" in note(report, "blocked").reason
        assert ["the repository allows merge" in text for text in world.notes()] == [True]


async def test_a_merge_train(tmp_path: Path) -> None:
    async with World.of(tmp_path, DEV_ONLY, TAGS, ci="request", merge_trains_enabled=True, **MUST) as world:
        await world.run()
        await world.run()
        assert world.merge().car == "fresh"
        assert "in the merge queue" in note(await world.run(), "waiting").reason
        world.gitlab.run_train(world.project)
        assert not (await world.run()).changed
        assert (world.states(), world.file("dev/web.yaml")) == ({1: "merged"}, pod("HOST/acme/web:1.4.1").rstrip())


async def test_a_failed_pipeline_never_lands_and_a_retried_one_does(tmp_path: Path) -> None:
    async with World.of(tmp_path, DEV_ONLY, TAGS, ci="request", ci_status="failed") as world:  # GitLab itself would let it
        await world.run()
        assert "failed: the pipeline" in note(await world.run(), "blocked").reason
        world.project.pipelines[-1].status = "success"
        world.project.pipelines[-1].updated_at = world.gitlab.time.text()
        assert kinds(await world.run()) == ["landed"]


@pytest.mark.parametrize(("fine", "kind"), [(True, "landed"), (False, "blocked")])
async def test_a_skipped_pipeline(tmp_path: Path, fine: bool, kind: str) -> None:
    settings = MUST | {"allow_merge_on_skipped_pipeline": fine}
    async with World.of(tmp_path, DEV_ONLY, TAGS, ci="request", ci_status="skipped", **settings) as world:
        await world.run()
        assert kinds(await world.run()) == [kind]


async def test_approvals_that_the_project_requires(tmp_path: Path) -> None:
    async with World.of(tmp_path, DEV_ONLY, TAGS, ci="request", **MUST) as world:
        world.project.approvals_required = 1
        await world.run()
        assert note(await world.run(), "blocked").reason == "a required review is missing"
        world.gitlab.approve(world.merge(), "bob")
        assert kinds(await world.run()) == ["landed"]


async def test_a_thread_that_has_to_be_resolved(tmp_path: Path) -> None:
    settings = MUST | {"only_allow_merge_if_all_discussions_are_resolved": True}
    async with World.of(tmp_path, DEV_ONLY, TAGS, ci="request", **settings) as world:
        await world.run()
        thread = world.gitlab.note(world.merge(), world.gitlab.user("ada"), "Why?", resolvable=True)
        assert "conversation" in note(await world.run(), "blocked").reason
        thread.resolved = True
        assert kinds(await world.run()) == ["landed"]


@pytest.mark.parametrize(("mode", "branches"), [("observe", 1), ("propose", 3)])
async def test_a_server_goes_only_as_far_as_its_mode(tmp_path: Path, mode: str, branches: int) -> None:
    async with World.of(tmp_path, FILES, TAGS, ci="request", extra=f"mode: {mode}\n", **MUST) as world:
        for _ in range(2):
            report = await world.run()
        assert not report.failed
        assert world.headlines() == ["First commit"]
        assert len(world.project.repo.branches()) == branches


async def test_without_a_file_a_named_project_gets_proposals(tmp_path: Path) -> None:
    async with World.of(tmp_path, {"web.yaml": pod("HOST/acme/web:1.4.0")}, TAGS) as world:
        await world.run()
        assert world.titles() == {1: "Update acme/web from 1.4.0 to 1.4.1"}
