"""The story of the demo: two passes, a push, a third pass. Each step says what it did and is checked."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.app import App
from bot.demo.screen import Screen
from bot.demo.world import BUILT, World
from bot.forges.git.forge import GitForge
from bot.report import Report
from rules.images import canonical
from rules.plan import PullRequest

_COLOURS = {"opened": "32", "refreshed": "33", "landed": "1;32", "closed": "33", "waiting": "36", "trouble": "1;31"}
_PERSON = "a person lands it: no rule says otherwise"


@dataclass(slots=True)
class Story:
    """The demo's steps over one world and one app."""

    world: World
    app: App
    screen: Screen
    shown: set[str] = field(default_factory=set)

    async def tell(self) -> None:
        """From the first pass to the refreshed request."""
        await self.first()
        await self.second()
        await self.third()

    async def first(self) -> None:
        """The updates are found and proposed; dev lands, prod waits."""
        self.screen.step("A pass: better tags are found, proposed, and landed where the rules say so")
        report = await self.run()
        requests = await self.requests()
        self._found(requests)
        await self._tell(report, requests)
        landed = [one for one in requests if one.state == "merged"]
        waiting = [one for one in requests if one.state == "open"]
        self.screen.expect(len(landed) == 1, "dev landed by its rule")
        self.screen.expect(len(waiting) == 1, "prod waits for a person")
        for one in landed:
            await self._markers(one)

    async def second(self) -> None:
        """Nothing moved, so nothing is done."""
        self.screen.step("A second pass: nothing has changed, so nothing is done")
        before = await self.world.git("for-each-ref")
        report = await self.run()
        after = await self.world.git("for-each-ref")
        self.screen.line("unchanged", f"{len(before.splitlines())} refs as before", "2")
        self.screen.expect(not report.changed and before == after, "a second pass does nothing")

    async def third(self) -> None:
        """A build pushes an image: dev follows, and prod's open request is brought up to date in place."""
        before = {one.number: one for one in await self.requests() if one.state == "open"}
        tag = await self.world.build()
        self.screen.step(f"The pipeline pushes harbour/shop:{tag}: dev follows, and the open request moves on in place")
        report = await self.run()
        requests = await self.requests()
        await self._tell(report, requests)
        same = [one for one in requests if one.number in before and one.state == "open"]
        moved = [one for one in same if one.head != before[one.number].head and one.branch == before[one.number].branch]
        self.screen.expect(bool(moved) and len(moved) == len(before), "the open request was refreshed: same number, same branch")
        self.screen.expect(sum(one.state == "merged" for one in requests) == len(BUILT[:2]), "dev landed again")

    async def build(self) -> None:
        """For the hand at the keyboard: one more image, one more pass."""
        tag = await self.world.build()
        self.screen.step(f"The pipeline pushes harbour/shop:{tag}" if tag else "No further build is prepared: just a pass")
        await self._tell(await self.run(), await self.requests())

    async def land(self) -> None:
        """For the hand at the keyboard: a person merges what is open."""
        waiting = [one for one in await self.requests() if one.state == "open"]
        self.screen.step("A person merges what is open" if waiting else "Nothing is open")
        for one in waiting:
            await self.world.merge(one.branch)
            self.screen.line("merged", f"!{one.number} {one.title}", "1;32")
        await self._tell(await self.run(), await self.requests())

    async def run(self) -> Report:
        """One pass; its troubles are shown."""
        self.app.registries.forget()
        (report,) = [report async for report in self.app.run_all()]
        for note in report.of("trouble"):
            self.screen.line("trouble", " ".join(filter(None, (note.where, note.title, note.reason))), _COLOURS["trouble"])
        self.screen.expect(not report.failed, "the pass had no trouble")
        return report

    async def requests(self) -> tuple[PullRequest, ...]:
        """Our requests as they stand in the repository."""
        return (await (await self._forge()).look(("main",))).requests

    async def _forge(self) -> GitForge:
        (berth,), _ = await self.app.berths()
        assert isinstance(berth.forge, GitForge)
        return berth.forge

    def _found(self, requests: tuple[PullRequest, ...]) -> None:
        host = self.world.registry.host
        for file, image, old, new in sorted(target for one in requests if one.record for target in one.record.targets):
            self.screen.line("found", f"{file:<32} {canonical(image).removeprefix(f'{host}/'):<16} {old} -> {new}", "2")

    async def _tell(self, report: Report, requests: tuple[PullRequest, ...]) -> None:
        """What was opened and refreshed with its diff, what landed, what waits."""
        by_where = {f"!{one.number}": one for one in requests}
        for note in report.of("opened", "refreshed"):
            self.screen.line(note.kind, f"{note.where} {note.title}", _COLOURS[note.kind])
            if note.where in by_where and by_where[note.where].state == "open":
                self.screen.diff(await (await self._forge()).diff(by_where[note.where]))
        for note in report.of("landed"):
            self.screen.line("landed", f"{note.where} by its rule", _COLOURS["landed"])
            if (request := by_where.get(note.where)) is not None and request.landed:
                self.screen.diff(await self.world.git("show", "--format=", "-U0", request.landed))
                self.screen.line("", f"on main as: {await self.world.message(request.landed)}", "")
                self.screen.line("", f"marked, for {note.reason.partition(' (')[0]}")
        for one in requests:
            if one.state == "open":
                self.screen.line("waiting", f"!{one.number} {_PERSON}", _COLOURS["waiting"])

    async def _markers(self, landed: PullRequest) -> None:
        """The marker stands on the commit that landed, and only there."""
        assert landed.landed is not None
        on_main = await self.world.message(landed.landed)
        self.screen.expect("[skip ci]" in on_main or "skip-ci" in on_main, "the landed commit starts no build")
        self.screen.expect("skip" not in landed.title.lower(), "the request's title has no marker")
