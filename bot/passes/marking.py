"""Which marker goes where, for one base branch: asks `rules.loops` with what the pass saw of the repository."""

from __future__ import annotations

from dataclasses import dataclass

from bot.forges.base import ForgeKind
from bot.looking import Seen, View
from rules.loops import Landing, Marking, Refusal
from rules.proposals import Proposal


@dataclass(frozen=True, slots=True)
class Marker:
    """The marking of a base branch's landings."""

    kind: ForgeKind
    seen: Seen
    view: View

    def landing(self, proposal: Proposal, way: Landing) -> Marking | Refusal:
        """The marker of the commit that lands a proposal in this way, or why it must not land so."""
        return Marking(None, "the repository's CI was not looked at")

    def of(self, proposal: Proposal) -> Marking:
        """The marking of the branch commit."""
        way: Landing = "push" if proposal.is_push else proposal.automerge.method if proposal.automerge else "merge"
        match self.landing(proposal, way):
            case Marking() as marking:
                return marking
            case Refusal(reason):
                return Marking(None, reason)
