"""GitLab: one project through its REST API, with a project, group or personal access token.

    forges:
      - {kind: gitlab, url: "https://gitlab.com", token: {env: GITLAB_TOKEN}, projects: ["acme/gitops"]}

A look where nothing moved costs at most three requests: the base branch, our merge requests, and the newest pipelines where one
of ours is open (else the project's settings, which are read again after some hours, and before every landing). The parts:

    session, wire        python-gitlab in threads: limits, retries, counting
    requests, checking   our requests and their readiness, read again where something moved
    pipelines            which pipelines moved, and which count
    reading              trees, blobs, archives, changes, history
    branches, writing    branches and their commits, requests
    landing              merges and trains
    notes, talk          the one note, comments, the dashboard issue
    people, token        who we are, what others and the token may do
    host                 which projects there are
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from bot.forges.base import (
    Change,
    Comment,
    Commit,
    Denied,
    Entry,
    ForgeKind,
    Gone,
    Landed,
    Landing,
    Look,
    NotLanded,
    Project,
    Standing,
)
from bot.forges.gitlab.branches import Branches
from bot.forges.gitlab.checking import Checker
from bot.forges.gitlab.landing import Lander
from bot.forges.gitlab.people import People
from bot.forges.gitlab.readiness import protection
from bot.forges.gitlab.reading import Archives, Reader
from bot.forges.gitlab.requests import Table
from bot.forges.gitlab.session import Declined
from bot.forges.gitlab.talk import Talker
from bot.forges.gitlab.token import lacking
from bot.forges.gitlab.wire import Lane, Wire, plainly
from bot.forges.gitlab.writing import FAULT_POINTS, Writer
from rules.plan import PullRequest
from rules.proposals import Message, Proposal

__all__ = ["FAULT_POINTS", "GitLabForge"]

T = TypeVar("T")
Json = Mapping[str, Any]

_SETTINGS_KEPT = 4 * 3600.0


class GitLabForge:
    """One GitLab project. `wire`, `people` and `archives` are shared by the projects of a host. `settings` is the project's
    answer where it was read already. `fault` is called with the name of each fault point."""

    kind: ForgeKind = "gitlab"

    def __init__(
        self,
        path: str,
        wire: Wire,
        people: People | None = None,
        archives: Archives | None = None,
        *,
        settings: Json | None = None,
        fault: Callable[[str], None] = lambda point: None,
    ) -> None:
        self.name = path
        self._wire = wire
        self._lane = Lane(wire, path)
        self._people = people or People(wire)
        self._table = Table()
        self._checker = Checker(self._lane)
        self._reader = Reader(self._lane, archives or Archives(wire))
        self._talker = Talker(self._lane, self._people, self._table, self._checker.settle, fault)
        self._branches = Branches(lambda: self.name, self._lane, self._people, self._checker)
        self._writer = Writer(lambda: self.name, self._lane, self._people, self._table, self._branches, self._talker.say, fault)
        self._lander = Lander(self._lane, self._table, self._fresh_settings, fault)
        self._project: Json | None = None
        self._read_at = 0.0
        self._bases: tuple[str, ...] = ()
        if settings is not None:
            self.told(settings)

    @property
    def project_id(self) -> int | None:
        """The project's number, once it is known."""
        return int(self._project["id"]) if self._project is not None else None

    def told(self, settings: Json) -> None:
        """Take in the project's answer, read by whoever lists projects."""
        self._project, self._read_at = settings, self._wire.clock.monotonic()
        self._lane.key = int(settings["id"])
        self.name = str(settings.get("path_with_namespace") or self.name)

    # -- looking

    async def look(self, bases: Sequence[str] = ()) -> Look:
        """Heads, settings and our requests with their readiness."""
        return await self._do(lambda: self._look(bases))

    async def tree(self, commit: str) -> Mapping[str, Entry]:
        """Every file of a commit. Sizes are not known."""
        return await self._do(lambda: self._reader.tree(commit))

    async def blobs(self, oids: Collection[str]) -> Mapping[str, bytes]:
        """The contents of blobs by id, several at once, or very many by an archive."""
        return await self._do(lambda: self._reader.blobs(oids))

    async def changes(self, request: PullRequest) -> Sequence[Change]:
        """What the branch changes against its merge base."""

        async def compare() -> Sequence[Change]:
            row = {"iid": request.number, "sha": request.head, "source_branch": request.branch}
            commits = await self._checker.commits(row, await self._people.us())
            return await self._reader.changes(request.head, commits.fork, request.base)

        return await self._do(compare)

    async def history(self, base: str, paths: Sequence[str], since: datetime | None = None) -> Sequence[Commit]:
        """The newest commits of a base branch that touched any of `paths`: one request for each path."""

        async def read() -> Sequence[Commit]:
            return await self._reader.history(base, paths, since, await self._people.us(), self._checker.emails)

        return await self._do(read)

    # -- writing

    async def open(self, proposal: Proposal, onto: str) -> PullRequest:
        """Branch and commit in one call, then the merge request; what an earlier try left is found."""
        return await self._do(lambda: self._writer.open(proposal, onto))

    async def refresh(self, request: PullRequest, proposal: Proposal, onto: str, *, rewrite: bool) -> PullRequest:
        """The same branch and number with a new commit, or new words only."""
        return await self._do(lambda: self._writer.refresh(request, proposal, onto, rewrite=rewrite))

    async def close(self, request: PullRequest, reason: str) -> None:
        """Say why in the note, remove the branch, close the request."""
        await self._do(lambda: self._writer.close(request, reason))

    async def merge(self, request: PullRequest, landing: Landing) -> Landed | NotLanded:
        """Land at exactly `landing.head`: by the merge call, or by the project's merge train."""
        return await self._do(lambda: self._lander.merge(request, landing))

    async def no_auto_merge(self, request: PullRequest) -> None:
        """Take GitLab's own auto-merge off a request."""
        await self._do(lambda: self._lander.no_auto_merge(request))

    async def push(self, proposal: Proposal, onto: str, message: Message) -> str:
        """One commit straight onto the base branch, which has to stand at `onto`, its files as they are there."""
        return await self._do(lambda: self._writer.push(proposal, onto, message))

    async def comment(self, request: PullRequest, text: str) -> None:
        """The first part of our note on the request."""
        await self._do(lambda: self._talker.comment(request, text))

    async def comments(self, request: PullRequest, since: datetime | None = None) -> Sequence[Comment]:
        """What people wrote; nothing is asked where the request's listing says that nothing was."""
        return await self._do(lambda: self._talker.comments(request, since))

    async def show(self, request: PullRequest, standing: Standing) -> None:
        """The second part of our note on the request."""
        await self._do(lambda: self._talker.show(request, standing))

    async def dashboard(self, text: str) -> None:
        """Our issue with all that is open."""
        await self._do(lambda: self._talker.dashboard(text))

    def commit_as(self, author: tuple[str, str] | None, signoff: bool) -> None:
        """Take the author and signing off from the repository's own settings; the committer is GitLab's word."""
        self._branches.author, self._branches.signoff = author, signoff
        self._checker.emails = frozenset({author[1].lower()}) if author else frozenset()

    async def close_session(self) -> None:
        """Nothing stays open here: threads and connections are the host's."""

    # -- how it is done

    async def _do(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await work()
        except Declined as declined:
            if declined.status in (403, 404):
                await self._explain(declined)
            raise plainly(self.name, declined) from None

    async def _explain(self, declined: Declined) -> None:
        """What was refused may be because of what became of the project, or what the token is. Raises Gone or Denied then."""
        project = await self._settings(fresh=True)
        if why := await lacking(self._wire, project, declined.status):
            raise Denied(f"{self.name}: {why}") from None

    async def _fresh_settings(self) -> Json:
        return await self._settings(fresh=True)

    async def _settings(self, *, fresh: bool) -> Json:
        """The project. Raises Gone where it is to be left alone."""
        age = self._wire.clock.monotonic() - self._read_at
        if self._project is None or fresh or age > _SETTINGS_KEPT:
            try:
                self.told(await self._lane.get(""))
            except Declined as declined:
                if declined.status == 404 and self._project is not None:
                    raise Gone(f"{self.name}: the project is gone, or the token may not see it any more") from None
                raise plainly(self.name, declined) from None
        assert self._project is not None
        if self._project.get("archived"):
            raise Gone(f"{self.name} is archived")
        if self._project.get("marked_for_deletion_on") or self._project.get("marked_for_deletion_at"):
            raise Gone(f"{self.name} is about to be removed")
        if self._project.get("forked_from_project"):
            raise Gone(f"{self.name} is a fork")
        return self._project

    async def _look(self, bases: Sequence[str]) -> Look:
        us = await self._people.us()
        await self._writer.recheck()
        known = self._project is not None
        if bases:
            self._bases = tuple(dict.fromkeys((*self._bases, *bases)))[-20:]
        open_before = any(self._table.open())
        # With a request open, the third question is for the pipelines; else it is for the settings.
        project = await self._settings(fresh=not open_before and known)
        default = project.get("default_branch")
        if not default:
            return Look(_project(project, {}), {}, (), us.login)
        names = list(dict.fromkeys([str(default), *self._bases]))
        asked = asyncio.gather(self._table.read(self._lane, us), *([self._checker.pipelines.watch()] if open_before else []))
        branches, _ = await asyncio.gather(self._heads(names), asked)
        if branches[str(default)] is None:
            project = await self._settings(fresh=True)
            if project.get("default_branch") != default:
                return await self._look(())
            raise Denied(f"{self.name}: there is no branch {default!r}, or the token may not read the code")
        if not open_before and any(self._table.open()):
            await self._checker.pipelines.watch()
        elsewhere = {str(row["target_branch"]) for row in self._table.open()} - branches.keys()
        branches |= await self._heads(sorted(elsewhere))
        requests = await self._checker.requests(list(self._table.rows.values()), project, branches, us)
        heads = {name: str(branch["commit"]["id"]) for name, branch in branches.items() if branch and name in names}
        wanted = {name: protection(project, branch) for name, branch in branches.items() if branch is not None}
        ordered = tuple(sorted(requests, key=lambda request: request.number))
        return Look(_project(project, wanted), heads, ordered, us.login)

    async def _heads(self, names: Sequence[str]) -> dict[str, Json | None]:
        found = await asyncio.gather(*(self._branches.get(name) for name in names))
        return dict(zip(names, found, strict=True))


def _project(project: Json, protections: Mapping[str, Any]) -> Project:
    """The settings that matter for landing."""
    wanted = protection(project, None)
    squash = project.get("squash_option")
    return Project(
        default_branch=str(project.get("default_branch") or "main"),
        allowed_methods=wanted.allowed_methods,
        merge_queue=wanted.merge_queue,
        auto_merge_allowed=True,
        squash=squash if squash in ("never", "always", "default_on", "default_off") else None,
        squash_title_default=project.get("squash_commit_template") or None,
        merge_title_default=project.get("merge_commit_template") or None,
        object_format="sha256" if project.get("repository_object_format") == "sha256" else "sha1",
        protections=protections,
    )
