"""Reading GitHub cheaply and wholly: one query where nothing moved, blobs in batches, odd contents, cut-off trees, archives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.forges.base import Denied, ForgeError, Gone
from bot.forges.github.place import blob_id
from tests.bot.forges.github.world import World, head_of, wish, world

TREE, BLOB = "GET /repos/{owner}/{repo}/git/trees/{sha}", "GET /repos/{owner}/{repo}/git/blobs/{sha}"


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as found:
        yield found


async def test_a_look_where_nothing_moved_is_one_request(w: World) -> None:
    forge = await w.installed()
    base = await head_of(forge)
    for image in "abc":
        await forge.open(wish(image=image, path="app.yaml"), base)
    w.server.world.close(w.repo, 2, "ada")
    for looking in (forge, await w.installed()):
        w.server.take()
        for _ in range(3):
            seen = (await looking.look()).requests
            assert [(one.number, one.state) for one in seen] == [(1, "open"), (2, "closed"), (3, "open")]
        assert w.server.take() == ["Look"] * 3


async def test_the_configuration_comes_with_the_look(tmp_path: Path) -> None:
    async with world(tmp_path, {".tagboat.yaml": b"version: 1\n", "app.yaml": b"image: web:1.0.0\n"}) as w:
        forge = w.forge()
        entries = await forge.tree(await head_of(forge))
        w.server.take()
        assert list((await forge.blobs([entries[".tagboat.yaml"].oid])).values()) == [b"version: 1\n"]
        assert w.server.take() == []


async def test_other_bases(w: World) -> None:
    other = w.repo.files.commit("Next", {"next.yaml": b""}, "next")
    forge = w.forge()
    look = await forge.look(("next", "none"))
    assert look.heads == {"main": w.repo.head("main"), "next": other}
    assert set(look.project.protections) == {"main", "next"}
    await forge.open(wish(), look.heads["main"])
    look = await forge.look(("next",))
    assert [(one.base, one.readiness is None) for one in look.requests] == [("main", False)]


async def test_a_default_branch_by_another_name(w: World) -> None:
    w.repo.files.commit("Master", {}, "master")
    w.repo.default = "master"
    forge = w.forge()
    assert list((await forge.look()).heads) == ["master"]
    assert w.server.take() == ["Look", "Look"]
    assert list((await forge.look()).heads) == ["master"]
    assert w.server.take() == ["Look"]


async def test_an_empty_repository(tmp_path: Path) -> None:
    async with world(tmp_path, {}) as w:
        look = await w.forge().look()
        assert (look.heads, look.requests, look.project.default_branch) == ({}, (), "main")


CONTENTS = {
    "binary": b"\x00\x01\xff",
    "latin": b"image: caf\xe9:1.0.0\n",
    "crlf": b"\xef\xbb\xbfimage: web:1.0.0\r\n",
    "empty": b"",
    "long": b"# " + b"x" * 600_000 + b"\n",
    "plain": b"image: web:1.0.0\n",
}


async def test_every_content_byte_for_byte(tmp_path: Path) -> None:
    async with world(tmp_path, CONTENTS) as w:
        forge = w.forge()
        entries = await forge.tree(await head_of(forge))
        w.server.take()
        found = await forge.blobs([entry.oid for entry in entries.values()])
        assert {path: found[entry.oid] for path, entry in entries.items()} == CONTENTS
        # What GraphQL cannot give whole comes one by one: binary, not UTF-8, and what is known to be too long for it.
        assert sorted(w.server.take()) == ["Blobs", BLOB, BLOB, BLOB]
        with pytest.raises(ForgeError):
            await forge.blobs(["0" * 40])


async def test_many_blobs_in_batches(tmp_path: Path) -> None:
    files = {f"envs/{n}/app.yaml": f"image: web:1.{n}\n".encode() for n in range(130)}
    async with world(tmp_path, files) as w:
        forge = w.forge()
        entries = await forge.tree(await head_of(forge))
        w.server.take()
        found = await forge.blobs([entry.oid for entry in entries.values()])
        assert {path: found[entry.oid] for path, entry in entries.items()} == files
        assert w.server.take() == ["Blobs"] * 3


async def test_a_first_look_at_very_many_takes_the_archive(tmp_path: Path) -> None:
    files = {f"envs/{n}/app.yaml": f"image: web:1.{n}\n".encode() for n in range(450)}
    files |= {".gitattributes": b"hidden.yaml export-ignore\n", "hidden.yaml": b"image: web:hidden\n", "b": CONTENTS["binary"]}
    async with world(tmp_path, files) as w:
        forge = w.forge()
        entries = await forge.tree(await head_of(forge))
        w.server.take()
        found = await forge.blobs([entry.oid for entry in entries.values()])
        assert {path: found[entry.oid] for path, entry in entries.items()} == files
        # The archive by way of a redirect, and what it leaves out.
        assert w.server.take() == ["GET /repos/{owner}/{repo}/tarball/{ref}"] * 2 + ["Blobs"]


async def test_an_archive_that_breaks_off_is_no_harm(tmp_path: Path) -> None:
    files = {f"envs/{n}/app.yaml": f"image: web:1.{n}\n".encode() for n in range(410)}
    async with world(tmp_path, files) as w:
        forge = w.forge()
        entries = await forge.tree(await head_of(forge))
        w.server.fail("tarball", "cut", times=5)
        found = await forge.blobs([entry.oid for entry in entries.values()])
        assert {path: found[entry.oid] for path, entry in entries.items()} == files


async def test_a_tree_that_is_cut_off_is_walked(tmp_path: Path) -> None:
    files = {f"{folder}/{n}/app.yaml": f"image: {folder}:1.{n}\n".encode() for folder in "ab" for n in range(12)}
    files["top.yaml"] = b""
    async with world(tmp_path, files) as w:
        forge = w.forge()
        base = await head_of(forge)
        w.server.rest.tree_limit = 15
        found = await forge.tree(base)
        assert {path: entry.oid for path, entry in found.items()} == {path: blob_id(data) for path, data in files.items()}
        assert all(entry.size is not None for entry in found.values())


async def test_changes_where_trees_are_cut_off(tmp_path: Path) -> None:
    files = {f"{folder}/{n}/app.yaml": f"image: {folder}:1.{n}\n".encode() for folder in "abc" for n in range(12)}
    async with world(tmp_path, files | {"top.yaml": b"1", "gone/x": b"", "gone/y/z": b"", "turned": b""}) as w:
        forge = w.forge()
        base = await head_of(forge)
        w.server.rest.tree_limit = 15
        await forge.tree(base)
        request = await forge.open(wish(path="b/7/app.yaml", image="b"), base)
        w.server.take()
        assert [change.path for change in await forge.changes(request)] == ["b/7/app.yaml"]
        assert len(w.server.take()) <= 7  # three levels on both sides, and where they fork
        person = w.repo.files
        person.checkout(request.branch)
        person.person("rm", "-q", "-r", "gone", "turned")
        person.commit("More", {"turned/into/a.yaml": b"", "top.yaml": b"2"}, request.branch)
        (seen,) = (await forge.look()).requests
        by_hand = {change.path: (change.old_oid is None, change.new_oid is None) for change in await forge.changes(seen)}
        assert by_hand == {
            "b/7/app.yaml": (False, False),
            "gone/x": (False, True),
            "gone/y/z": (False, True),
            "top.yaml": (False, False),
            "turned": (False, True),
            "turned/into/a.yaml": (True, False),
        }


async def test_links_and_modules_are_told(w: World) -> None:
    (w.repo.files.work / "link").symlink_to("app.yaml")
    w.repo.files.person("add", "link")
    w.repo.files.person("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    w.repo.files.person("commit", "-q", "-m", "Odd")
    w.repo.files.person("push", "-q", "origin", "main")
    entries = await w.forge().tree(w.repo.head("main") or "")
    assert (entries["link"].mode, entries["module"].mode, entries["app.yaml"].mode) == ("120000", "160000", "100644")


async def test_history_of_many_paths(tmp_path: Path) -> None:
    files = {f"{n}.yaml": b"1" for n in range(25)}
    async with world(tmp_path, files) as w:
        forge = w.forge()
        await forge.look()
        w.repo.files.commit("Later", {"3.yaml": b"2"})
        w.server.take()
        found = await forge.history("main", list(files))
        assert {commit.message for commit in found} == {"Later", "First commit"}
        assert w.server.take() == ["History", "History"]
        assert (found[0].author, found[0].ours) == ("Ada", False)
        assert await forge.history("main", ["3.yaml"], found[0].at + timedelta(days=1)) == []
        assert [commit.message for commit in await forge.history("main", [])] == ["Later", "First commit"]
        with pytest.raises(Denied, match="no branch 'none'"):
            await forge.history("none", ["3.yaml"])


class TestWhereTheRepositoryWent:
    async def test_it_was_renamed(self, w: World) -> None:
        forge = w.forge()
        base = await head_of(forge)
        w.server.world.rename("acme/gitops", "acme/deploy")
        request = await forge.open(wish(), base)  # REST redirects a POST without turning it into a GET
        assert request.number == 1
        look = await forge.look()
        assert [one.number for one in look.requests] == [1]
        assert "acme/deploy" in look.requests[0].url
        await forge.refresh(look.requests[0], wish("1.2.0"), base, rewrite=True)
        assert forge.name == "acme/gitops"  # as the operator wrote it

    async def test_it_was_archived(self, w: World) -> None:
        forge = w.forge()
        base = await head_of(forge)
        w.repo.archived = True
        with pytest.raises(Gone, match="archived"):
            await forge.look()
        with pytest.raises(Denied):
            await forge.open(wish(), base)

    async def test_it_is_a_fork(self, w: World) -> None:
        w.repo.fork = True
        with pytest.raises(Gone, match="a fork"):
            await w.forge().look()

    async def test_it_was_removed_or_never_there(self, w: World) -> None:
        forge = w.forge()
        await forge.look()
        del w.server.world.repos["acme/gitops"]
        with pytest.raises(Gone, match="removed"):
            await forge.look()
        with pytest.raises(Denied, match="no repository acme/gitops, or"):
            await w.forge().look()


class TestWhatABranchDemands:
    RULES = (
        {
            "type": "REQUIRED_STATUS_CHECKS",
            "parameters": {
                "strictRequiredStatusChecksPolicy": True,
                "requiredStatusChecks": [{"context": "ci/ruleset", "integrationId": 15368}],
            },
        },
    )
    CLASSIC = {  # noqa: RUF012
        "requiresStatusChecks": True,
        "requiresStrictStatusChecks": False,
        "requiredStatusChecks": [{"context": "ci/classic", "app": None}],
        "requiresApprovingReviews": True,
        "requiredApprovingReviewCount": 2,
    }

    async def test_from_protection_and_rulesets(self, w: World) -> None:
        w.repo.rules["main"], w.repo.classic["main"] = [*self.RULES], self.CLASSIC
        found = (await (await w.installed()).look()).project.protections["main"]
        assert (found.known, found.strict, found.required_approvals) == (True, True, 2)
        assert {(check.name, check.app) for check in found.required_checks} == {("ci/ruleset", "15368"), ("ci/classic", None)}

    async def test_without_the_right_to_administer(self, w: World) -> None:
        w.server.world.installations[11]["permissions"].pop("administration")
        w.repo.classic["main"] = self.CLASSIC
        found = (await (await w.installed()).look()).project.protections["main"]
        assert (found.known, found.required_approvals) == (True, 2)
        assert [check.name for check in found.required_checks] == ["ci/classic"]

    @pytest.mark.parametrize("may", [True, False])
    async def test_from_rest_where_graphql_tells_no_rules(self, w: World, may: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        if not may:
            w.server.world.installations[11]["permissions"].pop("administration")
        w.repo.rules["main"], w.repo.classic["main"] = [*self.RULES], self.CLASSIC
        monkeypatch.setattr("tests.servers.github.graph.Graph._ref_rules", lambda *_: None)
        forge = await w.installed()
        found = (await forge.look()).project.protections["main"]
        # Classic protection is told by GraphQL, in full or as far as it binds us.
        assert (found.known, {check.name for check in found.required_checks}) == (True, {"ci/ruleset", "ci/classic"})
        before = sum(forge.wire.requests.values())
        await forge.look()
        assert sum(forge.wire.requests.values()) == before + 2
