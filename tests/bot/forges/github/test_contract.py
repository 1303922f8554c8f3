"""Our requests and the test server's answers against what GitHub publishes: each GraphQL document, each REST exchange."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    parse,
    validate,
)

from bot.forges.base import Landing, Standing
from bot.forges.github import queries, readiness
from bot.forges.github.forge import GitHubForge
from bot.forges.github.setup import convert
from tests.bot.forges.github.world import LANDING, wish, world
from tests.servers.github.graph import schema as served
from tests.servers.github.judge import SDL, Judge, published

DOCUMENTS = {
    "the first look": queries.look(1, None),
    "a first look at two bases": queries.look(2, None),
    "a later look": queries.look(2, [[7, 12], [9]], [3]),
    "a later look with nothing open": queries.look(1, [[]]),
    "requests": queries.pulls([[1], []], [4]),
    "other requests only": queries.pulls([[]], [4]),
    "blobs": queries.blobs([True, False] * 30),
    "history": queries.history(20),
    "the whole history": queries.history(0),
    "settings": queries.settings(3),
    "standing": queries.standing(3),
    "readiness": readiness.READINESS,
    "readiness of one": readiness.ONE,
    **{
        name: text
        for name, text in vars(queries).items()
        if name.isupper() and isinstance(text, str) and text.lstrip().startswith(("query ", "mutation "))
    },
}


@pytest.fixture(scope="module")
def github() -> GraphQLSchema:
    return build_schema(published(SDL).read_text(), assume_valid=True)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_document_is_valid_for_github(name: str, github: GraphQLSchema) -> None:
    assert [error.message for error in validate(github, parse(DOCUMENTS[name]))] == []


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if not name.startswith("readiness")])
def test_each_document_is_valid_for_the_test_server(name: str) -> None:
    assert [error.message for error in validate(served(), parse(DOCUMENTS[name]))] == []


def test_the_test_server_serves_a_part_of_githubs_schema(github: GraphQLSchema) -> None:
    """Every type, field, argument and value that it has is there under the same type, so a wrong one cannot please us here."""
    for name, mine in served().type_map.items():
        theirs: Any = github.type_map.get(name)
        if name.startswith("__") or theirs is None:
            assert name.startswith("__"), name
            continue
        match mine:
            case GraphQLObjectType() | GraphQLInterfaceType():
                for field, found in mine.fields.items():
                    assert str(theirs.fields[field].type) == str(found.type), f"{name}.{field}"
                    for argument, said in found.args.items():
                        assert str(theirs.fields[field].args[argument].type) == str(said.type), f"{name}.{field}({argument})"
                    required = [key for key, one in theirs.fields[field].args.items() if str(one.type).endswith("!")]
                    assert {key for key in required if theirs.fields[field].args[key].default_value is None} <= found.args.keys()
            case GraphQLInputObjectType():
                assert {key: str(one.type) for key, one in mine.fields.items()} == {
                    key: str(one.type) for key, one in theirs.fields.items()
                }
            case GraphQLEnumType():
                assert set(mine.values) <= set(theirs.values)
            case GraphQLUnionType():
                assert {one.name for one in mine.types} <= {one.name for one in theirs.types}


async def test_a_whole_life_under_the_eyes_of_the_published_schema(tmp_path: Path) -> None:
    judge = Judge()
    judge("GET", "/meta", None, 200, None)  # skips where the schema is not there
    judge = Judge()
    async with world(tmp_path) as w:
        w.server.judge = judge
        w.repo.teams.add("platform")
        w.repo.rules["main"] = []
        full = {"labels": ("images",), "reviewers": ("ada", "acme/platform"), "assignees": ("ada",)}
        host = w.app(("acme/gitops",))
        found = [*await w.app().repositories(), *await host.repositories()]
        forge = found[1].forge
        look = await forge.look()
        base = look.heads["main"]
        entries = await forge.tree(base)
        await forge.blobs([entry.oid for entry in entries.values()])
        await forge.blobs([w.repo.git.write_blob(b"\0binary")])
        request = await forge.open(wish(**full), base)
        await forge.show(request, Standing("wait", "not finished: ci/test"))
        await forge.show(request, Standing("merge", "every condition holds"))
        await forge.comment(request, "Waiting.")
        await forge.comment(request, "Waiting still.")
        w.server.world.say(w.repo, 1, "ada", "@tagboat hold")
        await w.forge().comments(request)
        request = (await forge.look()).requests[0]
        await forge.comments(request)
        await w.forge().changes(request)
        request = await forge.refresh(request, wish("1.2.0", mode="100755", data=b"\xff", **full), base, rewrite=True)
        request = await forge.refresh(request, wish("1.3.0", mode="100755", **full), base, rewrite=True)
        await forge.dashboard("One is open.")
        await forge.dashboard("One is open still.")
        await forge.merge(request, Landing("squash", LANDING, "0" * 40))
        await forge.merge(request, Landing("squash", LANDING, request.head))
        again = await forge.open(wish("1.4.0"), w.repo.head("main") or "")
        w.repo.git.set_ref("refs/heads/mine", w.repo.head("main") or "")
        w.repo.files.checkout("mine")
        w.repo.files.commit("Settings", {".tagboat.yaml": b"rules: 1"}, "mine")
        w.server.rest.add_pull(w.repo, "ada", "mine", "main", "Settings")
        await forge.look()
        assert isinstance(forge, GitHubForge)
        for proposed in await forge.proposed_settings():
            await forge.judge_settings(proposed, ["rules has to be a list"])
        w.server.world.deletes_by_graphql = False
        await forge.close(again, "nothing left to update")
        w.server.world.conversions["code"] = {
            "id": 5,
            "slug": "boat",
            "pem": "key",
            "webhook_secret": "hook",
            "client_secret": "client",
        }
        await convert(w.server.url, "code", w.connections)
        by_token = w.forge()
        await by_token.wire.get("/repos/acme/gitops/rules/branches/main", kept=True)
        w.repo.classic["main"] = {"requiresStatusChecks": True, "requiredStatusChecks": [{"context": "ci/test"}]}
        await by_token.wire.get("/repos/acme/gitops/branches/main/protection", kept=True)
        await by_token.wire.get("/user")
        async for _ in by_token.wire.pages("/user/repos?per_page=100"):
            pass
        routes = {f"{method} {path}" for method, path, _ in w.server.rest.routes()}
        # An archive is no JSON; the rest of what the server can do was heard.
        assert routes - judge.heard == {"GET /repos/{owner}/{repo}/tarball/{ref}", "GET /repos/{owner}/{repo}"}
    assert judge.complaints == []


def test_the_judge_sees_what_is_wrong() -> None:
    judge = Judge()
    path = "/repos/{owner}/{repo}/pulls"
    judge("POST", path, {"title": "x", "base": "main"}, 201, {"number": "seven"})
    judge("POST", "/repos/{owner}/{repo}/nonsense", {}, 200, {})
    judge("GET", "/user/repos", None, 418, {})
    assert any('"head" is a required property' in one for one in judge.complaints)
    assert any("/number" in one or "number:" in one for one in judge.complaints)
    assert any("no such thing" in one for one in judge.complaints)
    assert any("no answer 418" in one for one in judge.complaints)
