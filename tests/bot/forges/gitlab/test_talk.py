"""The one note, quick actions that never start, comments and who may give orders, the dashboard issue."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.forges.base import Denied, Standing
from bot.forges.gitlab.notes import Note, harmless, told
from rules.merging import Condition
from tests.bot.forges.gitlab.setting import setting, wish
from tests.servers.gitlab import Rule, drop, status

WAITS = Standing(
    "wait", "not finished: ci/test", (Condition("open", True, "it is open"), Condition("checks", None, "not finished: ci/test"))
)
LANDS = Standing("merge", "every condition holds", (Condition("open", True, "it is open"), Condition("checks", True, "passed")))


async def test_there_is_one_note_and_both_parts_keep_their_place(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        for forge in (gitlab.forge, gitlab.again()):
            await forge.look()
            await forge.show(request, WAITS)
            await forge.comment(request, "Somebody pushed to this branch.")
            await forge.show(request, LANDS)
        (note,) = gitlab.notes()
        assert note.index("Somebody pushed") < note.index("**merge**: every condition holds")
        assert "- ✅ passed" in note
        assert "not finished" not in note


async def test_what_did_not_change_is_not_sent(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        gitlab.server.forget()
        await gitlab.forge.show(request, WAITS)
        # A request without notes is not searched. What the note itself moved is read at once.
        assert [line.split(" ")[0] for line in gitlab.server.log] == ["POST", "GET", "GET"]
        for _ in range(3):
            await gitlab.forge.show(request, WAITS)
        assert len(gitlab.server.log) == 3
        gitlab.server.forget()
        await gitlab.forge.look()
        assert await gitlab.forge.comments(request) == []
        assert len(gitlab.server.log) == 3
        forge = gitlab.again()
        await forge.look()
        gitlab.server.forget()
        await forge.show(request, WAITS)
        assert len(gitlab.server.log) == 1  # the note is looked for, once


async def test_what_people_do_while_our_note_is_written_is_seen(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        acts = [
            lambda: gitlab.server.approve(gitlab.merge(), "ada"),
            lambda: gitlab.server.note(gitlab.merge(), gitlab.server.user("ada"), "@tagboat hold"),
        ]
        for pattern, after in (("/notes", False), ("/notes", True), ("/approvals$", False), ("/approvals$", True)):
            for method in ("POST", "PUT", "GET"):
                gitlab.server.rules = [Rule(method, pattern, lambda: [act() for act in acts] and None, after=after)]
                gitlab.merge().approved_by.clear()
                known = len(await gitlab.forge.comments(request))
                await gitlab.forge.show(request, Standing("wait", f"{pattern} {after} {method}"))
                hit = gitlab.server.rules[0].times == 0
                seen = (await gitlab.seen()).readiness
                assert seen is not None
                assert [one.user for one in seen.reviews] == (["ada"] if hit else [])
                assert len(await gitlab.forge.comments(request)) == known + hit


async def test_a_note_that_somebody_removed_is_written_again(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        await gitlab.forge.show(request, WAITS)
        gitlab.merge().notes.clear()
        await gitlab.forge.show(request, LANDS)
        assert len(gitlab.notes()) == 1


async def test_somebody_elses_copy_of_our_note_is_not_ours(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        gitlab.server.note(gitlab.merge(), gitlab.server.user("ada"), str(Note("Forged.")))
        forge = gitlab.again()
        await forge.look()
        await forge.show(request, WAITS)
        assert ["wait" in note for note in gitlab.notes()] == [False, True]


@pytest.mark.parametrize("looks", [True, False])
@pytest.mark.parametrize("after", [True, False])
async def test_a_note_whose_answer_is_lost_is_there_once(tmp_path: Path, after: bool, looks: bool) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        gitlab.server.rules.append(Rule("POST", "/notes$", drop, after=after))
        with pytest.raises(Exception, match="broke"):
            await gitlab.forge.show(request, WAITS)
        if looks:
            await gitlab.forge.look()
        await gitlab.forge.show(request, WAITS)
        assert len(gitlab.notes()) == 1


async def test_an_edit_whose_answer_is_lost_is_made_again(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        await gitlab.forge.show(request, WAITS)
        gitlab.server.rules.append(Rule("PUT", "/notes/", status(502), times=3))
        with pytest.raises(Exception, match="502"):
            await gitlab.forge.show(request, LANDS)
        await gitlab.forge.look()
        await gitlab.forge.show(request, LANDS)
        assert ["every condition holds" in note for note in gitlab.notes()] == [True]


COMMAND = re.compile(r"^/\w", re.MULTILINE)
TEXTS = st.text(st.sampled_from("/\n\r \t\u000b\u000cmerge`*<!->a"), max_size=60)


@given(TEXTS)
def test_no_line_begins_with_a_slash(text: str) -> None:
    quiet = harmless(text)
    # GitLab takes carriage returns away before it looks.
    assert not COMMAND.search(quiet.replace("\r", ""))
    assert quiet.replace("\u2060", "") == text.replace("\r\n", "\n").replace("\r", "\n")
    assert harmless(quiet) == quiet


@given(TEXTS, TEXTS)
def test_a_note_is_read_as_it_was_written(comment: str, reason: str) -> None:
    note = Note().saying(comment.replace("<!--", "")).showing(Standing("wait", reason))
    assert Note.read(str(note)) == note
    assert Note.read(str(note).replace("\n", "\r\n")) == note
    assert not COMMAND.search(str(note))


def test_how_a_request_stands_is_escaped() -> None:
    text = told(Standing("wait", "@ada /merge [skip ci]", (Condition("x", False, "<b>#1</b>"),)))
    assert "@ada" not in text
    assert "<b>" not in text
    assert "#1" not in text
    assert "[skip ci]" not in text


async def test_nothing_that_we_write_starts_a_quick_action(tmp_path: Path) -> None:
    hostile = "/merge\n  /close\n\r/approve\r\n/label ~bug\nharmless /merge"
    async with setting(tmp_path) as gitlab:
        # The server carries out quick actions, and complains of each.
        await gitlab.forge.open(wish(body=hostile, title="/merge"), await gitlab.head())
        request = await gitlab.seen()
        await gitlab.forge.refresh(request, wish(body=f"{hostile}!", title="/close"), await gitlab.head(), rewrite=False)
        await gitlab.forge.comment(request, hostile)
        await gitlab.forge.show(request, Standing("wait", hostile, (Condition("x", None, hostile),)))
        await gitlab.forge.dashboard(hostile)
        assert (gitlab.merge().state, gitlab.merge().labels) == ("opened", ["images"])


async def test_comments_of_people_with_what_they_may_do(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        await gitlab.forge.show(request, WAITS)
        for name, text in (("ada", "@tagboat hold"), ("bob", "@tagboat why"), ("eve", "@tagboat merge")):
            gitlab.server.note(gitlab.merge(), gitlab.server.user(name), text)
        gitlab.server.note(gitlab.merge(), gitlab.server.user("zoe"), "I am no member")
        gitlab.server.note(gitlab.merge(), gitlab.server.user("ada"), "added 1 commit", system=True)
        await gitlab.forge.look()
        heard = await gitlab.forge.comments(request)
        assert [(one.author, one.text, one.may_write, one.number) for one in heard] == [
            ("ada", "@tagboat hold", True, 1),
            ("bob", "@tagboat why", True, 1),
            ("eve", "@tagboat merge", False, 1),
            ("zoe", "I am no member", False, 1),
        ]
        assert [one.author for one in await gitlab.forge.comments(request, heard[1].at)] == ["eve", "zoe"]


async def test_a_blocked_user_gives_no_orders(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        gitlab.server.user("ada").state = "blocked"
        gitlab.server.note(gitlab.merge(), gitlab.server.user("ada"), "@tagboat merge")
        await gitlab.forge.look()
        assert [one.may_write for one in await gitlab.forge.comments(request)] == [False]


async def test_comments_cost_nothing_where_nobody_said_anything_new(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        gitlab.server.forget()
        assert await gitlab.forge.comments(request) == []
        assert gitlab.server.log == []
        gitlab.server.note(gitlab.merge(), gitlab.server.user("ada"), "hello")
        await gitlab.forge.look()
        gitlab.server.forget()
        for _ in range(3):
            assert [one.text for one in await gitlab.forge.comments(request)] == ["hello"]
        assert len(gitlab.server.log) == 2  # the notes, and who Ada is
        gitlab.server.note(gitlab.merge(), gitlab.server.user("ada"), "and more")
        await gitlab.forge.look()
        assert [one.text for one in await gitlab.forge.comments(request)] == ["hello", "and more"]


async def test_times_are_gitlabs_own(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        gitlab.server.time.offset = -timedelta(days=1)
        request = await gitlab.opened()
        note = gitlab.server.note(gitlab.merge(), gitlab.server.user("ada"), "hello")
        await gitlab.forge.look()
        (heard,) = await gitlab.forge.comments(request)
        assert heard.at == datetime.fromisoformat(note.created_at)


async def test_the_dashboard_is_one_issue_edited_in_place(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        for forge, text in (
            (gitlab.forge, "1 open"),
            (gitlab.forge, "2 open"),
            (gitlab.again(), "2 open"),
            (gitlab.again(), "3"),
        ):
            await forge.look()
            await forge.dashboard(text)
        (issue,) = gitlab.project.issues
        assert issue.description.startswith("3\n")
        assert gitlab.server.counted[f"PUT /projects/{gitlab.project.id}/issues/1"] == 2


async def test_a_project_without_issues_says_so(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        gitlab.project.issues_enabled = False
        await gitlab.head()
        with pytest.raises(Denied, match="issues are switched off"):
            await gitlab.forge.dashboard("x")


async def test_a_dashboard_whose_answer_is_lost_is_there_once(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        await gitlab.head()
        gitlab.server.rules.append(Rule("POST", "/issues$", status(502), after=True))
        with pytest.raises(Exception, match="502"):
            await gitlab.forge.dashboard("x")
        await gitlab.forge.dashboard("x")
        assert len(gitlab.project.issues) == 1
