"""GitHub's pull requests, through the readiness, to decisions."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.forges.github.protection import protection
from bot.forges.github.readiness import login, readiness
from rules.merging import Review
from tests.bot.forges.github.payloads import (
    CONTEXTS,
    PINNED,
    PULL,
    REPOSITORY,
    US,
    Json,
    check_run,
    checks,
    connection,
    ref,
    required,
    review,
    status,
)
from tests.bot.forges.readiness_facts import changed, decision

BASE = protection(REPOSITORY, ref(), us=US)
TWO_TESTS = connection(check_run(), check_run(conclusion="FAILURE", at="09:00"))

PULLS = [
    ("as it is", {}, "merge", "every condition"),
    ("a user of our name", {"author": {"__typename": "User", "login": "tagboat"}}, "skip", "opened by tagboat,"),
    ("author deleted", {"author": None}, "skip", "somebody unknown"),
    ("from a fork", {"isCrossRepository": True}, "skip", "fork"),
    ("fork not told", {"isCrossRepository": ...}, "skip", "fork"),
    ("mergeable UNKNOWN", {"mergeable": "UNKNOWN", "mergeStateStatus": "UNKNOWN"}, "wait", "computing"),
    ("mergeable not told", {"mergeable": ...}, "wait", "does not say"),
    ("merge state not told", {"mergeStateStatus": ...}, "wait", "does not say"),
    ("merge state from the future", {"mergeStateStatus": "GLOWING"}, "wait", "not known here"),
    ("conflict", {"mergeable": "CONFLICTING", "mergeStateStatus": "DIRTY"}, "update", "conflicts"),
    ("blocked", {"mergeStateStatus": "BLOCKED"}, "wait", "no cause"),
    ("unstable", {"mergeStateStatus": "UNSTABLE"}, "merge", "every condition"),
    ("behind says GitHub", {"mergeStateStatus": "BEHIND", "headRef": {"compare": {"aheadBy": 2}}}, "update", "2 commits behind"),
    ("in the queue", {"isInMergeQueue": True}, "wait", "queue"),
    ("queue not told", {"isInMergeQueue": ...}, "wait", "queue"),
    ("rollup null", {"commits.nodes.0.commit.statusCheckRollup": None}, "wait", "not reported yet"),
    ("rollup not asked for", {"commits.nodes.0.commit.statusCheckRollup": ...}, "wait", "not reported yet"),
    ("no commit", {"commits": {"nodes": []}}, "wait", "not reported yet"),
    ("commit of another head", {"headRefOid": "bbb222"}, "wait", "not reported yet"),
    ("absent after a token", checks() | {"commits.nodes.0.commit.message": "bump [skip ci]"}, "block", "head commit"),
    ("check running", checks(check_run(conclusion=None)), "wait", "not finished"),
    ("check queued", checks(check_run(conclusion=None) | {"status": "QUEUED", "startedAt": None}), "wait", "not finished"),
    *(
        (f"check {word}", checks(check_run(conclusion=word)), "block", "failed: ci/test")
        for word in ("FAILURE", "CANCELLED", "TIMED_OUT", "ACTION_REQUIRED", "STALE", "STARTUP_FAILURE")
    ),
    ("check skipped", checks(check_run(conclusion="SKIPPED")), "merge", "every condition"),
    ("check neutral", checks(check_run(conclusion="NEUTRAL")), "merge", "every condition"),
    ("run again, now green", {CONTEXTS: TWO_TESTS}, "merge", "every condition"),
    ("run again, now queued", checks(check_run(), check_run(conclusion=None, at=None)), "wait", "not finished"),
    ("run again, now red", checks(check_run(at="09:00"), check_run(conclusion="FAILURE")), "block", "failed"),
    (
        "one name in two workflows, the older one red",
        checks(check_run(), check_run(conclusion="FAILURE", at="09:00", workflow=2)),
        "block",
        "failed",
    ),
    ("check and status of one name", checks(check_run(), status("ci/test", "PENDING")), "wait", "not finished"),
    ("status alone", checks(status("ci/test", "SUCCESS")), "merge", "every condition"),
    *(
        (f"status {word}", checks(status("ci/test", word)), answer, says)
        for word, answer, says in (("EXPECTED", "wait", "not fin"), ("ERROR", "block", "failed"), ("FAILURE", "block", "failed"))
    ),
    ("more checks than a page", checks(check_run(), total=101), "wait", "could not be read to the end"),
    ("checks not counted", {CONTEXTS: {"nodes": [check_run()]}}, "wait", "could not be read to the end"),
    ("a check of which nothing is told", checks(check_run(), None), "wait", "could not be read to the end"),
    ("own check red", checks(check_run(), check_run("tagboat", "FAILURE", app="tagboat")), "merge", "every condition"),
    ("required says GitHub", checks(check_run(), check_run("lint", "FAILURE") | {"isRequired": True}), "block", "lint"),
    ("optional says GitHub", checks(check_run(), check_run("lint", "FAILURE") | {"isRequired": False}), "merge", ""),
    ("changes asked for", {"latestOpinionatedReviews": connection(review("ann", "CHANGES_REQUESTED"))}, "block", "ann"),
    ("by a reader", {"latestOpinionatedReviews": connection(review("eve", "CHANGES_REQUESTED", pushes=False))}, "merge", ""),
    ("decision", {"reviewDecision": "REVIEW_REQUIRED"}, "block", "required review"),
    ("more reviews than a page", {"latestOpinionatedReviews": connection(total=3)}, "wait", "could not be read to the end"),
    ("reviews not told", {"latestOpinionatedReviews": None}, "wait", "could not be read to the end"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "expect", "says"), [row[1:] for row in PULLS], ids=[row[0] for row in PULLS])
def test_pull_request(changes: Json, expect: str, says: str) -> None:
    answer, reason = decision("github", readiness(changed(PULL, changes), BASE), US)
    assert (answer, says in reason) == (expect, True), reason


def test_all_facts_of_a_pull_request() -> None:
    found = readiness(
        changed(
            PULL,
            {
                "headRef": {"compare": {"aheadBy": 3}},
                "reviewDecision": "APPROVED",
                "autoMergeRequest": {"enabledAt": "2026-03-10T10:00:00Z"},
                "latestOpinionatedReviews": connection(review("ann", "APPROVED")),
                "reviewRequests": connection(
                    {"requestedReviewer": {"login": "bob"}}, {"requestedReviewer": {"combinedSlug": "acme/ops"}}
                ),
                "reviewThreads": connection({"isResolved": True}, {"isResolved": False}),
            },
        ),
        BASE,
    )
    assert (found.head_message, found.author, found.behind_by, found.conflict) == ("Update shop", US, 3, False)
    assert found.reviews == (Review("ann", "APPROVED", "write", datetime(2026, 3, 10, 10, tzinfo=UTC)),)
    assert (found.review_requests, found.unresolved_threads, found.auto_merge) == (("bob", "acme/ops"), 1, True)
    assert (found.complete, found.in_merge_queue, found.from_fork, found.pipeline) == (True, False, False, None)


@pytest.mark.parametrize(
    ("threads", "expected"),
    [
        (connection(), 0),
        (connection({"isResolved": True}, total=200), None),
        (connection({"isResolved": False}, total=200), 1),
        (None, None),
    ],
)
def test_threads_that_could_not_be_seen_are_not_resolved(threads: Json | None, expected: int | None) -> None:
    assert readiness(changed(PULL, {"reviewThreads": threads}), BASE).unresolved_threads == expected


def test_a_branch_that_cannot_be_compared_is_behind_by_nobody_knows_how_much() -> None:
    assert [readiness(changed(PULL, {"headRef": gone}), BASE).behind_by for gone in (None, {"compare": None})] == [None, None]


PINS = [
    ("of its app", check_run(), "merge"),
    ("of another app", check_run(app="evil"), "wait"),
    ("a status of a user", status("ci/test", "SUCCESS", {"__typename": "User", "login": "github-actions"}), "wait"),
    ("a status of the app", status("ci/test", "SUCCESS", {"__typename": "Bot", "login": "github-actions"}), "merge"),
]


@pytest.mark.parametrize(("context", "expect"), [row[1:] for row in PINS], ids=[row[0] for row in PINS])
def test_a_check_that_is_pinned_by_the_number_of_its_app(context: Json, expect: str) -> None:
    base = protection(REPOSITORY, ref(None, None, required(PINNED)), us=US)
    assert decision("github", readiness(changed(PULL, {CONTEXTS: connection(context)}), base), US)[0] == expect


def test_a_base_with_a_queue_is_landed_through_it() -> None:
    behind = changed(PULL, {"isMergeQueueEnabled": True, "mergeStateStatus": "BEHIND", "headRef": {"compare": {"aheadBy": 2}}})
    assert readiness(behind, BASE).protection.merge_queue
    assert decision("github", readiness(behind, BASE), US)[0] == "merge"


@pytest.mark.parametrize(
    ("actor", "expected"),
    [
        ({"__typename": "Bot", "login": "tagboat"}, "tagboat[bot]"),
        ({"__typename": "Bot", "login": "tagboat[bot]"}, "tagboat[bot]"),
        ({"__typename": "User", "login": "ann"}, "ann"),
        (None, ""),
    ],
)
def test_logins_as_the_web_writes_them(actor: Json | None, expected: str) -> None:
    assert login(actor) == expected


def test_a_token_of_a_person_lands_that_persons_requests() -> None:
    mine = changed(PULL, {"author": {"__typename": "User", "login": "ann"}})
    assert decision("github", readiness(mine, BASE), "ann")[0] == "merge"
