"""Lockstep: all members of a group go to the same version, or none of them moves.

    - match: {images: ["acme/web", "acme/worker"]}
      group: platform
      lockstep: true

A member that stands at that version already is in step. One that has no such version, that is held back, or of which nothing is
known, stops them all; a place that was told to be left alone is no member. Versions are compared, not spellings: `1.4.0`,
`v1.4.0` and `1.4.0-alpine` are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rules.config.values import Config
from rules.formats.base import Occurrence
from rules.images import canonical
from rules.streams import Member, Stream, group_of
from rules.tags import same_version
from rules.updates import Stay, Trouble


def out_of_step(stream: Stream, members: Sequence[Member], others: Iterable[Stay | Trouble], config: Config) -> str | None:
    """Why the members of a lockstep group must not move; None: they may. `others` are the places of the base branch that no
    update moves."""
    moving = {canonical(one.update.occurrence.image): one.update.target.tag for one in members}
    first = members[0].update.target.tag or ""
    for image, tag in moving.items():
        if not same_version(first, tag or ""):
            return f"lockstep: {image} would go to {tag}, and {members[0].image} to {first}"
    for other in others:
        match other:
            case Trouble(file, _, image, reason) if image and _belongs(stream, image, file, config):
                return f"lockstep: {image} in {file} could not be looked at ({reason})"
            case Stay(Occurrence(file=file, image=image, tag=tag), reason) if _belongs(stream, image, file, config):
                if not same_version(first, tag or ""):
                    return f"lockstep: {image} stays at {tag}, and the others would go to {first} ({reason})"
            case _:
                pass
    return None


def _belongs(stream: Stream, image: str, file: str, config: Config) -> bool:
    proposing = config.proposing(image, file, None)
    return proposing.lockstep and group_of(proposing.group, file) == stream.group
