"""The composition: settings become registries, a ledger, forges and passes. The one place where parts are chosen and joined.

async with await App.open(load(None, os.environ)) as app:
    async for report in app.run_all():
        print(report.repository, report.failed)
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import secrets
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import structlog

from bot import logs
from bot.forges.base import Counting, Forge, ForgeError, ForgeKind, Host, Usage
from bot.passes import Mode, Terms, Tools, one_pass
from bot.reading.choosing import Listings
from bot.reading.looking import Memory
from bot.registries.pool import Registries
from bot.report import Report
from bot.settings import ForgeSettings, Settings
from bot.state.contents import Contents
from bot.state.ledger import Ledger
from bot.terminal import UsageError

if TYPE_CHECKING:
    from bot.state.sharing import Shared

log = structlog.get_logger(__name__)

FORGES: Mapping[ForgeKind, str] = {
    "github": "bot.forges.github.host:GitHubHost",
    "gitlab": "bot.forges.gitlab.host:GitLabHost",
    "git": "bot.forges.git.host:GitHost",
}
"""Each kind of forge with its Host class, loaded only where it is used."""

UNKNOWN = "there is no such repository in `forges`"
AT_ONCE = 8  # passes over different repositories
_SQLITE = "sqlite:///"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Berth:
    """A repository with the operator's terms for it."""

    forge: Forge
    terms: Terms
    mode: Mode

    @property
    def name(self) -> str:
        return self.forge.name

    @property
    def key(self) -> str:
        """What tells it from a repository of the same name on another kind of forge: `github:acme/gitops`."""
        return f"{self.forge.kind}:{self.forge.name}"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of `forges`, opened: its settings, and the host or why there is none."""

    settings: ForgeSettings
    host: Host

    @property
    def address(self) -> str:
        """What people know it by."""
        return getattr(self.settings, "url", self.host.kind)


@dataclass(slots=True)
class App:
    """Everything that runs. `open` it, and `close` it (or `async with`)."""

    settings: Settings
    registries: Registries
    ledger: Ledger
    rows: tuple[Row, ...]
    clock: Callable[[], datetime] = _now
    fault: Callable[[str], None] = lambda point: None
    memory: Memory = field(default_factory=Memory)
    shared: Shared | None = None

    @classmethod
    async def open(
        cls,
        settings: Settings,
        *,
        clock: Callable[[], datetime] = _now,
        fault: Callable[[str], None] = lambda point: None,
    ) -> App:
        """Open the ledger and the hosts. Raises LedgerError, or UsageError where a secret that is needed is missing."""
        if not structlog.is_configured():
            logs.configure()  # as it comes, its tracebacks show local variables
        state = settings.state.reveal()
        ledger = await Ledger.open(state)
        try:
            shared = await _shared(ledger)
        except BaseException:
            await ledger.close()
            raise
        registries = Registries(settings.registries, cache=ledger, allowances=shared)
        parts = {"cache": clones(settings), "now": clock, "fault": fault, "ledger": ledger, "allowances": shared}
        try:
            rows = tuple(Row(one, _host(one, parts)) for one in settings.forges)
        except BaseException:
            await registries.close()
            await ledger.close()
            raise
        return cls(settings, registries, ledger, rows, clock, fault, Memory(kept=Contents(ledger)), shared)

    async def close(self) -> None:
        """Give everything back."""
        for row in self.rows:
            try:
                await row.host.close()
            except ForgeError as error:
                log.warning("forge not closed in good order", why=str(error))
        await self.registries.close()
        if self.shared is not None:
            await self.shared.close()
        await self.ledger.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def berths(self) -> tuple[list[Berth], list[Report]]:
        """Every repository to look at, and a report of trouble for each row that could not be asked for its own."""
        found = await asyncio.gather(*(self._berths(row) for row in self.rows))
        return [one for some, _ in found for one in some], [report for _, report in found if report is not None]

    async def _berths(self, row: Row) -> tuple[list[Berth], Report | None]:
        try:
            repositories = await row.host.repositories()
        except UsageError:  # a secret that is needed is missing
            raise
        except Exception as error:
            report = Report(row.address)
            report.add("trouble", "", str(error) if isinstance(error, ForgeError) else _defect(error))
            return [], report
        return [Berth(one.forge, self._terms(named=one.named), row.settings.mode) for one in repositories], None

    def alarms(self) -> list[Report]:
        """What a person has to see of the hosts themselves: that a token soon runs out."""
        found: list[Report] = []
        for row in self.rows:
            for said in getattr(row.host, "alarms", ()):
                report = Report(row.address)
                report.add("left", "token", said)
                found.append(report)
        return found

    def usages(self) -> list[Usage]:
        """What each row of `forges` was asked, and what it says is left."""
        return [row.host.usage for row in self.rows if isinstance(row.host, Counting)]

    def _terms(self, *, named: bool) -> Terms:
        settings = self.settings
        without = settings.repositories_without_file
        return Terms(settings.defaults, settings.limits, named if without is None else without == "propose")

    async def one(self, berth: Berth, listings: Listings | None = None) -> Report:
        """One pass over one repository, with the registries as `listings` gives them (as they are, unless given). It never raises
        for trouble, not even for a defect: that is logged and reported."""
        tools = Tools(listings or self.registries, self.ledger, self.memory, berth.mode, self.clock, self.fault)
        try:
            return await one_pass(berth.forge, berth.terms, tools)
        except Exception as error:
            report = Report(berth.name)
            report.add("trouble", "", _defect(error))
            return report

    async def run_all(self, names: Collection[str] = ()) -> AsyncIterator[Report]:
        """One pass over every repository (of these names, where some are named), several at once; reports as they come.

        A name that fits no repository gets a report of trouble."""
        berths, troubles = await self.berths()
        for report in (*troubles, *self.alarms()):
            yield report
        chosen = [berth for berth in berths if not names or any(is_named(berth.name, name) for name in names)]
        for name in names:
            if not any(is_named(berth.name, name) for berth in berths):
                report = Report(name)
                report.add("trouble", "", UNKNOWN)
                yield report
        turn = asyncio.Semaphore(AT_ONCE)

        async def run(berth: Berth) -> Report:
            with structlog.contextvars.bound_contextvars(repository=berth.name, why="run", pass_id=secrets.token_hex(4)):
                async with turn:
                    return await self.one(berth)

        tasks = [asyncio.create_task(run(berth)) for berth in chosen]
        try:
            for next_done in asyncio.as_completed(tasks):
                yield await next_done
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _defect(error: Exception) -> str:
    """What people are told of an error that should not be; the log has the rest."""
    log.error("a defect", exc_info=error)
    return f"a defect in Tagboat: {type(error).__name__} (the log says more)"


def clones(settings: Settings) -> Path:
    """The folder for clones: beside the state's file."""
    state = settings.state.reveal()
    path = state.removeprefix(_SQLITE)
    if path == state or path in ("", ":memory:"):
        return settings.folder / "data" / "clones"
    return Path(path).parent / "clones"


async def _shared(ledger: Ledger) -> Shared | None:
    """What is allowed towards hosts, where other processes ask them too; each keeps its own limits besides. May raise
    LedgerError."""
    if not ledger.is_shared:
        return None
    from bot.state.sharing import Shared

    return await Shared.open(ledger)


def _host(settings: ForgeSettings, parts: Mapping[str, Any]) -> Host:
    """The host for a row. Of the parts it is given those that its constructor names."""
    module, _, name = FORGES[settings.kind].partition(":")
    made = getattr(importlib.import_module(module), name)
    wanted = inspect.signature(made).parameters
    try:
        host: Host = made(settings, **{key: part for key, part in parts.items() if key in wanted})
    except ForgeError as error:
        raise UsageError(f"forges: {error}") from None
    return host


def is_named(full: str, name: str) -> bool:
    """Whether a name that a person typed means a repository: its whole name, or the end of it after a slash."""
    return full == name or full.removesuffix(".git").endswith(f"/{name.removesuffix('.git')}")
