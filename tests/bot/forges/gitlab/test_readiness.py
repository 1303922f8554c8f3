"""GitLab's answers, through the readiness, to decisions."""

from __future__ import annotations

from typing import Any

import pytest

from bot.forges.gitlab.readiness import Answers, protection, readiness
from rules.merging import Method, Protection, Review
from tests.bot.forges.readiness_facts import changed, decision

Json = dict[str, Any]
US = "project_7_bot_abc"
HEAD, RESULT = "aaa111", "fff999"


def pipeline(number: int, status: str = "success", sha: str = HEAD, *, ref: str = "tagboat/shop", source: str = "push") -> Json:
    return {"id": number, "sha": sha, "ref": ref, "status": status, "source": source}


def for_request(number: int, status: str = "success", sha: str = HEAD, *, kind: str = "head") -> Json:
    """A pipeline for the merge request: on its head, on the merged result, or on a train."""
    return pipeline(number, status, sha, ref=f"refs/merge-requests/3/{kind}", source="merge_request_event")


def user(name: str) -> Json:
    return {"id": 1, "username": name}


REQUEST: Json = {
    "iid": 3,
    "state": "opened",
    "sha": HEAD,
    "author": user(US),
    "source_project_id": 7,
    "target_project_id": 7,
    "detailed_merge_status": "mergeable",
    "has_conflicts": False,
    "diverged_commits_count": 0,
    "rebase_in_progress": False,
    "blocking_discussions_resolved": True,
    "merge_when_pipeline_succeeds": False,
    "reviewers": [],
    "head_pipeline": pipeline(1),
    "user": {"can_merge": True},
}
APPROVALS: Json = {"approvals_required": 0, "approvals_left": 0, "approved_by": []}
PROJECT: Json = {
    "merge_method": "merge",
    "squash_option": "default_off",
    "only_allow_merge_if_pipeline_succeeds": True,
    "allow_merge_on_skipped_pipeline": False,
    "only_allow_merge_if_all_discussions_are_resolved": True,
    "merge_trains_enabled": False,
}
BRANCH: Json = {"name": "main", "protected": True}
BASE = protection(PROJECT, BRANCH)
LOOSE = protection(PROJECT | {"only_allow_merge_if_pipeline_succeeds": False}, BRANCH)

REQUESTS: list[tuple[str, Json, str, str]] = [
    ("as it is", {}, "merge", "every condition"),
    ("somebody else's", {"author": user("ann")}, "skip", "opened by ann"),
    ("author deleted", {"author": None}, "skip", "somebody unknown"),
    ("from a fork", {"source_project_id": 8}, "skip", "fork"),
    ("from a fork that is gone", {"source_project_id": None}, "skip", "fork"),
    ("fork not told", {"source_project_id": ...}, "skip", "fork"),
    ("status not told", {"detailed_merge_status": ...}, "wait", "does not say"),
    ("an older GitLab says yes", {"detailed_merge_status": ..., "merge_status": "can_be_merged"}, "merge", "every condition"),
    ("an older GitLab looks", {"detailed_merge_status": ..., "merge_status": "checking"}, "wait", "looking"),
    (
        "an older GitLab looks again",
        {"detailed_merge_status": ..., "merge_status": "cannot_be_merged_recheck"},
        "wait",
        "looking",
    ),
    ("an older GitLab says no", {"detailed_merge_status": ..., "merge_status": "cannot_be_merged"}, "update", "conflict"),
    ("an older GitLab of no kind", {"detailed_merge_status": ..., "merge_status": "sunny"}, "wait", "does not say"),
    ("status from the future", {"detailed_merge_status": "moonrise"}, "wait", "not known here"),
    ("checking", {"detailed_merge_status": "checking", "has_conflicts": True}, "wait", "looking"),
    ("rebasing", {"rebase_in_progress": True}, "wait", "rebasing"),
    ("conflict", {"detailed_merge_status": "conflict", "has_conflicts": True}, "update", "conflicts"),
    (
        "conflict hidden behind an approval",
        {"detailed_merge_status": "not_approved", "has_conflicts": True},
        "update",
        "conflicts",
    ),
    ("need_rebase", {"detailed_merge_status": "need_rebase", "diverged_commits_count": 4}, "update", "rebased"),
    ("thread open", {"blocking_discussions_resolved": False}, "block", "conversation"),
    ("threads not told", {"blocking_discussions_resolved": ...}, "wait", "conversations"),
    ("we may not merge", {"user": {"can_merge": False}}, "block", "push"),
    ("not told whether we may", {"user": ...}, "wait", "could not be read"),
    ("no pipeline", {"head_pipeline": None}, "wait", "not reported yet"),
    ("pipeline not told", {"head_pipeline": ...}, "wait", "not reported yet"),
    ("pipeline of an older head", {"head_pipeline": pipeline(1, sha="0ld")}, "wait", "not reported yet"),
    ("pipeline without a status", {"head_pipeline": pipeline(1) | {"status": None}}, "wait", "not finished"),
    *((f"pipeline {word}", {"head_pipeline": pipeline(1, word)}, "block", word) for word in ("failed", "canceled", "skipped")),
    *(
        (f"pipeline {word}", {"head_pipeline": pipeline(1, word)}, "wait", word)
        for word in ("running", "created", "manual", "scheduled")
    ),
    ("from a list", {"head_pipeline": ..., "user": ..., "diverged_commits_count": ...}, "wait", "not reported yet"),
]


@pytest.mark.parametrize(("changes", "expect", "says"), [row[1:] for row in REQUESTS], ids=[row[0] for row in REQUESTS])
def test_merge_request(changes: Json, expect: str, says: str) -> None:
    answers = Answers(changed(REQUEST, changes), APPROVALS, head_message="Update shop")
    answer, reason = decision("gitlab", readiness(answers, BASE), US)
    assert (answer, says in reason) == (expect, True), reason


PIPELINES: list[tuple[str, list[Json], str | None]] = [
    ("none", [], None),
    ("of the head", [pipeline(1)], "success"),
    ("the newest by number", [pipeline(1, "success"), pipeline(2, "failed")], "failed"),
    ("listed the other way round", [pipeline(2, "failed"), pipeline(1, "success")], "failed"),
    ("of an older head", [pipeline(2, sha="0ld")], None),
    ("the request's before the branch's", [for_request(1, "failed"), pipeline(2, "success")], "failed"),
    ("the request's on an older head", [for_request(1, "failed", "0ld"), pipeline(2, "success")], "success"),
    ("of a train", [for_request(3, sha=RESULT, kind="train"), pipeline(1, "running")], "running"),
    ("of a merged result", [for_request(3, sha=RESULT, kind="merge")], "unverified"),
    ("a branch that is named like one", [pipeline(3, sha=RESULT, ref="x/merge")], None),
]


@pytest.mark.parametrize(("pipelines", "expected"), [row[1:] for row in PIPELINES], ids=[row[0] for row in PIPELINES])
def test_the_pipeline_that_decides(pipelines: list[Json], expected: str | None) -> None:
    assert readiness(Answers(REQUEST, APPROVALS, pipelines), LOOSE).pipeline == expected


@pytest.mark.parametrize(
    ("parents", "base", "expect"),
    [
        ({RESULT: ("base00", HEAD)}, LOOSE, "merge"),
        ({RESULT: ("base00", "0ld")}, LOOSE, "wait"),  # it ran on an older head
        ({}, LOOSE, "wait"),  # on which head cannot be told
        ({}, BASE, "merge"),  # GitLab demands a green pipeline and says mergeable
    ],
)
def test_a_pipeline_of_a_merged_result_counts_for_its_own_head(parents: dict[str, Any], base: Protection, expect: str) -> None:
    answers = Answers(REQUEST, APPROVALS, [for_request(3, sha=RESULT, kind="merge")], parents=parents)
    assert decision("gitlab", readiness(answers, base), US)[0] == expect


def test_gitlab_does_not_vouch_for_a_merged_result_while_it_says_something_else() -> None:
    request = REQUEST | {"detailed_merge_status": "ci_still_running"}
    answers = Answers(request, APPROVALS, [for_request(3, sha=RESULT, kind="merge")])
    assert readiness(answers, BASE).pipeline == "unverified"


def approvals(required: int, left: int, *names: str) -> Json:
    return {"approvals_required": required, "approvals_left": left, "approved_by": [{"user": user(name)} for name in names]}


def reviewer(name: str, state: str) -> Json:
    return {"user": user(name), "state": state}


PEOPLE: list[tuple[str, Json | None, list[Json] | None, str, str]] = [
    ("nothing required", approvals(0, 0), None, "merge", ""),
    ("one required, none given", approvals(1, 1), None, "block", "review"),
    ("one required, one given", approvals(1, 0, "ann"), None, "merge", ""),
    ("enough people, not the right ones", approvals(1, 1, "ann"), None, "block", "review"),
    ("approved by ourselves alone", approvals(1, 0, US), None, "block", "approval"),
    ("a free GitLab, which counts none", {"approved": False, "approved_by": []}, None, "merge", ""),
    ("not asked", None, None, "wait", "could not be read"),
    ("changes asked for", approvals(0, 0), [reviewer("bob", "requested_changes")], "block", "bob"),
    ("changes asked for after an approval", approvals(1, 0, "bob"), [reviewer("bob", "requested_changes")], "block", "bob"),
    ("review under way, not minded", approvals(0, 0), [reviewer("bob", "review_started")], "merge", ""),
]


@pytest.mark.parametrize(("given", "reviewers", "expect", "says"), [row[1:] for row in PEOPLE], ids=[row[0] for row in PEOPLE])
def test_people(given: Json | None, reviewers: list[Json] | None, expect: str, says: str) -> None:
    answer, reason = decision("gitlab", readiness(Answers(REQUEST, given, reviewers=reviewers), BASE), US)
    assert (answer, says in reason) == (expect, True), reason


@pytest.mark.parametrize(
    ("request_", "reviewers", "expected"),
    [
        (REQUEST | {"reviewers": [user("ann"), user("bob")]}, None, ("bob",)),
        (
            REQUEST,
            [reviewer("ann", "approved"), reviewer("bob", "unreviewed"), reviewer("eve", "review_started")],
            ("bob", "eve"),
        ),
    ],
)
def test_who_was_asked_and_has_not_answered(request_: Json, reviewers: list[Json] | None, expected: tuple[str, ...]) -> None:
    answers = Answers(request_, approvals(1, 0, "ann"), reviewers=reviewers)
    assert readiness(answers, BASE).review_requests == expected


def test_all_facts_of_a_merge_request() -> None:
    request = REQUEST | {"diverged_commits_count": 3, "merge_when_pipeline_succeeds": True}
    found = readiness(Answers(request, approvals(1, 0, "ann"), head_message="Update shop", on_train=True), BASE)
    assert (found.head_message, found.author, found.behind_by, found.conflict) == ("Update shop", US, 3, False)
    assert (found.detailed_merge_status, found.mergeable, found.merge_state) == ("mergeable", None, None)
    assert (found.reviews, found.review_decision) == ((Review("ann", "APPROVED", "write"),), "APPROVED")
    assert (found.unresolved_threads, found.auto_merge, found.in_merge_queue) == (0, True, True)
    assert (found.protection.required_approvals, found.protection.bot_may_push, found.complete) == (1, True, True)


def test_what_gitlab_says_of_conflicts_while_it_looks_is_old() -> None:
    looking = REQUEST | {"detailed_merge_status": "unchecked"}
    assert readiness(Answers(looking, APPROVALS), BASE).conflict is None


PROJECTS: list[tuple[str, Json, Protection]] = [
    (
        "demanding",
        {},
        Protection(True, allowed_methods=("merge", "squash"), conversation_resolution=True, pipelines_must_succeed=True),
    ),
    (
        "lax",
        {"only_allow_merge_if_pipeline_succeeds": False, "only_allow_merge_if_all_discussions_are_resolved": False},
        Protection(True, allowed_methods=("merge", "squash")),
    ),
    (
        "with trains, skipped pipelines are fine",
        {
            "merge_trains_enabled": True,
            "allow_merge_on_skipped_pipeline": True,
            "only_allow_merge_if_all_discussions_are_resolved": None,
        },
        Protection(
            True,
            merge_queue=True,
            allowed_methods=("merge", "squash"),
            pipelines_must_succeed=True,
            skipped_pipeline_is_success=True,
        ),
    ),
]


@pytest.mark.parametrize(("changes", "expected"), [row[1:] for row in PROJECTS], ids=[row[0] for row in PROJECTS])
def test_project(changes: Json, expected: Protection) -> None:
    assert protection(PROJECT | changes, BRANCH) == expected


@pytest.mark.parametrize(
    ("method", "squash", "strict", "methods"),
    [
        ("merge", "never", False, ("merge",)),
        ("merge", "always", False, ("squash",)),
        ("merge", "default_on", False, ("merge", "squash")),
        ("rebase_merge", "default_off", True, ("merge", "squash")),
        ("ff", "never", True, ("fast-forward",)),
        ("ff", "default_off", True, ("fast-forward", "squash")),
        ("ff", "always", True, ("squash",)),
    ],
)
def test_ways_to_land(method: str, squash: str, strict: bool, methods: tuple[Method, ...]) -> None:
    found = protection(PROJECT | {"merge_method": method, "squash_option": squash}, BRANCH)
    assert (found.strict, found.allowed_methods) == (strict, methods)


def test_a_branch_that_is_not_protected_or_not_told() -> None:
    assert not protection(PROJECT, BRANCH | {"protected": False}).present
    assert [protection(PROJECT, None).known, protection({}, BRANCH).known] == [False, False]
    assert decision("gitlab", readiness(Answers(REQUEST, APPROVALS), protection(PROJECT, None)), US)[0] == "wait"
