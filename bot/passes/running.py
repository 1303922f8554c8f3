"""The rounds of a pass: as long as something landed, the repository is looked at again, so that a queue drains in one pass."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

from bot.forges.base import Forge, ForgeError
from bot.overview import overview
from bot.passes import pushing
from bot.passes.acting import Hands
from bot.passes.deciding import Decided, Decider
from bot.passes.facts import Witness
from bot.passes.hearing import Hearing
from bot.passes.landing import Candidate, Lander, Verdict, conflicting
from bot.passes.native import Native, landed_meanwhile, take_back
from bot.passes.previewing import Previewer
from bot.passes.reviewing import awaited, review
from bot.passes.splitting import split_red
from bot.passes.telling import told
from bot.passes.tools import Tools
from bot.reading.answering import Answers
from bot.reading.choosing import Chooser
from bot.reading.looking import Terms, look
from bot.reading.recalling import Recorded
from bot.report import Report, lasting
from bot.state.ledger import LedgerError
from bot.tracing import span
from rules.merging import Block, Merge, Skip, UpdateBranch, Wait
from rules.messages import left_to_you
from rules.messages.dashboard import dashboard
from rules.plan import Action, Close, Leave, Open, Refresh
from rules.proposals import Proposal, Wishes
from rules.requests import PullRequest, Push
from rules.streams import Stream

_ROUNDS = 200
_PAUSES = (1.0, 2.0, 4.0)  # seconds


class Pass:
    """One pass over one repository; what it finds and does goes into `report`."""

    def __init__(self, forge: Forge, terms: Terms, tools: Tools, report: Report) -> None:
        self._forge = forge
        self._terms = terms
        self._tools = tools
        self._report = report
        self._now = tools.clock()
        self._recorded = Recorded(tools.listings, tools.ledger, False)
        sights = self._recorded if tools.ledger is not None else None
        answers = Answers(Chooser(self._recorded, self._now, sights, forge.name))
        self._decider = Decider(forge, tools.memory, answers, tools.ledger, self._now)
        self._hands = Hands(forge, tools.ledger, report, self._now, tools.fault, tools.mode == "observe")
        self._decided: Decided | None = None
        self._left = self._known_left
        self._verdicts: dict[int, Verdict] = {}
        self._pauses = list(_PAUSES)
        self._hearing = Hearing(self._hands, tools.ledger) if tools.ledger is not None and tools.mode != "observe" else None

    async def run(self) -> None:
        """Look, decide, act, until nothing lands any more. Raises what a look can raise, and LedgerError."""
        tools = self._tools
        for count in range(_ROUNDS):
            with span("look", round=count):
                seen = await look(self._forge, tools.memory, self._terms)
            self._recorded.keeps = self._recorded.keeps or awaited(self._forge)
            author = seen.config.commits.author
            self._forge.commit_as((author.name, author.email) if author else None, seen.config.commits.signoff)
            await landed_meanwhile(self._hands, tools.memory, seen.look.requests)
            if self._hearing is not None and count == 0:
                await self._hearing.hear(seen.look)
            with span("decide", round=count):
                self._decided = await self._decider.decide(seen)
            with span("act", round=count):
                candidates = await self._act(self._decided)
            if candidates is None:
                continue
            with span("land", round=count, candidates=len(candidates)):
                again = await self._land(self._decided, candidates)
            if not again and not await self._worth_waiting():
                break
        await self._show()
        if tools.mode != "observe":
            await review(self._forge, self._terms, self._report, self._previewer())
        if self._hearing is not None and self._decided is not None:
            await self._hearing.answer(self._decided, self._verdicts)

    async def take_back(self) -> None:
        """Where the rules, the files, or what people said cannot be read: nothing stays left to the forge's own auto-merge. Where
        the forge itself told nothing in this pass, nothing is tried."""
        left = self._known_left
        if left is not self._left:
            with contextlib.suppress(LedgerError):
                await take_back(self._hands, self._tools.memory, left)

    @property
    def _known_left(self) -> tuple[PullRequest, ...]:
        """What the last look showed of what is left to the forge."""
        return self._tools.memory.left.get((self._forge.kind, self._forge.name), ())

    async def _act(self, decided: Decided) -> list[Candidate] | None:
        """Carry out one plan; what may land then, None where it is worth looking again before that."""
        due = [one for one in decided.pushes if isinstance(one, Push)]
        template = decided.seen.config.commits.title
        if await pushing.push(self._hands, due, decided.heads, decided.markers, self._tools.mode, template):
            return None
        actions: Sequence[Action] = decided.actions
        if self._tools.mode != "observe":
            actions = await told(self._tools.listings, self._forge.name, actions)
        written = await self._hands.carry_out(actions, decided.heads)
        candidates = list(_candidates(decided, written))
        asked: set[int] = set()
        if self._hearing is not None:
            candidates, asked = await self._hearing.allowed(candidates, decided.seen.config), self._hearing.rewrites
        for one in [*conflicting(candidates), *(one for one in candidates if one.request.number in asked)]:
            head, why = decided.heads[one.request.base], "a person asked for it"
            why = why if one.request.number in asked else "it conflicts with its base"
            request = await self._hands.rewrite(one.request, one.proposal, why, head)
            candidates = [Candidate(request, one.proposal) if request and each is one else each for each in candidates]
        return candidates

    async def _land(self, decided: Decided, candidates: Sequence[Candidate]) -> bool:
        """Land what may; whether it is worth looking again at once."""
        native = Native(self._hands, decided, self._tools.memory, self._tools.mode)
        lander = Lander(self._hands, decided, self._witness(decided), self._tools.mode, native)
        await lander.land(candidates)
        self._verdicts = lander.verdicts
        if not lander.again:
            await split_red(self._hands, self._forge, self._tools.memory, decided, lander.verdicts.values())
        return lander.again

    async def _worth_waiting(self) -> bool:
        """After a landing the forge works out anew whether the others can be merged: a moment is given to it, a few times."""
        if not self._pauses or not any(self._report.of("landed")) or not any(one.is_computing for one in self._verdicts.values()):
            return False
        await self._tools.sleep(self._pauses.pop(0))
        return True

    def _witness(self, decided: Decided) -> Witness:
        seen, tools = decided.seen, self._tools
        return Witness(
            self._forge.kind, self._forge.name, seen.look.login, self._now, seen.config.freezes, tools.listings, tools.ledger
        )

    def _previewer(self) -> Previewer | None:
        decided, tools = self._decided, self._tools
        if decided is None:
            return None
        kind, answers, stood = self._forge.kind, self._decider.answers, self._decider.stood
        return Previewer(self._forge.name, kind, decided, tools.memory, answers, self._recorded, tools.ledger, self._now, stood)

    async def _show(self) -> None:
        """Tell people on each request that lands by rule how it stands, and on one that they pushed to that it is theirs."""
        if self._tools.mode == "observe":
            return
        for verdict in self._verdicts.values():
            request, proposal = verdict.candidate.request, verdict.candidate.proposal
            try:
                if request.edited_by_person:
                    await self._leave_to_them(request, proposal.title)
                if proposal.automerge is not None and verdict.conditions:
                    await self._forge.show(request, verdict.standing)
            except ForgeError as error:
                self._report.add("trouble", f"!{request.number}", str(error), title=request.title, url=request.url)

    async def _leave_to_them(self, request: PullRequest, wish: str) -> None:
        """Say once on a request that a person pushed to its branch, and what it would be by now."""
        key, text = (self._forge.kind, self._forge.name, request.number), left_to_you(wish if wish != request.title else "")
        if self._tools.memory.said.get(key) != text:
            await self._forge.comment(request, text)
            self._tools.memory.said[key] = text

    async def publish(self) -> None:
        """Bring the dashboard issue up to date, where the repository wants one; trouble ends up in the report."""
        decided, memory = self._decided, self._tools.memory
        if decided is None or not decided.seen.config.dashboard_issue or self._tools.mode == "observe":
            return
        found = overview(self._report)
        key, gist = (self._forge.kind, self._forge.name, 0), found.gist
        if memory.said.get(key) == gist:
            return
        try:
            kind = self._forge.kind
            await self._forge.dashboard(dashboard(found, "#" if kind == "github" else "!", comments=kind != "git"))
            memory.said[key] = gist
        except ForgeError as error:
            self._report.add("trouble", "", f"the dashboard issue could not be written: {error}")

    def settle(self) -> None:
        """Write down what the last round found, once nothing more will happen."""
        decided, report = self._decided, self._report
        if decided is None:
            return
        report.wishes, report.requests = lasting(decided.wishes), decided.seen.look.requests
        report.places = tuple(place for view in decided.seen.views for place in view.occurrences)
        report.standings = {number: verdict.standing for number, verdict in self._verdicts.items()}
        for verdict in self._verdicts.values():
            _tell(verdict, report)
        for one in (*decided.actions, *decided.pushes):
            if isinstance(one, Leave) and (one.request is None or one.request.number not in self._verdicts):
                _tell_left(one, report)
        _tell_troubles(decided.wishes, report)
        for finding in decided.seen.config.notes:
            report.find("left", finding)


def _candidates(decided: Decided, written: Mapping[str, PullRequest]) -> Iterator[Candidate]:
    """The open requests with the proposals that they hold. One for which something could not be read is left as it is, and so is
    one that still holds an older wish."""
    for action in decided.actions:
        match action:
            case Open(proposal) | Refresh(proposal=proposal):
                request = written.get(proposal.stream.key)
            case Leave(_, _, request, proposal):
                if request is None or proposal is None or not _holds(request, proposal.fingerprint):
                    continue
            case Close():
                continue
            case _:
                assert_never(action)
        if request is not None and not _clouded(request, proposal, decided.wishes):
            yield Candidate(request, proposal)


def _holds(request: PullRequest, fingerprint: str) -> bool:
    return request.edited_by_person or (request.record is not None and request.record.fingerprint == fingerprint)


def _clouded(request: PullRequest, proposal: Proposal, wishes: tuple[Wishes, ...]) -> bool:
    """Whether something that the request is for could not be read. (What it says of itself can only keep it from landing.)"""
    places = {(update.occurrence.file, update.occurrence.image) for update in proposal.updates}
    if request.record is not None:
        places |= {(file, image) for file, image, _, _ in request.record.targets}
    return any(
        trouble.covers(request.base, file, image) for wish in wishes for trouble in wish.troubles for file, image in places
    )


def _tell(verdict: Verdict, report: Report) -> None:
    request, decision = verdict.candidate.request, verdict.decision
    title = verdict.candidate.proposal.title
    where, wake = f"!{request.number}", decision.wake if isinstance(decision, Wait) else None
    match decision:
        case Wait() | UpdateBranch() | Merge():
            report.add("waiting", where, decision.reason, title=title, url=request.url, wake=wake)
        case Block():
            report.add("blocked", where, decision.reason, title=title, url=request.url)
        case Skip():
            report.add("left", where, decision.reason, title=title, url=request.url)
        case _:
            assert_never(decision)


def _tell_left(one: Leave, report: Report) -> None:
    where = f"!{one.request.number}" if one.request else Stream.subject_of(one.stream)
    title = one.proposal.title if one.proposal else one.request.title if one.request else ""
    report.add("left", where, one.reason, title=title, url=one.request.url if one.request else "", wake=one.wake)


def _tell_troubles(wishes: tuple[Wishes, ...], report: Report) -> None:
    """Each reason once for an image or file, at the first of its places. What is passed over on purpose is no trouble."""
    troubles = [trouble for wish in wishes for trouble in wish.troubles if not trouble.skipped]
    counts = Counter((trouble.base, trouble.image or trouble.file, trouble.reason) for trouble in troubles)
    for trouble in troubles:
        count = counts.pop((trouble.base, trouble.image or trouble.file, trouble.reason), 0)
        if count:
            place = f"{trouble.file}:{trouble.line}" if trouble.line else trouble.file or trouble.base
            report.add("trouble", f"{place} and {count - 1} more" if count > 1 else place, trouble.reason, title=trouble.image)
