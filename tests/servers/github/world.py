"""What a GitHub knows, beside git: accounts, repositories, pull requests and all that is said about them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from tests.servers.git_repo import GitRepo
from tests.servers.github.gitdir import GITHUB, GitDir, Person


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


class World:
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

    # -- how things stand

    def sync(self, repo: Repo, by: Account) -> None:
        """After refs moved: requests whose branch is gone or has nothing of its own any more are closed, as GitHub does it."""
        refs = repo.git.refs()
        for pull in repo.pulls.values():
            if pull.state != "OPEN" or pull.head_repo != repo.full_name:
                continue
            head, base = refs.get(f"refs/heads/{pull.head}"), refs.get(f"refs/heads/{pull.base}")
            if head is not None and base is not None and not repo.git.ancestor(head, base):
                if pull.head_oid != head:
                    pull.head_oid, pull.updated = head, self.now()
                continue
            if head is not None and base is not None and pull.head_oid == head:
                pull.state, pull.merged_at, pull.merged_by, pull.merge_commit = "MERGED", self.now(), by, head
            else:
                pull.state, pull.closed_by = "CLOSED", by
            pull.closed_at = pull.updated = self.now()

    def settle(self, repo: Repo) -> None:
        """Land what was left to GitHub, and can land now."""
        for pull in repo.pulls.values():
            if pull.state == "OPEN" and pull.auto_merge and self.merge_state(repo, pull) in ("CLEAN", "HAS_HOOKS"):
                wish = pull.auto_merge
                self.land(repo, pull, wish["method"].lower(), wish.get("headline"), wish.get("body"), wish["by"])

    def contexts(self, repo: Repo, sha: str) -> Iterator[CheckRun | Status]:
        newest: dict[tuple[str, str], CheckRun] = {}
        for run in repo.checks.get(sha, ()):
            newest[run.name, run.app] = run
        yield from newest.values()
        statuses = {status.context: status for status in repo.statuses.get(sha, ())}
        yield from statuses.values()

    def required(self, repo: Repo, base: str) -> set[str]:
        names = {check["context"] for check in (repo.classic.get(base) or {}).get("requiredStatusChecks") or ()}
        for rule in repo.rules.get(base, ()):
            names |= {check["context"] for check in (rule.get("parameters") or {}).get("requiredStatusChecks") or ()}
        return names

    def approvals(self, repo: Repo, base: str) -> int:
        classic = repo.classic.get(base) or {}
        counts = [classic.get("requiredApprovingReviewCount") or 0 if classic.get("requiresApprovingReviews") else 0]
        counts += [(rule.get("parameters") or {}).get("requiredApprovingReviewCount") or 0 for rule in repo.rules.get(base, ())]
        return max(counts)

    def has_queue(self, repo: Repo, base: str) -> bool:
        return any(rule["type"] == "MERGE_QUEUE" for rule in repo.rules.get(base, ()))

    def mergeable(self, repo: Repo, pull: Pull) -> str:
        base = repo.head(pull.base)
        if base is None or pull.state != "OPEN":
            return "UNKNOWN"
        return "MERGEABLE" if repo.git.merge_tree(base, pull.head_oid) else "CONFLICTING"

    def merge_state(self, repo: Repo, pull: Pull) -> str:
        if pull.unknown > 0:
            return "UNKNOWN"
        if self.mergeable(repo, pull) == "CONFLICTING":
            return "DIRTY"
        if pull.draft:
            return "BLOCKED"
        base, required = repo.head(pull.base) or "", self.required(repo, pull.base)
        done: dict[str, list[bool | None]] = {}
        for context in self.contexts(repo, pull.head_oid):
            name = context.name if isinstance(context, CheckRun) else context.context
            done.setdefault(name, []).append(_passed(context))
        if any(done.get(name, [None]) != [True] * len(done.get(name, [None])) for name in required):
            return "BLOCKED"
        if self.decision(repo, pull) in ("REVIEW_REQUIRED", "CHANGES_REQUESTED"):
            return "BLOCKED"
        if (repo.classic.get(pull.base) or {}).get("requiresStrictStatusChecks") and repo.git.count(pull.head_oid, base):
            return "BEHIND"
        return "CLEAN" if all(value is True for values in done.values() for value in values) else "UNSTABLE"

    def decision(self, repo: Repo, pull: Pull) -> str | None:
        wanted = self.approvals(repo, pull.base)
        newest = {review.author.login: review.state for review in pull.reviews}
        if "CHANGES_REQUESTED" in newest.values():
            return "CHANGES_REQUESTED"
        if not wanted:
            return None
        return "APPROVED" if list(newest.values()).count("APPROVED") >= wanted else "REVIEW_REQUIRED"

    # -- landing

    def land(self, repo: Repo, pull: Pull, method: str, headline: str | None, body: str | None, by: Account) -> str | None:
        """Land it; the commit on the base, or None where that cannot be done."""
        base = repo.head(pull.base)
        tree = base and repo.git.merge_tree(base, pull.head_oid)
        if not base or not tree:
            return None
        first = repo.git.log("--reverse", f"{base}..{pull.head_oid}")
        messages = [repo.git.commit(oid).message for oid in first]
        if method == "rebase":
            new = base
            for oid in first:
                info = repo.git.commit(oid)
                picked = repo.git.merge_tree(new, oid)
                if picked is None:
                    return None
                new = repo.git.write_commit(picked, [new], info.message, info.author, GITHUB)
        else:
            title, text = self._words(repo, pull, method, messages)
            message = f"{headline if headline is not None else title}\n\n{body if body is not None else text}".strip() + "\n"
            parents = [base, pull.head_oid] if method == "merge" else [base]
            author = pull.author.person if method == "squash" else by.person
            new = repo.git.write_commit(tree, parents, message, author, GITHUB)
        if not repo.git.set_ref(f"refs/heads/{pull.base}", new, base):
            return None
        pull.state, pull.merge_commit, pull.merged_by, pull.queued = "MERGED", new, by, False
        pull.merged_at = pull.closed_at = pull.updated = self.now()
        if repo.delete_branch_on_merge:
            repo.git.delete_ref(f"refs/heads/{pull.head}")
        self.sync(repo, by)
        return new

    @staticmethod
    def _words(repo: Repo, pull: Pull, method: str, messages: list[str]) -> tuple[str, str]:
        """What GitHub writes where it is told nothing."""
        if method == "merge":
            return f"Merge pull request #{pull.number} from {repo.owner}/{pull.head}", pull.title
        single = len(messages) == 1 and repo.squash_title == "COMMIT_OR_PR_TITLE"
        title = messages[0].split("\n")[0] if single else pull.title
        bodies = {"PR_BODY": pull.body, "BLANK": "", "COMMIT_MESSAGES": "\n\n".join(messages)}
        return f"{title} (#{pull.number})", bodies[repo.squash_body]

    def run_queue(self, repo: Repo) -> None:
        """The merge queue lands what is in it, with words of its own."""
        for pull in repo.pulls.values():
            if pull.queued and pull.state == "OPEN":
                self.land(repo, pull, "squash", None, None, self.account("github-merge-queue[bot]", "Bot"))


def _passed(context: CheckRun | Status) -> bool | None:
    if isinstance(context, Status):
        return {"SUCCESS": True, "PENDING": None}.get(context.state.upper(), False)
    if context.status != "completed":
        return None
    return context.conclusion in ("success", "neutral", "skipped")
