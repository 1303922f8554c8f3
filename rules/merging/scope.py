"""Is the request open and ours, does the rule cover it, and can the rule work here at all?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.merging.facts import Facts, named
from rules.merging.values import UNREAD, Block, MergeDecision, Skip, Wait
from rules.updates import largest

if TYPE_CHECKING:
    from rules.automerge import Automerge

_FORGE_ERRORS = {409: "the branch or the base moved meanwhile", 405: "it is not mergeable yet", 429: "too many requests"}
_RIGHTS = (401, 403, 404, 451)


def is_open(facts: Facts, rule: Automerge) -> MergeDecision | None:
    if facts.request.state == "merged":
        return Skip("it has landed")
    return None if facts.request.state == "open" else Skip(f"it is not open, but {named([facts.request.state])}")


def switched_on(facts: Facts, rule: Automerge) -> MergeDecision | None:
    return None if rule.automerge else Skip("automerge is not switched on for this image")


def not_disabled(facts: Facts, rule: Automerge) -> MergeDecision | None:
    found = rule.disable_label and has_label(facts, rule.disable_label)
    return Skip(f"the label {rule.disable_label!r} switches it off") if found else None


def labelled(facts: Facts, rule: Automerge) -> MergeDecision | None:
    if rule.require_label is None or rule.require_label in facts.request.labels:
        return None
    return Skip(f"the rule wants the label {rule.require_label!r}, which it does not have")


def could_be_read(facts: Facts, rule: Automerge) -> MergeDecision | None:
    return Wait("the forge's answer about it could not be read") if facts.readiness == UNREAD else None


def ours(facts: Facts, rule: Automerge) -> MergeDecision | None:
    if facts.readiness.from_fork is not False:
        return Skip("its branch is in a fork")
    if rule.only_own_prs and facts.readiness.author != facts.login:
        return Skip(f"it was opened by {named([facts.readiness.author or 'somebody unknown'])}, not by {facts.login}")
    return None


def covered(facts: Facts, rule: Automerge) -> MergeDecision | None:
    """A group counts as its largest member; a member of unknown kind is larger than all."""
    kind = largest([update.kind for update in facts.updates])
    if kind is None:
        return Skip("what kind of update this is could not be told, and such updates are left to a person")
    if kind not in rule.update_types:
        return Skip(f"the rule lands {named(rule.update_types) or 'nothing'}, and this is a {kind} update")
    return None


def protected(facts: Facts, rule: Automerge) -> MergeDecision | None:
    protection = facts.readiness.protection
    if protection.known and rule.require_protection and not protection.present:
        return Block("the base branch is not protected, and the rule wants that it is (require_protection)")
    return None


def method_allowed(facts: Facts, rule: Automerge) -> MergeDecision | None:
    protection = facts.readiness.protection
    if rule.method not in protection.allowed_methods:
        allowed = named(protection.allowed_methods) or "nothing"
        return Block(f"the rule lands by {rule.method}, and the repository allows {allowed}")
    if protection.signed_commits and rule.method == "rebase":
        return Block("the base branch wants signed commits, and the forge cannot sign what it rebases: use squash or merge")
    return None


def may_push(facts: Facts, rule: Automerge) -> MergeDecision | None:
    if facts.readiness.protection.bot_may_push:
        return None
    return Block(f"the protection of the base branch does not let {facts.login} push to it")


def attempts_left(facts: Facts, rule: Automerge) -> MergeDecision | None:
    failed, status = facts.attempts.failed, facts.attempts.last_http
    if failed >= rule.max_attempts:
        return Block(f"the forge refused to land it {failed} times")
    if status == 500:
        # A merge that ends in 500 may have happened all the same: a second try is no repair.
        return Block("the forge answered the landing with HTTP 500, and it may have happened: a person has to look")
    if status in _RIGHTS:
        return Block(f"the forge does not allow the landing (HTTP {status})")
    return None


def last_attempt(facts: Facts, rule: Automerge) -> MergeDecision | None:
    status = facts.attempts.last_http
    if status is None:
        return None
    if 200 <= status < 300:
        return Wait("the forge took the landing and does not show it yet")
    why = _FORGE_ERRORS.get(status, "it said no more")
    return Wait(f"the forge refused the landing (HTTP {status}): {why}; it will be tried again")


def has_label(facts: Facts, label: str) -> bool:
    """Whether a label that forbids something is there. GitHub's labels know no upper and lower case, so none is told apart."""
    return label.casefold() in {name.casefold() for name in facts.request.labels}
