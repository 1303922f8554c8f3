"""What the next pass would propose under another configuration, by nothing but what this pass has read.

No registry and no forge is asked: tags, digests and ages are recalled, files are those at hand. The wishes under the rules that
count now are made in the same way, so that the two differ by the rules alone; what only a landing or the history of a branch can
tell (a rebuild, a loop, a version that goes back) is left out of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.passes.deciding import Decided, Word, held, word_of
from bot.reading.answering import Answers
from bot.reading.choosing import Chooser
from bot.reading.looking import Memory, Seen, View
from bot.reading.recalling import Recalled, Recorded
from bot.state.ledger import Ledger
from rules import holds
from rules.config import Config
from rules.config.values import ForgeKind
from rules.formats import is_manifest
from rules.formats.base import Unread
from rules.messages.preview import preview
from rules.plan import apart
from rules.policies.base import Stood
from rules.promotion import undisturbed, watched
from rules.proposals import Ground, Source, Wishes, propose
from rules.rewriting import rewrite
from rules.updates import Outcome, Stay, Trouble, Update

_NOT_READ = "not looked at yet"
_REGULAR = frozenset({"100644", "100755"})


@dataclass(frozen=True, slots=True)
class Previewer:
    """Says what another configuration would change, after a pass over the repository `name` that came to `decided`."""

    name: str
    kind: ForgeKind
    decided: Decided
    memory: Memory
    answers: Answers
    recorded: Recorded
    ledger: Ledger | None
    now: datetime
    stood: Mapping[str, Sequence[Stood]]

    async def lines(self, config: Config) -> list[str]:
        """The difference, as lines of Markdown; none where there is none. May raise LedgerError."""
        word = await word_of(self.ledger, self.name)
        seen = self.decided.seen
        there = {view.base: view for view in seen.views}
        recalled = Recalled(self.recorded)
        chooser = Chooser(recalled, self.now, recalled if self.ledger else None, self.name)
        answers = Answers(chooser, losers=self.answers.losers, found=dict(self.answers.found))
        current = [await self._wish(seen, view, word, self.stood[view.base], answers) for view in seen.views]
        recalled.missing.clear()
        wanted = tuple(config.base_branches) or (seen.look.project.default_branch,)
        proposed: list[Wishes] = []
        for base in wanted:
            if base not in there:
                proposed.append(Wishes(base, troubles=(Trouble("", None, "", f"the branch was {_NOT_READ}", base),)))
                continue
            view = self._view(there[base], config)
            proposed.append(await self._wish(replace(seen, config=config), view, word, self.stood[base], answers))
        return preview(current, proposed, recalled.missing)

    def _view(self, view: View, config: Config) -> View:
        """The base branch as another configuration has it read, where its files were read before."""
        manifests = {
            path: entry
            for path, entry in sorted(view.entries.items())
            if entry.mode in _REGULAR and is_manifest(path) and config.wants(path)
        }
        known = {path: self.memory.scanner.known(path, entry.oid) for path, entry in manifests.items()}
        scanned = [one for one in known.values() if one is not None]
        fresh = [Unread(path, None, f"the file was {_NOT_READ}", skipped=True) for path, one in known.items() if one is None]
        return replace(
            view,
            occurrences=tuple(place for one in scanned for place in one.occurrences),
            unread=(*fresh, *(one.unread for one in scanned if one.unread)),
            flux={name: choosing for one in scanned for name, choosing in one.flux.items()},
        )

    async def _wish(self, seen: Seen, view: View, word: Word, stood: Sequence[Stood], answers: Answers) -> Wishes:
        known = {(one.path, one.image) for one in stood}
        followed = [*stood, *(one for one in watched(view.occurrences, seen.config) if (one.path, one.image) not in known)]
        outcomes = await answers.outcomes(view.occurrences, view.unread, seen.config, view.flux, followed)
        outcomes = undisturbed(outcomes, followed, seen.config, self.now)
        gated = holds.gate(outcomes, held(seen, outcomes, view.base, word, self.now), view.base)
        return propose(gated, await self._ground(seen, view, gated))

    async def _ground(self, seen: Seen, view: View, outcomes: Iterable[Outcome]) -> Ground:
        changing = [one if isinstance(one, Update) else one.held for one in outcomes if isinstance(one, Update | Stay)]
        paths = {update.occurrence.file for update in changing if update is not None}
        entries = {path: view.entries[path] for path in paths}
        contents = await self._at_hand({entry.oid for entry in entries.values()})
        files = {path: Source(one.mode, one.oid, contents[one.oid]) for path, one in entries.items() if one.oid in contents}
        project = seen.look.project
        demanded = project.protections.get(view.base)
        config = seen.config.landing_by(demanded.allowed_methods if demanded else project.allowed_methods)
        return Ground(view.base, files, config, rewrite, self.kind, apart(seen.look.requests))

    async def _at_hand(self, oids: set[str]) -> dict[str, bytes]:
        """Those blobs that are remembered."""
        found = {oid: self.memory.blobs[oid] for oid in oids if oid in self.memory.blobs}
        missing = oids - found.keys()
        return found | dict(await self.memory.kept.blobs(missing)) if missing and self.memory.kept else found
