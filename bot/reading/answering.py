"""Questions to outcomes: every image of a repository is asked about once, all at the same time.

A registry that fails ends the part of its own images and nothing else: their places become trouble, which is reported and left as
it is. What was answered is remembered for as long as the object lives, so that a second look in one pass asks nothing again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from bot.reading.choosing import Chooser, CurrentMissing, Prepared
from bot.registries.base import RegistryError
from rules.config import Config
from rules.formats.base import Occurrence, Unread
from rules.images import canonical
from rules.policies.base import Candidate, Choice, Choosing, Stood
from rules.promotion import upstream
from rules.updates import Outcome, Subject, needed, subjects, unanswered, unread, updates

# Questions for one host that are open at once: enough to keep its connections busy, few enough to hold few listings in the air.
_AT_ONCE = 40
_Key = tuple[str, Choosing, str | None, str | None, tuple[Stood, ...]]
_Answer = tuple[Choice, Mapping[str, Candidate]] | str


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of one pass. `advance` is told after each question how many are done, and of how many. Without `losers` the
    choices keep no word of the candidates that lost, and the memory for them."""

    chooser: Chooser
    advance: Callable[[int, int], None] = lambda done, total: None
    losers: bool = True
    found: dict[_Key, _Answer] = field(default_factory=dict)
    _turns: dict[str, asyncio.Semaphore] = field(default_factory=dict)

    async def outcomes(
        self,
        occurrences: Iterable[Occurrence],
        files: Iterable[Unread],
        config: Config,
        flux: Mapping[str, Choosing] | None = None,
        stood: Sequence[Stood] = (),
    ) -> list[Outcome]:
        """What becomes of every place of a base branch. `files` are those that could not be read, `stood` what stood in places
        that others follow (policy follow). May raise LedgerError."""
        asked, answered = subjects(occurrences, config, flux)
        done = 0

        async def answer(subject: Subject) -> list[Outcome]:
            nonlocal done
            outcomes = await self._answer(subject, upstream(subject.choosing, subject.image, stood))
            done += 1
            self.advance(done, len(asked))
            return outcomes

        listings = self.chooser.listings
        if isinstance(listings, Prepared):
            await listings.prepare((one.places[0].image for one in asked), for_repository=self.chooser.repository)
        found = await asyncio.gather(*map(answer, asked))
        return [*answered, *unread(files), *chain.from_iterable(found)]

    async def _answer(self, subject: Subject, followed: tuple[Stood, ...]) -> list[Outcome]:
        key = (subject.image, subject.choosing, subject.tag, subject.digest, followed)
        if key not in self.found:
            self.found[key] = await self._ask(subject, followed)
        answer = self.found[key]
        if isinstance(answer, str):
            return [*unanswered(subject, answer)]
        return updates(subject, *answer, self.chooser.now)

    async def _ask(self, subject: Subject, followed: tuple[Stood, ...]) -> _Answer:
        """The choice for a subject with the digests that belong to it, or why there is none."""
        # Any spelling of the image will do: they are one for a registry.
        image = subject.places[0].image
        try:
            async with self._turns.setdefault(subject.image.partition("/")[0], asyncio.Semaphore(_AT_ONCE)):
                choice = await self.chooser.choose(image, subject.choosing, subject.tag, subject.digest, followed)
                choice = choice if self.losers else replace(choice, candidates=())
                return choice, await self._digests(image, subject, choice)
        except (RegistryError, CurrentMissing) as error:
            return str(error)

    async def _digests(self, image: str, subject: Subject, choice: Choice) -> dict[str, Candidate]:
        """The digests that stand beside a tag, with the age of each where the rule wants one."""
        tags = needed(subject, choice)
        if not tags:
            return {}
        listings, whose = self.chooser.listings, self.chooser.repository
        digests = await asyncio.gather(*(listings.digest(image, tag, for_repository=whose) for tag in tags))
        known = {tag: Candidate(tag, digest) for tag, digest in zip(tags, digests, strict=True)}
        if subject.choosing.min_age:
            pushed = await listings.pushed(image, tags, for_repository=whose)
            sights = self.chooser.sights
            there = [(tag, one.digest) for tag, one in known.items() if one.digest is not None]
            seen = await sights.first_seen(canonical(image), there, self.chooser.now) if sights else {}
            known = {tag: replace(one, pushed_at=pushed.get(tag), first_seen=seen.get(tag)) for tag, one in known.items()}
        return known
