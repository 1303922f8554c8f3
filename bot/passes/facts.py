"""The facts for a decision about landing: what the forge said of the request, and what the registries say of its images."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.forges.base import ForgeKind
from bot.reading.choosing import Listings
from bot.registries.base import RegistryError
from bot.state.ledger import Ledger
from rules.automerge import Automerge
from rules.freezes import Freeze
from rules.images import canonical
from rules.merging import Attempts, Facts, UpdateFacts, facts_of
from rules.messages import name
from rules.proposals import Proposal
from rules.requests import PullRequest
from rules.updates import Update

_FOR_GOOD = frozenset({500})  # it may have happened all the same: a person has to look
_PAUSE = timedelta(hours=1)  # before a landing that was not allowed is tried again: somebody may have changed a right


@dataclass(frozen=True, slots=True)
class Witness:
    """Gathers facts for the requests of one repository."""

    kind: ForgeKind
    repository: str
    login: str
    now: datetime
    freezes: tuple[Freeze, ...]
    listings: Listings
    ledger: Ledger | None

    async def facts(self, request: PullRequest, proposal: Proposal, rule: Automerge) -> Facts:
        """Everything that decides about a request. The updates are those of the proposal that this pass made: so their tags are
        there, their digests are as the registry has them now, and nobody holds them. May raise LedgerError."""
        updates = await asyncio.gather(*(self._update(update, rule) for update in proposal.updates))
        attempts = await self._attempts(request)
        return facts_of(request, self.kind, self.now, updates, login=self.login, attempts=attempts, freezes=self.freezes)

    async def _update(self, update: Update, rule: Automerge) -> UpdateFacts:
        image, target = update.occurrence.image, update.target
        reference = target.digest or target.tag or ""
        first_seen, pushed, platforms, there = None, None, None, True
        try:
            if rule.min_release_age and target.tag is not None:
                first_seen = await self._first_seen(image, target.tag, target.digest)
                pushed = (await self.listings.pushed(image, [target.tag], for_repository=self.repository)).get(target.tag)
            if rule.platforms:
                found = await self.listings.describe(image, reference, for_repository=self.repository)
                there, platforms = found is not None, found.platforms if found else None
        except RegistryError:
            return UpdateFacts(name(image), update.kind, first_seen, target_exists=None)
        source = "registry" if pushed else None
        return UpdateFacts(name(image), update.kind, first_seen, pushed, source, target_exists=there, platforms=platforms)

    async def _first_seen(self, image: str, tag: str, digest: str | None) -> datetime | None:
        if self.ledger is None:
            return None
        return (await self.ledger.first_seen(canonical(image), [(tag, digest)], self.now)).get(tag)

    async def _attempts(self, request: PullRequest) -> Attempts:
        """The landings of this head that were refused. What may pass by itself is tried again in every pass, what was not allowed
        after a while."""
        if self.ledger is None:
            return Attempts()
        found = await self.ledger.attempts(self.repository, request.number, request.head)
        recent = found.at is not None and self.now - found.at < _PAUSE
        stands = found.last_http in _FOR_GOOD or (found.last_http in (401, 403, 404, 451) and recent)
        return Attempts(found.failed, found.last_http if stands else None)
