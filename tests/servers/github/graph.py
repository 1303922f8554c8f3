"""GitHub's GraphQL: the schema beside this file, executed by graphql-core over the world. What a field needs is worked out when
it is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from graphql import ExecutionResult, GraphQLError, GraphQLSchema, build_schema, graphql_sync

from tests.servers.github.graph_writes import Writes, refused
from tests.servers.github.payloads import moment
from tests.servers.github.world import Account, CheckRun, Pull, Repo, Status, Viewer, World

Json = dict[str, Any]


@cache
def schema() -> GraphQLSchema:
    return build_schema((Path(__file__).parent / "schema.graphql").read_text())


class Graph(Writes):
    """One request by one viewer."""

    def __init__(self, world: World, viewer: Viewer, base: str, inline_limit: int = 512 * 1024) -> None:
        self.world = world
        self.viewer = viewer
        self.base = base
        self.inline_limit = inline_limit

    def answer(self, query: str, variables: Mapping[str, Any]) -> Json:
        unknown = sorted(name for name in self.world.ungiven if re.search(rf"\b{name}\b", query))
        if unknown and self.world.ungiven_how == "unknown":
            texts = [f"Field '{name}' doesn't exist on type 'X'" for name in unknown]
            return {"errors": [{"message": text, "path": ["query"], "extensions": {"code": "undefinedField"}} for text in texts]}

        def failing(following: Callable[..., Any], root: Any, info: Any, **said: Any) -> Any:
            if info.field_name in self.world.ungiven:
                raise GraphQLError("Something went wrong")
            return following(root, info, **said)

        middleware = [failing] if self.world.ungiven else None
        said, root = dict(variables), self._root()
        result = graphql_sync(schema(), query, root_value=root, variable_values=said, middleware=middleware)
        return shown(result)

    def _root(self) -> Json:
        return {
            "viewer": lambda info: {"login": self.viewer.account.login, "databaseId": self.viewer.account.id},
            "repository": self._repository,
            "createCommitOnBranch": self._commit_on_branch,
            "updateRefs": self._update_refs,
            "enablePullRequestAutoMerge": self._auto_merge,
            "disablePullRequestAutoMerge": self._no_auto_merge,
            "enqueuePullRequest": self._enqueue,
        }

    # -- reading

    def _repository(self, info: Any, owner: str, name: str) -> Json:
        repo = self.world.find(f"{owner}/{name}")
        visible = self.viewer.repositories is None or (repo is not None and repo.full_name in self.viewer.repositories)
        if repo is None or not visible:
            raise refused("NOT_FOUND", f"Could not resolve to a Repository with the name '{owner}/{name}'.")
        return {
            "id": repo.node,
            "databaseId": repo.id,
            "nameWithOwner": repo.full_name,
            "isFork": repo.fork,
            "isArchived": repo.archived,
            "isDisabled": False,
            "autoMergeAllowed": repo.allow_auto_merge,
            "deleteBranchOnMerge": repo.delete_branch_on_merge,
            "squashMergeCommitTitle": repo.squash_title,
            "squashMergeCommitMessage": repo.squash_body,
            "mergeCommitTitle": "MERGE_MESSAGE",
            "mergeCommitMessage": "PR_TITLE",
            "mergeCommitAllowed": "merge" in repo.methods,
            "squashMergeAllowed": "squash" in repo.methods,
            "rebaseMergeAllowed": "rebase" in repo.methods,
            "defaultBranchRef": lambda info: self._ref(repo, repo.default),
            "ref": lambda info, **said: self._ref(repo, said["qualifiedName"].removeprefix("refs/heads/")),
            "refs": lambda info, **said: self._refs(repo, **said),
            "object": lambda info, oid=None, expression=None: self._object(repo, oid or expression),
            "pullRequest": lambda info, number: self._numbered(repo, number),
            "pullRequests": lambda info, **said: self._pulls(repo, **said),
        }

    def _ref(self, repo: Repo, branch: str) -> Json | None:
        oid = repo.head(branch)
        if oid is None:
            return None
        return {
            "name": branch,
            "target": lambda info: self._commit(repo, oid),
            "compare": lambda info, **said: self._compare(repo, oid, said["headRef"]),
            "branchProtectionRule": lambda info: self._classic(repo, branch),
            "refUpdateRule": lambda info: self._visible_rule(repo, branch),
            "rules": lambda info, first: self._ref_rules(repo, branch),
        }

    def _refs(self, repo: Repo, refPrefix: str, query: str, first: int) -> Json:  # noqa: N803
        names = [name.removeprefix(refPrefix) for name in repo.git.refs() if name.startswith(refPrefix)]
        return _connection([name for name in names if query in name][:first], lambda name: self._ref(repo, name))

    @staticmethod
    def _compare(repo: Repo, oid: str, head: str) -> Json | None:
        other = repo.git.resolve(f"refs/heads/{head}") or repo.git.resolve(head)
        if other is None:
            return None
        return {"aheadBy": repo.git.count(oid, other), "behindBy": repo.git.count(other, oid)}

    def _object(self, repo: Repo, what: str) -> Json | None:
        oid = repo.git.resolve(what.replace("HEAD:", f"refs/heads/{repo.default}:", 1))
        kind = oid and repo.git.kind(oid)
        if not oid or kind not in ("blob", "commit"):
            return None
        if kind == "commit":
            return self._commit(repo, oid)
        data = repo.git.blob(oid)
        binary = b"\0" in data
        text = None if binary else data.decode("utf-8", "replace")
        cut = len(data) > self.inline_limit
        if text is not None and cut:
            text = text[: self.inline_limit]
        return {"__typename": "Blob", "oid": oid, "byteSize": len(data), "isBinary": binary, "isTruncated": cut, "text": text}

    def _commit(self, repo: Repo, oid: str) -> Json:
        info = repo.git.commit(oid)
        account = next((one for one in self.world.accounts.values() if one.person == info.author and one.kind == "User"), None)
        return {
            "__typename": "Commit",
            "oid": oid,
            "message": info.message,
            "committedDate": info.committed,
            "author": {"name": info.author[0], "email": info.author[1], "user": account and {"login": account.login}},
            "parents": lambda _info, first: _connection(info.parents[:first], lambda one: self._commit(repo, one)),
            "history": lambda _info, **said: self._history(repo, oid, **said),
            "statusCheckRollup": lambda _info: self._rollup(repo, oid),
        }

    def _history(self, repo: Repo, oid: str, first: int, path: str | None = None, since: str | None = None) -> Json:
        flags = [f"--max-count={first}", *([f"--since={since}"] if since else [])]
        return _connection(repo.git.log(*flags, oid, "--", *([path] if path else [])), lambda one: self._commit(repo, one))

    def _rollup(self, repo: Repo, oid: str) -> Json | None:
        if not self.viewer.may("checks"):
            raise refused("FORBIDDEN", "Resource not accessible by integration")
        contexts = list(self.world.contexts(repo, oid))
        if not contexts:
            return None
        return {"contexts": lambda info, first: _connection(contexts[:first], self._context, total=len(contexts))}

    def _context(self, context: CheckRun | Status) -> Json:
        if isinstance(context, Status):
            return {
                "__typename": "StatusContext",
                "context": context.context,
                "state": context.state,
                "createdAt": moment(context.at),
                "creator": _actor(context.creator),
                "isRequired": False,
            }
        return {
            "__typename": "CheckRun",
            "databaseId": context.id,
            "externalId": context.external_id,
            "name": context.name,
            "status": context.status.upper(),
            "conclusion": context.conclusion and context.conclusion.upper(),
            "startedAt": moment(context.started),
            "completedAt": moment(context.started) if context.conclusion else None,
            "isRequired": False,
            "checkSuite": {
                "app": {"slug": context.app, "databaseId": 15368 if context.app == "github-actions" else 4711},
                "workflowRun": {"workflow": {"databaseId": 1}} if context.app == "github-actions" else None,
            },
        }

    def _classic(self, repo: Repo, branch: str) -> Json | None:
        if not self.viewer.may("administration"):
            raise refused("FORBIDDEN", "Resource not accessible by integration")
        found = repo.classic.get(branch)
        return None if found is None else _CLASSIC | found | {"pushAllowances": lambda info, first: {"nodes": []}}

    def _visible_rule(self, repo: Repo, branch: str) -> Json | None:
        found = repo.classic.get(branch)
        if found is None:
            return None
        return {
            "requiredStatusCheckContexts": [check["context"] for check in found.get("requiredStatusChecks") or ()],
            "requiredApprovingReviewCount": found.get("requiredApprovingReviewCount"),
            "requiresCodeOwnerReviews": False,
            "requiresConversationResolution": bool(found.get("requiresConversationResolution")),
            "requiresSignatures": False,
            "requiresLinearHistory": bool(found.get("requiresLinearHistory")),
            "viewerCanPush": True,
        }

    def _ref_rules(self, repo: Repo, branch: str) -> Json | None:
        return _connection(repo.rules.get(branch, ()), self._rule)

    @staticmethod
    def _rule(rule: Json) -> Json:
        names = {"REQUIRED_STATUS_CHECKS": "RequiredStatusChecksParameters", "PULL_REQUEST": "PullRequestParameters"}
        kind = names.get(rule["type"])
        return rule | {"parameters": {"__typename": kind, **rule["parameters"]} if kind else None}

    # -- pull requests

    def _numbered(self, repo: Repo, number: int) -> Json | None:
        if number not in repo.pulls:
            raise refused("NOT_FOUND", f"Could not resolve to a PullRequest with the number of {number}.")
        return self._pull(repo, repo.pulls[number])

    def _pulls(
        self,
        repo: Repo,
        states: Sequence[str],
        first: int,
        after: str | None = None,
        orderBy: Json | None = None,  # noqa: N803
        baseRefName: str | None = None,  # noqa: N803
        headRefName: str | None = None,  # noqa: N803
    ) -> Json:
        states = [states] if isinstance(states, str) else states
        found = [pull for pull in repo.pulls.values() if pull.state in states]
        found = [pull for pull in found if baseRefName in (None, pull.base) and headRefName in (None, pull.head)]
        if orderBy:
            field = {"CREATED_AT": "created", "UPDATED_AT": "updated"}[orderBy["field"]]
            found.sort(key=lambda pull: (getattr(pull, field), pull.number), reverse=orderBy["direction"] == "DESC")
        start = int(after or 0)
        some = found[start : start + first]
        page = {"hasNextPage": start + first < len(found), "endCursor": str(start + len(some))}
        return _connection(some, lambda pull: self._pull(repo, pull), total=len(found)) | {"pageInfo": page}

    def _pull(self, repo: Repo, pull: Pull) -> Json:
        base = repo.head(pull.base)

        def commits(info: Any, first: int | None = None, last: int | None = None) -> Json:
            own = repo.git.log("--reverse", f"{base}..{pull.head_oid}") if base and repo.git.kind(pull.head_oid) else []
            some = own[:first] if first else own[-(last or 1) :]
            return _connection(some, lambda oid: {"commit": self._commit(repo, oid)}, total=len(own))

        def mergeable(info: Any) -> str:
            if pull.unknown > 0:
                return "UNKNOWN"
            return self.world.mergeable(repo, pull)

        def merge_state(info: Any) -> str:
            state = self.world.merge_state(repo, pull)
            pull.unknown = max(0, pull.unknown - 1)
            return state

        newest = {review.author.login: review for review in pull.reviews}
        asked = [{"login": name, "__typename": "User"} for name in sorted(pull.reviewers)]
        asked += [{"combinedSlug": f"{repo.owner}/{name}", "__typename": "Team"} for name in sorted(pull.teams)]
        return {
            "id": pull.node,
            "number": pull.number,
            "title": pull.title,
            "body": pull.body,
            "url": f"{self.base}/{repo.full_name}/pull/{pull.number}",
            "state": pull.state,
            "isDraft": pull.draft,
            "createdAt": moment(pull.created),
            "updatedAt": moment(pull.updated),
            "closedAt": moment(pull.closed_at),
            "mergedAt": moment(pull.merged_at),
            "mergedBy": pull.merged_by and _actor(pull.merged_by),
            "mergeCommit": lambda info: pull.merge_commit and self._commit(repo, pull.merge_commit),
            "author": _actor(pull.author),
            "isCrossRepository": pull.head_repo != repo.full_name,
            "baseRefName": pull.base,
            "headRefName": pull.head,
            "headRefOid": pull.head_oid,
            "headRef": lambda info: self._ref(repo, pull.head) if pull.head_repo == repo.full_name else None,
            "mergeable": mergeable,
            "mergeStateStatus": merge_state,
            "reviewDecision": lambda info: self.world.decision(repo, pull),
            "isInMergeQueue": pull.queued,
            "isMergeQueueEnabled": self.world.has_queue(repo, pull.base),
            "autoMergeRequest": pull.auto_merge
            and {"enabledAt": moment(pull.updated), "enabledBy": _actor(pull.auto_merge["by"])},
            "labels": lambda info, first: _connection(sorted(pull.labels), lambda name: {"name": name}),
            "assignees": lambda info, first: _connection(sorted(pull.assignees), lambda name: {"login": name}),
            "comments": lambda info, last: _connection(pull.comments[-last:], _comment, total=len(pull.comments)),
            "commits": commits,
            "latestOpinionatedReviews": lambda info, first: _connection(
                list(newest.values()), lambda one: self._review(repo, one)
            ),
            "reviewRequests": lambda info, first: _connection(asked, lambda one: {"requestedReviewer": one}),
            "reviewThreads": lambda info, first: _connection(pull.threads, lambda done: {"isResolved": done}),
            "timelineItems": lambda info, **said: _connection(
                [pull.closed_by] if pull.closed_by else [], lambda who: {"__typename": "ClosedEvent", "actor": _actor(who)}
            ),
        }

    def _review(self, repo: Repo, review: Any) -> Json:
        may_push = repo.permissions.get(review.author.login) in ("write", "admin", "maintain")
        return {
            "state": review.state,
            "submittedAt": moment(review.at),
            "authorCanPushToRepository": may_push,
            "author": _actor(review.author),
        }


_CLASSIC: Json = {
    "requiresStatusChecks": False,
    "requiresStrictStatusChecks": False,
    "requiredStatusChecks": [],
    "requiresApprovingReviews": False,
    "requiredApprovingReviewCount": None,
    "requiresCodeOwnerReviews": False,
    "requiresConversationResolution": False,
    "requiresCommitSignatures": False,
    "requiresLinearHistory": False,
    "lockBranch": False,
    "restrictsPushes": False,
}


def _actor(account: Account) -> Json:
    """GraphQL leaves the `[bot]` of an App's login away."""
    return {"__typename": account.kind, "login": account.login.removesuffix("[bot]")}


def _comment(comment: Any) -> Json:
    return {
        "databaseId": comment.id,
        "fullDatabaseId": str(comment.id),
        "createdAt": moment(comment.created),
        "body": comment.body,
        "author": _actor(comment.author),
    }


def _connection(items: Sequence[Any], make: Callable[[Any], Any], total: int | None = None) -> Json:
    return {
        "nodes": lambda info: [make(item) for item in items],
        "totalCount": len(items) if total is None else total,
        "pageInfo": {"hasNextPage": False, "endCursor": None},
    }


def shown(result: ExecutionResult) -> Json:
    """As GitHub writes it: the kind of an error beside its message, and no data where the whole was refused."""
    answer: Json = {"data": result.data}
    if result.errors:
        answer["errors"] = [
            {"message": error.message, "path": error.path}
            | ({"type": kind} if (kind := (error.extensions or {}).get("type")) else {})
            for error in result.errors
        ]
    return answer
