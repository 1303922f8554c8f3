"""Pieces of GitHub's answers: a pull request that can land, its base, and short ways to write what differs."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
US = "tagboat[bot]"


def check_run(
    name: str = "ci/test",
    conclusion: str | None = "SUCCESS",
    *,
    at: str | None = "10:00",
    workflow: int = 1,
    app: str = "github-actions",
) -> Json:
    return {
        "__typename": "CheckRun",
        "name": name,
        "status": "COMPLETED" if conclusion else "IN_PROGRESS",
        "conclusion": conclusion,
        "startedAt": at and f"2026-03-10T{at}:00Z",
        "completedAt": None,
        "checkSuite": {
            "app": {"slug": app, "databaseId": 15368 if app == "github-actions" else 4711},
            "workflowRun": {"workflow": {"databaseId": workflow}},
        },
    }


def status(name: str, state: str, creator: Json | None = None) -> Json:
    return {
        "__typename": "StatusContext",
        "context": name,
        "state": state,
        "createdAt": "2026-03-10T10:00:00Z",
        "creator": creator,
    }


def connection(*nodes: Any, total: int | None = None) -> Json:
    return {"totalCount": len(nodes) if total is None else total, "nodes": list(nodes)}


def review(user: str, state: str, *, pushes: bool = True) -> Json:
    author = {"__typename": "User", "login": user}
    return {"state": state, "submittedAt": "2026-03-10T10:00:00Z", "authorCanPushToRepository": pushes, "author": author}


CONTEXTS = "commits.nodes.0.commit.statusCheckRollup.contexts"
PULL: Json = {
    "number": 7,
    "state": "OPEN",
    "author": {"__typename": "Bot", "login": "tagboat"},
    "isCrossRepository": False,
    "baseRefName": "main",
    "headRefOid": "aaa111",
    "mergeable": "MERGEABLE",
    "mergeStateStatus": "CLEAN",
    "reviewDecision": None,
    "isInMergeQueue": False,
    "isMergeQueueEnabled": False,
    "autoMergeRequest": None,
    "headRef": {"compare": {"aheadBy": 0}},
    "latestOpinionatedReviews": connection(),
    "reviewRequests": connection(),
    "reviewThreads": connection(),
    "commits": {
        "nodes": [
            {"commit": {"oid": "aaa111", "message": "Update shop", "statusCheckRollup": {"contexts": connection(check_run())}}},
        ]
    },
}
CLASSIC: Json = {
    "requiresStatusChecks": True,
    "requiresStrictStatusChecks": False,
    "requiredStatusChecks": [{"context": "ci/test", "app": None}],
    "requiresApprovingReviews": False,
    "requiredApprovingReviewCount": None,
    "requiresCodeOwnerReviews": False,
    "requiresConversationResolution": False,
    "requiresCommitSignatures": False,
    "requiresLinearHistory": False,
    "lockBranch": False,
    "restrictsPushes": False,
    "pushAllowances": {"nodes": []},
}
VISIBLE: Json = {
    "requiredStatusCheckContexts": ["ci/test"],
    "requiredApprovingReviewCount": None,
    "requiresCodeOwnerReviews": False,
    "requiresConversationResolution": False,
    "requiresSignatures": False,
    "requiresLinearHistory": False,
    "viewerCanPush": True,
}
REPOSITORY: Json = {"mergeCommitAllowed": True, "squashMergeAllowed": True, "rebaseMergeAllowed": True}


def ref(classic: Json | None = CLASSIC, visible: Json | None = VISIBLE, *rules: Json, total: int | None = None) -> Json:
    return {"name": "main", "branchProtectionRule": classic, "refUpdateRule": visible, "rules": connection(*rules, total=total)}


def required(*checks: Json, strict: bool = False) -> Json:
    parameters = {"strictRequiredStatusChecksPolicy": strict, "requiredStatusChecks": list(checks)}
    return {"type": "REQUIRED_STATUS_CHECKS", "parameters": parameters}


def by_review(**more: Any) -> Json:
    usual = {"allowedMergeMethods": ["merge", "squash", "rebase"], "requireCodeOwnerReview": False}
    return {
        "type": "PULL_REQUEST",
        "parameters": usual | {"requiredApprovingReviewCount": 0, "requiredReviewThreadResolution": False} | more,
    }


PINNED = {"context": "ci/test", "integrationId": 15368}


def checks(*contexts: Any, total: int | None = None) -> Json:
    """What differs in a pull request with these checks and statuses on its head."""
    return {CONTEXTS: connection(*contexts, total=total)}
