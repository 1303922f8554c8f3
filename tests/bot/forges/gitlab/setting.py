"""A GitLab with one project and a forge for it; and proposals for the stories."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bot.forges.base import Landing
from bot.forges.gitlab.forge import GitLabForge
from bot.forges.gitlab.wire import Limits, Wire
from bot.registries.limits import Clock
from rules.merging import Method
from rules.proposals import FileChange, Message, Proposal, Stream
from rules.records import Record, Written, hidden_line
from rules.requests import PullRequest
from tests.servers.gitlab import GitLabServer, Merge, Project

TRAILERS = "Tagboat-Image: docker.io/library/web\nTagboat-Update: minor"
LANDING = Message("Update web from 1.0.0 to 1.1.0 (!1)", TRAILERS)
MARKED = Message("Update web from 1.0.0 to 1.1.0 (!1) [skip ci]", TRAILERS)
STREAM = Stream("main", "docker.io/library/web", "rule")
BRANCH = STREAM.branch("tagboat/")

QUICK = Limits(per_second=5000, burst=5000, connect_timeout=2, read_timeout=2, total_timeout=5, first_pause=0.01, down_for=0)


async def _hardly(seconds: float) -> None:
    await asyncio.sleep(min(seconds, 0.01))


@dataclass
class Setting:
    """`forge` is the one that works; `again()` gives one that knows nothing, as after a crash."""

    server: GitLabServer
    project: Project
    token: str
    wires: list[Wire]
    fault: Callable[[str], None] = lambda point: None

    def __post_init__(self) -> None:
        self.forge = self.again()

    def again(self, token: str | None = None, limits: Limits = QUICK, **options: Any) -> GitLabForge:
        wire = Wire(self.server.url, token or self.token, limits, Clock(sleep=_hardly))
        self.wires.append(wire)
        return GitLabForge(self.project.path, wire, fault=lambda point: self.fault(point), **options)

    @property
    def wire(self) -> Wire:
        return self.wires[0]

    @property
    def repo(self) -> Any:
        return self.project.repo

    def merge(self, number: int = 1) -> Merge:
        return self.project.merges[number]

    async def head(self) -> str:
        """Look, and say where main stands."""
        return (await self.forge.look()).heads["main"]

    async def opened(self, version: str = "1.1.0", **wishes: Any) -> PullRequest:
        """A request of ours, as the next look sees it."""
        made = await self.forge.open(wish(version, **wishes), await self.head())
        return await self.seen(made.number)

    async def seen(self, number: int = 1, forge: GitLabForge | None = None) -> PullRequest:
        look = await (forge or self.forge).look()
        return next(one for one in look.requests if one.number == number)

    def server_merge(self, number: int) -> Merge:
        """A request of ours that was merged long ago."""
        moment = self.server.time.text()
        bot, branch = self.server.tokens[self.token].user, f"tagboat/old-{number:08x}"
        old = Merge(number, number, bot, branch, "main", f"Old {number}", "", moment, moment, state="merged")
        old.merged_at = moment
        return old

    def notes(self, number: int = 1) -> list[str]:
        """What was said on a request, but for GitLab's own notes."""
        return [note.body for note in self.merge(number).notes if not note.system]


@asynccontextmanager
async def setting(folder: Path, path: str = "acme/gitops", **settings: Any) -> AsyncIterator[Setting]:
    """A GitLab in a folder. At the end it must have no complaints."""
    files = settings.pop("files", None)
    async with GitLabServer(folder) as server:
        project = server.project(path, files, **settings)
        found = Setting(server, project, server.token(server.bot(project)), [])
        try:
            yield found
        finally:
            for wire in found.wires:
                await wire.close()
        assert server.complaints == []


def wish(
    version: str = "1.1.0", path: str = "app.yaml", image: str = "web", base: str = "main", prefix: str = "tagboat/", **more: Any
) -> Proposal:
    """The proposal that `path` is to say `image: web:<version>`; each image has a branch of its own."""
    stream = Stream(base, f"docker.io/library/{image}", "rule")
    data = more.pop("data", f"image: {image}:{version}\n".encode())
    files = (FileChange(path, "100644", "0" * 40, data),)
    title = f"Update {image} to {version}"
    message = Message(f"Update {image} from 1.0.0 to {version}", TRAILERS)
    line = hidden_line(Record(stream.key, f"fp-{version}", ((path, image, "1.0.0", version),)), Written(title, version))
    proposal = Proposal(
        stream, stream.branch(prefix), title, f"Why: newer.\n\n{line}\n", message, files, (), f"fp-{version}", ("images",)
    )
    return replace(proposal, **more)


def at(request: PullRequest, method: Method = "squash", **more: Any) -> Landing:
    """A landing of the request's head."""
    return Landing(method, more.pop("message", LANDING), request.head, **more)
