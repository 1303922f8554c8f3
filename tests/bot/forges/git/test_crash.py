"""Killed at any point, the next run of the git forge ends where an undisturbed one does; two at once agree."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from bot.forges.git.forge import FAULT_POINTS, GitForge
from tests.bot.forges.git.wishes import BRANCH, NOW, head_of, wish
from tests.conftest import ROOT
from tests.servers.git_repo import GitRepo

ACTIONS = ("open", "refresh", "close", "merge", "push", "look")


async def child(*args: str, kill_after: float | None = None) -> tuple[int, str]:
    """Run the child; its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bot.forges.git.child",
        *args,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    if kill_after is not None:
        await asyncio.sleep(kill_after)
        if process.returncode is None:
            os.kill(process.pid, signal.SIGKILL)
    out, _ = await process.communicate()
    return await process.wait(), out.decode()


async def prepared(folder: Path, action: str) -> GitRepo:
    """A repository in which the action has something to do."""
    repo = GitRepo(folder)
    if action not in ("open", "push"):
        forge = GitForge(repo.url, cache=folder / "other cache", now=lambda: NOW)
        await forge.open(wish("1.1.0"), await head_of(forge))
    if action == "look":
        repo.person("push", "-q", "origin", f":refs/heads/{BRANCH}")
    return repo


def test_every_action_has_its_points() -> None:
    assert {point.partition(":")[0] for point in FAULT_POINTS} == set(ACTIONS)


@pytest.mark.parametrize("point", FAULT_POINTS)
async def test_killed_at_a_point(tmp_path: Path, point: str) -> None:
    action = point.partition(":")[0]
    calm = await prepared(tmp_path / "repo", action)
    shutil.copytree(calm.path, tmp_path / "twin.git")
    code, printed = await child(calm.url, str(tmp_path / "cache"), action)
    assert code == 0
    twin = f"file://{tmp_path}/twin.git"
    assert (await child(twin, str(tmp_path / "cache"), action, point))[0] == -signal.SIGKILL
    assert await child(twin, str(tmp_path / "cache"), action, "") == (0, printed)
    undisturbed = calm.refs()
    calm.path = tmp_path / "twin.git"
    assert calm.refs() == undisturbed


@pytest.mark.parametrize("milliseconds", [300, 380, 460, 540])
async def test_killed_at_a_moment(tmp_path: Path, milliseconds: int) -> None:
    calm = await prepared(tmp_path / "repo", "open")
    shutil.copytree(calm.path, tmp_path / "twin.git")
    await child(calm.url, str(tmp_path / "cache"), "open")
    twin = f"file://{tmp_path}/twin.git"
    await child(twin, str(tmp_path / "cache"), "open", kill_after=milliseconds / 1000)
    assert await child(twin, str(tmp_path / "cache"), "open") == (0, "[(1, 'open')]\n")
    undisturbed = calm.refs()
    calm.path = tmp_path / "twin.git"
    assert calm.refs() == undisturbed


@pytest.mark.parametrize("shared", [True, False], ids=["one cache", "a cache each"])
async def test_two_processes_open_one_request(tmp_path: Path, shared: bool) -> None:
    repo = await prepared(tmp_path / "repo", "open")
    caches = [str(tmp_path / ("cache" if shared else f"cache-{n}")) for n in range(2)]
    results = await asyncio.gather(*(child(repo.url, cache, "open") for cache in caches))
    assert results == [(0, "[(1, 'open')]\n")] * 2
    assert [ref for ref in repo.refs() if "tagboat" in ref] == [f"refs/heads/{BRANCH}", "refs/tagboat/requests/1"]


async def test_two_forges_open_one_request_and_number_two(tmp_path: Path) -> None:
    repo = GitRepo(tmp_path / "repo")
    forges = [GitForge(repo.url, cache=tmp_path / f"cache-{n}", now=lambda: NOW) for n in range(4)]
    bases = [await head_of(forge) for forge in forges]
    wishes = [wish(), wish(), wish(image="b", path="other.yaml"), wish(image="c", path="third.yaml")]
    requests = await asyncio.gather(*(forge.open(w, base) for forge, w, base in zip(forges, wishes, bases, strict=True)))
    assert requests[0].number == requests[1].number
    assert {request.number for request in requests} == {1, 2, 3}
    look = await forges[0].look()
    assert [(r.number, r.state, r.edited_by_person) for r in look.requests] == [(n, "open", False) for n in (1, 2, 3)]


async def test_a_cancelled_look_leaves_no_process_and_no_lock(tmp_path: Path) -> None:
    repo = GitRepo(tmp_path / "repo")
    hook = tmp_path / "slow"
    hook.write_text("#!/bin/sh\nsleep 30\n")
    hook.chmod(0o755)
    repo.git("config", "core.hooksPath", str(tmp_path))
    (tmp_path / "pre-receive").symlink_to(hook)
    forge = GitForge(repo.url, cache=tmp_path / "cache", now=lambda: NOW)
    base = await head_of(forge)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await forge.open(wish(), base)
    (tmp_path / "pre-receive").unlink()
    async with asyncio.timeout(5):
        assert (await forge.open(wish(), base)).number == 1
