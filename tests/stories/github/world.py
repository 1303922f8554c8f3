"""A world for stories on GitHub: a GitHub with people in it, a real registry, and Tagboat as `tagboat run` composes it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from bot.app import App
from bot.demo.registry import DemoRegistry
from bot.forges.github.limits import Pace
from bot.report import Report
from bot.settings import parse
from tests.servers.github.server import GitHubServer
from tests.servers.github.world import Pull, Repo
from tests.stories.world import NOON

QUICK = Pace(burst=10_000)  # the pauses between writes are tried elsewhere
REQUIRED = {"requiresStatusChecks": True, "requiredStatusChecks": [{"context": "ci/test", "app": None}]}


@dataclass
class World:
    """`HOST` stands for the registry's address in the contents of files. Tagboat's clock and GitHub's are the same."""

    folder: Path
    registry: DemoRegistry
    github: GitHubServer
    repo: Repo
    extra: str = ""
    login: str = "app: {id: 1, private_key: {file: key.pem}}"
    time: list[datetime] = field(default_factory=lambda: [NOON])
    fault: Callable[[str], None] = lambda point: None
    reports: list[Report] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def of(
        cls, folder: Path, files: Mapping[str, str], tags: Mapping[str, Iterable[str]], extra: str = ""
    ) -> AsyncIterator[World]:
        """A world with these files and these tags of images, and the App installed on its one repository."""
        time = [NOON]
        async with DemoRegistry() as registry, GitHubServer(folder / "github", lambda: time[0]) as github:
            for image, some in tags.items():
                for tag in some:
                    await registry.put_image(image, tag)
            contents = {path: text.replace("HOST", registry.host).encode() for path, text in files.items()}
            repo = github.world.repo("acme/gitops", contents)
            repo.permissions |= {"ada": "write", "bob": "read"}
            github.install(11)
            (folder / "key.pem").write_text(github.private_key)
            yield cls(folder, registry, github, repo, extra, time=time)

    @property
    def now(self) -> datetime:
        return self.time[0]

    def later(self, **span: float) -> None:
        self.time[0] += timedelta(**span)

    @property
    def app_yaml(self) -> str:
        return (
            f'forges: [{{kind: github, url: "{self.github.url}", {self.login}}}]\n'
            f'registries: [{{host: "{self.registry.host}", insecure: true}}]\nrepositories_without_file: propose\n{self.extra}'
        )

    @asynccontextmanager
    async def app(self) -> AsyncIterator[App]:
        """Tagboat, composed anew, as after a restart."""
        settings = parse(self.app_yaml.encode(), None, self.folder, {})
        async with await App.open(settings, clock=lambda: self.now, fault=lambda point: self.fault(point)) as app:
            app.rows[0].host._pace = QUICK  # type: ignore[attr-defined]
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

    def write(self, path: str, text: str, message: str = "By hand", branch: str = "main") -> str:
        """A person commits a file and pushes."""
        self.repo.files.checkout(branch)
        return self.repo.files.commit(message, {path: text.replace("HOST", self.registry.host).encode()}, branch)

    def close(self, number: int) -> None:
        self.github.world.close(self.repo, number, "ada")

    def say(self, text: str, number: int = 1, login: str = "ada") -> None:
        self.github.world.say(self.repo, number, login, text)

    def check(self, conclusion: str | None = "success", number: int = 1, name: str = "ci/test") -> None:
        """CI reports on a request's head."""
        self.github.world.check(self.repo, self.pull(number).head_oid, name, conclusion)

    # -- what there is

    def pull(self, number: int = 1) -> Pull:
        return self.repo.pulls[number]

    def file(self, path: str, ref: str = "main") -> str:
        return self.repo.files.show(f"{ref}:{path}").replace(self.registry.host, "HOST")

    def headlines(self, ref: str = "main") -> list[str]:
        text = self.repo.files.git("log", "--topo-order", "--first-parent", "--format=%s", ref)
        return text.replace(f"{self.registry.host}/", "").splitlines()

    def states(self) -> dict[int, str]:
        return {number: pull.state.lower() for number, pull in self.repo.pulls.items()}

    def titles(self) -> dict[int, str]:
        """The titles of the open requests."""
        rows = self.repo.pulls.items()
        return {number: one.title.replace(f"{self.registry.host}/", "") for number, one in rows if one.state == "OPEN"}

    @property
    def branches(self) -> list[str]:
        return sorted(name.removeprefix("refs/heads/") for name in self.repo.git.refs() if name.startswith("refs/heads/"))
