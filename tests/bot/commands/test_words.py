"""`status`, `hold`, `resume`, `skip`, `merge`, `close`: a person's word from the command line, and how everything stands."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from bot.demo.registry import DemoRegistry
from tests.bot.commands.desk import Desk, Done, pod
from tests.servers.git_repo import GitRepo


@dataclass
class Yard:
    """One repository with two images, and its registry."""

    desk: Desk
    registry: DemoRegistry
    repo: GitRepo

    @property
    def name(self) -> str:
        return self.repo.url

    def image(self, name: str) -> str:
        return f"{self.registry.host}/acme/{name}"

    async def run(self, *arguments: str) -> Done:
        return await self.desk.run(*arguments)

    def write(self, path: str, text: str) -> None:
        self.repo.checkout("main")
        self.repo.commit(f"Write {path}", {path: text.encode()}, "main")

    def states(self) -> dict[int, str]:
        refs = (ref for ref in self.repo.refs() if ref.startswith("refs/tagboat/requests/"))
        rows = [json.loads(self.repo.git("cat-file", "-p", ref)) for ref in refs]
        return {row["number"]: row["state"] for row in rows}


@pytest.fixture
async def yard(desk: Desk) -> AsyncIterator[Yard]:
    async with DemoRegistry() as registry:
        for image in ("web", "api"):
            for tag in ("1.4.0", "1.4.1"):
                await registry.put_image(f"acme/{image}", tag)
        files = {
            "a/web.yaml": pod(f"{registry.host}/acme/web:1.4.0").encode(),
            "b/web.yaml": pod(f"{registry.host}/acme/web:1.4.0").encode(),
            "api.yaml": pod(f"{registry.host}/acme/api:1.4.0").encode(),
        }
        repo = GitRepo(desk.folder / "remote", files)
        desk.put(
            {
                "app.yaml": f'registries: [{{host: "{registry.host}", insecure: true}}]\n'
                f'forges: [{{kind: git, url: "{repo.url}"}}]\n'
            }
        )
        yield Yard(desk, registry, repo)


def rows(done: Done) -> list[tuple[str, str, str]]:
    return [(row["state"], row["where"], row["reason"]) for row in done.rows]


async def test_status_does_nothing_and_says_everything(yard: Yard) -> None:
    before = yard.repo.refs()
    done = await yard.run("status", "--json")
    assert done.status == 0
    assert yard.repo.refs() == before
    assert {(state, reason) for state, _, reason in rows(done)} == {("waiting", "open a request")}
    await yard.run("run")
    done = await yard.run("status", "--json")
    assert rows(done) == [("open", "!1", "a person lands it"), ("open", "!2", "a person lands it")]
    assert set(done.rows[0]) == {"repository", "state", "where", "what", "reason", "wake"}
    assert (await yard.run("status")).lines[0] == f"{yard.name}: 2 open"
    assert (await yard.run("status", "--repo", yard.name)).status == 0


async def test_status_tells_until_when(yard: Yard) -> None:
    yard.write(".tagboat.yaml", "rules: [{min_age: 3d}]\n")
    done = await yard.run("status", "--json")
    assert {row["state"] for row in done.rows} == {"waiting"}
    assert all("is not 3d old yet" in row["reason"] and row["wake"] for row in done.rows)
    assert "; next change by itself: " in (await yard.run("status")).lines[0]


async def test_status_names_what_is_in_trouble(yard: Yard) -> None:
    await yard.registry.stop()
    done = await yard.run("status", "--json")
    assert done.status == 1
    assert {row["state"] for row in done.rows} == {"alarm"}
    assert "cannot be reached" in done.err


async def test_when_nothing_is_left(yard: Yard) -> None:
    for path, image in (("a/web.yaml", "web"), ("b/web.yaml", "web"), ("api.yaml", "api")):
        yard.write(path, pod(f"{yard.image(image)}:1.4.1"))
    done = await yard.run("status")
    assert (done.status, done.lines) == (0, [f"{yard.name}: everything is up to date"])
    assert (await yard.run("status", "--json")).out == b""


@pytest.mark.parametrize("spelling", ["full", "end"])
async def test_hold_and_resume(yard: Yard, spelling: str) -> None:
    image = yard.image("web") if spelling == "full" else "acme/web"
    done = await yard.run("hold", yard.name, image, "--reason", "not on friday")
    assert (done.status, done.lines) == (0, [f"held: {yard.image('web')} (not on friday); it counts from the next pass on"])
    await yard.run("run")
    assert len(yard.states()) == 1
    done = await yard.run("status", "--json")
    held = [row for row in done.rows if row["state"] == "held"]
    assert [(row["where"], row["reason"].rpartition("): ")[2]) for row in held] == [
        ("a/web.yaml:7", "not on friday"), ("b/web.yaml:7", "not on friday"),
    ]  # fmt: skip
    done = await yard.run("resume", yard.name, image, "--json")
    assert [(row["action"], row["image"], row["path"]) for row in done.rows] == [("resumed", yard.image("web"), None)]
    await yard.run("run")
    assert len(yard.states()) == 2


async def test_hold_in_one_file(yard: Yard) -> None:
    assert (await yard.run("hold", yard.name, "acme/web", "--path", "b/web.yaml")).status == 0
    await yard.run("run")
    done = await yard.run("status", "--json")
    assert [(row["state"], row["where"]) for row in done.rows if row["state"] == "held"] == [("held", "b/web.yaml:7")]
    assert len(yard.states()) == 2


async def test_hold_by_request(yard: Yard) -> None:
    await yard.run("run")
    done = await yard.run("hold", yard.name, "!1", "--json")
    assert {row["image"] for row in done.rows} == {yard.image("api")}
    assert (await yard.run("resume", yard.name, "1")).status == 0


async def test_skip_a_version(yard: Yard) -> None:
    done = await yard.run("skip", yard.name, "acme/api", "1.4.1", "--json")
    assert [(row["action"], row["version"]) for row in done.rows] == [("skipped", "1.4.1")]
    await yard.run("run")
    assert len(yard.states()) == 1
    await yard.registry.put_image("acme/api", "1.4.2")
    await yard.run("run")
    assert len(yard.states()) == 2


async def test_skip_what_a_request_wants(yard: Yard) -> None:
    await yard.run("run")
    done = await yard.run("skip", yard.name, "!1", "--json")
    assert [row["version"] for row in done.rows] == ["1.4.1"]
    await yard.run("run")
    assert sorted(yard.states().values()) == ["closed", "open"]


async def test_merge_lands_at_once_what_can_land(yard: Yard) -> None:
    await yard.run("run")
    done = await yard.run("merge", yard.name, "acme/api", "--json")
    (row,) = done.rows
    assert (done.status, row["landed"], row["number"]) == (0, True, 1)
    assert "api:1.4.1" in yard.repo.show("main:api.yaml")
    done = await yard.run("merge", yard.name, "!2")
    assert done.lines[0].startswith("landed: !2 Update ")


async def test_merge_says_what_is_missing(yard: Yard) -> None:
    yard.write(".tagboat.yaml", "rules: [{automerge: {no_checks: wait}}]\n")
    await yard.run("run")
    done = await yard.run("merge", yard.name, "!1")
    assert (done.status, "not yet: no check at all has reported" in done.lines[0]) == (1, True)
    assert yard.states()[1] == "open"


async def test_close_is_not_this_version(yard: Yard) -> None:
    await yard.run("run")
    done = await yard.run("close", yard.name, "!1", "--reason", "it is odd")
    assert (done.status, done.lines[0].startswith("closed: !1 Update")) == (0, True)
    await yard.run("run")
    assert yard.states() == {1: "closed", 2: "open"}
    await yard.registry.put_image("acme/api", "1.4.2")
    await yard.run("run")
    assert yard.states() == {1: "closed", 2: "open", 3: "open"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("hold", "nowhere", "acme/web"), "there is no repository 'nowhere'"),
        (("hold", "NAME", "acme/wbe"), "does not stand in this repository"),
        (("hold", "NAME", "acme/web:1.4.1"), "names a version: leave it out, or use `tagboat skip`"),
        (("hold", "NAME", "acme/web", "--path", "c.yaml"), "does not stand in c.yaml"),
        (("hold", "NAME", "!9"), "there is no open request !9"),
        (("hold", "NAME", "::"), "is neither a request nor an image"),
        (("skip", "NAME", "acme/web"), "which version of acme/web?"),
        (("merge", "NAME", "acme/db"), "has no open request 'acme/db'; open are none at all"),
        (("close", "NAME", "!3"), "there is no open request !3"),
        (("status", "--repo", "nowhere"), "there is no repository 'nowhere'"),
        (("status", "--app", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
async def test_what_is_not_meant_is_said(yard: Yard, arguments: tuple[str, ...], words: str) -> None:
    done = await yard.run(*(yard.name if part == "NAME" else part for part in arguments))
    assert done.status == 2
    assert words in done.err
    assert done.out == b""


WORDS = (("hold", "acme/web"), ("resume", "acme/web"), ("skip", "acme/web", "9.9"), ("close", "!1"), ("merge", "!2"))


async def test_everything_that_was_said_is_in_the_history(yard: Yard) -> None:
    from bot.state.ledger import Ledger

    await yard.run("run")
    for arguments in WORDS:
        assert (await yard.run(arguments[0], yard.name, *arguments[1:])).status == 0
    ledger = await Ledger.open(f"sqlite:///{yard.desk.folder}/data/tagboat.db")
    events = await ledger.history(kinds=("held", "resumed", "skipped", "asked", "closed"))
    await ledger.close()
    kinds = [event.kind for event in reversed(events)]
    assert kinds == ["held", "resumed", "skipped", "skipped", "closed", "asked"], "closing skips the version"
    assert all("(command line)" in str(event.detail["by"]) for event in events if "by" in event.detail)


@pytest.mark.parametrize(
    "rules", ["", "rules: [{policy: semver, range: '^1'}]\n", "rules: [{policy: alphabetical, tags: '^1'}]\n"]
)
async def test_explain_says_what_the_request_says(yard: Yard, rules: str) -> None:
    """The same sentence about the tag that is taken, and about those that came nearest."""
    if rules:
        yard.write(".tagboat.yaml", rules)
        yard.desk.put({".tagboat.yaml": rules})
    await yard.registry.put_image("acme/api", "latest")
    await yard.run("run")
    yard.desk.put({"checkout/api.yaml": pod(f"{yard.image('api')}:1.4.0"), "checkout/.tagboat.yaml": rules or "version: 1\n"})
    done = await yard.run("explain", yard.image("api"), "checkout", "--app", "app.yaml", "--json")
    (row,) = done.rows
    refs = sorted(ref for ref in yard.repo.refs() if ref.startswith("refs/tagboat/requests/"))
    records = [json.loads(yard.repo.git("cat-file", "-p", ref)) for ref in refs]
    body = next(record["body"] for record in records if "/api" in record["title"])
    assert f"Why `{row['chosen']}`: " in body
    plain = body.replace("\\", "").replace("\u2060", "")
    assert f"Why `{row['chosen']}`: {row['reason']} (policy `{row['policy']}`)." in plain
    for candidate in row["candidates"]:
        if f"- `{candidate['tag']}`: " in plain:
            assert f"- `{candidate['tag']}`: {candidate['reason']}" in plain
