"""What Tagboat asks of a forge. One Forge object serves one repository; foreign payloads and errors end at its door."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:  # settings and addresses need no more than the errors
    from bot.state.allowances import Left
    from rules.merging import Condition, Method, Protection
    from rules.plan import PullRequest
    from rules.proposals import Message, Proposal

ForgeKind = Literal["github", "gitlab", "git"]

OWN_CHECK = "tagboat"
OWN_SETTINGS = "tagboat settings"
"""The names of our own checks: how a request of ours stands, and what a changed `.tagboat.yaml` would do."""


class ForgeError(Exception):
    """The forge could not be asked, or refused; the message is for a person and holds no secret."""


class Unreachable(ForgeError):
    """Time-out, connection error, 5xx, truncated answer: try again at the next pass. For a write: it may have happened."""


class Denied(ForgeError):
    """Not allowed (401, 403, 404 on something that should be there): a person has to change a right or a setting."""


class Gone(ForgeError):
    """The repository was removed, archived, or is a fork: it is left alone."""


class Moved(ForgeError):
    """A compare-and-swap failed: the branch is not where we read it. Look again at the next pass."""


class Limited(ForgeError):
    """A rate limit; `until` is when to come back, where the forge says."""

    def __init__(self, message: str, until: datetime | None = None) -> None:
        super().__init__(message)
        self.until = until


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a commit's tree. `mode` as git writes it: 100644, 100755, 120000 (symlink), 160000 (submodule)."""

    oid: str
    mode: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """The repository's settings that matter for landing. `squash` is GitLab's option; templates None: not known or default."""

    default_branch: str
    allowed_methods: tuple[Method, ...]
    merge_queue: bool = False  # GitHub's merge queue, GitLab's merge train
    auto_merge_allowed: bool = False
    squash: Literal["never", "always", "default_on", "default_off"] | None = None
    squash_title_default: str | None = None
    squash_body_default: str | None = None
    merge_title_default: str | None = None
    merge_body_default: str | None = None
    object_format: Literal["sha1", "sha256"] = "sha1"
    protections: Mapping[str, Protection] = field(default_factory=dict)  # by base branch


@dataclass(frozen=True, slots=True)
class Look:
    """One cheap look. `heads` maps each base branch to its commit, the default branch first; `requests` are ours: the open
    ones, and those that ended recently. `login` is our own name on the forge, for mentions and authorship. `at_once`: heads and
    requests are of one moment, so that a head holds what a request that is merged has landed."""

    project: Project
    heads: Mapping[str, str]
    requests: tuple[PullRequest, ...]
    login: str = "tagboat"
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A file that a request's branch changes against its merge base. None: the file does not exist on that side."""

    path: str
    old_oid: str | None
    new_oid: str | None
    old_mode: str | None
    new_mode: str | None


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit on a base branch, as far as decisions need it."""

    oid: str
    author: str
    message: str
    at: datetime
    ours: bool


@dataclass(frozen=True, slots=True)
class Landing:
    """How a request is to land. `head` guards: the merge is refused where the branch has moved."""

    method: Method
    message: Message
    head: str
    enqueue: bool = False
    auto: bool = False  # the forge's own auto-merge
    delete_branch: bool = True


@dataclass(frozen=True, slots=True)
class Landed:
    """`commit` is None where the forge took the landing over (queue, train, auto-merge) or does not say."""

    commit: str | None


@dataclass(frozen=True, slots=True)
class NotLanded:
    """The forge refused the landing: its HTTP status (None on plain git) and its words."""

    status: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Comment:
    """What a person wrote on a request of ours. `may_write` is whether its author may write to the repository: False where that
    is not known."""

    id: str
    number: int
    author: str
    text: str
    at: datetime
    may_write: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """How a request stands, for people: the decision in a word, its sentence, and every condition, met or not."""

    decision: str
    reason: str
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class ProposedSettings:
    """The configuration file as a person's request would have it. `head` is the commit that was read."""

    number: int
    head: str
    data: bytes = field(repr=False)


class Forge(Protocol):
    """One repository. Every method may raise ForgeError; every write is safe to repeat after a crash."""

    kind: ForgeKind
    name: str  # `acme/gitops`; for plain git the URL without credentials

    async def look(self, bases: Sequence[str] = ()) -> Look:
        """Heads, settings and our own requests with their readiness, in one query where the forge can."""
        ...

    async def tree(self, commit: str) -> Mapping[str, Entry]:
        """Every file of a commit, by path."""
        ...

    async def blobs(self, oids: Collection[str]) -> Mapping[str, bytes]:
        """The contents of blobs by id; raises ForgeError where one cannot be read."""
        ...

    async def open(self, proposal: Proposal, onto: str) -> PullRequest:
        """Write the proposal's branch on the commit `onto`, and open its request. Repeated, it finds what it made."""
        ...

    async def refresh(self, request: PullRequest, proposal: Proposal, onto: str, *, rewrite: bool) -> PullRequest:
        """Bring an open request to its proposal, in place: with `rewrite`, the branch anew on `onto` (compare-and-swap on
        `request.head`: Moved where a person pushed), and title, body, labels."""
        ...

    async def close(self, request: PullRequest, reason: str) -> None:
        """Close with a comment that says why, and remove the branch."""
        ...

    async def changes(self, request: PullRequest) -> Sequence[Change]:
        """What the branch changes against its merge base, for the comparison before landing."""
        ...

    async def merge(self, request: PullRequest, landing: Landing) -> Landed | NotLanded:
        """Land a request at exactly `landing.head`, with our own title and body on the landing commit."""
        ...

    async def no_auto_merge(self, request: PullRequest) -> None:
        """Take the forge's own auto-merge off a request; nothing where it is off, or the request has ended."""
        ...

    async def push(self, proposal: Proposal, onto: str, message: Message) -> str:
        """`delivery: push`: commit straight onto the base branch at `onto` (compare-and-swap). The new commit."""
        ...

    async def comment(self, request: PullRequest, text: str) -> None:
        """The one comment of ours on a request: made, or edited in place where it differs."""
        ...

    async def comments(self, request: PullRequest, since: datetime | None = None) -> Sequence[Comment]:
        """What people wrote on a request after a moment, oldest first; our own comments are left out."""
        ...

    async def show(self, request: PullRequest, standing: Standing) -> None:
        """Tell people how a request stands, where the forge has a place for that that nobody's rules count: a check run that is
        concluded at once on GitHub (for an App), our one note on GitLab, the record on plain git. Unchanged: nothing is sent."""
        ...

    async def dashboard(self, text: str) -> None:
        """Our one issue with all that is open, waiting and held (`dashboard_issue: true`): made, or edited in place."""
        ...

    def commit_as(self, author: tuple[str, str] | None, signoff: bool) -> None:
        """Take the author of commits (name, e-mail) and signing off from the repository's settings, where the forge lets us."""
        ...

    async def history(self, base: str, paths: Sequence[str], since: datetime | None = None) -> Sequence[Commit]:
        """The newest commits of a base branch that touched any of `paths`, newest first, at most some hundreds. Without paths:
        the newest of all commits."""
        ...

    async def close_session(self) -> None:
        """Give back connections and temporary files."""
        ...


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository to look at. `named` is true where the operator named it in `app.yaml`, false where it was discovered."""

    forge: Forge
    named: bool = True


class Host(Protocol):
    """One row of `forges` in `app.yaml`: it knows its repositories. Methods may raise ForgeError."""

    kind: ForgeKind

    async def repositories(self) -> Sequence[Repository]:
        """Every repository to look at: those that are named, or those that the App or token can see (forks and archived ones left
        out). The Forge objects are the same ones at every call, so that what they remember stays."""
        ...

    async def close(self) -> None:
        """Give back connections, threads and temporary files, those of its forges included."""
        ...


@dataclass(frozen=True, slots=True)
class Usage:
    """What a forge was asked: `requests` by a kind of which there are few, and what it says is `left` of our allowance."""

    host: str
    requests: Mapping[str, int]
    left: Mapping[str, Left]


@runtime_checkable
class Counting(Protocol):
    """A Host that counts what it sends."""

    @property
    def usage(self) -> Usage:
        """As of now; nobody is asked for it."""
        ...
