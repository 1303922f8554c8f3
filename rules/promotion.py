"""Promotion from place to place, dev to staging to prod, by what stands in the files: the side of it that is not a choice.

    watched(occurrences, config)               the places that others follow: the ledger remembers since when a tag stands there
    upstream(choosing, image, stood)           what a place that follows is told of them
    undisturbed(outcomes, stood, config, now)  nothing replaces what is soaking

Which tag is promoted is the policy `follow`'s word (`rules.policies.follow`). A place in which a tag soaks for others keeps it
until it has soaked: where each build replaced the one before, none would ever get any further. A place waits only for those that
still lack its tag, and only as long as its soak lasts, whatever becomes of it downstream.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from rules import globs
from rules.config.values import Config
from rules.formats.base import Occurrence
from rules.images import canonical
from rules.policies.base import Choosing, Follow, Stood
from rules.policies.follow import soak
from rules.tags import older
from rules.updates import Outcome, Stay, Target, Update


def watched(occurrences: Iterable[Occurrence], config: Config) -> list[Stood]:
    """What stands now in the places that others follow, one for each image in each file; since when is for others to tell."""
    if not any(rule.choosing.get("policy") == "follow" for rule in config.rules):
        return []  # nobody follows anybody: the usual case
    places = tuple(occurrences)
    followers = _followers(places, config)
    texts: dict[tuple[str, str], set[str]] = {}
    for place in places:
        image = canonical(place.image)
        if any(globs.matches(follow.path, place.file) for _, follow in followers.get(image, ())):
            texts.setdefault((place.file, image), set()).add(_text(place))
    return [Stood(path, image, found.pop() if len(found) == 1 else "") for (path, image), found in sorted(texts.items())]


def upstream(choosing: Choosing, image: str, stood: Iterable[Stood]) -> tuple[Stood, ...]:
    """What an image's place that follows others is told of them; nothing where it follows none."""
    follow = choosing.follow
    if choosing.policy != "follow" or follow is None:
        return ()
    return tuple(one for one in stood if one.image == canonical(image) and globs.matches(follow.path, one.path))


def undisturbed(outcomes: Iterable[Outcome], stood: Sequence[Stood], config: Config, now: datetime) -> list[Outcome]:
    """The outcomes, those updates held back that would replace a tag while it soaks for a place that still lacks it."""
    every = tuple(outcomes)
    if not stood:
        return list(every)
    places = (one.occurrence for one in every if isinstance(one, Update | Stay))
    followers = _followers(tuple(dict.fromkeys(places)), config)
    return [_undisturbed(one, followers.get(canonical(one.occurrence.image), ()), stood, now) if isinstance(one, Update) else one
            for one in every]  # fmt: skip


_Follower = tuple[Occurrence, Follow]


def _followers(places: Iterable[Occurrence], config: Config) -> Mapping[str, Sequence[_Follower]]:
    """The places that follow others, by image."""
    found: dict[str, list[_Follower]] = {}
    for place in places:
        choosing = config.choosing(place.image, place.file)
        if choosing.policy == "follow" and choosing.follow is not None:
            found.setdefault(canonical(place.image), []).append((place, choosing.follow))
    return found


def _undisturbed(update: Update, followers: Iterable[_Follower], stood: Sequence[Stood], now: datetime) -> Update | Stay:
    here = update.occurrence
    for place, follow in followers:
        if not globs.matches(follow.path, here.file) or not _lacks(place, here):
            continue
        mine = [one for one in stood if one.image == canonical(here.image) and one.path == here.file]
        until = soak(mine, follow.soak, now).until
        if until is not None and until > now:
            reason = f"{update.current} soaks here for {place.file} until {until:%Y-%m-%d %H:%M} UTC"
            return Stay(here, reason, update.choice, held=update, wake=until)
    return update


def _lacks(place: Occurrence, here: Occurrence) -> bool:
    """Whether a place that follows has yet to get what stands here."""
    if place.tag == here.tag:
        return place.digest is not None and here.digest is not None and place.digest != here.digest
    return older(here.tag or "", place.tag or "") is not True


def _text(place: Occurrence) -> str:
    return str(Target(place.tag, place.digest))
