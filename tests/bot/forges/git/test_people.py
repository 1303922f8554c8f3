"""What people and time do to a repository between two looks of the git forge."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bot.forges.base import Denied, ForgeError, Landed, Landing, Moved, NotLanded, Unreachable
from bot.forges.git.address import Address
from bot.forges.git.cli import Access, Git, write_home
from bot.forges.git.errors import BrokenClone
from bot.forges.git.forge import GitForge
from rules.merging import Method
from rules.proposals import FileChange
from tests.bot.forges.git.wishes import BRANCH, LANDING, NOW, head_of, wish
from tests.servers.git_repo import GitRepo, run_git


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo(tmp_path / "remote")


@pytest.fixture
def make_forge(repo: GitRepo, tmp_path: Path) -> Callable[[], GitForge]:
    return lambda: GitForge(repo.url, cache=tmp_path / "cache", now=lambda: NOW)


@pytest.fixture
def forge(make_forge: Callable[[], GitForge]) -> GitForge:
    return make_forge()


def record(repo: GitRepo, number: int) -> dict[str, object]:
    found: dict[str, object] = json.loads(repo.git("cat-file", "-p", f"refs/tagboat/requests/{number}"))
    return found


def commits_on_main(count: int) -> bytes:
    """What makes this many commits on main, for `git fast-import`."""
    return "".join(
        f"commit refs/heads/main\ncommitter Ada <a@b> {1772000000 + n} +0000\ndata 2\n{n % 10}\n"
        + ("from refs/heads/main^0\n" if not n else "")
        + f"M 100644 inline other.yaml\ndata {len(str(n))}\n{n}\n"
        for n in range(count)
    ).encode()


@pytest.mark.parametrize(("commits", "behind"), [(1, 1), (49, 49), (60, 60), (520, 520), (5100, None)])
async def test_how_far_a_branch_is_behind(
    repo: GitRepo, make_forge: Callable[[], GitForge], tmp_path: Path, commits: int, behind: int | None
) -> None:
    forge = make_forge()
    await forge.open(wish(), await head_of(forge))
    run_git("fast-import", "--quiet", cwd=repo.path, stdin=commits_on_main(commits))
    for looking in (forge, make_forge()):
        request = (await looking.look()).requests[0]
        assert request.state == "open"
        assert request.readiness is not None
        assert (request.readiness.behind_by, request.readiness.conflict) == (behind, False if behind else None)
    if behind is None:
        assert isinstance(await forge.merge(request, Landing("squash", LANDING, request.head)), NotLanded)


async def test_where_the_clone_ends_is_no_change(repo: GitRepo, forge: GitForge) -> None:
    first = repo.head("main")
    by_hand = repo.commit("By hand", {"app.yaml": b"image: web:1.0.5\n"})
    run_git("fast-import", "--quiet", cwd=repo.path, stdin=commits_on_main(498))
    await forge.look()
    assert [commit.oid for commit in await forge.history("main", ["app.yaml"])] == [by_hand, first]
    run_git("fast-import", "--quiet", cwd=repo.path, stdin=commits_on_main(40))
    fresh = await forge.look()
    assert len(await forge.history("main", ["other.yaml"])) == 300
    assert len(await forge.history("main", [])) == 300
    assert by_hand not in [commit.oid for commit in await forge.history("main", ["app.yaml"])]
    assert fresh.heads["main"] == repo.head("main")


async def test_an_old_side_branch_merged_into_the_base(repo: GitRepo, forge: GitForge, tmp_path: Path) -> None:
    first = repo.person("rev-parse", "HEAD")
    for number in range(30):
        repo.commit(f"Commit {number}", {"other.yaml": f"image: db:{number}\n".encode()})
    await forge.open(wish(), await head_of(forge))
    repo.person("checkout", "-q", "-b", "side", first)
    repo.commit("Side", {"side.yaml": b"x\n"}, "side")
    repo.person("checkout", "-q", "main")
    repo.person("merge", "-q", "--no-ff", "-m", "Merge side", "side")
    repo.person("push", "-q", "origin", "main")
    ready = (await forge.look()).requests[0].readiness
    assert ready is not None
    assert (ready.behind_by, ready.conflict) == (2, False)


async def test_a_branch_reset_to_its_base_is_closed_not_merged(repo: GitRepo, forge: GitForge) -> None:
    base = await head_of(forge)
    await forge.open(wish(), base)
    repo.person("push", "-q", "--force", "origin", f"main:refs/heads/{BRANCH}")
    for _ in range(2):
        assert [(r.number, r.state, r.closed_by_us) for r in (await forge.look()).requests] == [(1, "closed", False)]
    repo.commit("Later", {"other.yaml": b"image: db:2\n"})
    assert (await forge.look()).requests[0].state == "closed"


async def test_a_branch_whose_change_was_taken_back_by_a_person_stays_open(repo: GitRepo, forge: GitForge) -> None:
    await forge.open(wish(), await head_of(forge))
    repo.checkout(BRANCH)
    repo.commit("Take it back", {"app.yaml": b"image: web:1.0.0\n"}, BRANCH)
    repo.checkout("main")
    repo.commit("Later", {"other.yaml": b"image: db:2\n"})
    request = (await forge.look()).requests[0]
    assert (request.state, request.edited_by_person) == ("open", True)
    assert await forge.changes(request) == []
    assert isinstance(await forge.merge(request, Landing("squash", LANDING, request.head)), NotLanded)


async def test_a_bump_by_hand_to_the_same_tag_counts_as_merged(repo: GitRepo, forge: GitForge) -> None:
    await forge.open(wish(), await head_of(forge))
    by_hand = repo.commit("By hand", {"app.yaml": b"image: web:1.1.0\n"})
    request = (await forge.look()).requests[0]
    assert (request.state, request.landed) == ("merged", by_hand)


async def test_a_reverted_landing_stays_merged_and_shows_in_the_history(repo: GitRepo, forge: GitForge) -> None:
    request = await forge.open(wish(), await head_of(forge))
    assert isinstance(await forge.merge(request, Landing("squash", LANDING, request.head)), Landed)
    repo.checkout("main")
    repo.person("revert", "--no-edit", "HEAD")
    repo.person("push", "-q", "origin", "main")
    assert (await forge.look()).requests[0].state == "merged"
    assert [commit.ours for commit in await forge.history("main", ["app.yaml"])] == [False, True, False]


async def test_a_pushed_commit_of_a_person_is_landed_with_the_rest(repo: GitRepo, forge: GitForge) -> None:
    await forge.open(wish(), await head_of(forge))
    repo.checkout(BRANCH)
    repo.commit("And that", {"other.yaml": b"image: db:2\n"}, BRANCH)
    request = (await forge.look()).requests[0]
    assert [change.path for change in await forge.changes(request)] == ["app.yaml", "other.yaml"]
    assert isinstance(await forge.merge(request, Landing("squash", LANDING, request.head)), Landed)
    assert repo.show("main:other.yaml") == "image: db:2"


async def test_a_rule_that_writes_over_a_person_keeps_their_commits(repo: GitRepo, forge: GitForge) -> None:
    base = await head_of(forge)
    await forge.open(wish(), base)
    repo.checkout(BRANCH)
    for number, version in ((1, "1.2.0"), (2, "1.3.0")):
        theirs = repo.commit(f"Mine {number}", {"other.yaml": f"image: db:{number}\n".encode()}, BRANCH)
        request = await forge.refresh((await forge.look()).requests[0], wish(version), base, rewrite=True)
        assert (repo.head(BRANCH), repo.head("refs/tagboat/kept/1")) == (request.head, theirs)
        repo.checkout(BRANCH)


async def test_a_base_that_is_gone(repo: GitRepo, forge: GitForge) -> None:
    base = repo.commit("Stable", {"s": b""}, "stable")
    await forge.look(["stable"])
    request = await forge.open(wish(base="stable"), base)
    repo.person("push", "-q", "origin", ":refs/heads/stable")
    seen = (await forge.look(["stable"])).requests[0]
    assert (seen.state, seen.readiness) == ("open", None)
    assert isinstance(await forge.merge(request, Landing("squash", LANDING, request.head)), NotLanded)


async def test_a_request_on_a_base_that_was_not_asked_for_is_still_ours(
    repo: GitRepo, make_forge: Callable[[], GitForge]
) -> None:
    base = repo.commit("Stable", {"s": b""}, "stable")
    forge = make_forge()
    await forge.look(["stable"])
    await forge.open(wish(base="stable"), base)
    ready = (await make_forge().look()).requests[0].readiness
    assert ready is not None
    assert ready.behind_by == 0


@pytest.mark.parametrize("method", ["merge", "squash", "fast-forward"])
async def test_a_landing_at_another_head_is_refused(repo: GitRepo, forge: GitForge, method: Method) -> None:
    request = await forge.open(wish(), await head_of(forge))
    before = repo.refs()
    result = await forge.merge(request, Landing(method, LANDING, "1" * 40))
    assert isinstance(result, NotLanded)
    assert result.status == 409
    assert repo.refs() == before


@pytest.mark.parametrize(
    "landing",
    [Landing("rebase", LANDING, "x"), Landing("merge", LANDING, "x", enqueue=True), Landing("merge", LANDING, "x", auto=True)],
)
async def test_landings_that_plain_git_has_not(forge: GitForge, landing: Landing) -> None:
    request = await forge.open(wish(), await head_of(forge))
    assert isinstance(await forge.merge(request, landing), NotLanded)


async def test_the_branch_can_be_kept(repo: GitRepo, forge: GitForge) -> None:
    request = await forge.open(wish(), await head_of(forge))
    await forge.merge(request, Landing("squash", LANDING, request.head, delete_branch=False))
    assert repo.head(BRANCH) == request.head
    look = await forge.look()
    assert look.requests[0].state == "merged"
    again = await forge.open(wish("1.2.0"), look.heads["main"])
    assert (again.number, repo.show(f"{BRANCH}:app.yaml")) == (2, "image: web:1.2.0")


async def test_a_look_with_read_rights_only_says_what_it_sees(repo: GitRepo, forge: GitForge) -> None:
    await forge.open(wish(), await head_of(forge))
    repo.person("push", "-q", "origin", f":refs/heads/{BRANCH}")
    hook = repo.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho read only >&2\nexit 1\n")
    hook.chmod(0o755)
    for _ in range(2):
        assert (await forge.look()).requests[0].state == "closed"
    assert record(repo, 1)["state"] == "open"
    hook.unlink()
    await forge.look()
    assert record(repo, 1)["state"] == "closed"


async def test_a_refresh_of_what_is_gone_or_over_is_refused(repo: GitRepo, forge: GitForge) -> None:
    base = await head_of(forge)
    request = await forge.open(wish(), base)
    await forge.close(request, "nothing left to update")
    await forge.close(request, "nothing left to update")
    with pytest.raises(Moved):
        await forge.refresh(request, wish("1.2.0"), base, rewrite=True)
    repo.git("update-ref", "-d", "refs/tagboat/requests/1")
    await forge.look()
    with pytest.raises(Moved):
        await forge.close(request, "nothing left to update")


async def test_old_records_are_cleared_away(repo: GitRepo, forge: GitForge) -> None:
    await forge.open(wish(), await head_of(forge))
    one = record(repo, 1)
    for number in range(1, 260):
        text = json.dumps(one | {"number": number, "state": "closed" if number < 259 else "open", "closed_by_us": True})
        oid = run_git("hash-object", "-w", "--stdin", cwd=repo.path, stdin=text.encode())
        run_git("update-ref", f"refs/tagboat/requests/{number}", oid, cwd=repo.path)
    await forge.look()
    left = sorted(request.number for request in (await forge.look()).requests)
    assert (len(left), left[-1]) == (101, 259)
    assert (await forge.open(wish(image="b", path="other.yaml"), await head_of(forge))).number == 260


async def test_more_files_than_a_command_line_holds(tmp_path: Path) -> None:
    files = {f"{'long' * 30}/{n:05}.yaml": b"image: web:1.0.0\n" for n in range(2500)}
    repo = GitRepo(tmp_path / "many", files)
    forge = GitForge(repo.url, cache=tmp_path / "cache", now=lambda: NOW)
    base = await head_of(forge)
    many = tuple(FileChange(path, "100644", "", b"image: web:1.1.0\n") for path in files)
    await forge.open(replace(wish(), files=many), base)
    repo.checkout("main")
    repo.person("merge", "-q", "--squash", f"origin/{BRANCH}")
    repo.person("commit", "-q", "-m", "Squash it")
    repo.person("push", "-q", "origin", "main")
    assert (await forge.look()).requests[0].state == "merged"
    assert len(await forge.history("main", list(files) * 10)) == 2


async def test_a_commit_that_the_remote_has_no_more(forge: GitForge) -> None:
    await forge.look()
    with pytest.raises(Moved):
        await forge.tree("1" * 40)
    with pytest.raises(ForgeError):
        await forge.blobs(["2" * 40])


def running() -> list[str]:
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(process.read_bytes().decode("utf-8", "replace"))
    return lines


async def test_a_run_is_bounded_in_time_and_output(repo: GitRepo, tmp_path: Path) -> None:
    address = Address.parse(str(repo.path))
    write_home(tmp_path / "home", address)
    git = Git(address, repo.path, tmp_path / "home", Access(), timeout=0.3)
    with pytest.raises(Unreachable, match=r"longer than 0\.3 s"):
        await git.local("-c", "alias.slow=!sleep 29.71 & sleep 29.71", "slow")
    assert not [line for line in running() if "29.71" in line]
    with pytest.raises(Unreachable, match="more than"):
        await git.local("cat-file", "-p", "main:app.yaml", limit=4)
    with pytest.raises(BrokenClone):
        await git.local("cat-file", "-p", "main:nothing")


async def test_a_clone_that_cannot_be_written(repo: GitRepo, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Denied, match="cannot be written"):
        await GitForge(repo.url, cache=tmp_path / "file", now=lambda: NOW).look()


async def test_comparisons_are_remembered_while_looks_ask_for_them(repo: GitRepo, forge: GitForge) -> None:
    await forge.open(wish(), await head_of(forge))
    for number in range(6):
        repo.commit("Something else", {"other.yaml": b"%d\n" % number})
        await forge.look()
        (request,) = (await forge.look()).requests
        assert request.readiness is not None
        assert request.readiness.behind_by == number + 1
        assert len(forge._people._relations) == len(forge._people._before) == 1
