"""Which repositories a row of `forges` reaches, and registering the App."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.forges.base import Denied, ForgeError
from bot.forges.github.auth import AppAuth, NoAuth
from bot.forges.github.host import GitHubHost
from bot.forges.github.setup import Registered, convert, form_address, manifest, store
from bot.settings.secrets import Secret
from bot.settings.values import GitHubApp, GitHubSettings, Manifest
from tests.bot.forges.github.world import World, head_of, wish, world
from tests.servers.github.server import PERMISSIONS


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as found:
        yield found


def by_token(w: World, *repositories: str, token: str = "secret") -> GitHubHost:
    settings = GitHubSettings(url=w.server.url, token=Secret(token), repositories=repositories)
    return GitHubHost(settings, connections=w.connections, clock=w.hours.clock())


async def names(host: GitHubHost) -> list[tuple[str, bool]]:
    return sorted((one.forge.name, one.named) for one in await host.repositories())


def more_repositories(w: World) -> None:
    w.server.world.repo("acme/fork").fork = True
    w.server.world.repo("acme/old").archived = True
    w.server.world.repo("acme/other")


async def test_a_token_with_named_repositories_asks_nothing(w: World) -> None:
    host = by_token(w, "acme/gitops", "acme/none")
    assert await names(host) == [("acme/gitops", True), ("acme/none", True)]
    assert w.server.take() == []
    first, second = await host.repositories(), await host.repositories()
    assert [one.forge for one in first] == [one.forge for one in second]


async def test_a_token_that_sees_for_itself(w: World) -> None:
    more_repositories(w)
    w.server.world.find("acme/other").permissions["tagboat-user"] = "read"  # type: ignore[union-attr]
    assert await names(by_token(w)) == [("acme/gitops", False)]


async def test_an_app_everywhere_it_is_installed(w: World) -> None:
    more_repositories(w)
    w.server.world.installations.clear()
    w.server.install(11, ["acme/gitops", "acme/fork", "acme/old"])
    w.server.install(12, ["acme/other"])
    w.server.install(13, ["acme/other"], suspended_at="2026-01-01T00:00:00Z")
    host = w.app()
    assert await names(host) == [("acme/gitops", False), ("acme/other", False)]
    first, second = await host.repositories(), await host.repositories()
    assert [one.forge for one in first] == [one.forge for one in second]


async def test_an_app_with_named_repositories(w: World) -> None:
    more_repositories(w)
    w.server.world.installations.clear()
    w.server.install(11, ["acme/gitops"])
    host = w.app(("acme/gitops", "acme/other"))
    forges = {one.forge.name: one.forge for one in await host.repositories()}
    assert list((await forges["acme/gitops"].look()).heads) == ["main"]
    with pytest.raises(Denied, match="not installed on acme/other"):
        await forges["acme/other"].look()
    w.server.install(12, ["acme/other"])
    forges = {one.forge.name: one.forge for one in await host.repositories()}
    assert list((await forges["acme/other"].look()).heads) == ["main"]


async def test_one_installation_in_trouble_leaves_the_others(w: World) -> None:
    w.server.world.repo("acme/other")
    w.server.world.installations.clear()
    w.server.install(11, ["acme/gitops"])
    w.server.install(12, ["acme/other"])
    w.server.fail("installation/repositories", status=500, times=3)
    assert await names(w.app()) == [("acme/other", False)]
    w.server.fail("installation/repositories", status=500, times=60)
    with pytest.raises(ForgeError):
        await names(w.app())
    w.server.faults.clear()


async def test_a_repository_that_is_renamed_stays_the_same(w: World) -> None:
    host = w.app()
    before = (await host.repositories())[0].forge
    w.server.world.rename("acme/gitops", "acme/deploy")
    after = (await host.repositories())[0].forge
    assert (after, after.name) == (before, "acme/deploy")


async def test_more_repositories_than_fit_on_a_page(w: World) -> None:
    for number in range(120):
        w.server.world.repos[f"acme/r{number}"] = w.server.world.find("acme/gitops")  # type: ignore[assignment]
    await names(w.app())
    assert [one.partition(" ")[2] for one in w.server.take()].count("/installation/repositories") == 2


async def test_a_key_that_is_none(w: World) -> None:
    settings = GitHubSettings(url=w.server.url, app=GitHubApp("1", Secret("-----BEGIN NONSENSE----- hidden")))
    with pytest.raises(Denied) as told:
        await GitHubHost(settings, connections=w.connections).repositories()
    assert "hidden" not in str(told.value)
    assert "hidden" not in repr(AppAuth("1", "hidden"))


@pytest.mark.parametrize("body", [{}, {"a": 1}, [{}], [{"id": "x"}], [7], "text", None])
async def test_lists_of_another_form(w: World, body: object) -> None:
    for on in ("/app/installations", "/installation/repositories", "/user/repos"):
        w.server.fail(f"GET {on}", status=200, body=body)
        host = by_token(w) if on == "/user/repos" else w.app()
        with pytest.raises(ForgeError):
            await names(host)
        w.server.faults.clear()


async def test_what_was_asked_is_counted(w: World) -> None:
    host = w.app()
    forge = (await host.repositories())[0].forge
    await forge.look()
    assert host.requests == len(w.server.take()) == 4
    assert await NoAuth().header() is None


async def test_two_hosts_share_nothing_but_the_connections(w: World) -> None:
    one, other = w.app(), by_token(w, "acme/gitops")
    mine = (await one.repositories())[0].forge
    await mine.open(wish(), await head_of(mine))  # type: ignore[arg-type]
    theirs = (await other.repositories())[0].forge
    assert (await theirs.look()).requests == ()


class TestSetup:
    APP = {  # noqa: RUF012
        "id": 5,
        "slug": "tagboat-acme",
        "pem": "-----BEGIN RSA PRIVATE KEY-----\n",
        "webhook_secret": "hook",
        "client_secret": "client",
    }

    def test_the_manifest(self) -> None:
        found = manifest(Manifest(name="tagboat", permissions={"contents": "write"}, events=("push",)), "https://t.example.com/")
        assert found == {
            "name": "tagboat",
            "url": "https://t.example.com",
            "hook_attributes": {"url": "https://t.example.com/webhooks/github", "active": True},
            "redirect_url": "https://t.example.com/setup",
            "public": False,
            "default_permissions": {"contents": "write"},
            "default_events": ["push"],
        }

    def test_every_right_that_the_server_asks_for_is_in_the_manifest(self) -> None:
        rights = manifest(Manifest(), "https://t.example.com")["default_permissions"]
        assert {name: rights.get(name) for name in PERMISSIONS} == PERMISSIONS

    @pytest.mark.parametrize(
        ("url", "organization", "expected"),
        [
            ("https://api.github.com", None, "https://github.com/settings/apps/new?state=a%2Fb"),
            ("https://api.github.com", "acme", "https://github.com/organizations/acme/settings/apps/new?state=a%2Fb"),
            ("https://git.example.com/api/v3", None, "https://git.example.com/settings/apps/new?state=a%2Fb"),
        ],
    )
    def test_where_the_form_goes(self, url: str, organization: str | None, expected: str) -> None:
        assert form_address(url, "a/b", organization) == expected

    def test_an_organization_that_is_none(self) -> None:
        with pytest.raises(ValueError, match="not the name"):
            form_address("https://api.github.com", "s", "acme/../evil")

    async def test_a_code_is_good_once(self, w: World) -> None:
        w.server.world.conversions["abc"] = dict(self.APP)
        app = await convert(w.server.url, "abc", w.connections)
        assert (app.id, app.slug, app.install_page) == (
            "5",
            "tagboat-acme",
            f"{w.server.url}/apps/tagboat-acme/installations/new",
        )
        assert not {"hook", "client", self.APP["pem"]} & set(repr(app).split("'"))
        with pytest.raises(ForgeError, match="does not know the code"):
            await convert(w.server.url, "abc")

    @pytest.mark.parametrize("code", ["", "../app", "a b", "a?b", "x" * 300])
    async def test_what_is_no_code_is_not_sent(self, w: World, code: str) -> None:
        with pytest.raises(ForgeError, match="no code"):
            await convert(w.server.url, code, w.connections)
        assert w.server.take() == []

    def test_secrets_are_for_their_owner(self, tmp_path: Path) -> None:
        app = Registered("5", "tag/boat", "https://github.com/apps/tagboat", "key", "hook", "Iv1", "client")
        folder = tmp_path / "keys"
        kept = [store(app, folder), store(app, folder)][1]
        for path, text in ((kept.private_key, "key"), (kept.webhook_secret, "hook"), (kept.client_secret, "client")):
            assert path is not None
            assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (text, 0o600)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert "app: {id: 5, private_key: {file: tag-boat.private-key.pem}}" in kept.lines
        assert "key\n" not in kept.lines
        assert sorted(path.name for path in folder.iterdir() if "old" in path.name) == [
            "tag-boat.client-secret.old-1",
            "tag-boat.private-key.pem.old-1",
            "tag-boat.webhook-secret.old-1",
        ]
