"""What is left to the forge's own auto-merge (`automerge: {native: true}`), and taken back.

`rules.merging.native` says whether it may be asked for. It is asked for once: the next look shows that it is on, and by whom.
Only what was switched on in our name is switched off again: as soon as a round of a pass does not find every condition met.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from bot.forges.base import Forge, ForgeError, Landed, Landing, NotLanded
from bot.passes.acting import Hands, rows
from bot.passes.comparing import compare
from bot.passes.deciding import Decided
from bot.passes.tools import Mode
from bot.reading.looking import Memory
from bot.state.ledger import Event
from rules.automerge import Automerge
from rules.loops import HOSTS, Marking
from rules.merging import Facts, Wait
from rules.merging.native import hindrance, is_left, only_checks_missing
from rules.messages import landing
from rules.proposals import Proposal
from rules.requests import PullRequest

_KNOWN = 500


@dataclass(slots=True)
class Native:
    """The forge's own auto-merge in one round of a pass. `kept` are the requests that stay left to it."""

    hands: Hands
    decided: Decided
    memory: Memory
    mode: Mode
    kept: set[int] = field(default_factory=set)

    async def offer(
        self, request: PullRequest, proposal: Proposal, rule: Automerge, facts: Facts, decision: Wait, reference: str
    ) -> Wait | Landed:
        """Leave a request that waits for its checks to the forge, if that may be. What is waited for, said in full; Landed where
        the checks passed meanwhile, and the forge landed it at once. May raise LedgerError."""
        forge, left = self.hands.forge, is_left(request, facts.login)
        if not only_checks_missing(facts, rule, left=left) or (facts.readiness.auto_merge and not left):
            return decision
        host = HOSTS[forge.kind]
        marker = self.decided.markers[request.base]
        markings = [marker.landing(proposal, way) for way in (rule.method, "auto-merge")]
        allowed = self.decided.seen.look.project.auto_merge_allowed
        why = hindrance(facts, rule, decision, markings, allowed=allowed, left=left)
        if why is None and self.mode != "merge":
            why = f"nothing lands with `mode: {self.mode}`"
        if why is None:
            why = await self._unlike(request, proposal)
        if why is None and not left:
            (first, _), message = markings, proposal.message
            assert isinstance(first, Marking)
            outcome = await self._ask(
                request, proposal, Landing(rule.method, landing(message, first, reference), request.head, auto=True)
            )
            if isinstance(outcome, Landed):
                return outcome
            why = outcome
            self.memory.noted.pop(_key(forge, request), None)  # another worker may have taken it back since
        if why is not None:
            return replace(decision, reason=f"{decision.reason}; {host}'s own auto-merge is not asked for: {why}")
        self.kept.add(request.number)
        self.memory.compared[_key(forge, request)] = (request.head, "")
        await self._note(request, proposal)
        return replace(decision, reason=f"{decision.reason}; {host} lands it by its own auto-merge")

    async def _unlike(self, request: PullRequest, proposal: Proposal) -> str | None:
        """Why its head may not be left to the forge: it is not what we would write, or the forge refused it before."""
        head, refused = self.memory.compared.get(_key(self.hands.forge, request), ("", ""))
        if head == request.head:
            return refused or None
        try:
            changes = await self.hands.forge.changes(request)
        except ForgeError as error:
            return f"what its branch changes could not be read: {error}"
        found = compare(proposal, changes, self.decided.seen.look.project.object_format)
        return found.reason if found is not None else None

    async def _ask(self, request: PullRequest, proposal: Proposal, how: Landing) -> Landed | str | None:
        """None: the forge took it. A sentence: why it did not."""
        hands = self.hands
        hands.fault("before merge")
        try:
            outcome = await hands.forge.merge(request, how)
        except ForgeError as error:
            hands.report.add("trouble", f"!{request.number}", str(error), title=request.title, url=request.url)
            return str(error)
        hands.fault("after merge")
        match outcome:
            case Landed(None):
                return None
            case Landed(commit):
                await hands.landed(
                    request, proposal, how.message, commit, "its checks had passed when it was to be left to the forge"
                )
                return outcome
            case NotLanded(_, reason):
                self.memory.compared[_key(hands.forge, request)] = (request.head, reason)
                return reason

    async def _note(self, request: PullRequest, proposal: Proposal) -> None:
        """Put into the history once that a head was left to the forge: by that its landing is known as ours."""
        key = _key(self.hands.forge, request)
        if self.memory.noted.get(key) == request.head:
            return
        last = (await _last(self.hands)).get(request.number)
        if last is None or not _was_left(last, request):
            reason = f"left to {HOSTS[self.hands.forge.kind]}'s own auto-merge"
            detail = {"title": request.title, "reason": reason, "on": True, "head": request.head, "base": request.base}
            await self.hands.remember("auto", request, detail | {"targets": rows(proposal)})
        self.memory.noted[key] = request.head

    async def take_back(self, gone: Collection[int]) -> None:
        """Switch off what does not stay left to the forge. `gone` are requests that have ended or were written anew meanwhile.
        May raise LedgerError."""
        login = self.decided.seen.look.login
        left = [one for one in self.decided.seen.look.requests if is_left(one, login)]
        await take_back(self.hands, self.memory, [one for one in left if one.number not in {*self.kept, *gone}])


async def take_back(hands: Hands, memory: Memory, requests: Iterable[PullRequest]) -> None:
    """Switch the forge's own auto-merge off on requests that were left to it. May raise LedgerError."""
    what = f"{HOSTS[hands.forge.kind]}'s own auto-merge"
    reason, taken = f"{what} was taken off it: what it was left to that for does not hold any more", list[PullRequest]()
    for request in requests:
        where, title, url = f"!{request.number}", request.title, request.url
        if hands.observe:
            hands.report.add("would", where, f"take {what} off", title=title, url=url)
            continue
        try:
            await hands.forge.no_auto_merge(request)
        except ForgeError as error:
            hands.report.add("trouble", where, f"{what} could not be taken off: {error}", title=title, url=url)
            continue
        key = _key(hands.forge, request)
        memory.compared.pop(key, None)
        memory.noted.pop(key, None)
        hands.report.add("left", where, reason, title=title, url=url)
        taken.append(request)
    for request in taken:  # after the last is off: a ledger in trouble leaves none of them on
        await hands.remember("auto", request, {"title": request.title, "reason": reason, "on": False, "head": request.head})


async def landed_meanwhile(hands: Hands, memory: Memory, requests: Iterable[PullRequest]) -> None:
    """Put into report and history what the forge landed since it was left to it. May raise LedgerError."""
    key = (hands.forge.kind, hands.forge.name)
    merged = {one.number: one for one in requests if one.state == "merged"}
    fresh = merged.keys() - memory.merged.get(key, frozenset())
    memory.merged[key] = frozenset(merged)
    if not fresh or hands.observe:
        return
    last = await _last(hands)
    for number in sorted(fresh & last.keys()):
        request, event = merged[number], last[number]
        if _was_left(event, request):
            reason = f"it was left to {HOSTS[hands.forge.kind]}'s own auto-merge, and has landed"
            title = str(event.detail.get("title") or request.title)
            hands.report.add("landed", f"!{number}", reason, title=title, url=request.url)
            kept = {name: event.detail[name] for name in ("base", "targets") if name in event.detail}
            await hands.remember("landed", request, {"title": title, "reason": reason, "commit": request.landed, **kept})


async def _last(hands: Hands) -> dict[int, Event]:
    """The newest word of the history on each request: left to the forge, taken back, or landed."""
    if hands.ledger is None:
        return {}
    events = await hands.ledger.history(hands.forge.name, kinds=("auto", "landed"), limit=_KNOWN)
    return {int(event.detail.get("number") or 0): event for event in reversed(events)}


def _was_left(event: Event, request: PullRequest) -> bool:
    return event.kind == "auto" and event.detail.get("on") is True and event.detail.get("head") == request.head


def _key(forge: Forge, request: PullRequest) -> tuple[str, str, int]:
    return forge.kind, forge.name, request.number
