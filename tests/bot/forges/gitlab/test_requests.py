"""Stories of merge requests on GitLab: opened, refreshed, closed, landed, over sockets and with git behind them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.forges.base import ForgeError, Landed, Moved, NotLanded
from bot.forges.gitlab.writing import KEPT
from rules.proposals import FileChange
from tests.bot.forges.gitlab.setting import BRANCH, LANDING, MARKED, at, setting, wish
from tests.servers.gitlab import Rule


async def test_open_writes_branch_and_request(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        base = await gitlab.head()
        made = await gitlab.forge.open(wish(reviewers=("ada", "nobody"), assignees=("Bob",)), base)
        merge = gitlab.merge()
        assert (made.number, made.state, made.title, made.labels) == (1, "open", "Update web to 1.1.0", {"images"})
        assert gitlab.repo.head(BRANCH) == made.head
        assert gitlab.repo.show(f"{BRANCH}:app.yaml") == "image: web:1.1.0"
        assert gitlab.repo.git("diff", "--name-only", "main", BRANCH) == "app.yaml"
        assert gitlab.repo.log(f"main..{BRANCH}") == [made.head]
        assert ([one.username for one in merge.reviewers], [one.username for one in merge.assignees]) == (["ada"], ["bob"])
        assert (merge.target, merge.remove_source, merge.labels) == ("main", True, ["images"])


async def test_a_second_open_and_a_second_look_change_nothing(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        first = await gitlab.opened()
        branches = gitlab.repo.branches()
        for forge in (gitlab.forge, gitlab.again()):
            assert (await forge.open(wish(), await gitlab.head())).number == 1
            seen = await gitlab.seen(forge=forge)
            assert (seen.state, seen.head, seen.edited_by_person) == ("open", first.head, False)
            ready = seen.readiness
            assert ready is not None
            assert (ready.behind_by, ready.conflict, ready.detailed_merge_status) == (0, False, "mergeable")
            assert ready.head_message.startswith("Update web from 1.0.0 to 1.1.0\n\nTagboat-Image:")
        assert (gitlab.repo.branches(), len(gitlab.project.merges)) == (branches, 1)


async def test_refresh_keeps_the_number_and_the_branch(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        first = await gitlab.opened()
        second = await gitlab.forge.refresh(first, wish("1.2.0"), await gitlab.head(), rewrite=True)
        assert (second.number, second.branch, second.title) == (1, BRANCH, "Update web to 1.2.0")
        assert gitlab.repo.show(f"{BRANCH}:app.yaml") == "image: web:1.2.0"
        assert gitlab.repo.log(f"main..{BRANCH}") == [second.head]
        seen = await gitlab.seen(forge=gitlab.again())
        assert (seen.head, seen.edited_by_person, seen.record and seen.record.fingerprint) == (second.head, False, "fp-1.2.0")
        assert gitlab.merge().state == "opened"


async def test_new_words_leave_the_branch_alone(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        first = await gitlab.opened()
        gitlab.merge().labels.append("theirs")
        changed = wish(body="Other words.", labels=("images", "more"))
        for _ in range(2):
            second = await gitlab.forge.refresh(await gitlab.seen(), changed, await gitlab.head(), rewrite=False)
            assert (second.head, second.body) == (first.head, "Other words.\n")
            assert gitlab.merge().labels == ["images", "theirs", "more"]
        assert gitlab.server.counted[f"PUT /projects/{gitlab.project.id}/merge_requests/1"] == 1


async def test_reviewers_are_added_to_those_who_are_there(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        await gitlab.opened()
        gitlab.merge().reviewers.append(gitlab.server.user("bob"))
        await gitlab.forge.refresh(await gitlab.seen(), wish(reviewers=("ada", "bob")), await gitlab.head(), rewrite=False)
        assert [one.username for one in gitlab.merge().reviewers] == ["bob", "ada"]


async def test_a_persons_push_is_seen_and_never_overwritten(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        theirs = gitlab.server.push_as("ada", gitlab.project, BRANCH, {"app.yaml": b"image: web:mine\n"}, "My own change")
        with pytest.raises(Moved):
            await gitlab.forge.refresh(request, wish("1.2.0"), await gitlab.head(), rewrite=True)
        with pytest.raises(Moved):
            await gitlab.forge.close(request, "nothing left to update")
        assert await gitlab.forge.merge(request, at(request)) == NotLanded(
            409, "the branch is not where it was when this was decided"
        )
        for forge in (gitlab.forge, gitlab.again()):
            seen = await gitlab.seen(forge=forge)
            assert (seen.head, seen.edited_by_person, seen.state) == (theirs, True, "open")
        assert gitlab.repo.head(BRANCH) == theirs


@pytest.mark.parametrize("told_late", [0, 2, 4])
async def test_a_push_in_the_very_moment_of_ours_is_kept(tmp_path: Path, told_late: int) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        theirs: list[str] = []

        def push() -> None:
            theirs.append(gitlab.server.push_as("ada", gitlab.project, BRANCH, {"note.txt": b"mine\n"}, "Mine"))
            gitlab.project.silent = told_late

        gitlab.server.rules.append(Rule("POST", "/repository/commits$", push))
        second = await gitlab.forge.refresh(request, wish("1.2.0"), await gitlab.head(), rewrite=True)
        kept = f"{KEPT}/1-{theirs[0][:12]}"
        if told_late == 4:  # longer than we wait: then the next look finds it
            assert gitlab.repo.head(kept) is None
            await gitlab.forge.look()
        assert (gitlab.repo.head(BRANCH), gitlab.repo.head(kept)) == (second.head, theirs[0])
        assert [kept in note and "Nothing is lost" in note for note in gitlab.notes()] == [True]


async def test_our_own_write_rescues_nothing(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        for version in ("1.2.0", "1.3.0"):
            request = await gitlab.forge.refresh(request, wish(version), await gitlab.head(), rewrite=True)
        assert gitlab.repo.branches() == ["main", BRANCH]
        assert gitlab.notes() == []


async def test_a_push_while_the_branch_is_removed_is_kept(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        theirs: list[str] = []
        gitlab.server.rules.append(
            Rule("DELETE", "/branches/", lambda: theirs.append(gitlab.server.push_as("ada", gitlab.project, BRANCH, {}, "Mine")))
        )
        await gitlab.forge.close(request, "nothing left to update")
        assert gitlab.repo.head(f"{KEPT}/1-{theirs[0][:12]}") == theirs[0]


async def test_closing_removes_the_branch_and_says_why_once(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        for _ in range(2):
            await gitlab.forge.close(request, "web no longer stands in app.yaml")
        assert (gitlab.merge().state, gitlab.repo.head(BRANCH)) == ("closed", None)
        assert ["Closed: web no longer stands in app.yaml." in note for note in gitlab.notes()] == [True]
        for forge in (gitlab.forge, gitlab.again()):
            seen = await gitlab.seen(forge=forge)
            assert (seen.state, seen.closed_by_us, seen.ended_at is not None) == ("closed", True, True)


async def test_what_a_person_closes_is_theirs_and_a_newer_wish_gets_a_new_number(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        await gitlab.opened()
        gitlab.server.close(gitlab.project, gitlab.merge(), gitlab.server.user("ada"))
        seen = await gitlab.seen()
        assert (seen.state, seen.closed_by_us) == ("closed", False)
        # Their branch is still there; it holds nothing but our own commit.
        again = await gitlab.forge.open(wish("1.2.0"), await gitlab.head())
        assert (again.number, gitlab.repo.show(f"{BRANCH}:app.yaml")) == (2, "image: web:1.2.0")


async def test_a_branch_that_a_person_deleted_is_written_again(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        await gitlab.opened()
        gitlab.server.moved(gitlab.project, gitlab.server.user("ada"), BRANCH, None)
        seen = await gitlab.seen()
        assert (seen.state, seen.readiness and seen.readiness.detailed_merge_status) == ("open", "commits_status")
        second = await gitlab.forge.refresh(seen, wish("1.2.0"), await gitlab.head(), rewrite=True)
        assert gitlab.repo.head(BRANCH) == second.head


async def test_a_conflict_and_being_behind_are_seen_and_a_refresh_mends_them(tmp_path: Path) -> None:
    async with setting(tmp_path, merge_method="rebase_merge") as gitlab:
        await gitlab.opened()
        gitlab.server.push_as("ada", gitlab.project, "main", {"other.yaml": b"image: db:2\n"}, "Other")
        behind = (await gitlab.seen()).readiness
        assert behind is not None
        assert (behind.behind_by, behind.conflict, behind.detailed_merge_status) == (1, False, "need_rebase")
        gitlab.server.push_as("ada", gitlab.project, "main", {"app.yaml": b"image: web:1.0.1\n"}, "By hand")
        seen = await gitlab.seen()
        assert seen.readiness is not None
        assert (seen.readiness.behind_by, seen.readiness.conflict, seen.readiness.detailed_merge_status) == (2, True, "conflict")
        await gitlab.forge.refresh(seen, wish(), await gitlab.head(), rewrite=True)
        mended = (await gitlab.seen()).readiness
        assert mended is not None
        assert (mended.behind_by, mended.detailed_merge_status) == (0, "mergeable")


async def test_push_straight_to_the_base(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        base = await gitlab.head()
        commit = await gitlab.forge.push(wish(), base, LANDING)
        assert gitlab.repo.head("main") == commit
        assert gitlab.repo.git("log", "-1", "--format=%P %s", "main") == f"{base} {LANDING.headline}"
        with pytest.raises(Moved):
            await gitlab.forge.push(wish("1.2.0"), base, LANDING)


async def test_a_push_to_a_file_that_changes_in_that_moment_is_refused(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        base = await gitlab.head()
        gitlab.server.rules.append(
            Rule(
                "POST",
                "/commits$",
                lambda: gitlab.server.push_as("ada", gitlab.project, "main", {"app.yaml": b"x\n"}, "M") and None,
            )
        )
        with pytest.raises(Moved):
            await gitlab.forge.push(wish(), base, LANDING)
        assert gitlab.repo.show("main:app.yaml") == "x"


async def test_file_modes_and_bytes_are_kept(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        files = {
            "run.sh": b"#!/bin/sh\ndocker run web:1.0.0\n",
            "odd.yaml": b"image: web:1.0.0 # \xff\r\n",
            "ü/ä b.yaml": b"a: 1\n",
        }
        gitlab.server.push_as("ada", gitlab.project, "main", files, "Executable", mode="100755")
        data = {path: text.replace(b"1.0.0", b"1.1.0").replace(b"a: 1", b"a: 2") for path, text in files.items()}
        changes = tuple(FileChange(path, "100755", "", text) for path, text in data.items())
        request = await gitlab.forge.open(wish(files=changes), await gitlab.head())
        tree = gitlab.repo.tree(request.head)
        assert {path: (tree[path][0], gitlab.repo.blob(tree[path][2])) for path in files} == {
            path: ("100755", text) for path, text in data.items()
        }
        seen = await gitlab.seen()
        assert [(change.path, change.new_mode) for change in await gitlab.forge.changes(seen)] == [
            (path, "100755") for path in sorted(files)
        ]


async def test_the_author_of_commits_and_a_sign_off(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        gitlab.project.signs = True  # then GitLab itself is the committer
        for forge in (gitlab.forge, gitlab.again()):
            forge.commit_as(("Image Bot", "images@acme.example"), True)
        request = await gitlab.opened()
        info = gitlab.repo.info(request.head)
        assert (info["author_name"], info["committer_name"]) == ("Image Bot", "GitLab")
        assert str(info["message"]).endswith("Tagboat-Update: minor\nSigned-off-by: Image Bot <images@acme.example>\n")
        forge = gitlab.again()
        forge.commit_as(("Image Bot", "images@acme.example"), True)
        assert not (await gitlab.seen(forge=forge)).edited_by_person


async def test_a_landed_title_with_a_marker_keeps_ci_from_running(tmp_path: Path) -> None:
    async with setting(tmp_path, only_allow_merge_if_pipeline_succeeds=True) as gitlab:
        gitlab.project.ci = "both"
        request = await gitlab.opened()
        assert [one.status for one in gitlab.project.pipelines] == ["running", "running"]
        ready = request.readiness
        assert ready is not None
        assert (ready.pipeline, ready.detailed_merge_status) == ("running", "ci_still_running")
        gitlab.server.finish(gitlab.project)
        seen = await gitlab.seen()
        assert seen.readiness is not None
        assert (seen.readiness.pipeline, seen.readiness.detailed_merge_status) == ("success", "mergeable")
        assert isinstance(await gitlab.forge.merge(seen, at(seen, message=MARKED)), Landed)
        last = gitlab.project.pipelines[-1]
        assert (last.ref, last.sha, last.status) == ("main", gitlab.repo.head("main"), "skipped")


async def test_a_file_that_is_not_there_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        gone = replace(wish().files[0], path="gone.yaml")
        with pytest.raises(ForgeError, match="doesn't exist"):
            await gitlab.forge.open(wish(files=(gone,)), await gitlab.head())
        assert gitlab.repo.branches() == ["main"]
