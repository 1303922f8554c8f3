"""Hear what people say to Tagboat on its open requests (`rules.commands`), do it, and answer in the one comment.

What is said counts from this very pass on: holds, skips and resumes are in the ledger before the pass decides. A comment is heard
once. One that was said before the branch was last written, or long ago, is not taken for a word about what stands there now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import assert_never

from bot.forges.base import Comment, Denied, ForgeError, Limited, Look
from bot.passes.acting import Hands
from bot.passes.deciding import Decided
from bot.passes.landing import Candidate, Verdict
from bot.report import Kind
from bot.state import orders
from bot.state.ledger import Event, EventKind, Hold, Ledger
from rules import commands
from rules.automerge import by_word
from rules.commands import Allow, Answer, Command, Keep, Land, Lift, Rewrite, Rollback, TakeBack, Why
from rules.config import Config
from rules.messages import code, prose, short, why
from rules.proposals import Proposal
from rules.requests import Leave, Open, PullRequest

_FRESH = timedelta(hours=6)
"""A word about what a request holds is taken for what it holds now for so long."""

_KINDS: dict[type[Command], EventKind] = {
    commands.Hold: "held",
    commands.Skip: "skipped",
    commands.Resume: "resumed",
    Land: "asked",
    Rollback: "asked",
    commands.Again: "asked",
}


@dataclass(frozen=True, slots=True)
class Said:
    """A command that was heard, with what it comes to."""

    comment: Comment
    request: PullRequest
    command: Command
    answer: Answer


@dataclass(slots=True)
class Hearing:
    """The comments of one pass. `rewrites` are the requests whose branches are to be written anew."""

    hands: Hands
    ledger: Ledger
    said: list[Said] = field(default_factory=list)
    rewrites: set[int] = field(default_factory=set)

    async def hear(self, look: Look) -> None:
        """Read what is new on the open requests, and do what does not need a decision. May raise LedgerError."""
        for request in look.requests:
            if request.state != "open":
                continue
            try:
                comments = await self.hands.forge.comments(request)
            except Limited:
                raise
            except ForgeError as error:
                # Without the right to read comments nobody is heard; everything else goes on as it should.
                kind: Kind = "left" if isinstance(error, Denied) else "trouble"
                self.hands.report.add(kind, f"!{request.number}", f"its comments could not be read: {error}")
                continue
            if comments:
                await self._hear(request, comments, ("tagboat", look.login))

    async def _hear(self, request: PullRequest, comments: Sequence[Comment], names: Sequence[str]) -> None:
        told = {comment.id: commands.read(comment.text, names) for comment in comments}
        fresh = await orders.unheard(self.ledger, self.hands.forge.name, {id_ for id_, found in told.items() if found})
        for comment in comments:
            for command in told[comment.id] if comment.id in fresh else ():
                answer = commands.answer(
                    command, request.number, request.record, may_write=comment.may_write, edited=request.edited_by_person
                )
                if isinstance(command, Land | Rollback) and not answer.refused and await self._is_stale(comment, request):
                    answer = Answer(
                        (), "it was said before what stands here now, or long ago: say it again to have it done.", True
                    )
                for deed in answer.deeds:
                    await self._do(deed, comment)
                await self._audit(Said(comment, request, command, answer))

    async def _is_stale(self, comment: Comment, request: PullRequest) -> bool:
        """Whether a word may be about something that the request no longer holds: what it held then was something else."""
        if self.hands.now - comment.at > _FRESH:
            return True
        events = await self.ledger.history(self.hands.forge.name, kinds=("opened", "refreshed"), limit=200)
        then = next((one for one in events if one.subject == request.branch and one.at <= comment.at), None)
        if then is None or request.record is None:
            return False
        held = {tuple(row) for row in then.detail.get("targets", ())}
        return not held <= set(request.record.targets)

    async def _do(self, deed: commands.Deed, comment: Comment) -> None:
        repository, by, at = self.hands.forge.name, comment.author, comment.at
        match deed:
            case Keep(image, path, version, reason):
                await self.ledger.hold(Hold(repository, image, path, version, reason, by, at))
            case Lift(image, path):
                await self.ledger.resume(repository, image, path, at=at)
            case Allow(number, fingerprint):
                await orders.allow(self.ledger, repository, number, fingerprint, by, at)
            case TakeBack():
                await orders.take_back(self.ledger, repository, deed, by, at)
            case Rewrite(number):
                self.rewrites.add(number)
            case _:
                assert_never(deed)

    async def _audit(self, said: Said) -> None:
        """Into the history goes what was done, and what was refused to somebody who may not."""
        self.said.append(said)
        kind = _KINDS.get(type(said.command))
        if kind is None or (said.answer.refused and said.comment.may_write):
            return
        detail = {
            "number": said.request.number,
            "by": said.comment.author,
            "said": " ".join(said.comment.text.split())[:200],
            "refused": said.answer.refused,
        }
        event = Event(
            self.hands.now, self.hands.forge.name, "asked" if said.answer.refused else kind, said.request.branch, detail
        )
        await self.ledger.record(event)

    async def allowed(self, candidates: Sequence[Candidate], config: Config) -> list[Candidate]:
        """The candidates, those that a person allowed to land with the rule for that. The operator's word is above it."""
        if not candidates:
            return []
        words = await orders.allowed(self.ledger, self.hands.forge.name)
        return [
            _by_word(one, config) if (one.request.number, one.proposal.fingerprint) in words and _may(one, config) else one
            for one in candidates
        ]

    async def answer(self, decided: Decided, verdicts: dict[int, Verdict]) -> None:
        """Answer what was heard, in the one comment on each request, and remember it as heard. May raise LedgerError."""
        repository = self.hands.forge.name
        for number in sorted({said.request.number for said in self.said}):
            mine = [said for said in self.said if said.request.number == number]
            told: dict[str, list[str]] = {}
            for said in mine:
                told.setdefault(said.comment.id, []).append(_sentence(said, decided, verdicts.get(number)))
            texts = {comment: "\n\n".join(sentences) for comment, sentences in told.items()}
            before = await orders.answers(self.ledger, repository, number)
            try:
                await self.hands.forge.comment(mine[0].request, "\n\n".join([*before, *texts.values()][-5:]))
            except ForgeError as error:
                self.hands.report.add("trouble", f"!{number}", f"it could not be answered: {error}")
            await orders.heard(self.ledger, repository, number, texts, self.hands.now)
        self.said.clear()


def _by_word(one: Candidate, config: Config) -> Candidate:
    allowed = one.request.readiness.protection.allowed_methods if one.request.readiness else ()
    rule = by_word(one.proposal.automerge, allowed, require_protection=config.limits.require_protection)
    return replace(one, proposal=replace(one.proposal, automerge=rule))


def _may(one: Candidate, config: Config) -> bool:
    """Whether the operator lets anything land here that is not landed by a person's own hand."""
    places = (update.occurrence for update in one.proposal.updates)
    return not any(config.limits.forbid_landing(place.image, place.file) for place in places)


def _sentence(said: Said, decided: Decided, verdict: Verdict | None) -> str:
    """The answer to one command. The author's name stands in code: nobody is called."""
    asked = f"{code(said.comment.author)} said {code(_word(said.command))}:"
    if isinstance(said.command, Why):
        return f"{asked} {' '.join(_why(said.request, decided, verdict))}"
    now = (
        f" Now: {prose(verdict.decision.reason)}."
        if isinstance(said.command, Land) and verdict and not said.answer.refused
        else ""
    )
    return f"{asked} {said.answer.sentence}{now}"


def _word(command: Command) -> str:
    names: dict[type[Command], str] = {commands.Again: "refresh", Land: "merge", commands.Skip: "skip this version"}
    return names.get(type(command), type(command).__name__.lower()) if not isinstance(command, commands.Unclear) else "…"


def _why(request: PullRequest, decided: Decided, verdict: Verdict | None) -> Iterable[str]:
    """The same sentences as in the request, `explain` and the dashboard."""
    proposal = _proposal(request, decided)
    if proposal is not None:
        reasons = {f"{code(short(update.target, update.current))}: {prose(why(update))}." for update in proposal.updates}
        yield from sorted(reasons)[:5]
    left = [
        one.reason for one in decided.actions if isinstance(one, Leave) and one.request and one.request.number == request.number
    ]
    if verdict is not None:
        yield f"How it stands: {prose(verdict.decision.reason)}."
    elif left:
        yield f"How it stands: {prose(left[0])}."


def _proposal(request: PullRequest, decided: Decided) -> Proposal | None:
    for action in decided.actions:
        if not isinstance(action, Open) and action.request is not None and action.request.number == request.number:
            return getattr(action, "proposal", None)
    return None
