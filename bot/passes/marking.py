"""Which marker goes where, for one base branch: asks `rules.loops` with what the pass saw of the repository."""

from __future__ import annotations

from dataclasses import dataclass

from bot.forges.base import ForgeKind
from bot.reading.looking import Seen, View
from rules.images import canonical
from rules.loops import Landing, Marking, Refusal, Situation, mark
from rules.proposals import Proposal


@dataclass(frozen=True, slots=True)
class Marker:
    """The marking of a base branch's landings. `repository` is the repository's name on its forge."""

    kind: ForgeKind
    repository: str
    seen: Seen
    view: View

    def landing(self, proposal: Proposal, way: Landing) -> Marking | Refusal:
        """The marker of the commit that lands a proposal in this way, or why it must not land so."""
        return mark(self._situation(proposal), way)

    def branch(self, proposal: Proposal) -> Marking:
        """The marking of the branch commit. Where a rule's way to land is refused, or a person chooses it, that of a squash."""
        way: Landing = "push" if proposal.is_push else proposal.automerge.method if proposal.automerge else "squash"
        for one in (way, "squash"):
            marking = mark(self._situation(proposal), one)
            if isinstance(marking, Marking):
                return marking
        return Marking(None, "no landing of it is safe")

    def _situation(self, proposal: Proposal) -> Situation:
        return Situation(
            forge=self.kind,
            definitions=self.view.definitions,
            repository=None if self.kind == "git" else self.repository,
            base=self.view.base,
            images=tuple(sorted({canonical(update.occurrence.image) for update in proposal.updates})),
            paths=tuple(file.path for file in proposal.files),
            marker=self.seen.config.commits.marker,
        )
