"""What people do on GitLab: they close, push, revert, merge by hand, rename, archive; and Tagboat finds its way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers.gitlab import Rule
from tests.stories.gitlab.world import World
from tests.stories.world import DEV_LANDS, kinds, note, pod

FILES = {".tagboat.yaml": DEV_LANDS, "dev/web.yaml": pod("HOST/acme/web:1.4.0")}
BY_HAND = {"web.yaml": pod("HOST/acme/web:1.4.0")}
TAGS = {"acme/web": ["1.4.0", "1.4.1"]}
MUST = {"only_allow_merge_if_pipeline_succeeds": True}


async def test_what_a_person_closed_is_not_proposed_again_but_a_newer_version_is(tmp_path: Path) -> None:
    async with World.of(tmp_path, BY_HAND, TAGS) as world:
        await world.run()
        world.close(1)
        for _ in range(2):
            assert not (await world.run()).changed
        await world.push("acme/web", "1.4.2")
        await world.run()
        assert (world.states(), world.titles()) == ({1: "closed", 2: "opened"}, {2: "Update acme/web from 1.4.0 to 1.4.2"})


async def test_a_branch_that_a_person_pushed_to_is_theirs(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS, ci="request", **MUST) as world:
        await world.run()
        branch = world.merge().source
        theirs = world.write("notes.txt", "mine\n", "Mine", branch, "bob")
        await world.push("acme/web", "1.4.2")
        for _ in range(2):
            report = await world.run()
            assert not report.changed
        assert "a person" in note(report, "blocked").reason
        assert world.project.repo.head(branch) == theirs


async def test_a_branch_that_a_person_forced_elsewhere_is_theirs(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS, ci="request", **MUST) as world:
        await world.run()
        branch, first = world.merge().source, world.project.repo.git("rev-parse", "main")
        theirs = world.gitlab.push_as("bob", world.project, branch, {"dev/web.yaml": b"x: 1\n"}, "Anew", onto=first)
        assert not (await world.run()).changed
        assert world.project.repo.head(branch) == theirs


async def test_a_revert_of_what_landed_holds_the_image(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS, ci="request", **MUST) as world:
        await world.run()
        assert kinds(await world.run()) == ["landed"]
        world.write("dev/web.yaml", pod("HOST/acme/web:1.4.0"), "Revert")
        world.later(hours=1)
        await world.push("acme/web", "1.4.2")
        report = await world.run()
        assert not report.changed
        assert world.file("dev/web.yaml") == pod("HOST/acme/web:1.4.0").rstrip()
        assert world.titles() == {}


async def test_a_conflict_is_written_anew_and_lands(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS, ci="request", **MUST) as world:
        await world.run()
        first = world.project.repo.head(world.merge().source)
        world.write("dev/web.yaml", pod("HOST/acme/web:1.4.0").replace("# stays", "# changed"))
        report = await world.run()
        assert kinds(report).count("refreshed") == 1
        assert first not in world.project.repo.log("--all")
        assert kinds(await world.run()) == ["landed"]
        assert "# changed" in world.file("dev/web.yaml")


async def test_a_request_that_a_person_merged_is_noticed(tmp_path: Path) -> None:
    async with World.of(tmp_path, BY_HAND, TAGS) as world:
        await world.run()
        world.gitlab.accept(world.project, world.merge(), world.gitlab.user("ada"), {})
        world.later(hours=1)
        assert not (await world.run()).changed
        assert (world.states(), world.file("web.yaml")) == ({1: "merged"}, pod("HOST/acme/web:1.4.1").rstrip())


async def test_a_bump_by_hand_closes_the_request(tmp_path: Path) -> None:
    async with World.of(tmp_path, BY_HAND, TAGS) as world:
        await world.run()
        world.write("web.yaml", pod("HOST/acme/web:1.4.1"))
        await world.run()
        assert world.states() == {1: "closed"}
        assert ["says 1\\.4\\.1 already" in text or "says 1.4.1 already" in text for text in world.notes()] == [True]
        assert world.project.repo.branches() == ["main"]


async def test_a_push_in_the_moment_of_a_refresh_is_kept(tmp_path: Path) -> None:
    async with World.of(tmp_path, BY_HAND, TAGS) as world:
        await world.run()
        await world.push("acme/web", "1.4.2")
        branch, theirs = world.merge().source, list[str]()

        def act() -> None:
            theirs.append(world.write("notes.txt", "mine\n", "Mine", branch, "bob"))

        world.gitlab.rules.append(Rule("POST", "/repository/commits$", act))
        await world.run()
        assert world.titles() == {1: "Update acme/web from 1.4.0 to 1.4.2"}
        assert any(world.project.repo.head(one) == theirs[0] for one in world.project.repo.branches())
        assert ["Nothing is lost" in text for text in world.notes()] == [True]


async def test_a_draft_waits_for_a_person(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS, ci="request", **MUST) as world:
        await world.run()
        world.merge().title = f"Draft: {world.merge().title}"
        world.merge().updated_at = world.gitlab.time.text()
        assert "draft" in note(await world.run(), "blocked").reason.lower()
        await world.push("acme/web", "1.4.2")
        await world.run()
        assert world.merge().title.startswith("Draft: Update ")
        assert world.merge().title.endswith("to 1.4.2")


@pytest.mark.parametrize("what", ["archived", "removed", "fork"])
async def test_a_project_that_is_to_be_left_alone(tmp_path: Path, what: str) -> None:
    async with World.of(tmp_path, FILES, TAGS, ci="request", **MUST) as world:
        await world.run()
        await world.push("acme/web", "1.4.2")
        setattr(world.project, what, True)
        world.gitlab.forget()
        report = await world.run()
        assert not report.changed
        assert {line.split(" ")[0] for line in world.gitlab.log} == {"GET"}


async def test_a_renamed_project_goes_on_under_its_new_name(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS, ci="request", **MUST) as world:
        await world.run()
        world.project.old_paths.add(world.project.path)
        world.project.path = "acme/deploy"
        report = await world.run()
        assert kinds(report) == ["landed"]


async def test_a_changed_configuration_in_a_branch_has_no_effect(tmp_path: Path) -> None:
    async with World.of(tmp_path, BY_HAND, TAGS, ci="request", **MUST) as world:
        await world.run()
        world.write(".tagboat.yaml", "rules: [{automerge: true}]\n", "Let me in", world.merge().source, "bob")
        world.write(".tagboat.yaml", "rules: [{automerge: true}]\n", "Let me in", "another", "bob")
        assert not (await world.run()).changed
        assert world.states() == {1: "opened"}
