"""A world for stories: a real git repository with a person in it, a real registry, and Tagboat as `tagboat run` composes it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.app import App
from bot.demo.registry import DemoRegistry
from bot.report import Note, Report
from bot.settings import parse
from tests.servers.git_repo import GitRepo

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday
DEV_LANDS = 'rules: [{match: {paths: ["dev/**"]}, automerge: true}]\n'


def pod(*images: str) -> str:
    """A manifest with these images."""
    lines = [f"  - name: c{at}\n    image: {image}  # stays\n" for at, image in enumerate(images)]
    return "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n" + "".join(lines)


@dataclass
class World:
    """`host` stands for the registry's address in the contents of files: `HOST/acme/web:1.0.0`."""

    folder: Path
    registry: DemoRegistry
    repo: GitRepo
    now: datetime = NOON
    extra: str = ""
    reports: list[Report] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def of(
        cls, folder: Path, files: Mapping[str, str], tags: Mapping[str, Iterable[str]], extra: str = ""
    ) -> AsyncIterator[World]:
        """A world with these files (`HOST` in them is the registry) and these tags of images."""
        async with DemoRegistry() as registry:
            for image, some in tags.items():
                for tag in some:
                    await registry.put_image(image, tag)
            contents = {path: text.replace("HOST", registry.host).encode() for path, text in files.items()}
            yield cls(folder, registry, GitRepo(folder / "remote", contents), extra=extra)

    @property
    def app_yaml(self) -> str:
        return (
            f'forges: [{{kind: git, url: "{self.repo.url}"}}]\n'
            f'registries: [{{host: "{self.registry.host}", insecure: true}}]\n{self.extra}'
        )

    @asynccontextmanager
    async def app(self) -> AsyncIterator[App]:
        """Tagboat, composed anew, as after a restart."""
        settings = parse(self.app_yaml.encode(), None, self.folder, {})
        async with await App.open(settings, clock=lambda: self.now) as app:
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

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)

    def file(self, path: str, ref: str = "main") -> str:
        """A file as it stands on a branch, `HOST` for the registry's address."""
        return self.repo.show(f"{ref}:{path}").replace(self.registry.host, "HOST")

    def write(self, message: str, path: str, text: str, branch: str = "main") -> str:
        """A person commits a file."""
        self.repo.checkout(branch)
        return self.repo.commit(message, {path: text.replace("HOST", self.registry.host).encode()}, branch)

    def headlines(self, ref: str = "main") -> list[str]:
        """The headlines of a branch's commits, newest first, without the registry's address."""
        return self.repo.git("log", "--format=%s", ref).replace(f"{self.registry.host}/", "").splitlines()

    def records(self) -> dict[int, Mapping[str, Any]]:
        """Every request, by number."""
        refs = (ref for ref in self.repo.refs() if ref.startswith("refs/tagboat/requests/"))
        rows = (json.loads(self.repo.git("cat-file", "-p", ref)) for ref in refs)
        return {row["number"]: row for row in sorted(rows, key=lambda row: row["number"])}

    def states(self) -> dict[int, str]:
        return {number: row["state"] for number, row in self.records().items()}

    def titles(self) -> dict[int, str]:
        """The titles of the open requests."""
        rows = self.records().items()
        return {number: row["title"].replace(f"{self.registry.host}/", "") for number, row in rows if row["state"] == "open"}

    def branch(self, number: int) -> str:
        found: str = self.records()[number]["branch"]
        return found


def kinds(report: Report) -> list[str]:
    return [note.kind for note in report.notes]


def note(report: Report, kind: str) -> Note:
    """The one note of a kind."""
    (found,) = [one for one in report.notes if one.kind == kind]
    return found
