"""Stories of requests on GitHub, over sockets: opened, refreshed, reworded, closed, straight to the branch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.forges.base import Denied, Moved
from bot.forges.github.requests import CLOSED_LINE, COMMENT_LINE
from rules.records import written_of
from tests.bot.forges.github.world import BRANCH, LANDING, World, head_of, wish, world

REFS, PULLS = "POST /repos/{owner}/{repo}/git/refs", "POST /repos/{owner}/{repo}/pulls"
PULL = "PATCH /repos/{owner}/{repo}/pulls/{number}"


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as found:
        yield found


async def test_opening_takes_three_requests(w: World) -> None:
    forge = w.forge()
    base = await head_of(forge)
    w.server.take()
    request = await forge.open(wish(), base)
    assert w.server.take() == [REFS, "Commit", PULLS]
    assert (request.number, request.branch, request.head) == (1, BRANCH, w.repo.head(BRANCH))
    assert w.repo.files.show(f"{BRANCH}:app.yaml") == "image: web:1.1.0"
    assert w.repo.git.text("diff", "--name-only", "main", BRANCH) == "app.yaml"
    pull = w.repo.pulls[1]
    assert (pull.title, pull.body, pull.base) == ("Update web to 1.1.0", wish().body, "main")
    assert w.repo.git.commit(request.head).message == str(wish().message).rstrip("\n")


async def test_an_opened_request_is_known_at_the_next_look(w: World) -> None:
    forge = w.forge()
    await forge.open(wish(), await head_of(forge))
    w.server.take()
    for looking in (forge, w.forge()):
        seen = (await looking.look()).requests[0]
        assert w.server.take() == ["Look"]
        assert (seen.number, seen.state, seen.edited_by_person, seen.closed_by_us) == (1, "open", False, False)
        assert seen.record is not None
        assert seen.record.fingerprint == "fp-1.1.0"
        assert seen.readiness is not None
        assert (seen.readiness.behind_by, seen.readiness.conflict, seen.readiness.complete) == (0, False, True)
        assert seen.readiness.head_message == str(wish().message).rstrip("\n")


async def test_a_second_open_finds_the_first(w: World) -> None:
    base = await head_of(w.forge())
    first = await w.forge().open(wish(), base)
    before = w.repo.git.refs()
    again = await w.forge().open(wish(), base)
    assert (again.number, again.head) == (first.number, first.head)
    assert (w.repo.git.refs(), list(w.repo.pulls)) == (before, [1])


async def test_labels_and_people_come_before_the_last_words(w: World) -> None:
    w.repo.teams.add("platform")
    proposal = wish(labels=("images", "dev"), reviewers=("ada", "@acme/platform"), assignees=("ada",))
    forge = w.forge()
    base = await head_of(forge)
    w.server.take()
    request = await forge.open(proposal, base)
    pull = w.repo.pulls[1]
    assert (pull.labels, pull.reviewers, pull.teams, pull.assignees) == ({"images", "dev"}, {"ada"}, {"platform"}, {"ada"})
    assert request.labels == {"images", "dev"}
    asked = w.server.take()
    assert asked[:3] == [REFS, "Commit", PULLS]
    assert [one.rpartition("/")[2] for one in asked[3:]] == ["labels", "assignees", "requested_reviewers", "{number}"]
    assert pull.body == proposal.body


async def test_a_reviewer_whom_github_does_not_take_spoils_nothing(w: World) -> None:
    forge = w.forge()
    await forge.open(wish(reviewers=("nobody", "ada", "acme/none")), await head_of(forge))
    pull = w.repo.pulls[1]
    assert (pull.reviewers, pull.teams, pull.body) == ({"ada"}, set(), wish().body)


async def test_refreshing_never_leaves_the_request_without_a_diff(w: World) -> None:
    forge = w.forge()
    base = await head_of(forge)
    first = await forge.open(wish(), base)
    w.repo.files.checkout("main")
    base = w.repo.files.commit("Elsewhere", {"other.yaml": b"image: db:2.0.0\n"})
    w.server.take()
    second = await forge.refresh(first, wish("1.2.0"), base, rewrite=True)
    assert w.server.take() == [REFS, "Commit", "Move", PULL]
    # The server closes a request whose branch has nothing of its own, even for a moment.
    assert [pull.state for pull in w.repo.pulls.values()] == ["OPEN"]
    assert (second.number, second.branch, second.title, w.repo.head(BRANCH)) == (1, BRANCH, "Update web to 1.2.0", second.head)
    assert w.branches == ["main", BRANCH]
    assert w.repo.git.commit(second.head).parents == (base,)
    seen = (await forge.look()).requests[0]
    assert (seen.head, seen.edited_by_person, seen.readiness and seen.readiness.behind_by) == (second.head, False, 0)


async def test_new_words_leave_the_branch_alone(w: World) -> None:
    forge = w.forge()
    base = await head_of(forge)
    first = await forge.open(wish(), base)
    w.server.take()
    second = await forge.refresh(first, replace(wish(), body="Other words."), base, rewrite=False)
    assert w.server.take() == [PULL]
    assert (second.head, w.repo.pulls[1].body) == (first.head, "Other words.")
    await forge.refresh(second, replace(wish(), body="Other words."), base, rewrite=False)
    assert w.server.take() == []


async def test_refreshing_asks_only_those_who_were_not_asked(w: World) -> None:
    w.repo.permissions["eve"] = "write"
    forge = w.forge()
    base = await head_of(forge)
    await forge.open(wish(reviewers=("ada",), labels=("images",)), base)
    w.server.world.review(w.repo, 1, "ada")
    w.repo.pulls[1].reviewers.clear()
    seen = (await forge.look()).requests[0]
    w.server.take()
    await forge.refresh(seen, wish("1.2.0", reviewers=("Ada", "eve"), labels=("Images", "dev")), base, rewrite=False)
    assert (w.repo.pulls[1].reviewers, w.repo.pulls[1].labels) == ({"eve"}, {"images", "dev"})


async def test_a_mode_is_kept_through_trees(w: World) -> None:
    script = b"#!/bin/sh\ndocker run web:1.0.0\n"
    w.repo.files.commit("Script", {"run.sh": script})
    (w.repo.files.work / "run.sh").chmod(0o755)
    base = w.repo.files.commit("Executable", {})
    forge = w.forge()
    request = await forge.open(wish(path="run.sh", mode="100755", data=script.replace(b"1.0.0", b"1.1.0")), base)
    entry = (await forge.tree(request.head))["run.sh"]
    assert entry.mode == "100755"
    assert w.repo.files.show(f"{BRANCH}:run.sh").endswith("web:1.1.0")
    second = await forge.refresh(request, wish("1.2.0", "run.sh", mode="100755", data=b"\xff\xfe web:1.2.0"), base, rewrite=True)
    assert (await forge.tree(second.head))["run.sh"].mode == "100755"
    assert w.repo.git.blob((await forge.tree(second.head))["run.sh"].oid) == b"\xff\xfe web:1.2.0"
    assert (w.branches, w.repo.pulls[1].state) == (["main", BRANCH], "OPEN")


async def test_large_proposals_are_split(w: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.forges.github.commits.PART", 40)
    proposal = wish()
    files = tuple(replace(proposal.files[0], path=f"app-{n}.yaml", data=b"image: web:1.1.0\n") for n in range(5))
    forge = w.forge()
    request = await forge.open(replace(proposal, files=files), await head_of(forge))
    assert w.repo.git.count("main", request.head) == 3
    seen = (await w.forge().look()).requests[0]
    assert (seen.edited_by_person, seen.head) == (False, request.head)
    assert {change.path for change in await w.forge().changes(seen)} == {f"app-{n}.yaml" for n in range(5)}


async def test_closing_says_why_and_removes_the_branch(w: World) -> None:
    forge = w.forge()
    await forge.open(wish(), await head_of(forge))
    seen = (await forge.look()).requests[0]
    w.server.take()
    await forge.close(seen, "nothing left to update")
    assert len(w.server.take()) == 3
    pull = w.repo.pulls[1]
    assert (pull.state, [one.body for one in pull.comments]) == ("CLOSED", [f"Closed: nothing left to update.\n\n{COMMENT_LINE}"])
    assert CLOSED_LINE in pull.body
    assert w.branches == ["main"]
    for looking in (forge, w.forge()):
        closed = (await looking.look()).requests[0]
        assert (closed.state, closed.closed_by_us, closed.ended_at) == ("closed", True, w.hours.now())
        assert written_of(closed.body) is not None


async def test_one_comment_is_edited_in_place(w: World) -> None:
    forge = w.forge()
    await forge.open(wish(), await head_of(forge))
    seen = (await forge.look()).requests[0]
    w.server.take()
    await forge.comment(seen, "Waiting for a person.")
    await forge.comment(seen, "Waiting for a person.")
    assert len(w.server.take()) == 1
    later = w.forge()
    seen = (await later.look()).requests[0]
    await later.comment(seen, "Waiting for a person.")
    await later.comment(seen, "Waiting for the checks.")
    await w.forge().comment(seen, "Waiting for the checks.")  # it has not looked, so it lists them
    assert [one.body for one in w.repo.pulls[1].comments] == [f"Waiting for the checks.\n\n{COMMENT_LINE}"]


async def test_straight_to_the_branch(w: World) -> None:
    forge = w.forge()
    base = await head_of(forge)
    commit = await forge.push(wish(), base, LANDING)
    assert w.repo.head("main") == commit
    assert w.repo.git.commit(commit).message == str(LANDING).rstrip("\n")
    with pytest.raises(Moved):
        await forge.push(wish("1.2.0"), base, LANDING)
    w.repo.locked_branches.add("main")
    with pytest.raises(Denied, match="through a pull request"):
        await forge.push(wish("1.2.0"), commit, LANDING)


async def test_signed_off_and_by_an_author_of_choice(w: World) -> None:
    forge = w.forge()
    base = await head_of(forge)
    forge.commit_as(("Images", "images@example.com"), signoff=True)
    request = await forge.open(wish(), base)
    info = w.repo.git.commit(request.head)
    assert info.author == ("Images", "images@example.com")
    assert info.message.endswith("Signed-off-by: Images <images@example.com>")
    assert not (await forge.look()).requests[0].edited_by_person


async def test_a_strangers_branch_by_our_name_is_left_alone(w: World) -> None:
    forge = w.forge()
    base = await head_of(forge)
    theirs = w.repo.files.commit("Mine", {"x": b""}, BRANCH)
    with pytest.raises(Denied, match="delete or rename"):
        await forge.open(wish(), base)
    assert (w.repo.head(BRANCH), w.repo.pulls) == (theirs, {})


async def test_a_branch_of_an_older_base_is_taken_back(w: World) -> None:
    """What a crash right after making the branch leaves, when the base has moved since."""
    old = await head_of(w.forge())
    w.repo.git.set_ref(f"refs/heads/{BRANCH}", old)
    new = w.repo.files.commit("Elsewhere", {"other.yaml": b"image: db:2.0.0\n"})
    request = await w.forge().open(wish(), new)
    assert w.repo.git.commit(request.head).parents == (new,)


async def test_a_dashboard_is_made_once_and_stays_closed(w: World) -> None:
    await w.forge().dashboard("Nothing is open.")
    forge = w.forge()
    await forge.dashboard("One is open.")
    w.server.take()
    await forge.dashboard("One is open.")
    assert w.server.take() == []
    assert [one.body.partition("\n")[0] for one in w.repo.issues.values()] == ["One is open."]
    w.repo.issues[1].state = "closed"
    await w.forge().dashboard("Two are open.")
    assert [(one.state, one.body.partition("\n")[0]) for one in w.repo.issues.values()] == [("closed", "One is open.")]
