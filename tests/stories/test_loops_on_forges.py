"""The loop on GitHub and GitLab: manifests beside code, required checks, an image built by every push to main."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.report import Report
from tests.stories.github.world import REQUIRED
from tests.stories.github.world import World as GitHubWorld
from tests.stories.gitlab.world import World as GitLabWorld
from tests.stories.world import note, pod

Either = GitHubWorld | GitLabWorld

GITHUB = """name: CI
on: {push: {branches: [main]}, pull_request: {}}
jobs:
  test: {steps: [{run: make test}]}
  image:
    if: github.event_name == 'push'
    steps: [{run: "docker push HOST/acme/web:1.0.${{ github.run_number }}"}]
"""
GITLAB = """check:
  rules: [{if: $CI_MERGE_REQUEST_IID}]
  script: [make test]
build:
  rules: [{if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH}]
  script:
    - docker push HOST/acme/web:1.0.$CI_PIPELINE_IID
"""
READS = {
    "github": re.compile(r"\[(skip ci|ci skip|no ci|skip actions|actions skip)\]"),
    "gitlab": re.compile(r"\[(ci[ _-]skip|skip[ _-]ci)\]", re.IGNORECASE),
}
SOURCES = {"github": "https://github.com/acme/gitops", "gitlab": "https://gitlab.example.com/acme/gitops.git"}


@dataclass
class Ci:
    """Builds each push to main whose newest commit it does not pass over; runs the checks of a request unless a token keeps it
    from that, as the forge's documentation says."""

    kind: str
    world: Either
    labels: bool = False
    builds: int = 0
    checks: int = 0
    _at: str = ""

    def git(self, *args: str) -> str:
        repo = self.world.repo.files if isinstance(self.world, GitHubWorld) else self.world.project.repo
        return repo.git(*args)

    async def look(self) -> bool:
        self._check_requests()
        head = self.git("rev-parse", "main").strip()
        if head == self._at:
            return False
        self._at = head
        if READS[self.kind].search(self.git("log", "-1", "--format=%B", head)):
            return False
        self.builds += 1
        labels = (
            {"org.opencontainers.image.revision": head, "org.opencontainers.image.source": SOURCES[self.kind]}
            if self.labels
            else {}
        )
        layers = [f"build {self.builds}".encode()]
        await self.world.registry.put_image("acme/web", f"1.0.{self.builds}", labels=labels, layers=layers)
        return True

    def _check_requests(self) -> None:
        """On GitHub by hand; the GitLab here makes the pipelines of requests itself, and skips them by their tokens."""
        if not isinstance(self.world, GitHubWorld):
            return
        for number, pull in self.world.repo.pulls.items():
            if pull.state == "OPEN" and not READS["github"].search(self.git("log", "-1", "--format=%B", pull.head_oid)):
                self.world.check(number=number)
                self.checks += 1


@asynccontextmanager
async def shop(kind: str, folder: Path, config: str = "") -> AsyncIterator[Either]:
    files = {
        ".tagboat.yaml": "rules: [{match: {paths: ['deploy/**']}, automerge: true}]\n" + config,
        "Dockerfile": "FROM scratch\n",
        "src/main.go": "package main\n",
        "deploy/web.yaml": pod("HOST/acme/web:1.0.0"),
    }
    tags = {"acme/web": ["1.0.0"]}
    if kind == "github":
        async with GitHubWorld.of(folder, {**files, ".github/workflows/ci.yml": GITHUB}, tags) as world:
            world.repo.classic["main"] = REQUIRED
            yield world
        return
    must = {"only_allow_merge_if_pipeline_succeeds": True}
    async with GitLabWorld.of(folder, {**files, ".gitlab-ci.yml": GITLAB}, tags, ci="request", **must) as world:
        yield world


async def settle(world: Either, ci: Ci) -> Report:
    """CI and Tagboat take turns until neither has anything to do."""
    for _ in range(20):
        built = await ci.look()
        world.later(minutes=20)
        report = await world.run()
        if not built and not report.changed and not await ci.look():
            return report
    raise AssertionError(f"still going after {ci.builds} builds")


def bumps(ci: Ci) -> int:
    return sum("Update acme/web" in line for line in ci.world.headlines())


def messages_before_landing(world: Either) -> list[str]:
    """Titles and descriptions of all requests."""
    if isinstance(world, GitHubWorld):
        return [f"{one.title}\n{one.body}" for one in world.repo.pulls.values()]
    return [f"{one.title}\n{one.description}" for one in world.project.merges.values()]


@pytest.mark.parametrize(("kind", "changes"), [("github", 20), ("gitlab", 20)])
async def test_one_build_for_each_change_of_a_person_and_every_check_runs(kind: str, changes: int, tmp_path: Path) -> None:
    async with shop(kind, tmp_path) as world:
        ci = Ci(kind, world)
        await settle(world, ci)
        for number in range(1, changes + 1):
            world.write("src/main.go", f"package main // {number}\n", f"Change {number}")
            await settle(world, ci)
        assert ci.builds == bumps(ci) == changes + 1
        assert world.file("deploy/web.yaml") == pod(f"HOST/acme/web:1.0.{ci.builds}").rstrip()
        assert set(world.states().values()) == {"merged"}  # each behind a check that had to run
        assert not [text for text in messages_before_landing(world) if READS[kind].search(text)]
        assert READS[kind].search(ci.git("log", "-1", "--format=%B", "main"))


@pytest.mark.parametrize("kind", ["github", "gitlab"])
@pytest.mark.parametrize(
    ("labels", "builds", "landings", "reason"),
    [
        pytest.param(False, 4, 3, "3 times", id="the breaker stops it at the third round"),
        pytest.param(True, 2, 1, "was only built again", id="with labels the origin stops it at the first"),
    ],
)
async def test_with_the_marking_turned_off(
    kind: str, labels: bool, builds: int, landings: int, reason: str, tmp_path: Path
) -> None:
    async with shop(kind, tmp_path, "commits: {marker: none}\n") as world:
        ci = Ci(kind, world, labels)
        report = await settle(world, ci)
        assert (ci.builds, bumps(ci)) == (builds, landings)
        assert reason in note(report, "left").reason
