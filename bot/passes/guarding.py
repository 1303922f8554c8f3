"""The last two guards against CI loops, for images that we have bumped before: was it only built again, and is it a loop by now?

Both want facts that nothing else does, so they are fetched for few images only: those with an update now and a landing of ours on
this base before. Then: the labels of what stands there and of what is next, and the newest commits of the base. What cannot be
read holds nothing back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.forges.base import Commit, Forge, ForgeError
from bot.reading.choosing import Listings
from bot.reading.looking import Seen, View
from bot.registries.base import RegistryError
from bot.state.ledger import Event, Ledger
from rules import breaker, loops, origin
from rules.images import canonical
from rules.origin import Made, Rebuild
from rules.requests import PullRequest, Resumed
from rules.updates import Outcome, Stay, Update

_ALARMS = 100


@dataclass(frozen=True, slots=True)
class Guard:
    """The guards of one repository."""

    forge: Forge
    listings: Listings
    ledger: Ledger | None
    now: datetime

    async def gate(
        self, seen: Seen, view: View, outcomes: Sequence[Outcome], landed: Iterable[PullRequest], resumed: Resumed
    ) -> list[Outcome]:
        """The outcomes, with those updates turned into places that stay that are rebuilds of nothing new, or a loop.

        `landed` are our landings on any base, direct commits included. May raise LedgerError."""
        before = _bumped(landed, view.base)
        asked = [one for one in outcomes if isinstance(one, Update) and canonical(one.occurrence.image) in before]
        if not asked:
            return list(outcomes)
        history = await self._history(view.base)
        if history is None:
            return list(outcomes)
        labels = await self._labels(asked)
        judged: list[Outcome] = []
        for outcome in outcomes:
            stays = None
            if isinstance(outcome, Update) and canonical(outcome.occurrence.image) in before:
                stays = await self._judge(seen, view, outcome, history, labels, resumed)
            judged.append(stays or outcome)
        return judged

    async def _judge(
        self,
        seen: Seen,
        view: View,
        update: Update,
        history: Sequence[Commit],
        labels: Mapping[tuple[str, str], Made],
        resumed: Resumed,
    ) -> Stay | None:
        image, file = canonical(update.occurrence.image), update.occurrence.file
        current, new = (
            labels.get((image, reference), Made()) for reference in (_reference(update.current), _reference(update.target))
        )
        name = repository_name(self.forge.kind, self.forge.name)
        between = _between(history, current.revision, new.revision)
        steps = [_origin_step(commit) for commit in between] if between is not None else None
        verdict = origin.judge(image, current, new, steps, name, places=(file,))
        if isinstance(verdict, Rebuild):
            return Stay(update.occurrence, verdict.reason, update.choice, held=update)
        situation = loops.Situation(
            "git", view.definitions, name, view.base, (image,), (file,), sources={image: new.source} if new.source else {}
        )
        here = loops.made_here(situation)
        if here is False:
            return None
        since = max((moment for moment in (resumed.get((image, path)) for path in (file, "")) if moment), default=None)
        tail = [_breaker_step(commit) for commit in reversed(history) if since is None or commit.at > since]
        suspect = loops.suspect(situation)
        tripped = breaker.judge(image, file, tail, seen.config.loop_max, made_here=here, suspect=suspect)
        if tripped is None:
            return None
        await self._alarm(image, file, tripped.reason, history[0].oid)
        reason = f"{tripped.reason}; say `resume` when it is mended"
        return Stay(update.occurrence, reason, update.choice, held=update, alarm=True)

    async def _history(self, base: str) -> Sequence[Commit] | None:
        try:
            return await self.forge.history(base, [])
        except ForgeError:
            return None

    async def _labels(self, updates: Sequence[Update]) -> dict[tuple[str, str], Made]:
        """Of what images say that they were made, by canonical name and tag or digest."""
        spelled = {
            (canonical(one.occurrence.image), _reference(target)): one.occurrence.image
            for one in updates
            for target in (one.current, one.target)
        }
        found = await asyncio.gather(*(self._made(image, reference) for (_, reference), image in spelled.items()))
        return dict(zip(spelled, found, strict=True))

    async def _made(self, image: str, reference: str) -> Made:
        try:
            told = await self.listings.describe(image, reference, for_repository=self.forge.name, labels=True)
        except RegistryError:
            return Made()
        return Made(told.labels.get(origin.REVISION), told.labels.get(origin.SOURCE)) if told else Made()

    async def _alarm(self, image: str, file: str, reason: str, head: str) -> None:
        """Put an alarm into the history, once for each state of the base."""
        if self.ledger is None:
            return
        subject = f"{image} in {file}"
        known = await self.ledger.history(self.forge.name, kinds=("alarm",), limit=_ALARMS)
        if not any(event.subject == subject and event.detail.get("head") == head for event in known):
            await self.ledger.record(Event(self.now, self.forge.name, "alarm", subject, {"reason": reason, "head": head}))


def repository_name(kind: str, name: str) -> str | None:
    """A repository's full name; on plain git the last two parts of its address."""
    if kind != "git":
        return name
    path = name.partition("://")[2].partition("/")[2] if "://" in name else name.rpartition(":")[2]
    parts = [part for part in path.removesuffix(".git").split("/") if part]
    return "/".join(parts[-2:]) if len(parts) > 1 else None


def _bumped(landed: Iterable[PullRequest], base: str) -> frozenset[str]:
    records = (one.record for one in landed if one.state == "merged" and one.base == base)
    return frozenset(canonical(image) for record in records if record is not None for _, image, _, _ in record.targets)


def _reference(target: object) -> str:
    digest, tag = getattr(target, "digest", None), getattr(target, "tag", None)
    return str(digest or tag or "")


def _between(history: Sequence[Commit], old: str | None, new: str | None) -> list[Commit] | None:
    """The commits after one revision up to another, from a history with the newest first; None: one of them is not in it."""
    oids = [commit.oid for commit in history]
    if old not in oids or new not in oids:
        return None
    return list(history[oids.index(new) : oids.index(old)])


def _origin_step(commit: Commit) -> origin.Step:
    return origin.Step(commit.oid, commit.message, commit.ours, origin.places(commit.message))


def _breaker_step(commit: Commit) -> breaker.Step:
    return replace(breaker.Step(commit.oid, commit.ours, commit.message), paths=origin.places(commit.message) or ())
