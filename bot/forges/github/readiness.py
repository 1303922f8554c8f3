"""A pull request's readiness on GitHub, from GraphQL. What GitHub does not say, or says in part, is handed on as not known.

`PULL_FIELDS` belongs into any query for pull requests that defines `$base` (the name of the base branch). `READINESS` is such a
query, for one base's open requests; `ONE` reads one request once more before it lands, and asks which of its checks are required.
Both take the base as `$base` (`main`) and as `$ref` (`refs/heads/main`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bot.forges.github.protection import BASE_FIELDS, REPOSITORY_FIELDS, Json
from rules.merging import Check, Protection, Readiness, RequiredCheck, Review

# How far a branch is behind is asked from its own side, as the base's lead over it: so one variable serves all requests.
PULL_FIELDS = """
fragment PullReadiness on PullRequest {
  number
  state
  author { __typename login }
  isCrossRepository
  baseRefName
  headRefOid
  mergeable
  mergeStateStatus
  reviewDecision
  isInMergeQueue
  isMergeQueueEnabled
  autoMergeRequest { enabledAt enabledBy { __typename login } }
  headRef { compare(headRef: $base) { aheadBy } }
  latestOpinionatedReviews(first: 100) {
    totalCount
    nodes { state submittedAt authorCanPushToRepository author { __typename login } }
  }
  reviewRequests(first: 20) {
    totalCount
    nodes {
      requestedReviewer { ... on User { login } ... on Team { combinedSlug } ... on Bot { login } ... on Mannequin { login } }
    }
  }
  reviewThreads(first: 100) { totalCount nodes { isResolved } }
  commits(last: 1) {
    nodes {
      commit {
        oid
        message
        statusCheckRollup {
          contexts(first: 100) {
            totalCount
            nodes {
              __typename
              ... on CheckRun {
                name status conclusion startedAt completedAt
                checkSuite { app { slug databaseId } workflowRun { workflow { databaseId } } }
              }
              ... on StatusContext { context state createdAt creator { __typename login } }
            }
          }
        }
      }
    }
  }
}
"""

READINESS = (
    """
query Readiness($owner: String!, $name: String!, $ref: String!, $base: String!, $first: Int = 50, $after: String) {
  repository(owner: $owner, name: $name) {
    ...RepositoryMethods
    ref(qualifiedName: $ref) { ...BaseDemands }
    pullRequests(states: OPEN, baseRefName: $base, first: $first, after: $after) {
      nodes { ...PullReadiness }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""
    + REPOSITORY_FIELDS
    + BASE_FIELDS
    + PULL_FIELDS
)

ONE = (
    """
query One($owner: String!, $name: String!, $ref: String!, $base: String!, $number: Int!) {
  repository(owner: $owner, name: $name) {
    ...RepositoryMethods
    ref(qualifiedName: $ref) { ...BaseDemands }
    pullRequest(number: $number) {
      ...PullReadiness
      commits(last: 1) { nodes { commit { statusCheckRollup { contexts(first: 100) { nodes {
        ... on CheckRun { isRequired(pullRequestNumber: $number) }
        ... on StatusContext { isRequired(pullRequestNumber: $number) }
      } } } } } }
    }
  }
}
"""
    + REPOSITORY_FIELDS
    + BASE_FIELDS
    + PULL_FIELDS
)

# The slug of GitHub Actions, whose number stands in most pins, for requests on which none of its checks has reported yet.
_KNOWN_APPS = {"15368": "github-actions"}


def readiness(pull: Json, base: Protection) -> Readiness:
    """The readiness of a `PullRequest` with `PULL_FIELDS`, on a base that demands `base`."""
    commit = _head(pull)
    contexts, all_contexts = _nodes(((commit or {}).get("statusCheckRollup") or {}).get("contexts"), absent_is_empty=True)
    reviews, all_reviews = _nodes(pull.get("latestOpinionatedReviews"))
    asked, _ = _nodes(pull.get("reviewRequests"))
    lead = ((pull.get("headRef") or {}).get("compare") or {}).get("aheadBy")
    return Readiness(
        head_message=(commit or {}).get("message") or "",
        author=login(pull.get("author")),
        behind_by=lead,
        conflict={"MERGEABLE": False, "CONFLICTING": True}.get(pull.get("mergeable") or ""),
        protection=_demands(base, pull, contexts),
        from_fork=pull.get("isCrossRepository"),
        mergeable=pull.get("mergeable"),
        merge_state=pull.get("mergeStateStatus"),
        checks=tuple(_checks(contexts)),
        review_decision=pull.get("reviewDecision"),
        reviews=tuple(_review(review) for review in reviews),
        review_requests=tuple(_reviewer(request.get("requestedReviewer") or {}) for request in asked),
        unresolved_threads=_threads(pull.get("reviewThreads")),
        in_merge_queue=pull.get("isInMergeQueue"),
        auto_merge=bool(pull.get("autoMergeRequest")),
        auto_merge_by=login((pull.get("autoMergeRequest") or {}).get("enabledBy")),
        complete=commit is not None and all_contexts and all_reviews,
    )


def login(actor: Json | None) -> str:
    """A login as REST and the web write it: GraphQL leaves the `[bot]` of an App away. A deleted user has none."""
    name = str((actor or {}).get("login") or "")
    return f"{name}[bot]" if name and (actor or {}).get("__typename") == "Bot" and not name.endswith("[bot]") else name


def _head(pull: Json) -> Json | None:
    """The head commit; None where the newest commit of the list is another one, as it can be right after a push."""
    nodes = (pull.get("commits") or {}).get("nodes") or ()
    commit = (nodes[-1] or {}).get("commit") if nodes else None
    return commit if commit and commit.get("oid") == pull.get("headRefOid") and "statusCheckRollup" in commit else None


def _nodes(connection: Json | None, *, absent_is_empty: bool = False) -> tuple[list[Json], bool]:
    """The nodes of a connection, and whether these are all of them."""
    if connection is None:
        return [], absent_is_empty
    nodes = [node for node in connection.get("nodes") or () if node]
    total = connection.get("totalCount")
    return nodes, total is not None and total <= len(nodes)


def _demands(base: Protection, pull: Json, contexts: Iterable[Json]) -> Protection:
    """The base's demands, for this request: pins by an app's slug instead of its number, and what GitHub calls required here."""
    suites = [(context.get("checkSuite") or {}).get("app") or {} for context in contexts]
    slugs = _KNOWN_APPS | {str(app["databaseId"]): app["slug"] for app in suites if app.get("databaseId") and app.get("slug")}
    pinned = [RequiredCheck(check.name, check.app and slugs.get(check.app, check.app)) for check in base.required_checks]
    named = {check.name for check in pinned}
    told = [str(context.get("name") or context.get("context")) for context in contexts if context.get("isRequired")]
    required = (*pinned, *(RequiredCheck(name) for name in told if name not in named))
    return replace(
        base,
        required_checks=tuple(dict.fromkeys(required)),
        merge_queue=base.merge_queue or bool(pull.get("isMergeQueueEnabled")),
    )


def _checks(contexts: Iterable[Json]) -> Iterable[Check]:
    """The newest run of each check. Jobs of one name in two workflows are two checks that nobody can tell apart, so they get no
    time: then both count."""
    runs: dict[tuple[str, str | None], dict[object, list[Json]]] = defaultdict(lambda: defaultdict(list))
    for context in contexts:
        if context.get("__typename") == "StatusContext":
            yield _status(context)
        else:
            suite = context.get("checkSuite") or {}
            workflow = ((suite.get("workflowRun") or {}).get("workflow") or {}).get("databaseId")
            runs[str(context.get("name")), (suite.get("app") or {}).get("slug")][workflow].append(context)
    for (name, app), workflows in runs.items():
        for found in workflows.values():
            for run, at in _newest(found):
                time = at if len(workflows) == 1 else None
                yield Check(name, "check_run", app, str(run.get("status") or ""), run.get("conclusion"), time)


def _newest(runs: list[Json]) -> list[tuple[Json, datetime | None]]:
    """By the time of their start; a run that has not started is newer than all others."""
    timed = [(run, _moment(run.get("startedAt"))) for run in runs]
    latest = max((at for _, at in timed if at), default=datetime.min.replace(tzinfo=UTC))
    return [(run, at) for run, at in timed if at is None or at == latest]


def _status(context: Json) -> Check:
    creator = context.get("creator") or {}
    app = creator.get("login") if creator.get("__typename") == "Bot" else None
    return Check(
        str(context.get("context")), "status", app, str(context.get("state") or ""), None, _moment(context.get("createdAt"))
    )


def _review(review: Json) -> Review:
    may_push = review.get("authorCanPushToRepository")
    permission = None if may_push is None else "write" if may_push else "read"
    return Review(login(review.get("author")), str(review.get("state")), permission, _moment(review.get("submittedAt")))


def _reviewer(reviewer: Mapping[str, Any]) -> str:
    return str(reviewer.get("login") or reviewer.get("combinedSlug") or "somebody")


def _threads(connection: Json | None) -> int | None:
    """How many threads are open; None where some could not be seen and none of the others is open."""
    nodes, every = _nodes(connection)
    count = sum(node.get("isResolved") is not True for node in nodes)
    return count if count or every else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
