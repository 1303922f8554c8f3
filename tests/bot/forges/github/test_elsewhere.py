"""Servers that are right and not like github.com: what GraphQL leaves out REST tells, and what nobody tells keeps nothing up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.forges.base import Moved, Standing
from bot.forges.github.answers import Forbidden, Missing, Refusal
from bot.forges.github.commits import Branch, Committer, Move
from bot.forges.github.forge import GitHubForge
from bot.forges.github.place import Place
from bot.forges.github.reduced import part, reviews_by_rest, rules_by_rest
from bot.forges.github.wire import Wire
from rules.merging import Protection, RequiredCheck
from rules.requests import PullRequest
from tests.bot.forges.github.world import World, head_of, wish, world

REQUIRED = {"requiresStatusChecks": True, "requiredStatusChecks": [{"context": "ci/test", "app": None}]}


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as found:
        yield found


async def opened(w: World) -> tuple[GitHubForge, PullRequest]:
    forge = await w.installed()
    await forge.open(wish(), await head_of(forge))
    return forge, (await forge.look()).requests[0]


class Said(Wire):
    """Answers every REST question with one thing."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked = answer, ""

    async def get(self, path: str, *, kept: bool = False) -> Any:
        self.asked = path
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def pages(self, path: str, *, under: str | None = None, limit: int = 50) -> AsyncIterator[Any]:
        for row in await self.get(path):
            yield row


@pytest.mark.parametrize(
    ("answer", "rules"),
    [([{"type": "update"}], [{"type": "update"}]), (Missing("no such address"), []), (Forbidden("not you", 403), None)],
    ids=["told", "a server without rulesets", "not for us"],
)
async def test_rules_by_rest(answer: Any, rules: Any) -> None:
    wire = Said(answer)
    assert await rules_by_rest(wire, "/repos/acme/gitops", "release/1.x") == rules
    assert (
        wire.asked
        == f"/repos/acme/gitops/rules/branches/{part('release/1.x')}"
        == "/repos/acme/gitops/rules/branches/release%2F1.x"
    )


def by(login: str, state: str, at: str, kind: str = "User") -> dict[str, Any]:
    return {"user": {"login": login, "type": kind}, "state": state, "submitted_at": at}


async def test_the_newest_opinion_of_everybody_by_rest() -> None:
    rows = [
        by("ada", "APPROVED", "2026-03-01T12:00:00Z"),
        by("bob", "CHANGES_REQUESTED", "2026-03-01T12:01:00Z"),
        by("ada", "CHANGES_REQUESTED", "2026-03-01T12:02:00Z"),
        by("ada", "COMMENTED", "2026-03-01T12:03:00Z"),
        by("bob", "DISMISSED", "2026-03-01T12:04:00Z"),
    ]
    found = await reviews_by_rest(Said(rows), "/repos/acme/gitops", 7)
    assert found is not None
    assert found["totalCount"] == 2
    assert {one["author"]["login"]: one["state"] for one in found["nodes"]} == {"ada": "CHANGES_REQUESTED", "bob": "DISMISSED"}
    assert await reviews_by_rest(Said(Missing("no such address")), "/repos/acme/gitops", 7) is None


async def test_reviews_that_graphql_does_not_tell(w: World) -> None:
    await opened(w)
    w.server.world.ungiven = frozenset({"latestOpinionatedReviews"})
    seen = (await (await w.installed()).look()).requests[0].readiness
    assert seen is not None
    assert (seen.complete, seen.reviews) == (False, ())  # this server has no such list in REST: not known, so nothing lands


@pytest.mark.parametrize("classic", [False, True], ids=["nothing", "classic protection"])
async def test_rulesets_that_graphql_does_not_tell(w: World, classic: bool) -> None:
    if classic:
        w.repo.classic["main"] = REQUIRED
    w.server.world.ungiven = frozenset({"rules"})
    demands = (await (await w.installed()).look()).project.protections["main"]
    wanted = Protection(classic, required_checks=(RequiredCheck("ci/test"),) if classic else ())
    assert demands == wanted


class OnlyRest(Wire):
    """A server that does not know `updateRefs`: its branches, and what was asked of it."""

    def __init__(self, **branches: str) -> None:
        self.branches, self.asked = branches, list[str]()

    async def query(self, document: str, **variables: Any) -> Any:
        oid = self.branches.get(variables["branch"])
        return {"repository": {"id": "R_1", "ref": {"target": {"oid": oid}} if oid else None}}, []

    async def mutate(self, document: str, *, again: bool = False, **variables: Any) -> Any:
        raise Refusal("Field 'updateRefs' doesn't exist on type 'Mutation'", 200, "undefinedField")

    async def write(self, method: str, path: str, data: Any = b"", *, again: bool = False) -> Any:
        name = path.partition("/heads/")[2] or data["ref"].removeprefix("refs/heads/")
        self.asked.append(f"{method} {name}")
        if method == "DELETE":
            del self.branches[name]
        else:
            self.branches[name] = data["sha"]


@pytest.mark.parametrize(
    ("moves", "asked", "after"),
    [
        ([Move("a", "1", "2"), Move("b", "2", None)], ["PATCH a", "DELETE b"], {"a": "2"}),
        ([Move("c", None, "3")], ["POST c"], {"a": "1", "b": "2", "c": "3"}),
        ([Move("a", "0", "1")], [], {"a": "1", "b": "2"}),
        ([Move("a", "0", "2")], None, {"a": "1", "b": "2"}),
        ([Move("b", "1", None)], None, {"a": "1", "b": "2"}),
    ],
    ids=["moved and deleted", "made", "done before", "moved by somebody", "not deleted where somebody moved it"],
)
async def test_a_server_whose_branches_move_only_by_rest(
    moves: list[Move], asked: list[str] | None, after: dict[str, str]
) -> None:
    wire = OnlyRest(a="1", b="2")
    committer = Committer(wire, Place("acme/gitops", id="R_1"))
    if asked is None:
        with pytest.raises(Refusal, match="not where it was"):
            await committer.move(*moves)
    else:
        await committer.move(*moves)
    assert (wire.branches, wire.asked) == (after, asked or [])


async def test_a_request_that_is_there_and_not_listed_yet(w: World, monkeypatch: pytest.MonkeyPatch) -> None:
    base = await head_of(w.forge())
    await w.forge().open(wish(), base)

    async def unlisted(self: Committer, name: str, base: str) -> Branch:
        return replace(await there(self, name, base), open=())

    there = Committer.branch
    monkeypatch.setattr(Committer, "branch", unlisted)
    with pytest.raises(Moved, match="not listed yet"):
        await w.forge().open(wish(), base)
    assert (len(w.repo.pulls), w.repo.pulls[1].state) == (1, "OPEN")


async def test_without_the_right_to_write_checks_nothing_is_in_trouble(w: World) -> None:
    forge, request = await opened(w)
    w.server.world.installations[11]["permissions"]["checks"] = "read"
    w.server.take()
    await forge.show(request, Standing("wait", "checks: pending"))
    assert w.server.take() == ["POST /repos/{owner}/{repo}/check-runs"]
    await forge.show(request, Standing("merge", "all is green"))
    assert w.server.take() == []
    w.server.world.installations[11]["permissions"]["checks"] = "write"
    w.hours.later(hours=1)
    await forge.show(request, Standing("merge", "all is green"))
    assert [run.conclusion for run in w.repo.checks[request.head]] == ["success"]
