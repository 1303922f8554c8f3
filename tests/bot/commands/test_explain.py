"""`tagboat explain`: each candidate of the live registry, kept or dropped, by what."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.demo.registry import DemoRegistry
from tests.bot.commands.desk import Desk, pod


@pytest.fixture
async def registry(desk: Desk) -> AsyncIterator[DemoRegistry]:
    async with DemoRegistry() as registry:
        for tag in ("1.4.0", "1.4.1", "1.5.0-rc.1", "2.0.0", "nightly"):
            await registry.put_image("acme/web", tag)
        desk.list_registries(registry.host)
        yield registry


def verdicts(row: dict[str, object]) -> dict[str, str]:
    candidates = row["candidates"]
    assert isinstance(candidates, list)
    assert all(one["reason"] for one in candidates)
    return {one["tag"]: one["verdict"] for one in candidates}


async def test_each_candidate_with_its_verdict(desk: Desk, registry: DemoRegistry) -> None:
    desk.put({"web.yaml": pod(f"{registry.host}/acme/web:1.4.0")})
    done = await desk.run("explain", f"{registry.host}/acme/web", "--json")
    assert (done.status, done.err) == (0, "")
    (row,) = done.rows
    assert {key: row[key] for key in ("current", "policy", "places", "chosen", "major")} == {
        "current": "1.4.0", "policy": "auto", "places": ["web.yaml:7"], "chosen": "1.4.1", "major": "2.0.0",
    }  # fmt: skip
    assert verdicts(dict(row)) == {
        "1.4.0": "older", "1.4.1": "chosen", "1.5.0-rc.1": "filtered", "2.0.0": "filtered", "nightly": "filtered",
    }  # fmt: skip


async def test_a_tag_that_is_named_is_taken_as_if_it_stood_there(desk: Desk, registry: DemoRegistry) -> None:
    desk.put({".tagboat.yaml": "rules: [{max_step: patch}]\n", "web.yaml": pod(f"{registry.host}/acme/web:1.4.0")})
    done = await desk.run("explain", f"{registry.host}/acme/web:1.4.1", "--json")
    (row,) = done.rows
    assert (row["current"], row["chosen"], row["policy"]) == ("1.4.1", None, "auto")


async def test_an_image_that_stands_nowhere_is_judged_by_the_general_rules(desk: Desk, registry: DemoRegistry) -> None:
    desk.put({".tagboat.yaml": "rules: [{policy: semver, range: '^1.4'}]\n"})
    done = await desk.run("explain", f"{registry.host}/acme/web", "--json")
    (row,) = done.rows
    assert (row["policy"], row["chosen"], row["places"]) == ("semver", "1.4.1", [])


async def test_each_place_with_rules_of_its_own_is_a_case(desk: Desk, registry: DemoRegistry) -> None:
    rules = "rules: [{match: {paths: ['prod/**']}, policy: none}, {match: {paths: ['dev/**']}, policy: semver}]\n"
    image = f"{registry.host}/acme/web:1.4.0"
    desk.put({".tagboat.yaml": rules, "dev/a.yaml": pod(image), "prod/a.yaml": pod(image), "x.yaml": pod(image)})
    done = await desk.run("explain", f"{registry.host}/acme/web", "--json")
    assert [(row["policy"], row["places"]) for row in done.rows] == [("semver", ["dev/a.yaml:7"]), ("auto", ["x.yaml:7"])]


async def test_plain_lines_in_a_pipe(desk: Desk, registry: DemoRegistry) -> None:
    desk.put({"web.yaml": pod(f"{registry.host}/acme/web:1.4.0")})
    done = await desk.run("explain", f"{registry.host}/acme/web")
    assert done.lines[0].startswith(f"{registry.host}/acme/web at 1.4.0, policy auto: 1.4.1 (")
    assert any(line.startswith("1.4.1\tchosen\t") for line in done.lines)


async def test_places_that_ask_no_registry_say_why(desk: Desk, registry: DemoRegistry) -> None:
    text = pod(f"{registry.host}/acme/web:1.4.0").replace("1.4.0", '1.4.0   # {"$imagepolicy": "flux-system:web"}')
    desk.put({"a.yaml": pod(f"{registry.host}/acme/web:1.4.0"), "b.yaml": text})
    done = await desk.run("explain", f"{registry.host}/acme/web")
    reason = "Flux's marker beside it names the ImagePolicy flux-system:web, which is not in this repository"
    assert done.lines[0] == f"b.yaml:7: {registry.host}/acme/web at 1.4.0 stays ({reason})"
    assert len((await desk.run("explain", f"{registry.host}/acme/web", "--json")).rows) == 1


async def test_trouble_and_wrong_usage(desk: Desk, registry: DemoRegistry) -> None:
    done = await desk.run("explain", f"{registry.host}/acme/nothing:1.0")
    assert (done.status, done.out) == (1, b"")
    assert registry.host in done.err
    done = await desk.run("explain", "Not An Image")
    assert done.status == 2
