"""Over random facts: nothing lands against a single bad or unknown fact, and good facts do land."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.decide_table import read
from rules.merging import UNREAD, Merge, MergeDecision, conditions, decide, deciding
from tests.rules.merging_rows.blockers import BLOCKING, Json
from tests.rules.merging_rows.chance import FACTS, facts_and_rule, put, take

# Facts that may be null in the ordinary course of things; null in any other is an unknown fact.
NULL_IS_ORDINARY = {"attempts.last_http", "review_decision", "update.published_at", "update.published_source", "pr.head_message"}
NULL_CANNOT_BE = {"pr.title", "pr.labels", "reviews", "review_requests", "update.members", "attempts.failed"}


def answer(facts: Json, rule: Json) -> MergeDecision:
    case = read(json.dumps({"facts": facts, "rule": rule}))
    return decide(case.facts, case.rule)


def blockers(facts: Json, rule: Json) -> list[str]:
    return [name for name, predicate in BLOCKING.items() if predicate(facts, rule)]


chances = st.randoms(use_true_random=False)


@settings(max_examples=300, deadline=None)
@given(chances)
def test_nothing_lands_while_one_blocking_fact_is_there(chance: Random) -> None:
    facts, rule = facts_and_rule(chance)
    found = blockers(facts, rule)
    assert not (found and isinstance(answer(facts, rule), Merge)), found


def test_random_facts_are_often_mergeable_and_every_blocker_stands_alone() -> None:
    """Without this the property above could hold because nothing ever lands, or because a predicate never stands alone."""
    chance = Random(7)
    landed = without = wrong = 0
    alone: set[str] = set()
    for _ in range(4000):
        facts, rule = facts_and_rule(chance)
        found, merges = blockers(facts, rule), isinstance(answer(facts, rule), Merge)
        landed += merges
        without += not found
        wrong += bool(found) and merges
        alone |= set(found) if len(found) == 1 else set()
    assert wrong == 0
    assert landed > 4000 * 0.5
    assert landed > without * 0.95, "good facts have to land, save for the few causes that the predicates leave out"
    assert sorted(set(BLOCKING) - alone) == []


@settings(max_examples=120, deadline=None)
@given(chances)
def test_not_knowing_a_fact_never_makes_a_request_land(chance: Random) -> None:
    facts, rule = facts_and_rule(chance)
    before = isinstance(answer(facts, rule), Merge)
    for place in FACTS.keys() - NULL_IS_ORDINARY - NULL_CANNOT_BE:
        unknown = copy.deepcopy(facts)
        put(unknown, place, None)
        if take(facts, place) is not None and not before:
            assert not isinstance(answer(unknown, rule), Merge), place


@settings(max_examples=150, deadline=None)
@given(chances)
def test_the_conditions_agree_with_the_decision(chance: Random) -> None:
    facts, rule = facts_and_rule(chance)
    case = read(json.dumps({"facts": facts, "rule": rule}))
    decision, listed = decide(case.facts, case.rule), conditions(case.facts, case.rule)
    assert isinstance(decision, Merge) == all(one.met for one in listed)
    assert isinstance(decision, Merge) or decision.reason in [one.text for one in listed if not one.met]


@settings(max_examples=100, deadline=None)
@given(chances)
def test_a_request_whose_readiness_could_not_be_read_never_lands(chance: Random) -> None:
    facts, rule = facts_and_rule(chance)
    case = read(json.dumps({"facts": facts, "rule": rule}))
    assert not isinstance(decide(replace(case.facts, readiness=UNREAD), case.rule), Merge)


# Conditions that others cover as well: a branch that is behind is asked for twice, and what GitLab says is asked for once more at
# the end; a readiness that is not read at all cannot be written in JSON.
COVERED = {"up_to_date", "updated_before_checks", "update_allowed", "gitlab_says", "could_be_read"}


def test_leaving_any_one_condition_out_lets_something_land_that_must_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this a condition could go from the code and no predicate above would miss it."""
    chance, blocked = Random(11), []
    while len(blocked) < 3000:
        facts, rule = facts_and_rule(chance)
        if blockers(facts, rule):
            blocked.append(read(json.dumps({"facts": facts, "rule": rule})))
    steps, missed = deciding.STEPS, set()
    for at, step in enumerate(steps):
        monkeypatch.setattr(deciding, "STEPS", steps[:at] + steps[at + 1 :])
        if not any(isinstance(decide(case.facts, case.rule), Merge) for case in blocked):
            missed.add(getattr(step.judge, "__qualname__", "").partition(".")[0])
    assert missed <= COVERED
