"""Left to GitHub's own auto-merge, over sockets: asked for once, landed by GitHub, and taken back as soon as it may not stay."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from bot.report import Report
from tests.stories.github.world import REQUIRED, World
from tests.stories.world import kinds, note, pod

NATIVE = 'rules: [{match: {paths: ["dev/**"]}, automerge: {native: true}}]\n'
FILES = {".tagboat.yaml": NATIVE, "dev/web.yaml": pod("HOST/acme/web:1.4.0")}
TAGS = {"acme/web": ["1.4.0", "1.4.1"]}
TITLE = "Update acme/web from 1.4.0 to 1.4.1"
LEFT = "not finished: ci/test; GitHub lands it by its own auto-merge"
OFF = "GitHub's own auto-merge was taken off it: what it was left to that for does not hold any more"


@asynccontextmanager
async def opened(folder: Path, extra: str = "", rules: str = NATIVE) -> AsyncIterator[World]:
    """A request whose required check runs."""
    async with World.of(folder, FILES | {".tagboat.yaml": rules}, TAGS, extra) as world:
        world.repo.classic["main"] = REQUIRED
        world.repo.allow_auto_merge = True
        await world.run()
        world.check(None)
        yield world


@asynccontextmanager
async def left(folder: Path) -> AsyncIterator[World]:
    """A request that is left to GitHub."""
    async with opened(folder) as world:
        assert note(await world.run(), "waiting").reason == LEFT
        assert world.pull().auto_merge is not None
        yield world


async def history(world: World, *kinds: str) -> list[tuple[str, str]]:
    async with world.app() as app:
        events = await app.ledger.history("acme/gitops", kinds=kinds)  # type: ignore[arg-type]
    return [(event.kind, str(event.detail["reason"])) for event in reversed(events)]


async def test_it_lands_in_the_moment_in_which_its_checks_pass_with_our_words(tmp_path: Path) -> None:
    async with left(tmp_path) as world:
        (own,) = [run for run in world.repo.checks[world.pull().head_oid] if run.name == "tagboat"]
        assert LEFT in str(own.output)
        world.check()
        assert world.states() == {1: "merged"}
        assert world.headlines() == [f"{TITLE} (#1)", "First commit"]
        assert "Tagboat-Image:" in world.repo.git.commit(world.pull().merge_commit or "").message
        report = await world.run()
        assert note(report, "landed").reason == "it was left to GitHub's own auto-merge, and has landed"
        assert "landed" not in kinds(await world.run())
        assert world.branches == ["main"]
        assert await history(world, "auto", "landed") == [
            ("auto", "left to GitHub's own auto-merge"),
            ("landed", "it was left to GitHub's own auto-merge, and has landed"),
        ]


async def test_it_is_asked_for_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as world, world.app() as app:

        async def asked() -> list[str]:
            world.github.take()
            [report] = [report async for report in app.run_all()]
            assert not report.failed
            found = [one for one in world.github.take() if not one.startswith(("GET /app", "POST /app", "GET /installation"))]
            return [
                one.partition("/git/")[2].partition("/")[0] or one.partition("/repos/{owner}/{repo}/")[2] or one for one in found
            ]

        first = await asked()
        assert (first[0], first[-2:]) == ("Look", ["AutoMerge", "check-runs"])
        assert await asked() == ["Look"]
        assert await asked() == ["Look"]


async def test_a_landing_by_github_is_held_when_a_person_takes_it_back(tmp_path: Path) -> None:
    async with left(tmp_path) as world:
        world.check()
        await world.run()
        world.later(hours=1)
        world.repo.files.checkout("main")
        world.repo.files.person("revert", "--no-edit", "HEAD")
        world.repo.files.person("push", "-q", "origin", "main")
        assert "went back to 1.4.0" in note(await world.run(), "left").reason


def push(world: World) -> None:
    world.write("dev/web.yaml", pod("HOST/acme/web:evil"), branch=world.pull().head)


def rule(text: str) -> Callable[[World], None]:
    return lambda world: void(world.write(".tagboat.yaml", NATIVE.replace("{native: true}", text)))


def void(_: object) -> None:
    pass


def mode(world: World) -> None:
    world.extra = "mode: propose\n"


def no_file(world: World) -> None:
    world.repo.files.checkout("main")
    world.repo.files.person("rm", "-q", ".tagboat.yaml")
    world.repo.files.person("commit", "-qm", "No file")
    world.repo.files.person("push", "-q", "origin", "main")


ACTS: dict[str, Callable[[World], None]] = {
    "a person pushed": push,
    "a person held it": lambda world: world.say("@tagboat hold wait for the talk"),
    "a label switches it off": lambda world: world.pull().labels.add("tagboat:disabled"),
    "its title says no": lambda world: setattr(world.pull(), "title", "WIP: not now"),
    "it is a draft": lambda world: setattr(world.pull(), "draft", True),
    "a writer asked for changes": lambda world: world.github.world.review(world.repo, 1, "ada", "CHANGES_REQUESTED"),
    "a freeze": lambda world: void(world.write(".tagboat.yaml", f"{NATIVE}freeze: [{{from: 2026-03-01, to: 2026-03-09}}]\n")),
    "a freeze to come": lambda world: void(
        world.write(".tagboat.yaml", f"{NATIVE}freeze: [{{from: 2026-12-20, to: 2027-01-05}}]\n")
    ),
    "a marker for every landing": lambda world: void(world.write(".tagboat.yaml", f'{NATIVE}commits: {{marker: "skip-ci:"}}\n')),
    "the file is broken": lambda world: void(world.write(".tagboat.yaml", "rules: [{autmerge: true}]\n")),
    "the operator only proposes": mode,
    "the repository forbids it": lambda world: setattr(world.repo, "allow_auto_merge", False),
    "nothing is required any more": lambda world: void(world.repo.classic.clear()),
    "the base has a queue": lambda world: void(world.repo.rules.update(main=[{"type": "MERGE_QUEUE", "parameters": None}])),
}


# A request that lands in another way is another request: the old one is closed.
OTHERS: dict[str, Callable[[World], None]] = {
    "the rule has a gate": rule('{native: true, schedule: "Mon-Fri 08:00-17:00"}'),
    "the rule wants every check": rule("{native: true, all_checks: true}"),
    "the rule lost the key": rule("{min_pr_age: 1h}"),
    "nothing lands by rule any more": rule("false"),
    "the file is gone": no_file,
}


@pytest.mark.parametrize("act", ACTS)
async def test_it_is_taken_back_when_it_may_not_stay(tmp_path: Path, act: str) -> None:
    async with left(tmp_path) as world:
        ACTS[act](world)
        report = await world.run()
        assert world.pull().auto_merge is None
        assert any(one.reason == OFF for one in report.of("left"))
        assert (await history(world, "auto"))[-1] == ("auto", OFF)
        world.check()
        assert world.states()[1] == "open", "GitHub has nothing to land"
        await world.run()
        assert world.pull().auto_merge is None
        assert "evil" not in world.file("dev/web.yaml")


@pytest.mark.parametrize("act", OTHERS)
async def test_it_is_taken_back_with_the_rule_that_left_it(tmp_path: Path, act: str) -> None:
    async with left(tmp_path) as world:
        OTHERS[act](world)
        world.github.take()
        await world.run()
        assert world.pull().auto_merge is None
        asked = world.github.take()
        assert asked.index("NoAutoMerge") < asked.index("PATCH /repos/{owner}/{repo}/pulls/{number}")
        assert asked.count("NoAutoMerge") == 1
        assert world.states()[1] == "closed"
        world.check()
        assert world.headlines()[0] != f"{TITLE} (#1)"


async def test_it_is_taken_back_when_the_registry_cannot_be_read(tmp_path: Path) -> None:
    async with left(tmp_path) as world:
        await world.registry.stop()
        await world.run()
        assert world.pull().auto_merge is None
        world.check()
        assert world.states() == {1: "open"}


async def test_while_the_operator_only_observes_it_is_said_and_not_done(tmp_path: Path) -> None:
    async with left(tmp_path) as world:
        world.extra = "mode: observe\n"
        report = await world.run()
        assert "take GitHub's own auto-merge off" in {one.reason for one in report.of("would")}
        assert world.pull().auto_merge is not None


async def test_a_newer_tag_takes_it_back_before_the_new_commit_and_asks_again(tmp_path: Path) -> None:
    async with left(tmp_path) as world:
        await world.push("acme/web", "1.4.2")
        world.github.take()
        await world.run()
        asked = world.github.take()
        assert asked.index("NoAutoMerge") < asked.index("Commit")
        assert asked.count("NoAutoMerge") == 1
        assert world.pull().auto_merge is None
        world.check(None)
        await world.run()
        auto = world.pull().auto_merge
        assert auto is not None
        assert auto["headline"].endswith("to 1.4.2 (#1)")


async def test_what_a_person_left_to_github_stays_theirs(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        theirs = {"method": "SQUASH", "headline": None, "body": None, "by": world.github.world.account("ada")}
        world.pull().auto_merge = theirs
        for act in (void, ACTS["a freeze"], ACTS["a label switches it off"]):
            act(world)
            world.github.take()
            await world.run()
            assert not {"AutoMerge", "NoAutoMerge"} & set(world.github.take())
            assert world.pull().auto_merge is theirs


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        pytest.param(NATIVE.replace("native: true", "native: true, all_checks: true"), "(all_checks)", id="a gate of ours"),
        pytest.param(f"{NATIVE}freeze: [{{from: 2026-12-20, to: 2027-01-05}}]\n", "a freeze lies ahead", id="a freeze to come"),
        pytest.param(f'{NATIVE}commits: {{marker: "skip-ci:"}}\n', "carries a marker for CI", id="a marker"),
    ],
)
async def test_it_is_said_why_it_is_not_asked_for(tmp_path: Path, rules: str, why: str) -> None:
    async with opened(tmp_path, rules=rules) as world:
        reason = note(await world.run(), "waiting").reason
        assert reason.startswith("not finished: ci/test; GitHub's own auto-merge is not asked for: ")
        assert why in reason
        assert world.pull().auto_merge is None


async def test_without_the_key_it_is_never_asked_for(tmp_path: Path) -> None:
    async with opened(tmp_path, rules=NATIVE.replace("{native: true}", "true")) as world:
        assert note(await world.run(), "waiting").reason == "not finished: ci/test"
        assert world.pull().auto_merge is None


async def test_checks_that_pass_in_that_very_moment_are_landed_directly(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        world.fault = lambda point: world.check() if point == "before merge" else None
        report = await world.run()
        assert (world.states(), world.headlines()[0]) == ({1: "merged"}, f"{TITLE} (#1)")
        assert "passed when it was to be left" in note(report, "landed").reason


async def test_a_person_who_pushes_in_that_very_moment_is_not_landed(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        world.fault = lambda point: (
            push(world) if point == "before merge" and "evil" not in world.file("dev/web.yaml", world.pull().head) else None
        )
        await world.run()
        assert world.pull().auto_merge is None
        world.check()
        await world.run()
        assert world.states() == {1: "open"}


def forge(world: World) -> None:
    """Somebody who may write puts other content into our own commit: its author and its trailers stay ours."""
    world.repo.files.checkout(world.pull().head)
    text = pod("HOST/acme/web:evil").replace("HOST", world.registry.host)
    (world.repo.files.work / "dev" / "web.yaml").write_text(text)
    world.repo.files.person("commit", "-q", "-a", "--amend", "--no-edit")
    world.repo.files.person("push", "-q", "--force", "origin", f"HEAD:refs/heads/{world.pull().head}")


async def test_what_looks_like_ours_and_is_not_is_never_left_to_github(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        forge(world)
        reason = note(await world.run(), "waiting").reason
        assert reason.endswith("not asked for: its branch has something else in dev/web.yaml than the update writes")
        assert world.pull().auto_merge is None


async def test_what_looks_like_ours_and_is_not_is_taken_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as world, world.app() as app:

        async def run() -> None:
            assert [report.failed async for report in app.run_all()] == [False]

        await run()
        assert world.pull().auto_merge is not None
        forge(world)
        await run()
        assert world.pull().auto_merge is None
        world.check()
        await run()
        assert world.states() == {1: "open"}


class Killed(BaseException):
    """Nothing in the program catches it."""


@pytest.mark.parametrize("point", ["before merge", "merge:landed", "after merge", "after record", "auto:off"])
async def test_killed_at_any_point_it_is_left_once_taken_back_once_and_told_once(tmp_path: Path, point: str) -> None:
    async with opened(tmp_path) as world:
        reached: list[str] = []

        def fault(name: str) -> None:
            reached.append(name)
            if name == point and reached.count(point) == 1:
                raise Killed

        async def life() -> Report:
            for _ in range(2):
                await world.run()
            if world.pull().state == "OPEN" and "tagboat:disabled" not in world.pull().labels:
                world.pull().labels.add("tagboat:disabled")
            await world.run()
            assert world.pull().auto_merge is None
            world.pull().labels.clear()
            await world.run()
            assert world.pull().auto_merge is not None
            world.check()
            return await world.run()

        world.fault = fault
        with pytest.raises(Killed):
            await life()
        world.pull().labels.clear()
        await life()
        assert (world.states(), world.headlines()) == ({1: "merged"}, [f"{TITLE} (#1)", "First commit"])
        told = await history(world, "auto", "landed")
        assert [kind for kind, _ in told].count("landed") == 1
        assert told[-1] == ("landed", "it was left to GitHub's own auto-merge, and has landed")
        both = [reason for kind, reason in told if kind == "auto"]
        assert all(one != other for one, other in pairwise(both)), "never said twice in a row"
