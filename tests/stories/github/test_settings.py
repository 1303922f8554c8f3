"""A person changes `.tagboat.yaml` in a pull request: what is wrong is said there, once, and nothing of it counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.passes import running
from bot.reading.recalling import Recorded
from bot.state import standings
from tests.stories.github.world import REQUIRED, World
from tests.stories.world import DEV_LANDS, kinds, pod

FILES = {".tagboat.yaml": DEV_LANDS, "dev/web.yaml": pod("HOST/acme/web:1.4.0")}
TAGS = {"acme/web": ["1.4.0"]}
WRONG = "rules:\n  - {polcy: semver}\n  - {policy: newest, tags: '(a'}\n"


def propose(world: World, text: str, branch: str = "mine", number: int = 1, fork: str = "") -> None:
    if branch not in world.branches:
        world.repo.git.set_ref(f"refs/heads/{branch}", world.repo.head("main") or "")
    world.write(".tagboat.yaml", text, branch=branch)
    if number not in world.repo.pulls:
        world.github.rest.add_pull(world.repo, "ada", branch, "main", "Change the rules", head_repo=fork)


def said(world: World, number: int = 1) -> list[tuple[str | None, str]]:
    runs = world.repo.checks.get(world.pull(number).head_oid, [])
    return [(run.conclusion, f"{run.output['title']}\n{run.output['summary']}") for run in runs if run.name == "tagboat settings"]


async def test_what_is_wrong_is_said_once_for_each_head(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS) as world:
        propose(world, WRONG)
        async with world.app() as app:
            for _ in range(2):
                world.github.take()
                [_] = [report async for report in app.run_all()]
            assert [one for one in world.github.take() if "installation" not in one] == ["Look"]
        await world.run()  # a process that remembers nothing
        [(conclusion, text)] = said(world)
        assert conclusion == "failure"
        assert "2 things to mend" in text
        assert ".tagboat.yaml:2" in text
        propose(world, DEV_LANDS + "dashboard_issue: true\n")
        await world.run()
        assert [(conclusion, text.partition("\n")[0]) for conclusion, text in said(world)] == [
            ("success", ".tagboat.yaml can be read")
        ]


@pytest.mark.parametrize("on", ["POST /repos/{owner}/{repo}/check-runs", "GET /repos/{owner}/{repo}/commits/{ref}/check-runs"])
async def test_what_could_not_be_said_is_said_by_the_next_pass(tmp_path: Path, on: str) -> None:
    async with World.of(tmp_path, FILES, TAGS) as world, world.app() as app:
        propose(world, WRONG)
        propose(world, WRONG + "# also\n", branch="also", number=2)
        world.github.fail(on, status=500, times=4)
        [report] = [report async for report in app.run_all()]
        assert report.failed
        world.github.faults.clear()
        for _ in range(2):
            world.github.take()
            [_] = [report async for report in app.run_all()]
        assert [len(said(world, number)) for number in (1, 2)] == [1, 1]
        assert [one for one in world.github.take() if "installation" not in one] == ["Look"]


async def test_the_request_that_mends_a_broken_file_is_judged(tmp_path: Path) -> None:
    async with World.of(tmp_path, {**FILES, ".tagboat.yaml": WRONG}, TAGS) as world:
        propose(world, DEV_LANDS)
        report = await world.run()
        assert report.failed
        assert [conclusion for conclusion, _ in said(world)] == ["success"]


@pytest.mark.parametrize("case", ["other files", "a fork", "the same file", "without the right to write checks", "a token"])
async def test_where_nothing_is_said(tmp_path: Path, case: str) -> None:
    async with World.of(tmp_path, FILES, TAGS) as world:
        world.repo.classic["main"] = REQUIRED
        text = DEV_LANDS if case in ("other files", "the same file") else WRONG
        propose(world, text, fork="eve/gitops" if case == "a fork" else "")
        if case == "other files":
            world.write("README.md", "Words.\n", branch="mine")
        if case == "without the right to write checks":
            world.github.world.installations[11]["permissions"]["checks"] = "read"
        if case == "a token":
            world.github.world.token("hidden", "tagboat-user")
            (tmp_path / "token").write_text("hidden")
            world.login = 'token: {file: token}, repositories: ["acme/gitops"]'
        report = await world.run()
        assert not report.failed
        assert kinds(report) == []
        assert said(world) == []


async def test_hostile_settings_are_only_quoted(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS) as world:
        propose(world, '"@acme/all <b>x</b> ![](http://evil) [skip ci]": 1\n')
        await world.run()
        [(conclusion, text)] = said(world)
        assert conclusion == "failure"
        assert "@acme" not in text
        assert "<b>" not in text
        assert "[skip ci]" not in text


class TestPreview:
    """What a writer's change of the rules would do is told on their request, and nothing is done because of it."""

    async def test_what_would_change(self, tmp_path: Path) -> None:
        files = {**FILES, "prod/web.yaml": pod("HOST/acme/web:1.4.0"), "old/db.yaml": pod("HOST/acme/db:1.0.0")}
        tags = {"acme/web": ["1.4.0", "1.5.0"], "acme/db": ["1.0.0", "1.1.0"]}
        async with World.of(tmp_path, files, tags) as world:
            await world.run()
            before = world.titles()
            rules = '{match: {paths: ["prod/**"]}, automerge: true}, {match: {paths: ["old/**"]}, policy: none}'
            propose(world, f"rules: [{rules}]\n", number=9)
            await world.run()
            [(conclusion, text)] = said(world, max(world.repo.pulls))
            assert conclusion == "success"
            assert "a person lands it, where now it lands by rule" in text
            assert "it lands by rule, where now a person lands it" in text
            assert "would be closed: Update" in text
            assert "policy: none" in text
            assert world.titles().items() >= before.items()  # nothing of it was applied
            await world.run()  # a process that remembers nothing says nothing twice
            assert len(said(world, max(world.repo.pulls))) == 1

    async def test_a_file_that_changes_nothing(self, tmp_path: Path) -> None:
        async with World.of(tmp_path, FILES, {"acme/web": ["1.4.0", "1.5.0"]}) as world:
            propose(world, DEV_LANDS + "dashboard_issue: true\n")
            await world.run()
            [(_, text)] = said(world)
            assert "changes nothing" in text

    async def test_an_image_that_was_not_read_is_named_and_not_asked_for(self, tmp_path: Path) -> None:
        rules = DEV_LANDS.replace("rules: [", 'rules: [{match: {paths: ["old/**"]}, policy: none}, ')
        files = {**FILES, ".tagboat.yaml": rules, "old/db.yaml": pod("HOST/acme/db:1.0.0")}
        async with World.of(tmp_path, files, {"acme/web": ["1.4.0"], "acme/db": ["1.0.0", "1.1.0"]}) as world:
            world.registry.requests.clear()
            await world.run()
            usual = dict(world.registry.requests)
            assert usual
            propose(world, DEV_LANDS)
            world.registry.requests.clear()
            await world.run()
            [(_, text)] = said(world)
            assert "not looked at yet" in text
            assert "acme/db" in text
            assert "1.1.0" not in text
            assert all(count <= usual.get(what, 0) for what, count in world.registry.requests.items())

    async def test_it_is_told_anew_after_a_push(self, tmp_path: Path) -> None:
        async with World.of(tmp_path, FILES, {"acme/web": ["1.4.0", "1.5.0"]}) as world:
            propose(world, "rules: []\n")
            async with world.app() as app:
                [_] = [report async for report in app.run_all()]
                first = said(world)
                propose(world, "rules: [{policy: none}]\n")
                [_] = [report async for report in app.run_all()]
            assert first != said(world)

    async def test_it_writes_nothing_into_the_ledger(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        follow = '{match: {paths: ["prod/**"]}, policy: follow, follow: {from: "dev/**"}}'
        rules = f"rules: [{follow}]\n"
        files = {".tagboat.yaml": rules, "dev/web.yaml": pod("HOST/acme/web:1.5.0"), "prod/web.yaml": pod("HOST/acme/web:1.4.0")}
        noted: list[str] = []
        note = standings.note

        async def counted(ledger: Any, *args: Any, **more: Any) -> Any:
            noted.append("")
            return await note(ledger, *args, **more)

        monkeypatch.setattr(standings, "note", counted)
        async with World.of(tmp_path, files, {"acme/web": ["1.4.0", "1.5.0"]}) as world:
            propose(world, rules.replace('"}}', '", soak: 24h}}'))
            await world.run()
            [(_, text)] = said(world)
            assert "would be" in text
            assert len(noted) == 1

    @pytest.mark.parametrize("open_", [False, True])
    async def test_answers_are_kept_for_it_alone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_: bool) -> None:
        made: list[Recorded] = []
        monkeypatch.setattr(running, "Recorded", lambda *args: made.append(Recorded(*args)) or made[-1])
        async with World.of(tmp_path, FILES, {"acme/web": ["1.4.0", "1.5.0"]}) as world:
            if open_:
                propose(world, "rules: [{policy: none}]\n")
            async with world.app() as app:
                for _ in range(2):
                    [_] = [report async for report in app.run_all()]
        assert [bool(one.listed) for one in made] == [open_, False]

    async def test_a_fork_is_told_nothing(self, tmp_path: Path) -> None:
        async with World.of(tmp_path, FILES, {"acme/web": ["1.4.0", "1.5.0"]}) as world:
            propose(world, "rules: [{policy: none}]\n", fork="eve/gitops")
            await world.run()
            assert said(world) == []
