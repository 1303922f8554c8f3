"""What people, projects and tokens can be like on GitLab, and how Tagboat finds its way."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.forges.base import Denied, Gone, Landed, NotLanded
from tests.bot.forges.gitlab.setting import BRANCH, at, setting, wish
from tests.servers.gitlab import Rule, status
from tests.servers.gitlab.state import DEVELOPER, REPORTER


async def test_a_strangers_branch_by_our_name_is_left_alone(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        theirs = gitlab.server.push_as("ada", gitlab.project, BRANCH, {"x": b""}, "Mine")
        with pytest.raises(Denied, match="delete or rename"):
            await gitlab.forge.open(wish(), await gitlab.head())
        assert gitlab.repo.head(BRANCH) == theirs


async def test_somebody_elses_request_from_our_branch_is_left_alone(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        await gitlab.opened()
        gitlab.merge().author = gitlab.server.user("ada")
        assert (await gitlab.again().look()).requests == ()
        with pytest.raises(Denied, match="somebody else"):
            await gitlab.again().open(wish(), await gitlab.head())


async def test_an_instance_that_puts_other_names_under_our_commits(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        await gitlab.head()
        user = gitlab.server.tokens[gitlab.token].user
        user.name, user.email, named = "Somebody", "hidden@users.noreply.example", (user.name, user.email)
        request = await gitlab.opened()
        user.name, user.email = named
        for version in ("1.2.0", "1.3.0"):
            seen = await gitlab.seen(forge=gitlab.again())
            assert not seen.edited_by_person
            assert "head" not in seen.body
            request = await gitlab.again().refresh(seen, wish(version), await gitlab.head(), rewrite=True)
            assert gitlab.repo.head(BRANCH) == request.head


async def test_a_commit_that_a_person_worked_over_is_theirs(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        info, tree = gitlab.repo.info(request.head), gitlab.repo.git("rev-parse", f"{request.head}^{{tree}}")
        ada, bot = gitlab.server.user("ada"), gitlab.merge().author
        again = gitlab.repo.commit(
            str(info["message"]), info["parent_ids"], bot.who, ada.who, tree=tree, date="2026-01-01T00:00:00Z"
        )
        gitlab.server.moved(gitlab.project, ada, BRANCH, again)
        assert (await gitlab.seen(forge=gitlab.again())).edited_by_person


async def test_a_draft_stays_one(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        await gitlab.opened()
        gitlab.merge().title = "Draft: Update web to 1.1.0"
        gitlab.merge().updated_at = gitlab.server.time.text()
        seen = await gitlab.seen()
        assert (seen.draft, seen.readiness and seen.readiness.detailed_merge_status) == (True, "draft_status")


async def test_a_revert_of_what_landed_shows_in_the_history(tmp_path: Path) -> None:
    async with setting(tmp_path, squash_option="always", merge_method="ff") as gitlab:
        request = await gitlab.opened()
        landed = await gitlab.forge.merge(request, at(request))
        assert isinstance(landed, Landed)
        gitlab.server.push_as("ada", gitlab.project, "main", {"app.yaml": b"image: web:1.0.0\n"}, "Revert")
        forge = gitlab.again()
        seen = await gitlab.seen(forge=forge)
        assert (seen.state, seen.landed) == ("merged", landed.commit)
        history = await forge.history("main", ["app.yaml", "app.yaml"])
        assert [(commit.author, commit.ours) for commit in history] == [("Ada", False), ("tagboat", True), ("Ada", False)]


async def test_another_base(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        base = gitlab.server.push_as("ada", gitlab.project, "stable", {"s": b""}, "Stable")
        assert (await gitlab.forge.look(["stable", "none"])).heads == {"main": gitlab.repo.head("main"), "stable": base}
        await gitlab.forge.open(wish(base="stable"), base)
        for forge in (gitlab.forge, gitlab.again()):
            seen = await gitlab.seen(forge=forge)
            ready = seen.readiness
            assert ready is not None
            assert (seen.base, ready.behind_by, ready.protection.present) == ("stable", 0, False)
        assert list((await gitlab.forge.look()).heads) == ["main", "stable"]


async def test_a_renamed_project_is_found_again(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        gitlab.project.old_paths.add(gitlab.project.path)
        gitlab.project.path = "acme/deploy"
        second = await gitlab.forge.refresh(request, wish("1.2.0"), await gitlab.head(), rewrite=True)
        assert (second.number, gitlab.forge.name) == (1, "acme/gitops")
        forge = gitlab.again()
        forge._lane.key = "acme/gitops"
        await forge.look()
        assert forge.name == "acme/deploy"


GONE = [
    ("archived", {"archived": True}, "archived"),
    ("a fork", {"fork": True}, "fork"),
    ("removed", {"removed": True}, "gone"),
]


@pytest.mark.parametrize(("change", "says"), [row[1:] for row in GONE], ids=[row[0] for row in GONE])
async def test_a_project_that_is_to_be_left_alone(tmp_path: Path, change: dict[str, bool], says: str) -> None:
    async with setting(tmp_path) as gitlab:
        request = await gitlab.opened()
        for name, value in change.items():
            setattr(gitlab.project, name, value)
        if "fork" not in change:
            with pytest.raises(Gone, match=says):
                await gitlab.forge.refresh(request, wish("1.2.0"), request.head, rewrite=True)
        with pytest.raises(Gone, match=says):
            await gitlab.forge.merge(request, at(request))
        if "removed" not in change:
            with pytest.raises(Gone, match=says):
                await gitlab.again().look()


async def test_a_project_that_was_never_seen(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        gitlab.project.removed = True
        with pytest.raises(Denied, match="may not see it"):
            await gitlab.forge.look()


async def test_an_empty_project(tmp_path: Path) -> None:
    async with setting(tmp_path, files={}) as gitlab:
        assert (await gitlab.forge.look()).heads == {}


@pytest.mark.parametrize(
    ("level", "says"), [(REPORTER, "Reporter, and Tagboat needs Developer"), (DEVELOPER, None)], ids=["reporter", "developer"]
)
async def test_what_the_role_does_not_allow_is_said_in_plain_words(tmp_path: Path, level: int, says: str | None) -> None:
    async with setting(tmp_path) as gitlab:
        base = await gitlab.head()
        gitlab.project.members[gitlab.server.tokens[gitlab.token].user.id] = level
        if says:
            with pytest.raises(Denied, match=says):
                await gitlab.forge.open(wish(), base)
            return
        request = await gitlab.forge.open(wish(), base)
        assert await gitlab.forge.merge(request, at(request)) == NotLanded(401, "401 Unauthorized")
        seen = (await gitlab.seen()).readiness
        assert seen is not None
        assert not seen.protection.bot_may_push


async def test_what_the_scope_does_not_allow_is_said_in_plain_words(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        base = await gitlab.head()
        gitlab.server.tokens[gitlab.token].scopes = ("read_api",)
        with pytest.raises(Denied, match="scope read_api, and Tagboat needs `api`"):
            await gitlab.forge.open(wish(), base)


async def test_an_expired_token_is_said_in_plain_words(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        await gitlab.head()
        gitlab.server.tokens[gitlab.token].revoked = True
        with pytest.raises(Denied, match="expired or was revoked"):
            await gitlab.forge.look()


async def test_one_request_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        base = await gitlab.head()
        for image in ("web", "db"):
            await gitlab.forge.open(wish(image=image, path="app.yaml" if image == "web" else "other.yaml"), base)
        gitlab.server.rules.append(Rule("GET", "/merge_requests/1$", status(500), times=-1))
        look = await gitlab.forge.look()
        assert [(one.number, one.readiness is None) for one in look.requests] == [(1, True), (2, False)]
