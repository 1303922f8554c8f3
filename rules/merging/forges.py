"""What the forges' own verdicts mean. GitHub has two (`mergeable`, `mergeStateStatus`), GitLab one (`detailed_merge_status`).

They are heard in two places: a definite "no" with its kind of trouble, and at the end a "yes" without which nothing lands. GitLab
tells only the first of its troubles, in no fixed order, so the other conditions are judged by their own facts as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from rules.merging.facts import Facts, Judge, named
from rules.merging.values import Block, MergeDecision, Skip, Wait

if TYPE_CHECKING:
    from rules.automerge import Automerge

Topic = Literal["scope", "computing", "hold", "people", "time"]

_GITLAB: Mapping[str, tuple[Topic, Callable[[str], MergeDecision], str]] = {
    "not_open": ("scope", Skip, "it is not open"),
    "unchecked": ("computing", Wait, "it has not looked yet"),
    "checking": ("computing", Wait, "it is looking"),
    "preparing": ("computing", Wait, "it is preparing the request"),
    "rebase_in_progress": ("computing", Wait, "it is rebasing the branch"),
    "approvals_syncing": ("computing", Wait, "it is counting approvals"),
    "draft_status": ("hold", Block, "it is a draft"),
    "title_regex": ("hold", Block, "the title does not match the project's pattern"),
    "locked_paths": ("hold", Block, "a person locked one of the files"),
    "locked_lfs_files": ("hold", Block, "a person locked one of the files"),
    "not_approved": ("people", Block, "an approval is missing"),
    "requested_changes": ("people", Block, "a reviewer asked for changes"),
    "discussions_not_resolved": ("people", Block, "a conversation is not resolved"),
    "jira_association_missing": ("people", Block, "no Jira issue is named"),
    "merge_request_blocked": ("people", Block, "another merge request has to land first"),
    "security_policy_violations": ("people", Block, "a security policy is violated"),
    "merge_time": ("time", Wait, "it may not land before a set time"),
}
# These have conditions of their own (checks): with one of them at the end, GitLab knows more than we do.
_LATE = {
    "ci_must_pass": "the pipeline has to succeed",
    "ci_still_running": "the pipeline still runs",
    "status_checks_must_pass": "external status checks have to pass",
    "security_policy_pipeline_check": "a security policy has not been evaluated yet",
}
_STATES = frozenset({"CLEAN", "HAS_HOOKS", "UNSTABLE"})  # UNSTABLE: a check that is not required failed


def gitlab_says(topic: Topic) -> Judge:
    """The condition that GitLab has no trouble of this kind."""

    def judge(facts: Facts, rule: Automerge) -> MergeDecision | None:
        found = _GITLAB.get(facts.readiness.detailed_merge_status or "")
        if found is None or found[0] != topic:
            return None
        status = facts.readiness.detailed_merge_status
        return found[1](f"GitLab says {status!r}: {found[2]}")

    return judge


def computed(facts: Facts, rule: Automerge) -> MergeDecision | None:
    """GitHub computes mergeability when it is asked, so the first answers are often UNKNOWN."""
    mergeable, state = facts.readiness.mergeable, facts.readiness.merge_state
    if facts.platform == "github" and (mergeable is None or state is None):
        return Wait("GitHub does not say whether it can be merged")
    if mergeable == "UNKNOWN" or (state == "UNKNOWN" and mergeable != "CONFLICTING"):
        return Wait("GitHub is still computing whether it can be merged")
    return None


def forge_agrees(facts: Facts, rule: Automerge) -> MergeDecision | None:
    """The forge's own yes, and nothing that is not known."""
    readiness = facts.readiness
    if not readiness.complete:
        return Wait("its checks, reviews or conversations could not be read to the end")
    if not readiness.protection.known:
        return Wait("what the base branch demands could not be read")
    mergeable, state, detailed = readiness.mergeable, readiness.merge_state, readiness.detailed_merge_status
    if readiness.conflict is None and mergeable != "MERGEABLE" and detailed != "mergeable":
        return Wait("it is not known whether the branch conflicts with its base")
    if facts.platform == "gitlab" and detailed is None:
        return Wait("GitLab does not say whether it can be merged")
    if mergeable not in (None, "MERGEABLE"):
        return Wait(f"GitHub says {named([mergeable])!r}, which is not known here")
    if state == "BLOCKED":
        return Wait("GitHub says that it is blocked, and no cause can be seen yet")
    if state is not None and state not in _STATES and not (state == "BEHIND" and readiness.protection.merge_queue):
        return Wait(f"GitHub says {named([state])!r}, which is not known here")
    if detailed not in (None, "mergeable"):
        return Wait(f"GitLab says {named([detailed])!r}: {_LATE.get(detailed, 'not known here')}")
    return None
