"""The git forge over ssh, with a real sshd."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.forges.base import Denied, Landed, Landing
from bot.forges.git.forge import GitForge
from tests.bot.forges.git.wishes import LANDING, NOW, head_of, wish
from tests.servers.git_repo import GitRepo
from tests.servers.git_ssh import SSHD, GitSsh, make_key, serving_ssh

pytestmark = pytest.mark.skipif(SSHD is None, reason="there is no sshd on this machine")


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo(tmp_path / "a remote")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[GitSsh]:
    async with serving_ssh(tmp_path / "an sshd") as running:
        yield running


async def test_the_whole_story(repo: GitRepo, server: GitSsh, tmp_path: Path) -> None:
    repo.git("config", "uploadpack.allowFilter", "true")
    url = server.address + str(repo.path).replace(" ", "%20")
    forge = GitForge(url, cache=tmp_path / "cache", ssh_key=server.key, known_hosts=server.known_hosts, now=lambda: NOW)
    base = await head_of(forge)
    tree = await forge.tree(base)
    assert list((await forge.blobs([tree["app.yaml"].oid])).values()) == [b"image: web:1.0.0\n"]
    request = await forge.open(wish(), base)
    assert isinstance(await forge.merge(request, Landing("squash", LANDING, request.head)), Landed)
    assert repo.show("main:app.yaml") == "image: web:1.1.0"


async def test_a_host_key_that_changed(repo: GitRepo, server: GitSsh, tmp_path: Path) -> None:
    url = f"{server.address}{repo.path}"
    forge = GitForge(url, cache=tmp_path / "cache", ssh_key=server.key, known_hosts=server.other_hosts, now=lambda: NOW)
    with pytest.raises(Denied, match="host key is not the one in known_hosts"):
        await forge.look()


@pytest.mark.parametrize("trouble", ["not authorized", "not there", "open to all", "no key"])
async def test_a_key_that_does_not_open(repo: GitRepo, server: GitSsh, tmp_path: Path, trouble: str) -> None:
    key = tmp_path / "key"
    make_key(key)
    match trouble:
        case "not there":
            key.unlink()
        case "open to all":
            key.write_bytes(server.key.read_bytes())
            key.chmod(0o644)
        case "no key":
            key.write_text("nonsense\n")
    words = {
        "not authorized": "did not accept the ssh key",
        "not there": "cannot be read",
        "open to all": "chmod 600",
        "no key": "holds no key",
    }
    forge = GitForge(
        f"{server.address}{repo.path}", cache=tmp_path / "cache", ssh_key=key, known_hosts=server.known_hosts, now=lambda: NOW
    )
    with pytest.raises(Denied, match=words[trouble]):
        await forge.look()
