"""`tagboat run`: one pass over every repository; a failed one never stops the others."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

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


@pytest.mark.parametrize(
    ("names", "status", "ran"),
    [
        (["somewhere/else"], 2, False),
        (["somewhere/else", "no/where"], 2, False),
        (["somewhere/else", "GOOD"], 1, True),  # one was not found, the other was done
        (["GOOD"], 0, True),
    ],
)
async def test_names_that_nobody_knows(yard: Yard, names: list[str], status: int, ran: bool) -> None:
    yard.list_forges(yard.good.url)
    asked = [yard.good.url if name == "GOOD" else name for name in names]
    done = await yard.desk.run("run", *(word for name in asked for word in ("--repo", name)))
    assert done.status == status
    for name in asked:
        assert (f"{name}: there is no such repository in `forges`" in done.err) == (name != yard.good.url)
    assert (yard.good.head("refs/tagboat/requests/1") is not None) == ran


NOT_TODAY = f"{datetime.now(UTC) + timedelta(days=3):%a}"
SOAK = """rules:
  - {match: {paths: [prod.yaml]}, policy: follow, follow: {from: dev.yaml, soak: 3d}}
  - {match: {paths: [dev.yaml]}, policy: none}"""
MOMENT = r"20\d\d-\d\d-\d\d \d\d:\d\d UTC"


@pytest.mark.parametrize(
    ("config", "counted", "line"),
    [
        ("rules: [{min_age: 3d}]", "1 update waits until", r"  waiting   dev.yaml:7 and 1 more  \S+/acme/web  \(.*3d.*\)"),
        (
            f"rules: [{{schedule: '{NOT_TODAY} 09:00-10:00 UTC'}}]",
            "1 update waits until",
            r"  left      \S+/acme/web .*\(.*09:00.*\)",
        ),
        (SOAK, "1 update waits until", r"  waiting   prod.yaml:7  \S+/acme/web  \(1.4.1 soaks in dev.yaml until .*\)"),
        (
            "rules: [{match: {paths: [dev.yaml]}, min_age: 3d}, {match: {paths: [prod.yaml]}, min_age: 4d}]",
            "2 updates wait, the next until",
            r"  waiting   dev.yaml:7  \S+/acme/web  \(.*3d.*\)",
        ),
    ],
)
async def test_what_only_waits_is_said(yard: Yard, config: str, counted: str, line: str) -> None:
    manifest = yard.good.show("main:web.yaml")
    dev = manifest.replace(":1.4.0", ":1.4.1") if "soak" in config else manifest
    repo = GitRepo(
        yard.desk.folder / "waits", {".tagboat.yaml": config.encode(), "dev.yaml": dev.encode(), "prod.yaml": manifest.encode()}
    )
    yard.list_forges(repo.url)
    done = await yard.desk.run("run")
    assert (done.status, done.err) == (0, "")
    assert re.fullmatch(rf"{re.escape(repo.url)}: nothing to do, {counted} {MOMENT}", done.lines[0]), done.lines
    assert re.fullmatch(line, done.lines[1]), done.lines
    assert all(len(re.findall(f"until {MOMENT}", one)) == 1 for one in done.lines), done.lines
    rows = (await yard.desk.run("run", "--json")).rows
    assert [row["kind"] for row in rows] == [line.split()[0]] * len(rows)
    assert all(row["wake"] and row["reason"] and row["title"] for row in rows)
    assert len(rows) == len(done.lines) - 1


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


@pytest.mark.parametrize("name", [".tagboat.yml", "tagboat.yaml", "tagboat.yml"])
async def test_a_configuration_under_another_name_is_pointed_out(yard: Yard, name: str) -> None:
    """It is not read all the same; in `check`, which reads the checkout, it is said as well."""
    manifest = yard.good.show("main:web.yaml").encode()
    repo = GitRepo(yard.desk.folder / "misnamed", {name: b"rules: [{policy: none}]\n", "web.yaml": manifest})
    yard.list_forges(repo.url)
    done = await yard.desk.run("run")
    assert (done.status, done.err, done.lines[0]) == (0, "", f"{repo.url}: 1 done")
    hint = "this is not read as the configuration: that file is called .tagboat.yaml"
    assert f"  left      {name}  ({hint})" in done.lines
    yard.list_forges(repo.url, more="repositories_without_file: ignore\n")
    done = await yard.desk.run("run")
    assert done.lines[1:] == [f"  left      (no .tagboat.yaml on the default branch; {name}: {hint})"]
    yard.desk.put({f"checkout/{name}": "rules: [{policy: none}]\n", "checkout/web.yaml": manifest})
    for command in (["check", "checkout"], ["check", "checkout/web.yaml"], ["doctor", "checkout"]):
        said = await yard.desk.run(*command)
        assert (said.status, said.err.count(f"{name}: {hint}")) == (0, 1), command
    yard.desk.put({"checkout/.tagboat.yaml": "version: 1\n"})  # then the other may be anything
    for command in (["check", "checkout"], ["doctor", "checkout"]):
        assert hint not in (await yard.desk.run(*command)).err


async def test_what_a_configuration_says_to_no_effect_is_said(yard: Yard) -> None:
    manifest = yard.good.show("main:web.yaml").encode()
    repo = GitRepo(yard.desk.folder / "odd", {".tagboat.yaml": b"rules:\n  - follow: {from: dev}\n", "web.yaml": manifest})
    yard.list_forges(repo.url)
    done = await yard.desk.run("run")
    assert (
        "  left      .tagboat.yaml:2  (rules[0].follow: no rule says `policy: follow`, so nothing is followed (write it beside))"
        in done.lines
    )
