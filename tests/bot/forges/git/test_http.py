"""The git forge over http and https, with git's own server behind basic authentication."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from bot.forges.base import Denied, ForgeError, Landed, Landing, Limited, Unreachable
from bot.forges.git.forge import GitForge
from tests.bot.forges.git.wishes import BRANCH, LANDING, NOW, head_of, wish
from tests.servers.git_http import GitHttp, self_signed, serving
from tests.servers.git_repo import GitRepo, run_git

PASSWORD = "s3cret/p@ss w0rd%$'\""
FILES = {f"d{n % 7}/f{n}.yaml": f"image: web:{n}\n".encode() for n in range(60)} | {"app.yaml": b"image: web:1.0.0\n"}


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo(tmp_path / "remote", FILES)


@pytest.fixture
async def server(repo: GitRepo) -> AsyncIterator[GitHttp]:
    async with serving(GitHttp(repo.path.parent, "bo@t", PASSWORD)) as running:
        yield running


@pytest.fixture
def make_forge(server: GitHttp, tmp_path: Path) -> Callable[..., GitForge]:
    def make(password: str | None = PASSWORD, path: str = "/gitops.git") -> GitForge:
        return GitForge(server.url + path, cache=tmp_path / "cache", username="bo@t", password=password, now=lambda: NOW)

    return make


@pytest.mark.parametrize("filtering", [True, False], ids=["blobless", "no filter"])
async def test_the_whole_story(repo: GitRepo, make_forge: Callable[..., GitForge], filtering: bool, tmp_path: Path) -> None:
    repo.git("config", "uploadpack.allowFilter", str(filtering).lower())
    forge = make_forge()
    base = await head_of(forge)
    tree = await forge.tree(base)
    clone = next((tmp_path / "cache").glob("*/clone"))
    listed = run_git("cat-file", "--batch-all-objects", "--batch-check", cwd=clone)
    assert (" blob " in listed) is not filtering
    contents = await forge.blobs([entry.oid for path, entry in tree.items() if path != "d0/f0.yaml"])
    assert len(contents) == 60
    request = await forge.open(wish("1.1.0"), base)
    repo.commit("Elsewhere", {"d0/f0.yaml": b"image: web:later\n"})
    look = await forge.look()
    ready = look.requests[0].readiness
    assert ready is not None
    assert (ready.behind_by, ready.conflict) == (1, False)
    request = await forge.refresh(look.requests[0], wish("1.2.0"), look.heads["main"], rewrite=True)
    assert "+image: web:1.2.0" in await forge.diff(request)
    assert [change.path for change in await forge.changes(request)] == ["app.yaml"]
    assert isinstance(await forge.merge(request, Landing("merge", LANDING, request.head)), Landed)
    assert (repo.show("main:app.yaml"), repo.show("main:d0/f0.yaml")) == ("image: web:1.2.0", "image: web:later")
    repo.git("fsck", "--strict")


async def test_conflicts_and_merges_in_the_same_file_without_its_contents(
    repo: GitRepo, make_forge: Callable[..., GitForge]
) -> None:
    repo.git("config", "uploadpack.allowFilter", "true")
    text = "\n".join(f"line {n}" for n in range(20))
    repo.commit("Longer", {"app.yaml": f"image: web:1.0.0\n{text}\n".encode(), "big.yaml": b"image: web:1.0.0\n"})
    forge = make_forge()
    base = await head_of(forge)
    first, second = (
        await forge.open(wish(), base),
        await forge.open(wish(image="db", path="big.yaml"), base),
    )
    repo.commit("Both", {"app.yaml": b"image: web:9\n", "big.yaml": b"image: web:1.0.0\n"})
    requests = {request.branch: request for request in (await make_forge().look()).requests}
    assert [requests[r.branch].readiness.conflict for r in (first, second)] == [True, False]  # type: ignore[union-attr]


async def test_a_push_without_the_old_contents_fetches_nothing(
    repo: GitRepo, server: GitHttp, make_forge: Callable[..., GitForge]
) -> None:
    repo.git("config", "uploadpack.allowFilter", "true")
    forge = make_forge()
    base = await head_of(forge)
    server.requests.clear()
    await forge.open(wish(), base)
    assert {request.rpartition(" ")[2] for request in server.requests} == {"git-receive-pack"}


async def test_opening_on_a_base_that_has_just_moved(repo: GitRepo, make_forge: Callable[..., GitForge], tmp_path: Path) -> None:
    repo.git("config", "uploadpack.allowFilter", "true")
    forge = make_forge()
    base = await head_of(forge)
    repo.commit("Meanwhile", {"d0/f0.yaml": b"image: web:later\n"})
    request = await forge.open(wish(), base)
    clone = next((tmp_path / "cache").glob("*/clone"))
    assert run_git("cat-file", "--batch-all-objects", "--batch-check", cwd=clone).count(" blob ") < 6
    assert [(r.number, r.head, r.edited_by_person) for r in (await forge.look()).requests] == [(1, request.head, False)]
    repo.git("fsck", "--strict")


async def test_an_unchanged_look_is_one_listing(server: GitHttp, make_forge: Callable[..., GitForge]) -> None:
    forge = make_forge()
    await forge.open(wish(), await head_of(forge))
    # After our own write, after a look, and in a process that comes later.
    for looking in (forge, forge, make_forge()):
        server.requests.clear()
        look = await looking.look()
        assert [request.state for request in look.requests] == ["open"]
        # Git asks once without credentials; then the advertisement and one listing of refs.
        assert server.requests == ["GET git-upload-pack", "GET git-upload-pack", "POST git-upload-pack"]


def written(folder: Path) -> list[str]:
    return [file.read_bytes().decode("utf-8", "replace") for file in folder.rglob("*") if file.is_file()]


async def test_the_password_never_shows(
    repo: GitRepo,
    server: GitHttp,
    make_forge: Callable[..., GitForge],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    errors: list[BaseException] = []
    seen: list[str] = []

    def watch(request: web.Request) -> web.Response | None:
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.append(process.read_bytes().decode("utf-8", "replace"))
            except OSError:
                continue
        return None

    server.answer = watch
    forge = make_forge()
    await forge.open(wish(), await head_of(forge))
    server.answer = lambda request: web.Response(status=500, text=f"you said {PASSWORD}")
    for broken in (
        make_forge(),
        GitForge(f"{server.url.replace('//', '//ada:' + 'hunter2@')}/gitops.git", cache=tmp_path / "c", now=lambda: NOW),
    ):
        with pytest.raises(ForgeError) as caught:
            await broken.look()
        errors.append(caught.value)
        seen += [repr(broken), broken.name, repr(broken._clone.git.address)]
    everything = "".join((*seen, *map(repr, errors), *map(str, errors), caplog.text, *capfd.readouterr()))
    assert any("ls-remote" in line for line in seen)
    everything += "".join(written(tmp_path / "cache") + written(tmp_path / "c"))
    assert PASSWORD not in everything
    assert "hunter2" not in everything
    assert server.authorizations


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, Denied, "credentials"),
        (403, Denied, "does not allow"),
        (404, Denied, "no repository"),
        (429, Limited, "fewer"),
        (503, Unreachable, "trouble"),
    ],
)
async def test_refusals_have_plain_words(
    server: GitHttp, make_forge: Callable[..., GitForge], status: int, kind: type[ForgeError], words: str
) -> None:
    server.answer = lambda request: web.Response(status=status)
    with pytest.raises(kind, match=words):
        await make_forge().look()


@pytest.mark.parametrize("password", ["wrong", None])
async def test_wrong_credentials(make_forge: Callable[..., GitForge], password: str | None) -> None:
    with pytest.raises(Denied, match="did not accept the credentials"):
        await make_forge(password).look()


async def test_an_answer_cut_off(server: GitHttp, make_forge: Callable[..., GitForge]) -> None:
    def cut(request: web.Request) -> web.Response | None:
        return (
            web.Response(body=b"001e# service=git-upl", content_type="application/x-git-upload-pack-advertisement")
            if "gitops" in request.path
            else None
        )

    server.answer = cut
    with pytest.raises(ForgeError):
        await make_forge().look()


async def test_nobody_answers(tmp_path: Path) -> None:
    forge = GitForge("http://127.0.0.1:9/x.git", cache=tmp_path / "cache", now=lambda: NOW)
    with pytest.raises(Unreachable, match="does not answer"):
        await forge.look()


async def test_credentials_stay_with_their_own_host(server: GitHttp, make_forge: Callable[..., GitForge], repo: GitRepo) -> None:
    async with serving(GitHttp(repo.path.parent, "bo@t", PASSWORD)) as elsewhere:
        server.answer = lambda request: web.Response(status=302, headers={"Location": f"{elsewhere.url}{request.path_qs}"})
        with pytest.raises(Denied):
            await make_forge().look()
        assert elsewhere.requests
        assert not elsewhere.authorizations


async def test_a_redirect_on_the_same_host_is_followed(server: GitHttp, make_forge: Callable[..., GitForge]) -> None:
    def move(request: web.Request) -> web.Response | None:
        target = request.path_qs.replace("/old", "/gitops.git")
        return (
            web.Response(status=301, headers={"Location": f"{server.url}{target}"}) if request.path.startswith("/old/") else None
        )

    server.answer = move
    assert (await make_forge(path="/old").look()).heads


async def test_https_with_a_certificate_of_ones_own(repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, certificate = self_signed(tmp_path)
    monkeypatch.delenv("GIT_SSL_CAINFO", raising=False)
    async with serving(GitHttp(repo.path.parent, "bo@t", PASSWORD), context) as server:
        url = f"{server.url}/gitops.git"
        with pytest.raises(Denied, match="certificate"):
            await GitForge(url, cache=tmp_path / "cache", username="bo@t", password=PASSWORD, now=lambda: NOW).look()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        forge = GitForge(url, cache=tmp_path / "cache", username="bo@t", password=PASSWORD, now=lambda: NOW)
        assert (await forge.open(wish(), await head_of(forge))).branch == BRANCH
        async with serving(GitHttp(repo.path.parent)) as plain:
            server.answer = lambda request: web.Response(status=302, headers={"Location": f"{plain.url}{request.path_qs}"})
            with pytest.raises(ForgeError):
                await forge.look()
            assert not plain.requests


def test_the_environment_has_no_password_by_default(tmp_path: Path) -> None:
    GitForge("https://git.example.com/x.git", cache=tmp_path, username="a", password="b" * 20, now=lambda: NOW)
    assert not any("b" * 20 in value for value in os.environ.values())
