"""Merge decisions: the agreed table, and our own that says more of the same."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.commands.decide import word
from rules.automerge import Automerge
from rules.decide_table import Case, read
from rules.merging import Merge, Protection, Readiness, UpdateFacts, Wait, conditions, decide, facts_of
from rules.plan import PullRequest
from tests.rules.merging_rows.row import Row
from tests.rules.merging_rows.table import VARIANTS


def test_the_agreed_table(shared: Path) -> None:
    wrong = []
    for row in json.loads((shared / "cases" / "merging.json").read_text())["cases"]:
        case = read(json.dumps({"facts": row["facts"], "rule": row["rule"]}))
        answer = word(decide(case.facts, case.rule))
        if answer not in (row["expect"], *row.get("also_ok", ())):
            wrong.append((row["id"], answer, row["expect"]))
    assert wrong == []


@pytest.mark.parametrize("row", VARIANTS, ids=[row.id for row in VARIANTS])
def test_variant(row: Row) -> None:
    case = read(json.dumps({"facts": row.facts or {}, "rule": row.rule or {}}))
    decision = decide(case.facts, case.rule)
    assert (word(decision), row.says in decision.reason) == (row.expect, True), decision.reason


def test_the_variants_are_many_and_distinct() -> None:
    assert len(VARIANTS) >= 150
    assert len({row.id for row in VARIANTS}) == len(VARIANTS)
    assert {row.expect for row in VARIANTS} == {"merge", "wait", "update", "block", "skip"}


@pytest.mark.parametrize("row", VARIANTS, ids=[row.id for row in VARIANTS])
def test_all_conditions_are_met_exactly_where_it_lands(row: Row) -> None:
    case = read(json.dumps({"facts": row.facts or {}, "rule": row.rule or {}}))
    decision = decide(case.facts, case.rule)
    listed = conditions(case.facts, case.rule)
    assert all(one.met for one in listed) == isinstance(decision, Merge)
    assert isinstance(decision, Merge) or decision.reason in {one.text for one in listed if not one.met}


REQUEST = PullRequest(7, "tagboat/shop", "main", "Update shop", "", "aaa111", "open", created_at=datetime(2026, 3, 1, tzinfo=UTC))
READY = Readiness("Update shop", "tagboat", 0, False, Protection())
UPDATES = (UpdateFacts("acme/shop", "patch"), UpdateFacts("acme/cart", "minor"))
RULE = Automerge(require_protection=False, no_checks="merge")


@pytest.mark.parametrize(
    ("request_", "updates", "rule", "expect", "says"),
    [
        (replace(REQUEST, readiness=READY), UPDATES, RULE, "merge", "every condition"),
        (REQUEST, UPDATES, RULE, "wait", "could not be read"),
        (replace(REQUEST, state="merged"), UPDATES, RULE, "skip", "has landed"),
        (replace(REQUEST, readiness=READY), (), RULE, "skip", "could not be told"),
        (replace(REQUEST, readiness=READY), UPDATES, replace(RULE, update_types=("patch",)), "skip", "minor"),
        (replace(REQUEST, readiness=READY, edited_by_person=True), UPDATES, RULE, "block", "person"),
        (replace(REQUEST, readiness=READY, labels=frozenset({"tagboat:disabled"})), UPDATES, RULE, "skip", "switches it off"),
        (replace(REQUEST, readiness=replace(READY, complete=False)), UPDATES, RULE, "wait", "to the end"),
        (replace(REQUEST, readiness=READY), (*UPDATES, UpdateFacts("acme/db", "patch", held=True)), RULE, "block", "acme/db"),
        (
            replace(REQUEST, readiness=READY),
            (*UPDATES, UpdateFacts("acme/db", "patch", digest_drift=True)),
            RULE,
            "update",
            "acme/db",
        ),
        (
            replace(REQUEST, readiness=READY),
            (UpdateFacts("acme/shop", "patch", first_seen=datetime(2026, 1, 1, tzinfo=UTC)), UpdateFacts("acme/cart", "patch")),
            replace(RULE, min_release_age=timedelta(days=1)),
            "wait",
            "acme/cart is, is not known",
        ),
    ],
)
def test_a_request_as_a_pass_has_it(
    request_: PullRequest, updates: tuple[UpdateFacts, ...], rule: Automerge, expect: str, says: str
) -> None:
    decision = decide(facts_of(request_, "git", datetime(2026, 3, 10, tzinfo=UTC), updates, login="tagboat"), rule)
    assert (word(decision), says in decision.reason) == (expect, True), decision.reason


def test_the_youngest_of_a_group_counts() -> None:
    ages = [datetime(2026, 3, day, tzinfo=UTC) for day in (1, 9)]
    updates = [UpdateFacts("acme/shop", "patch", first_seen=at) for at in reversed(ages)]
    facts = facts_of(replace(REQUEST, readiness=READY), "git", datetime(2026, 3, 10, tzinfo=UTC), updates, login="tagboat")
    assert decide(facts, replace(RULE, min_release_age=timedelta(days=3))) == Wait(
        "the new tag is 1d old, and the rule wants 3d", datetime(2026, 3, 12, tzinfo=UTC)
    )


def case_of(**more: object) -> Case:
    return read(json.dumps(more))


@pytest.mark.parametrize(
    ("facts", "rule", "wake"),
    [
        ({"update": {"published_at": "2026-03-09T00:00:00Z"}}, {"min_release_age_days": 3}, datetime(2026, 3, 12, tzinfo=UTC)),
        ({}, {"min_pr_age_hours": 30}, datetime(2026, 3, 10, 18, tzinfo=UTC)),
        ({}, {"schedule": "Tue 18:00-20:00 Europe/Berlin"}, datetime(2026, 3, 10, 17, tzinfo=UTC)),
        ({"freeze": {"to": "2026-03-12"}}, {}, datetime(2026, 3, 13, tzinfo=UTC)),
        ({"checks": []}, {}, None),
    ],
)
def test_a_wait_says_when_the_clock_ends_it(facts: object, rule: object, wake: datetime | None) -> None:
    case = case_of(facts=facts, rule=rule)
    decision = decide(case.facts, case.rule)
    assert isinstance(decision, Wait)
    assert decision.wake == wake


def test_a_base_with_a_queue_is_landed_through_it() -> None:
    case = case_of(facts={"protection": {"merge_queue": True}})
    assert decide(case.facts, case.rule) == Merge("every condition holds", enqueue=True)


def test_conditions_tell_what_time_will_bring_from_what_a_person_has_to_do() -> None:
    case = case_of(facts={"checks": [], "pr": {"draft": True}}, rule={"min_release_age_days": 30})
    met = {one.name: one.met for one in conditions(case.facts, case.rule)}
    assert (met["checks"], met["release age"], met["hold"], met["reviews"]) == (None, None, False, True)
