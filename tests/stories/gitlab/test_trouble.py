"""GitLab has trouble, or makes some: limits, 5xx, tokens that run out. A pass that was cut off is completed by the next."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest

from bot.forges.gitlab.talk import FAULT_POINTS as TALK_POINTS
from bot.forges.gitlab.writing import FAULT_POINTS as WRITE_POINTS
from bot.passes.acting import FAULT_POINTS
from tests.servers.gitlab import Rule, drop, limited, status
from tests.servers.gitlab.rules import Act
from tests.stories.gitlab.world import World
from tests.stories.world import DEV_LANDS, kinds, note, pod

FILES = {".tagboat.yaml": DEV_LANDS, "dev/web.yaml": pod("HOST/acme/web:1.4.0"), "prod/web.yaml": pod("HOST/acme/web:1.4.0")}
TAGS = {"acme/web": ["1.4.0", "1.4.1"]}
MUST = {"only_allow_merge_if_pipeline_succeeds": True}


async def test_a_rate_limit_ends_the_pass_and_says_when_to_come_back(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS) as world:
        world.gitlab.rules.append(Rule("GET", "/merge_requests$", limited(600)))
        report = await world.run()
        trouble = note(report, "trouble")
        assert "limits" in trouble.reason
        assert trouble.wake is not None
        assert not (await world.run()).failed
        assert len(world.titles()) == 2


async def test_a_short_limit_is_waited_for(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS) as world:
        world.gitlab.rules.append(Rule("POST", "/commits$", limited(1)))
        assert not (await world.run()).failed
        assert len(world.titles()) == 2


@pytest.mark.parametrize("pattern", ["^/projects/(acme/gitops|[0-9]+)$", "/branches/", "/merge_requests$", "/tree$", "/blobs/"])
async def test_a_gitlab_that_cannot_be_read_changes_nothing(tmp_path: Path, pattern: str) -> None:
    async with World.of(tmp_path, FILES, TAGS) as world:
        await world.run()
        await world.push("acme/web", "1.4.2")
        world.write("other.yaml", "apiVersion: v1\nkind: ConfigMap\n")  # so that there is a tree that was not read before
        before = (world.titles(), world.project.repo.branches())
        world.gitlab.rules.append(Rule("GET", pattern, status(502), times=-1))
        report = await world.run()
        assert report.failed
        assert (world.titles(), world.project.repo.branches()) == before
        world.gitlab.rules.clear()
        assert kinds(await world.run()).count("refreshed") == 2


async def test_a_token_that_expired_is_said_plainly(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS) as world:
        await world.run()
        world.gitlab.tokens[world.token].expires_at = world.now().date() - timedelta(days=1)
        assert "expired or was revoked" in note(await world.run(), "trouble").reason
        world.token = world.gitlab.token(world.gitlab.bot(world.project))
        assert not (await world.run()).failed


async def test_a_token_that_may_only_read_is_said_plainly(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS) as world:
        world.gitlab.tokens[world.token].scopes = ("read_api",)
        reasons = [one.reason for one in (await world.run()).notes if one.kind == "trouble"]
        assert len(reasons) == 2
        assert all("needs `api`" in reason for reason in reasons)


class Killed(BaseException):
    """The process ends here."""


def seen(world: World) -> dict[str, object]:
    """How it all stands, without times, ids, and the port of the registry."""
    repo, merges = world.project.repo, world.project.merges.values()

    def plain(text: object) -> str:
        return str(text).replace(world.registry.host, "HOST")

    def files(ref: str) -> list[str]:
        return [plain(repo.blob(oid).decode()) for _, kind, oid in repo.tree(ref).values() if kind == "blob"]

    return {
        "requests": sorted(
            (plain(one.title), one.state, len(world.notes(one.iid)) <= 1, files(one.source) if one.state == "opened" else [])
            for one in merges
        ),
        "main": (files("main"), sorted(plain(repo.info(one)["message"]).partition(" (!")[0] for one in repo.log("main"))),
        "branches": len(repo.branches()),
    }


async def story(world: World) -> None:
    """Opened, passed, landed; a newer tag; a request that nobody needs any more. Each pass is run until it can do no more."""

    async def passes() -> None:
        for _ in range(3):
            with contextlib.suppress(Killed):
                await world.run()

    await passes()
    await world.push("acme/web", "1.4.2")
    await passes()
    world.write("prod/web.yaml", pod("HOST/acme/web:1.4.2"))
    await passes()


async def told(folder: Path, dies_at: str | None = None, rule: Rule | None = None) -> tuple[dict[str, object], bool]:
    """How the story ends, and whether it was disturbed."""
    disturbed = False

    def fault(point: str) -> None:
        nonlocal disturbed
        if point == dies_at and not disturbed:
            disturbed = True
            raise Killed

    async with World.of(folder, FILES, TAGS, ci="request", **MUST) as world:
        world.fault = fault
        if rule is not None:
            world.gitlab.rules.append(rule)
        await story(world)
        return seen(world), disturbed or (rule is not None and rule.times == 0)


# Nothing is pushed straight to a branch in this story, there is no dashboard, and nothing is left to GitLab (test_native.py).
_ELSEWHERE = {"before push", "after push", "push:done", "dashboard:made", "auto:off"}
POINTS = [point for point in (*FAULT_POINTS, *WRITE_POINTS, *TALK_POINTS) if point not in _ELSEWHERE]


@pytest.fixture(scope="module")
def expected() -> dict[str, object]:
    """How it ends where nothing goes wrong: told once."""
    with tempfile.TemporaryDirectory() as folder:
        found, _ = asyncio.run(told(Path(folder)))
        return found


def test_the_story_itself(expected: dict[str, object]) -> None:
    assert [(title, state) for title, state, *_ in expected["requests"]] == [  # type: ignore[attr-defined]
        ("Update HOST/acme/web from 1.4.0 to 1.4.1 in dev", "merged"),
        ("Update HOST/acme/web from 1.4.0 to 1.4.2 in prod", "closed"),
        ("Update HOST/acme/web from 1.4.1 to 1.4.2 in dev", "merged"),
    ]
    assert expected["branches"] == 1


@pytest.mark.parametrize("point", POINTS)
async def test_killed_anywhere_it_ends_as_if_nothing_had_been(tmp_path: Path, point: str, expected: dict[str, object]) -> None:
    found, disturbed = await told(tmp_path, dies_at=point)
    assert disturbed
    assert found == expected


WRITES = [
    "POST .*/commits$",
    "POST .*/merge_requests$",
    "PUT .*/merge$",
    "PUT .*/merge_requests/[0-9]+$",
    "POST .*/notes$",
    "DELETE .*",
]
FAULTS: dict[str, tuple[Act, bool]] = {
    "502 before": (status(502), False),
    "502 after": (status(502), True),
    "no answer": (drop, True),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("write", WRITES)
async def test_trouble_in_the_middle_of_a_write(tmp_path: Path, write: str, fault: str, expected: dict[str, object]) -> None:
    method, _, pattern = write.partition(" ")
    act, after = FAULTS[fault]
    found, disturbed = await told(tmp_path, rule=Rule(method, pattern, act, after=after))
    assert disturbed
    assert found == expected
