"""Act: carry out what was decided, one request at a time. Each effect may be the last before a crash: each is safe to repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, assert_never

from bot.forges.base import Forge, ForgeError, Limited, Moved
from bot.report import Report
from bot.state.ledger import Event, EventKind, Ledger
from rules.messages import Message
from rules.plan import Action, Close, Leave, Open, PullRequest, Refresh
from rules.proposals import Proposal
from rules.records import targets

_TARGETS = 200
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


@dataclass(slots=True)
class Hands:
    """What effects need: the forge, the ledger, the report, the clock, and the hook at which tests pull the plug.

    With `observe` nothing is done, and the report says what would be. What failed is not tried again by the same hands.
    """

    forge: Forge
    ledger: Ledger | None
    report: Report
    now: datetime
    fault: Callable[[str], None] = lambda point: None
    observe: bool = False
    failed: set[str] = field(default_factory=set)
    _rewritten: set[tuple[int, str]] = field(default_factory=set)
    _written: dict[str, datetime] | None = None

    async def carry_out(self, actions: Iterable[Action], heads: Mapping[str, str]) -> dict[str, PullRequest]:
        """Carry out a plan. `heads` maps each base to the commit that was read. A failed effect is reported; the rest goes on.

        Returns the requests that were opened or refreshed, by the key of their stream.
        """
        written: dict[str, PullRequest] = {}
        for action in actions:
            where = _where(action)
            if where in self.failed or isinstance(action, Leave):
                continue
            if self.observe:
                self._would(action)
                continue
            try:
                request = await self._carry_out(action, heads)
            except ForgeError as error:
                self.failed.add(where)
                wake = error.until if isinstance(error, Limited) else None
                self.report.add("left" if isinstance(error, Moved) else "trouble", where, str(error), wake=wake)
            else:
                if request is not None and isinstance(action, Open | Refresh):
                    written[action.proposal.stream.key] = request
        return written

    @property
    def rewritten(self) -> set[int]:
        """The requests whose branches were written anew."""
        return {number for number, _ in self._rewritten}

    async def rewrite(self, request: PullRequest, proposal: Proposal, reason: str, head: str) -> PullRequest | None:
        """Write a request's branch anew on its base; None where that failed, or was done already."""
        if (request.number, head) in self._rewritten:
            return None
        self._rewritten.add((request.number, head))
        wanted = replace(proposal, branch=request.branch, title=request.title)
        written = await self.carry_out([Refresh(request, wanted, True, reason)], {request.base: head})
        return written.get(proposal.stream.key)

    async def written_at(self, request: PullRequest) -> datetime | None:
        """When we last wrote a request or its branch, as far as the history goes. May raise LedgerError."""
        if self._written is None:
            events = await self.ledger.history(self.forge.name, kinds=("opened", "refreshed"), limit=500) if self.ledger else ()
            self._written = {event.subject: event.at for event in reversed(events)}
        if any(number == request.number for number, _ in self._rewritten):
            return self.now
        return self._written.get(request.branch)

    async def landed(self, request: PullRequest, proposal: Proposal, message: Message, commit: str | None, reason: str) -> None:
        """Put a landing into the report and the history. `commit` None: the forge took it over."""
        title = message.headline
        self.report.add("landed", f"!{request.number}", reason, title=title, url=request.url)
        detail = {"title": title, "reason": reason, "commit": commit, "base": request.base, "targets": rows(proposal)}
        await self.remember("landed", request, detail)

    async def refused(self, request: PullRequest, status: int | None, reason: str) -> None:
        """Remember that the forge did not land a request."""
        if self.ledger is not None:
            await self.ledger.refused(self.forge.name, request.number, request.head, status, self.now)
        await self.remember("refused", request, {"title": request.title, "reason": reason, "status": status})

    async def remember(self, kind: EventKind, subject: PullRequest | str, detail: Mapping[str, object]) -> None:
        """Add to the history, where there is a ledger."""
        if self.ledger is not None:
            if isinstance(subject, PullRequest):
                detail = {"number": subject.number, **detail}
                subject = subject.branch
            await self.ledger.record(Event(self.now, self.forge.name, kind, subject, detail))
        self.fault("after record")

    async def _carry_out(self, action: Open | Refresh | Close, heads: Mapping[str, str]) -> PullRequest | None:
        match action:
            case Open(proposal):
                self.fault("before open")
                request = await self.forge.open(proposal, heads[proposal.stream.base])
                self.fault("after open")
                await self._note("opened", request, "a better tag", proposal.title, proposal)
                return request
            case Refresh(old, proposal, rewrite, reason):
                self.fault("before refresh")
                request = await self.forge.refresh(old, proposal, heads[proposal.stream.base], rewrite=rewrite)
                self.fault("after refresh")
                await self._note("refreshed", request, reason, proposal.title, proposal)
                return request if rewrite else replace(request, readiness=request.readiness or old.readiness)
            case Close(request, reason):
                self.fault("before close")
                await self.forge.close(request, reason)
                self.fault("after close")
                await self._note("closed", request, reason, request.title)
                return None
            case _:
                assert_never(action)

    async def _note(
        self,
        kind: Literal["opened", "refreshed", "closed"],
        request: PullRequest,
        reason: str,
        title: str,
        proposal: Proposal | None = None,
    ) -> None:
        """Put an effect into the report and the history."""
        self.report.add(kind, f"!{request.number}", reason, title=title, url=request.url)
        detail: dict[str, object] = {"title": title, "reason": reason, "base": request.base}
        await self.remember(kind, request, detail | ({"targets": rows(proposal)} if proposal else {}))

    def _would(self, action: Open | Refresh | Close) -> None:
        match action:
            case Open(proposal):
                self.report.add("would", proposal.branch, "open a request", title=proposal.title)
            case Refresh(request, proposal, _, reason):
                self.report.add("would", f"!{request.number}", f"refresh: {reason}", title=proposal.title, url=request.url)
            case Close(request, reason):
                self.report.add("would", f"!{request.number}", f"close: {reason}", title=request.title, url=request.url)
            case _:
                assert_never(action)


def rows(proposal: Proposal) -> list[tuple[str, str, str, str]]:
    """What a proposal changes, as the history keeps it: file, image, old, new."""
    return list(targets(proposal.updates)[:_TARGETS])


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
