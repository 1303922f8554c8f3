"""Landing on GitHub: by each method, with our words, at exactly the commit that was decided about."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.forges.base import Landed, Landing, NotLanded, Standing
from bot.forges.github.forge import GitHubForge
from rules.merging import Condition, Method
from rules.requests import PullRequest
from tests.bot.forges.github.world import BRANCH, LANDING, World, head_of, wish, world

REQUIRED = {
    "requiresStatusChecks": True,
    "requiresStrictStatusChecks": False,
    "requiredStatusChecks": [{"context": "ci/test", "app": None}],
}
QUEUE = {"type": "MERGE_QUEUE", "parameters": None}


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as found:
        yield found


async def ready(w: World) -> tuple[GitHubForge, PullRequest]:
    forge = await w.installed()
    await forge.open(wish(), await head_of(forge))
    return forge, (await forge.look()).requests[0]


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
async def test_each_method(w: World, method: Method) -> None:
    forge, request = await ready(w)
    base = w.repo.head("main")
    w.server.take()
    landed = await forge.merge(request, Landing(method, LANDING, request.head))
    assert isinstance(landed, Landed)
    assert w.server.take() == ["PUT /repos/{owner}/{repo}/pulls/{number}/merge", "Move"]
    assert (w.repo.head("main"), w.branches) == (landed.commit, ["main"])
    info = w.repo.git.commit(landed.commit or "")
    assert info.parents == ((base, request.head) if method == "merge" else (base,))
    words = wish().message if method == "rebase" else LANDING
    assert info.message == str(words).rstrip("\n")
    seen = (await forge.look()).requests[0]
    assert (seen.state, seen.landed) == ("merged", landed.commit)
    assert await forge.merge(request, Landing(method, LANDING, request.head)) == landed
    commits = await forge.history("main", ["app.yaml"])
    assert [commit.ours for commit in commits] == [True, False]


async def test_the_branch_stays_where_that_is_wished(w: World) -> None:
    forge, request = await ready(w)
    await forge.merge(request, Landing("squash", LANDING, request.head, delete_branch=False))
    assert BRANCH in w.branches


async def test_a_branch_that_github_deletes_is_not_deleted_twice(w: World) -> None:
    w.repo.delete_branch_on_merge = True
    forge, request = await ready(w)
    w.server.take()
    assert isinstance(await forge.merge(request, Landing("squash", LANDING, request.head)), Landed)
    assert (w.server.take(), w.branches) == (["PUT /repos/{owner}/{repo}/pulls/{number}/merge"], ["main"])


async def test_a_push_of_a_person_in_between(w: World) -> None:
    forge, request = await ready(w)
    w.repo.files.checkout(BRANCH)
    w.repo.files.commit("Mine", {"app.yaml": b"image: evil:1\n"}, BRANCH)
    answer = await forge.merge(request, Landing("squash", LANDING, request.head))
    assert answer == NotLanded(409, "Head branch was modified. Review and try the merge again.")
    assert w.repo.files.show("main:app.yaml") == "image: web:1.0.0"


async def test_required_checks(w: World) -> None:
    w.repo.classic["main"] = REQUIRED
    forge, request = await ready(w)
    readiness = request.readiness
    assert readiness is not None
    assert (readiness.merge_state, readiness.checks, [check.name for check in readiness.protection.required_checks]) == (
        "BLOCKED",
        (),
        ["ci/test"],
    )
    answer = await forge.merge(request, Landing("squash", LANDING, request.head))
    assert isinstance(answer, NotLanded)
    assert answer.status == 405
    w.server.world.check(w.repo, request.head)
    seen = (await forge.look()).requests[0].readiness
    assert seen is not None
    assert (seen.merge_state, [(check.name, check.conclusion) for check in seen.checks]) == ("CLEAN", [("ci/test", "SUCCESS")])
    assert isinstance(await forge.merge(request, Landing("squash", LANDING, request.head)), Landed)


async def test_a_conflict(w: World) -> None:
    forge, request = await ready(w)
    w.repo.files.checkout("main")
    w.repo.files.commit("Other", {"app.yaml": b"image: web:3.0.0\n"})
    seen = (await forge.look()).requests[0].readiness
    assert seen is not None
    assert (seen.behind_by, seen.conflict, seen.merge_state) == (1, True, "DIRTY")
    answer = await forge.merge(request, Landing("merge", LANDING, request.head))
    assert answer == NotLanded(405, "Pull Request is not mergeable")
    changes = await forge.changes(request)
    assert [(change.path, change.new_mode) for change in changes] == [("app.yaml", "100644")]


async def test_behind_a_strict_base(w: World) -> None:
    w.repo.classic["main"] = REQUIRED | {"requiresStrictStatusChecks": True}
    forge, request = await ready(w)
    base = w.repo.files.commit("Other", {"other.yaml": b"image: db:2.0.0\n"})
    w.server.world.check(w.repo, request.head)
    look = await forge.look()
    seen = look.requests[0]
    assert seen.readiness is not None
    assert (seen.readiness.merge_state, seen.readiness.behind_by, seen.readiness.protection.strict) == ("BEHIND", 1, True)
    updated = await forge.refresh(seen, wish(), base, rewrite=True)
    w.server.world.check(w.repo, updated.head)
    fresh = (await forge.look()).requests[0].readiness
    assert fresh is not None
    assert (fresh.merge_state, fresh.behind_by) == ("CLEAN", 0)


async def test_a_method_that_is_not_allowed(w: World) -> None:
    w.repo.methods.discard("squash")
    forge, request = await ready(w)
    assert (await forge.look()).project.allowed_methods == ("merge", "rebase")
    answer = await forge.merge(request, Landing("squash", LANDING, request.head))
    assert isinstance(answer, NotLanded)
    assert answer.status == 405
    assert isinstance(await forge.merge(request, Landing("fast-forward", LANDING, request.head)), NotLanded)


async def test_without_the_right_to_write(w: World) -> None:
    forge, request = await ready(w)
    w.server.world.installations[11]["permissions"]["contents"] = "read"
    answer = await forge.merge(request, Landing("squash", LANDING, request.head))
    assert isinstance(answer, NotLanded)
    assert answer.status == 403


async def test_auto_merge_lands_with_our_words_when_the_checks_pass(w: World) -> None:
    w.repo.allow_auto_merge = True
    w.repo.classic["main"] = REQUIRED
    forge, request = await ready(w)
    assert (await forge.look()).project.auto_merge_allowed
    landing = Landing("squash", LANDING, request.head, auto=True)
    assert await forge.merge(request, landing) == Landed(None)
    seen = (await forge.look()).requests[0]
    assert seen.readiness is not None
    assert (seen.state, seen.readiness.auto_merge, seen.readiness.auto_merge_by) == ("open", True, "tagboat[bot]")
    w.server.world.check(w.repo, request.head)
    landed = (await forge.look()).requests[0]
    assert (landed.state, landed.landed) == ("merged", w.repo.head("main"))
    assert w.repo.git.commit(landed.landed or "").message == str(LANDING).rstrip("\n")


async def test_what_could_land_at_once_is_landed_directly(w: World) -> None:
    w.repo.allow_auto_merge = True
    forge, request = await ready(w)
    answer = await forge.merge(request, Landing("squash", LANDING, request.head, auto=True))
    assert answer == Landed(w.repo.head("main"))


async def test_a_new_commit_takes_auto_merge_off(w: World) -> None:
    w.repo.allow_auto_merge = True
    w.repo.classic["main"] = REQUIRED
    forge, request = await ready(w)
    await forge.merge(request, Landing("squash", LANDING, request.head, auto=True))
    look = await forge.look()
    await forge.refresh(look.requests[0], wish("1.2.0"), look.heads["main"], rewrite=True)
    assert w.repo.pulls[1].auto_merge is None
    await forge.no_auto_merge(request)  # said twice it is done once


@pytest.mark.parametrize(("version", "stays"), [("1.1.0", True), ("1.2.0", False)])
async def test_what_a_person_left_to_github_goes_only_with_other_content(w: World, version: str, stays: bool) -> None:
    w.repo.allow_auto_merge = True
    w.repo.classic["main"] = REQUIRED
    forge, _ = await ready(w)
    w.repo.pulls[1].auto_merge = {"method": "SQUASH", "headline": None, "body": None, "by": w.server.world.account("ada")}
    w.repo.files.checkout("main")
    w.repo.files.commit("Elsewhere", {"README.md": b"x"})
    look = await forge.look()
    await forge.refresh(look.requests[0], wish(version), look.heads["main"], rewrite=True)
    assert (w.repo.pulls[1].auto_merge is not None) == stays
    assert w.repo.pulls[1].head_oid != look.requests[0].head


async def test_the_merge_queue_takes_it_over(w: World) -> None:
    w.repo.rules["main"] = [QUEUE]
    forge, request = await ready(w)
    look = await forge.look()
    assert look.project.merge_queue
    assert request.readiness is not None
    assert request.readiness.protection.merge_queue
    assert await forge.merge(request, Landing("squash", LANDING, request.head, enqueue=True)) == Landed(None)
    queued = (await forge.look()).requests[0].readiness
    assert queued is not None
    assert queued.in_merge_queue is True
    w.server.world.run_queue(w.repo)
    assert (await forge.look()).requests[0].state == "merged"


async def test_a_person_lands_it_and_the_words_are_the_commits(w: World) -> None:
    forge, request = await ready(w)
    w.server.world.land(w.repo, w.repo.pulls[1], "squash", None, None, w.server.world.account("ada"))
    seen = (await forge.look()).requests[0]
    assert (seen.state, seen.landed) == ("merged", w.repo.head("main"))
    assert w.repo.git.commit(seen.landed or "").message.startswith("Update web from 1.0.0 to 1.1.0 (#1)")
    # The branch is that person's to delete.
    assert w.repo.head(BRANCH) == request.head


async def test_an_unknown_state_is_handed_on(w: World) -> None:
    forge, _ = await ready(w)
    w.repo.pulls[1].unknown = 1
    seen = (await forge.look()).requests[0].readiness
    assert seen is not None
    assert (seen.conflict, seen.mergeable, seen.merge_state) == (None, "UNKNOWN", "UNKNOWN")


async def test_checks_that_may_not_be_read_are_not_taken_for_none(w: World) -> None:
    forge, _ = await ready(w)
    w.server.world.installations[11]["permissions"]["checks"] = "none"
    seen = (await forge.look()).requests[0].readiness
    assert seen is not None
    assert seen.complete is False


class TestTheCheckRun:
    """The App's own check `tagboat`: concluded at once, sent only where it changed, never counted."""

    CONDITIONS = (Condition("open", True, "it is open"), Condition("ci", None, "@ann #1"))
    STANDING = Standing("wait", "not finished: ci/test", CONDITIONS)

    async def test_it_is_written_once(self, w: World) -> None:
        forge, request = await ready(w)
        w.server.take()
        await forge.show(request, self.STANDING)
        await forge.show(request, self.STANDING)
        assert w.server.take() == ["POST /repos/{owner}/{repo}/check-runs"]
        run = w.repo.checks[request.head][0]
        assert (run.name, run.status, run.conclusion) == ("tagboat", "completed", "neutral")
        assert "✅ it is open" in run.output["summary"]
        assert "@ann" not in run.output["summary"]
        later = await w.installed()
        seen = (await later.look()).requests[0]
        w.server.take()
        await later.show(seen, self.STANDING)
        assert w.server.take() == []
        await later.show(seen, Standing("merge", "every condition holds"))
        assert w.server.take() == ["PATCH /repos/{owner}/{repo}/check-runs/{id}"]
        assert [(one.conclusion, one.id) for one in w.repo.checks[request.head]] == [("success", run.id)]

    async def test_a_new_head_gets_a_new_one(self, w: World) -> None:
        forge, request = await ready(w)
        await forge.show(request, self.STANDING)
        second = await forge.refresh(request, wish("1.2.0"), w.repo.head("main") or "", rewrite=True)
        await forge.show(second, self.STANDING)
        assert len(w.repo.checks[second.head]) == 1

    async def test_a_token_has_none(self, w: World) -> None:
        forge = w.forge()
        await forge.open(wish(), await head_of(forge))
        await forge.show((await forge.look()).requests[0], self.STANDING)
        assert w.repo.checks == {}
