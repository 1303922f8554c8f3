"""What people said: holds, labels, the title, drafts, commits of their own, reviews, conversations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

import re2

from rules.merging.facts import Facts, named
from rules.merging.scope import has_label
from rules.merging.values import Block, MergeDecision, Review, Skip, Wait

if TYPE_CHECKING:
    from rules.automerge import Automerge

_OPINIONS = ("CHANGES_REQUESTED", "DISMISSED", "APPROVED")  # of two at the same moment, the one further left counts
_NO_OPINION = frozenset({"COMMENTED", "PENDING"})
_WRITERS = frozenset({"write", "maintain", "admin"})
_READERS = frozenset({"read", "triage", "none"})


def not_held(facts: Facts, rule: Automerge) -> MergeDecision | None:
    held = [update.image for update in facts.updates if update.held]
    if held:
        return Block(f"{named(held)} is on hold since a person went back to an older tag")
    unknown = [update.image for update in facts.updates if update.held is None]
    return Wait(f"it is not known whether {named(unknown)} is on hold") if unknown else None


def no_blocking_label(facts: Facts, rule: Automerge) -> MergeDecision | None:
    found = [label for label in rule.blocking_labels if has_label(facts, label)]
    return Block(f"labelled {named(found)}") if found else None


def title_allows(facts: Facts, rule: Automerge) -> MergeDecision | None:
    if not rule.blocking_title:
        return None
    try:
        found = _pattern(rule.blocking_title).search(facts.request.title.encode("utf-8", "replace").decode())
    except re2.error:
        return Block(f"blocking_title {named([rule.blocking_title])!r} is not a regular expression of RE2")
    return Block(f"its title matches {named([rule.blocking_title])} (blocking_title)") if found else None


def not_a_draft(facts: Facts, rule: Automerge) -> MergeDecision | None:
    if facts.request.draft or facts.readiness.merge_state == "DRAFT":
        return Block("it is a draft")
    return Wait("it is not known whether it is a draft") if facts.request.draft is None else None


def not_edited(facts: Facts, rule: Automerge) -> MergeDecision | None:
    if facts.request.edited_by_person is None:
        return Wait("it is not known whether a person pushed to its branch")
    if not facts.request.edited_by_person or rule.on_human_edit == "merge":
        return None
    reason = "a person pushed to its branch"
    return Skip(reason) if rule.on_human_edit == "skip" else Block(f"{reason}, so a person lands it")


def reviews_allow(facts: Facts, rule: Automerge) -> MergeDecision | None:
    """Nobody who may write here is against it, and the forge's own verdict is not either."""
    decision, protection = facts.readiness.review_decision, facts.readiness.protection
    against = [
        review.user for review in opinions(facts) if review.state == "CHANGES_REQUESTED" and review.permission not in _READERS
    ]
    if against:
        return Block(f"{named(against)} asked for changes")
    if decision == "CHANGES_REQUESTED":
        return Block("a reviewer asked for changes")
    if decision == "REVIEW_REQUIRED":
        return Block("a required review is missing")
    if decision not in (None, "APPROVED"):
        return Wait(f"the forge says {named([decision])!r} of its reviews, which is not known here")
    if protection.code_owner_review and decision != "APPROVED" and facts.platform == "github":
        return Block("the review of a code owner is missing")
    return None


def approved(facts: Facts, rule: Automerge) -> MergeDecision | None:
    """Enough approvals, each of a person who may write here and whose newest opinion it is."""
    users = {review.user for review in opinions(facts) if review.state == "APPROVED" and review.permission in _WRITERS}
    count = len(users - {facts.readiness.author})
    required = facts.readiness.protection.required_approvals
    if facts.readiness.review_decision == "APPROVED" and not facts.readiness.reviews:
        required = 0  # the forge counted them and does not name them
    wanted = max(required, rule.min_approvals)
    if count >= wanted:
        return None
    return Block(
        f"{wanted} approval{'s are' if wanted > 1 else ' is'} needed, and there {'is' if count == 1 else 'are'} {count or 'none'}"
    )


def no_review_asked(facts: Facts, rule: Automerge) -> MergeDecision | None:
    asked = facts.readiness.review_requests
    return Block(f"a review of {named(asked)} is asked for") if rule.block_on_review_requests and asked else None


def conversations_resolved(facts: Facts, rule: Automerge) -> MergeDecision | None:
    if not facts.readiness.protection.conversation_resolution:
        return None
    count = facts.readiness.unresolved_threads
    if count is None:
        return Wait("it is not known whether all conversations are resolved")
    return Block(f"{count} conversation{'s are' if count > 1 else ' is'} not resolved") if count > 0 else None


def opinions(facts: Facts) -> Iterator[Review]:
    """Each reviewer's newest opinion. A comment changes none; of opinions that have no order the worst counts."""
    voiced = sorted(
        (review for review in facts.readiness.reviews if review.state not in _NO_OPINION), key=lambda review: review.user
    )
    for _, theirs in groupby(voiced, key=lambda review: review.user):
        yield _newest(list(theirs))


def _newest(reviews: list[Review]) -> Review:
    if any(review.at is None for review in reviews):
        return _worst(reviews)
    last = max(review.at or datetime.min.replace(tzinfo=UTC) for review in reviews)
    return _worst(review for review in reviews if review.at == last)


def _worst(reviews: Iterable[Review]) -> Review:
    return min(reviews, key=lambda review: _OPINIONS.index(review.state) if review.state in _OPINIONS else 1)


@lru_cache(maxsize=256)
def _pattern(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)
