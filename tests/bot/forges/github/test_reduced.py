"""Servers that know less than github.com: what they do not give is not asked for again, and never taken for a yes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest
from graphql import build_schema, parse, validate

from bot.forges.base import Landed, Landing
from bot.forges.github import queries
from bot.forges.github.answers import Trouble
from bot.forges.github.reduced import fields_of, without
from tests.bot.forges.github.world import BRANCH, LANDING, World, head_of, wish, world
from tests.servers.github.judge import SDL, published

OPTIONAL = """
isDisabled isArchived isFork deleteBranchOnMerge squashMergeCommitTitle mergeCommitMessage refs rules object branchProtectionRule
assignees comments timelineItems fullDatabaseId externalId isMergeQueueEnabled reviewThreads mergeStateStatus mergeable
autoMergeAllowed updatedAt compare
""".split()  # noqa: SIM905


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as found:
        yield found


@pytest.mark.parametrize("how", ["unknown", "failing"])
@pytest.mark.parametrize("field", OPTIONAL)
async def test_a_field_that_a_server_does_not_give(w: World, field: str, how: Literal["unknown", "failing"]) -> None:
    forge = await w.installed()
    await forge.open(wish(), await head_of(forge))
    w.server.world.ungiven, w.server.world.ungiven_how = frozenset({field}), how
    other = await w.installed()
    for looking in (forge, other):
        seen = await looking.look()
        assert [(one.number, one.state, one.head) for one in seen.requests] == [(1, "open", w.repo.head(BRANCH))]
        assert list(seen.heads) == ["main"]
    w.server.take()
    await other.look()
    assert w.server.take()[0] == "Look"
    assert len(w.server.take()) == 0
    ready = (await other.look()).requests[0].readiness
    assert ready is not None
    match field:
        case "mergeable":
            assert (ready.mergeable, ready.conflict) == (None, None)
        case "mergeStateStatus":
            assert ready.merge_state is None
        case "compare":
            assert ready.behind_by is None
        case "reviewThreads":
            assert ready.unresolved_threads is None


@pytest.mark.parametrize(
    "names", [["isDisabled"], ["every"], ["rules", "refs"], ["headRef"], ["ref", "statusCheckRollup"], ["ended"]]
)
def test_what_is_left_is_valid(names: list[str]) -> None:
    github = build_schema(published(SDL).read_text(), assume_valid=True)
    for document in (queries.look(2, [[1], [2]], [3]), queries.look(1, None), queries.pulls([[1]], [2])):
        reduced = without(document, names)
        assert not any(re.search(rf"\b{name}\b(?!\w*:)", reduced.replace("$ref", "")) for name in names if name != "ref")
        assert [error.message for error in validate(github, parse(reduced))] == []


def test_which_fields_the_errors_are_about() -> None:
    troubles = [
        Trouble("", "Field 'rules' doesn't exist on type 'Ref'", ("query Look", "repository")),
        Trouble("", 'Cannot query field "refs" on type "Repository".'),
        Trouble("INTERNAL", "Something went wrong", ("repository", "pulls0", "nodes", 0, "mergeable")),
        Trouble("NOT_FOUND", "Could not resolve to a PullRequest", ("repository", "pull0_7")),
        Trouble("", "Something went wrong", ("repository", "nameWithOwner")),
    ]
    assert fields_of(troubles) == {"rules", "refs", "mergeable"}


async def test_a_server_that_deletes_only_by_rest(w: World) -> None:
    w.server.world.deletes_by_graphql = False
    forge = await w.installed()
    base = await head_of(forge)
    await forge.open(wish(), base)
    request = (await forge.look()).requests[0]
    second = await forge.refresh(request, wish("1.2.0"), base, rewrite=True)
    assert (w.branches, w.repo.head(BRANCH), w.repo.pulls[1].state) == (["main", BRANCH], second.head, "OPEN")
    assert isinstance(await forge.merge(second, Landing("squash", LANDING, second.head)), Landed)
    assert w.branches == ["main"]


async def test_a_server_that_does_not_say_who_we_are(w: World) -> None:
    w.server.world.ungiven, w.server.world.ungiven_how = frozenset({"viewer"}), "failing"
    forge = await w.installed()
    assert (await forge.look()).login == "tagboat[bot]"
    await forge.open(wish(), await head_of(forge))
    assert [one.number for one in (await (await w.installed()).look()).requests] == [1]
    by_token = w.forge()
    assert (await by_token.look()).login == "tagboat-user"
    await w.forge().comment((await forge.look()).requests[0], "Ours.")
    assert w.repo.pulls[1].comments[0].author.login == "tagboat-user"


async def test_a_branch_that_may_not_be_rewritten(w: World) -> None:
    forge = await w.installed()
    base = await head_of(forge)
    request = await forge.open(wish(), base)
    w.repo.locked_branches.add(BRANCH)
    with pytest.raises(Exception, match="does not let the branch"):
        await forge.refresh(request, wish("1.2.0"), base, rewrite=True)
    assert (w.branches, w.repo.head(BRANCH)) == (["main", BRANCH], request.head)
