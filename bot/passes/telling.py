"""What the registry tells of an image before and after goes into the body of a request that is about to be written.

Only then it is asked, and of few images: manifests count as pulls on some registries. What cannot be had is left out, and nothing
waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from bot.reading.choosing import Listings
from bot.registries.base import RegistryError
from rules import messages, origin
from rules.images import DOCKER_HUB, canonical
from rules.messages.about import About
from rules.plan import Action, Open, Refresh
from rules.proposals import Proposal
from rules.updates import ROLLBACK, Target, Update

MOST = 10
"""Images of one request that are asked about."""


async def told(listings: Listings, repository: str, actions: Iterable[Action]) -> list[Action]:
    """The actions, what they write told with what the registries say of its images."""
    return list(await asyncio.gather(*(_told(listings, repository, action) for action in actions)))


async def _told(listings: Listings, repository: str, action: Action) -> Action:
    if not isinstance(action, Open | Refresh):
        return action
    return replace(action, proposal=await _with_facts(listings, repository, action.proposal))


async def _with_facts(listings: Listings, repository: str, proposal: Proposal) -> Proposal:
    wanted = {_key(update): update for update in proposal.updates if update.policy != ROLLBACK}
    if not wanted or len({image for image, _, _ in wanted}) > MOST:
        return proposal
    known = await asyncio.gather(*(_both(listings, repository, update) for update in wanted.values()))
    return replace(proposal, body=messages.body(proposal, known=dict(zip(wanted, known, strict=True))))


def _key(update: Update) -> tuple[str, str, str]:
    return canonical(update.occurrence.image), str(update.current), str(update.target)


async def _both(listings: Listings, repository: str, update: Update) -> tuple[About, About]:
    image = update.occurrence.image
    old, new = await asyncio.gather(*(_about(listings, repository, image, one) for one in (update.current, update.target)))
    return old, new


async def _about(listings: Listings, repository: str, image: str, target: Target) -> About:
    reference = target.digest or target.tag
    if reference is None:
        return About()
    # Docker Hub counts every manifest against the few that it lets one read in an hour.
    labels = not canonical(image).startswith(f"{DOCKER_HUB}/")
    try:
        found = await listings.describe(image, reference, for_repository=repository, labels=labels)
        pushed = await _pushed(listings, repository, image, target.tag)
    except RegistryError:
        return About()
    if found is None:
        return About()
    at = found.pushed_at or pushed
    said = found.labels
    return About(found.platforms or None, found.size, at, said.get(origin.REVISION), said.get(origin.SOURCE))


async def _pushed(listings: Listings, repository: str, image: str, tag: str | None) -> datetime | None:
    tags: Sequence[str] = [tag] if tag is not None else []
    return (await listings.pushed(image, tags, for_repository=repository)).get(tag or "")
