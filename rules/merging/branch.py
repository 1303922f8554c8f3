"""The branch against its base: conflicts, being behind, and a tag that moved since the branch was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.merging.checks import tally
from rules.merging.facts import Facts, named, rewrite
from rules.merging.values import Block, MergeDecision, Wait

if TYPE_CHECKING:
    from rules.automerge import Automerge


def no_conflict(facts: Facts, rule: Automerge) -> MergeDecision | None:
    readiness = facts.readiness
    if readiness.detailed_merge_status == "commits_status":
        return rewrite(facts, "GitLab finds no branch, or no commit on it")
    told = (readiness.mergeable, readiness.merge_state, readiness.detailed_merge_status)
    if readiness.conflict or "CONFLICTING" in told or "DIRTY" in told or "conflict" in told:
        if rule.on_conflict == "block":
            return Block("the branch conflicts with its base, and the rule leaves that to a person (on_conflict)")
        return rewrite(facts, "the branch conflicts with its base")
    return None


def update_allowed(facts: Facts, rule: Automerge) -> MergeDecision | None:
    """Where the branch has to be brought up to date, the rule has to allow it."""
    why = _has_to_be_updated(facts, rule)
    if why is None:
        return None
    if rule.update_branch == "never":
        return Block(f"{why}, and the rule never updates a branch (update_branch)")
    answer = rewrite(facts, why)
    return answer if isinstance(answer, Block) else None


def updated_before_checks(facts: Facts, rule: Automerge) -> MergeDecision | None:
    """Checks that run on a branch that is behind are void anyway: it is updated at once, unless the rule says otherwise."""
    if not rule.update_before_checks and not tally(facts, rule).passed:
        return None
    return up_to_date(facts, rule)


def up_to_date(facts: Facts, rule: Automerge) -> MergeDecision | None:
    if why := _has_to_be_updated(facts, rule):
        return rewrite(facts, why)
    if _queued(facts):
        return None
    behind = facts.readiness.behind_by
    matters = facts.readiness.protection.strict or rule.method == "fast-forward" or rule.update_branch == "always"
    if behind is None and matters:
        return Wait("it is not known whether the branch is behind its base")
    if rule.update_branch == "always" and behind:
        return rewrite(facts, f"{_late(behind)}, and the rule keeps branches up to date (update_branch)")
    return None


def digest_in_step(facts: Facts, rule: Automerge) -> MergeDecision | None:
    drifted = [update.image for update in facts.updates if update.digest_drift]
    if drifted:
        reason = f"the tag of {named(drifted)} points elsewhere than when this was written"
        return Block(f"{reason} (on_digest_drift)") if rule.on_digest_drift == "block" else rewrite(facts, reason)
    unknown = [update.image for update in facts.updates if update.digest_drift is None]
    return Wait(f"it is not known whether the tag of {named(unknown)} still points to what was written") if unknown else None


def _has_to_be_updated(facts: Facts, rule: Automerge) -> str | None:
    """Why the branch has to be on top of its base before it can land; None: it has not, or it is. A queue sees to that itself."""
    readiness = facts.readiness
    if readiness.detailed_merge_status == "need_rebase":
        return "GitLab wants the branch rebased on its base"
    if _queued(facts):
        return None
    behind = readiness.behind_by or 0
    if readiness.merge_state == "BEHIND":
        return f"{_late(behind)}, which has to be up to date"
    if behind > 0 and readiness.protection.strict:
        return f"{_late(behind)}, and the base wants branches that are up to date"
    if behind > 0 and rule.method == "fast-forward":
        return f"{_late(behind)}, which cannot be fast-forwarded then"
    return None


def _queued(facts: Facts) -> bool:
    return facts.readiness.protection.merge_queue


def _late(behind: int) -> str:
    count = f"{behind} commit{'' if behind == 1 else 's'} " if behind else ""
    return f"the branch is {count}behind its base"
