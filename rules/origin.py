"""Origin: whether a new image is the same thing built again, because of nothing but our own bumps of it.

    judge("ghcr.io/acme/shop", Made("a1", source), Made("c3", source), (Step("b2", …), Step("c3", …)), "acme/shop")
        Rebuild("ghcr.io/acme/shop was only built again: since a1 there are only our own bumps of it (b2, c3)")

The labels `org.opencontainers.image.revision` and `.source` say of which commit an image was made. Both are written by whoever
builds the image: a forged one can keep an update of that same image back, and nothing else. What is missing or cannot be read is
no reason to hold anything back: then the answer is `Update`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rules.ci import claims
from rules.ci.builds import is_recipe, same_repository

REVISION = "org.opencontainers.image.revision"
SOURCE = "org.opencontainers.image.source"
_TRAILER = re.compile(r"^Tagboat-Image:[ \t]*(?P<image>\S+)[ \t]*$", re.MULTILINE)
_PLACE = re.compile(r"^- (?P<file>\S.*?):\d+: ", re.MULTILINE)
_MORE = re.compile(r"^- and \d+ more$", re.MULTILINE)
_JOINER = "\u2060"


@dataclass(frozen=True, slots=True)
class Made:
    """Of what an image says it was made; None: it does not say."""

    revision: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A commit between the two revisions. `ours`: the forge says that we made it. `paths` None: what it changes is not known."""

    oid: str
    message: str
    ours: bool
    paths: tuple[str, ...] | None = None
    parents: int = 1

    @property
    def images(self) -> frozenset[str]:
        """The images that its trailers name."""
        return frozenset(match["image"].replace(_JOINER, "") for match in _TRAILER.finditer(self.message))


@dataclass(frozen=True, slots=True)
class Rebuild:
    """The new image is the current one built again: it is not taken. The reason is said once."""

    reason: str


@dataclass(frozen=True, slots=True)
class Update:
    """The new image may be something new; the reason says why it is not taken for a rebuild."""

    reason: str


def places(message: str) -> tuple[str, ...] | None:
    """The files that one of our commit messages says it changes; None: it does not name them all."""
    found = [match["file"].replace(_JOINER, "") for match in _PLACE.finditer(message)]
    return tuple(dict.fromkeys(found)) if found and not _MORE.search(message) else None


def trailers(message: str) -> frozenset[str]:
    """The images that a commit's trailers name."""
    return Step("", message, ours=False).images


def can_be_rebuild(current: Made, new: Made, repository: str | None) -> str | None:
    """Whether it is worth reading the commits between: None if it is, else why it is not."""
    if not current.revision or not new.revision:
        return "an image does not say of which commit it was made"
    if current.revision == new.revision:
        return "it was made of the same commit, so something else is new in it"
    for made in (current, new):
        if not same_repository(made.source or "", repository):
            return "it does not say that it was made of this repository"
    return None


def judge(
    image: str,
    current: Made,
    new: Made,
    between: Sequence[Step] | None,
    repository: str | None,
    *,
    places: Collection[str] = (),
    siblings: Collection[str] = (),
) -> Rebuild | Update:
    """Whether an image (canonical name) was only built again.

    `between` are the commits after the current image's revision up to the new one's; None: they could not be read. `places` are
    files in which the image stands; `siblings` other images that are made of this repository: a bump of one of them in a manifest
    changes no image either.
    """
    reason = can_be_rebuild(current, new, repository)
    if reason is not None:
        return Update(reason)
    if between is None:
        return Update(f"the commits from {_short(current.revision)} to {_short(new.revision)} could not be read")
    single = [step for step in between if step.parents < 2]
    if not single:
        return Update("there are no commits between the two images")
    ours = frozenset(siblings) | {image}
    for step in single:
        stranger = _stranger(step, ours, places)
        if stranger is not None:
            return Update(f"{_short(step.oid)} {stranger}")
    if not any(image in step.images for step in single):
        return Update("none of the commits between the two images is a bump of it")
    known = {path for step in single for path in step.paths or ()}
    for step in between:
        if step.parents > 1 and step.paths is not None and not set(step.paths) <= known:
            return Update(f"the merge {_short(step.oid)} changes something of its own")
    commits = ", ".join(_short(step.oid) for step in single[:3]) + (f" and {len(single) - 3} more" if len(single) > 3 else "")
    made = f"by its labels it was made of {_short(new.revision)}"
    since = f"since {_short(current.revision)} there are only our own bumps of it ({commits})"
    return Rebuild(f"{image} was only built again: {made}, and {since}")


def _stranger(step: Step, ours: Collection[str], places: Collection[str]) -> str | None:
    """Why a commit is more than a bump of ours, if it is."""
    images = step.images
    if not images:
        return "is not a bump of ours"
    if not images <= frozenset(ours):
        return f"bumps {min(images - frozenset(ours))}, of which the image may be made"
    inputs = [path for path in step.paths or () if is_recipe(path) or claims(path)]
    if inputs:
        return f"changes {inputs[0]}, which decides what is built"
    # A person may land our request by hand, and then the commit is the person's: it has to change nothing but the places.
    if not step.ours and (step.paths is None or not set(step.paths) <= set(places)):
        return "has our trailers and is not ours"
    return None


def _short(oid: str | None) -> str:
    return (oid or "")[:10]
