"""What people say on a request: it is done in the same pass, answered in one comment, and written into the history."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.forges.base import Comment, Denied, ForgeError, Limited, Unreachable
from bot.state import orders
from rules.rollbacks import Health
from tests.bot.passes.small import HOST, Small, pod

ONE = {"web.yaml": pod("web:1.4.1")}
TAGS = {"web": ["1.4.0", "1.4.1", "1.4.2"]}


async def small(rules: str = "", **forge: object) -> Small:
    """A repository whose one request is open since an hour."""
    files = ONE | ({".tagboat.yaml": rules} if rules else {})
    here = await Small.of(files, TAGS, **forge)
    await here.run()
    assert len(here.forge.open_requests()) == 1
    here.later(hours=1)
    return here


async def test_hold_and_resume() -> None:
    here = await small()
    here.forge.person_says(1, "@tagboat hold not before friday")
    here.registry.tags_of["web"] = [*TAGS["web"], "1.4.3"]
    report = await here.run()
    assert [note.reason for note in report.of("left")] == ["held by ann: not before friday"]
    assert "`ann` said `hold`: it is on hold" in here.forge.notes[1]
    here.later(hours=1)
    writes = list(here.forge.writes)
    await here.run()
    assert here.forge.writes == writes, "heard once, answered once"
    here.forge.person_says(1, "@tagboat resume")
    await here.run()
    assert [request.title for request in here.forge.open_requests()] == [f"Update {HOST}/web from 1.4.1 to 1.4.3"]
    assert here.forge.notes[1].count("said") == 2, "the one comment keeps the answers before"
    events = await here.ledger.history(here.forge.name, kinds=("held", "resumed"))
    assert [(event.kind, event.detail["by"]) for event in events] == [("resumed", "ann"), ("held", "ann")]


async def test_skip_this_version() -> None:
    here = await small()
    here.forge.person_says(1, "Looks odd.\n\n@tagboat skip this version")
    await here.run()
    here.registry.tags_of["web"] = [*TAGS["web"], "1.4.3"]
    await here.run()
    assert [request.title for request in here.forge.open_requests()] == [f"Update {HOST}/web from 1.4.1 to 1.4.3"]


async def test_merge_is_a_persons_word_and_checks_still_count() -> None:
    here = await small(required=("ci/test",))
    here.forge.check(1, "ci/test", None)
    here.forge.person_says(1, "@tagboat merge")
    await here.run()
    assert here.forge.requests[1].state == "open"
    assert "it lands as soon as its checks and reviews allow. Now: not finished: ci/test." in here.forge.notes[1]
    here.green()
    await here.run()
    assert here.forge.requests[1].state == "merged"
    assert "1.4.2" in here.forge.text("web.yaml")


async def test_merge_lifts_the_rules_own_times() -> None:
    here = await small("rules: [{automerge: {min_pr_age: 5d, schedule: Sun, no_checks: merge}}]\n")
    assert here.forge.requests[1].state == "open"
    here.forge.person_says(1, "@tagboat merge")
    await here.run()
    assert here.forge.requests[1].state == "merged"


async def test_merge_is_for_what_the_request_held_when_it_was_said() -> None:
    here = await small(required=("ci/test",))
    here.forge.person_says(1, "@tagboat merge")
    await here.run()
    here.registry.tags_of["web"] = [*TAGS["web"], "1.4.3"]
    here.later(hours=1)
    await here.run()
    here.green()
    await here.run()
    assert here.forge.requests[1].state == "open"


async def test_a_word_that_is_heard_too_late_is_said_again() -> None:
    here = await small("rules: [{automerge: {no_checks: merge, min_pr_age: 90d}}]\n")
    here.forge.person_says(1, "@tagboat merge")
    here.later(hours=7)
    await here.run()
    assert here.forge.requests[1].state == "open"
    assert "say it again" in here.forge.notes[1]


async def test_the_operators_word_is_above_it() -> None:
    here = await small("rules: [{automerge: {no_checks: merge, min_pr_age: 90d}}]\n")
    here.mode = "propose"
    here.forge.person_says(1, "@tagboat merge")
    await here.run()
    assert here.forge.requests[1].state == "open"


@pytest.mark.parametrize("command", ["merge", "hold", "skip", "resume", "rollback", "refresh"])
async def test_who_may_not_write_changes_nothing(command: str) -> None:
    here = await small("rules: [{automerge: {no_checks: merge, min_pr_age: 90d}}]\n")
    here.forge.person_says(1, f"@tagboat {command}", "mallory", may_write=False)
    head = here.forge.branches[here.forge.requests[1].branch]
    await here.run()
    assert here.forge.branches[here.forge.requests[1].branch] == head
    assert await here.ledger.holds(here.forge.name) == []
    assert "only those who may write" in here.forge.notes[1]
    (event,) = await here.ledger.history(here.forge.name, kinds=("asked",))
    assert event.detail["refused"]


async def test_why_says_what_the_request_says() -> None:
    here = await small(required=("ci/test",))
    here.forge.person_says(1, "@tagboat why?", "passer-by", may_write=False)
    await here.run()
    sentence = next(line for line in here.forge.requests[1].body.splitlines() if line.startswith("Why `1.4.2`:"))
    assert sentence.removeprefix("Why ").partition(" (policy")[0] in here.forge.notes[1]
    assert "How it stands: a person lands it." in here.forge.notes[1]


async def test_refresh_writes_the_branch_anew_and_never_over_a_persons_commit() -> None:
    here = await small()
    here.forge.person_writes("README.md", "hello")
    before = here.forge.branches[here.forge.requests[1].branch]
    here.forge.person_says(1, "@tagboat refresh")
    await here.run()
    after = here.forge.branches[here.forge.requests[1].branch]
    assert after != before
    assert here.forge.nodes[after].parents == (here.forge.branches["main"],)
    mine = here.forge.person_writes("web.yaml", "mine", here.forge.requests[1].branch)
    here.forge.person_says(1, "@tagboat refresh")
    await here.run()
    assert here.forge.branches[here.forge.requests[1].branch] == mine
    assert "nothing is done" in here.forge.notes[1]


async def test_what_is_not_understood_is_answered_once() -> None:
    here = await small()
    here.forge.person_says(1, "@tagboat mrege\n\n> @tagboat merge\n\nthanks @octocat")
    await here.run()
    assert "`mrege` is not understood. did you mean 'merge'?" in here.forge.notes[1]
    assert here.forge.writes.count("comment") == 1


@pytest.mark.parametrize(("error", "failed"), [(Denied("403"), False), (Unreachable("time-out"), True), (Limited("429"), True)])
async def test_comments_that_cannot_be_read_stop_nothing_else(error: ForgeError, failed: bool) -> None:
    here = await small()

    async def broken(request: object, since: object = None) -> list[Comment]:
        raise error

    here.forge.comments = broken  # type: ignore[method-assign, assignment]
    here.registry.tags_of["web"] = [*TAGS["web"], "1.4.3"]
    report = await here.run()
    assert report.failed is failed
    assert ("1.4.3" in here.forge.requests[1].title) is not isinstance(error, Limited)


async def test_observing_hears_nothing() -> None:
    here = await small()
    here.mode = "observe"
    here.forge.person_says(1, "@tagboat hold")
    await here.run()
    assert await here.ledger.holds(here.forge.name) == []
    assert here.forge.notes == {}


# -- going back

LANDS = "rules: [{automerge: {no_checks: merge}, rollback: auto}]\n"


async def test_rollback_by_a_comment() -> None:
    here = await Small.of(ONE | {".tagboat.yaml": "rules: [{automerge: {no_checks: merge}}]\n"}, TAGS)
    await here.run()
    assert "1.4.2" in here.forge.text("web.yaml")
    here.forge.person_writes(".tagboat.yaml", "rules: []\n")
    here.registry.tags_of["web"] = [*TAGS["web"], "1.4.3"]
    here.later(hours=1)
    await here.run()
    (request,) = here.forge.open_requests()
    here.forge.person_says(request.number, "@tagboat rollback it pages us")
    await here.run()
    titles = {request.title for request in here.forge.open_requests()}
    assert titles == {f"Roll back {HOST}/web from 1.4.2 to 1.4.1"}
    (back,) = here.forge.open_requests()
    assert "ann asked for it: it pages us" in back.body


async def test_what_is_reported_unhealthy_goes_back_by_itself_and_stays_back() -> None:
    here = await Small.of(ONE | {".tagboat.yaml": LANDS}, TAGS)
    await here.run()
    assert "1.4.2" in here.forge.text("web.yaml")
    here.later(minutes=20)
    health = Health(f"{HOST}/web:1.4.2", "web.yaml", healthy=False, reason="CrashLoopBackOff", at=here.now)
    await orders.report(here.ledger, here.forge.name, health)
    await here.run()
    assert "1.4.1" in here.forge.text("web.yaml")
    for _ in range(3):
        here.later(hours=30)
        await here.run()
        assert "1.4.1" in here.forge.text("web.yaml")
    here.registry.tags_of["web"] = [*TAGS["web"], "1.4.3"]
    await here.run()
    assert "1.4.3" in here.forge.text("web.yaml")


async def test_a_later_healthy_report_ends_it() -> None:
    here = await Small.of(ONE | {".tagboat.yaml": LANDS}, TAGS)
    await here.run()
    for minutes, well in ((5, False), (10, True), (7, False)):
        at = here.now + timedelta(minutes=minutes)
        await orders.report(here.ledger, here.forge.name, Health(f"{HOST}/web:1.4.2", "", well, "", at))
    here.later(hours=1)
    assert not (await here.run()).changed
