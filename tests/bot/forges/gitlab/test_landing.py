"""Landing on GitLab: every kind of project, every way, and what GitLab says no to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.forges.base import Landed, Landing, NotLanded, Unreachable
from bot.forges.gitlab.landing import refusal
from rules.merging import Method
from rules.requests import PullRequest
from tests.bot.forges.gitlab.setting import BRANCH, LANDING, MARKED, TRAILERS, Setting, at, setting, wish
from tests.servers.gitlab import Rule, drop, status, truncated
from tests.servers.gitlab.rules import Act

WAYS: list[tuple[str, str, str, Method, str, int]] = [
    # merge_method, squash_option, how, shape of main, commits on main whose words are ours
    ("merge commit", "merge", "default_off", "merge", "merge", 1),
    ("merge commit and squash", "merge", "default_off", "squash", "merge", 2),
    ("merge commit, squash always", "merge", "always", "squash", "merge", 2),
    ("semi-linear", "rebase_merge", "never", "merge", "merge", 1),
    ("semi-linear and squash", "rebase_merge", "default_on", "squash", "merge", 2),
    ("fast-forward", "ff", "never", "fast-forward", "line", 0),
    ("fast-forward and squash", "ff", "default_off", "squash", "line", 1),
]


@pytest.mark.parametrize(("method", "squash", "way", "shape", "ours"), [row[1:] for row in WAYS], ids=[row[0] for row in WAYS])
async def test_ways_to_land(tmp_path: Path, method: str, squash: str, way: Method, shape: str, ours: int) -> None:
    async with setting(tmp_path, merge_method=method, squash_option=squash) as gitlab:
        request = await gitlab.opened()
        base = gitlab.repo.head("main")
        landed = await gitlab.forge.merge(request, at(request, way))
        assert landed == Landed(gitlab.repo.head("main"))
        assert gitlab.repo.show("main:app.yaml") == "image: web:1.1.0"
        assert gitlab.repo.head(BRANCH) is None
        parents = gitlab.repo.info("main" and str(landed.commit))["parent_ids"]
        assert len(parents) == {"merge": 2, "line": 1}[shape]
        words = [str(gitlab.repo.info(one)["message"]) for one in gitlab.repo.log(f"{base}..main")]
        assert sum(text == str(LANDING) for text in words) == ours
        assert words[0] == (str(LANDING) if ours else str(wish().message))
        for forge in (gitlab.forge, gitlab.again()):
            seen = await gitlab.seen(forge=forge)
            assert (seen.state, seen.landed, seen.ended_at is not None) == ("merged", landed.commit, True)
        assert await gitlab.forge.merge(request, at(request, way)) == landed


async def test_the_branch_can_be_kept(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        await gitlab.forge.merge(request, at(request, delete_branch=False))
        assert gitlab.repo.head(BRANCH) == request.head
        again = await gitlab.forge.open(wish("1.2.0"), await gitlab.head())
        assert (again.number, gitlab.repo.show(f"{BRANCH}:app.yaml")) == (2, "image: web:1.2.0")


PROJECT: dict[str, Any] = {"merge_method": "merge", "squash_option": "default_off", "merge_trains_enabled": False}
REFUSALS: list[tuple[str, dict[str, Any], Landing, str | None]] = [
    ("as it should be", {}, Landing("squash", LANDING, "x"), None),
    ("a rebase, which GitLab has not", {}, Landing("rebase", LANDING, "x"), "lands by merge or squash, not by rebase"),
    ("squash where it is switched off", {"squash_option": "never"}, Landing("squash", LANDING, "x"), "not by squash"),
    ("no squash where it always is", {"squash_option": "always"}, Landing("merge", LANDING, "x"), "lands by squash"),
    ("a merge commit by fast-forward", {"merge_method": "ff"}, Landing("merge", LANDING, "x"), "lands by fast-forward"),
    ("a train where there is none", {}, Landing("merge", LANDING, "x", enqueue=True), "no merge train"),
    ("past the train", {"merge_trains_enabled": True}, Landing("merge", LANDING, "x"), "go past it"),
    ("onto the train", {"merge_trains_enabled": True}, Landing("merge", LANDING, "x", enqueue=True), None),
    ("a skip token on the train", {"merge_trains_enabled": True}, Landing("merge", MARKED, "x", enqueue=True), "drops a request"),
]


@pytest.mark.parametrize(("settings", "landing", "says"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_landings_that_cannot_be(settings: dict[str, Any], landing: Landing, says: str | None) -> None:
    why = refusal(PROJECT | settings, landing)
    assert (why is None) if says is None else (why is not None and says in why), why


async def test_settings_that_changed_since_the_look_count(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        gitlab.project.settings["merge_method"] = "ff"
        gitlab.project.settings["squash_option"] = "never"
        outcome = await gitlab.forge.merge(request, at(request, message=MARKED))
        assert outcome == NotLanded(None, "the project lands by fast-forward, not by squash")
        assert gitlab.merge().state == "opened"


async def land(gitlab: Setting, request: PullRequest, **more: Any) -> Landed | NotLanded:
    return await gitlab.forge.merge(request, at(request, **more))


async def test_a_refusal_right_after_the_opening_is_tried_again(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        gitlab.merge().shy = 3
        assert isinstance(await land(gitlab, request), Landed)


async def test_a_request_that_is_never_mergeable_is_given_up(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        gitlab.merge().shy = 100
        assert await land(gitlab, request) == NotLanded(405, "405 Method Not Allowed")
        assert gitlab.merge().shy == 95


@pytest.mark.parametrize(
    ("settings", "change", "says"),
    [
        ({}, {"title": "Draft: wait"}, "'draft_status'"),
        ({}, {"status": "locked_paths"}, "'locked_paths'"),
        ({"only_allow_merge_if_pipeline_succeeds": True}, {}, "'ci_must_pass'"),
    ],
)
async def test_a_refusal_says_what_gitlab_says(
    tmp_path: Path, settings: dict[str, Any], change: dict[str, str], says: str
) -> None:
    async with setting(tmp_path, **settings) as gitlab:
        request = await gitlab.opened()
        for name, value in change.items():
            setattr(gitlab.merge(), name, value)
        outcome = await land(gitlab, request)
        assert isinstance(outcome, NotLanded)
        assert (outcome.status, says in outcome.reason) == (405, True)
        assert gitlab.server.counted[f"PUT /projects/{gitlab.project.id}/merge_requests/1/merge"] == 1


async def test_a_closed_request_does_not_land(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        gitlab.server.close(gitlab.project, gitlab.merge(), gitlab.server.user("ada"))
        assert await land(gitlab, request) == NotLanded(405, "it is closed")


async def test_a_landing_at_another_head_is_refused(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        outcome = await gitlab.forge.merge(request, Landing("squash", LANDING, "1" * 40))
        assert outcome == NotLanded(409, "the branch is not where it was when this was decided")


@pytest.mark.parametrize(
    ("code", "says"), [(406, "GitLab says 'mergeable'"), (422, "GitLab says 'mergeable'"), (403, "trouble"), (404, "trouble")]
)
async def test_statuses_of_a_refused_landing(tmp_path: Path, code: int, says: str) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        gitlab.server.rules.append(Rule("PUT", "/merge$", status(code)))
        outcome = await land(gitlab, request)
        assert isinstance(outcome, NotLanded)
        assert (outcome.status, says in outcome.reason) == (code, True), outcome


TROUBLES: list[tuple[str, Act, bool]] = [
    ("502 after the effect", status(502), True),
    ("no answer after the effect", drop, True),
    ("half an answer after the effect", truncated, True),
    ("502 before the effect", status(502), False),
    ("no answer before the effect", drop, False),
]


@pytest.mark.parametrize(("act", "after"), [row[1:] for row in TROUBLES], ids=[row[0] for row in TROUBLES])
async def test_a_landing_whose_answer_is_lost(tmp_path: Path, act: Act, after: bool) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        gitlab.server.rules.append(Rule("PUT", "/merge$", act, after=after))
        if after:
            assert await land(gitlab, request) == Landed(gitlab.repo.head("main"))
        else:
            with pytest.raises(Unreachable):
                await land(gitlab, request)
            assert gitlab.merge().state == "opened"
        assert gitlab.server.counted[f"PUT /projects/{gitlab.project.id}/merge_requests/1/merge"] == 1


async def test_auto_merge_waits_for_the_pipeline_and_lands_our_words(tmp_path: Path) -> None:
    async with setting(tmp_path, only_allow_merge_if_pipeline_succeeds=True) as gitlab:
        gitlab.project.ci = "request"
        request = await gitlab.opened()
        assert await land(gitlab, request, auto=True) == Landed(None)
        seen = await gitlab.seen()
        assert (seen.state, seen.readiness and seen.readiness.auto_merge) == ("open", True)
        gitlab.server.finish(gitlab.project)
        assert (await gitlab.seen()).state == "merged"
        assert str(gitlab.repo.info(str(gitlab.repo.head("main")))["message"]) == str(LANDING)


async def test_a_later_push_ends_auto_merge(tmp_path: Path) -> None:
    async with setting(tmp_path, only_allow_merge_if_pipeline_succeeds=True) as gitlab:
        gitlab.project.ci = "request"
        request = await gitlab.opened()
        await land(gitlab, request, auto=True)
        gitlab.server.push_as("ada", gitlab.project, BRANCH, {"x": b""}, "Mine")
        gitlab.server.finish(gitlab.project)
        seen = await gitlab.seen()
        assert (seen.state, seen.readiness and seen.readiness.auto_merge) == ("open", False)


async def test_a_train_takes_the_request_with_its_own_words(tmp_path: Path) -> None:
    async with setting(tmp_path, merge_trains_enabled=True, only_allow_merge_if_pipeline_succeeds=True) as gitlab:
        gitlab.project.ci = "request"
        request = await gitlab.opened()
        assert (await gitlab.forge.look()).project.merge_queue
        early = await land(gitlab, request, enqueue=True)
        assert isinstance(early, NotLanded)
        assert early.status == 400
        gitlab.server.finish(gitlab.project)
        assert isinstance(await land(gitlab, request), NotLanded)  # a direct merge would go past the train
        assert await land(gitlab, request, enqueue=True) == Landed(None)
        assert await land(gitlab, request, enqueue=True) == Landed(None)
        for forge in (gitlab.forge, gitlab.again()):
            seen = await gitlab.seen(forge=forge)
            assert (seen.state, seen.readiness and seen.readiness.in_merge_queue) == ("open", True)
        gitlab.server.run_train(gitlab.project)
        assert (await gitlab.seen()).state == "merged"
        assert TRAILERS not in str(gitlab.repo.info(str(gitlab.repo.head("main")))["message"])


async def test_a_request_whose_head_moved_gets_no_place_on_the_train(tmp_path: Path) -> None:
    async with setting(tmp_path, merge_trains_enabled=True) as gitlab:
        request = await gitlab.opened()
        outcome = await gitlab.forge.merge(request, Landing("squash", LANDING, "1" * 40, enqueue=True))
        assert isinstance(outcome, NotLanded)
        assert outcome.status == 409


@pytest.mark.parametrize("after", [True, False])
async def test_a_place_on_the_train_whose_answer_is_lost(tmp_path: Path, after: bool) -> None:
    async with setting(tmp_path, merge_trains_enabled=True) as gitlab:
        request = await gitlab.opened()
        gitlab.server.rules.append(Rule("POST", "/merge_trains/", status(504), after=after))
        if after:
            assert await land(gitlab, request, enqueue=True) == Landed(None)
        else:
            with pytest.raises(Unreachable):
                await land(gitlab, request, enqueue=True)
        assert gitlab.server.counted[f"POST /projects/{gitlab.project.id}/merge_trains/merge_requests/1"] == 1


async def test_auto_merge_says_who_asked_for_it_and_is_taken_off(tmp_path: Path) -> None:
    async with setting(tmp_path, only_allow_merge_if_pipeline_succeeds=True) as gitlab:
        gitlab.project.ci = "request"
        request = await gitlab.opened()
        await land(gitlab, request, auto=True)
        look = await gitlab.forge.look()
        facts = look.requests[0].readiness
        assert facts is not None
        assert (facts.auto_merge, facts.auto_merge_by) == (True, look.login)
        for _ in range(2):  # said twice it is done once
            await gitlab.forge.no_auto_merge(request)
            assert gitlab.merge().auto is None
        facts = (await gitlab.seen()).readiness
        assert facts is not None
        assert (facts.auto_merge, facts.auto_merge_by) == (False, "")
        gitlab.server.finish(gitlab.project)
        assert (await gitlab.seen()).state == "open"


async def test_an_auto_merge_of_a_person_is_told_as_theirs(tmp_path: Path) -> None:
    async with setting(tmp_path, only_allow_merge_if_pipeline_succeeds=True) as gitlab:
        gitlab.project.ci = "request"
        await gitlab.opened()
        gitlab.merge().auto = {"user": gitlab.server.user("ada")}
        facts = (await gitlab.seen()).readiness
        assert facts is not None
        assert (facts.auto_merge, facts.auto_merge_by) == (True, "ada")


async def test_nothing_to_take_off_on_an_older_gitlab(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        gitlab.server.rules.append(Rule("POST", "/cancel_merge", status(406)))
        await gitlab.forge.no_auto_merge(request)
