"""How a repository stands, on one page: the dashboard issue, and what `tagboat status` says as well.

    dashboard(Overview(open=(Line("Update web from 1.4.1 to 1.4.2", "!7", "not finished: ci/test", number=7),)))

No moment of writing stands in it, so an issue is not edited for nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rules.messages.escaping import code, prose

LINES = 50  # of one part, one by one
_LIMIT = 60_000


@dataclass(frozen=True, slots=True)
class Line:
    """One thing: what it is, where (`!7`, a file with its line, an image), why, and when that can change by itself.

    `number` is the request's, where it is one: a forge links it.
    """

    what: str
    where: str
    reason: str
    wake: datetime | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """How a repository stands: open requests, what waits to be proposed, what is held, and what could not be looked at.

    `wake` is the next moment at which something can change by itself."""

    open: tuple[Line, ...] = ()
    waiting: tuple[Line, ...] = ()
    held: tuple[Line, ...] = ()
    alarms: tuple[Line, ...] = ()
    wake: datetime | None = None

    @property
    def parts(self) -> Sequence[tuple[str, Sequence[Line]]]:
        return (("Open", self.open), ("Waiting", self.waiting), ("On hold", self.held), ("In trouble", self.alarms))

    @property
    def gist(self) -> str:
        """Changes where something does. A reason that is about time may tell it to the minute: there the moment at which it ends
        counts, and an issue is not edited for each of them."""
        said = [(title, [(one.what, one.where, str(one.wake or one.reason)) for one in lines]) for title, lines in self.parts]
        return hashlib.sha256(repr(said).encode()).hexdigest()[:16]


def dashboard(overview: Overview, reference: str = "#", *, comments: bool = True) -> str:
    """The body of the dashboard issue. `reference` is how the forge writes a request's number (`#7`, `!7`); `comments` is whether
    people can write on requests."""
    blocks = ["Every image update that Tagboat has open here, and everything that it leaves for now, with the reason."]
    for title, lines in overview.parts:
        if lines:
            blocks.append(f"## {title}\n\n" + "\n".join(_lines(lines, reference)))
    if len(blocks) == 1:
        blocks.append("Everything is up to date.")
    if overview.wake is not None:
        blocks.append(f"The next thing that changes by itself: {moment(overview.wake)}.")
    blocks.append("Say `@tagboat why` on a request to learn more." if comments else "`tagboat status` says the same.")
    return _cut(blocks)


def moment(at: datetime) -> str:
    """A moment for people, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _lines(lines: Sequence[Line], reference: str) -> Iterable[str]:
    for line in lines[:LINES]:
        until = f" (until {moment(line.wake)})" if line.wake is not None else ""
        # A request's own number is the one reference that is to be read by the forge.
        where = f"{reference}{line.number}" if line.number is not None else code(line.where) if line.where else ""
        what = prose(line.what) if line.what and line.what != line.where else ""
        head = " ".join(part for part in (where, what) if part)
        yield f"- {head}: {prose(line.reason)}{until}" if line.reason else f"- {head}"
    if len(lines) > LINES:
        yield f"- and {len(lines) - LINES} more"


def _cut(blocks: Sequence[str]) -> str:
    text = "\n\n".join(blocks)
    while len(text) > _LIMIT and len(blocks) > 2:
        blocks = [*blocks[:-2], blocks[-1]]
        text = "\n\n".join([*blocks, "More than fits stands in `tagboat status`."])
    return text + "\n"
