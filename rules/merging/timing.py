"""What time, the registry or the forge's queue will bring: freezes, ages, schedules, signatures, platforms."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rules import durations, freezes, platforms, schedules
from rules.merging.facts import Facts, UpdateFacts, named
from rules.merging.values import Block, MergeDecision, Wait

if TYPE_CHECKING:
    from rules.automerge import Automerge

_VERIFIED = frozenset({"valid", "verified"})


def target_there(facts: Facts, rule: Automerge) -> MergeDecision | None:
    gone = [update.image for update in facts.updates if update.target_exists is False]
    if gone:
        return Block(f"the new tag of {named(gone)} is gone from its registry")
    unknown = [update.image for update in facts.updates if update.target_exists is None]
    return Wait(f"it is not known whether the new tag of {named(unknown)} is still in its registry") if unknown else None


def signature_good(facts: Facts, rule: Automerge) -> MergeDecision | None:
    """A signature that was looked at and is bad blocks always, one that is not there only where the rule wants one."""
    bad = [update.image for update in facts.updates if update.signature == "invalid"]
    if bad:
        return Block(f"the signature of {named(bad)} does not verify")
    missing = [update.image for update in facts.updates if update.signature == "missing"]
    return Block(f"{named(missing)} is not signed (require_signature)") if rule.require_signature and missing else None


def signature_known(facts: Facts, rule: Automerge) -> MergeDecision | None:
    unknown = [update.image for update in facts.updates if update.signature not in _VERIFIED]
    return Wait(f"the signature of {named(unknown)} is not checked yet") if rule.require_signature and unknown else None


def no_freeze(facts: Facts, rule: Automerge) -> MergeDecision | None:
    holding = freezes.frozen(facts.freezes, facts.now, facts.request.labels)
    return Wait(f"frozen: {holding}", holding.until) if holding else None


def not_queued(facts: Facts, rule: Automerge) -> MergeDecision | None:
    queued = facts.readiness.in_merge_queue
    if queued is None:
        return Wait("it is not known whether it is in the merge queue")
    return Wait("it is in the merge queue; touching the branch would throw it out") if queued else None


def release_old_enough(facts: Facts, rule: Automerge) -> MergeDecision | None:
    if rule.min_release_age <= timedelta(0):
        return None
    since = [(update.image, _since(update)) for update in facts.updates]
    unknown = [image for image, moment in since if moment is None]
    if unknown and rule.unknown_age != "merge":
        reason = f"how old the new tag of {named(unknown)} is, is not known"
        return Block(f"{reason} (unknown_age)") if rule.unknown_age == "block" else Wait(reason)
    youngest = max((moment for _, moment in since if moment is not None), default=None)
    if youngest is None or facts.now - youngest >= rule.min_release_age:
        return None
    return Wait(
        f"the new tag is {_age(facts.now - youngest)} old, and the rule wants {_age(rule.min_release_age)}",
        youngest + rule.min_release_age,
    )


def request_old_enough(facts: Facts, rule: Automerge) -> MergeDecision | None:
    if rule.min_pr_age <= timedelta(0):
        return None
    created = facts.request.created_at
    if created is None:
        return Wait("when it was opened is not known, and the rule wants an age (min_pr_age)")
    if facts.now - created >= rule.min_pr_age:
        return None
    return Wait(
        f"it was opened {_age(facts.now - created)} ago, and the rule wants {_age(rule.min_pr_age)}", created + rule.min_pr_age
    )


def platforms_there(facts: Facts, rule: Automerge) -> MergeDecision | None:
    wanted = {platforms.normal(platform) for platform in rule.platforms}
    for update in facts.updates if wanted else ():
        if update.platforms is None:
            return Wait(f"which platforms {named([update.image])} serves is not known yet")
        if missing := wanted - {platforms.normal(platform) for platform in update.platforms}:
            return Wait(f"{named([update.image])} does not serve {named(sorted(missing))} yet")
    return None


def schedule_open(facts: Facts, rule: Automerge) -> MergeDecision | None:
    if rule.schedule is None or schedules.is_open(rule.schedule, facts.now):
        return None
    return Wait(f"outside the schedule {rule.schedule}", schedules.next_change(rule.schedule, facts.now))


def _since(update: UpdateFacts) -> datetime | None:
    """From when the tag's age counts: when the registry got it, else when we first saw it. A date that the publisher writes
    (an image label, a build date) makes nothing older."""
    if update.published_at is not None and update.published_source == "registry":
        return update.published_at
    return update.first_seen


def _age(age: timedelta) -> str:
    return durations.text(max(age, timedelta(0)))
