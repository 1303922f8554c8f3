"""GitHub: github.com and Enterprise Server, as an App or with a token.

    forges:
      - {kind: github, url: "https://api.github.com", app: {id: 1, private_key: {file: key.pem}}}
      - {kind: github, url: "https://github.example.com/api/v3", token: {env: GITHUB_TOKEN}, repositories: ["acme/gitops"]}

| what                                        | requests                                                     |
|---------------------------------------------|--------------------------------------------------------------|
| a look where nothing moved                  | 1                                                            |
| a new head                                  | the tree, and one for each 60 new files                      |
| a new request                               | 3: branch, commit, request; labels and people 1 each, and 1  |
| a newer tag                                 | 4: branch beside, commit, both moved in one step, words      |
| a landing                                   | 1 or 2 to compare, 1 to land, 1 for the branch               |

Everything goes through `wire`; what is remembered between two calls is in `place`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from bot.forges.base import (
    Change,
    Comment,
    Commit,
    Entry,
    ForgeKind,
    Landed,
    Landing,
    Look,
    NotLanded,
    ProposedSettings,
    Standing,
    Unreachable,
)
from bot.forges.github import queries
from bot.forges.github.commits import Committer
from bot.forges.github.landing import Lander
from bot.forges.github.looking import Looker, introduce
from bot.forges.github.place import Place
from bot.forges.github.reading import Reader
from bot.forges.github.settings import Reviewer
from bot.forges.github.talking import Talker
from bot.forges.github.wire import Wire
from bot.forges.github.writing import FAULT_POINTS, Writer
from rules.proposals import Message, Proposal
from rules.requests import PullRequest

__all__ = ["FAULT_POINTS", "GitHubForge"]

T = TypeVar("T")


class GitHubForge:
    """One repository, `owner/name`. `is_app`: the wire is signed as an App's installation, whose `login` and whose
    `default` branch a list may have told. `fault` is called with the name of each fault point."""

    kind: ForgeKind = "github"

    def __init__(
        self,
        name: str,
        wire: Wire,
        *,
        is_app: bool = False,
        login: str = "",
        default: str = "main",
        seen: bool = False,
        fault: Callable[[str], None] = lambda point: None,
    ) -> None:
        self.name = name
        self.wire = wire
        self._place = Place(name, app=login, default=default, seen=seen)
        self._looker = Looker(wire, self._place)
        self._reader = Reader(wire, self._place)
        self._talker = Talker(wire, self._place, is_app, fault)
        self._reviewer = Reviewer(wire, self._place, self._reader, is_app)
        self._committer = committer = Committer(wire, self._place)
        self._lander = Lander(wire, self._place, committer, fault)
        self._writer = Writer(wire, self._place, self._talker, committer, self._lander, fault)

    async def look(self, bases: Sequence[str] = ()) -> Look:
        """Heads, settings, and our requests with their readiness: one query where nothing moved. A repository that was renamed is
        followed; one that is gone, archived or a fork is `Gone`."""
        return await self._do(lambda: self._looker.look(bases), known=False)

    async def tree(self, commit: str) -> Mapping[str, Entry]:
        """Every file of a commit, with its size."""
        return await self._do(lambda: self._reader.tree(commit), known=False)

    async def blobs(self, oids: Collection[str]) -> Mapping[str, bytes]:
        """The contents of blobs, each proven by its id."""
        return await self._do(lambda: self._reader.blobs(oids), known=False)

    async def changes(self, request: PullRequest) -> Sequence[Change]:
        """What the branch changes against its merge base."""
        return await self._do(lambda: self._reader.changes(request), known=False)

    async def history(self, base: str, paths: Sequence[str], since: datetime | None = None) -> Sequence[Commit]:
        """The newest commits of a base branch that touched any of `paths`, at most 30 for each; without paths the newest 100."""
        return await self._do(lambda: self._reader.history(base, paths, since))

    async def open(self, proposal: Proposal, onto: str) -> PullRequest:
        """Branch, commit, request, then labels and people. A request or branch that a crash left is found and taken up."""
        return await self._do(lambda: self._writer.open(proposal, onto))

    async def refresh(self, request: PullRequest, proposal: Proposal, onto: str, *, rewrite: bool) -> PullRequest:
        """The same request with a new commit, or new words only. GitHub's own auto-merge is taken off before a new commit."""
        return await self._do(lambda: self._writer.refresh(request, proposal, onto, rewrite))

    async def close(self, request: PullRequest, reason: str) -> None:
        """Say why, close, and delete the branch if it is where we saw it."""
        await self._do(lambda: self._writer.close(request, reason))

    async def merge(self, request: PullRequest, landing: Landing) -> Landed | NotLanded:
        """Land it at `landing.head`. `auto` hands it to GitHub, or lands it at once where GitHub would."""
        return await self._do(lambda: self._lander.merge(request, landing))

    async def no_auto_merge(self, request: PullRequest) -> None:
        """Take GitHub's own auto-merge off a request: a marker or a gate of ours applies now."""
        await self._do(lambda: self._lander.no_auto_merge(request), known=False)

    async def push(self, proposal: Proposal, onto: str, message: Message) -> str:
        """One commit straight onto the base branch, which has to stand at `onto`."""
        return await self._do(lambda: self._writer.push(proposal, onto, message))

    async def comment(self, request: PullRequest, text: str) -> None:
        """Our one comment on a request."""
        await self._do(lambda: self._talker.comment(request, text))

    async def comments(self, request: PullRequest, since: datetime | None = None) -> Sequence[Comment]:
        """What people wrote; mostly the look has brought it along. Who may write is asked for those who call somebody."""
        return await self._do(lambda: self._talker.comments(request, since))

    async def show(self, request: PullRequest, standing: Standing) -> None:
        """The check run `tagboat`, for an App; a plain token has none."""
        await self._do(lambda: self._talker.show(request, standing), known=False)

    @property
    def may_review(self) -> bool:
        """Whether people's open requests moved since their configuration files were judged."""
        return bool(self._reviewer.fresh)

    async def proposed_settings(self) -> Sequence[ProposedSettings]:
        """Configuration files that people's open requests would change, each head once: nothing is asked where none moved."""
        return await self._do(self._reviewer.proposed)

    async def judge_settings(
        self, proposed: ProposedSettings, findings: Sequence[str], effect: Sequence[str] | None = None
    ) -> None:
        """Tell a request what is wrong in its configuration file, by a check run of its own; nothing: that it is good. `effect`
        says in Markdown what it would change (None: that is not known)."""
        await self._do(lambda: self._reviewer.judge(proposed, findings, effect))

    async def dashboard(self, text: str) -> None:
        """Our one issue. Where a person closed it, it stays closed."""
        await self._do(lambda: self._talker.dashboard(text))

    def commit_as(self, author: tuple[str, str] | None, signoff: bool) -> None:
        """An author of the repository's own choice costs GitHub's signature on the commits."""
        self._place.us = replace(self._place.us, author=author)
        self._committer.signoff = signoff

    async def _do(self, work: Callable[[], Awaitable[T]], *, known: bool = True) -> T:
        """Do something, knowing who we are where that matters. An answer of another form than GitHub documents ends here."""
        try:
            if known:
                await self._meet()
            return await work()
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise Unreachable(f"{self.name}: GitHub's answer has not the form that it should ({type(error).__name__})") from error

    async def _meet(self) -> None:
        """Know who we are; every look tells it."""
        if not self._place.us.login:
            data, _ = await self.wire.query(queries.VIEWER)
            await introduce(self.wire, self._place, data.get("viewer"))

    def renamed(self, name: str) -> None:
        """Take the name that a list of repositories gives it now."""
        self.name = self._place.path = name

    async def close_session(self) -> None:
        """The connections are the host's."""
