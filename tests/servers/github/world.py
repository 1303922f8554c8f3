"""A GitHub's world: making things in it, and what people do."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from tests.servers.git_repo import GitRepo
from tests.servers.github.gitdir import GitDir
from tests.servers.github.standing import Standing
from tests.servers.github.things import Account, CheckRun, Comment, Issue, Pull, Repo, Review, Status, Viewer

__all__ = ["Account", "CheckRun", "Comment", "Issue", "Pull", "Repo", "Review", "Status", "Viewer", "World"]


class World(Standing):
    """All of it. `clock` gives the time; `folder` is where the repositories are."""

    def __init__(self, folder: Path, clock: Callable[[], datetime] | None = None) -> None:
        self.folder = folder
        self.now = clock or (lambda: datetime.now(UTC).replace(microsecond=0))
        self.accounts: dict[str, Account] = {}
        self.viewers: dict[str, Viewer] = {}
        self.repos: dict[str, Repo] = {}
        self.renamed: dict[str, str] = {}
        self.installations: dict[int, dict[str, Any]] = {}
        self.conversions: dict[str, dict[str, Any]] = {}
        self.ids = itertools.count(1000)
        self.deletes_by_graphql = True
        self.ungiven: frozenset[str] = frozenset()  # fields that this server does not know, or cannot give
        self.ungiven_how: Literal["unknown", "failing"] = "unknown"

    # -- making things

    def account(self, login: str, kind: Literal["User", "Bot", "Organization"] = "User") -> Account:
        if login not in self.accounts:
            self.accounts[login] = Account(login, next(self.ids), kind)
        return self.accounts[login]

    def token(self, token: str, login: str) -> Viewer:
        """A plain token of a person."""
        self.viewers[token] = Viewer(self.account(login))
        return self.viewers[token]

    def repo(self, full_name: str = "acme/gitops", files: dict[str, bytes] | None = None) -> Repo:
        owner, name = full_name.split("/")
        git = GitRepo(self.folder / f"{owner}-{name}", files)
        found = Repo(owner, name, next(self.ids), git, GitDir(git.path))
        self.repos[full_name.lower()] = found
        self.account(owner, "Organization")
        return found

    def rename(self, old: str, new: str) -> None:
        repo = self.repos.pop(old.lower())
        repo.owner, repo.name = new.split("/")
        for pull in repo.pulls.values():
            pull.head_repo = new if pull.head_repo.lower() == old.lower() else pull.head_repo
        self.repos[new.lower()] = repo
        self.renamed[old.lower()] = new.lower()

    def find(self, full_name: str) -> Repo | None:
        key = full_name.lower()
        return self.repos.get(self.renamed.get(key, key))

    def by_node(self, node: str) -> Repo | Pull | None:
        for repo in self.repos.values():
            if repo.node == node:
                return repo
            for pull in repo.pulls.values():
                if pull.node == node:
                    return pull
        return None

    def repo_of(self, pull: Pull) -> Repo:
        return next(repo for repo in self.repos.values() if repo.pulls.get(pull.number) is pull)

    # -- what people do

    def check(
        self, repo: Repo, sha: str, name: str = "ci/test", conclusion: str | None = "success", app: str = "github-actions"
    ) -> None:
        status = "completed" if conclusion else "in_progress"
        run = CheckRun(next(self.ids), name, sha, status, conclusion, app, self.now())
        repo.checks.setdefault(sha, []).append(run)
        self.settle(repo)

    def review(self, repo: Repo, number: int, login: str, state: str = "APPROVED") -> None:
        repo.pulls[number].reviews.append(Review(self.account(login), state, self.now()))
        self.settle(repo)

    def say(self, repo: Repo, number: int, login: str, text: str) -> Comment:
        comment = Comment(next(self.ids), self.account(login), text, self.now(), self.now())
        repo.pulls[number].comments.append(comment)
        return comment

    def close(self, repo: Repo, number: int, login: str) -> None:
        pull = repo.pulls[number]
        pull.state, pull.closed_at, pull.closed_by, pull.updated = "CLOSED", self.now(), self.account(login), self.now()

    def reopen(self, repo: Repo, number: int) -> None:
        pull = repo.pulls[number]
        pull.state, pull.closed_at, pull.updated = "OPEN", None, self.now()
