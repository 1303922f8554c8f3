"""A GitLab that tells no more than it has to: an older one, a free one, or one behind a proxy that hides half of it.

What is only there to save requests or to be quite sure may be missing: requests live on, also for a process that knows nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.forges.base import Landed, Standing
from bot.forges.gitlab.host import GitLabHost
from bot.settings.secrets import Secret
from bot.settings.values import GitLabSettings
from tests.bot.forges.gitlab.setting import BRANCH, QUICK, Setting, at, setting, wish
from tests.servers.gitlab import Rule, status
from tests.servers.gitlab.server import GitLabServer

MISSING = [
    ("GET", "/events$"),
    ("HEAD", "/files/"),
    ("GET", "/compare$"),
    ("GET", "/merge_base$"),
    ("GET", "/merge_requests/[0-9]+/commits$"),
    ("GET", "/merge_requests/[0-9]+/pipelines$"),
    ("GET", "/merge_requests/[0-9]+/reviewers$"),
    ("GET", "/projects/[0-9]+/pipelines$"),
    ("GET", "/approvals$"),
    ("GET", "/personal_access_tokens/self$"),
    ("GET", "/archive"),
]
HIDDEN = {
    "user", "closed_by", "can_push", "email", "commit_email", "public_email", "bot", "user_notes_count", "merge_user",
    "should_remove_source_branch", "developers_can_push", "developers_can_merge",
}  # fmt: skip


def stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: stripped(inner) for key, inner in value.items() if key not in HIDDEN}
    return [stripped(one) for one in value] if isinstance(value, list) else value


def austere(server: GitLabServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.rules += [Rule(method, pattern, status(404, "404 Not Found"), times=-1) for method, pattern in MISSING]
    real = server._handle

    def handle(request: web.Request, path: str, secret: str, body: bytes) -> web.Response:
        answer = real(request, path, secret, body)
        if answer.content_type == "application/json":
            headers = {name: value for name, value in answer.headers.items() if name in ("Link", "X-Next-Page")}
            return web.json_response(stripped(json.loads(answer.text or "null")), status=answer.status, headers=headers)
        return answer

    monkeypatch.setattr(server, "_handle", handle)


async def whole_life(gitlab: Setting, *, anew: bool) -> None:
    """Opened, refreshed, behind, refreshed, landed; another one closed."""
    forge = gitlab.forge

    def next_one() -> Any:
        return gitlab.again() if anew else forge

    await next_one().open(wish(), await gitlab.head())
    forge_now = next_one()
    seen = await gitlab.seen(forge=forge_now)
    assert (seen.edited_by_person, seen.readiness is not None) == (False, True)
    await forge_now.refresh(seen, wish("1.2.0"), await gitlab.head(), rewrite=True)
    gitlab.server.push_as("ada", gitlab.project, "main", {"other.yaml": b"x\n"}, "Other")
    forge_now = next_one()
    seen = await gitlab.seen(forge=forge_now)
    assert [change.path for change in await forge_now.changes(seen)] == ["app.yaml"]
    await forge_now.show(seen, Standing("wait", "not finished"))
    seen = await gitlab.seen(forge=forge_now)
    ready = seen.readiness
    assert ready is not None
    assert (ready.complete, ready.detailed_merge_status, ready.protection.bot_may_push) == (True, "mergeable", True)
    assert isinstance(await forge_now.merge(seen, at(seen)), Landed)
    second = await next_one().open(wish("1.3.0"), await gitlab.head())
    forge_now = next_one()
    await forge_now.close(await gitlab.seen(second.number, forge_now), "nothing left to update")
    assert [merge.state for merge in gitlab.project.merges.values()] == ["merged", "closed"]
    assert gitlab.repo.head(BRANCH) is None


@pytest.mark.parametrize("anew", [False, True], ids=["one process", "a new one each time"])
async def test_requests_live_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anew: bool) -> None:
    async with setting(tmp_path) as gitlab:
        austere(gitlab.server, monkeypatch)
        await whole_life(gitlab, anew=anew)


async def test_a_straight_push(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with setting(tmp_path) as gitlab:
        austere(gitlab.server, monkeypatch)
        await gitlab.forge.push(wish(), await gitlab.head(), wish().message)
        assert gitlab.repo.show("main:app.yaml") == "image: web:1.1.0"


async def test_a_person_s_push_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with setting(tmp_path) as gitlab:
        austere(gitlab.server, monkeypatch)
        await gitlab.opened()
        gitlab.server.push_as("ada", gitlab.project, BRANCH, {"x": b""}, "Mine")
        for forge in (gitlab.forge, gitlab.again()):
            assert (await gitlab.seen(forge=forge)).edited_by_person


async def test_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with setting(tmp_path) as gitlab:
        austere(gitlab.server, monkeypatch)
        host = GitLabHost(GitLabSettings(gitlab.server.url, Secret(gitlab.token)), limits=QUICK)
        assert [one.forge.name for one in await host.repositories()] == ["acme/gitops"]
        assert host.alarms == ()
        await host.close()
