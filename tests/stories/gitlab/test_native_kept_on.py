"""What is left to GitLab's own auto-merge is taken back in trouble too: a failed closing, a request that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers.gitlab import Rule, status
from tests.stories.gitlab.test_native import NATIVE, left
from tests.stories.gitlab.world import World


def no_rule(world: World) -> None:
    world.write(".tagboat.yaml", NATIVE.replace("{native: true}", "false"))
    world.gitlab.rules.append(Rule("PUT", "/merge_requests/1$", status(500), times=40))
    world.gitlab.rules.append(Rule("POST", "/notes$", status(500), times=40))
    world.gitlab.rules.append(Rule("PUT", "/notes/", status(500), times=40))


def no_facts(world: World) -> None:
    world.merge().labels.append("tagboat:disabled")
    world.gitlab.rules.append(Rule("GET", "/merge_requests/1/approvals$", status(500), times=40))


@pytest.mark.parametrize("act", [no_rule, no_facts])
async def test_it_is_taken_back_in_trouble(tmp_path: Path, act: object) -> None:
    async with left(tmp_path) as world:
        assert callable(act)
        act(world)
        await world.run()
        assert world.states()[1] == "opened"
        assert world.merge().auto is None
