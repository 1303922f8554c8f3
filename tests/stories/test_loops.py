"""Manifests beside code, and a CI that builds on every push: one build for each change of a person, and never a loop.

The CI here is a small one of its own, written from the documentation of those it stands for, so that it knows nothing of what
Tagboat thinks that a CI does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.report import Report
from bot.serving.notify import subjects
from tests.stories.world import World, note, pod

SOURCE = "https://git.example.com/remote/gitops"
TOKENS = ("[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]")
LANDS = "rules: [{match: {paths: ['deploy/**']}, automerge: {method: METHOD}}]\n"

PLAIN = """name: CI
on: {push: {branches: [main]}, pull_request: {}}
jobs:
  test: {steps: [{run: make test}]}
  image:
    if: github.event_name == 'push'
    steps: [{run: "docker push HOST/acme/web:1.0.${{ github.run_number }}"}]
"""
GUARDED = """name: CI
on: {push: {branches: [main]}, pull_request: {}}
jobs:
  test: {steps: [{run: make test}]}
  image:
    if: "github.event_name == 'push' && !startsWith(github.event.head_commit.message, 'skip-ci')"
    steps: [{run: "docker push HOST/acme/web:1.0.${{ github.run_number }}"}]
"""
DEPLOY = """name: Deploy
on: {push: {branches: [main]}}
jobs: {sync: {steps: [{run: kubectl apply -f deploy/}]}}
"""
SENSOR = """kind: Sensor
metadata: {name: web}
spec:
  dependencies:
    - name: push
      filters:
        exprs:
          - {expr: ref == "refs/heads/main", fields: [{name: ref, path: body.ref}]}
          - {expr: msg !~ "^skip-ci", fields: [{name: msg, path: body.commits.0.message}]}
  triggers: [{template: {name: build, argoWorkflow: {source: {resource: {spec: {workflowTemplateRef: {name: web}}}}}}}]
"""


@dataclass
class Ci:
    """Builds what is pushed to main. `reads` is which commit of a push it looks at, `stops` which beginnings or tokens keep it
    from building; with `silences` a token keeps everything else from running too, as it does on GitHub."""

    world: World
    reads: str = "newest"
    stops: tuple[str, ...] = TOKENS
    silences: bool = True
    labels: bool = False
    builds: int = 0
    deploys: int = 0
    _at: str = ""

    async def look(self) -> bool:
        """React to what was pushed since the last look; whether anything was built."""
        head = self.world.repo.head("refs/heads/main") or ""
        if head == self._at:
            return False
        span = f"{self._at}..main" if self._at else "main"
        messages = [
            one.strip() for one in self.world.repo.git("log", "--reverse", "-z", "--format=%B", span).split("\0") if one.strip()
        ]
        self._at = head
        message = messages[-1] if self.reads == "newest" else messages[0]
        stopped = any(message.startswith(text) if text.endswith("ci") else text in message for text in self.stops)
        self.deploys += not (stopped and self.silences)
        if stopped:
            return False
        self.builds += 1
        labels = {"org.opencontainers.image.revision": head, "org.opencontainers.image.source": SOURCE} if self.labels else {}
        layers = [f"build {self.builds}".encode()]
        await self.world.registry.put_image("acme/web", f"1.0.{self.builds}", labels=labels, layers=layers)
        return True


@asynccontextmanager
async def shop(folder: Path, definition: dict[str, str], config: str, method: str = "squash") -> AsyncIterator[World]:
    """Code, a manifest and a CI definition in one repository; the image of the first build stands in the manifest."""
    files = {
        ".tagboat.yaml": LANDS.replace("METHOD", method) + config,
        "Dockerfile": "FROM scratch\n",
        "src/main.go": "package main\n",
        "deploy/web.yaml": pod("HOST/acme/web:1.0.0"),
        **definition,
    }
    async with World.of(folder, files, {"acme/web": ["1.0.0"]}) as world:
        yield world


async def settle(world: World, ci: Ci, passes: int = 12) -> Report:
    """CI and Tagboat take turns until neither has anything to do; that they come to rest at all is half of the matter."""
    for _ in range(passes):
        built = await ci.look()
        world.later(hours=1)
        report = await world.run()
        if not built and not report.changed:
            return report
    raise AssertionError(f"still going after {ci.builds} builds")


def branch_messages(world: World) -> list[str]:
    """The title and the branch commit of every request there was."""
    return [row["title"] + world.repo.git("log", "-1", "--format=%B", row["head"]) for row in world.records().values()]


def bumps(world: World) -> int:
    return sum(
        "Update acme/web" in line and not line.startswith("Merge")
        for line in world.repo.git("log", "--first-parent", "--format=%s", "main")
        .replace(f"{world.registry.host}/", "")
        .splitlines()
    )


GITHUB = {".github/workflows/ci.yml": PLAIN}
WORDS = {".github/workflows/ci.yml": GUARDED, ".github/workflows/deploy.yml": DEPLOY}
ARGO = {"sensor.yaml": SENSOR}
STYLES = [
    pytest.param(GITHUB, "squash", {}, 20, "[skip ci]", id="GitHub's token, squash, 20 changes"),
    pytest.param(GITHUB, "merge", {}, 3, "[skip ci]", id="GitHub's token, merge commit"),
    pytest.param(WORDS, "squash", {"stops": ("skip-ci",), "silences": False}, 6, "skip-ci:", id="a filter, and deploys"),
    pytest.param(WORDS, "merge", {"stops": ("skip-ci",), "silences": False}, 3, "skip-ci:", id="a filter, merge commit"),
    pytest.param(
        ARGO, "squash", {"stops": ("skip-ci",), "silences": False, "reads": "oldest"}, 3, "skip-ci:", id="oldest commit, squash"
    ),
    pytest.param(
        ARGO, "merge", {"stops": ("skip-ci",), "silences": False, "reads": "oldest"}, 3, "skip-ci:", id="oldest commit, merge"
    ),
    pytest.param(
        ARGO,
        "fast-forward",
        {"stops": ("skip-ci",), "silences": False, "reads": "oldest"},
        3,
        "skip-ci:",
        id="oldest, fast-forward",
    ),
]


@pytest.mark.parametrize(("definition", "method", "style", "changes", "marker"), STYLES)
async def test_one_build_for_each_change_of_a_person(tmp_path: Path, definition, method, style, changes, marker) -> None:
    async with shop(tmp_path, definition, "", method) as world:
        ci = Ci(world, **style)
        await settle(world, ci)
        for number in range(1, changes + 1):
            world.write(f"Change {number}", "src/main.go", f"package main // {number}\n")
            await settle(world, ci)
        assert ci.builds == changes + 1  # the first commit was a person's too
        assert bumps(world) == changes + 1
        assert world.file("deploy/web.yaml") == pod(f"HOST/acme/web:1.0.{ci.builds}").rstrip()
        branches = branch_messages(world)
        assert len(branches) == changes + 1
        # The checks of a request read the newest commit of its branch, and its title: a token there would keep them away.
        assert not [text for text in branches for token in TOKENS if token in text]
        assert marker in world.headlines()[0]
        if not ci.silences:
            assert ci.deploys == 2 * (changes + 1)  # each change, and each landing


async def test_a_landing_that_cannot_be_marked_is_refused_with_the_line_to_change(tmp_path: Path) -> None:
    async with shop(tmp_path, GITHUB, "", "fast-forward") as world:
        ci = Ci(world)
        report = await settle(world, ci)
        assert (ci.builds, bumps(world)) == (1, 0)
        assert "paths-ignore" in note(report, "blocked").reason


async def test_a_deploy_that_a_token_would_silence_is_not_silenced(tmp_path: Path) -> None:
    definition = {".github/workflows/ci.yml": PLAIN, ".github/workflows/deploy.yml": DEPLOY}
    async with shop(tmp_path, definition, "") as world:
        report = await settle(world, Ci(world))
        assert bumps(world) == 0
        assert "silencing" in note(report, "blocked").reason


async def test_with_the_marking_turned_off_the_breaker_stops_it_at_the_third_round(tmp_path: Path) -> None:
    async with shop(tmp_path, GITHUB, "commits: {marker: none}\n") as world:
        ci = Ci(world)
        report = await settle(world, ci)
        assert (ci.builds, bumps(world)) == (4, 3)
        held = note(report, "left").reason
        assert "3 times" in held
        assert "CI in .github/workflows/ci.yml" in held
        assert [one.topic for one in subjects(report)] == ["alarm"], "people are told"
        async with world.app() as app:
            alarms = await app.ledger.history(kinds=("alarm",))
        assert len(alarms) == 1
        # A person's commit ends the chain, and there are three rounds again.
        world.write("Change", "src/main.go", "package main // 1\n")
        await settle(world, ci)
        assert bumps(world) == 6


async def test_the_breaker_counts_as_far_as_it_is_told(tmp_path: Path) -> None:
    async with shop(tmp_path, GITHUB, "commits: {marker: none}\nloop: {max: 1}\n") as world:
        ci = Ci(world)
        await settle(world, ci)
        assert (ci.builds, bumps(world)) == (2, 1)


async def test_with_labels_the_origin_stops_it_at_the_first(tmp_path: Path) -> None:
    async with shop(tmp_path, GITHUB, "commits: {marker: none}\n") as world:
        ci = Ci(world, labels=True)
        report = await settle(world, ci)
        assert (ci.builds, bumps(world)) == (2, 1)
        assert "was only built again" in note(report, "left").reason
        world.write("Change", "src/main.go", "package main // 1\n")
        await settle(world, ci)
        assert (ci.builds, bumps(world)) == (4, 2)


@pytest.mark.parametrize("path", ["k8s/ops.yaml", "anything.yml"])
async def test_a_sensor_is_found_wherever_it_stands(tmp_path: Path, path: str) -> None:
    async with shop(tmp_path, {path: SENSOR}, "") as world:
        ci = Ci(world, stops=("skip-ci",), silences=False, reads="oldest")
        await settle(world, ci)
        assert (ci.builds, bumps(world)) == (1, 1)
        # The next look reads nothing of it anew, and knows it all the same.
        world.write("Change", "src/main.go", "package main // 1\n")
        await settle(world, ci)
        assert (ci.builds, bumps(world)) == (2, 2)
        assert world.headlines()[0].startswith("skip-ci:")


async def test_direct_pushes_carry_the_marker_too(tmp_path: Path) -> None:
    async with shop(tmp_path, GITHUB, "") as world:
        world.write("Push", ".tagboat.yaml", "rules: [{delivery: push}]\n")
        ci = Ci(world)
        await settle(world, ci)
        world.write("Change", "src/main.go", "package main // 1\n")
        await settle(world, ci)
        assert (ci.builds, bumps(world)) == (2, 2)
        assert world.headlines()[0].endswith("[skip ci]")


async def test_releases_from_elsewhere_are_no_loop(tmp_path: Path) -> None:
    """A repository that only deploys: bump after bump without a commit of a person, and nothing is held or marked."""
    files = {
        ".tagboat.yaml": "rules: [{automerge: true}]\n",
        "web.yaml": pod("HOST/acme/web:1.0.0"),
        ".github/workflows/deploy.yml": DEPLOY,
    }
    async with World.of(tmp_path, files, {"acme/web": ["1.0.0"]}) as world:
        for number in range(1, 7):
            await world.push("acme/web", f"1.0.{number}")
            world.later(hours=1)
            await world.run()
        assert bumps(world) == 6
        assert world.headlines()[0] == "Update acme/web from 1.0.5 to 1.0.6"
