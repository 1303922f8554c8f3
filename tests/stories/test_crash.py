"""Killed (-9) at any fault point of a pass, the next pass ends in the same state as one that nobody disturbed.

The world has something for every effect: a request to open and to land, one to refresh, one to close, one that a person closed,
and a commit that goes straight to the branch.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.forges.git import forge as git
from bot.passes import acting
from tests.conftest import ROOT
from tests.stories.world import World, pod

RULES = """\
rules:
  - match: {paths: ["dev/**"]}
    automerge: true
  - match: {paths: ["direct/**"]}
    delivery: push
"""
FILES = {
    ".tagboat.yaml": RULES,
    "dev/web.yaml": pod("HOST/acme/web:1.4.0"),
    "prod/web.yaml": pod("HOST/acme/web:1.4.0"),
    "prod/db.yaml": pod("HOST/acme/db:1.0.0"),
    "prod/cache.yaml": pod("HOST/acme/cache:7.0.0"),
    "direct/job.yaml": pod("HOST/acme/job:3.0.0"),
}
TAGS = {
    "acme/web": ["1.4.0", "1.4.1"],
    "acme/db": ["1.0.0", "1.0.1"],
    "acme/cache": ["7.0.0", "7.0.1"],
    "acme/job": ["3.0.0"],
}
POINTS = (*acting.FAULT_POINTS, *git.FAULT_POINTS)


@asynccontextmanager
async def prepared(folder: Path) -> AsyncIterator[World]:
    """The world before the pass that will be disturbed; what it stands on is kept in `before`."""
    async with World.of(folder, FILES, TAGS) as world:
        await world.run()
        branches = {
            record["title"].rpartition(" from ")[0].rpartition("/")[2]: record["branch"] for record in world.records().values()
        }
        await world.push("acme/web", "1.4.2")
        await world.push("acme/job", "3.0.1")
        await world.push("acme/db", "1.0.2")
        world.write("By hand", "prod/db.yaml", pod("HOST/acme/db:1.0.2"))
        world.repo.person("push", "-q", "origin", f":{branches['cache']}")
        world.later(hours=1)
        (folder / "app.yaml").write_text(world.app_yaml)
        for part in ("remote/gitops.git", "data"):
            shutil.copytree(folder / part, folder / "before" / part)
        yield world


def restore(folder: Path) -> None:
    for part in ("remote/gitops.git", "data"):
        shutil.rmtree(folder / part)
        shutil.copytree(folder / "before" / part, folder / part)


def kill_children(pid: int) -> bool:
    """Kill the children of a process; whether there was one."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    return bool(children)


@dataclass
class Child:
    """A process that makes a pass for each line that it reads."""

    process: asyncio.subprocess.Process

    @classmethod
    @asynccontextmanager
    async def of(cls, world: World) -> AsyncIterator[Child]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.stories.child", str(world.folder / "app.yaml"), world.now.isoformat(),
            cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            yield cls(process)
        finally:
            process.kill()
            await process.wait()

    async def run(self, point: str = "") -> tuple[int, list[str]]:
        """How a pass ended that was to die at this point, and the points that it came by."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{point}\n".encode())
        code, passed = json.loads(await self.process.stdout.readline())
        return code, passed


async def test_killed_at_each_point(tmp_path: Path) -> None:
    async with prepared(tmp_path) as world, Child.of(world) as child:
        code, passed = await child.run()
        assert code == 0
        assert set(POINTS) == set(passed), "the world has to come by every point"
        calm, titles = world.repo.refs(), world.titles()
        assert sorted(titles.values()) == ["Update acme/web from 1.4.0 to 1.4.2 in prod"]
        for point in POINTS:
            restore(tmp_path)
            assert (await child.run(point))[0] == -signal.SIGKILL, point
            assert (await child.run())[0] == 0, point
            assert world.repo.refs() == calm, point
            assert await child.run() == (0, []), f"after {point} a further pass still does something"


@pytest.mark.parametrize("milliseconds", [150, 300, 450])
async def test_killed_at_a_moment(tmp_path: Path, milliseconds: int) -> None:
    async with prepared(tmp_path) as world, Child.of(world) as child:
        assert (await child.run())[0] == 0
        calm = world.repo.refs()
        restore(tmp_path)
        victim = asyncio.create_task(child.run())
        await asyncio.sleep(milliseconds / 1000)
        killed = kill_children(child.process.pid)
        assert (await victim)[0] == (-signal.SIGKILL if killed else 0)
        assert (await child.run())[0] == 0
        assert world.repo.refs() == calm
