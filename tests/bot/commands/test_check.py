"""`tagboat check`: what would change in a checkout, and the changes themselves, byte for byte."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.demo.registry import DemoRegistry
from tests.bot.commands.desk import Desk, pod
from tests.servers.faults import Answer, FaultServer, challenge, late, moved, reply, tags
from tests.servers.git_repo import run_git

CRLF = (
    b'\xef\xbb\xbf# caf\xc3\xa9\r\nservices:\r\n  web: {image: "HOST/acme/web:1.4.0"}   # "stays"\r\n'
    b"  db:\r\n    image:   HOST/acme/db:1.0.0"
)
VALUES = "image:\n  repository: HOST/acme/db\n  tag: 1.0.0 # x\n"
SHARED = "x-tag: &tag 1.0.0\nimage: {repository: HOST/acme/db, tag: *tag}\nold: {image: {repository: HOST/acme/old, tag: *tag}}\n"


@pytest.fixture
async def registry(desk: Desk) -> AsyncIterator[DemoRegistry]:
    """A registry that `app.yaml` lists, with a few images."""
    async with DemoRegistry() as registry:
        for image, some in {
            "acme/web": ["1.4.0", "1.4.1", "2.0.0"],
            "acme/db": ["1.0.0", "1.1.0"],
            "acme/old": ["1.0.0"],
        }.items():
            for tag in some:
                await registry.put_image(image, tag)
        desk.list_registries(registry.host)
        yield registry


async def test_rows_of_possible_updates(desk: Desk, registry: DemoRegistry) -> None:
    host = registry.host
    desk.put({"dev/web.yaml": pod(f"{host}/acme/web:1.4.0", f"{host}/acme/old:1.0.0")})
    done = await desk.run("check", "--json")
    assert (done.status, done.err) == (0, "")
    rows = [{key: row[key] for key in row if key != "reason"} for row in done.rows]
    common = {"file": "dev/web.yaml", "line": 7, "image": f"{host}/acme/web", "current": "1.4.0", "policy": "auto"}
    assert rows == [common | {"next": "1.4.1", "update": "patch"}, common | {"next": "2.0.0", "update": "major"}]
    assert all(row["reason"] for row in done.rows)
    assert list(done.rows[0]) == ["file", "line", "image", "current", "next", "update", "policy", "reason"]


async def test_plain_lines_in_a_pipe(desk: Desk, registry: DemoRegistry) -> None:
    desk.put({"web.yaml": pod(f"{registry.host}/acme/db:1.0.0")})
    done = await desk.run("check")
    assert done.lines[0].split("\t")[:6] == ["web.yaml:7", f"{registry.host}/acme/db", "1.0.0", "1.1.0", "minor", "auto"]


async def test_nothing_to_say(desk: Desk, registry: DemoRegistry) -> None:
    desk.put({"web.yaml": pod(f"{registry.host}/acme/old:1.0.0")})
    for flags in ([], ["--json"], ["--diff"], ["--exit-code"]):
        done = await desk.run("check", *flags)
        assert (done.status, done.out, done.err) == (0, b"", "")


async def test_exit_code_tells_that_there_are_updates(desk: Desk, registry: DemoRegistry) -> None:
    desk.put({"web.yaml": pod(f"{registry.host}/acme/db:1.0.0")})
    assert (await desk.run("check", "--exit-code")).status == 3
    assert (await desk.run("check", "--exit-code", "--write")).status == 3
    assert (await desk.run("check", "--exit-code")).status == 0


async def test_write_changes_the_tags_and_not_a_byte_more_and_twice_is_once(desk: Desk, registry: DemoRegistry) -> None:
    before = CRLF.replace(b"HOST", registry.host.encode())
    desk.put({"compose.yaml": before, "values.yaml": VALUES.replace("HOST", registry.host)})
    (desk.folder / "compose.yaml").chmod(0o640)
    assert (await desk.run("check", "--write")).status == 0
    assert desk.read("compose.yaml") == before.replace(b"web:1.4.0", b"web:1.4.1").replace(b"db:1.0.0", b"db:1.1.0")
    assert desk.read("values.yaml").endswith(b"  tag: 1.1.0 # x\n")
    assert (desk.folder / "compose.yaml").stat().st_mode & 0o777 == 0o640
    written = desk.read("compose.yaml")
    done = await desk.run("check", "--write", "--json")
    assert [row["update"] for row in done.rows] == ["major"]
    assert desk.read("compose.yaml") == written
    assert sorted(path.name for path in desk.folder.iterdir()) == ["app.yaml", "compose.yaml", "values.yaml"]


@pytest.mark.parametrize(
    ("rules", "flags", "written"),
    [
        pytest.param("", [], "1.4.1", id="the next major is left alone"),
        pytest.param("", ["--major"], "2.0.0", id="--major takes it"),
        pytest.param("rules: [{match: {updates: [major]}, labels: [big]}]\n", [], "2.0.0", id="a rule names majors"),
        pytest.param("rules: [{match: {paths: [other/**], updates: [major]}, labels: [big]}]\n", [], "1.4.1", id="elsewhere"),
        pytest.param("rules: [{max_step: minor}]\n", ["--major"], "1.4.1", id="a rule forbids it"),
    ],
)
async def test_the_next_major(desk: Desk, registry: DemoRegistry, rules: str, flags: list[str], written: str) -> None:
    desk.put({".tagboat.yaml": rules, "web.yaml": pod(f"{registry.host}/acme/web:1.4.0")})
    assert (await desk.run("check", "--write", *flags)).status == 0
    assert desk.read("web.yaml").decode() == pod(f"{registry.host}/acme/web:{written}")


async def test_a_diff_that_git_applies(desk: Desk, registry: DemoRegistry) -> None:
    files = {
        "a/web.yaml": pod(f"{registry.host}/acme/web:1.4.0").encode(),
        "compose.yaml": CRLF.replace(b"HOST", registry.host.encode()),
    }
    desk.put(files)
    done = await desk.run("check", "--diff")
    assert done.status == 0
    assert {path: desk.read(path) for path in files} == files
    assert done.out.count(b"\n+") - done.out.count(b"\n+++") == 3
    run_git("apply", "-", cwd=desk.folder, stdin=done.out)
    applied = {path: desk.read(path) for path in files}
    desk.put(files)
    await desk.run("check", "--write")
    assert {path: desk.read(path) for path in files} == applied


async def test_an_edit_that_cannot_be_proven_is_refused_by_name_and_the_rest_is_done(desk: Desk, registry: DemoRegistry) -> None:
    """One tag for two images: it cannot be moved for one of them alone."""
    shared = SHARED.replace("HOST", registry.host)
    desk.put({"values.yaml": shared, "web.yaml": pod(f"{registry.host}/acme/web:1.4.0")})
    done = await desk.run("check", "--write")
    assert done.status == 1
    assert "values.yaml:" in done.err
    assert "(not changed)" in done.err
    assert desk.read("values.yaml").decode() == shared
    assert desk.read("web.yaml").decode() == pod(f"{registry.host}/acme/web:1.4.1")


async def test_a_file_that_does_not_parse_is_named_and_the_rest_is_done(desk: Desk, registry: DemoRegistry) -> None:
    desk.put({"a.yaml": pod(f"{registry.host}/acme/db:1.0.0") + "  {[\n", "b.yaml": pod(f"{registry.host}/acme/db:1.0.0")})
    done = await desk.run("check", "--json", "--write")
    assert (done.status, [row["file"] for row in done.rows]) == (1, ["b.yaml"])
    assert done.err.startswith("tagboat: a.yaml:")


async def test_a_current_tag_that_is_missing_is_reported_and_never_acted_on(desk: Desk, registry: DemoRegistry) -> None:
    desk.put({"web.yaml": pod(f"{registry.host}/acme/web:1.3.0", f"{registry.host}/acme/db:1.0.0")})
    done = await desk.run("check", "--write")
    assert done.status == 1
    assert "web.yaml:7" in done.err
    assert "has no tag '1.3.0' in its registry" in done.err
    assert desk.read("web.yaml").decode() == pod(f"{registry.host}/acme/web:1.3.0", f"{registry.host}/acme/db:1.1.0")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        pytest.param([reply(429)], "answers with too many requests (429)", id="429"),
        pytest.param([reply(429, headers={"Retry-After": "3600"})], "allows no more requests until", id="429 for an hour"),
        pytest.param([reply(500)], "answers with status 500", id="500"),
        pytest.param([late(3, tags("1.0.0"))], "did not answer in time", id="slow"),
        pytest.param(
            [b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"tags": ["1.0.0"'], "broke off in the middle", id="truncated"
        ),
        pytest.param(
            [moved("http://10.0.0.1/v2/x/tags/list")], "10.0.0.1:80 is not a public address", id="sent to a private one"
        ),
        pytest.param(
            [challenge('Bearer realm="http://tokens.evil.example/t",service="x"')], "tokens.evil.example", id="realm elsewhere"
        ),
        pytest.param([reply(200, b"<html>")], "127.0.0.1", id="a login page"),
    ],
)
async def test_a_registry_in_trouble(desk: Desk, registry: DemoRegistry, script: list[Answer], words: str) -> None:
    """Its images are named with a clear reason and nothing of theirs is changed; the others are done; the exit status says so."""
    async with FaultServer(*script) as server:
        desk.list_registries(registry.host, server.host)
        desk.put({"web.yaml": pod(f"{server.host}/x/y:1.0.0", f"{registry.host}/acme/db:1.0.0")})
        done = await desk.run("check", "--json", "--write")
    assert done.status == 1
    assert words in done.err
    assert f"web.yaml:7: {server.host}/x/y: " in done.err
    assert [row["next"] for row in done.rows] == ["1.1.0"]
    assert desk.read("web.yaml").decode() == pod(f"{server.host}/x/y:1.0.0", f"{registry.host}/acme/db:1.1.0")


async def test_a_registry_that_is_down(desk: Desk, registry: DemoRegistry) -> None:
    async with FaultServer(reply(500)) as server:
        gone = server.host
    desk.list_registries(registry.host, gone)
    desk.put({f"{at}.yaml": pod(f"{gone}/x/y{at}:1.0.0", f"{registry.host}/acme/db:1.0.0") for at in range(5)})
    done = await desk.run("check", "--json")
    assert done.status == 1
    assert done.err.count("cannot be reached") == 5
    assert len(done.rows) == 5


async def test_a_private_registry_that_nobody_listed_is_not_asked(desk: Desk) -> None:
    async with DemoRegistry() as registry:
        desk.put({"web.yaml": pod(f"{registry.host}/acme/web:1.4.0")})
        done = await desk.run("check")
        assert done.status == 1
        assert "it is only asked if app.yaml lists it" in done.err
        assert not registry.requests


async def test_each_image_is_listed_once(desk: Desk, registry: DemoRegistry) -> None:
    desk.put({f"{at}.yaml": pod(f"{registry.host}/acme/web:1.4.0", f"{registry.host}/acme/db:1.0.0") for at in range(9)})
    assert (await desk.run("check")).status == 0
    assert registry.requests["GET tags"] == 2


@pytest.mark.parametrize(
    ("files", "arguments", "words"),
    [
        ({".tagboat.yaml": "version: 1\nrulez: []\n"}, [], ".tagboat.yaml:2: rulez"),
        ({".tagboat.yaml": "rules:\n  - range: ~\n    policy: semver\n    range: '>>1'\n"}, [], ".tagboat.yaml:4"),
        ({"app.yaml": "registries:\n  - {hots: x}\n"}, [], "app.yaml:2"),
        ({}, ["--app", "nowhere.yaml"], "nowhere.yaml"),
        ({}, ["nowhere"], "nowhere: no such file or folder"),
        ({}, ["--json", "--diff"], "choose one of them"),
    ],
)
async def test_wrong_usage_and_configuration(desk: Desk, files: dict[str, str], arguments: list[str], words: str) -> None:
    desk.put(files)
    done = await desk.run("check", *arguments)
    assert done.status == 2
    assert words in done.err


async def test_a_manifest_that_is_called_app_yaml_is_not_taken_for_the_settings(desk: Desk) -> None:
    desk.put({"app.yaml": pod("nginx:latest")})
    done = await desk.run("images")
    assert done.status == 0
    done = await desk.run("check", "--json")
    assert done.status != 2


async def test_files_and_rules_are_those_of_the_configuration(desk: Desk, registry: DemoRegistry) -> None:
    rules = "files: {exclude: ['**/skip/**']}\nrules:\n  - {match: {paths: ['kept/**']}, policy: none}\n"
    image = f"{registry.host}/acme/db:1.0.0"
    desk.put({".tagboat.yaml": rules, "a/skip/x.yaml": pod(image), "kept/x.yaml": pod(image), "x.yaml": pod(image)})
    done = await desk.run("check", "--json")
    assert [row["file"] for row in done.rows] == ["x.yaml"]


async def test_a_link_is_neither_read_nor_written(desk: Desk, registry: DemoRegistry) -> None:
    desk.put({"outside/web.yaml": pod(f"{registry.host}/acme/db:1.0.0"), "in/own.yaml": pod(f"{registry.host}/acme/db:1.0.0")})
    (desk.folder / "in/link.yaml").symlink_to("../outside/web.yaml")
    done = await desk.run("check", "in", "--json", "--write")
    assert [row["file"] for row in done.rows] == ["own.yaml"]
    assert desk.read("outside/web.yaml").decode() == pod(f"{registry.host}/acme/db:1.0.0")


async def test_a_marker_of_flux_is_followed(desk: Desk, registry: DemoRegistry) -> None:
    for tag in ("main-abc-7", "main-def-12", "main-aaa-9"):
        await registry.put_image("acme/job", tag)
    policy = (
        "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {name: job, namespace: flux-system}\n"
        "spec:\n  filterTags: {pattern: '^main-[a-f]+-(?P<n>[0-9]+)$', extract: $n}\n  policy: {numerical: {order: asc}}\n"
    )
    line = f'    image: {registry.host}/acme/job:main-abc-7 # {{"$imagepolicy": "flux-system:job"}}\n'
    head = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: job\n"
    desk.put({"clusters/policies.yaml": policy, "job.yaml": head + line})
    done = await desk.run("check", "--json", "--write")
    assert [(row["next"], row["policy"]) for row in done.rows] == [("main-def-12", "numerical")]
    assert desk.read("job.yaml").decode() == head + line.replace("abc-7", "def-12")


@pytest.mark.parametrize("inside", [True, False], ids=["in a git checkout", "in no checkout"])
async def test_a_part_of_a_checkout_is_held_to_its_rules(desk: Desk, registry: DemoRegistry, inside: bool) -> None:
    """Rules name paths from the top of the checkout, also where only a part of it is looked at; but never from outside of it."""
    if inside:
        (desk.folder / ".git").mkdir()
    rules = "rules: [{match: {paths: ['envs/prod/**']}, policy: none}]\n"
    manifest = pod(f"{registry.host}/acme/db:1.0.0")
    desk.put(
        {".tagboat.yaml": rules, "envs/prod/a.yaml": manifest, "envs/dev/a.yaml": manifest, "envs/prod/bad.yaml": "image: ]["}
    )
    done = await desk.run("check", "envs", "--json", "--write")
    assert [row["file"] for row in done.rows] == (["dev/a.yaml"] if inside else ["dev/a.yaml", "prod/a.yaml"])
    assert done.err.startswith("tagboat: prod/bad.yaml:1: ")
    assert desk.read("envs/dev/a.yaml") != manifest.encode()
    done = await desk.run("check", "envs/prod/a.yaml", "--json")
    assert done.rows == []
