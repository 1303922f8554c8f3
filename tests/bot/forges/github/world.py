"""A GitHub with one repository, our client beside it, and proposals for its stories."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.forges.github.auth import TokenAuth
from bot.forges.github.connections import Connections
from bot.forges.github.forge import GitHubForge
from bot.forges.github.host import GitHubHost
from bot.forges.github.limits import Budget, Pace
from bot.forges.github.wire import Wire
from bot.registries.limits import Clock
from bot.settings.secrets import Secret
from bot.settings.values import GitHubApp, GitHubSettings
from rules.proposals import FileChange, Message, Proposal, Stream
from rules.records import Record, Written, hidden_line
from tests.servers.github.server import GitHubServer
from tests.servers.github.world import Repo

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TRAILERS = "Tagboat-Image: docker.io/library/web\nTagboat-Update: minor"
STREAM = Stream("main", "docker.io/library/web", "rule")
BRANCH = STREAM.branch("tagboat/")
LANDING = Message("Update web from 1.0.0 to 1.1.0 [skip ci]", TRAILERS)


@dataclass
class Hours:
    """A clock that moves when somebody waits, and by hand."""

    at: float = START.timestamp()
    waited: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC).replace(microsecond=0)

    def later(self, **span: float) -> None:
        self.at += timedelta(**span).total_seconds()

    async def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.at += seconds
        await asyncio.sleep(0)

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.at, wall=lambda: self.at, sleep=self.sleep, jitter=lambda: 0.5)


@dataclass
class World:
    """The server, its repository `acme/gitops`, the hours, and makers of clients."""

    server: GitHubServer
    repo: Repo
    hours: Hours
    connections: Connections
    faults: list[str] = field(default_factory=list)

    def forge(self, fault: Callable[[str], None] = lambda point: None, token: str = "secret") -> GitHubForge:
        """A client with a token of its own process: it remembers nothing."""
        budget = Budget(Pace(), self.hours.clock())
        wire = Wire(self.server.url, TokenAuth(token), self.connections, budget=budget)
        return GitHubForge("acme/gitops", wire, fault=fault)

    def app(self, repositories: tuple[str, ...] = ()) -> GitHubHost:
        """A host that is the App."""
        settings = GitHubSettings(
            url=self.server.url, app=GitHubApp("1", Secret(self.server.private_key)), repositories=repositories
        )
        return GitHubHost(settings, connections=self.connections, clock=self.hours.clock())

    async def installed(self) -> GitHubForge:
        """The forge of the App's first repository."""
        forge = (await self.app().repositories())[0].forge
        assert isinstance(forge, GitHubForge)
        return forge

    @property
    def branches(self) -> list[str]:
        return sorted(name.removeprefix("refs/heads/") for name in self.repo.git.refs() if name.startswith("refs/heads/"))


@asynccontextmanager
async def world(folder: Path, files: dict[str, bytes] | None = None) -> AsyncIterator[World]:
    """A world while the block runs."""
    hours, connections = Hours(), Connections(connect=5, silence=0.3, total=10)
    async with GitHubServer(folder, hours.now) as server:
        repo = server.world.repo("acme/gitops", files)
        server.world.token("secret", "tagboat-user")
        server.install()
        repo.permissions |= {"tagboat-user": "write", "ada": "write", "bob": "read"}
        yield World(server, repo, hours, connections)
        await connections.close()


def wish(
    version: str = "1.1.0",
    path: str = "app.yaml",
    image: str = "web",
    *,
    mode: str = "100644",
    data: bytes | None = None,
    labels: tuple[str, ...] = (),
    reviewers: tuple[str, ...] = (),
    assignees: tuple[str, ...] = (),
) -> Proposal:
    """The proposal that `path` is to say `image: web:<version>`."""
    stream = Stream("main", f"docker.io/library/{image}", "rule")
    record = Record(stream.key, f"fp-{version}", ((path, image, "1.0.0", version),))
    title = f"Update {image} to {version}"
    return Proposal(
        stream=stream,
        branch=stream.branch("tagboat/"),
        title=title,
        body=f"Why: newer.\n\n{hidden_line(record, Written(title, 'abc123'))}\n",
        message=Message(f"Update {image} from 1.0.0 to {version}", TRAILERS),
        files=(FileChange(path, mode, "0" * 40, data if data is not None else f"image: {image}:{version}\n".encode()),),
        updates=(),
        fingerprint=f"fp-{version}",
        labels=labels,
        reviewers=reviewers,
        assignees=assignees,
    )


async def head_of(forge: GitHubForge) -> str:
    """Look, and say where the default branch stands."""
    return (await forge.look()).heads["main"]


__all__ = ["BRANCH", "LANDING", "STREAM", "Hours", "World", "head_of", "replace", "wish", "world"]
