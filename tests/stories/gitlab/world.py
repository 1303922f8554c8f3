"""A world for stories on GitLab: a GitLab with people in it, a real registry, and Tagboat as `tagboat run` composes it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.app import App
from bot.demo.registry import DemoRegistry
from bot.report import Report
from bot.settings import parse
from tests.servers.gitlab import GitLabServer, Merge, Project


@dataclass
class World:
    """`HOST` stands for the registry's address in the contents of files. Tagboat's clock and GitLab's are the same."""

    folder: Path
    registry: DemoRegistry
    gitlab: GitLabServer
    project: Project
    token: str
    extra: str = ""
    fault: Callable[[str], None] = lambda point: None
    reports: list[Report] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def of(
        cls,
        folder: Path,
        files: Mapping[str, str],
        tags: Mapping[str, Iterable[str]],
        *,
        ci: str | None = None,
        ci_status: str = "success",
        extra: str = "",
        **settings: Any,
    ) -> AsyncIterator[World]:
        """A world with these files and these tags of images; `settings` are the project's."""
        async with DemoRegistry() as registry, GitLabServer(folder / "gitlab") as gitlab:
            for image, some in tags.items():
                for tag in some:
                    await registry.put_image(image, tag)
            contents = {path: text.replace("HOST", registry.host).encode() for path, text in files.items()}
            project = gitlab.project("acme/gitops", contents, **settings)
            project.ci, project.ci_status = ci, ci_status
            yield cls(folder, registry, gitlab, project, gitlab.token(gitlab.bot(project)), extra)
            assert gitlab.complaints == []

    def now(self) -> datetime:
        return datetime.now(UTC) + self.gitlab.time.offset

    def later(self, **time: float) -> None:
        self.gitlab.time.offset += timedelta(**time)

    @asynccontextmanager
    async def app(self) -> AsyncIterator[App]:
        """Tagboat, composed anew, as after a restart."""
        text = (
            f'forges: [{{kind: gitlab, url: "{self.gitlab.url}", token: {{env: TOKEN}}, projects: ["acme/gitops"]}}]\n'
            f'registries: [{{host: "{self.registry.host}", insecure: true}}]\n{self.extra}'
        )
        settings = parse(text.encode(), None, self.folder, {"TOKEN": self.token})
        async with await App.open(settings, clock=self.now, fault=lambda point: self.fault(point)) as app:
            yield app

    async def run(self) -> Report:
        """One pass, by a Tagboat that remembers only what is in its ledger."""
        async with self.app() as app:
            (report,) = [report async for report in app.run_all()]
        self.reports.append(report)
        return report

    async def push(self, image: str, *tags: str) -> None:
        for tag in tags:
            await self.registry.put_image(image, tag)

    # -- people

    def write(self, path: str, text: str, message: str = "By hand", branch: str = "main", name: str = "ada") -> str:
        """A person commits a file and pushes."""
        data = {path: text.replace("HOST", self.registry.host).encode()}
        return self.gitlab.push_as(name, self.project, branch, data, message)

    def close(self, number: int) -> None:
        self.gitlab.close(self.project, self.merge(number), self.gitlab.user("ada"))

    # -- what there is

    def merge(self, number: int = 1) -> Merge:
        return self.project.merges[number]

    def file(self, path: str, ref: str = "main") -> str:
        """A file as it stands on a branch."""
        return self.project.repo.show(f"{ref}:{path}").replace(self.registry.host, "HOST")

    def headlines(self, ref: str = "main") -> list[str]:
        """The headlines of a branch's commits, newest first."""
        text = self.project.repo.git("log", "--topo-order", "--first-parent", "--format=%s", ref)
        return text.replace(f"{self.registry.host}/", "").splitlines()

    def states(self) -> dict[int, str]:
        return {number: merge.state for number, merge in self.project.merges.items()}

    def titles(self) -> dict[int, str]:
        """The titles of the open requests."""
        rows = self.project.merges.items()
        return {number: one.title.replace(f"{self.registry.host}/", "") for number, one in rows if one.state == "opened"}

    def notes(self, number: int = 1) -> list[str]:
        """What was said on a request, but for GitLab's own notes."""
        return [note.body for note in self.merge(number).notes if not note.system]
