"""What the server remembers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.servers.gitlab.repo import Repo, Who

GUEST, REPORTER, DEVELOPER, MAINTAINER, OWNER = 10, 20, 30, 40, 50


@dataclass(slots=True)
class User:
    id: int
    username: str
    name: str
    email: str
    bot: bool = False
    state: str = "active"

    @property
    def who(self) -> Who:
        return Who(self.name, self.email)

    def brief(self) -> dict[str, Any]:
        return {"id": self.id, "username": self.username, "name": self.name, "state": self.state}


@dataclass(slots=True)
class Token:
    user: User
    name: str = "tagboat"
    scopes: tuple[str, ...] = ("api",)
    expires_at: date | None = None
    revoked: bool = False


@dataclass(slots=True)
class Pipeline:
    id: int
    sha: str
    ref: str
    status: str
    source: str
    user: User
    created_at: str
    updated_at: str

    def brief(self, project: int) -> dict[str, Any]:
        return {
            "id": self.id,
            "iid": self.id,
            "project_id": project,
            "sha": self.sha,
            "ref": self.ref,
            "status": self.status,
            "source": self.source,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }


@dataclass(slots=True)
class Note:
    id: int
    author: User
    body: str
    created_at: str
    updated_at: str
    system: bool = False
    resolvable: bool = False
    resolved: bool = False

    def json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "body": self.body,
            "author": self.author.brief(),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "system": self.system,
            "resolvable": self.resolvable,
            "resolved": self.resolved,
        }


@dataclass(slots=True)
class Merge:
    """A merge request."""

    id: int
    iid: int
    author: User
    source: str
    target: str
    title: str
    description: str
    created_at: str
    updated_at: str
    state: str = "opened"
    labels: list[str] = field(default_factory=list)
    reviewers: list[User] = field(default_factory=list)
    review_states: dict[int, str] = field(default_factory=dict)
    assignees: list[User] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    approved_by: list[User] = field(default_factory=list)
    remove_source: bool = False
    squash: bool = False
    head: str = ""  # of an ended one
    fork: str = ""
    auto: dict[str, Any] | None = None  # what the merge call said, to be done when the pipeline has passed
    merge_commit: str | None = None
    squash_commit: str | None = None
    merged_at: str | None = None
    merged_by: User | None = None
    closed_at: str | None = None
    closed_by: User | None = None
    shy: int = 0  # so many merge calls are refused though nothing is wrong
    looking: int = 0  # for so many questions its status is not known
    status: str | None = None  # a status of GitLab's own making
    stale: str | None = None  # the head that its answers still name
    stale_left: int = 0  # in so many answers
    car: str | None = None  # its place on the train: idle, fresh, merged

    @property
    def merge_user(self) -> User | None:
        """Who merged it, or set it to auto-merge."""
        return self.merged_by or (self.auto or {}).get("user")


@dataclass(slots=True)
class Issue:
    iid: int
    author: User
    title: str
    description: str
    state: str = "opened"


@dataclass(slots=True)
class Project:
    id: int
    path: str
    repo: Repo
    settings: dict[str, Any]
    members: dict[int, int] = field(default_factory=dict)
    users: dict[int, User] = field(default_factory=dict)
    protected: dict[str, tuple[int, int]] = field(default_factory=dict)  # branch: who may push, who may merge
    merges: dict[int, Merge] = field(default_factory=dict)
    pipelines: list[Pipeline] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    approvals_required: int = 0
    reset_approvals: bool = True
    ci: str | None = None  # pipelines for: branch, request, both
    ci_status: str = "running"
    archived: bool = False
    fork: bool = False
    removed: bool = False
    old_paths: set[str] = field(default_factory=set)
    issues_enabled: bool = True
    signs: bool = False  # web commits have GitLab as their committer
    lag: int = 0  # in so many answers a request still has the head before a push
    silent: int = 0  # so many newest pushes are not told yet
    sizes: dict[str, int] = field(default_factory=dict)

    def level(self, user: User) -> int:
        return self.members.get(user.id, 0)


class Time:
    """Moments that are never the same twice. `offset` moves the server's clock."""

    def __init__(self) -> None:
        self.offset = timedelta(0)
        self._last = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        now = datetime.now(UTC) + self.offset
        self._last = max(now, self._last + timedelta(milliseconds=1))
        return self._last

    def text(self) -> str:
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


Action = Callable[[], None]
