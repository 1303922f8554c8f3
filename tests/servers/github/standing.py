"""How pull requests stand, and how they land: GitHub's own judgements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Literal

from tests.servers.github.gitdir import GITHUB
from tests.servers.github.things import Account, CheckRun, Pull, Repo, Status


class Standing:
    """What GitHub thinks of the requests of a repository."""

    now: Callable[[], datetime]
    repos: dict[str, Repo]
    account: Callable[[str, Literal["User", "Bot", "Organization"]], Account]

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
