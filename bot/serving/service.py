"""The server's heart: the app's repositories, looked at when something happens and when their time has come.

    service = await Service.start(app)
    await service.inbox.take(hints)
    await service.stop(20)

With `state: postgresql://…` any number of these share the work, on as many machines; with SQLite there is one. What passes found
is in the database (`bot.serving.summaries`), so that it makes no difference who ran them, and a restart forgets nothing.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from bot.app import App, Berth
from bot.report import Report
from bot.serving.freshness import FreshListings, SharedTags
from bot.serving.inbox import Inbox
from bot.serving.metrics import Metrics
from bot.serving.notify import Messenger
from bot.serving.summaries import Summaries, keep, summary
from bot.state.ledger import LedgerError
from bot.state.notebook import Notebook
from bot.state.shelf import Shelf
from bot.terminal import UsageError
from bot.work.base import Outcome, Run, Work
from bot.work.local import LocalWork
from bot.work.timer import Timer
from rules.images import canonical

if TYPE_CHECKING:
    from bot.work.leading import Leadership, Turns

log = structlog.get_logger(__name__)

_HISTORY = timedelta(days=90)
_HOUSEKEEPING = 3600.0
_WATCHING = 60.0  # seconds
_UNKNOWN = timedelta(minutes=1)  # between two questions for the repositories because one is asked for that is not known


@dataclass(slots=True)
class Service:
    """A running server without its doors (`bot.web.server` has these)."""

    app: App
    notebook: Notebook
    shelf: Shelf
    metrics: Metrics
    berths: dict[str, Berth] = field(default_factory=dict)
    troubles: list[Report] = field(default_factory=list)
    ready: bool = False
    work: Work = field(init=False)
    timer: Timer = field(init=False)
    inbox: Inbox = field(init=False)
    messenger: Messenger = field(init=False)
    summaries: Summaries = field(init=False)
    _leads: Callable[[], Awaitable[bool]] | None = None
    _leading: Callable[[], Awaitable[None]] | None = None
    _shared: SharedTags | None = None
    _refreshed: datetime | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @classmethod
    async def start(cls, app: App, *, at_once: int = 8, fresh: bool = True) -> Service:
        """Prepare and begin."""
        service = await cls.prepare(app, at_once=at_once)
        await service.begin(fresh=fresh)
        return service

    @classmethod
    async def prepare(cls, app: App, *, at_once: int = 8) -> Service:
        """All parts, none of them at work. Raises LedgerError, or UsageError where a part is not installed."""
        shelf = await Shelf.open(app.ledger)
        service = cls(app, await Notebook.open(app.ledger), shelf, Metrics(app.registries, app.usages))
        service.summaries = Summaries(shelf)
        leads = service._choose_parts(at_once)
        service._leads = leads.get("leads")
        service.timer = Timer(service.ask, shelf, every=app.settings.scan_every, now=app.clock, **leads)
        service.inbox = Inbox(service.notebook, service.ask, service.refresh, app.clock)
        service.messenger = Messenger(app.settings.notify, service.notebook, app.clock)
        return service

    async def begin(self, *, fresh: bool = True) -> None:
        """Begin to work: the repositories are listed, and each is looked at within a tenth of the interval (unless `fresh` is
        false: then when its time has come). Raises LedgerError."""
        await self.inbox.start()
        await self.work.start()
        await self.refresh(sooner=fresh)
        self._tasks = [
            asyncio.create_task(self.timer.run(), name="timer"),
            asyncio.create_task(self._keep_house(), name="housekeeping"),
            asyncio.create_task(self._forget(), name="forgetting"),
            asyncio.create_task(self._watch_rows(), name="rows"),
        ]
        self.ready = True

    def _choose_parts(self, at_once: int) -> dict[str, Callable[[], Awaitable[bool]]]:
        """In one process: its own queue and timer. On PostgreSQL: the queue that is shared, and one timer for all."""
        if not self.shelf.is_shared:
            self.work = LocalWork(self._pass, at_once=at_once, now=self.app.clock)
            return {}
        url = self.app.settings.state.reveal()
        self.work, leading, turns = shared_work(url, self._pass, at_once, self.app.clock)
        self._leading = leading.close
        self._shared = SharedTags(self.app.registries, self.shelf, turns)
        return {"leads": leading}

    async def stop(self, seconds: float) -> bool:
        """Take nothing new and let running passes end; whether all of them did in time."""
        self.ready = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.inbox.stop()
        if self._leading is not None:
            await self._leading()
        ended = await self.work.stop(seconds)
        if self._shared is not None:
            await self._shared.close()
        await self.messenger.close()
        return ended

    async def ask(self, repository: str, why: str) -> None:
        """Have a repository (its key) looked at. One that is not ours is not; one that only another process has found so far is.
        Raises LedgerError where it cannot be noted."""
        if repository in self.berths or (self.shelf.is_shared and await self.shelf.knows(repository)):
            await self.work.ask(repository, why)

    async def depth(self) -> int:
        """How many repositories wait."""
        return await self.work.depth()

    async def refresh(self, *, sooner: bool = False) -> None:
        """Ask the forges again which repositories there are. A forge that cannot be asked keeps those that it had."""
        self._refreshed = self.app.clock()
        berths, self.troubles = await self.app.berths()
        found = {berth.key: berth for berth in berths}
        try:
            if not self.troubles:
                gone = self.berths.keys() - found.keys()
                for key in gone:
                    del self.berths[key]
                if found:
                    await self.shelf.forget((await self.shelf.looks()).keys() - found.keys())
            self.berths |= found
            await self.timer.first(found, sooner=sooner)
        except LedgerError as error:
            log.error("the repositories are not written down", why=str(error))
            self.berths |= found
        self.metrics.known.set(len(self.berths))

    async def _pass(self, repository: str, why: str, asked: datetime) -> Outcome:
        """One pass, timed, counted and noted."""
        berth = await self._berth(repository)
        if berth is None:
            return Outcome()
        begun = self.app.clock()
        with structlog.contextvars.bound_contextvars(repository=berth.name, why=why, pass_id=secrets.token_hex(4)):
            with self.metrics.duration.time():
                oldest = begun - self.app.settings.scan_every
                listings = FreshListings(self.app.registries, self.notebook, oldest, self._shared)
                report = await self.app.one(berth, listings)
            outcome = Outcome(report.wake, not report.changed, report.failed)
            try:
                await self._note(repository, berth, report)
                await self.timer.after(repository, outcome, self.app.clock())
            except LedgerError as error:
                log.error("a pass is not written down", reason=str(error))
            self._count(report, (self.app.clock() - asked).total_seconds())
            seconds = (self.app.clock() - begun).total_seconds()
            log.info("pass", changed=report.changed, failed=report.failed, seconds=round(seconds, 3))
        return outcome

    async def _berth(self, repository: str) -> Berth | None:
        """The repository; one that this process does not know of yet may have been found by another."""
        if repository not in self.berths and self._refreshed is not None:
            if self.app.clock() - self._refreshed > _UNKNOWN:
                await self.refresh()
            elif self.shelf.is_shared:
                await self._put_off(repository, self._refreshed + _UNKNOWN)
        return self.berths.get(repository)

    async def _put_off(self, repository: str, until: datetime) -> None:
        """Have a repository looked at once the forges may be asked again for what there is."""
        try:
            await self.shelf.set_look(repository, until, "not known before", 0)
        except LedgerError as error:
            log.error("a repository that is not known yet is left to the timer", reason=str(error))

    async def _note(self, repository: str, berth: Berth, report: Report) -> None:
        """Write down what a pass found, and tell people. Raises LedgerError."""
        images = {canonical(place.image) for place in report.places}
        # A pass that saw nothing could not look: what was known stays.
        if images or not report.failed:
            await self.notebook.stands(repository, images)
        before = None if images else await self.summaries.one(repository)
        await keep(self.shelf, summary(repository, berth.forge.kind, report, self.app.clock(), before))
        await self._sighted(report)
        await self.messenger.tell(report)

    async def _sighted(self, report: Report) -> None:
        """Remember when the tags that stand somewhere, or are to, were first seen: the dashboard tells days by that."""
        tags: dict[str, set[str]] = {}
        for place in report.places:
            if place.tag is not None:
                tags.setdefault(canonical(place.image), set()).add(place.tag)
        for update in (one for wish in report.wishes for proposal in wish.proposals for one in proposal.updates):
            if update.target.tag is not None:
                tags.setdefault(canonical(update.occurrence.image), set()).add(update.target.tag)
        await self.app.ledger.sighted(tags, self.app.clock())

    def _count(self, report: Report, lag: float) -> None:
        self.metrics.lag.observe(max(lag, 0.0))
        if any(report.of("opened", "refreshed")):
            self.metrics.opened.observe(max(lag, 0.0))
        self.metrics.passes.labels("failed" if report.failed else "changed" if report.changed else "quiet").inc()
        for note in report.of("opened", "refreshed", "closed", "landed", "pushed"):
            self.metrics.effects.labels(note.kind).inc()

    async def gauge(self) -> None:
        """Set the gauges, from the summaries of all repositories. Raises LedgerError."""
        every = (await self.summaries.current()).values()
        self.metrics.depth.set(await self.depth())
        self.metrics.open.set(sum(len(one.requests) for one in every))
        self.metrics.held.set(sum(len(one.held) for one in every))
        self.metrics.troubles.set(sum(bool(one.troubles) for one in every))
        self.metrics.waiting.labels("waiting").set(sum(one.waiting for one in every))
        self.metrics.waiting.labels("blocked").set(sum(one.blocked for one in every))
        self.metrics.alarms.set(len(self.app.alarms()))
        self.metrics.keeping(request.standing for one in every for request in one.requests)

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(_HOUSEKEEPING)
            now = self.app.clock()
            try:
                await self.app.ledger.forget(now - _HISTORY)
                await self.notebook.tidy(now, self.app.settings.scan_every)
                await self.shelf.tidy(now)
            except LedgerError as error:
                log.error("the ledger is not tidied", why=str(error))
            await self.refresh()

    async def _forget(self) -> None:
        """Drop what was read of registries so long ago that no pass uses it: none takes what is older than an interval."""
        every = self.app.settings.scan_every
        while True:
            await asyncio.sleep(every.total_seconds() / 4)
            before = (self.app.clock() - 1.25 * every).timestamp()
            self.app.registries.prune(before)
            if self._shared is not None:
                self._shared.prune(before)

    async def _watch_rows(self) -> None:
        """Tell people what is wrong with rows of `forges`; of several processes one does."""
        while True:
            try:
                if self._leads is None or await self._leads():
                    for address, said in self.of_rows().items():
                        await self.messenger.tell_of_row(address, said)
            except LedgerError as error:
                log.error("what is wrong with forges is not told", why=str(error))
            await asyncio.sleep(_WATCHING)

    def of_rows(self) -> dict[str, list[str]]:
        """What a person has to see of each row of `forges`, by its address: that it cannot be asked, that its token runs out."""
        found: dict[str, list[str]] = {row.address: [] for row in self.app.rows}
        for report in (*self.troubles, *self.app.alarms()):
            found.setdefault(report.repository, []).extend(note.reason for note in report.notes)
        return found

    async def state(self) -> Mapping[str, str]:
        """What is not ready, and why; empty: all is."""
        wrong = {} if self.ready else {"work": "not started, or stopping"}
        try:
            await self.depth()
            await self.shelf.next_due()
        except LedgerError as error:
            wrong["ledger"] = str(error)
        return wrong | {report.repository: note.reason for report in self.troubles for note in report.of("trouble")}


def shared_work(url: str, run: Run, at_once: int, now: Callable[[], datetime]) -> tuple[Work, Leadership, Turns]:
    """The queue in PostgreSQL, who keeps its time, and who reads which image."""
    try:
        from bot.work.leading import Leadership, Turns
        from bot.work.postgres import PostgresWork
    except ImportError as error:
        raise UsageError(
            f"state: PostgreSQL needs the extra: pip install 'tagboat[postgres]' ({error.name} is missing)"
        ) from None
    return PostgresWork(url, run, at_once=at_once, now=now), Leadership(url), Turns(url)
