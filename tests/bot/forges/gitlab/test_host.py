"""Which projects a token reaches, what is said of the token, and many projects at once."""

from __future__ import annotations

import asyncio
import resource
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bot.forges.base import Denied
from bot.forges.gitlab.host import GitLabHost
from bot.forges.gitlab.people import Us
from bot.forges.gitlab.token import TokenFacts, alarm, kind_of
from bot.forges.gitlab.wire import Limits
from bot.settings.secrets import MissingSecret, Secret
from bot.settings.values import GitLabSettings
from tests.bot.forges.gitlab.setting import QUICK
from tests.servers.gitlab import GitLabServer, Rule, hang
from tests.servers.gitlab.state import DEVELOPER, MAINTAINER, REPORTER


@asynccontextmanager
async def host(
    server: GitLabServer, token: str, *projects: str, limits: Limits = QUICK, now: datetime | None = None
) -> AsyncIterator[GitLabHost]:
    settings = GitLabSettings(server.url, Secret(token), projects=projects)
    found = GitLabHost(settings, limits=limits, now=lambda: now or datetime.now(UTC))
    try:
        yield found
    finally:
        await found.close()
    assert server.complaints == []


async def names(one: GitLabHost) -> list[tuple[str, bool]]:
    return [(repository.forge.name, repository.named) for repository in await one.repositories()]


async def test_projects_that_are_named(tmp_path: Path) -> None:
    async with GitLabServer(tmp_path) as server:
        first, _ = server.project("acme/gitops"), server.project("acme/other")
        async with host(server, server.token(server.bot(first)), "acme/gitops", "acme/gitops", "acme/none") as one:
            assert await names(one) == [("acme/gitops", True), ("acme/none", True)]
            before, after = await one.repositories(), await one.repositories()
            assert [a.forge is b.forge for a, b in zip(before, after, strict=True)] == [True, True]
            with pytest.raises(Denied, match="may not see it"):
                await before[1].forge.look()


async def test_projects_that_are_found(tmp_path: Path) -> None:
    async with GitLabServer(tmp_path) as server:
        bot = server.user("group_9_bot_abc", bot=True)
        for name, level in (
            ("gitops", MAINTAINER),
            ("apps", DEVELOPER),
            ("read", REPORTER),
            ("fork", 40),
            ("old", 40),
            ("empty", 40),
        ):
            project = server.project(f"acme/{name}", {} if name == "empty" else None)
            server.member(project, bot, level)
            project.fork, project.archived = name == "fork", name == "old"
        server.project("acme/unseen")
        async with host(server, server.token(bot)) as one:
            assert await names(one) == [("acme/gitops", False), ("acme/apps", False)]
            before = await one.repositories()
            apps = next(project for project in server.projects.values() if project.path == "acme/apps")
            apps.path = "acme/services"
            server.member(server.project("acme/new"), bot, DEVELOPER)
            after = await one.repositories()
            assert [repository.forge.name for repository in after] == ["acme/gitops", "acme/services", "acme/new"]
            assert [a.forge is b.forge for a, b in zip(before, after, strict=False)] == [True, True]
            server.forget()
            await after[0].forge.look()
            assert len(server.log) == 3


async def test_a_token_that_is_missing_or_wrong(tmp_path: Path) -> None:
    with pytest.raises(Denied, match="no token"):
        GitLabHost(GitLabSettings("https://gitlab.example.com"))
    with pytest.raises(MissingSecret):
        GitLabHost(GitLabSettings("https://gitlab.example.com", Secret(None, "env GITLAB_TOKEN")))
    async with GitLabServer(tmp_path) as server, host(server, "glpat-wrong") as one:
        with pytest.raises(Denied, match="does not accept the token"):
            await one.repositories()


USERS = [
    ("project_7_bot_4ffca2", True, "project"),
    ("project_7_bot", False, "project"),
    ("group_9_bot_123", True, "group"),
    ("service_account_group_1_abc", False, "service account"),
    ("ada", False, "personal"),
    ("renovate", True, "personal"),
]


@pytest.mark.parametrize(("login", "bot", "kind"), USERS)
def test_the_kind_of_a_token(login: str, bot: bool, kind: str) -> None:
    assert kind_of(Us(1, login, bot, frozenset(), frozenset())) == kind


TODAY = date(2026, 3, 1)


@pytest.mark.parametrize(
    ("days", "says"),
    [
        (None, None),
        (200, None),
        (15, None),
        (14, "expires in 14 days"),
        (1, "expires in 1 day ("),
        (0, "has expired"),
        (-3, "has expired"),
    ],
)
def test_an_alarm_from_two_weeks_before(days: int | None, says: str | None) -> None:
    us = Us(1, "project_7_bot_4ffca2", True, frozenset(), frozenset())
    token = TokenFacts("tagboat", frozenset({"api"}), TODAY + timedelta(days=days) if days is not None else None)
    said = alarm(us, token, TODAY)
    assert (said is None) if says is None else (said is not None and says in said and "project access token 'tagboat'" in said)


async def test_the_alarm_is_raised_and_goes_away(tmp_path: Path) -> None:
    async with GitLabServer(tmp_path) as server:
        project = server.project("acme/gitops")
        token = server.token(server.bot(project), expires_at=date.today() + timedelta(days=10))  # noqa: DTZ011
        async with host(server, token, "acme/gitops") as one:
            await one.repositories()
            assert ["expires in" in said for said in one.alarms] == [True]
            server.tokens[token].expires_at = date.today() + timedelta(days=300)  # noqa: DTZ011
            await one.repositories()
            assert one.alarms  # the token is looked at every few hours
            one._token_read_at = None
            await one.repositories()
            assert one.alarms == ()


async def test_two_projects_do_not_wait_for_each_other(tmp_path: Path) -> None:
    async with GitLabServer(tmp_path) as server:
        bot = server.user("group_9_bot_abc", bot=True)
        for name in ("slow", "quick"):
            server.member(server.project(f"acme/{name}"), bot, MAINTAINER)
        slow_id = next(project.id for project in server.projects.values() if project.path == "acme/slow")
        limits = replace(QUICK, read_timeout=5)
        async with host(server, server.token(bot), limits=limits) as one:
            slow, quick = (repository.forge for repository in await one.repositories())
            server.rules.append(Rule("GET", f"/projects/{slow_id}/", hang(1.5), times=-1))
            waiting = asyncio.create_task(slow.look())
            await asyncio.gather(*(quick.look() for _ in range(3)))
            assert not waiting.done()
            await waiting


async def test_two_hundred_projects_at_once(tmp_path: Path) -> None:
    async with GitLabServer(tmp_path) as server:
        bot = server.user("group_9_bot_abc", bot=True)
        for number in range(200):
            server.member(server.project(f"acme/app-{number}", {"app.yaml": f"n: {number}\n".encode()}), bot, MAINTAINER)
        async with host(server, server.token(bot)) as one:
            repositories = await one.repositories()
            assert len(repositories) == 200
            server.forget()
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

            async def read(at: int) -> dict[str, bytes]:
                forge = repositories[at].forge
                look = await forge.look()
                tree = await forge.tree(look.heads["main"])
                return dict(await forge.blobs([tree["app.yaml"].oid]))

            contents = await asyncio.gather(*map(read, range(200)))
            assert [list(one.values()) for one in contents] == [[f"n: {number}\n".encode()] for number in range(200)]
            assert len(server.log) == 200 * 5
            assert server.busiest <= QUICK.threads
            assert one.wire._threads.count <= QUICK.threads
            assert sum(thread.name.startswith("gitlab") for thread in threading.enumerate()) <= 5 * QUICK.threads
            assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 * 1024  # KiB
