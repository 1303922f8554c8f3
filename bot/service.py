"""The server's heart: the app's repositories, looked at when something happens and when their time has come.

    service = await Service.start(app)
    await service.inbox.take(hints)
    await service.stop(20)

`reports` has the last report of each repository, by its key: that is what the dashboard shows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from bot.app import App, Berth
from bot.freshness import FreshListings
from bot.ledger import LedgerError
from bot.notebook import Notebook
from bot.notify import Messenger
from bot.report import Report
from bot.web.inbox import Inbox
from bot.web.metrics import Metrics
from bot.work.base import Outcome
from bot.work.local import LocalWork
from bot.work.timer import Timer
from rules.images import canonical

log = structlog.get_logger(__name__)

_HISTORY = timedelta(days=90)
_HOUSEKEEPING = 3600.0


@dataclass(slots=True)
class Service:
    """A running server without its doors (`bot.web.server` has these)."""

    app: App
    notebook: Notebook
    metrics: Metrics
    berths: dict[str, Berth] = field(default_factory=dict)
    reports: dict[str, Report] = field(default_factory=dict)
    looked: dict[str, datetime] = field(default_factory=dict)
    troubles: list[Report] = field(default_factory=list)
    asked: dict[str, datetime] = field(default_factory=dict)
    ready: bool = False
    work: LocalWork = field(init=False)
    timer: Timer = field(init=False)
    inbox: Inbox = field(init=False)
    messenger: Messenger = field(init=False)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @classmethod
    async def start(cls, app: App, *, at_once: int = 8) -> Service:
        """Begin to work: the repositories are listed, and each is looked at within a tenth of the interval."""
        service = cls(app, await Notebook.open(app.ledger), Metrics(app.registries))
        service.work = LocalWork(service._pass, at_once=at_once)
        service.timer = Timer(service.ask, every=app.settings.scan_every, now=app.clock)
        service.inbox = Inbox(service.notebook, service.ask, service.refresh, app.clock)
        service.messenger = Messenger(app.settings.notify, service.notebook, app.clock)
        await service.inbox.start()
        await service.work.start()
        await service.refresh()
        service._tasks = [
            asyncio.create_task(service.timer.run(), name="timer"),
            asyncio.create_task(service._keep_house(), name="housekeeping"),
        ]
        service.ready = True
        return service

    async def stop(self, seconds: float) -> bool:
        """Take nothing new and let running passes end; whether all of them did in time."""
        self.ready = False
        for task in self._tasks:
            task.cancel()
        await self.inbox.stop()
        ended = await self.work.stop(seconds)
        await self.messenger.close()
        return ended

    async def ask(self, repository: str, why: str) -> None:
        """Have a repository (its key) looked at. One that is not ours is not."""
        if repository in self.berths:
            self.asked.setdefault(repository, self.app.clock())
            await self.work.ask(repository, why)
            self.metrics.depth.set(await self.work.depth())

    async def depth(self) -> int:
        """How many repositories wait."""
        return await self.work.depth()

    async def refresh(self) -> None:
        """Ask the forges again which repositories there are. A forge that cannot be asked keeps those that it had."""
        berths, self.troubles = await self.app.berths()
        found = {berth.key: berth for berth in berths}
        if not self.troubles:
            for gone in self.berths.keys() - found.keys():
                self.timer.forget(gone)
                self.reports.pop(gone, None)
                del self.berths[gone]
        self.berths |= found
        self.timer.first(found)
        self.metrics.known.set(len(self.berths))

    async def _pass(self, repository: str, why: str) -> Outcome:
        """One pass, timed, counted and noted."""
        berth = self.berths.get(repository)
        if berth is None:
            return Outcome()
        asked, begun = self.asked.pop(repository, None), self.app.clock()
        with structlog.contextvars.bound_contextvars(repository=berth.name, why=why):
            with self.metrics.duration.time():
                report = await self.app.one(berth, await self._listings(begun))
            outcome = Outcome(report.wake, not report.changed, report.failed)
            await self._note(repository, report)
            now = self.app.clock()
            self.timer.after(repository, outcome, now)
            self.looked[repository] = now
            if asked is not None:
                self.metrics.lag.observe((now - asked).total_seconds())
            log.info("pass", changed=report.changed, failed=report.failed, seconds=(now - begun).total_seconds())
        return outcome

    async def _listings(self, now: datetime) -> FreshListings:
        return FreshListings(self.app.registries, self.notebook, now - self.app.settings.scan_every)

    async def _note(self, repository: str, report: Report) -> None:
        self.reports[repository] = report
        images = {canonical(place.image) for place in report.places}
        # A pass that saw nothing could not look: what was known stays.
        if images or not report.failed:
            try:
                await self.notebook.stands(repository, images)
            except LedgerError as error:
                log.error("places not written down", why=str(error))
        await self._sighted(report)
        await self.messenger.tell(report)
        self.metrics.passes.labels("failed" if report.failed else "changed" if report.changed else "quiet").inc()
        for note in report.of("opened", "refreshed", "closed", "landed", "pushed"):
            self.metrics.effects.labels(note.kind).inc()
        self._gauge()

    async def _sighted(self, report: Report) -> None:
        """Remember when the tags that stand somewhere, or are to, were first seen: the dashboard tells days by that."""
        tags: dict[str, set[tuple[str, str | None]]] = {}
        for place in report.places:
            if place.tag is not None:
                tags.setdefault(canonical(place.image), set()).add((place.tag, None))
        for update in (one for wish in report.wishes for proposal in wish.proposals for one in proposal.updates):
            if update.target.tag is not None:
                tags.setdefault(canonical(update.occurrence.image), set()).add((update.target.tag, None))
        try:
            for image, some in tags.items():
                await self.app.ledger.first_seen(image, some, self.app.clock())
        except LedgerError as error:
            log.error("first sights not written down", why=str(error))

    def _gauge(self) -> None:
        """The gauges of all repositories, from their last reports."""
        reports = list(self.reports.values())
        self.metrics.open.set(sum(one.state == "open" for report in reports for one in report.requests))
        self.metrics.held.set(sum(stay.held is not None for report in reports for wish in report.wishes for stay in wish.stays))
        self.metrics.troubles.set(sum(report.failed for report in reports))
        for word in ("waiting", "blocked"):
            self.metrics.waiting.labels(word).set(sum(1 for report in reports for _ in report.of(word)))

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(_HOUSEKEEPING)
            now = self.app.clock()
            with suppress(LedgerError):
                await self.app.ledger.forget(now - _HISTORY)
                await self.notebook.tidy(now)
            self.app.registries.prune((now - 2 * self.app.settings.scan_every).timestamp())
            await self.refresh()

    def state(self) -> Mapping[str, str]:
        """What is not ready, and why; empty: all is."""
        wrong = {} if self.ready else {"work": "not started, or stopping"}
        return wrong | {report.repository: note.reason for report in self.troubles for note in report.of("trouble")}
