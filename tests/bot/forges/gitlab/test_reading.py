"""Reading a GitLab project: trees by keyset, blobs by id or by archive, what a branch changes, who committed what."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.forges.base import ForgeError, Moved
from bot.forges.git.objects import blob_id
from bot.forges.gitlab.reading import BLOB_LIMIT, _unpack
from rules.proposals import FileChange
from tests.bot.forges.gitlab.setting import BRANCH, setting, wish
from tests.servers.gitlab import Rule, limited, status


async def test_a_tree_of_many_pages(tmp_path: Path) -> None:
    files = {f"apps/{n // 10}/app-{n}.yaml": f"n: {n}\n".encode() for n in range(233)}
    async with setting(tmp_path, files=files) as gitlab:
        gitlab.server.push_as("ada", gitlab.project, "main", {"bin/run": b"x"}, "Executable", mode="100755")
        head = await gitlab.head()
        gitlab.server.forget()
        tree = await gitlab.forge.tree(head)
        assert len(tree) == 234
        assert {tree[path].oid for path in files} == {blob_id(data, "sha1") for data in files.values()}
        assert (tree["bin/run"].mode, tree["apps/0/app-1.yaml"].mode) == ("100755", "100644")
        assert len(gitlab.server.log) == 3
        assert await gitlab.forge.tree(head) is tree


CHANGES: list[tuple[str, dict[str, bytes | None], int | None]] = [
    ("one file", {"apps/app-7.yaml": b"n: new\n"}, 2),
    ("a few, one new, one gone", {"apps/app-7.yaml": b"x\n", "new.yaml": b"y\n", "apps/app-8.yaml": None}, 3),
    ("nothing", {}, 1),
    ("too many", {f"apps/app-{n}.yaml": b"x\n" for n in range(40)}, None),
]


@pytest.mark.parametrize(("files", "cost"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
async def test_the_next_tree_of_a_large_project_is_told_by_what_changed(
    tmp_path: Path, files: dict[str, bytes | None], cost: int | None
) -> None:
    there = {f"apps/app-{n}.yaml": f"n: {n}\n".encode() for n in range(420)}
    async with setting(tmp_path, files=there) as gitlab:
        await gitlab.forge.tree(await gitlab.head())
        gitlab.server.push_as("ada", gitlab.project, "main", files, "More", mode="100755")
        head = await gitlab.head()
        gitlab.server.forget()
        tree = await gitlab.forge.tree(head)
        spent = len(gitlab.server.log)
        fresh = gitlab.again()
        await fresh.look()
        assert tree == await fresh.tree(head)
        assert spent == cost if cost is not None else spent > 4


async def test_a_submodule_or_a_moved_file_is_listed_anew(tmp_path: Path) -> None:
    there = {f"apps/app-{n}.yaml": f"n: {n}\n".encode() for n in range(420)}
    async with setting(tmp_path, files=there) as gitlab:
        first = await gitlab.head()
        await gitlab.forge.tree(first)
        ada, repo = gitlab.server.user("ada"), gitlab.repo
        commit = repo.commit("Submodule", [first], ada.who, ada.who, {"sub": ("160000", first)})
        gitlab.server.moved(gitlab.project, ada, "main", commit)
        tree = await gitlab.forge.tree(await gitlab.head())
        assert (tree["sub"].mode, tree["sub"].oid, len(tree)) == ("160000", first, 421)


async def test_a_comparison_that_tells_no_modes_is_not_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = {f"apps/app-{n}.yaml": f"n: {n}\n".encode() for n in range(420)}
    async with setting(tmp_path, files=there) as gitlab:
        await gitlab.forge.tree(await gitlab.head())
        real = gitlab.repo.diff
        monkeypatch.setattr(
            gitlab.repo, "diff", lambda *ids: [{k: v for k, v in one.items() if k != "b_mode"} for one in real(*ids)]
        )
        gitlab.server.push_as("ada", gitlab.project, "main", {"run": b"x"}, "Executable", mode="100755")
        assert (await gitlab.forge.tree(await gitlab.head()))["run"].mode == "100755"


async def test_a_commit_that_is_not_there(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        await gitlab.head()
        with pytest.raises(Moved):
            await gitlab.forge.tree("1" * 40)


async def test_blobs_by_id_several_at_the_same_time(tmp_path: Path) -> None:
    files = {f"{n}.yaml": f"n: {n}\n".encode() for n in range(20)} | {"odd": b"\x00\xff\r\n"}
    async with setting(tmp_path, files=files) as gitlab:
        tree = await gitlab.forge.tree(await gitlab.head())
        gitlab.server.delay = 0.02
        contents = await gitlab.forge.blobs({entry.oid for entry in tree.values()})
        assert {path: contents[entry.oid] for path, entry in tree.items()} == files
        assert 1 < gitlab.server.busiest <= 4  # a project has a third of the threads


async def test_a_blob_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        tree = await gitlab.forge.tree(await gitlab.head())
        gitlab.server.rules.append(Rule("GET", "/blobs/", status(500), times=-1))
        with pytest.raises(ForgeError):
            await gitlab.forge.blobs([tree["app.yaml"].oid])


async def test_a_file_that_is_too_large_is_nothing_that_any_reader_knows(tmp_path: Path) -> None:
    async with setting(tmp_path, files={"big.yaml": b"a: 1\n" * (BLOB_LIMIT // 5 + 10)}) as gitlab:
        tree = await gitlab.forge.tree(await gitlab.head())
        (content,) = (await gitlab.forge.blobs([tree["big.yaml"].oid])).values()
        assert set(content) == {0}
        assert len(content) > BLOB_LIMIT


ODD = {
    ".gitattributes": b"hidden.yaml export-ignore\nsubst.yaml export-subst\n",
    "hidden.yaml": b"image: hidden:1\n",
    "subst.yaml": b"image: web:$Format:%H$\n",
}


async def test_the_first_look_at_a_large_project_is_one_archive(tmp_path: Path) -> None:
    files = {f"apps/app-{n}.yaml": f"n: {n}\n".encode() for n in range(150)} | ODD
    async with setting(tmp_path, files=files) as gitlab:
        tree = await gitlab.forge.tree(await gitlab.head())
        gitlab.server.forget()
        contents = await gitlab.forge.blobs({entry.oid for entry in tree.values()})
        assert {path: contents[entry.oid] for path, entry in tree.items()} == files
        # What the archive leaves out or writes differently is read by itself.
        assert sorted(line.split(" ")[1].rpartition("/")[2] for line in gitlab.server.log) == ["archive.tar.gz", "raw", "raw"]


async def test_archives_are_few_and_a_refused_one_is_no_harm(tmp_path: Path) -> None:
    files = {f"apps/app-{n}.yaml": f"n: {n}\n".encode() for n in range(90)}
    async with setting(tmp_path, files=files) as gitlab:
        tree = await gitlab.forge.tree(await gitlab.head())
        oids = {entry.oid for entry in tree.values()}
        gitlab.server.rules += [Rule("GET", "/archive", status(406)), Rule("GET", "/archive", limited(600))]
        for _ in range(5):
            assert len(await gitlab.forge.blobs(oids)) == 90
        assert gitlab.server.counted[f"GET /projects/{gitlab.project.id}/repository/archive.tar.gz"] == 4


@pytest.mark.parametrize("data", [b"", b"x" * 1000, b"\x1f\x8b" + b"0" * 100])
def test_an_archive_that_is_none(data: bytes) -> None:
    assert _unpack(data, {"a": "1" * 40}) == {}


@pytest.mark.parametrize("compares", [True, False], ids=["with compare", "without"])
@pytest.mark.parametrize("count", [1, 3, 15])
@pytest.mark.parametrize("known", [True, False], ids=["tree known", "tree not known"])
async def test_what_a_branch_changes(tmp_path: Path, compares: bool, count: int, known: bool) -> None:
    files = {f"apps/app-{n}.yaml": b"image: web:1.0.0\n" for n in range(120)}
    async with setting(tmp_path, files=files) as gitlab:
        if not compares:
            gitlab.server.rules.append(Rule("GET", "/compare$", status(404), times=-1))
        base = await gitlab.head()
        changed = tuple(FileChange(path, "100644", "", b"image: web:1.1.0\n") for path in sorted(files)[:count])
        await gitlab.forge.open(wish(files=changed), base)
        gitlab.server.push_as("ada", gitlab.project, "main", {"other": b"x"}, "The base moved")
        forge = gitlab.again()
        seen = await gitlab.seen(forge=forge)
        if known:
            await forge.tree(base)
        changes = await forge.changes(seen)
        assert [change.path for change in changes] == sorted(files)[:count]
        sides = {(one.old_oid, one.new_oid, one.old_mode, one.new_mode) for one in changes}
        before, after = blob_id(b"image: web:1.0.0\n", "sha1"), blob_id(b"image: web:1.1.0\n", "sha1")
        assert sides == {(before, after, "100644", "100644")}


async def test_what_a_person_added_and_removed_is_seen(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        await gitlab.opened()
        gitlab.server.push_as("ada", gitlab.project, BRANCH, {"new.yaml": b"x\n", "other.yaml": None}, "More")
        changes = await gitlab.forge.changes(await gitlab.seen())
        assert [(one.path, one.old_oid is None, one.new_oid is None) for one in changes] == [
            ("app.yaml", False, False),
            ("new.yaml", True, False),
            ("other.yaml", False, True),
        ]


async def test_a_mode_alone_is_a_change(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        ada, repo = gitlab.server.user("ada"), gitlab.repo
        same = repo.store(b"image: web:1.1.0\n")
        other = repo.store(b"image: db:1.0.0\n")
        commit = repo.commit(
            "Mode", [request.head], ada.who, ada.who, {"app.yaml": ("100644", same), "other.yaml": ("100755", other)}
        )
        gitlab.server.moved(gitlab.project, ada, BRANCH, commit)
        for forge in (gitlab.forge, gitlab.again()):
            changes = await forge.changes(await gitlab.seen(forge=forge))
            assert [(one.path, one.new_mode) for one in changes] == [("app.yaml", "100644"), ("other.yaml", "100755")]


async def test_history_since_a_moment_and_of_several_paths(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        paths = ["app.yaml", "other.yaml"]
        chance = random.Random(7)
        for number in range(12):
            gitlab.server.push_as(
                "ada", gitlab.project, "main", {chance.choice(paths): f"{number}\n".encode()}, f"Commit {number}"
            )
        gitlab.server.push_as("ada", gitlab.project, "main", {"elsewhere": b""}, "Elsewhere")
        await gitlab.head()
        history = await gitlab.forge.history("main", paths)
        assert len(history) == 13
        assert [one.message.strip() for one in await gitlab.forge.history("main", [])][:2] == ["Elsewhere", "Commit 11"]
        assert [one.at for one in history] == sorted((one.at for one in history), reverse=True)
        assert await gitlab.forge.history("main", paths, datetime.now(UTC) + timedelta(hours=1)) == []
