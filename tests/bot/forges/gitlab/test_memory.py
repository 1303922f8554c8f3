"""A forge that remembers sees the same as one that knows nothing, whatever people, CI and Tagboat itself did in between."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.forges.base import ForgeError, Standing
from rules.requests import PullRequest
from tests.bot.forges.gitlab.setting import Setting, at, setting, wish
from tests.servers.gitlab import Merge

IMAGES = ("web", "db", "cache")
PEOPLE = ("ada", "bob", "eve")


class Chance:
    """What may happen; each deed is one method."""

    def __init__(self, gitlab: Setting, seed: int) -> None:
        self.gitlab, self.chance, self.count = gitlab, random.Random(seed), 0

    async def act(self) -> str:
        """One deed, by its name."""
        self.count += 1
        deeds = [name for name in dir(self) if name.startswith(("people_", "ci_", "we_"))]
        name = self.chance.choice(deeds)
        outcome: Any = getattr(self, name)()
        if outcome is not None:
            await outcome
        return name

    def open_one(self) -> Merge | None:
        there = [merge for merge in self.gitlab.project.merges.values() if merge.state == "opened"]
        return self.chance.choice(there) if there else None

    def touch(self, change: Callable[[Merge], object]) -> None:
        if (merge := self.open_one()) is not None:
            change(merge)
            merge.updated_at = self.gitlab.server.time.text()

    # -- people

    def people_approve(self) -> None:
        self.touch(lambda merge: self.gitlab.server.approve(merge, self.chance.choice(PEOPLE)))

    def people_take_back_approval(self) -> None:
        self.touch(lambda merge: merge.approved_by.clear())

    def people_say(self) -> None:
        self.touch(lambda merge: self.gitlab.server.note(merge, self.gitlab.server.user("ada"), f"word {self.count}"))

    def people_ask(self) -> None:
        self.touch(lambda merge: self.gitlab.server.note(merge, self.gitlab.server.user("bob"), "Why?", resolvable=True))

    def people_resolve(self) -> None:
        if (merge := self.open_one()) is not None:
            for note in merge.notes:
                note.resolved = True

    def people_retitle(self) -> None:
        self.touch(lambda merge: setattr(merge, "title", self.chance.choice(["Draft: ", ""]) + f"Title {self.count}"))

    def people_label(self) -> None:
        self.touch(lambda merge: merge.labels.append(f"label-{self.count}"))

    def people_close(self) -> None:
        if self.chance.random() < 0.5 and (merge := self.open_one()) is not None:
            self.gitlab.server.close(self.gitlab.project, merge, self.gitlab.server.user("ada"))

    def people_push(self) -> None:
        if (merge := self.open_one()) is not None and self.gitlab.repo.head(merge.source):
            self.gitlab.server.push_as("bob", self.gitlab.project, merge.source, {f"{self.count}": b"x"}, f"Mine {self.count}")

    def people_move_the_base(self) -> None:
        path = self.chance.choice(["app.yaml", "other.yaml", "readme"])
        self.gitlab.server.push_as("ada", self.gitlab.project, "main", {path: f"{self.count}\n".encode()}, "Base")

    def people_delete_a_branch(self) -> None:
        if self.chance.random() < 0.3 and (merge := self.open_one()) is not None and self.gitlab.repo.head(merge.source):
            self.gitlab.server.moved(self.gitlab.project, self.gitlab.server.user("ada"), merge.source, None)

    def people_protect(self) -> None:
        protected = self.gitlab.project.protected
        if self.chance.random() < 0.5:
            protected.pop("main", None)
        else:
            protected["main"] = (40, 40)

    # -- CI

    def ci_ends(self) -> None:
        self.gitlab.server.finish(self.gitlab.project, self.chance.choice(["success", "failed", "canceled"]), self.open_one())

    def ci_begins(self) -> None:
        merge = self.open_one()
        if merge is not None and (head := self.gitlab.repo.head(merge.source)):
            self.gitlab.server.pipeline(self.gitlab.project, head, "running", merge=merge)

    def ci_of_a_branch(self) -> None:
        merge = self.open_one()
        if merge is not None and (head := self.gitlab.repo.head(merge.source)):
            self.gitlab.server.pipeline(self.gitlab.project, head, "pending", ref=merge.source)

    # -- ourselves

    async def we_open(self) -> None:
        image = self.chance.choice(IMAGES)
        data = f"image: {image}:{self.count}\n".encode()
        await self.gitlab.forge.open(wish(f"1.{self.count}", image=image, data=data), await self.gitlab.head())

    async def we_refresh(self) -> None:
        for request in await self.ours():
            image = request.branch.removeprefix("tagboat/").partition("-")[0]
            proposal = wish(f"2.{self.count}", image=image, data=f"n: {self.count}\n".encode())
            await self.gitlab.forge.refresh(request, proposal, await self.gitlab.head(), rewrite=self.chance.random() < 0.7)

    async def we_show(self) -> None:
        for request in await self.ours():
            await self.gitlab.forge.show(request, Standing("wait", f"reason {self.chance.randrange(3)}"))

    async def we_comment(self) -> None:
        for request in await self.ours():
            await self.gitlab.forge.comment(request, f"comment {self.chance.randrange(3)}")

    async def we_land(self) -> None:
        if self.chance.random() < 0.4:
            for request in (await self.ours())[:1]:
                await self.gitlab.forge.merge(request, at(request))

    async def we_close(self) -> None:
        if self.chance.random() < 0.3:
            for request in (await self.ours())[:1]:
                await self.gitlab.forge.close(request, "nothing left to update")

    async def ours(self) -> list[PullRequest]:
        seen = (await self.gitlab.forge.look()).requests
        return [one for one in seen if one.state == "open" and not one.edited_by_person]


def plain(requests: tuple[PullRequest, ...]) -> list[PullRequest]:
    """Without what a forge need not keep of a request that has ended: its words beside the hidden line."""
    return [one if one.state == "open" else replace(one, body="") for one in requests]


@pytest.mark.parametrize("seed", range(8))
async def test_what_is_remembered_is_what_is(tmp_path: Path, seed: int) -> None:
    async with setting(tmp_path) as gitlab:
        gitlab.project.ci = "both"
        chance = Chance(gitlab, seed)
        done: list[str] = []
        for _ in range(30):
            try:
                done.append(await chance.act())
            except ForgeError as error:
                done.append(f"{type(error).__name__}")
            warm, fresh = await gitlab.forge.look(), await gitlab.again().look()
            assert plain(warm.requests) == plain(fresh.requests), done
            assert (warm.heads, warm.project) == (fresh.heads, fresh.project)
            for request in warm.requests:
                if request.state == "open":
                    said = [(one.author, one.text) for one in await gitlab.forge.comments(request)]
                    people = [note for note in gitlab.merge(request.number).notes if not note.system and not note.author.bot]
                    assert said == [(note.author.username, note.body) for note in people], done
            for number in gitlab.project.merges:
                assert len([note for note in gitlab.merge(number).notes if note.author.bot and not note.system]) <= 1, done
