"""Facts and rules by chance, as JSON: mostly such as let a request land, so that one bad fact among good ones is tried often."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

from tests.rules.merging_rows.blockers import OPEN_SCHEDULES, SHUT_SCHEDULES, Json

NOW, EARLIER, YOUNG, OLD = (f"2026-{day}:00:00+00:00" for day in ("03-10T12", "03-10T10", "03-09T12", "02-01T00"))
CHECK: Json = {
    "name": "ci/test",
    "kind": "check_run",
    "app": "actions",
    "status": "completed",
    "conclusion": "success",
    "at": EARLIER,
}

# Each place with the values that let a request land, and those that may not.
FACTS: dict[str, tuple[list[Any], list[Any]]] = {
    "pr.state": (["open"], ["closed", "merged", None]),
    "pr.draft": ([False], [True, None]),
    "pr.title": (["bump"], ["WIP bump", "Draft: bump"]),
    "pr.labels": ([["ship"], ["ship", "x"]], [[], ["ship", "tagboat:disabled"], ["ship", "stop"]]),
    "pr.author": (["tagboat[bot]"], ["ann", None]),
    "pr.from_fork": ([False], [True, None]),
    "pr.created_at": ([OLD], [NOW, None]),
    "pr.head_message": (["bump"], ["bump [skip ci]"]),
    "branch.behind_by": ([0], [2, None]),
    "branch.conflict": ([False], [True, None]),
    "branch.edited_by_human": ([False], [True, None]),
    "protection.present": ([True], [False, None]),
    "protection.required_checks": (
        [[{"name": "ci/test"}], [{"name": "ci/test", "app": "actions"}], []],
        [[{"name": "ci/test", "app": "other"}], [{"name": "ci/test"}, {"name": "ci/e2e"}]],
    ),
    "protection.strict": ([False, True], [None]),
    "protection.required_approvals": ([0, 1], [2, None]),
    "protection.code_owner_review": ([False], [True]),
    "protection.conversation_resolution": ([False, True], [None]),
    "protection.signed_commits": ([False, True], []),
    "protection.merge_queue": ([False, True], []),
    "protection.bot_may_push": ([True], [False, None]),
    "protection.allowed_methods": ([["merge", "squash", "rebase", "fast-forward"]], [["merge"], []]),
    "protection.skipped_pipeline_is_success": ([False, True], []),
    "review_decision": ([None, "APPROVED"], ["REVIEW_REQUIRED", "CHANGES_REQUESTED", "ODD"]),
    "reviews": (
        [[{"user": "ann", "state": "APPROVED", "permission": "write", "at": EARLIER}]],
        [
            [],
            [{"user": "ann", "state": "APPROVED", "permission": "read", "at": EARLIER}],
            [{"user": "ann", "state": "CHANGES_REQUESTED", "permission": "admin", "at": EARLIER}],
            [
                {"user": "ann", "state": "DISMISSED", "permission": "write", "at": NOW},
                {"user": "ann", "state": "APPROVED", "permission": "write", "at": EARLIER},
            ],
        ],
    ),
    "review_requests": ([[]], [["bob"]]),
    "unresolved_threads": ([0], [1, None]),
    "update.type": (["patch", "minor", "digest"], ["major", None, "odd"]),
    "update.members": ([[], ["patch", "minor"]], [["major"], [None]]),
    "update.first_seen": ([OLD], [YOUNG, None]),
    "update.published_at": ([OLD], [YOUNG, None]),
    "update.published_source": (["registry"], ["image_label", None]),
    "update.signature": (["valid", "valid", "not_checked"], ["invalid", "missing", None]),
    "update.target_exists": ([True], [False, None]),
    "update.digest_changed_since_open": ([False], [True, None]),
    "update.platforms": ([["linux/amd64"]], [[], None]),
    "update.held": ([False], [True, None]),
    "queue.in_merge_queue": ([False], [True, None]),
    "attempts.failed": ([0, 1], [5]),
    "attempts.last_http": ([None], [409, 500]),
    "freeze": ([False], [True, None]),
}
RULES: dict[str, tuple[list[Any], list[Any]]] = {
    "automerge": ([True], [False]),
    "require_label": ([None, "ship"], ["other"]),
    "blocking_labels": ([[], ["stop"]], [["ship"]]),
    "blocking_title": (["^(WIP|Draft)", None], ["bump"]),
    "only_own_prs": ([True, False], []),
    "method": (["squash", "merge"], ["rebase", "fast-forward"]),
    "require_protection": ([True, False], []),
    "extra_required_checks": ([[]], [["scan"]]),
    "all_checks": ([False, True], []),
    "neutral_is_success": ([True, False], []),
    "no_checks": (["wait", "merge", "block"], []),
    "min_approvals": ([0, 1], [2]),
    "block_on_review_requests": ([False, True], []),
    "update_branch": (["if_required", "always", "never"], []),
    "update_before_checks": ([True, False], []),
    "update_even_if_failing": ([False, True], []),
    "on_conflict": (["regenerate", "block"], []),
    "on_human_edit": (["block", "merge", "skip"], []),
    "min_release_age_days": ([0, 3], [60]),
    "unknown_age": (["wait", "merge", "block"], []),
    "min_pr_age_hours": ([0, 2], [2000]),
    "schedule": (OPEN_SCHEDULES, SHUT_SCHEDULES),
    "require_signature": ([False], [True]),
    "platforms": ([[], ["linux/amd64"]], [["linux/s390x"]]),
    "on_digest_drift": (["refresh", "block"], []),
}
FIXED = {"update_types": ["patch", "minor", "digest"], "disable_label": "tagboat:disabled", "max_attempts": 5}
SPOIL = 0.01  # how often a place gets a value that may not let it land


def facts_and_rule(chance: Random) -> tuple[Json, Json]:
    """Facts of one of the three forges, and a rule."""
    facts: Json = {"platform": chance.choice(["github", "github", "gitlab", "git"]), "now": NOW}
    rule = dict(FIXED)
    for place, values in FACTS.items():
        put(facts, place, pick(chance, *values))
    for place, values in RULES.items():
        put(rule, place, pick(chance, *values))
    facts["pr"]["head_sha"] = "aaa111"
    facts["checks"] = some_checks(chance)
    facts |= verdicts(chance, facts)
    return facts, rule


def verdicts(chance: Random, facts: Json) -> Json:
    """What the forge itself says."""
    found: Json = {"mergeable": None, "merge_state": None, "detailed_merge_status": None, "pipeline": None}
    if facts["platform"] == "github":
        found["mergeable"] = pick(chance, ["MERGEABLE"], ["UNKNOWN", "CONFLICTING", None, "ODD"])
        odd = ["BLOCKED", "BEHIND", "DIRTY", "UNKNOWN", "DRAFT", None, "ODD"]
        found["merge_state"] = pick(chance, ["CLEAN", "UNSTABLE", "HAS_HOOKS"], odd)
    facts["protection"]["pipelines_must_succeed"] = facts["platform"] == "gitlab" and chance.random() < 0.7
    if facts["platform"] == "gitlab":
        pipeline = {"status": pick(chance, ["success"], ["failed", "skipped", "running", "manual", "odd"])}
        pipeline |= pick(chance, [{}, {"sha": facts["pr"]["head_sha"]}], [{"sha": "0ld"}])
        found["pipeline"] = pick(chance, [pipeline], [None])
        odd = ["ci_must_pass", "conflict", "not_approved", "checking", None, "odd"]
        found["detailed_merge_status"] = pick(chance, ["mergeable"], odd)
    return found


def some_checks(chance: Random) -> list[Json]:
    """A green check, now and then spoiled, run twice, beside others, or absent; in any order."""
    found = [CHECK | {"conclusion": pick(chance, ["success", "skipped"], ["failure", "neutral", "stale", "odd", None])}]
    if chance.random() < SPOIL:
        found[0] |= {"status": "in_progress", "conclusion": None}
    if chance.random() < 0.2:
        found.append(CHECK | {"at": YOUNG, "conclusion": chance.choice(["failure", "success"])})
    if chance.random() < 0.1:
        found.append(CHECK | {"name": "lint", "conclusion": chance.choice(["failure", "success"])})
    if chance.random() < 0.2:
        found.append(CHECK | {"name": "tagboat", "app": "tagboat", "conclusion": chance.choice(["failure", "success"])})
    if chance.random() < SPOIL:
        found.append(CHECK | {"kind": "status", "app": None, "status": "pending", "conclusion": None})
    if chance.random() < SPOIL:
        found = found[1:]
    chance.shuffle(found)
    return found


def pick(chance: Random, good: list[Any], bad: list[Any]) -> Any:
    return copy.deepcopy(chance.choice(bad if bad and chance.random() < SPOIL else good))


def put(where: Json, place: str, value: Any) -> None:
    """Set a value under a dotted place."""
    *path, last = place.split(".")
    for part in path:
        where = where.setdefault(part, {})
    where[last] = value


def take(where: Json, place: str) -> Any:
    for part in place.split("."):
        where = where[part]
    return where
