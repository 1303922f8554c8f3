"""Act: carry out what was decided, one request at a time. Each effect may be the last before a crash, so each is safe to repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from bot.forges.base import Forge, ForgeError, Moved
from bot.ledger import Event, EventKind, Ledger
from bot.report import Report
from rules.plan import Action, Close, Leave, Open, PullRequest, Refresh
from rules.proposals import Proposal

FAULT_POINTS = (
    "before open",
    "after open",
    "before refresh",
    "after refresh",
    "before close",
    "after close",
    "before merge",
    "after merge",
    "before push",
    "after push",
    "after record",
)
"""The places between two effects at which a process can die; the tests kill it at each of them."""


@dataclass(frozen=True, slots=True)
class Hands:
    """What effects need: the forge, the ledger, the report, the clock, and the hook at which tests pull the plug."""

    forge: Forge
    ledger: Ledger | None
    report: Report
    now: datetime
    fault: Callable[[str], None] = lambda point: None

    async def carry_out(self, actions: Iterable[Action], heads: dict[str, str]) -> list[PullRequest]:
        """Carry out a plan. `heads` maps each base to the commit that was read. A failed effect is reported; the rest goes on.

        Returns the requests that were opened or written anew.
        """
        written: list[PullRequest] = []
        for action in actions:
            try:
                request = await self._carry_out(action, heads)
            except Moved as error:
                self.report.add("left", _where(action), str(error))
            except ForgeError as error:
                self.report.add("trouble", _where(action), str(error))
            else:
                written += [request] if request else []
        return written

    async def _carry_out(self, action: Action, heads: dict[str, str]) -> PullRequest | None:
        match action:
            case Open(proposal):
                self.fault("before open")
                request = await self.forge.open(proposal, heads[proposal.stream.base])
                self.fault("after open")
                await self.note("opened", request, "a better tag", proposal)
                return request
            case Refresh(old, proposal, rewrite, reason):
                self.fault("before refresh")
                request = await self.forge.refresh(old, proposal, heads[proposal.stream.base], rewrite=rewrite)
                self.fault("after refresh")
                await self.note("refreshed", request, reason, proposal)
                return request if rewrite else None
            case Close(request, reason):
                self.fault("before close")
                await self.forge.close(request, reason)
                self.fault("after close")
                await self.note("closed", request, reason)
                return None
            case Leave():
                where = f"!{action.request.number}" if action.request else action.stream
                self.report.add("left", where, action.reason, wake=action.wake, title=action.request.title if action.request else "")
                return None
            case _:
                assert_never(action)

    async def note(self, kind: EventKind, request: PullRequest, reason: str, proposal: Proposal | None = None) -> None:
        """Put an effect into the report and the history."""
        title = proposal.title if proposal else request.title
        match kind:
            case "opened" | "refreshed" | "closed" | "landed":
                self.report.add(kind, f"!{request.number}", reason, title=title, url=request.url)
            case _:
                self.report.add("left", f"!{request.number}", reason, title=title, url=request.url)
        await self.remember(kind, request.branch, {"number": request.number, "title": title, "reason": reason})

    async def remember(self, kind: EventKind, subject: str, detail: dict[str, object]) -> None:
        """Add to the history, where there is a ledger."""
        if self.ledger is not None:
            await self.ledger.record(Event(self.now, self.forge.name, kind, subject, detail))
        self.fault("after record")


def _where(action: Action) -> str:
    match action:
        case Open(proposal):
            return proposal.branch
        case Refresh(request) | Close(request):
            return f"!{request.number}"
        case Leave(stream):
            return stream
        case _:
            assert_never(action)
