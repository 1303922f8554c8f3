"""`tagboat run`: one pass over every repository; a failed one never stops the others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from bot.demo.registry import DemoRegistry
from tests.bot.commands.desk import Desk, pod
from tests.servers.git_repo import GitRepo


@dataclass
class Yard:
    """Three repositories: one in order, one with a broken configuration, one that is not there."""

    desk: Desk
    good: GitRepo
    broken: GitRepo

    def list_forges(self, *urls: str, more: str = "") -> None:
        host = next(line for line in self.desk.read("registry").decode().splitlines())
        rows = "".join(f'  - {{kind: git, url: "{url}"}}\n' for url in urls)
        self.desk.put({"app.yaml": f'registries: [{{host: "{host}", insecure: true}}]\nforges:\n{rows}{more}'})


@pytest.fixture
async def yard(desk: Desk) -> AsyncIterator[Yard]:
    async with DemoRegistry() as registry:
        for tag in ("1.4.0", "1.4.1"):
            await registry.put_image("acme/web", tag)
        manifest = pod(f"{registry.host}/acme/web:1.4.0").encode()
        good = GitRepo(desk.folder / "good", {"web.yaml": manifest})
        broken = GitRepo(desk.folder / "broken", {".tagboat.yaml": b"version: 1\nrulez: []\n", "web.yaml": manifest})
        desk.put({"registry": registry.host})
        yield Yard(desk, good, broken)


async def test_a_pass_over_every_repository(yard: Yard) -> None:
    yard.list_forges(yard.good.url)
    done = await yard.desk.run("run")
    assert (done.status, done.err) == (0, "")
    assert done.lines[0] == f"{yard.good.url}: 1 done"
    assert any(line.startswith("  opened    !1") for line in done.lines)
    assert yard.good.head("refs/tagboat/requests/1")
    assert (yard.desk.folder / "data/tagboat.db").exists()
    assert (yard.desk.folder / "data/clones").is_dir()
    again = await yard.desk.run("run")
    assert again.lines[0] == f"{yard.good.url}: nothing to do"


async def test_json_lines(yard: Yard) -> None:
    yard.list_forges(yard.good.url)
    done = await yard.desk.run("run", "--json")
    assert [(row["repository"], row["kind"], row["where"]) for row in done.rows] == [
        (yard.good.url, "opened", "!1"),
        (yard.good.url, "waiting", "!1"),
    ]


async def test_a_failed_repository_stops_nobody(yard: Yard) -> None:
    yard.list_forges(yard.broken.url, f"file://{yard.desk.folder}/nowhere.git", yard.good.url)
    done = await yard.desk.run("run")
    assert done.status == 1
    assert f"{yard.broken.url}: .tagboat.yaml:2: rulez" in done.err
    assert "nowhere.git: " in done.err
    assert yard.good.head("refs/tagboat/requests/1")
    assert yard.broken.head("refs/tagboat/requests/1") is None


async def test_only_the_repositories_that_are_named(yard: Yard) -> None:
    yard.list_forges(yard.broken.url, yard.good.url)
    done = await yard.desk.run("run", "--repo", yard.good.url)
    assert (done.status, done.lines[0]) == (0, f"{yard.good.url}: 1 done")
    done = await yard.desk.run("run", "--repo", "somewhere/else")
    assert done.status == 1
    assert "somewhere/else: there is no such repository" in done.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("forges:\n  - {kind: gti, url: x}\n", "app.yaml:2"),
        ("forges:\n  - {kind: git, url: 'ext::sh -c x'}\n", "ext::sh"),
        ("forges: []\n", "no `forges` are listed"),
        ("forges:\n  - {kind: git, url: 'https://x.example/a.git', password: {env: NOT_SET_AT_ALL}}\n", "NOT_SET_AT_ALL"),
        ("state: mysql://x\nforges:\n  - {kind: git, url: /srv/x.git}\n", "app.yaml:1: state"),
    ],
)
async def test_wrong_settings(desk: Desk, text: str, words: str) -> None:
    desk.put({"app.yaml": text})
    done = await desk.run("run")
    assert done.status == 2
    assert words in done.err


async def test_no_settings_at_all(desk: Desk) -> None:
    done = await desk.run("run")
    assert done.status == 2
    assert "there is no app.yaml in this folder" in done.err
