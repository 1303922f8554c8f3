"""The breaker: one image bumped in one place again and again, each time because of the last landing and of nobody else.

    judge("ghcr.io/acme/shop", "deploy/app.yaml", steps, maximum=3, suspect="CI in .github/workflows/ci.yml")
        Tripped(3, "ghcr.io/acme/shop was bumped 3 times in deploy/app.yaml without a commit of a person in between; …")

It counts, and asks no clock: a slow pipeline loops too. A commit of a person ends a chain. Where the image is not made of this
repository there is no chain: one release after the other is no loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rules.origin import trailers


@dataclass(frozen=True, slots=True)
class Step:
    """A commit on the base branch, the oldest first. `ours`: we made it. `bumps` are the images it bumps and where (canonical
    image, path); None where only the trailers of its message are known: then it bumps them in every path it changes."""

    oid: str
    ours: bool
    message: str = ""
    paths: tuple[str, ...] = ()
    bumps: frozenset[tuple[str, str]] | None = None

    @property
    def landing(self) -> str:
        """What tells one landing from another: a squash or branch commit and the merge commit after it say the same below their
        headlines."""
        return self.message.partition("\n")[2].strip() or self.oid

    def touches(self, image: str, place: str) -> bool:
        """Whether the commit bumps the image in that place."""
        if self.bumps is not None:
            return (image, place) in self.bumps
        return image in trailers(self.message) and (not self.paths or place in self.paths)


@dataclass(frozen=True, slots=True)
class Tripped:
    """The breaker: nothing more of this image in this place until a person says so. `bumps` is the length of the chain."""

    bumps: int
    reason: str


def chain(image: str, place: str, steps: Sequence[Step]) -> int:
    """How often the image was bumped in the place since the last commit of a person."""
    landings: set[str] = set()
    for step in reversed(steps):
        if not step.ours:
            break
        if step.touches(image, place):
            landings.add(step.landing)
    return len(landings)


def judge(
    image: str, place: str, steps: Iterable[Step], maximum: int, *, made_here: bool | None = True, suspect: str | None = None
) -> Tripped | None:
    """Whether the next bump would be one too many. `made_here` is whether the image is made of this repository (None: not known,
    which counts as yes); `suspect` names the pipeline that builds it."""
    if made_here is False or maximum < 1:
        return None
    count = chain(image, place, list(steps))
    if count < maximum:
        return None
    who = f"the suspect is {suspect}" if suspect else "which pipeline does it is not known"
    times = "once" if count == 1 else f"{count} times"
    what = f"{image} was bumped {times} in {place} without a commit of a person in between"
    return Tripped(count, f"{what}, so each landing seems to build it again; {who}")
