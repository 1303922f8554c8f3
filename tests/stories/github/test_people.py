"""What people and strangers do on GitHub, and what a pass makes of it."""

from __future__ import annotations

from pathlib import Path

from rules.ci.tokens import may_contain_marker
from tests.stories.github.world import REQUIRED, World
from tests.stories.world import DEV_LANDS, note, pod

DEV_ONLY = {".tagboat.yaml": DEV_LANDS, "dev/web.yaml": pod("HOST/acme/web:1.4.0")}
TAGS = {"acme/web": ["1.4.0", "1.4.1"]}
PLAIN = "Update acme/web from 1.4.0 to 1.4.1"


async def test_a_closed_request_means_not_this_version(tmp_path: Path) -> None:
    async with World.of(tmp_path, DEV_ONLY, TAGS) as world:
        world.repo.classic["main"] = REQUIRED
        await world.run()
        world.close(1)
        for _ in range(2):
            assert "closed by a person" in note(await world.run(), "left").reason
        await world.push("acme/web", "1.4.2")
        await world.run()
        assert world.states() == {1: "closed", 2: "open"}
        assert world.titles() == {2: PLAIN.replace("1.4.1", "1.4.2")}


async def test_a_request_that_a_person_opens_again_goes_on(tmp_path: Path) -> None:
    async with World.of(tmp_path, DEV_ONLY, TAGS) as world:
        world.repo.classic["main"] = REQUIRED
        await world.run()
        world.close(1)
        await world.run()
        world.github.world.reopen(world.repo, 1)
        world.check()
        await world.run()
        assert world.states() == {1: "merged"}


async def test_a_branch_that_a_person_pushed_to_is_theirs(tmp_path: Path) -> None:
    async with World.of(tmp_path, DEV_ONLY, TAGS) as world:
        world.repo.classic["main"] = REQUIRED
        await world.run()
        theirs = world.write("dev/web.yaml", pod("HOST/acme/web:mine"), branch=world.pull().head)
        await world.push("acme/web", "1.4.2")
        for _ in range(2):
            await world.run()
        world.check()
        await world.run()
        assert (world.pull().head_oid, world.states()) == (theirs, {1: "open"})
        said = [comment.body for comment in world.pull().comments]
        assert len(said) == 1
        assert "leaves it alone" in said[0]


async def test_what_a_person_takes_back_stays_back(tmp_path: Path) -> None:
    async with World.of(tmp_path, DEV_ONLY, TAGS) as world:
        world.repo.classic["main"] = REQUIRED
        await world.run()
        world.check()
        await world.run()
        world.later(hours=1)
        world.repo.files.checkout("main")
        world.repo.files.person("revert", "--no-edit", "HEAD")
        world.repo.files.person("push", "-q", "origin", "main")
        for _ in range(2):
            report = await world.run()
            assert "went back to 1.4.0" in note(report, "left").reason
        assert world.file("dev/web.yaml") == pod("HOST/acme/web:1.4.0").rstrip()


async def test_commands_count_from_those_who_may_write(tmp_path: Path) -> None:
    async with World.of(tmp_path, DEV_ONLY, TAGS) as world:
        world.repo.classic["main"] = REQUIRED
        await world.run()
        world.say("@tagboat hold", login="bob")
        await world.run()
        world.say("@tagboat hold wait for the talk")
        world.check()
        await world.run()
        assert world.states() == {1: "open"}
        world.say("@tagboat resume")
        await world.run()
        await world.run()
        assert world.states() == {1: "merged"}
        assert len([one for one in world.pull().comments if one.author.login == "tagboat[bot]"]) <= 1


async def test_a_request_from_a_fork_and_a_changed_configuration_change_nothing(tmp_path: Path) -> None:
    """The rules are those of the default branch; a pull request that says otherwise is read as nobody's word."""
    async with World.of(tmp_path, DEV_ONLY, TAGS) as world:
        world.repo.classic["main"] = REQUIRED
        everything = 'rules: [{automerge: {require_protection: false, no_checks: merge}, labels: ["@acme/all [skip ci]"]}]\n'
        world.repo.git.set_ref("refs/heads/looser", world.repo.head("main") or "")
        world.write(".tagboat.yaml", everything, branch="looser")
        rest = world.github.rest
        rest.add_pull(world.repo, "ada", "looser", "main", "Loosen the rules")
        rest.add_pull(world.repo, "eve", "looser", "main", PLAIN, head_repo="eve/gitops")
        await world.run()
        await world.run()
        assert world.titles()[3] == PLAIN
        assert world.pull(3).labels == set()
        assert world.states() == {1: "open", 2: "open", 3: "open"}
        assert [pull.comments for pull in world.repo.pulls.values()] == [[], [], []]


async def test_what_others_named_calls_nobody_and_stops_no_ci(tmp_path: Path) -> None:
    """Files, groups and tags by names that mean something to GitHub or to a CI system."""
    config = 'rules: [{group: "@acme/all #1 [skip ci] ![x](y)"}]\n'
    files = {
        ".tagboat.yaml": config,
        "a/[skip ci] @ada.yaml": pod("HOST/acme/web:1.4.0-no-ci"),
        "b/web.yaml": pod("HOST/acme/skip-ci:1.0.0"),
    }
    tags = {"acme/web": ["1.4.0-no-ci", "1.4.1-no-ci"], "acme/skip-ci": ["1.0.0", "1.0.1"]}
    async with World.of(tmp_path, files, tags) as world:
        await world.run()
        for pull in world.repo.pulls.values():
            message = world.repo.git.commit(pull.head_oid).message
            assert not any(may_contain_marker(text) for text in (pull.title, pull.body.partition("<!--")[0], message))
            assert "@acme" not in pull.title
            assert "#1" not in pull.title
        assert len(world.titles()) == 1


async def test_a_changed_title_and_body_decide_nothing(tmp_path: Path) -> None:
    """The hidden line is forged to name another change; what lands is compared with what would be written."""
    async with World.of(tmp_path, DEV_ONLY, TAGS) as world:
        world.repo.classic["main"] = REQUIRED
        await world.run()
        pull = world.pull()
        pull.title, pull.body = "Update everything", pull.body.replace("dev/web.yaml", "prod/web.yaml")
        world.check()
        await world.run()
        await world.run()
        assert world.headlines()[0].startswith(PLAIN)
        assert world.states() == {1: "merged"}
