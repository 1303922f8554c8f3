"""`delivery: push`: straight to the branch, with the same rules, the same holds and nothing twice."""

from __future__ import annotations

from pathlib import Path

from tests.stories.world import World, kinds, note, pod

RULES = "rules: [{delivery: push}]\n"
TAGS = {"acme/web": ["1.4.0", "1.4.1"], "acme/db": ["1.0.0", "1.0.1"]}
FILES = {".tagboat.yaml": RULES, "web.yaml": pod("HOST/acme/web:1.4.0"), "db.yaml": pod("HOST/acme/db:1.0.0")}


async def test_commits_go_straight_to_the_branch_and_only_once(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS) as world:
        report = await world.run()
        assert kinds(report) == ["pushed", "pushed"]
        assert sorted(world.headlines()[:2]) == ["Update acme/db from 1.0.0 to 1.0.1", "Update acme/web from 1.4.0 to 1.4.1"]
        assert world.states() == {}
        assert not (await world.run()).changed


async def test_two_streams_in_one_file(tmp_path: Path) -> None:
    files = {".tagboat.yaml": RULES, "all.yaml": pod("HOST/acme/web:1.4.0", "HOST/acme/db:1.0.0")}
    async with World.of(tmp_path, files, TAGS) as world:
        assert kinds(await world.run()) == ["pushed", "pushed"]
        assert world.file("all.yaml") == pod("HOST/acme/web:1.4.1", "HOST/acme/db:1.0.1").rstrip()


async def test_what_a_person_takes_back_is_held(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS) as world:
        await world.run()
        world.later(minutes=1)
        world.write("No", "web.yaml", pod("HOST/acme/web:1.4.0"))
        report = await world.run()
        assert not report.changed
        assert "a person went back to 1.4.0" in note(report, "left").reason


async def test_a_server_that_only_proposes_pushes_nothing(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS, "mode: propose\n") as world:
        report = await world.run()
        assert not report.changed
        assert {one.reason for one in report.notes} == {"nothing is pushed with `mode: propose`"}


async def test_with_batch_all_that_is_due_in_other_files_is_one_commit(tmp_path: Path) -> None:
    files = {
        ".tagboat.yaml": "rules: [{delivery: push, batch: true}]\n",
        "web.yaml": pod("HOST/acme/web:1.4.0"),
        "db.yaml": pod("HOST/acme/db:1.0.0"),
    }
    async with World.of(tmp_path, files, TAGS) as world:
        report = await world.run()
        assert kinds(report) == ["pushed"]
        assert world.headlines() == ["Update 2 images", "First commit"]
        assert world.file("web.yaml") == pod("HOST/acme/web:1.4.1").rstrip()
        assert world.file("db.yaml") == pod("HOST/acme/db:1.0.1").rstrip()
        assert not (await world.run()).changed
