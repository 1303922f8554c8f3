"""Stopped at any point between two writes on GitHub, the next run ends where an undisturbed one does: nothing is there twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.forges.base import Landed, Landing, Standing
from bot.forges.github.forge import FAULT_POINTS, GitHubForge
from bot.forges.github.people import missing, split
from bot.forges.github.queries import TEMPORARY
from rules.records import written_of
from tests.bot.forges.github.world import BRANCH, LANDING, World, head_of, wish, world

FULL = wish(labels=("images",), reviewers=("ada",), assignees=("ada",))
NEWER = wish("1.2.0", labels=("images", "dev"), reviewers=("ada",), assignees=("ada",))
STANDING = Standing("wait", "not finished: ci/test")
REQUIRED = {"requiresStatusChecks": True, "requiredStatusChecks": [{"context": "ci/test", "app": None}]}


class Killed(BaseException):
    """Nothing in the program catches it, as nothing catches a kill."""


async def act(forge: GitHubForge, action: str) -> None:
    """A pass: look, and do what is left to do."""
    look = await forge.look()
    base = look.heads["main"]
    request = next((one for one in look.requests if one.state == "open"), None)
    match action:
        case "open":
            if not look.requests:
                await forge.open(FULL, base)
            elif request and written_of(request.body) != written_of(FULL.body):
                await forge.refresh(request, FULL, base, rewrite=False)
        case "refresh":
            assert request is not None
            if request.record is None or request.record.fingerprint != NEWER.fingerprint:
                await forge.refresh(request, NEWER, base, rewrite=True)
        case "close":
            if request:
                await forge.close(request, "nothing left to update")
        case "merge":
            if request:
                await forge.merge(request, Landing("squash", LANDING, request.head))
        case "comment":
            assert request is not None
            await forge.comment(request, "Waiting.")
        case "show":
            assert request is not None
            await forge.show(request, STANDING)
        case "push":
            if not any(commit.ours for commit in await forge.history("main", ["app.yaml"])):
                await forge.push(FULL, base, LANDING)


ACTIONS = ("open", "refresh", "close", "merge", "comment", "show", "push")


def points_of(action: str) -> list[str]:
    """The points that lie on an action's way."""
    others = {"open": ("people",), "refresh": ("people:labels", "auto:off"), "close": ("comment",)}.get(action, ())
    return [point for point in FAULT_POINTS if point.startswith((f"{action}:", *others))]


async def prepared(w: World, action: str) -> None:
    w.repo.allow_auto_merge = True
    if action in ("open", "push"):
        return
    forge = await w.installed()
    await forge.open(FULL, await head_of(forge))
    if action == "refresh":
        w.repo.classic["main"] = REQUIRED
        request = (await forge.look()).requests[0]
        assert await forge.merge(request, Landing("squash", LANDING, request.head, auto=True)) == Landed(None)


def seen(w: World) -> object:
    """All that is there afterwards."""
    trees = {name: w.repo.git.commit(oid).tree for name, oid in w.repo.git.refs().items()}
    pulls = [
        (p.number, p.state, p.title, p.body, p.labels, p.assignees, p.reviewers, [c.body for c in p.comments], p.auto_merge)
        for p in w.repo.pulls.values()
    ]
    checks = [[run.external_id for run in runs] for runs in w.repo.checks.values()]
    return trees, pulls, checks, len(w.repo.git.log("main"))


async def host_forge(w: World, fault: Callable[[str], None]) -> GitHubForge:
    forge = await w.installed()
    return GitHubForge(forge.name, forge.wire, is_app=True, fault=fault)


def test_every_point_lies_on_some_way() -> None:
    assert {point for action in ACTIONS for point in points_of(action)} == set(FAULT_POINTS)


@pytest.mark.parametrize(("action", "point"), [(action, point) for action in ACTIONS for point in points_of(action)])
async def test_stopped_at_a_point(tmp_path: Path, action: str, point: str) -> None:
    async with world(tmp_path / "calm") as calm:
        await prepared(calm, action)
        await act(await calm.installed(), action)
        await (await calm.installed()).look()
        expected = seen(calm)
    async with world(tmp_path / "killed") as w:
        await prepared(w, action)

        def fault(reached: str) -> None:
            if reached == point:
                raise Killed

        with pytest.raises(Killed):
            await act(await host_forge(w, fault), action)
        await act(await w.installed(), action)
        await act(await w.installed(), action)
        await (await w.installed()).look()
        assert seen(w) == expected


async def test_a_crash_leaves_no_branch_beside(tmp_path: Path) -> None:
    """The wish went away after the crash, so nobody uses the branch that was to take the other's place: a look clears it."""
    async with world(tmp_path) as w:
        await prepared(w, "refresh")

        def fault(reached: str) -> None:
            if reached == "refresh:commit":
                raise Killed

        with pytest.raises(Killed):
            await act(await host_forge(w, fault), "refresh")
        assert w.branches == ["main", BRANCH, BRANCH + TEMPORARY]
        w.server.take()
        forge = await w.installed()
        await forge.look()
        assert w.branches == ["main", BRANCH]
        w.server.take()
        await forge.look()
        assert w.server.take() == ["Look"]


async def test_leftovers_that_may_not_be_deleted_are_asked_for_once(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        forge = await w.installed()
        base = await head_of(forge)
        w.repo.git.set_ref(f"refs/heads/{BRANCH}{TEMPORARY}", base)
        w.repo.locked_branches.add(BRANCH + TEMPORARY)
        await forge.look()
        w.server.take()
        await forge.look()
        assert w.server.take() == ["Look"]


async def test_two_at_once_open_one_request(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        forges = [await w.installed() for _ in range(2)]
        bases = [await head_of(forge) for forge in forges]
        results = await asyncio.gather(
            *(forge.open(wish(), base) for forge, base in zip(forges, bases, strict=True)), return_exceptions=True
        )
        if any(isinstance(result, BaseException) for result in results):
            await act(await w.installed(), "open")
        assert len(w.repo.pulls) == 1
        assert w.branches == ["main", BRANCH]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("ada", "acme/platform", "@eve", "@acme/ops"), (["ada", "eve"], ["platform", "ops"])),
        ((), ([], [])),
    ],
)
def test_people_and_teams(names: tuple[str, ...], expected: tuple[list[str], list[str]]) -> None:
    assert split(names) == expected


def test_names_know_no_upper_and_lower_case() -> None:
    assert missing(("Ada", "bob"), ("ada",)) == ["bob"]
