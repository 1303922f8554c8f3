"""The conditions under which a request lands, in the order in which they are asked: the first that fails is the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.merging import branch, checks, forges, people, scope, timing
from rules.merging.facts import Facts, Judge
from rules.merging.values import Condition, Merge, MergeDecision, Wait

if TYPE_CHECKING:
    from rules.automerge import Automerge


@dataclass(frozen=True, slots=True)
class Step:
    """One condition: its name, what can be said where it holds, and its judge. Steps of one name are one condition for people."""

    name: str
    holds: str
    judge: Judge


STEPS: tuple[Step, ...] = (
    # finished or out of scope: skip
    Step("open", "it is open", scope.is_open),
    Step("open", "it is open", forges.gitlab_says("scope")),
    Step("automerge", "automerge is switched on", scope.switched_on),
    Step("automerge", "automerge is switched on", scope.not_disabled),
    Step("automerge", "automerge is switched on", scope.labelled),
    Step("own", "Tagboat opened it", scope.could_be_read),
    Step("own", "Tagboat opened it", scope.ours),
    Step("kind", "the rule covers this kind of update", scope.covered),
    # cannot work, or was tried too often: block
    Step("protection", "the base branch is protected as the rule wants", scope.protected),
    Step("method", "the repository allows this way to land", scope.method_allowed),
    Step("method", "the repository allows this way to land", scope.may_push),
    Step("attempts", "no landing failed for good", scope.attempts_left),
    # the forge is not ready to say: wait
    Step("attempts", "no landing failed for good", scope.last_attempt),
    Step("forge", "the forge says that it can be merged", forges.computed),
    Step("forge", "the forge says that it can be merged", forges.gitlab_says("computing")),
    # a person's word, or nothing left to land: block
    Step("hold", "nobody holds it back", people.not_held),
    Step("target", "the new tag is in its registry", timing.target_there),
    Step("hold", "nobody holds it back", people.no_blocking_label),
    Step("hold", "nobody holds it back", people.title_allows),
    Step("hold", "nobody holds it back", people.not_a_draft),
    Step("hold", "nobody holds it back", forges.gitlab_says("hold")),
    Step("edited", "no person pushed to its branch", people.not_edited),
    # conflict: update or block
    Step("conflict", "it does not conflict with its base", branch.no_conflict),
    # signature, reviews, conversations: block
    Step("signature", "signatures are as the rule wants", timing.signature_good),
    Step("reviews", "no review is missing", people.reviews_allow),
    Step("reviews", "no review is missing", people.approved),
    Step("reviews", "no review is missing", people.no_review_asked),
    Step("conversations", "all conversations are resolved, where that is wanted", people.conversations_resolved),
    Step("reviews", "no review is missing", forges.gitlab_says("people")),
    # red checks: block, or update
    Step("checks", "all checks that count have passed", checks.none_failed),
    # has to be updated and must not be: block
    Step("up to date", "its branch is up to date, where that is wanted", branch.update_allowed),
    # time will tell: wait
    Step("freeze", "no freeze holds", timing.no_freeze),
    Step("queue", "it is not in a merge queue yet", timing.not_queued),
    Step("release age", "the new tag is old enough", timing.release_old_enough),
    Step("request age", "it has been open long enough", timing.request_old_enough),
    Step("signature", "signatures are as the rule wants", timing.signature_known),
    Step("platforms", "the new image serves the platforms that the rule names", timing.platforms_there),
    Step("schedule", "the schedule is open", timing.schedule_open),
    Step("schedule", "the schedule is open", forges.gitlab_says("time")),
    # the tag moved: update
    Step("digest", "the tag still points to what was written", branch.digest_in_step),
    # behind: update, before or after its checks
    Step("up to date", "its branch is up to date, where that is wanted", branch.updated_before_checks),
    Step("checks", "all checks that count have passed", checks.all_reported),
    Step("up to date", "its branch is up to date, where that is wanted", branch.up_to_date),
    # the forge's own yes: wait for it
    Step("forge", "the forge says that it can be merged", forges.forge_agrees),
)


def decide(facts: Facts, rule: Automerge) -> MergeDecision:
    """Whether the request may land now. Merge is the answer only where every condition holds and nothing is unknown."""
    for step in STEPS:
        if (answer := step.judge(facts, rule)) is not None:
            return answer
    return Merge("every condition holds", enqueue=facts.readiness.protection.merge_queue)


def conditions(facts: Facts, rule: Automerge) -> tuple[Condition, ...]:
    """Every condition, met or not, in the order in which they are asked: for the request's list and the dashboard.

    All are met exactly where `decide` says Merge. Of the steps of one condition the first that does not hold gives the text.
    """
    found: dict[str, Condition] = {}
    for step in STEPS:
        answer = step.judge(facts, rule)
        if answer is None:
            found.setdefault(step.name, Condition(step.name, True, step.holds))
        elif found.get(step.name, _HOLDS).met:
            found[step.name] = Condition(step.name, None if isinstance(answer, Wait) else False, answer.reason)
    return tuple(found.values())


_HOLDS = Condition("", True, "")
