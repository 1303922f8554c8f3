"""The GraphQL documents, beside those for readiness and protection. Each is checked against GitHub's published schema by a test.

`look` is one query for all that a pass has to know of a repository where nothing moved. Its size depends on what is known:

    look(["main"], None)              the first look: open requests with all that belongs to them, those of other people too
    look(["main"], [[7, 12]])         later: only ours in full (7 and 12, by number), and a list of which others are open
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.forges.github.protection import BASE_FIELDS, REPOSITORY_FIELDS
from bot.forges.github.readiness import PULL_FIELDS

OPEN_AT_ONCE = 20
ENDED_AT_ONCE = 50
TEMPORARY = ".tagboat-new"
"""The end of the name of a branch on which a new commit waits to take its place. A look clears away what a crash left of them."""

_SUMMARY = """
fragment Summary on PullRequest {
  number
  headRefName
  baseRefName
  headRefOid
  isCrossRepository
  author { __typename login }
}
"""

_DETAILS = """
fragment Details on PullRequest {
  ...Summary
  id
  title
  body
  url
  state
  isDraft
  createdAt
  updatedAt
  closedAt
  mergedAt
  mergeCommit { oid }
  mergedBy { __typename login }
  headRef { target { oid } }
  labels(first: 100) { nodes { name } }
  assignees(first: 20) { nodes { login } }
  every: commits(first: 20) {
    totalCount
    nodes { commit { oid message author { name email user { login } } parents(first: 3) { nodes { oid } } } }
  }
}
"""

# The checks here are merged with those that readiness asks for.
_TALK = """
fragment Talk on PullRequest {
  comments(last: 20) {
    totalCount
    nodes { databaseId fullDatabaseId createdAt body author { __typename login } }
  }
  commits(last: 1) {
    nodes { commit { statusCheckRollup { contexts(first: 100) { nodes { ... on CheckRun { databaseId externalId } } } } } }
  }
}
"""

_CLOSING = """
fragment Closing on PullRequest {
  timelineItems(itemTypes: [CLOSED_EVENT], last: 1) { nodes { ... on ClosedEvent { actor { __typename login } } } }
}
"""

_SETTINGS = """
    id
    databaseId
    nameWithOwner
    isFork
    isArchived
    isDisabled
    autoMergeAllowed
    deleteBranchOnMerge
    squashMergeCommitTitle
    squashMergeCommitMessage
    mergeCommitTitle
    mergeCommitMessage
    ...RepositoryMethods
    defaultBranchRef { name target { oid } }
    config: object(expression: $config) { ... on Blob { oid byteSize isBinary isTruncated text } }
    left: refs(refPrefix: "refs/heads/", query: $temporary, first: 20) { nodes { name target { oid } } }
"""

_NEWEST = "orderBy: {field: CREATED_AT, direction: DESC}"


def look(bases: int, numbers: Sequence[Sequence[int]] | None, others: Sequence[int] = ()) -> str:
    """The query for so many bases (`$base0` and `$ref0`, …). `numbers` has our open requests by base; None: not known yet.
    `others` are ours onto branches that are not looked at."""
    parts = [_SETTINGS]
    for at in range(bases):
        parts.append(f"    base{at}: ref(qualifiedName: $ref{at}) {{ target {{ oid }} ...BaseDemands }}")
        if numbers is None:
            asked = f"states: OPEN, baseRefName: $base{at}, first: {OPEN_AT_ONCE}, {_NEWEST}"
            parts.append(f"    pulls{at}: pullRequests({asked}) {{ nodes {{ {_full(at)} }} }}")
    parts += _one_by_one(numbers or (), others)
    parts.append(
        f"    open: pullRequests(states: OPEN, first: 100, {_NEWEST}) {{ nodes {{ ...Summary }} pageInfo {{ {_PAGE} }} }}"
    )
    parts.append(f"    ended: {_ended('')}")
    variables = "".join(f", $ref{at}: String!" for at in range(bases)) + ", $config: String!, $temporary: String!"
    full = [at for at in range(bases) if numbers is None or numbers[at]]
    fragments = [_SUMMARY, _DETAILS, _CLOSING, REPOSITORY_FIELDS, BASE_FIELDS]
    return _document("Look", "viewer { login databaseId }", variables, parts, full, fragments)


def pulls(numbers: Sequence[Sequence[int]], others: Sequence[int] = ()) -> str:
    """The query for requests in full, by base and number."""
    full = [at for at, some in enumerate(numbers) if some]
    return _document("Pulls", "", "", _one_by_one(numbers, others), full, [_SUMMARY, _DETAILS])


_PAGE = "hasNextPage endCursor"


def _full(at: int) -> str:
    return f"...PullReadiness{at} ...Details ...Talk"


def _one_by_one(numbers: Sequence[Sequence[int]], others: Sequence[int]) -> list[str]:
    known = [
        f"    pull{at}_{number}: pullRequest(number: {number}) {{ {_full(at)} }}"
        for at, some in enumerate(numbers)
        for number in some
    ]
    auto = "autoMergeRequest { enabledBy { __typename login } }"
    return [*known, *(f"    other_{number}: pullRequest(number: {number}) {{ ...Details {auto} }}" for number in others)]


def _ended(after: str) -> str:
    asked = f"states: [CLOSED, MERGED], first: {ENDED_AT_ONCE}, orderBy: {{field: UPDATED_AT, direction: DESC}}{after}"
    return f"pullRequests({asked}) {{ nodes {{ ...Details ...Closing }} pageInfo {{ {_PAGE} }} }}"


def _document(name: str, before: str, variables: str, parts: Sequence[str], full: Sequence[int], fragments: Sequence[str]) -> str:
    """GitHub refuses variables and fragments that are not used: `full` are the bases of which requests are asked for in full."""
    used = "".join(f", $base{at}: String!" for at in full)
    inner = "\n".join(parts)
    return (
        f"query {name}($owner: String!, $name: String!{variables}{used}) {{\n  {before}\n"
        f"  repository(owner: $owner, name: $name) {{\n{inner}\n  }}\n}}\n"
        + "".join([*fragments, *([_TALK] if full else []), *(_readiness(at) for at in full)])
    )


def _readiness(at: int) -> str:
    """The fields of readiness with the base's own variable: a fragment has no arguments."""
    return PULL_FIELDS.replace("$base", f"$base{at}").replace("fragment PullReadiness ", f"fragment PullReadiness{at} ")


MORE_OPEN = (
    f"""
query MoreOpen($owner: String!, $name: String!, $after: String!) {{
  repository(owner: $owner, name: $name) {{
    open: pullRequests(states: OPEN, first: 100, {_NEWEST}, after: $after) {{ nodes {{ ...Summary }} pageInfo {{ {_PAGE} }} }}
  }}
}}
"""
    + _SUMMARY
)

MORE_ENDED = (
    f"""
query MoreEnded($owner: String!, $name: String!, $after: String!) {{
  repository(owner: $owner, name: $name) {{
    ended: {_ended(", after: $after")}
  }}
}}
"""
    + _SUMMARY
    + _DETAILS
    + _CLOSING
)

BRANCH = (
    """
query Branch($owner: String!, $name: String!, $ref: String!, $branch: String!, $base: String!) {
  repository(owner: $owner, name: $name) {
    id
    ref(qualifiedName: $ref) {
      target {
        oid
        ... on Commit { message author { name email user { login } } parents(first: 2) { nodes { oid } } }
      }
      compare(headRef: $base) { behindBy }
    }
    pullRequests(headRefName: $branch, states: OPEN, first: 10) { nodes { ...Details } }
  }
}
"""
    + _SUMMARY
    + _DETAILS
)
"""What there is of a branch: where it stands, how many commits of its own it has, and its open requests."""


def blobs(by_place: Sequence[bool]) -> str:
    """The query for so many blobs (`$b0`, …), each by its place (`<commit>:<path>`) or by its id."""
    types = ["String!" if placed else "GitObjectID!" for placed in by_place]
    variables = "".join(f", $b{at}: {kind}" for at, kind in enumerate(types))
    keys = ["expression" if placed else "oid" for placed in by_place]
    inner = "\n".join(f"    b{at}: object({key}: $b{at}) {{ ...Contents }}" for at, key in enumerate(keys))
    return (
        f"query Blobs($owner: String!, $name: String!{variables}) {{\n"
        f"  repository(owner: $owner, name: $name) {{\n{inner}\n  }}\n}}\n"
        "fragment Contents on Blob { oid byteSize isBinary isTruncated text }\n"
    )


def standing(count: int) -> str:
    """The query for the ids of so many files of commits (`$f0`, …, each `<commit>:<path>`)."""
    variables = "".join(f", $f{at}: String!" for at in range(count))
    inner = "\n".join(f"    f{at}: object(expression: $f{at}) {{ oid }}" for at in range(count))
    return (
        f"query Standing($owner: String!, $name: String!{variables}) {{\n"
        f"  repository(owner: $owner, name: $name) {{\n{inner}\n  }}\n}}\n"
    )


VIEWER = "query Viewer { viewer { login databaseId } }"


def history(paths: int) -> str:
    """The query for the newest commits of a branch that touched a path, for so many paths (`$p0`, …); for none, of them all."""
    variables = "".join(f", $p{at}: String!" for at in range(paths))
    inner = "\n".join(
        f"        p{at}: history(first: 30, path: $p{at}, since: $since) {{ nodes {{ ...Line }} }}" for at in range(paths)
    )
    inner = inner or "        p0: history(first: 100, since: $since) { nodes { ...Line } }"
    return (
        f"query History($owner: String!, $name: String!, $ref: String!, $since: GitTimestamp{variables}) {{\n"
        "  repository(owner: $owner, name: $name) {\n    ref(qualifiedName: $ref) {\n      target {\n        ... on Commit {\n"
        f"{inner}\n        }}\n      }}\n    }}\n  }}\n}}\n"
        "fragment Line on Commit { oid message committedDate author { name email user { login } } }\n"
    )


def settings(count: int) -> str:
    """The query for the configuration file of so many commits (`$f0`, …, each `<commit>:.tagboat.yaml`)."""
    variables = "".join(f", $f{at}: String!" for at in range(count))
    inner = "\n".join(f"    f{at}: object(expression: $f{at}) {{ ...Contents }}" for at in range(count))
    return (
        f"query Settings($owner: String!, $name: String!{variables}) {{\n"
        f"  repository(owner: $owner, name: $name) {{\n{inner}\n  }}\n}}\n"
        "fragment Contents on Blob { oid byteSize isBinary isTruncated text }\n"
    )


COMMIT = """
mutation Commit($input: CreateCommitOnBranchInput!) {
  createCommitOnBranch(input: $input) { commit { oid } }
}
"""

MOVE = """
mutation Move($input: UpdateRefsInput!) {
  updateRefs(input: $input) { clientMutationId }
}
"""

AUTO_MERGE = """
mutation AutoMerge($input: EnablePullRequestAutoMergeInput!) {
  enablePullRequestAutoMerge(input: $input) { pullRequest { number } }
}
"""

NO_AUTO_MERGE = """
mutation NoAutoMerge($input: DisablePullRequestAutoMergeInput!) {
  disablePullRequestAutoMerge(input: $input) { pullRequest { number } }
}
"""

ENQUEUE = """
mutation Enqueue($input: EnqueuePullRequestInput!) {
  enqueuePullRequest(input: $input) { mergeQueueEntry { id } }
}
"""
