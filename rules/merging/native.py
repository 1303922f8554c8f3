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

OWN_CHECKS = frozenset({"tagboat", "tagboat settings"})
"""What our own check runs are called, also where none has reported yet: that may be just what comes next."""

_DEFAULTS = {field.name: getattr(Automerge(), field.name) for field in fields(Automerge)}
_WAITED_FOR = frozenset({"checks", "forge"})
_RUNNING = frozenset({"ci_still_running"})
_LOOKING = frozenset({"ci_must_pass", "checking", "unchecked", "preparing", "approvals_syncing"})


def is_left(request: PullRequest, login: str) -> bool:
    """Whether an open request is left to the forge's own auto-merge in our name (`login`)."""
    ready = request.readiness
    by = request.auto_merge_by if ready is None else ready.auto_merge_by if ready.auto_merge else ""
    return request.state == "open" and bool(login) and by == login


def only_checks_missing(facts: Facts, rule: Automerge, *, left: bool = False) -> bool:
    """Whether it waits for its checks, and for nothing else but the forge's word that they have passed. One that is `left` to the
    forge already may wait for that word alone."""
    missing = [one for one in conditions(facts, rule) if one.met is not True]
    names = {one.name for one in missing}
    return all(one.met is None for one in missing) and names <= _WAITED_FOR and bool(names if left else names & {"checks"})


def hindrance(
    facts: Facts,
    rule: Automerge,
    decision: MergeDecision,
    markings: Iterable[Marking | Refusal],
    *,
    allowed: bool,
    left: bool = False,
) -> str | None:
    """Why the forge may not land a request by its own auto-merge, in words; None: it may.

    `decision` is what `decide` said of the same facts. `markings` are those of every way in which it could land, by us and by
    the forge. `allowed`: whether the repository's settings allow auto-merge. `left`: whether it is left to the forge already;
    then the forge may take its time to say how the request stands.
    """
    if not rule.native:
        return "the rule does not ask for it (native)"
    if not isinstance(decision, Wait) or not only_checks_missing(facts, rule, left=left):
        return "it does not wait for its checks alone"
    if not allowed:
        return "the repository's settings do not allow it"
    return _of_ours(facts, rule, markings) or _of_the_forge(facts) or _waits(facts, rule, left)


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


def _of_the_forge(facts: Facts) -> str | None:
    """Whether the base demands checks for which the forge would wait."""
    demands = facts.readiness.protection
    if facts.platform == "git":
        return "plain git has none"
    if not (facts.readiness.complete and demands.known):
        return "not all of its facts could be read"
    if demands.merge_queue:
        return "the base branch has a merge queue"
    if not demands.present:
        return "the base branch is not protected"
    if facts.platform == "gitlab":
        return None if demands.pipelines_must_succeed else "the project does not want its pipelines to succeed"
    ours = OWN_CHECKS | {check.name for check in facts.readiness.checks if is_own(check, facts.login)}
    if any(wanted.name in ours for wanted in demands.required_checks):
        return "a check of ours is required, and GitHub would count it"
    return None if demands.required_checks else "the base branch requires no check"


def _waits(facts: Facts, rule: Automerge, left: bool) -> str | None:
    """Whether the forge waits right now: what it could land at once it lands at once."""
    readiness = facts.readiness
    if facts.platform == "gitlab":
        states = _RUNNING | _LOOKING if left else _RUNNING
        waits = readiness.detailed_merge_status in states and readiness.pipeline is not None
        return None if waits else "GitLab does not wait for its pipeline"
    unknown = frozenset({"UNKNOWN"} if left else ())
    waits = readiness.mergeable in unknown | {"MERGEABLE"} and readiness.merge_state in unknown | {"BLOCKED"}
    return None if waits and not tally(facts, rule).failed else "GitHub does not wait for its checks"
