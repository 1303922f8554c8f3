"""The same `.tagboat.yaml` means the same on GitHub, GitLab and plain git: one Tagboat looks at three copies of a repository."""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from bot.app import App
from bot.demo.registry import DemoRegistry
from bot.forges.github.limits import Pace
from bot.report import Report
from bot.settings import parse
from tests.servers.git_repo import GitRepo
from tests.servers.github.server import GitHubServer
from tests.servers.gitlab import GitLabServer
from tests.stories.world import kinds, pod

NOWHERE_PROTECTED = "require_protection: false, no_checks: merge"
_HEAD_LINE = re.compile(r"<!-- tagboat: head .*\n")
_REFERENCE = re.compile(r" \([#!]\d+\)$", re.MULTILINE)


class Wish(NamedTuple):
    """A request as people see it, with what its branch says."""

    title: str
    branch: str
    base: str
    labels: tuple[str, ...]
    body: str
    message: str
    files: tuple[tuple[str, str], ...]


class Side(Protocol):
    """One forge with its copy of the repository."""

    @abstractmethod
    def rows(self) -> list[Mapping[str, Any]]:
        """Every request: number, title, body, branch, base, labels, state."""

    @abstractmethod
    def git(self, *args: str) -> str:
        """Git in the bare repository."""

    @abstractmethod
    def write(self, path: str, text: str, branch: str = "main") -> None:
        """A person commits a file."""

    @abstractmethod
    def close(self, number: int) -> None:
        """A person closes a request."""

    def files(self, ref: str) -> tuple[tuple[str, str], ...]:
        paths = self.git("ls-tree", "-r", "--name-only", ref).splitlines()
        return tuple((path, self.git("show", f"{ref}:{path}")) for path in paths)

    def wishes(self) -> list[Wish]:
        """The open requests."""
        found = [
            Wish(
                row["title"],
                row["branch"],
                row["base"],
                tuple(sorted(row["labels"])),
                _HEAD_LINE.sub("", row["body"]),
                self.git("log", "-1", "--format=%B", row["branch"]),
                self.files(row["branch"]),
            )
            for row in self.rows()
            if row["state"] == "open"
        ]
        return sorted(found)

    def landed(self) -> list[str]:
        """The messages on main, newest first, without the requests' numbers."""
        text = self.git("log", "--first-parent", "--topo-order", "--format=%B%x00", "main")
        return [_REFERENCE.sub("", one.strip()) for one in text.split("\0") if one.strip()]

    def states(self) -> list[str]:
        return sorted(row["state"] for row in self.rows())


@dataclass
class PlainGit(Side):
    repo: GitRepo

    def rows(self) -> list[Mapping[str, Any]]:
        refs = [ref for ref in self.repo.refs() if ref.startswith("refs/tagboat/requests/")]
        return [json.loads(self.repo.git("cat-file", "-p", ref)) for ref in refs]

    def git(self, *args: str) -> str:
        return self.repo.git(*args)

    def write(self, path: str, text: str, branch: str = "main") -> None:
        self.repo.checkout(branch)
        self.repo.commit("By hand", {path: text.encode()}, branch)

    def close(self, number: int) -> None:
        branch = next(row["branch"] for row in self.rows() if row["number"] == number)
        self.repo.person("push", "-q", "origin", f":refs/heads/{branch}")


@dataclass
class GitHub(Side):
    server: GitHubServer

    def __post_init__(self) -> None:
        self.repo = self.server.world.repos["acme/gitops"]

    def rows(self) -> list[Mapping[str, Any]]:
        return [
            {
                "number": pull.number,
                "title": pull.title,
                "body": pull.body,
                "branch": pull.head,
                "base": pull.base,
                "labels": pull.labels,
                "state": pull.state.lower(),
            }
            for pull in self.repo.pulls.values()
        ]

    def git(self, *args: str) -> str:
        return self.repo.files.git(*args)

    def write(self, path: str, text: str, branch: str = "main") -> None:
        self.repo.files.checkout(branch)
        self.repo.files.commit("By hand", {path: text.encode()}, branch)

    def close(self, number: int) -> None:
        self.server.world.account("ada")
        self.server.world.close(self.repo, number, "ada")


@dataclass
class GitLab(Side):
    server: GitLabServer

    def __post_init__(self) -> None:
        (self.project,) = self.server.projects.values()

    def rows(self) -> list[Mapping[str, Any]]:
        return [
            {
                "number": merge.iid,
                "title": merge.title,
                "body": merge.description,
                "branch": merge.source,
                "base": merge.target,
                "labels": merge.labels,
                "state": "open" if merge.state == "opened" else merge.state,
            }
            for merge in self.project.merges.values()
        ]

    def git(self, *args: str) -> str:
        return self.project.repo.git(*args)

    def write(self, path: str, text: str, branch: str = "main") -> None:
        self.server.push_as("ada", self.project, branch, {path: text.encode()}, "By hand")

    def close(self, number: int) -> None:
        self.server.close(self.project, self.project.merges[number], self.server.user("ada"))


@dataclass
class Three:
    """Three copies, one registry, one Tagboat; it is composed anew for every pass."""

    folder: Path
    app_yaml: str
    secrets: Mapping[str, str]
    registry: DemoRegistry
    sides: tuple[PlainGit, GitHub, GitLab]

    @classmethod
    @asynccontextmanager
    async def of(cls, folder: Path, files: Mapping[str, str], tags: Mapping[str, list[str]]) -> AsyncIterator[Three]:
        async with (
            DemoRegistry() as registry,
            GitHubServer(folder / "github") as github,
            GitLabServer(folder / "gitlab") as gitlab,
        ):
            for image, some in tags.items():
                for tag in some:
                    await registry.put_image(image, tag)
            contents = {path: text.replace("HOST", registry.host).encode() for path, text in files.items()}
            git = GitRepo(folder / "git", contents)
            repo = github.world.repo("acme/gitops", contents)
            github.world.token("github-secret", "tagboat-user")
            repo.permissions |= {"tagboat-user": "write", "ada": "write"}
            project = gitlab.project("acme/gitops", contents, merge_method="ff")
            rows = [
                f'{{kind: git, url: "{git.url}"}}',
                f'{{kind: github, url: "{github.url}", token: {{env: GITHUB}}, repositories: ["acme/gitops"]}}',
                f'{{kind: gitlab, url: "{gitlab.url}", token: {{env: GITLAB}}, projects: ["acme/gitops"]}}',
            ]
            text = f'forges: [{", ".join(rows)}]\nregistries: [{{host: "{registry.host}", insecure: true}}]\n'
            secrets = {"GITHUB": "github-secret", "GITLAB": gitlab.token(gitlab.bot(project))}
            yield cls(folder, text, secrets, registry, (PlainGit(git), GitHub(github), GitLab(gitlab)))
            assert gitlab.complaints == []

    async def run(self) -> list[Report]:
        """Passes over each, until there is nothing left to do: some forges want a branch on top of its base first."""
        reports: list[Report] = []
        for _ in range(6):
            done = await self._pass()
            assert not [one for report in done for one in report.notes if one.kind == "trouble"]
            reports += done
            if not any(report.changed for report in done):
                break
        return reports

    async def _pass(self) -> list[Report]:
        settings = parse(self.app_yaml.encode(), None, self.folder, self.secrets)
        async with await App.open(settings) as app:
            app.rows[1].host._pace = Pace(burst=1000)  # type: ignore[attr-defined]  # no pauses between writes
            return [report async for report in app.run_all()]

    async def push(self, image: str, *tags: str) -> None:
        for tag in tags:
            await self.registry.put_image(image, tag)

    def same(self) -> list[Wish]:
        """The open requests, which are the same everywhere; and so is what landed."""
        git, github, gitlab = self.sides
        assert github.wishes() == git.wishes()
        assert gitlab.wishes() == git.wishes()
        assert github.landed() == git.landed()
        assert gitlab.landed() == git.landed()
        assert github.files("main") == git.files("main") == gitlab.files("main")
        assert github.states() == git.states() == gitlab.states()
        return git.wishes()


CONFIG = f"""\
version: 1
rules:
  - {{labels: [images], policy: auto}}
  - {{match: {{paths: ["dev/**"]}}, automerge: {{{NOWHERE_PROTECTED}}}}}
  - {{match: {{images: ["HOST/acme/worker"]}}, policy: semver, range: "~1.0"}}
  - {{match: {{paths: ["apps/*/prod/**"]}}, group: "path:apps/*"}}
commits: {{author: {{name: Image Bot, email: images@acme.example}}}}
"""
FILES = {
    ".tagboat.yaml": CONFIG,
    "dev/web.yaml": pod("HOST/acme/web:1.4.0", "HOST/acme/worker:1.0.0"),
    "prod/web.yaml": pod("HOST/acme/web:1.4.0"),
    "apps/one/prod/all.yaml": pod("HOST/acme/web:1.4.0", "HOST/acme/worker:1.0.0"),
    "apps/two/prod/all.yaml": pod("HOST/acme/worker:1.0.0"),
    "values.yaml": "image:\n  repository: HOST/acme/web\n  tag: 1.4.0 # stays\n",
}
TAGS = {"acme/web": ["1.4.0", "1.4.1", "2.0.0"], "acme/worker": ["1.0.0", "1.0.3", "1.1.0"]}


async def test_one_story_on_three_forges(tmp_path: Path) -> None:
    async with Three.of(tmp_path, FILES, TAGS) as three:
        reports = await three.run()
        assert sum(kinds(report).count("landed") for report in reports) == 3 * 2
        wishes = three.same()
        assert len(wishes) >= 4
        assert {wish.labels for wish in wishes} == {("images",)}

        # A newer tag: refreshed in place, and dev lands it.
        branches = {wish.branch for wish in wishes}
        await three.push("acme/web", "1.4.2")
        await three.run()
        refreshed = three.same()
        assert {wish.branch for wish in refreshed} == branches
        assert any("1.4.2" in wish.title for wish in refreshed)

        # A person says no to one of them.
        title = next(wish.title for wish in refreshed if "1.4.2" in wish.title)
        for side in three.sides:
            side.close(next(row["number"] for row in side.rows() if row["title"] == title))
        await three.run()
        assert title not in {wish.title for wish in three.same()}
        await three.push("acme/web", "1.4.3")
        await three.run()
        assert title.replace("1.4.2", "1.4.3") in {wish.title for wish in three.same()}

        # A person takes a landing back: dev is held there.
        for side in three.sides:
            dev = dict(side.files("main"))["dev/web.yaml"] + "\n"
            side.write("dev/web.yaml", dev.replace("web:1.4.3", "web:1.4.1"))
        await three.run()
        three.same()

        # Nothing moved: nothing is done.
        before = [side.git("for-each-ref") for side in three.sides]
        await three.run()
        assert [side.git("for-each-ref") for side in three.sides] == before
