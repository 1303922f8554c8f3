"""May the forge's own auto-merge be asked for? Only while nothing is missing but what the forge itself waits for.

    automerge: {native: true}

Under it lands what a person pushes later, so a gate of Tagboat's own would be gone round. It is asked for only where there is
none: the rule has no condition beyond what the base branch demands, no freeze lies ahead, and the landing takes no marker. What
is left to the forge is taken back as soon as one of that does not hold any more; so `hindrance` is asked in every pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING

from rules.automerge import Automerge
from rules.ci.situation import Marking, Refusal
from rules.merging.checks import is_own, tally
from rules.merging.deciding import conditions
from rules.merging.values import MergeDecision, Wait

if TYPE_CHECKING:
    from rules.merging.facts import Facts
    from rules.requests import PullRequest

GATES = (
    "require_label", "blocking_labels", "extra_required_checks", "all_checks", "neutral_is_success", "block_on_review_requests",
    "min_release_age", "schedule", "require_signature", "platforms", "on_digest_drift",
)  # fmt: skip
"""Keys of a rule that, at another value than their default, are a gate of ours that can shut again: no forge knows of them."""

_DEFAULTS = {field.name: getattr(Automerge(), field.name) for field in fields(Automerge)}
_WAITED_FOR = frozenset({"checks", "forge"})


def is_left(request: PullRequest, login: str) -> bool:
    """Whether an open request is left to the forge's own auto-merge in our name (`login`)."""
    ready = request.readiness
    return request.state == "open" and ready is not None and ready.auto_merge and bool(login) and ready.auto_merge_by == login


def only_checks_missing(facts: Facts, rule: Automerge) -> bool:
    """Whether it waits for its checks, and for nothing else but the forge's word that they have passed."""
    missing = [one for one in conditions(facts, rule) if one.met is not True]
    return all(one.met is None and one.name in _WAITED_FOR for one in missing) and any(one.name == "checks" for one in missing)


def hindrance(
    facts: Facts, rule: Automerge, decision: MergeDecision, markings: Iterable[Marking | Refusal], *, allowed: bool
) -> str | None:
    """Why the forge may not land a request by its own auto-merge, in words; None: it may.

    `decision` is what `decide` said of the same facts. `markings` are those of every way in which it could land, by us and by
    the forge. `allowed`: whether the repository's settings allow auto-merge.
    """
    if not rule.native:
        return "the rule does not ask for it (native)"
    if not isinstance(decision, Wait) or not only_checks_missing(facts, rule):
        return "it does not wait for its checks alone"
    if not allowed:
        return "the repository's settings do not allow it"
    return _of_ours(facts, rule, markings) or _of_the_forge(facts, rule)


def _of_ours(facts: Facts, rule: Automerge, markings: Iterable[Marking | Refusal]) -> str | None:
    """A gate or a marker of ours, or a change that may not be ours."""
    for key in GATES:
        if getattr(rule, key) != _DEFAULTS[key]:
            return f"the rule has a gate that the forge does not know ({key})"
    if rule.blocking_title not in (None, _DEFAULTS["blocking_title"]):
        return "the rule has a gate that the forge does not know (blocking_title)"
    if rule.update_branch == "always":
        return "the rule keeps branches up to date (update_branch)"
    if rule.min_approvals > facts.readiness.protection.required_approvals:
        return "the rule wants more approvals than the base branch (min_approvals)"
    if any(freeze.until is None or facts.now < freeze.until for freeze in facts.freezes):
        return "a freeze lies ahead"
    if facts.request.edited_by_person is not False:
        return "a person may have pushed to its branch"
    if facts.readiness.author != facts.login:
        return "somebody else opened it"
    for marking in markings:
        if isinstance(marking, Refusal):
            return "it could start a CI loop"
        if marking.token is not None:
            return "what lands carries a marker for CI"
    return None


def _of_the_forge(facts: Facts, rule: Automerge) -> str | None:
    """Whether the forge itself really waits for all that is missing."""
    readiness = facts.readiness
    demands = readiness.protection
    if facts.platform == "git":
        return "plain git has none"
    if not (readiness.complete and demands.known):
        return "not all of its facts could be read"
    if demands.merge_queue:
        return "the base branch has a merge queue"
    if not demands.present:
        return "the base branch is not protected"
    counted = tally(facts, rule)
    if counted.failed or counted.none:
        return "it does not wait for its checks alone"
    if facts.platform == "gitlab":
        runs = readiness.detailed_merge_status == "ci_still_running" and readiness.pipeline is not None
        return None if runs and demands.pipelines_must_succeed else "GitLab would not wait for its pipeline"
    ours = {check.name for check in readiness.checks if is_own(check, facts.login)}
    if any(wanted.name in ours for wanted in demands.required_checks):
        return "a check of ours is required, and GitHub would count it"
    blocked = readiness.mergeable == "MERGEABLE" and readiness.merge_state == "BLOCKED"
    return None if blocked and demands.required_checks else "GitHub would not wait for its checks"
