"""What people do to our requests on GitHub, and what strangers try."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.forges.base import Denied, Landing, Moved, NotLanded
from rules.requests import PullRequest
from tests.bot.forges.github.world import BRANCH, LANDING, World, head_of, wish, world
from tests.servers.github.graph import Graph


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as found:
        yield found


async def opened(w: World) -> PullRequest:
    """One request of the App's, as a look shows it."""
    forge = await w.installed()
    await forge.open(wish(), await head_of(forge))
    return (await forge.look()).requests[0]


async def test_closed_by_a_person(w: World) -> None:
    await opened(w)
    w.server.world.close(w.repo, 1, "ada")
    seen = (await (await w.installed()).look()).requests[0]
    assert (seen.state, seen.closed_by_us, seen.ended_at) == ("closed", False, w.hours.now())
    assert seen.record is not None


async def test_closed_by_us_and_opened_again_by_a_person(w: World) -> None:
    request = await opened(w)
    forge = await w.installed()
    await forge.close(request, "nothing left to update")
    w.repo.git.set_ref(f"refs/heads/{BRANCH}", request.head)
    w.server.world.reopen(w.repo, 1)
    seen = (await forge.look()).requests[0]
    assert (seen.number, seen.state, seen.closed_by_us, seen.edited_by_person) == (1, "open", False, False)
    assert w.branches == ["main", BRANCH]
    w.server.world.close(w.repo, 1, "ada")
    assert (await forge.look()).requests[0].closed_by_us is False


async def test_a_person_with_our_own_token_closes_it(w: World) -> None:
    """A plain token is somebody's: the same login closes it in the browser, without our line."""
    forge = w.forge()
    await forge.open(wish(), await head_of(forge))
    w.server.world.close(w.repo, 1, "tagboat-user")
    assert (await forge.look()).requests[0].closed_by_us is False


@pytest.mark.parametrize("force", [False, True], ids=["on top", "in its place"])
async def test_a_persons_push_is_seen_and_never_overwritten(w: World, force: bool) -> None:
    request = await opened(w)
    files = w.repo.files
    files.checkout("main" if force else BRANCH)
    files.person("checkout", "-q", "-B", "mine")
    (files.work / "app.yaml").write_bytes(b"image: web:mine\n")
    files.person("commit", "-q", "-a", "-m", "My own change\n\nTagboat-Update: minor")
    files.person("push", "-q", "-f", "origin", f"mine:{BRANCH}")
    theirs = w.repo.head(BRANCH)
    forge = await w.installed()
    base = await head_of(forge)
    with pytest.raises(Moved):
        await forge.refresh(request, wish("1.2.0"), base, rewrite=True)
    landed = await forge.merge(request, Landing("squash", LANDING, request.head))
    assert isinstance(landed, NotLanded)
    assert landed.status == 409
    seen = (await forge.look()).requests[0]
    assert (seen.head, seen.edited_by_person, seen.state) == (theirs, True, "open")
    await forge.close(request, "nothing left to update")  # as it was before the push
    assert w.branches == ["main", BRANCH]
    assert w.repo.head(BRANCH) == theirs


async def test_a_merge_of_the_base_by_the_update_button_is_a_persons_commit(w: World) -> None:
    await opened(w)
    w.repo.files.commit("Elsewhere", {"other.yaml": b"image: db:2.0.0\n"})
    w.repo.files.checkout(BRANCH)
    w.repo.files.person("merge", "-q", "--no-edit", "origin/main")
    w.repo.files.person("push", "-q", "origin", f"HEAD:{BRANCH}")
    assert (await (await w.installed()).look()).requests[0].edited_by_person


async def test_a_deleted_branch_closes_and_a_newer_wish_gets_a_new_number(w: World) -> None:
    await opened(w)
    w.repo.files.person("push", "-q", "origin", f":{BRANCH}")
    forge = await w.installed()
    look = await forge.look()
    assert [(one.state, one.closed_by_us) for one in look.requests] == [("closed", False)]
    assert (await forge.open(wish("1.2.0"), look.heads["main"])).number == 2
    assert [(one.number, one.state) for one in (await forge.look()).requests] == [(1, "closed"), (2, "open")]


async def test_a_closed_requests_branch_is_used_again(w: World) -> None:
    request = await opened(w)
    w.server.world.close(w.repo, 1, "ada")
    forge = await w.installed()
    look = await forge.look()
    assert w.repo.head(BRANCH) == request.head
    second = await forge.open(wish("1.2.0"), look.heads["main"])
    assert (second.number, w.repo.pulls[1].state) == (2, "CLOSED")
    assert w.repo.files.show(f"{BRANCH}:app.yaml") == "image: web:1.2.0"


async def test_ended_requests_are_remembered_past_those_of_others(w: World) -> None:
    """What a person closed is not forgotten because the repository is a busy one."""
    await opened(w)
    w.server.world.close(w.repo, 1, "ada")
    for number in range(2, 130):
        w.hours.later(minutes=5)
        w.server.rest.add_pull(w.repo, "ada", "main", "main", f"Theirs {number}")
        w.server.world.close(w.repo, number, "ada")
    for forge in (await w.installed(), w.forge()):
        look = await forge.look()
        assert [one.number for one in look.requests] == ([1] if look.login == "tagboat[bot]" else [])
        again = await forge.look()
        assert again.requests == look.requests


async def test_a_list_that_lags_behind_loses_no_request(w: World, monkeypatch: pytest.MonkeyPatch) -> None:
    forge = await w.installed()
    await forge.look()
    await forge.open(wish(), await head_of(forge))
    real = Graph._pulls
    monkeypatch.setattr(Graph, "_pulls", lambda *said, **more: real(*said, **more) | {"nodes": []})
    assert [(one.number, one.state) for one in (await forge.look()).requests] == [(1, "open")]


async def test_requests_of_others_are_not_ours(w: World) -> None:
    """Neither by a branch of our kind, nor by our hidden line, nor from a fork under our login."""
    files = w.repo.files
    for number, branch in enumerate(("theirs-0a1b2c3d", "plain")):
        files.checkout("main")
        files.commit(f"Theirs {number}\n\nTagboat-Update: minor", {f"x{number}": b""}, branch)
        w.server.rest.add_pull(w.repo, "ada", branch, "main", "Update web to 1.1.0", wish().body)
    w.server.rest.add_pull(w.repo, "tagboat[bot]", "web-0a1b2c3d", "main", "From a fork", wish().body, "eve/gitops")
    w.server.rest.add_pull(w.repo, "tagboat-user", "plain", "main", "By hand", "")
    for forge in (await w.installed(), w.forge()):
        assert (await forge.look()).requests == ()
        assert (await forge.look()).requests == ()


async def test_a_token_users_own_pull_request_is_not_ours(w: World) -> None:
    """The login is ours and the branch looks like ours; but no record and no commit of ours says so."""
    w.repo.files.checkout("main")
    w.repo.files.commit("By hand", {"x": b""}, "fix-0a1b2c3d")
    w.server.rest.add_pull(w.repo, "tagboat-user", "fix-0a1b2c3d", "main", "By hand")
    assert (await w.forge().look()).requests == ()


async def test_a_request_by_somebody_else_on_our_branch(w: World) -> None:
    files = w.repo.files
    files.commit("Mine", {"x": b""}, BRANCH)
    w.server.rest.add_pull(w.repo, "ada", BRANCH, "main", "Mine")
    forge = await w.installed()
    with pytest.raises(Denied, match="delete or rename"):
        await forge.open(wish(), await head_of(forge))
    assert list(w.repo.pulls) == [1]


async def test_what_people_write_comes_with_their_right_to_write(w: World) -> None:
    request = await opened(w)
    start = w.hours.now()
    say = w.server.world.say
    say(w.repo, 1, "ada", "@tagboat early")
    w.hours.later(minutes=1)
    say(w.repo, 1, "ada", "@tagboat hold")
    say(w.repo, 1, "bob", "@tagboat merge")
    say(w.repo, 1, "ada", "looks good")
    say(w.repo, 1, "ghost", "hello @tagboat")
    forge = await w.installed()
    await forge.comment(request, "Our own.")
    await forge.look()
    w.server.take()
    found = await forge.comments(request, start)
    assert [(one.author, one.text, one.may_write) for one in found] == [
        ("ada", "@tagboat hold", True),
        ("bob", "@tagboat merge", False),
        ("ada", "looks good", False),  # calls nobody, so nobody asks
        ("ghost", "hello @tagboat", False),
    ]
    assert [one.rpartition("/")[2] for one in w.server.take()] == ["permission"] * 3
    assert len(await forge.comments(request)) == 5
    assert w.server.take() == []


async def test_many_comments_are_read_page_by_page(w: World) -> None:
    request = await opened(w)
    for number in range(130):
        w.server.world.say(w.repo, 1, "ada", f"Comment {number}")
    forge = await w.installed()
    await forge.look()
    found = await forge.comments(request)
    assert [one.text for one in found] == [f"Comment {number}" for number in range(130)]
    w.hours.later(hours=1)
    w.server.world.say(w.repo, 1, "ada", "The last")
    await forge.look()
    assert [one.text for one in await forge.comments(request, w.hours.now() - timedelta(minutes=5))] == ["The last"]


async def test_hostile_text_reaches_github_as_it_was_made(w: World) -> None:
    """The words are made harmless before they come here; nothing on the way turns them into paths, queries or formats."""
    nasty = "web\"}) { x } #{{7*7}} ${HOME} '; -- \u2028 é 🚢"
    proposal = replace(wish(), title=f"Update {nasty}", labels=(f"a/{{b}} {nasty[:30]}",))
    forge = await w.installed()
    await forge.open(proposal, await head_of(forge))
    pull = w.repo.pulls[1]
    assert (pull.title, pull.labels) == (proposal.title, set(proposal.labels))
    seen = (await forge.look()).requests[0]
    assert (seen.title, seen.labels) == (proposal.title, frozenset(proposal.labels))


@pytest.mark.parametrize("path", ["a b/#1?.yaml", "ä/%2e%2e/x.yaml", "{owner}/{repo}.yaml", "-x.yaml"])
async def test_odd_paths(tmp_path: Path, path: str) -> None:
    async with world(tmp_path, {path: b"image: web:1.0.0\n"}) as w:
        forge = w.forge()
        base = await head_of(forge)
        entries = await forge.tree(base)
        assert await forge.blobs([entries[path].oid]) == {entries[path].oid: b"image: web:1.0.0\n"}
        request = await forge.open(wish(path=path), base)
        assert [change.path for change in await forge.changes(request)] == [path]
        assert [commit.ours for commit in await forge.history("main", [path])] == [False]
