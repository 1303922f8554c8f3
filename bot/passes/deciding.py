"""Decide: what stands and what the registries say become wishes, and wishes a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.forges.base import Forge
from bot.passes import promoting
from bot.passes.guarding import Guard
from bot.passes.marking import Marker
from bot.reading.answering import Answers
from bot.reading.looking import Memory, Seen, View
from bot.state import orders
from bot.state.ledger import Event, Ledger
from rules import holds, rollbacks
from rules.holds import Hold
from rules.messages import on_branch
from rules.plan import Action, Terms, apart, plan, pushes
from rules.policies.base import Stood
from rules.promotion import undisturbed
from rules.proposals import Ground, Proposal, Source, Wishes, propose
from rules.records import Record
from rules.requests import SETTLING, Leave, PullRequest, Push, Resumed
from rules.rewriting import rewrite
from rules.rollbacks import Reports
from rules.updates import Outcome, Stay, Trouble, Update


@dataclass(frozen=True, slots=True)
class Word:
    """What people said, as the ledger has it: holds and skips, and when each was lifted. `pushed` are our own direct commits, as
    requests that landed; `reports` say how landings went."""

    holds: tuple[Hold, ...] = ()
    resumed: Resumed = field(default_factory=dict)
    pushed: tuple[PullRequest, ...] = ()
    reports: Reports = field(default_factory=Reports)


@dataclass(frozen=True, slots=True)
class Decided:
    """What one look comes to."""

    seen: Seen
    wishes: tuple[Wishes, ...]
    actions: tuple[Action, ...]
    pushes: tuple[Push | Leave, ...]
    markers: Mapping[str, Marker]

    @property
    def heads(self) -> dict[str, str]:
        """Where each base branch stood."""
        return {view.base: view.head for view in self.seen.views}


async def word_of(ledger: Ledger | None, repository: str) -> Word:
    """What people said about a repository. May raise LedgerError."""
    if ledger is None or not await orders.spoken(ledger, repository):
        return Word()
    asked = [_hold(one.image, one.path, one.version, one.reason, one.author, one.at) for one in await ledger.holds(repository)]
    events = await ledger.history(repository, kinds=("pushed",), limit=500)
    resumed = await ledger.resumed(repository)
    reports = replace(await orders.reports(ledger, repository), resumed=resumed)
    return Word(tuple(asked), resumed, tuple(map(_landed, events)), reports)


@dataclass(frozen=True, slots=True)
class Decider:
    """Works out plans for one repository, with what a pass remembers and asks. `stood` is what it found to have stood in places
    that others follow, by base."""

    forge: Forge
    memory: Memory
    answers: Answers
    ledger: Ledger | None
    now: datetime
    stood: dict[str, Sequence[Stood]] = field(default_factory=dict)

    async def decide(self, seen: Seen) -> Decided:
        """The plan for the repository as it was seen. May raise ForgeError or LedgerError."""
        word = await word_of(self.ledger, self.forge.name)
        markers = {view.base: Marker(self.forge.kind, self.forge.name, seen, view) for view in seen.views}
        wishes = [await self._wish(seen, view, word, markers[view.base]) for view in seen.views]
        wishes += [Wishes(base, troubles=(Trouble("", None, "", "there is no such branch", base),)) for base in seen.missing]
        terms = Terms(
            self.now,
            limit=seen.config.pull_requests.limit,
            hourly=seen.config.pull_requests.hourly,
            freezes=seen.config.freezes,
            since=await self._since(wishes, seen),
            resumed=word.resumed,
            settling=_settling(seen),
        )
        actions = plan(wishes, seen.look.requests, terms)
        return Decided(seen, tuple(wishes), tuple(actions), tuple(pushes(wishes, terms)), markers)

    async def _wish(self, seen: Seen, view: View, word: Word, marker: Marker) -> Wishes:
        """What ought to be, for one base branch."""
        stood = await promoting.stood(self.ledger, self.forge.name, view, seen.config, self.now)
        self.stood[view.base] = stood
        outcomes = await self.answers.outcomes(view.occurrences, view.unread, seen.config, view.flux, stood)
        outcomes = undisturbed(outcomes, stood, seen.config, self.now)
        stopping = held(seen, outcomes, view.base, word, self.now)
        stopping += rollbacks.held(word.reports, view.occurrences, seen.config)
        gated = holds.gate(outcomes, stopping, view.base)
        gated = rollbacks.back(gated, (*seen.look.requests, *word.pushed), view.base, word.reports, seen.config)
        guard = Guard(self.forge, self.answers.chooser.listings, self.ledger, self.now)
        gated = await guard.gate(seen, view, gated, (*seen.look.requests, *word.pushed), word.resumed)
        found = propose(gated, await self._ground(seen, view, gated))
        return replace(found, proposals=tuple(_marked(one, marker) for one in found.proposals))

    async def _ground(self, seen: Seen, view: View, outcomes: Iterable[Outcome]) -> Ground:
        """The files that change, as they stand on the base."""
        changing = (one if isinstance(one, Update) else one.held for one in outcomes if isinstance(one, Update | Stay))
        paths = sorted({update.occurrence.file for update in changing if update is not None})
        entries = {path: view.entries[path] for path in paths}
        contents = await self.memory.contents(self.forge, {entry.oid for entry in entries.values()})
        files = {path: Source(entry.mode, entry.oid, contents[entry.oid]) for path, entry in entries.items()}
        project = seen.look.project
        demanded = project.protections.get(view.base)
        config = seen.config.landing_by(demanded.allowed_methods if demanded else project.allowed_methods)
        return Ground(view.base, files, config, rewrite, self.forge.kind, apart(seen.look.requests))

    async def _since(self, wishes: Iterable[Wishes], seen: Seen) -> dict[str, datetime]:
        """Since when each proposal waits, by the key of its stream; asked only where not all of them may be opened."""
        asked = seen.config.pull_requests
        proposals = [one for wish in wishes for one in wish.proposals if not one.is_push]
        if self.ledger is None or (asked.hourly is None and (asked.limit is None or len(proposals) <= asked.limit)):
            return {}
        wanted = [(one.stream.mark, one.fingerprint) for one in proposals]
        first = await self.ledger.first_seen(f"requests of {self.forge.name}", wanted, self.now)
        return {one.stream.key: first[one.stream.mark] for one in proposals}


def held(seen: Seen, outcomes: Sequence[Outcome], base: str, word: Word, now: datetime) -> list[Hold]:
    """Every hold on a base branch: asked for, by closing a request, and by going back behind what landed."""
    landed = (*seen.look.requests, *word.pushed)
    return [
        *word.holds,
        *holds.rejected(seen.look.requests, word.resumed),
        *holds.reverted(landed, outcomes, base, now, word.resumed, _settling(seen)),
    ]


def _settling(seen: Seen) -> timedelta:
    """For how long after a landing the files may have been read before it."""
    return timedelta(0) if seen.look.at_once else SETTLING


def _marked(proposal: Proposal, marker: Marker) -> Proposal:
    """The proposal with what its branch commit has to carry."""
    return replace(proposal, message=on_branch(proposal.message, marker.branch(proposal)))


def _hold(image: str, path: str, version: str, reason: str, author: str, at: datetime) -> Hold:
    word = "skipped" if version else "held"
    text = f"{word} by {author}" if author else word
    return Hold(image, path, version, f"{text}: {reason}" if reason else text, since=at)


def _landed(event: Event) -> PullRequest:
    """A direct commit of ours, in the shape in which landings are compared with what people wrote since."""
    targets = tuple(tuple(map(str, row)) for row in event.detail.get("targets", ()))
    record = Record("", "", tuple(row for row in targets if len(row) == 4))
    # Our commit was on top of what was read: there is nothing that could still settle.
    return PullRequest(
        0, "", str(event.detail.get("base", "")), "", "", "", "merged", ended_at=event.at - SETTLING, record=record
    )
