"""Nothing twice: the process dies after each write, or an answer is lost, and it is all done again by one that knows nothing."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bot.forges.base import ForgeError, Landed, Standing
from bot.forges.gitlab import talk, writing
from bot.forges.gitlab.forge import GitLabForge
from tests.bot.forges.gitlab.setting import BRANCH, LANDING, Setting, at, setting, wish
from tests.servers.gitlab import Rule, drop, status, truncated
from tests.servers.gitlab.rules import Act

_HEAD = re.compile("head [0-9a-f]{40}")


class Killed(BaseException):
    """The process ends here."""


Story = Callable[[Setting, GitLabForge], Awaitable[None]]


async def opens(gitlab: Setting, forge: GitLabForge) -> None:
    look = await forge.look()
    if not [one for one in look.requests if one.state == "open"]:
        await forge.open(wish("1.2.0"), look.heads["main"])
    (request,) = [one for one in (await forge.look()).requests if one.state == "open"]
    await forge.show(request, Standing("wait", "not finished"))


async def refreshes(gitlab: Setting, forge: GitLabForge) -> None:
    look = await forge.look()
    (request,) = look.requests
    if request.record is None or request.record.fingerprint != "fp-1.2.0":
        assert not request.edited_by_person
        await forge.refresh(request, wish("1.2.0"), look.heads["main"], rewrite=True)
    await forge.show(request, Standing("wait", "not finished"))


async def closes(gitlab: Setting, forge: GitLabForge) -> None:
    (request,) = (await forge.look()).requests
    if request.state == "open":
        await forge.close(request, "nothing left to update")


async def lands(gitlab: Setting, forge: GitLabForge) -> None:
    (request,) = (await forge.look()).requests
    if request.state == "open":
        assert isinstance(await forge.merge(request, at(request)), Landed)


async def hands_over(gitlab: Setting, forge: GitLabForge) -> None:
    """Left to GitLab's auto-merge, and taken back."""
    gitlab.project.settings["only_allow_merge_if_pipeline_succeeds"] = True
    (request,) = (await forge.look()).requests
    if not any(one.status == "running" for one in gitlab.project.pipelines):
        gitlab.server.pipeline(gitlab.project, request.head, ref=request.branch)
    assert await forge.merge(request, at(request, auto=True)) == Landed(None)
    await forge.no_auto_merge(request)
    assert gitlab.merge().auto is None


async def pushes(gitlab: Setting, forge: GitLabForge) -> None:
    look = await forge.look()
    if gitlab.repo.show("main:app.yaml") != "image: web:1.2.0":
        await forge.push(wish("1.2.0"), look.heads["main"], LANDING)


async def reports(gitlab: Setting, forge: GitLabForge) -> None:
    await forge.look()
    await forge.dashboard("1 open")


STORIES: dict[str, Story] = {
    "open": opens, "refresh": refreshes, "close": closes, "merge": lands, "auto": hands_over, "push": pushes,
    "note": refreshes, "dashboard": reports,
}  # fmt: skip
POINTS = [*writing.FAULT_POINTS, *talk.FAULT_POINTS]


def outcome(gitlab: Setting) -> dict[str, object]:
    """All that can be seen of a project, but for times and numbers of commits."""
    return {
        "branches": {name: gitlab.repo.git("rev-parse", f"{name}^{{tree}}") for name in gitlab.repo.branches()},
        "main": sorted(str(gitlab.repo.info(one)["message"]) for one in gitlab.repo.log("main")),
        "requests": {
            number: (one.state, one.title, _HEAD.sub("", one.description), one.labels, gitlab.notes(number))
            for number, one in gitlab.project.merges.items()
        },
        "issues": [one.description for one in gitlab.project.issues],
    }


async def told(
    folder: Path, story: Story, dies_at: str | None = None, rule: Rule | None = None
) -> tuple[dict[str, object], bool]:
    """How it ends, after a second run by a process that knows nothing; and whether the first one was disturbed."""
    disturbed = False
    async with setting(folder) as gitlab:
        if story not in (opens, pushes, reports):
            await gitlab.opened()

        def fault(point: str) -> None:
            nonlocal disturbed
            if point == dies_at and not disturbed:
                disturbed = True
                raise Killed

        gitlab.fault = fault
        if rule is not None:
            gitlab.server.rules.append(rule)
        with contextlib.suppress(Killed, ForgeError):
            await story(gitlab, gitlab.forge)
        disturbed = disturbed or (rule is not None and rule.times == 0)
        for _ in range(2):
            await story(gitlab, gitlab.again())
        return outcome(gitlab), disturbed


@pytest.mark.parametrize("point", POINTS)
async def test_killed_between_two_writes(tmp_path: Path, point: str) -> None:
    story = STORIES[point.partition(":")[0]]
    expected, _ = await told(tmp_path / "undisturbed", story)
    found, disturbed = await told(tmp_path / "disturbed", story, dies_at=point)
    assert disturbed
    assert found == expected


WRITES = {
    "open": ["POST .*/commits$", "POST .*/merge_requests$", "POST .*/notes$"],
    "refresh": ["POST .*/commits$", "PUT .*/merge_requests/1$", "POST .*/notes$"],
    "close": ["POST .*/notes$", "DELETE .*/branches/", "PUT .*/merge_requests/1$"],
    "merge": ["PUT .*/merge$"],
    "push": ["POST .*/commits$"],
    "dashboard": ["POST .*/issues$"],
}
FAULTS: dict[str, tuple[Act, bool]] = {
    "500 before": (status(500), False),
    "500 after": (status(500), True),
    "no answer before": (drop, False),
    "no answer after": (drop, True),
    "half an answer": (truncated, True),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("kind", "write"), [(kind, write) for kind, writes in WRITES.items() for write in writes])
async def test_trouble_in_the_middle_of_a_write(tmp_path: Path, kind: str, write: str, fault: str) -> None:
    method, _, pattern = write.partition(" ")
    act, after = FAULTS[fault]
    if method == "DELETE" and fault == "half an answer":
        pytest.skip("that answer is empty")
    expected, _ = await told(tmp_path / "undisturbed", STORIES[kind])
    found, disturbed = await told(tmp_path / "disturbed", STORIES[kind], rule=Rule(method, pattern, act, after=after))
    assert disturbed
    assert found == expected


async def test_a_second_process_that_is_at_it_too_makes_nothing_twice(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        base = await gitlab.head()
        other = gitlab.again()
        await other.look()
        first, second = await gitlab.forge.open(wish(), base), await other.open(wish(), base)
        assert (first.number, first.head) == (second.number, second.head)
        assert gitlab.repo.branches() == ["main", BRANCH]


async def test_a_branch_that_was_written_already_is_not_written_again(tmp_path: Path) -> None:
    async with setting(tmp_path) as gitlab:
        gitlab.project.ci = "branch"
        base = await gitlab.head()

        def fault(point: str) -> None:
            if point == "open:branch":
                raise Killed

        gitlab.fault = fault
        with pytest.raises(Killed):
            await gitlab.forge.open(wish(), base)
        gitlab.fault = lambda point: None
        head = gitlab.repo.head(BRANCH)
        assert (await gitlab.again().open(wish(), base)).head == head
        assert len([one for one in gitlab.project.pipelines if one.ref == BRANCH]) == 1
