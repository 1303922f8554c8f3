"""What people do to requests and files: closing, reverting, pushing, saying hold."""

from __future__ import annotations

from pathlib import Path

from bot.state.ledger import Hold
from tests.stories.world import DEV_LANDS, World, kinds, note, pod

IMAGE = "HOST/acme/web"
ONE = {"web.yaml": pod(f"{IMAGE}:1.4.0")}
TAGS = {"acme/web": ["1.4.0", "1.4.1"]}


async def test_closed_by_a_person_means_not_this_version(tmp_path: Path) -> None:
    async with World.of(tmp_path, ONE, TAGS) as world:
        await world.run()
        world.repo.person("push", "-q", "origin", f":{world.branch(1)}")
        report = await world.run()
        assert not report.changed
        assert world.states() == {1: "closed"}
        assert "closed by a person" in "".join(one.reason for one in report.notes)
        await world.push("acme/web", "1.4.2")
        await world.run()
        assert world.states() == {1: "closed", 2: "open"}
        assert world.titles() == {2: "Update acme/web from 1.4.0 to 1.4.2"}


async def test_a_branch_that_a_person_pushed_to_is_theirs(tmp_path: Path) -> None:
    files = {".tagboat.yaml": "rules: [{automerge: true}]\n", **ONE}
    async with World.of(tmp_path, files, TAGS, "mode: propose\n") as world:
        await world.run()
        world.write("Mine", "notes.txt", "mine", world.branch(1))
        head = world.repo.head(f"refs/heads/{world.branch(1)}")
        world.extra = ""
        await world.push("acme/web", "1.4.2")
        report = await world.run()
        assert not report.changed
        assert "a person pushed to its branch" in note(report, "blocked").reason
        assert world.repo.head(f"refs/heads/{world.branch(1)}") == head


async def test_a_revert_holds_until_somebody_says_resume(tmp_path: Path) -> None:
    files = {".tagboat.yaml": DEV_LANDS, "dev/web.yaml": pod(f"{IMAGE}:1.4.0"), "prod/web.yaml": pod(f"{IMAGE}:1.4.1")}
    async with World.of(tmp_path, files, TAGS) as world:
        await world.run()
        world.write("No, not this one", "dev/web.yaml", pod(f"{IMAGE}:1.4.0"))
        for minutes in (0, 1, 30, 600):
            world.later(minutes=minutes)
            report = await world.run()
            assert not report.changed
            assert "a person went back to 1.4.0" in note(report, "left").reason
            assert note(report, "left").where == f"{world.registry.host}/acme/web"
        async with world.app() as app:
            await app.ledger.resume(report.repository, f"{world.registry.host}/acme/web", at=world.now)
        assert "landed" in kinds(await world.run())
        assert world.file("dev/web.yaml") == pod(f"{IMAGE}:1.4.1").rstrip()


async def test_a_hold_that_was_asked_for_stops_one_place(tmp_path: Path) -> None:
    files = {"a.yaml": pod(f"{IMAGE}:1.4.0"), "b.yaml": pod("HOST/acme/db:1.0.0")}
    async with World.of(tmp_path, files, {**TAGS, "acme/db": ["1.0.0", "1.0.1"]}) as world:
        async with world.app() as app:
            hold = Hold(world.repo.url, f"{world.registry.host}/acme/web", "a.yaml", "", "not before friday", "ann", world.now)
            await app.ledger.hold(hold)
        report = await world.run()
        assert world.titles() == {1: "Update acme/db from 1.0.0 to 1.0.1"}
        assert note(report, "left").reason == "held by ann: not before friday"


async def test_a_request_in_conflict_is_written_anew_for_the_person_who_lands_it(tmp_path: Path) -> None:
    async with World.of(tmp_path, ONE, TAGS) as world:
        await world.run()
        changed = pod(f"{IMAGE}:1.4.0").replace("# stays", "# goes")
        world.write("Another comment", "web.yaml", changed)
        report = await world.run()
        assert note(report, "refreshed").reason == "it conflicts with its base"
        assert world.file("web.yaml", world.branch(1)) == changed.replace("1.4.0", "1.4.1").rstrip()
        assert not (await world.run()).changed


async def test_an_obsolete_request_is_closed_with_the_reason(tmp_path: Path) -> None:
    async with World.of(tmp_path, ONE, TAGS) as world:
        await world.run()
        world.write("By hand", "web.yaml", pod(f"{IMAGE}:1.4.1") + "---\n")
        report = await world.run()
        assert note(report, "closed").reason == "web.yaml says 1.4.1 already"
        assert world.states() == {1: "closed"}


async def test_a_forged_branch_does_not_land(tmp_path: Path) -> None:
    """Somebody writes more into the branch under Tagboat's own name, and the record along with it."""
    files = {".tagboat.yaml": "rules: [{automerge: true}]\n", **ONE}
    async with World.of(tmp_path, files, TAGS, "mode: propose\n") as world:
        await world.run()
        branch, repo = world.branch(1), world.repo
        repo.checkout(branch)
        (repo.work / "evil.yaml").write_text("evil: true\n")
        repo.person("add", "-A")
        tree, parent = repo.person("write-tree"), repo.person("rev-parse", "HEAD^")
        commit = repo.person("cat-file", "-p", "HEAD").splitlines()
        raw = "\n".join([f"tree {tree}", f"parent {parent}", *commit[2:]]) + "\n"
        forged = repo.person("hash-object", "-t", "commit", "-w", "--stdin", stdin=raw.encode())
        repo.person("reset", "-q", "--hard", forged)
        repo.person("push", "-q", "-f", "origin", f"HEAD:{branch}")
        record = repo.git("cat-file", "-p", "refs/tagboat/requests/1").replace(world.records()[1]["head"], forged)
        blob = repo.path / "forged"
        blob.write_text(record + "\n")
        repo.git("update-ref", "refs/tagboat/requests/1", repo.git("hash-object", "-w", str(blob)))
        assert "tagboat <tagboat@localhost>" in repo.git("log", "-1", "--format=%cn <%ce>", branch)
        world.extra = ""
        report = await world.run()
        assert "evil.yaml, which is not part of the update" in note(report, "blocked").reason
        assert world.headlines() == ["First commit"]
