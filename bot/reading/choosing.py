"""One question to its answer: list the tags, ask the policy, fetch the few facts that it lacks, ask again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from bot.registries.base import Description
from rules.images import canonical
from rules.policies import choose, words
from rules.policies.base import Candidate, Choice, Choosing, Need, Question, Stood

_ROUNDS = 40  # a policy asks for one fallback candidate a round, and gives up after a dozen


class Listings(Protocol):
    """The registries, as far as a choice needs them: each image listed once, each manifest read once."""

    async def tags(self, image: str, *, for_repository: str | None = None) -> tuple[str, ...]: ...

    async def digest(self, image: str, reference: str, *, for_repository: str | None = None) -> str | None: ...

    async def describe(
        self, image: str, reference: str, *, for_repository: str | None = None, labels: bool = False
    ) -> Description | None: ...

    async def pushed(self, image: str, tags: Iterable[str], *, for_repository: str | None = None) -> dict[str, datetime]: ...


@runtime_checkable
class Prepared(Protocol):
    """Listings that like to hear which images will be asked for, to read at once what they know of them."""

    async def prepare(self, images: Iterable[str], *, for_repository: str | None = None) -> None: ...


class FirstSights(Protocol):
    """The ledger, as far as a choice needs it."""

    async def first_seen(self, image: str, tags: Iterable[tuple[str, str | None]], now: datetime) -> dict[str, datetime]: ...


class CurrentMissing(Exception):
    """The tag that stands in the file is not in the registry's listing: nothing is done on such a listing."""

    def __init__(self, image: str, tag: str) -> None:
        super().__init__(
            f"{image} has no tag {tag!r} in its registry; nothing is changed until it is there or the file names another"
        )


@dataclass(frozen=True, slots=True)
class Chooser:
    """Answers questions about images. `repository` is whose files they stand in: credentials may be bound to it."""

    listings: Listings
    now: datetime
    sights: FirstSights | None = None
    repository: str | None = None

    async def choose(
        self, image: str, choosing: Choosing, tag: str | None, digest: str | None, upstream: tuple[Stood, ...] = ()
    ) -> Choice:
        """The policy's answer for an image that stands at `tag` and `digest`; `upstream` is what stood where it follows others.

        Raises RegistryError where a fact could not be had, CurrentMissing where the listing lacks what stands there.
        """
        tags = await self.listings.tags(image, for_repository=self.repository)
        if tag is not None and tag not in tags and choosing.policy != "none":
            raise CurrentMissing(image, tag)
        known: dict[str, Candidate] = {}
        if choosing.min_age:
            known = await self._ages(image, tags)
        question = Question(choosing, tag, tags, self.now, current_digest=digest, known=known, upstream=upstream)
        choice = await self._answer(image, question)
        if choice.chosen is None and digest is not None and choosing.policy not in ("digest", "none"):
            return await self._beside(image, question, choice)
        return choice

    async def _beside(self, image: str, question: Question, choice: Choice) -> Choice:
        """A choice that leaves the tag, where the digest beside it is followed: new content has to serve what the old one does.
        Its age is judged with the places (`rules.updates`)."""
        followed = replace(question.choosing, policy="digest", min_age=timedelta(0))
        same = await self._answer(image, replace(question, choosing=followed, known={}, unknown=frozenset()))
        return replace(choice, code=same.code, detail=same.detail) if same.code in words.HELD else choice

    async def _answer(self, image: str, question: Question) -> Choice:
        ask: Callable[[Question], Choice | Need] = choose
        for _ in range(_ROUNDS):
            match ask(question):
                case Choice() as choice:
                    return choice
                case Need() as need:
                    question = await self._learn(image, question, need)
                    ask = need.again or choose
        raise AssertionError("a policy kept asking for facts that it was given")

    async def _ages(self, image: str, tags: Iterable[str]) -> dict[str, Candidate]:
        """Ages of all tags: the clock of a tag starts when it is first listed, not when it is first wanted."""
        tags = tuple(tags)
        pushed = await self.listings.pushed(image, tags, for_repository=self.repository)
        seen = await self.sights.first_seen(canonical(image), ((tag, None) for tag in tags), self.now) if self.sights else {}
        return {t: Candidate(t, pushed_at=pushed.get(t), first_seen=seen.get(t)) for t in tags if t in pushed or t in seen}

    async def _learn(self, image: str, question: Question, need: Need) -> Question:
        known = dict(question.known)
        unknown = set(question.unknown)
        if need.ages:
            for tag, aged in (await self._ages(image, need.ages)).items():
                known[tag] = replace(known.get(tag, aged), pushed_at=aged.pushed_at, first_seen=aged.first_seen)
            unknown |= {tag for tag in need.ages if (one := known.get(tag)) is None or not (one.pushed_at or one.first_seen)}
        if need.digests:
            known |= await self._contents(image, question, need.digests)
            unknown |= {tag for tag in need.digests if known[tag].digest is None}
        current_platforms = question.current_platforms
        if need.platforms:
            asked, current_platforms = await self._platforms(image, question, need.platforms)
            described = await asyncio.gather(*(self._describe(image, tag) for tag in asked))
            known |= {tag: _with(known.get(tag), tag, found) for tag, found in zip(asked, described, strict=True) if found}
            unknown |= {tag for tag in need.platforms if known.get(tag, Candidate(tag)).platforms is None}
        return replace(question, known=known, unknown=frozenset(unknown), current_platforms=current_platforms)

    async def _contents(self, image: str, question: Question, tags: tuple[str, ...]) -> dict[str, Candidate]:
        """What tags point to. Where the rule wants an age, it is that of the content: the tag itself may be old."""
        digests = await asyncio.gather(*(self._digest(image, tag) for tag in tags))
        found = {
            tag: replace(question.known.get(tag, Candidate(tag)), digest=digest, first_seen=None)
            for tag, digest in zip(tags, digests, strict=True)
        }
        if self.sights and question.choosing.min_age:
            there = [(tag, one.digest) for tag, one in found.items() if one.digest is not None]
            seen = await self.sights.first_seen(canonical(image), there, self.now)
            found = {tag: replace(one, first_seen=seen.get(tag)) for tag, one in found.items()}
        return found

    async def _platforms(
        self, image: str, question: Question, tags: tuple[str, ...]
    ) -> tuple[tuple[str, ...], frozenset[str] | None]:
        """The tags whose platforms have to be read, and those of what stands there, which the rule may go by.

        Of a tag that points to the very same image, and where nothing is known of what stands there, nothing has to be read."""
        reference = question.current_digest or question.current_tag
        if question.current_platforms or question.choosing.platforms != "auto" or reference is None:
            return tags, question.current_platforms
        digests = await asyncio.gather(*(self._digest(image, tag) for tag in (reference, *tags)))
        if digests[0] is None and question.current_tag is not None and reference != question.current_tag:
            # The digest was cleaned away. What its tag points to now tells as well what is served.
            reference = question.current_tag
            digests[0] = await self._digest(image, reference)
        if len(set(digests)) == 1 or digests[0] is None:
            return (), frozenset()
        current = await self._describe(image, reference)
        platforms = current.platforms if current else frozenset()
        return (tags if platforms else ()), platforms

    async def _digest(self, image: str, tag: str) -> str | None:
        return await self.listings.digest(image, tag, for_repository=self.repository)

    async def _describe(self, image: str, tag: str) -> Description | None:
        return await self.listings.describe(image, tag, for_repository=self.repository)


def _with(known: Candidate | None, tag: str, found: Description) -> Candidate:
    return replace(known or Candidate(tag), digest=found.digest, platforms=found.platforms)
