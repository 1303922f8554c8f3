"""What a base branch demands on GitHub, from its three sources: classic branch protection, what of it a token without admin
rights may see (`refUpdateRule`), and rulesets. All of them hold at once, so the stricter of each demand counts.

GraphQL gives all three in one query (`BASE_FIELDS` on the `Ref`, `REPOSITORY_FIELDS` on the `Repository`). REST gives the same in
`GET /repos/{o}/{r}/rules/branches/{branch}` and `GET /repos/{o}/{r}/branches/{branch}/protection`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules.merging import Method, Protection, RequiredCheck

Json = Mapping[str, Any]

REPOSITORY_FIELDS = """
fragment RepositoryMethods on Repository {
  mergeCommitAllowed
  squashMergeAllowed
  rebaseMergeAllowed
}
"""

# `branchProtectionRule` is null without the right to administer, `refUpdateRule` for those whom the protection does not bind.
BASE_FIELDS = """
fragment BaseDemands on Ref {
  name
  branchProtectionRule {
    requiresStatusChecks
    requiresStrictStatusChecks
    requiredStatusChecks { context app { slug } }
    requiresApprovingReviews
    requiredApprovingReviewCount
    requiresCodeOwnerReviews
    requiresConversationResolution
    requiresCommitSignatures
    requiresLinearHistory
    lockBranch
    restrictsPushes
    pushAllowances(first: 100) { nodes { actor { ... on App { slug } ... on User { login } } } }
  }
  refUpdateRule {
    requiredStatusCheckContexts
    requiredApprovingReviewCount
    requiresCodeOwnerReviews
    requiresConversationResolution
    requiresSignatures
    requiresLinearHistory
    viewerCanPush
  }
  rules(first: 100) {
    totalCount
    nodes {
      type
      parameters {
        ... on RequiredStatusChecksParameters {
          strictRequiredStatusChecksPolicy
          requiredStatusChecks { context integrationId }
        }
        ... on PullRequestParameters {
          allowedMergeMethods
          requireCodeOwnerReview
          requiredApprovingReviewCount
          requiredReviewThreadResolution
        }
      }
    }
  }
}
"""

# The rules of a ruleset that keep an untested or unread change out; the others (no deletion, …) protect nothing here.
_GATES = frozenset(
    {
        "pull_request",
        "required_status_checks",
        "merge_queue",
        "workflows",
        "required_deployments",
        "code_scanning",
        "update",
        "lock_branch",
    }
)
_CLOSED = frozenset({"update", "lock_branch"})  # only those who may bypass the ruleset can change the branch


@dataclass(frozen=True, slots=True)
class _Demands:
    """What one source demands. `methods` None: it does not say."""

    gates: bool = True
    checks: tuple[RequiredCheck, ...] = ()
    strict: bool = False
    approvals: int = 0
    code_owner: bool = False
    conversations: bool = False
    signed: bool = False
    linear: bool = False
    queue: bool = False
    may_push: bool = True
    methods: frozenset[str] | None = None


def protection(repository: Json, ref: Json | None, *, us: str) -> Protection:
    """From GraphQL: the repository with `REPOSITORY_FIELDS`, and the base's `Ref` with `BASE_FIELDS` (None: it was not given).
    `us` is our login (`tagboat[bot]`), for who may push."""
    if ref is None or not isinstance(ref.get("rules"), Mapping):
        return Protection(known=False, allowed_methods=_methods(_graphql_methods(repository), ()))
    rules = [_snake(rule) for rule in ref["rules"].get("nodes") or () if rule]
    classic, visible = ref.get("branchProtectionRule"), ref.get("refUpdateRule")
    found = [*_rulesets(rules)]
    found += [_from_graphql(classic, visible, us)] if classic else []
    found += [_from_visible(visible)] if visible else []
    return _combined(found, _graphql_methods(repository), known=(ref["rules"].get("totalCount") or 0) <= len(rules))


def protection_from_rest(
    repository: Json, rules: Sequence[Json] | None, classic: Json | None, *, us: str, readable: bool = True
) -> Protection:
    """From REST: the repository, its rules for the branch (None: could not be read), and the classic protection (None: there is
    none). `readable` False: whether there is a classic protection could not be read (HTTP 403)."""
    flags = {name: repository.get(f"allow_{name}") for name in ("merge_commit", "squash_merge", "rebase_merge")}
    allowed = _flagged(flags["merge_commit"], flags["squash_merge"], flags["rebase_merge"])
    found = [*_rulesets(rules or ())]
    found += [_from_rest(classic, us)] if classic else []
    return _combined(found, allowed, known=rules is not None and readable)


def _combined(found: Sequence[_Demands], allowed: Iterable[Method], *, known: bool) -> Protection:
    return Protection(
        present=any(source.gates for source in found),
        known=known,
        required_checks=tuple(dict.fromkeys(check for source in found for check in source.checks)),
        strict=any(source.strict for source in found),
        required_approvals=max((source.approvals for source in found), default=0),
        code_owner_review=any(source.code_owner for source in found),
        conversation_resolution=any(source.conversations for source in found),
        signed_commits=any(source.signed for source in found),
        merge_queue=any(source.queue for source in found),
        bot_may_push=all(source.may_push for source in found),
        allowed_methods=_methods(allowed, found),
    )


def _from_graphql(classic: Json, visible: Json | None, us: str) -> _Demands:
    checks = classic.get("requiredStatusChecks") or () if classic.get("requiresStatusChecks") else ()
    # What GitHub says of us in `refUpdateRule` is better than what can be read from the list of those who may push.
    open_to_us = visible is not None or not classic.get("restrictsPushes") or us.removesuffix("[bot]") in _pushers(classic)
    return _Demands(
        checks=tuple(RequiredCheck(check["context"], (check.get("app") or {}).get("slug")) for check in checks),
        strict=bool(classic.get("requiresStatusChecks") and classic.get("requiresStrictStatusChecks")),
        approvals=(classic.get("requiredApprovingReviewCount") or 0) if classic.get("requiresApprovingReviews") else 0,
        code_owner=bool(classic.get("requiresCodeOwnerReviews")),
        conversations=bool(classic.get("requiresConversationResolution")),
        signed=bool(classic.get("requiresCommitSignatures")),
        linear=bool(classic.get("requiresLinearHistory")),
        may_push=open_to_us and not classic.get("lockBranch"),
    )


def _from_visible(visible: Json) -> _Demands:
    """Neither pins to an app nor strictness are told here; GitHub's own merge state (BLOCKED, BEHIND) still knows them."""
    return _Demands(
        checks=tuple(RequiredCheck(name) for name in visible.get("requiredStatusCheckContexts") or () if name),
        approvals=visible.get("requiredApprovingReviewCount") or 0,
        code_owner=bool(visible.get("requiresCodeOwnerReviews")),
        conversations=bool(visible.get("requiresConversationResolution")),
        signed=bool(visible.get("requiresSignatures")),
        linear=bool(visible.get("requiresLinearHistory")),
        may_push=visible.get("viewerCanPush") is not False,
    )


def _from_rest(classic: Json, us: str) -> _Demands:
    checks = classic.get("required_status_checks") or {}
    reviews = classic.get("required_pull_request_reviews") or {}
    names = [(check["context"], check.get("app_id")) for check in checks.get("checks") or ()]
    names = names or [(name, None) for name in checks.get("contexts") or ()]
    pushers = classic.get("restrictions")
    return _Demands(
        checks=tuple(_pinned(name, app) for name, app in names),
        strict=bool(checks.get("strict")),
        approvals=reviews.get("required_approving_review_count") or 0,
        code_owner=bool(reviews.get("require_code_owner_reviews")),
        conversations=_enabled(classic, "required_conversation_resolution"),
        signed=_enabled(classic, "required_signatures"),
        linear=_enabled(classic, "required_linear_history"),
        may_push=not _enabled(classic, "lock_branch")
        and (pushers is None or us.removesuffix("[bot]") in _restricted_to(pushers)),
    )


def _rulesets(rules: Iterable[Json]) -> Iterator[_Demands]:
    for rule in rules:
        kind, parameters = str(rule.get("type", "")).lower(), rule.get("parameters") or {}
        methods = parameters.get("allowed_merge_methods")
        required = parameters.get("required_status_checks") or ()
        yield _Demands(
            gates=kind in _GATES,
            checks=tuple(_pinned(check["context"], check.get("integration_id")) for check in required),
            strict=bool(required and parameters.get("strict_required_status_checks_policy")),
            approvals=parameters.get("required_approving_review_count") or 0,
            code_owner=bool(parameters.get("require_code_owner_review")),
            conversations=bool(parameters.get("required_review_thread_resolution")),
            signed=kind == "required_signatures",
            linear=kind == "required_linear_history",
            queue=kind == "merge_queue",
            may_push=kind not in _CLOSED,
            methods=None if methods is None else frozenset(method.lower() for method in methods),
        )


def _methods(allowed: Iterable[Method], found: Sequence[_Demands]) -> tuple[Method, ...]:
    linear = any(source.linear for source in found)
    named = [source.methods for source in found if source.methods is not None]
    return tuple(m for m in allowed if not (linear and m == "merge") and all(m in methods for methods in named))


def _graphql_methods(repository: Json) -> tuple[Method, ...]:
    return _flagged(*(repository.get(flag) for flag in ("mergeCommitAllowed", "squashMergeAllowed", "rebaseMergeAllowed")))


def _flagged(merge: object, squash: object, rebase: object) -> tuple[Method, ...]:
    flags: tuple[tuple[Method, object], ...] = (("merge", merge), ("squash", squash), ("rebase", rebase))
    return tuple(method for method, allowed in flags if allowed)


def _pinned(name: str, app: int | None) -> RequiredCheck:
    """Pinned by the app's number; REST says -1 for any app."""
    return RequiredCheck(name, None if app is None or app < 0 else str(app))


def _pushers(classic: Json) -> set[str]:
    nodes = (classic.get("pushAllowances") or {}).get("nodes") or ()
    actors = [(node or {}).get("actor") or {} for node in nodes]
    return {name for actor in actors for name in (actor.get("slug"), actor.get("login")) if name}


def _restricted_to(pushers: Json) -> set[str]:
    apps = {app.get("slug") for app in pushers.get("apps") or ()}
    return apps | {user.get("login") for user in pushers.get("users") or ()}


def _enabled(classic: Json, name: str) -> bool:
    return bool((classic.get(name) or {}).get("enabled"))


def _snake(value: Any) -> Any:
    """GraphQL's keys as REST writes them: `integrationId` becomes `integration_id`."""
    if isinstance(value, Mapping):
        return {re.sub(r"(?<!^)([A-Z])", r"_\1", key).lower(): _snake(inner) for key, inner in value.items()}
    return [_snake(inner) for inner in value] if isinstance(value, list) else value
