"""Several base branches: each keeps its own requests, and a person can tell them apart."""

from __future__ import annotations

from pathlib import Path

from tests.stories.world import World, kinds, pod

IMAGE = "HOST/acme/web"
FILES = {".tagboat.yaml": "base_branches: [main, release]\n", "web.yaml": pod(f"{IMAGE}:1.4.0")}
UPDATE = "Update acme/web from 1.4.0 to 1.4.1"


async def test_the_requests_of_two_branches_have_titles_of_their_own(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, {"acme/web": ["1.4.0", "1.4.1"]}) as world:
        world.repo.person("push", "-q", "origin", "HEAD:release")
        await world.run()
        assert sorted(world.titles().values()) == [UPDATE, f"{UPDATE} on release"]
        branches = {number: world.branch(number) for number in world.titles()}
        assert not (await world.run()).changed

        # The other one is first now: the words of both change, once, and nothing else does.
        heads = {number: world.repo.head(f"refs/heads/{branch}") for number, branch in branches.items()}
        world.write("Turn them round", ".tagboat.yaml", "base_branches: [release, main]\n")
        assert kinds(await world.run()).count("refreshed") == 2
        assert sorted(world.titles().values()) == [UPDATE, f"{UPDATE} on main"]
        assert {number: world.branch(number) for number in world.titles()} == branches
        assert {number: world.repo.head(f"refs/heads/{branch}") for number, branch in branches.items()} == heads
        assert not (await world.run()).changed
