"""What a look costs, and that what moved is always seen: readiness from GitLab's answers, read again only where it must be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.forges.base import Limited
from rules.merging import Readiness
from tests.bot.forges.gitlab.setting import BRANCH, Setting, setting, wish
from tests.servers.gitlab import Rule, limited, status


async def ready(gitlab: Setting, number: int = 1) -> Readiness:
    seen = (await gitlab.seen(number)).readiness
    assert seen is not None
    return seen


async def cost(gitlab: Setting) -> int:
    """How many requests the next look sends."""
    gitlab.server.forget()
    await gitlab.forge.look()
    return len(gitlab.server.log)


@pytest.mark.parametrize("requests", [0, 1, 7])
async def test_a_look_where_nothing_moved_costs_three_requests(tmp_path: Path, requests: int) -> None:
    async with setting(tmp_path, only_allow_merge_if_pipeline_succeeds=True) as gitlab:
        gitlab.project.ci = "both"
        base = await gitlab.head()
        for number in range(requests):
            await gitlab.forge.open(wish(image=f"web{number}", data=f"n: {number}\n".encode()), base)
        await gitlab.forge.look()
        assert [await cost(gitlab) for _ in range(3)] == [3, 3, 3]


async def test_a_plain_new_request_costs_two_requests_and_its_first_reading_two_more(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        base = await gitlab.head()
        gitlab.server.forget()
        await gitlab.forge.open(wish(), base)
        assert len(gitlab.server.log) == 2
        assert await cost(gitlab) == 3 + 2


MOVES: list[tuple[str, Callable[[Setting], object], Callable[[Readiness], object], object]] = [
    ("an approval", lambda g: g.server.approve(g.merge(), "ada"), lambda r: [one.user for one in r.reviews], ["ada"]),
    (
        "a thread",
        lambda g: g.server.note(g.merge(), g.server.user("ada"), "Why?", resolvable=True),
        lambda r: r.unresolved_threads,
        1,
    ),
    ("a pipeline that ended", lambda g: g.server.finish(g.project, "failed"), lambda r: r.pipeline, "failed"),
    (
        "a pipeline that began again",
        lambda g: [g.server.finish(g.project, "failed"), setattr(g.project.pipelines[-1], "status", "running")],
        lambda r: r.pipeline,
        "running",
    ),
    (
        "the base",
        lambda g: g.server.push_as("ada", g.project, "main", {"other.yaml": b"x\n"}, "Other"),
        lambda r: r.behind_by,
        1,
    ),
    (
        "a conflict",
        lambda g: g.server.push_as("ada", g.project, "main", {"app.yaml": b"x\n"}, "Other"),
        lambda r: r.conflict,
        True,
    ),
    (
        "a push to the branch",
        lambda g: g.server.push_as("ada", g.project, BRANCH, {"other.yaml": b"x\n"}, "Mine"),
        lambda r: r.head_message,
        "Mine\n",
    ),
    ("a right", lambda g: g.project.protected.update(main=(40, 60)), lambda r: r.protection.present, True),
    ("the protection", lambda g: g.project.protected.clear(), lambda r: r.protection.present, False),
    ("a status that is new", lambda g: setattr(g.merge(), "status", "moonrise"), lambda r: r.detailed_merge_status, "moonrise"),
]


@pytest.mark.parametrize(("move", "what", "expected"), [row[1:] for row in MOVES], ids=[row[0] for row in MOVES])
async def test_what_moved_is_seen(
    tmp_path: Path, move: Callable[[Setting], object], what: Callable[[Readiness], object], expected: object
) -> None:
    async with setting(tmp_path) as gitlab:
        gitlab.project.ci = "request"
        await gitlab.opened()
        await gitlab.forge.look()
        move(gitlab)
        assert what(await ready(gitlab)) == expected
        assert what(await ready(gitlab)) == expected


async def test_a_status_that_depends_on_others_is_asked_for_at_every_look(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        await gitlab.opened()
        gitlab.merge().status = "status_checks_must_pass"
        await gitlab.forge.look()
        assert await cost(gitlab) == 4


async def test_gitlab_that_still_looks_is_asked_again(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        await gitlab.opened()
        gitlab.merge().looking = 6
        said = [(await ready(gitlab)).detailed_merge_status for _ in range(3)]
        assert said == ["checking", "mergeable", "mergeable"]  # four questions in the first look


@pytest.mark.parametrize(
    ("skipped_is_fine", "expected"), [(True, "mergeable"), (False, "ci_must_pass")], ids=["taken for success", "not"]
)
async def test_a_skipped_pipeline(tmp_path: Path, skipped_is_fine: bool, expected: str) -> None:
    settings = {"only_allow_merge_if_pipeline_succeeds": True, "allow_merge_on_skipped_pipeline": skipped_is_fine}
    async with setting(tmp_path, **settings) as gitlab:
        gitlab.project.ci, gitlab.project.ci_status = "request", "skipped"
        await gitlab.opened()
        found = await ready(gitlab)
        assert (found.pipeline, found.detailed_merge_status) == ("skipped", expected)
        assert found.protection.skipped_pipeline_is_success is skipped_is_fine


async def test_a_pipeline_of_an_older_head_does_not_count(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        gitlab.project.ci, gitlab.project.ci_status = "request", "success"
        request = await gitlab.opened()
        gitlab.project.ci = None
        await gitlab.forge.refresh(request, wish("1.2.0"), await gitlab.head(), rewrite=True)
        for forge in (gitlab.forge, gitlab.again()):
            seen = (await gitlab.seen(forge=forge)).readiness
            assert seen is not None
            assert seen.pipeline is None


async def test_older_pipelines_of_the_branch_cost_nothing(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        gitlab.project.ci = "both"
        request = await gitlab.opened()
        for version in ("1.2.0", "1.3.0", "1.4.0"):
            request = await gitlab.forge.refresh(request, wish(version), await gitlab.head(), rewrite=True)
        assert await cost(gitlab) == 3 + 2


@pytest.mark.parametrize("lag", [2, 3, 6])
async def test_gitlab_that_names_a_new_head_late(tmp_path: Path, lag: int) -> None:
    async with setting(tmp_path) as gitlab:
        gitlab.project.ci, gitlab.project.ci_status = "request", "success"
        request = await gitlab.opened()
        gitlab.project.lag = lag
        second = await gitlab.forge.refresh(request, wish("1.2.0"), await gitlab.head(), rewrite=True)
        gitlab.project.lag = 0
        for forge in (gitlab.forge, gitlab.again(), gitlab.forge, gitlab.forge):
            seen = await gitlab.seen(forge=forge)
            assert (seen.head, seen.edited_by_person) == (second.head, False)
            assert seen.readiness is not None
            assert seen.readiness.detailed_merge_status in ("checking", "mergeable")
        assert (await ready(gitlab)).detailed_merge_status == "mergeable"
        theirs = gitlab.server.push_as("ada", gitlab.project, BRANCH, {"x": b""}, "Mine")
        for forge in (gitlab.forge, gitlab.again()):
            seen = await gitlab.seen(forge=forge)
            assert (seen.head, seen.edited_by_person) == (theirs, True)


async def test_a_merged_result_counts_for_the_head_that_it_was_made_of(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        bot = gitlab.merge().author.who
        tree = gitlab.repo.merged_tree("main", request.head)
        result = gitlab.repo.commit("Merge", [gitlab.repo.head("main"), request.head], bot, bot, tree=tree)
        gitlab.server.pipeline(gitlab.project, result, "success", merge=gitlab.merge(), kind="merge")
        assert (await ready(gitlab)).pipeline == "success"
        await gitlab.forge.refresh(await gitlab.seen(), wish("1.2.0"), await gitlab.head(), rewrite=True)
        assert (await ready(gitlab)).pipeline is None


async def test_statuses_that_we_would_have_posted_ourselves_never_count(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        gitlab.server.pipeline(gitlab.project, request.head, "success", ref=BRANCH, source="external", user=gitlab.merge().author)
        for forge in (gitlab.forge, gitlab.again()):
            mine = (await gitlab.seen(forge=forge)).readiness
            assert mine is not None
            assert mine.pipeline is None
        gitlab.server.pipeline(gitlab.project, request.head, "success", ref=BRANCH, source="external")
        assert (await ready(gitlab)).pipeline == "success"


async def test_reviewers_who_asked_for_changes(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        await gitlab.forge.open(wish(reviewers=("ada", "bob")), await gitlab.head())
        ada = gitlab.server.user("ada")
        gitlab.merge().review_states[ada.id] = "requested_changes"
        gitlab.server.note(gitlab.merge(), ada, "requested changes", system=True)
        found = await ready(gitlab)
        assert [(one.user, one.state) for one in found.reviews] == [("ada", "CHANGES_REQUESTED")]
        assert (found.review_requests, found.detailed_merge_status) == (("bob",), "requested_changes")


async def test_approvals_that_are_required(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        gitlab.project.approvals_required = 1
        await gitlab.opened()
        before = await ready(gitlab)
        assert (before.review_decision, before.detailed_merge_status) == ("REVIEW_REQUIRED", "not_approved")
        gitlab.server.approve(gitlab.merge(), "ada")
        after = await ready(gitlab)
        assert (after.review_decision, after.detailed_merge_status) == ("APPROVED", "mergeable")


async def test_a_gitlab_without_approvals(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        await gitlab.opened()
        gitlab.server.rules.append(Rule("GET", "/approvals$", status(404), times=-1))
        assert (await gitlab.seen(forge=gitlab.again())).readiness is not None
        gitlab.server.rules[-1] = Rule("GET", "/approvals$", status(403), times=-1)
        seen = (await gitlab.seen(forge=gitlab.again())).readiness
        assert seen is not None
        assert not seen.complete


async def test_a_project_without_ci_is_read_in_full_at_every_look(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        gitlab.server.rules.append(Rule("GET", "/pipelines$", status(403), times=-1))
        await gitlab.opened()
        assert (await ready(gitlab)).pipeline is None
        gitlab.merge().approved_by.append(gitlab.server.user("ada"))  # nothing else tells of it
        assert (await ready(gitlab)).complete


async def test_more_requests_than_a_page(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        first = await gitlab.opened()
        for number in range(2, 420):
            merge = gitlab.server_merge(number)
            gitlab.project.merges[number] = merge
        for forge in (gitlab.again(), gitlab.forge):
            look = await forge.look()
            assert len(look.requests) >= 300
            assert next(one for one in look.requests if one.number == first.number).state == "open"
        assert await cost(gitlab) <= 4
        gitlab.server.close(gitlab.project, gitlab.merge(1), gitlab.server.user("ada"))
        assert (await gitlab.seen(1)).state == "closed"


@pytest.mark.parametrize("others", [0, 150])
async def test_what_another_process_opened_and_a_person_closed_in_between_is_seen(tmp_path: Path, others: int) -> None:
    async with setting(tmp_path) as gitlab:
        watching = gitlab.again()
        await watching.look()
        await gitlab.opened()
        gitlab.server.close(gitlab.project, gitlab.merge(), gitlab.server.user("ada"))
        for number in range(2, 2 + others):  # and much more landed since
            gitlab.project.merges[number] = gitlab.server_merge(number)
        seen = await gitlab.seen(forge=watching)
        assert (seen.state, seen.closed_by_us) == ("closed", False)


async def test_settings_are_read_again_after_some_hours(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        await gitlab.opened()
        gitlab.project.settings["merge_method"] = "ff"
        assert (await gitlab.forge.look()).project.allowed_methods == ("merge", "squash")
        gitlab.forge._read_at -= 5 * 3600
        assert (await gitlab.forge.look()).project.allowed_methods == ("fast-forward", "squash")


async def test_a_default_branch_that_was_renamed(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        await gitlab.opened()
        gitlab.server.moved(gitlab.project, gitlab.server.user("ada"), "trunk", gitlab.repo.head("main"))
        gitlab.server.moved(gitlab.project, gitlab.server.user("ada"), "main", None)
        gitlab.project.settings["default_branch"] = "trunk"
        assert list((await gitlab.forge.look()).heads) == ["trunk"]


async def test_a_rate_limit_says_when_to_come_back(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        await gitlab.head()
        gitlab.server.rules.append(Rule("GET", "/merge_requests$", limited(900)))
        with pytest.raises(Limited) as caught:
            await gitlab.forge.look()
        assert caught.value.until is not None
        sent = gitlab.wire.total
        with pytest.raises(Limited):
            await gitlab.forge.look()
        assert gitlab.wire.total == sent
