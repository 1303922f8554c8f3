"""Odd repositories, odd remotes, odd names: what the git forge takes, and what it refuses in plain words."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bot.forges.base import Denied, ForgeError, Landed, Landing, NotLanded
from bot.forges.git.address import Address, BadAddress, branch_ref
from bot.forges.git.forge import GitForge
from rules.proposals import FileChange
from tests.bot.forges.git.wishes import BRANCH, LANDING, NOW, head_of, wish
from tests.servers.git_repo import GitRepo, run_git


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo(tmp_path / "remote")


@pytest.fixture
def make_forge(tmp_path: Path) -> Callable[..., GitForge]:
    return lambda repo, **kwargs: GitForge(repo.url, cache=tmp_path / "cache", now=lambda: NOW, **kwargs)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/srv/git/x.git", "/srv/git/x.git"),
        ("file:///srv/git/a%20b.git", "file:///srv/git/a%20b.git"),
        ("https://ada:secret@git.example.com:8443/team/x.git", "https://git.example.com:8443/team/x.git"),
        ("ssh://git@git.example.com:2222/x.git", "ssh://git@git.example.com:2222/x.git"),
        ("git@git.example.com:team/x.git", "git@git.example.com:team/x.git"),
        ("http://[::1]:80/x.git", "http://[::1]:80/x.git"),
    ],
)
def test_addresses(address: str, name: str) -> None:
    assert Address.parse(address).name == name


@pytest.mark.parametrize(
    "address",
    ["", "-u", "--upload-pack=touch /tmp/x", "ext::sh -c 'x'", "EXT::sh", "fd::3", "git://example.com/x", "ftp://example.com/x",
     "https://",
     "https://-oProxyCommand=x/y",
     "ssh://-oProxyCommand=x/y", "ssh://-x@host/y", "-oProxyCommand=x:y", "x@-oProxy:y", "file://host/x", "x.git",
     "https://example.com/x\n", "https://example.com/x?y", "/srv/\x00x", "https://example.com:99999/x"],
)  # fmt: skip
def test_refused_addresses(address: str) -> None:
    with pytest.raises(BadAddress):
        Address.parse(address)


@pytest.mark.parametrize("name", ["tagboat/web-1", "ünï/çode", "a+b=c,d", "-".join("ab"), "feature/#12", "x" * 200, "HEAD"])
def test_branch_names_that_git_takes(name: str, tmp_path: Path) -> None:
    assert branch_ref(name) == f"refs/heads/{name}"
    assert run_git("check-ref-format", f"refs/heads/{name}", cwd=tmp_path) == ""


@pytest.mark.parametrize(
    "name",
    ["", "-x", "--force", "a b", "a..b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "/a", "a/", "a//b", ".a", "a/.b", "a.lock",
     "a.lock/b", "a.",
     "@", "a@{b", "a\nb", "a\x7f", "x" * 300],
)  # fmt: skip
def test_branch_names_that_are_refused(name: str) -> None:
    with pytest.raises(BadAddress):
        branch_ref(name)


async def test_a_hostile_branch_from_a_config_touches_nothing(
    repo: GitRepo, make_forge: Callable[..., GitForge], tmp_path: Path
) -> None:
    forge = make_forge(repo)
    base, before = await head_of(forge), repo.refs()
    marker = tmp_path / "touched"
    for prefix in (
        f"--receive-pack=touch {marker};",
        f"--receive-pack=touch${{IFS}}{marker};#",
        "x:refs/heads/main",
        "../../main",
        "+",
        "-",
    ):
        try:
            await forge.open(wish(prefix=prefix), base)
        except ForgeError:
            assert repo.refs() == before
        else:
            # A plus is an odd but honest beginning; everything else was refused.
            assert prefix == "+"
            assert repo.head("main") == base
            before = repo.refs()
    with pytest.raises(ForgeError):
        await forge.look(["--all"])
    with pytest.raises(ForgeError):
        await forge.tree("--help")
    with pytest.raises(ForgeError):
        await forge.blobs(["--batch-all-objects"])
    with pytest.raises(ForgeError):
        await forge.open(replace(wish(), branch="main"), base)
    assert not marker.exists()


@pytest.mark.parametrize("path", ["../x.yaml", "/etc/x.yaml", "a//b", ".git/config", "a/.GIT/hooks/x", "", "a/../b", "x\x00y"])
async def test_paths_that_leave_the_repository(repo: GitRepo, make_forge: Callable[..., GitForge], path: str) -> None:
    forge = make_forge(repo)
    base, before = await head_of(forge), repo.refs()
    with pytest.raises(ForgeError, match="not a path inside"):
        await forge.open(wish(path=path), base)
    assert repo.refs() == before


WEIRD = ["with space.yaml", "ünïcode/日本.yaml", "-rf", "--help.yaml", 'quo"te.yaml', "new\nline.yaml", "tab\there",
         "back\\slash", ":(glob)x", "*.yaml",
         os.fsdecode(b"latin-\xe9.yaml"), "#hash", " lead", "trail "]  # fmt: skip


async def test_weird_paths_are_read_and_written(tmp_path: Path, make_forge: Callable[..., GitForge]) -> None:
    repo = GitRepo(tmp_path / "remote", {path: f"image: web:{n}\n".encode() for n, path in enumerate(WEIRD)})
    forge = make_forge(repo)
    base = await head_of(forge)
    tree = await forge.tree(base)
    assert set(tree) == set(WEIRD)
    contents = await forge.blobs([entry.oid for entry in tree.values()])
    assert {path: contents[entry.oid] for path, entry in tree.items()} == {
        p: f"image: web:{n}\n".encode() for n, p in enumerate(WEIRD)
    }
    files = tuple(FileChange(path, tree[path].mode, tree[path].oid, b"new\n") for path in WEIRD)
    request = await forge.open(replace(wish(), files=files), base)
    assert {change.path for change in await forge.changes(request)} == set(WEIRD)
    assert {entry.oid for entry in (await forge.tree(request.head)).values()} == {repo.git("rev-parse", f"{request.head}: lead")}
    assert isinstance(await forge.merge(request, Landing("squash", LANDING, request.head)), Landed)
    assert [commit.ours for commit in await forge.history("main", ["-rf", "*.yaml"])] == [True, False]


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
async def test_modes_and_the_rest_of_the_tree_stay(
    tmp_path: Path, make_forge: Callable[..., GitForge], object_format: str
) -> None:
    repo = GitRepo(tmp_path / "remote", {"run.sh": b"#!/bin/sh\nimage: web:1\n", "app.yaml": b"x\n"}, object_format)
    (repo.work / "run.sh").chmod(0o755)
    (repo.work / "link").symlink_to("app.yaml")
    repo.commit("Modes", {"sub/deep/file": b"y\n"})
    forge = make_forge(repo)
    look = await forge.look()
    assert look.project.object_format == object_format
    base = look.heads["main"]
    before = await forge.tree(base)
    assert (before["run.sh"].mode, before["link"].mode, before["app.yaml"].size) == ("100755", "120000", 2)
    script = FileChange("run.sh", "100755", before["run.sh"].oid, b"#!/bin/sh\nimage: web:2\n")
    request = await forge.open(replace(wish(), files=(script,)), base)
    after = await forge.tree(request.head)
    assert {path: (e.mode, e.oid) for path, e in after.items() if path != "run.sh"} == {
        p: (e.mode, e.oid) for p, e in before.items() if p != "run.sh"
    }
    assert after["run.sh"].mode == "100755"
    repo.git("fsck", "--strict")
    assert isinstance(await forge.merge(request, Landing("merge", LANDING, request.head)), Landed)
    assert (await forge.look()).requests[0].state == "merged"


async def test_a_submodule_is_listed_and_never_touched(repo: GitRepo, make_forge: Callable[..., GitForge]) -> None:
    module = "1" * 40
    (repo.work / ".gitmodules").write_text('[submodule "x"]\n\tpath = lib\n\turl = ext::sh -c touch% /tmp/x\n')
    repo.person("update-index", "--add", "--cacheinfo", f"160000,{module},lib")
    repo.person("add", ".gitmodules")
    repo.person("commit", "-q", "-m", "Module")
    repo.person("push", "-q", "origin", "main")
    forge = make_forge(repo)
    base = await head_of(forge)
    assert (await forge.tree(base))["lib"].mode == "160000"
    request = await forge.open(wish(), base)
    assert (await forge.tree(request.head))["lib"].oid == module


async def test_an_empty_repository(tmp_path: Path, make_forge: Callable[..., GitForge]) -> None:
    forge = make_forge(GitRepo(tmp_path / "remote", {}))
    look = await forge.look()
    assert (look.project.default_branch, look.heads, look.requests) == ("main", {}, ())


async def test_a_missing_branch(repo: GitRepo, make_forge: Callable[..., GitForge]) -> None:
    with pytest.raises(Denied, match="there is no branch 'release'"):
        await make_forge(repo, branch="release").look()
    assert set((await make_forge(repo).look(["release"])).heads) == {"main"}
    with pytest.raises(BadAddress):
        make_forge(repo, branch="--output=x")


async def test_other_base_branches_come_after_the_default_one(repo: GitRepo, make_forge: Callable[..., GitForge]) -> None:
    stable = repo.commit("Stable", {"s": b""}, "stable/1.0")
    look = await make_forge(repo).look(["stable/1.0", "main"])
    assert list(look.heads) == ["main", "stable/1.0"]
    assert look.heads["stable/1.0"] == stable
    assert list((await make_forge(repo, branch="stable/1.0").look()).heads) == ["stable/1.0"]


async def test_head_that_names_nothing(repo: GitRepo, make_forge: Callable[..., GitForge]) -> None:
    repo.git("symbolic-ref", "HEAD", "refs/heads/gone")
    assert (await make_forge(repo).look()).project.default_branch == "main"
    repo.git("branch", "-m", "main", "trunk")
    with pytest.raises(Denied, match="HEAD names no branch"):
        await make_forge(repo).look()


@pytest.mark.parametrize("where", ["nothing.git", "not-a-repo"])
async def test_no_repository_there(tmp_path: Path, where: str) -> None:
    (tmp_path / "not-a-repo").mkdir()
    forge = GitForge(f"file://{tmp_path}/{where}", cache=tmp_path / "cache", now=lambda: NOW)
    with pytest.raises(Denied, match="there is no repository"):
        await forge.look()


async def test_a_record_that_is_none_of_ours_is_named(repo: GitRepo, make_forge: Callable[..., GitForge]) -> None:
    run_git("update-ref", "refs/tagboat/requests/5", repo.git("rev-parse", "main:app.yaml"), cwd=repo.path)
    with pytest.raises(ForgeError, match=r"refs/tagboat/requests/5 is not a record"):
        await make_forge(repo).look()


async def test_a_hook_of_the_remote_runs_and_its_words_are_passed_on(repo: GitRepo, make_forge: Callable[..., GitForge]) -> None:
    hook = repo.path / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\ncase "$1" in refs/heads/main) echo "ask the release team" >&2; exit 1;; esac\n')
    hook.chmod(0o755)
    forge = make_forge(repo)
    base = await head_of(forge)
    request = await forge.open(wish(), base)
    result = await forge.merge(request, Landing("squash", LANDING, request.head))
    assert isinstance(result, NotLanded)
    assert (result.status, "ask the release team" in result.reason) == (None, True)
    with pytest.raises(Denied, match="ask the release team"):
        await forge.push(wish(), base, LANDING)
    assert (repo.head("main"), repo.head(BRANCH)) == (base, request.head)


async def test_a_remote_that_forbids_rewriting_gets_a_fast_forward(repo: GitRepo, make_forge: Callable[..., GitForge]) -> None:
    repo.git("config", "receive.denyNonFastForwards", "true")
    forge = make_forge(repo)
    request = await forge.open(wish("1.1.0"), await head_of(forge))
    moved = repo.commit("Other", {"other.yaml": b"image: db:2.0.0\n"})
    base = await head_of(forge)
    request = await forge.refresh(request, wish("1.2.0"), base, rewrite=True)
    assert base == moved
    assert repo.git("diff", "--name-only", "main", BRANCH) == "app.yaml"
    assert request.readiness is not None
    assert (request.readiness.behind_by, request.edited_by_person) == (0, False)
    assert [change.path for change in await forge.changes(request)] == ["app.yaml"]
    assert isinstance(await forge.merge(request, Landing("squash", LANDING, request.head)), Landed)
    assert repo.show("main:app.yaml") == "image: web:1.2.0"


async def test_a_remote_that_forbids_deleting_keeps_the_branch(repo: GitRepo, make_forge: Callable[..., GitForge]) -> None:
    repo.git("config", "receive.denyDeletes", "true")
    forge = make_forge(repo)
    base = await head_of(forge)
    await forge.close(await forge.open(wish(), base), "nothing left to update")
    assert repo.head(BRANCH)
    look = await forge.look()
    assert [(r.number, r.state, r.closed_by_us) for r in look.requests] == [(1, "closed", True)]
    request = await forge.open(wish("1.2.0"), base)
    assert request.number == 2
    assert isinstance(await forge.merge(request, Landing("merge", LANDING, request.head)), Landed)
    assert [r.state for r in (await forge.look()).requests] == ["closed", "merged"]
    assert (await forge.open(wish("1.3.0"), (await forge.look()).heads["main"])).number == 3


async def test_a_checked_out_branch_is_not_landed_on(repo: GitRepo, tmp_path: Path) -> None:
    forge = GitForge(str(repo.work), cache=tmp_path / "cache", now=lambda: NOW)
    request = await forge.open(wish(), await head_of(forge))
    result = await forge.merge(request, Landing("squash", LANDING, request.head))
    assert isinstance(result, NotLanded)
    assert "checked out" in result.reason


async def test_a_branch_in_the_way(repo: GitRepo, make_forge: Callable[..., GitForge]) -> None:
    repo.git("branch", "tagboat", "main")
    forge = make_forge(repo)
    with pytest.raises(Denied, match="in the way"):
        await forge.open(wish(), await head_of(forge))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
async def test_a_repository_of_another_user(repo: GitRepo, make_forge: Callable[..., GitForge]) -> None:
    for folder, folders, files in os.walk(repo.path):
        for entry in (folder, *(os.path.join(folder, name) for name in folders + files)):
            os.chown(entry, 65534, 65534)
    forge = make_forge(repo)
    assert (await forge.open(wish(), await head_of(forge))).number == 1


async def test_configuration_of_the_user_does_not_leak_in(
    repo: GitRepo, make_forge: Callable[..., GitForge], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    marker = tmp_path / "ran"
    for name in ("pre-push", "reference-transaction", "post-checkout", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {marker}\n")
        (hooks / name).chmod(stat.S_IRWXU)
    (tmp_path / ".gitconfig").write_text(
        f'[core]\n\thooksPath = {hooks}\n[user]\n\tname = Wrong\n[url "file:///nowhere"]\n\tinsteadOf = {repo.url}\n'
    )
    for key, value in {
        "HOME": str(tmp_path),
        "GIT_AUTHOR_NAME": "Wrong",
        "GIT_DIR": "/nowhere",
        "GIT_TRACE": str(marker),
    }.items():
        monkeypatch.setenv(key, value)
    forge = make_forge(repo)
    base = await head_of(forge)
    shutil.copytree(hooks, next((tmp_path / "cache").glob("*/clone")) / "hooks")
    request = await forge.open(wish(), base)
    monkeypatch.delenv("GIT_DIR")
    assert repo.git("log", "-1", "--format=%an", request.head) == "tagboat"
    assert not marker.exists()


async def test_a_broken_clone_is_made_again(repo: GitRepo, make_forge: Callable[..., GitForge], tmp_path: Path) -> None:
    forge = make_forge(repo)
    await forge.open(wish(), await head_of(forge))
    clone = next((tmp_path / "cache").glob("*/clone"))
    for damage in ("objects", "shallow.lock", "HEAD", "refs"):
        target = clone / damage
        if damage == "objects":
            for pack in clone.glob("objects/pack/*.pack"):
                pack.chmod(0o600)
                pack.write_bytes(b"PACK" + b"\0" * 40)
        elif damage == "refs":
            run_git("update-ref", "refs/seen/heads/main", repo.git("rev-parse", "main"), cwd=clone)
            for loose in clone.glob("refs/seen/**/main"):
                loose.write_text("nonsense\n")
        else:
            target.write_text("")
        repo.commit(f"After {damage}", {"other.yaml": damage.encode()})
        other = make_forge(repo)
        look = await other.look()
        assert [(r.number, r.state) for r in look.requests] == [(1, "open")]
        assert "app.yaml" in await other.tree(look.heads["main"])


async def test_the_clone_stays_shallow_until_history_is_asked_for(
    repo: GitRepo, make_forge: Callable[..., GitForge], tmp_path: Path
) -> None:
    for number in range(8):
        repo.commit(f"Commit {number}", {"app.yaml": f"image: web:{number}\n".encode()})
    forge = make_forge(repo)
    base = await head_of(forge)
    clone = next((tmp_path / "cache").glob("*/clone"))
    assert run_git("rev-list", "--count", base, cwd=clone) == "1"
    await forge.open(wish(), base)
    await forge.look()
    assert run_git("rev-list", "--count", base, cwd=clone) == "1"
    shutil.rmtree(clone)
    forge = make_forge(repo)
    assert (await forge.look()).requests[0].readiness is not None
    assert run_git("rev-list", "--count", base, cwd=clone) == "1"
    assert len(await forge.history("main", ["app.yaml"])) == 9
    assert run_git("rev-list", "--count", base, cwd=clone) == "9"


async def test_the_author_of_a_repositorys_own_settings(repo: GitRepo, make_forge: Callable[..., GitForge]) -> None:
    forge = make_forge(repo)
    base = await head_of(forge)
    forge.commit_as(("Release Team", "release@example.com"), True)
    await forge.push(wish(), base, LANDING)
    assert (
        repo.git("log", "-1", "--format=%an <%ae> %cn <%ce>") == "Release Team <release@example.com> tagboat <tagboat@localhost>"
    )
    assert "Signed-off-by: Release Team <release@example.com>" in repo.git("log", "-1", "--format=%B")
    assert [commit.ours for commit in await forge.history("main", ["app.yaml"])] == [True, False]
    forge.commit_as(None, False)
    await forge.push(wish("1.2.0"), (await head_of(forge)), LANDING)
    assert repo.git("log", "-1", "--format=%an") == "tagboat"


async def test_signing_off(repo: GitRepo, make_forge: Callable[..., GitForge]) -> None:
    forge = make_forge(repo, author=("Boat <x>", "boat@example.com"), signoff=True)
    request = await forge.open(wish(), await head_of(forge))
    trailers = repo.git("log", "-1", "--format=%(trailers:unfold)", request.head).splitlines()
    assert [line for line in trailers if line][-1] == "Signed-off-by: Boat x <boat@example.com>"
    assert [line.partition(":")[0] for line in trailers if line] == ["Tagboat-Image", "Tagboat-Update", "Signed-off-by"]
