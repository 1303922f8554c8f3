"""What a GitHub has: accounts, repositories, pull requests and all that is said about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from tests.servers.git_repo import GitRepo
from tests.servers.github.gitdir import GitDir, Person


@dataclass
class Account:
    login: str
    id: int
    kind: Literal["User", "Bot", "Organization"] = "User"

    @property
    def person(self) -> Person:
        return self.login, f"{self.id}+{self.login}@users.noreply.github.com"


@dataclass
class Viewer:
    """Who a token is: an account, and for an App's installation its number, rights and end."""

    account: Account
    installation: int | None = None
    app_slug: str | None = None
    permissions: dict[str, str] = field(default_factory=dict)
    expires: datetime | None = None
    repositories: frozenset[str] | None = None

    def may(self, permission: str, level: str = "read") -> bool:
        if self.installation is None:
            return permission != "checks" or level == "read"
        have = self.permissions.get(permission, "none")
        return have in ("write", "admin") or have == level


@dataclass
class CheckRun:
    id: int
    name: str
    sha: str
    status: str
    conclusion: str | None
    app: str
    started: datetime
    external_id: str = ""
    output: dict[str, Any] = field(default_factory=dict)


@dataclass
class Status:
    context: str
    state: str
    creator: Account
    at: datetime


@dataclass
class Comment:
    id: int
    author: Account
    body: str
    created: datetime
    updated: datetime


@dataclass
class Review:
    author: Account
    state: str
    at: datetime


@dataclass
class Issue:
    number: int
    title: str
    body: str
    author: Account
    state: str = "open"
    comments: list[Comment] = field(default_factory=list)


@dataclass
class Pull:
    id: int
    number: int
    title: str
    body: str
    author: Account
    base: str
    head: str
    head_repo: str
    head_oid: str
    created: datetime
    updated: datetime
    state: str = "OPEN"
    draft: bool = False
    labels: set[str] = field(default_factory=set)
    assignees: set[str] = field(default_factory=set)
    reviewers: set[str] = field(default_factory=set)
    teams: set[str] = field(default_factory=set)
    reviews: list[Review] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    threads: list[bool] = field(default_factory=list)  # resolved or not
    closed_at: datetime | None = None
    closed_by: Account | None = None
    merged_at: datetime | None = None
    merged_by: Account | None = None
    merge_commit: str | None = None
    auto_merge: dict[str, Any] | None = None
    queued: bool = False
    unknown: int = 0  # how many more times `mergeable` is said to be unknown

    @property
    def node(self) -> str:
        return f"PR_{self.id}"


@dataclass
class Repo:
    owner: str
    name: str
    id: int
    files: GitRepo
    git: GitDir
    default: str = "main"
    fork: bool = False
    archived: bool = False
    methods: set[str] = field(default_factory=lambda: {"merge", "squash", "rebase"})
    allow_auto_merge: bool = False
    delete_branch_on_merge: bool = False
    squash_title: str = "COMMIT_OR_PR_TITLE"
    squash_body: str = "COMMIT_MESSAGES"
    pulls: dict[int, Pull] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)
    labels: set[str] = field(default_factory=set)
    checks: dict[str, list[CheckRun]] = field(default_factory=dict)
    statuses: dict[str, list[Status]] = field(default_factory=dict)
    classic: dict[str, dict[str, Any]] = field(default_factory=dict)
    rules: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    permissions: dict[str, str] = field(default_factory=dict)  # by login
    teams: set[str] = field(default_factory=set)
    locked_branches: set[str] = field(default_factory=set)  # nobody may push to them

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def node(self) -> str:
        return f"R_{self.id}"

    def head(self, branch: str) -> str | None:
        return self.git.refs().get(f"refs/heads/{branch}")
