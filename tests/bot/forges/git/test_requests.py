"""Stories of requests on plain git: opened, refreshed, closed, landed, on a real repository."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bot.forges.base import Denied, Landed, Landing, Moved, NotLanded
from bot.forges.git.forge import GitForge
from rules.merging import Method
from tests.bot.forges.git.wishes import BRANCH, LANDING, MESSAGE, NOW, head_of, wish
from tests.servers.git_repo import GitRepo


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo(tmp_path / "remote")


@pytest.fixture
def make_forge(repo: GitRepo, tmp_path: Path) -> Callable[[], GitForge]:
    return lambda: GitForge(repo.url, cache=tmp_path / "cache", now=lambda: NOW)


@pytest.fixture
def forge(make_forge: Callable[[], GitForge]) -> GitForge:
    return make_forge()


async def test_open_writes_branch_and_record(repo: GitRepo, forge: GitForge) -> None:
    base = await head_of(forge)
    request = await forge.open(wish(), base)
    assert (request.number, request.state, request.title, request.labels) == (1, "open", "Update web to 1.1.0", {"images"})
    assert repo.head(f"refs/heads/{BRANCH}") == request.head
    assert repo.show(f"{BRANCH}:app.yaml") == "image: web:1.1.0"
    assert repo.git("diff", "--name-only", "main", BRANCH) == "app.yaml"
    assert repo.git("log", "-1", "--format=%B%an <%ae> %cn", BRANCH) == f"{MESSAGE}tagboat <tagboat@localhost> tagboat"
    record = json.loads(repo.git("cat-file", "-p", "refs/tagboat/requests/1"))
    assert (record["title"], record["state"], record["head"], record["onto"]) == (request.title, "open", request.head, base)


async def test_a_second_open_and_a_second_look_change_nothing(
    repo: GitRepo, forge: GitForge, make_forge: Callable[[], GitForge]
) -> None:
    base = await head_of(forge)
    first = await forge.open(wish(), base)
    before = repo.refs()
    for other in (forge, make_forge()):
        assert (await other.open(wish(), base)).number == first.number
        look = await other.look()
        assert [(r.number, r.state, r.head, r.edited_by_person) for r in look.requests] == [(1, "open", first.head, False)]
        ready = look.requests[0].readiness
        assert ready is not None
        assert (ready.behind_by, ready.conflict, ready.head_message, ready.protection.present) == (0, False, str(MESSAGE), False)
    assert repo.refs() == before


async def test_refresh_keeps_the_number_and_the_branch(repo: GitRepo, forge: GitForge) -> None:
    base = await head_of(forge)
    first = await forge.open(wish("1.1.0"), base)
    second = await forge.refresh(first, wish("1.2.0"), base, rewrite=True)
    assert (second.number, second.branch, second.title) == (1, BRANCH, "Update web to 1.2.0")
    assert repo.show(f"{BRANCH}:app.yaml") == "image: web:1.2.0"
    assert repo.git("rev-list", "--count", f"main..{BRANCH}") == "1"
    look = await forge.look()
    assert [(r.number, r.head, r.edited_by_person) for r in look.requests] == [(1, second.head, False)]
    assert look.requests[0].record is not None
    assert look.requests[0].record.fingerprint == "fp-1.2.0"


async def test_new_words_leave_the_branch_alone(repo: GitRepo, forge: GitForge) -> None:
    base = await head_of(forge)
    first = await forge.open(wish(), base)
    second = await forge.refresh(first, replace(wish(), body="Other words."), base, rewrite=False)
    assert (second.head, second.body) == (first.head, "Other words.")
    before = repo.refs()
    await forge.refresh(second, replace(wish(), body="Other words."), base, rewrite=False)
    assert repo.refs() == before


async def test_a_persons_push_is_seen_and_never_overwritten(repo: GitRepo, forge: GitForge) -> None:
    base = await head_of(forge)
    request = await forge.open(wish(), base)
    repo.checkout(BRANCH)
    theirs = repo.commit("My own change", {"app.yaml": b"image: web:mine\n"}, BRANCH)
    with pytest.raises(Moved):
        await forge.refresh(request, wish("1.2.0"), base, rewrite=True)
    with pytest.raises(Moved):
        await forge.close(request, "nothing left to update")
    assert repo.head(BRANCH) == theirs
    seen = (await forge.look()).requests[0]
    assert (seen.head, seen.edited_by_person, seen.state) == (theirs, True, "open")
    assert isinstance(await forge.merge(seen, Landing("squash", LANDING, request.head)), NotLanded)


async def test_closing_removes_the_branch_and_keeps_a_persons_commits(repo: GitRepo, forge: GitForge) -> None:
    base = await head_of(forge)
    await forge.open(wish(), base)
    repo.checkout(BRANCH)
    theirs = repo.commit("My own change", {"app.yaml": b"image: web:mine\n"}, BRANCH)
    seen = (await forge.look()).requests[0]
    await forge.close(seen, "nothing left to update")
    assert repo.head(f"refs/heads/{BRANCH}") is None
    assert repo.head("refs/tagboat/kept/1") == theirs
    closed = (await forge.look()).requests[0]
    assert (closed.state, closed.closed_by_us, closed.ended_at) == ("closed", True, NOW)


async def test_a_deleted_branch_is_closed_by_a_person_and_a_newer_wish_gets_a_new_number(repo: GitRepo, forge: GitForge) -> None:
    base = await head_of(forge)
    await forge.open(wish(), base)
    repo.person("push", "-q", "origin", f":refs/heads/{BRANCH}")
    closed = (await forge.look()).requests[0]
    assert (closed.number, closed.state, closed.closed_by_us) == (1, "closed", False)
    assert json.loads(repo.git("cat-file", "-p", "refs/tagboat/requests/1"))["state"] == "closed"
    assert (await forge.open(wish("1.2.0"), base)).number == 2
    assert [(r.number, r.state) for r in (await forge.look()).requests] == [(1, "closed"), (2, "open")]


async def test_a_branch_made_again_reopens_its_request(repo: GitRepo, forge: GitForge) -> None:
    request = await forge.open(wish(), await head_of(forge))
    repo.person("fetch", "-q", "origin")
    repo.person("push", "-q", "origin", f":refs/heads/{BRANCH}")
    assert (await forge.look()).requests[0].state == "closed"
    repo.person("push", "-q", "origin", f"{request.head}:refs/heads/{BRANCH}")
    again = (await forge.look()).requests[0]
    assert (again.number, again.state, again.edited_by_person, again.ended_at) == (1, "open", False, None)


def merged_no_ff(repo: GitRepo) -> str:
    repo.person("merge", "-q", "--no-ff", "-m", "Merge it", f"origin/{BRANCH}")
    return repo.person("rev-parse", "HEAD")


def merged_squash(repo: GitRepo) -> str:
    repo.person("merge", "-q", "--squash", f"origin/{BRANCH}")
    repo.person("commit", "-q", "-m", "Squash it")
    return repo.person("rev-parse", "HEAD")


def merged_ff(repo: GitRepo) -> str:
    repo.person("merge", "-q", "--ff-only", f"origin/{BRANCH}")
    return repo.person("rev-parse", "HEAD")


def cherry_picked(repo: GitRepo) -> str:
    repo.person("cherry-pick", f"origin/{BRANCH}")
    return repo.person("rev-parse", "HEAD")


@pytest.mark.parametrize("deleted", [True, False], ids=["branch deleted", "branch kept"])
@pytest.mark.parametrize("how", [merged_no_ff, merged_squash, merged_ff, cherry_picked])
@pytest.mark.parametrize("others", [0, 3], ids=["at once", "after other commits"])
async def test_a_person_merges(
    repo: GitRepo, make_forge: Callable[[], GitForge], how: Callable[[GitRepo], str], deleted: bool, others: int
) -> None:
    forge = make_forge()
    await forge.open(wish(), await head_of(forge))
    repo.checkout("main")
    if how is not merged_ff:
        for number in range(others):
            repo.commit(f"Other {number}", {"other.yaml": f"image: db:{number}\n".encode()})
    landed = how(repo)
    repo.person("push", "-q", "origin", "main")
    for number in range(others):
        repo.commit(f"Later {number}", {"other.yaml": f"image: db:later-{number}\n".encode()})
    if deleted:
        repo.person("push", "-q", "origin", f":refs/heads/{BRANCH}")
    for looking in (forge, make_forge()):
        request = (await looking.look()).requests[0]
        assert (request.state, request.landed, request.ended_at) == ("merged", landed, NOW)


@pytest.mark.parametrize("method", ["merge", "squash", "fast-forward"])
async def test_landing(repo: GitRepo, forge: GitForge, method: Method) -> None:
    base = await head_of(forge)
    request = await forge.open(wish(), base)
    landed = await forge.merge(request, Landing(method, LANDING, request.head))
    assert isinstance(landed, Landed)
    assert repo.head("main") == landed.commit
    assert repo.head(f"refs/heads/{BRANCH}") is None
    assert repo.show("main:app.yaml") == "image: web:1.1.0"
    parents = repo.git("log", "-1", "--format=%P", "main").split()
    expected = {"merge": [base, request.head], "squash": [base], "fast-forward": [base]}[method]
    assert parents == expected
    words = MESSAGE if method == "fast-forward" else LANDING
    assert repo.git("cat-file", "-p", "main").partition("\n\n")[2] == str(words).rstrip("\n")
    ended = (await forge.look()).requests[0]
    assert (ended.state, ended.landed) == ("merged", landed.commit)
    assert await forge.merge(request, Landing(method, LANDING, request.head)) == landed


@pytest.mark.parametrize(("method", "lands"), [("merge", True), ("squash", True), ("fast-forward", False)])
async def test_landing_after_the_base_moved(repo: GitRepo, forge: GitForge, method: Method, lands: bool) -> None:
    request = await forge.open(wish(), await head_of(forge))
    repo.commit("Other", {"other.yaml": b"image: db:2.0.0\n"})
    ready = (await forge.look()).requests[0].readiness
    assert ready is not None
    assert (ready.behind_by, ready.conflict) == (1, False)
    result = await forge.merge(request, Landing(method, LANDING, request.head))
    assert isinstance(result, Landed) is lands
    if isinstance(result, NotLanded):
        assert result.status == 409
    else:
        assert (repo.show("main:app.yaml"), repo.show("main:other.yaml")) == ("image: web:1.1.0", "image: db:2.0.0")


async def test_a_conflict_is_seen_and_not_landed(repo: GitRepo, forge: GitForge) -> None:
    request = await forge.open(wish(), await head_of(forge))
    repo.commit("Other", {"app.yaml": b"image: web:3.0.0\n"})
    ready = (await forge.look()).requests[0].readiness
    assert ready is not None
    assert (ready.behind_by, ready.conflict) == (1, True)
    assert await forge.merge(request, Landing("merge", LANDING, request.head)) == NotLanded(409, "conflicts in app.yaml")
    changes = await forge.changes(request)
    assert [(change.path, change.new_mode) for change in changes] == [("app.yaml", "100644")]
    assert "-image: web:1.0.0\n+image: web:1.1.0\n" in await forge.diff(request)


async def test_push_straight_to_the_base(repo: GitRepo, forge: GitForge) -> None:
    base = await head_of(forge)
    commit = await forge.push(wish(), base, LANDING)
    assert repo.head("main") == commit
    assert repo.git("log", "-1", "--format=%P %s", "main") == f"{base} {LANDING.headline}"
    with pytest.raises(Moved):
        await forge.push(wish("1.2.0"), base, LANDING)


async def test_history_knows_our_commits(repo: GitRepo, make_forge: Callable[[], GitForge]) -> None:
    forge = make_forge()
    await forge.push(wish(), await head_of(forge), LANDING)
    repo.checkout("main")
    repo.commit("Elsewhere", {"other.yaml": b"image: db:2\n"})
    forged = repo.commit("Not Tagboat\n\nTagboat-Image: web", {"app.yaml": b"image: web:0\n"})
    fresh = make_forge()
    await fresh.look()
    commits = await fresh.history("main", ["app.yaml"])
    assert [(commit.ours, commit.author) for commit in commits] == [(False, "Ada"), (True, "tagboat"), (False, "Ada")]
    assert commits[0].oid == forged


async def test_a_strangers_branch_by_our_name_is_left_alone(repo: GitRepo, forge: GitForge) -> None:
    base = await head_of(forge)
    theirs = repo.commit("Mine", {"x": b""}, BRANCH)
    with pytest.raises(Denied, match="delete or rename"):
        await forge.open(wish(), base)
    assert repo.head(BRANCH) == theirs


async def test_a_branch_of_ours_without_record_is_adopted(repo: GitRepo, forge: GitForge) -> None:
    base = await head_of(forge)
    await forge.open(wish(), base)
    repo.git("update-ref", "-d", "refs/tagboat/requests/1")
    await forge.look()
    request = await forge.open(wish("1.2.0"), base)
    assert repo.head(BRANCH) == request.head
    assert repo.show(f"{BRANCH}:app.yaml") == "image: web:1.2.0"


async def test_a_comment_is_kept_once(repo: GitRepo, forge: GitForge) -> None:
    request = await forge.open(wish(), await head_of(forge))
    await forge.comment(request, "Waiting for a person.")
    before = repo.refs()
    await forge.comment(request, "Waiting for a person.")
    assert repo.refs() == before
    assert json.loads(repo.git("cat-file", "-p", "refs/tagboat/requests/1"))["comment"] == "Waiting for a person."
