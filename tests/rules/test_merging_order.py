"""The order of the conditions: of two things that are wrong, the one further up gives the answer."""

from __future__ import annotations

import json
from itertools import combinations

import pytest

from bot.commands.decide import word
from rules.decide_table import read
from rules.merging import decide
from tests.rules.merging_rows.row import Json, Row, checks, run, window

RANKS = [
    Row("finished", "skip", "not open", {"pr": {"state": "closed"}}),
    Row("not covered", "skip", "major", {"update": {"members": ["major"]}}),
    Row("unprotected", "block", "not protected", {"protection": {"present": False}}),
    Row("tries used up", "block", "refused", {"attempts": {"failed": 5}}),
    Row("HTTP 409", "wait", "409", {"attempts": {"last_http": 409}}),
    Row("computing", "wait", "computing", {"mergeable": "UNKNOWN"}),
    Row("held", "block", "on hold", {"update": {"held": True}}),
    Row("target gone", "block", "gone", {"update": {"target_exists": False}}),
    Row("label", "block", "labelled", {"pr": {"labels": ["stop"]}}, {"blocking_labels": ["stop"]}),
    Row("title", "block", "title", {"pr": {"title": "WIP"}}),
    Row("draft", "block", "draft", {"pr": {"draft": True}}),
    Row("human commit", "block", "person", {"branch": {"edited_by_human": True}}),
    Row("conflict", "update", "conflicts", {"branch": {"conflict": True}}),
    Row("bad signature", "block", "does not verify", {"update": {"signature": "invalid"}}),
    Row("review missing", "block", "required review", {"review_decision": "REVIEW_REQUIRED"}),
    Row("thread open", "block", "conversation", {"protection": {"conversation_resolution": True}, "unresolved_threads": 1}),
    Row("red", "block", "failed", checks(run("failure"))),
    Row("updates forbidden", "block", "(update_branch)", {"merge_state": "BEHIND"}, {"update_branch": "never"}),
    Row("frozen", "wait", "frozen", {"freeze": True}),
    Row("in the queue", "wait", "merge queue", {"queue": {"in_merge_queue": True}}),
    Row("young", "wait", "the new tag is", {}, {"min_release_age_days": 90}),
    Row("request young", "wait", "was opened", {}, {"min_pr_age_hours": 90}),
    Row("signature unknown", "wait", "not checked yet", {}, {"require_signature": True}),
    Row("platform missing", "wait", "does not serve", {}, {"platforms": ["linux/s390x"]}),
    Row("off schedule", "wait", "schedule", {}, window("sun", "00:00", "24:00")),
    Row("tag moved", "update", "points elsewhere", {"update": {"digest_changed_since_open": True}}),
    Row("behind", "update", "behind its base", {"protection": {"strict": True}, "branch": {"behind_by": 1}}),
    Row("check absent", "wait", "not reported yet", {}, {"extra_required_checks": ["scan"]}),
    Row("blocked without a cause", "wait", "no cause", {"merge_state": "BLOCKED"}),
]


def laid_over(below: Json, above: Json) -> Json:
    both = {key: laid_over(below[key], above[key]) for key in below.keys() & above.keys() if isinstance(above[key], dict)}
    return below | above | both


@pytest.mark.parametrize("row", RANKS, ids=[row.id for row in RANKS])
def test_each_alone(row: Row) -> None:
    case = read(json.dumps({"facts": row.facts or {}, "rule": row.rule or {}}))
    decision = decide(case.facts, case.rule)
    assert (word(decision), row.says in decision.reason) == (row.expect, True), decision.reason


def test_of_two_the_upper_one_answers() -> None:
    wrong = []
    for upper, lower in combinations(RANKS, 2):
        facts = laid_over(lower.facts or {}, upper.facts or {})
        case = read(json.dumps({"facts": facts, "rule": laid_over(lower.rule or {}, upper.rule or {})}))
        decision = decide(case.facts, case.rule)
        if (word(decision), upper.says in decision.reason) != (upper.expect, True):
            wrong.append((upper.id, lower.id, decision))
    assert wrong == []
