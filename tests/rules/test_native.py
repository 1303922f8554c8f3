"""The forge's own auto-merge: asked for only while the forge waits for all that is missing. Every gate alone prevents it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.forges.base import OWN_CHECK, OWN_SETTINGS
from rules import freezes
from rules.decide_table import read
from rules.loops import Marking, Refusal
from rules.merging import Block, Merge, Wait, decide
from rules.merging.native import GATES, OWN_CHECKS, hindrance, only_checks_missing
from tests.rules.merging_rows.chance import facts_and_rule
from tests.rules.merging_rows.row import Json, git, gitlab, run

PLAIN = (Marking(None, "nothing builds it"), Marking(None, "nothing builds it"))
WAITING: Json = {"checks": [run(None)], "merge_state": "BLOCKED"}
ON_GITLAB = gitlab("ci_still_running", "running")


def asked(
    facts: Json, rule: Json | None = None, markings: Iterable[Marking | Refusal] = PLAIN, *, allowed: bool = True
) -> str | None:
    case = read(json.dumps({"facts": facts, "rule": {"native": True} | (rule or {})}))
    return hindrance(case.facts, case.rule, decide(case.facts, case.rule), markings, allowed=allowed)


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(WAITING, id="a required check runs"),
        pytest.param(WAITING | {"checks": []}, id="a required check was not heard of"),
        pytest.param(WAITING | {"checks": [run(None), run("failure", "lint")]}, id="one that nobody requires is red"),
        pytest.param(WAITING | {"freeze": {"from": "2026-01-01", "to": "2026-01-02"}}, id="a freeze is over"),
        pytest.param(ON_GITLAB, id="GitLab waits for its pipeline"),
    ],
)
def test_it_is_asked_for_where_only_the_forge_s_own_checks_are_missing(facts: Json) -> None:
    assert asked(facts) is None


def protected(**more: Any) -> Json:
    return WAITING | {"protection": more}


def labelled(*labels: str) -> Json:
    return WAITING | {"pr": {"labels": list(labels)}}


FACTS = {
    "nothing is missing": {},
    "GitHub would land it at once": WAITING | {"merge_state": "UNSTABLE"},
    "GitHub is still computing": WAITING | {"merge_state": "UNKNOWN"},
    "GitHub does not say whether it conflicts": WAITING | {"mergeable": None},
    "it conflicts": WAITING | {"mergeable": "CONFLICTING", "merge_state": "DIRTY", "branch": {"conflict": True}},
    "a check failed": WAITING | {"checks": [run("failure")]},
    "nothing is required": protected(required_checks=[]),
    "the base is not protected": protected(present=False),
    "what the base demands is not known": protected(strict=None),
    "the base has a queue": protected(merge_queue=True),
    "we may not push": protected(bot_may_push=False),
    "a review is missing": WAITING | {"review_decision": "REVIEW_REQUIRED"},
    "an approval is missing": protected(required_approvals=1),
    "a conversation is open": protected(conversation_resolution=True) | {"unresolved_threads": 1},
    "it is behind a strict base": WAITING | {"protection": {"strict": True}, "branch": {"behind_by": 1}},
    "our own check is required": {
        "protection": {"required_checks": ["tagboat", "ci/test"]},
        "checks": [run(None), run("success", "tagboat", app="tagboat")],
        "merge_state": "BLOCKED",
    },
    "our own check alone is required, and is not there yet": protected(required_checks=["tagboat"]) | {"checks": []},
    "our check of settings is required, and is not there yet": protected(required_checks=["tagboat settings", "ci/test"]),
    "a person pushed": WAITING | {"branch": {"edited_by_human": True}},
    "whether a person pushed is not known": WAITING | {"branch": {"edited_by_human": None}},
    "somebody else opened it": WAITING | {"pr": {"author": "ann"}},
    "its branch is in a fork": WAITING | {"pr": {"from_fork": True}},
    "it is a draft": WAITING | {"pr": {"draft": True}},
    "its title says no": WAITING | {"pr": {"title": "WIP bump"}},
    "its label says no": labelled("tagboat:disabled"),
    "it is closed": WAITING | {"pr": {"state": "closed"}},
    "the image is held": WAITING | {"update": {"held": True}},
    "whether it is held is not known": WAITING | {"update": {"held": None}},
    "the tag moved": WAITING | {"update": {"digest_changed_since_open": True}},
    "the tag is gone": WAITING | {"update": {"target_exists": False}},
    "a major": WAITING | {"update": {"type": "major"}},
    "a bad signature": WAITING | {"update": {"signature": "invalid"}},
    "a freeze": WAITING | {"freeze": True},
    "a freeze to come": WAITING | {"freeze": {"from": "2026-12-20", "to": "2027-01-05"}},
    "a freeze with a way round": WAITING | {"freeze": {"from": "2026-01-01", "to": "2027-01-05", "except_label": "automerge"}},
    "it is in the queue": WAITING | {"queue": {"in_merge_queue": True}},
    "the forge refused it just now": WAITING | {"attempts": {"failed": 1, "last_http": 409}},
    "the forge refused it too often": WAITING | {"attempts": {"failed": 5}},
    "GitLab would take it without its pipeline": gitlab("mergeable", "running", must=False),
    "GitLab's pipeline waits for a person": gitlab("ci_must_pass", "manual"),
    "GitLab has no pipeline": gitlab("ci_must_pass", None),
    "GitLab has a train": gitlab("ci_still_running", "running", protection={"merge_queue": True}),
    "GitLab's branch is not protected": gitlab("ci_still_running", "running", protection={"present": False}),
    "GitLab wants an approval": gitlab("not_approved", "running"),
    "plain git": git(),
    "plain git that waits": git(protection={"required_checks": ["ci/test"]}),
}
RULES: dict[str, Json] = {
    "not asked for": {"native": False},
    "require_label": {"require_label": "automerge"},
    "blocking_labels": {"blocking_labels": ["stop"]},
    "blocking_title": {"blocking_title": "never"},
    "extra_required_checks": {"extra_required_checks": ["scan"]},
    "all_checks": {"all_checks": True},
    "neutral_is_success": {"neutral_is_success": False},
    "min_approvals": {"min_approvals": 1},
    "block_on_review_requests": {"block_on_review_requests": True},
    "min_release_age": {"min_release_age_days": 1},
    "min_pr_age": {"min_pr_age_hours": 2000},
    "schedule, open now": {"schedule": {"days": ["tue"], "from": "00:00", "to": "23:00"}},
    "schedule, shut now": {"schedule": {"days": ["wed"], "from": "00:00", "to": "23:00"}},
    "require_signature": {"require_signature": True},
    "platforms": {"platforms": ["linux/amd64"]},
    "update_branch": {"update_branch": "always"},
    "on_digest_drift": {"on_digest_drift": "block"},
    "method": {"method": "fast-forward"},
    "switched off": {"automerge": False},
}
MARKINGS = {
    "we would mark it": (Marking("[skip ci]", "it loops"), PLAIN[0]),
    "the forge would have to mark it": (PLAIN[0], Marking("skip-ci:", "it loops", prefix=True)),
    "we must not land it": (Refusal("it loops", "mend it"), PLAIN[0]),
    "the forge must not land it": (PLAIN[0], Refusal("it loops", "mend it")),
}


@pytest.mark.parametrize("why", FACTS)
def test_one_fact_alone_prevents_it(why: str) -> None:
    assert asked(FACTS[why]) is not None


@pytest.mark.parametrize("why", RULES)
@pytest.mark.parametrize("facts", [WAITING, ON_GITLAB], ids=["github", "gitlab"])
def test_one_gate_of_the_rule_alone_prevents_it(facts: Json, why: str) -> None:
    assert asked(facts, RULES[why]) is not None


@pytest.mark.parametrize("why", MARKINGS)
def test_a_marker_alone_prevents_it(why: str) -> None:
    assert asked(WAITING, markings=MARKINGS[why]) is not None


def test_the_repository_has_to_allow_it() -> None:
    assert asked(WAITING, allowed=False) == "the repository's settings do not allow it"


def test_every_gate_stands_in_the_table() -> None:
    assert set(GATES) <= {name.partition(",")[0] for name in RULES}


def test_our_own_checks_are_known_by_name() -> None:
    assert {OWN_CHECK, OWN_SETTINGS} == OWN_CHECKS


def test_an_approval_that_the_base_wants_as_well_is_no_gate_of_ours() -> None:
    there = [{"user": "ann", "state": "APPROVED", "permission": "write", "at": "2026-03-10T09:00:00Z"}]
    facts = protected(required_approvals=1) | {"reviews": there, "review_decision": "APPROVED"}
    assert asked(facts, {"min_approvals": 1}) is None


def test_a_freeze_without_an_end_lies_ahead_for_ever() -> None:
    case = read(json.dumps({"facts": WAITING, "rule": {"native": True}}))
    facts = replace(case.facts, freezes=(freezes.read("2099-01-01", None),))
    decision = decide(facts, case.rule)
    assert isinstance(decision, Wait)
    assert hindrance(facts, case.rule, decision, PLAIN, allowed=True) == "a freeze lies ahead"


@settings(max_examples=400, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([*RULES.values(), {}]), st.sampled_from([*MARKINGS.values(), PLAIN]))
def test_never_with_any_marker_or_gate_of_ours(chance: Random, gate: Json, markings: tuple[Marking | Refusal, ...]) -> None:
    """Whatever the facts: where it is asked for, nothing of ours is in the way, and good checks alone would let it land."""
    facts, rule = facts_and_rule(chance)
    calm = {key: value for key, value in rule.items() if key in ("method", "update_types")}
    case = read(json.dumps({"facts": facts | WAITING, "rule": calm | {"native": True} | gate}))
    decision = decide(case.facts, case.rule)
    if hindrance(case.facts, case.rule, decision, markings, allowed=True) is None:
        assert (gate, markings) == ({}, PLAIN)
        assert not case.facts.freezes
        assert case.facts.request.edited_by_person is False
        assert isinstance(decision, Wait)
        assert decision.wake is None
        done = tuple(replace(check, status="completed", conclusion="success") for check in case.facts.readiness.checks)
        green = replace(case.facts.readiness, checks=done, merge_state="CLEAN")
        assert isinstance(decide(replace(case.facts, readiness=green), case.rule), Merge | Wait)


def test_the_property_meets_requests_for_which_it_is_asked() -> None:
    chance, found = Random(3), 0
    for _ in range(400):
        facts, rule = facts_and_rule(chance)
        calm = {key: value for key, value in rule.items() if key in ("method", "update_types")}
        case = read(json.dumps({"facts": facts | WAITING | {"platform": "github"}, "rule": calm | {"native": True}}))
        found += hindrance(case.facts, case.rule, decide(case.facts, case.rule), PLAIN, allowed=True) is None
    assert found > 20


LOOKING = {
    "GitHub computes": WAITING | {"mergeable": "UNKNOWN", "merge_state": "UNKNOWN"},
    "its checks have passed, and GitHub has not noticed": {"merge_state": "BLOCKED"},
    "GitLab looks": gitlab("checking", "running"),
    "GitLab's pipeline has passed, and GitLab looks": gitlab("checking", "success"),
}


@pytest.mark.parametrize("facts", LOOKING.values(), ids=LOOKING)
def test_what_is_left_stays_left_while_the_forge_looks_and_nothing_new_is(facts: Json) -> None:
    case = read(json.dumps({"facts": facts, "rule": {"native": True}}))
    decision = decide(case.facts, case.rule)
    answers = [hindrance(case.facts, case.rule, decision, PLAIN, allowed=True, left=left) for left in (True, False)]
    assert [answer is None for answer in answers] == [True, False]


@pytest.mark.parametrize("why", [why for why in FACTS if why not in ("GitHub is still computing", "GitLab has no pipeline")])
def test_what_is_left_stays_left_by_no_other_fact(why: str) -> None:
    case = read(json.dumps({"facts": FACTS[why], "rule": {"native": True}}))
    answer = hindrance(case.facts, case.rule, decide(case.facts, case.rule), PLAIN, allowed=True, left=True)
    assert (answer is None) == (why == "GitLab's pipeline waits for a person"), answer


@pytest.mark.parametrize("why", RULES)
def test_what_is_left_stays_left_under_no_gate_of_the_rule(why: str) -> None:
    case = read(json.dumps({"facts": WAITING, "rule": {"native": True} | RULES[why]}))
    assert hindrance(case.facts, case.rule, decide(case.facts, case.rule), PLAIN, allowed=True, left=True) is not None


def test_a_failed_check_is_not_waited_for() -> None:
    case = read(json.dumps({"facts": WAITING | {"checks": [run("failure")]}, "rule": {"native": True}}))
    assert isinstance(decide(case.facts, case.rule), Block)
    assert not only_checks_missing(case.facts, case.rule)
