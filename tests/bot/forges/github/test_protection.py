"""What GitHub's bases demand, from GraphQL and from REST."""

from __future__ import annotations

import pytest

from bot.forges.github.protection import protection, protection_from_rest
from rules.merging import Protection, RequiredCheck
from tests.bot.forges.github.payloads import CLASSIC, PINNED, REPOSITORY, US, VISIBLE, Json, by_review, ref, required

BASES: list[tuple[str, Json, Protection]] = [
    ("classic", ref(), Protection(True, required_checks=(RequiredCheck("ci/test"),))),
    ("seen without admin rights", ref(None), Protection(True, required_checks=(RequiredCheck("ci/test"),))),
    ("seen by an admin", ref(CLASSIC, None), Protection(True, required_checks=(RequiredCheck("ci/test"),))),
    ("none", ref(None, None), Protection(False)),
    ("no deletion is no protection", ref(None, None, {"type": "DELETION", "parameters": None}), Protection(False)),
    (
        "ruleset with a pin",
        ref(None, None, required(PINNED, strict=True)),
        Protection(True, required_checks=(RequiredCheck("ci/test", "15368"),), strict=True),
    ),
    ("strict without checks says nothing", ref(None, None, required(strict=True)), Protection(True)),
    (
        "reviews by a ruleset",
        ref(
            None,
            None,
            by_review(requiredApprovingReviewCount=2, requireCodeOwnerReview=True, requiredReviewThreadResolution=True),
        ),
        Protection(True, required_approvals=2, code_owner_review=True, conversation_resolution=True),
    ),
    (
        "methods by a ruleset",
        ref(None, None, by_review(allowedMergeMethods=["squash", "rebase"]), by_review(allowedMergeMethods=["SQUASH", "MERGE"])),
        Protection(True, allowed_methods=("squash",)),
    ),
    ("queue", ref(None, None, {"type": "MERGE_QUEUE", "parameters": {}}), Protection(True, merge_queue=True)),
    ("signatures", ref(None, None, {"type": "REQUIRED_SIGNATURES", "parameters": None}), Protection(False, signed_commits=True)),
    (
        "linear history",
        ref(None, None, {"type": "REQUIRED_LINEAR_HISTORY", "parameters": None}),
        Protection(False, allowed_methods=("squash", "rebase")),
    ),
    ("closed by a ruleset", ref(None, None, {"type": "UPDATE", "parameters": None}), Protection(True, bot_may_push=False)),
    ("more rules than a page", ref(None, None, total=101), Protection(False, known=False)),
    (
        "the stricter of all",
        ref(
            CLASSIC | {"requiresApprovingReviews": True, "requiredApprovingReviewCount": 1, "requiresStrictStatusChecks": True},
            VISIBLE,
            by_review(requiredApprovingReviewCount=2),
            required({"context": "ci/e2e", "integrationId": None}),
        ),
        Protection(True, required_checks=(RequiredCheck("ci/e2e"), RequiredCheck("ci/test")), strict=True, required_approvals=2),
    ),
    (
        "a count that is switched off",
        ref(CLASSIC | {"requiredApprovingReviewCount": 3}, None),
        Protection(True, required_checks=(RequiredCheck("ci/test"),)),
    ),
    (
        "pinned by slug",
        ref(CLASSIC | {"requiredStatusChecks": [{"context": "ci/test", "app": {"slug": "github-actions"}}]}, None),
        Protection(True, required_checks=(RequiredCheck("ci/test", "github-actions"),)),
    ),
    (
        "pushing is restricted",
        ref(CLASSIC | {"restrictsPushes": True}, None),
        Protection(True, required_checks=(RequiredCheck("ci/test"),), bot_may_push=False),
    ),
    (
        "pushing is restricted, to us among others",
        ref(CLASSIC | {"restrictsPushes": True, "pushAllowances": {"nodes": [{"actor": {"slug": "tagboat"}}]}}, None),
        Protection(True, required_checks=(RequiredCheck("ci/test"),)),
    ),
    (
        "we may not push, says GitHub",
        ref(None, VISIBLE | {"viewerCanPush": False}),
        Protection(True, required_checks=(RequiredCheck("ci/test"),), bot_may_push=False),
    ),
    (
        "locked",
        ref(CLASSIC | {"lockBranch": True}),
        Protection(True, required_checks=(RequiredCheck("ci/test"),), bot_may_push=False),
    ),
]


@pytest.mark.parametrize(("given", "expected"), [row[1:] for row in BASES], ids=[row[0] for row in BASES])
def test_base(given: Json, expected: Protection) -> None:
    assert protection(REPOSITORY, given, us=US) == expected


def test_a_base_that_was_not_told_is_not_known() -> None:
    assert [protection(REPOSITORY, gone, us=US).known for gone in (None, {"name": "main"})] == [False, False]


def test_methods_of_the_repository() -> None:
    assert protection(REPOSITORY | {"squashMergeAllowed": False}, ref(), us=US).allowed_methods == ("merge", "rebase")
    assert protection({}, ref(), us=US).allowed_methods == ()


REST_REPOSITORY = {"allow_merge_commit": True, "allow_squash_merge": True, "allow_rebase_merge": False}
REST_RULES: list[Json] = [
    {
        "type": "required_status_checks",
        "parameters": {
            "strict_required_status_checks_policy": True,
            "required_status_checks": [{"context": "ci/test", "integration_id": 15368}],
        },
    },
    {
        "type": "pull_request",
        "parameters": {
            "required_approving_review_count": 1,
            "require_code_owner_review": False,
            "required_review_thread_resolution": True,
            "allowed_merge_methods": ["squash"],
        },
    },
]
REST_CLASSIC: Json = {
    "required_status_checks": {"strict": False, "contexts": ["ci/e2e"], "checks": [{"context": "ci/e2e", "app_id": -1}]},
    "required_pull_request_reviews": {"required_approving_review_count": 2, "require_code_owner_reviews": True},
    "required_signatures": {"enabled": True},
    "restrictions": {"users": [], "teams": [], "apps": [{"slug": "tagboat"}]},
}


def test_rest_tells_the_same() -> None:
    assert protection_from_rest(REST_REPOSITORY, REST_RULES, REST_CLASSIC, us=US) == Protection(
        present=True,
        required_checks=(RequiredCheck("ci/test", "15368"), RequiredCheck("ci/e2e")),
        strict=True,
        required_approvals=2,
        code_owner_review=True,
        conversation_resolution=True,
        signed_commits=True,
        allowed_methods=("squash",),
    )


def test_rest_that_could_not_be_read_is_not_known() -> None:
    assert not protection_from_rest(REST_REPOSITORY, None, REST_CLASSIC, us=US).known
    assert not protection_from_rest(REST_REPOSITORY, [], None, us=US, readable=False).known
    assert protection_from_rest(REST_REPOSITORY, [], None, us=US) == Protection(False, allowed_methods=("merge", "squash"))


def test_rest_restricted_to_others() -> None:
    others = REST_CLASSIC | {"restrictions": {"users": [{"login": "ann"}], "teams": [], "apps": []}}
    assert not protection_from_rest(REST_REPOSITORY, [], others, us=US).bot_may_push
