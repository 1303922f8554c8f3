"""Land: our open requests by their rules, in order, one at a time for each base branch.

Whether a request may land is `rules.merging.decide`'s word; the facts come from the forge, the registries and the proposal that
this pass made, never from a request's text. A branch that has to be brought up to date first is written anew, and it holds its
place: the others on that base wait for it instead of all running their checks in vain.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import assert_never

from bot.forges.base import ForgeError, ForgeKind, Landed, Landing, NotLanded, Standing
from bot.passes.acting import Hands
from bot.passes.comparing import Foreign, Outdated, compare
from bot.passes.deciding import Decided
from bot.passes.facts import Witness
from bot.passes.native import Native
from bot.passes.tools import Mode
from rules.automerge import Automerge
from rules.loops import Marking, Refusal
from rules.merging import Block, Condition, Facts, Merge, MergeDecision, Skip, UpdateBranch, Wait, conditions, decide
from rules.messages import landing
from rules.plan import Close
from rules.proposals import Proposal
from rules.requests import PullRequest

WORDS: dict[type[MergeDecision], str] = {Merge: "merge", UpdateBranch: "update", Wait: "wait", Block: "block", Skip: "skip"}
_SIGNS = {"github": "#", "gitlab": "!"}
# Conditions that a branch which was just brought up to date still waits for: it keeps its place meanwhile.
_ON_ITS_WAY = frozenset({"checks", "forge"})
_SOON = timedelta(minutes=2)
_PATIENCE = timedelta(hours=2)  # past this, checks that say nothing hold up nobody else


@dataclass(frozen=True, slots=True)
class Candidate:
    """An open request, and the proposal that it is for, as this pass made it."""

    request: PullRequest
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided about a request, for the report and to be shown on it."""

    candidate: Candidate
    decision: MergeDecision
    conditions: tuple[Condition, ...] = ()

    @property
    def standing(self) -> Standing:
        return Standing(WORDS[type(self.decision)], self.decision.reason, self.conditions)

    @property
    def is_computing(self) -> bool:
        """Whether nothing is missing but the forge's own word, which it may give in a moment."""
        missing = [one for one in self.conditions if one.met is not True]
        return isinstance(self.decision, Wait) and bool(missing) and all(one.name == "forge" for one in missing)


@dataclass(slots=True)
class Lander:
    """Lands what may land in one round of a pass. `verdicts` are by request number; `again` is true where something landed or was
    brought up to date, so that it is worth looking again at once."""

    hands: Hands
    decided: Decided
    witness: Witness
    mode: Mode
    native: Native
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    again: bool = False
    _landed: set[int] = field(default_factory=set)
    _lanes: dict[str, int] = field(default_factory=dict)  # base -> the request that goes first there

    async def land(self, candidates: Iterable[Candidate]) -> None:
        """Decide about each request in turn and carry it out."""
        ordered = sorted(candidates, key=lambda one: (-one.proposal.priority, one.request.number))
        done: set[str] = set()
        for one in ordered:
            if one.request.base in done:
                self.native.kept.add(one.request.number)  # it is looked at again in the next round
                continue
            rule = one.proposal.automerge
            if rule is None:
                pushed = "a person pushed to its branch, and lands it" if one.request.edited_by_person else "a person lands it"
                self._say(one, Wait(pushed))
            elif one.request.readiness is None:
                soon = self.witness.now + _SOON
                self._say(one, Wait("it was written just now; its checks are looked at in the next pass", soon))
            elif await self._one(one, rule):
                done.add(one.request.base)
        await self.native.take_back(self._gone(ordered))

    async def _one(self, one: Candidate, rule: Automerge) -> bool:
        """Decide about one request and carry it out; whether its base has moved by that."""
        facts = await self.witness.facts(one.request, one.proposal, rule)
        decision = decide(facts, rule)
        if isinstance(decision, Merge):
            decision = await self._checked(one, rule, decision)
        elif isinstance(decision, Wait) and rule.native:
            offered = await self._offered(one, rule, facts, decision)
            if isinstance(offered, Landed):
                self.again = True
                self._landed.add(one.request.number)
                return True
            decision = offered
        self._say(one, decision, facts, rule)
        match decision:
            case Merge():
                return await self._merge(one, rule, decision)
            case UpdateBranch():
                await self._update(one, decision)
            case Wait() if await self._is_on_its_way(self.verdicts[one.request.number], facts):
                self._lanes.setdefault(one.request.base, one.request.number)
            case Wait() | Block() | Skip():
                pass
            case _:
                assert_never(decision)
        return False

    async def _offered(self, one: Candidate, rule: Automerge, facts: Facts, decision: Wait) -> Wait | Landed:
        reference = _reference(self.hands.forge.kind, one.request.number)
        return await self.native.offer(one.request, one.proposal, rule, facts, decision, reference)

    def _gone(self, candidates: Iterable[Candidate]) -> set[int]:
        """What has landed in this round, was written anew, or is closed: there is no auto-merge left to take off."""
        heads = {one.request.number: one.request.head for one in candidates}
        ended = {action.request.number for action in self.decided.actions if isinstance(action, Close)}
        looked = self.decided.seen.look.requests
        anew = {one.number for one in looked if heads.get(one.number, one.head) != one.head}
        failed = {one.number for one in looked if f"!{one.number}" in self.hands.failed}
        return (ended | anew | self.hands.rewritten) - failed | self._landed

    async def _is_on_its_way(self, verdict: Verdict, facts: Facts) -> bool:
        """Whether all that is missing are its checks, and something was heard of them, or its branch was written, lately."""
        missing = [one for one in verdict.conditions if one.met is not True]
        if not missing or not all(one.met is None and one.name in _ON_ITS_WAY for one in missing):
            return False
        written = await self.hands.written_at(verdict.candidate.request)
        moments = (written, facts.request.created_at, *(check.at for check in facts.readiness.checks))
        heard = max((moment for moment in moments if moment is not None), default=None)
        return heard is not None and facts.now - heard < _PATIENCE

    async def _checked(self, one: Candidate, rule: Automerge, decision: Merge) -> MergeDecision:
        """The last look before a landing: the marker, and the change itself."""
        marking = self._marking(one, rule, decision)
        if isinstance(marking, Refusal):
            return Block(f"{marking.reason}; {marking.fix}")
        if one.request.edited_by_person and rule.on_human_edit == "merge":
            return decision  # the rule says that a person's commits land as they are
        try:
            changes = await self.hands.forge.changes(one.request)
        except ForgeError as error:
            return Wait(f"what its branch changes could not be read: {error}")
        match compare(one.proposal, changes, self.decided.seen.look.project.object_format):
            case Outdated(reason):
                return UpdateBranch(reason)
            case Foreign(reason):
                return Block(f"{reason}, so a person lands it")
            case None:
                return decision

    async def _merge(self, one: Candidate, rule: Automerge, decision: Merge) -> bool:
        hands, request = self.hands, one.request
        marking = self._marking(one, rule, decision)
        if isinstance(marking, Refusal):
            return False
        message = landing(one.proposal.message, marking, _reference(hands.forge.kind, request.number))
        if self.mode != "merge":
            if self.mode == "observe":
                hands.report.add("would", f"!{request.number}", "land", title=message.headline, url=request.url)
            self._say(one, Wait(f"every condition holds, and nothing lands with `mode: {self.mode}`"))
            return False
        hands.fault("before merge")
        try:
            outcome = await hands.forge.merge(request, Landing(rule.method, message, request.head, enqueue=decision.enqueue))
        except ForgeError as error:
            hands.report.add("trouble", f"!{request.number}", str(error), title=request.title, url=request.url)
            self._say(one, Wait(f"the landing failed: {error}"))
            return False
        hands.fault("after merge")
        match outcome:
            case Landed(commit):
                del self.verdicts[request.number]
                self._landed.add(request.number)
                self.again = self.again or commit is not None
                await hands.landed(request, one.proposal, message, commit, marking.reason)
                return commit is not None
            case NotLanded(status, reason):
                self._say(one, Wait(f"the forge refused the landing: {reason}", self.witness.now + _SOON))
                await hands.refused(request, status, reason)
                return False
            case _:
                assert_never(outcome)

    async def _update(self, one: Candidate, decision: UpdateBranch) -> None:
        """Bring a branch up to date, if it is its turn and this was not done in this pass already."""
        first = self._lanes.setdefault(one.request.base, one.request.number)
        if first != one.request.number:
            self._say(one, Wait(f"{decision.reason}; request {first} goes first"))
        elif self.mode != "merge" and not _conflicts(one.request):
            self._say(one, Wait(f"{decision.reason}, and nothing lands with `mode: {self.mode}`"))
        elif self.mode == "observe":
            self.hands.report.add("would", f"!{one.request.number}", f"write its branch anew: {decision.reason}")
        else:
            request = await self.hands.rewrite(one.request, one.proposal, decision.reason, self.decided.heads[one.request.base])
            self.again = self.again or (request is not None and request.readiness is not None)

    def _marking(self, one: Candidate, rule: Automerge, decision: Merge) -> Marking | Refusal:
        return self.decided.markers[one.request.base].landing(one.proposal, "queue" if decision.enqueue else rule.method)

    def _say(self, one: Candidate, decision: MergeDecision, facts: Facts | None = None, rule: Automerge | None = None) -> None:
        known = self.verdicts.get(one.request.number)
        listed = conditions(facts, rule) if facts and rule else known.conditions if known else ()
        self.verdicts[one.request.number] = Verdict(one, decision, listed)


def _reference(kind: ForgeKind, number: int) -> str:
    """How a commit message names a request, where that means something to the forge."""
    return f"{_SIGNS[kind]}{number}" if kind in _SIGNS else ""


def conflicting(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Those that a person lands and that conflict with their base: they are written anew, so that a person can."""
    return [one for one in candidates if one.proposal.automerge is None and _conflicts(one.request)]


def _conflicts(request: PullRequest) -> bool:
    ready = request.readiness
    return ready is not None and not request.edited_by_person and (bool(ready.conflict) or ready.mergeable == "CONFLICTING")
