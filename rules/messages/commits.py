"""Commit messages: of the branch, and of the commit that lands.

    Update web from 1.4.1 to 1.4.2 [ci skip]

    - envs/dev/app.yaml:12: acme/web 1.4.1 -> 1.4.2

    Tagboat-Image: docker.io/acme/web
    Tagboat-Update: patch

The marker that keeps a landing from starting a build (`rules.loops.Marking`) is put on here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rules.images import canonical
from rules.messages.escaping import clean, plain
from rules.messages.headlines import LIMIT, short
from rules.updates import Update, largest

if TYPE_CHECKING:  # every CI system would be loaded with it, also where nothing lands
    from rules.loops import Marking

PLACES = 50  # that are named one by one
_SIGNED = "Signed-off-by: "


@dataclass(frozen=True, slots=True)
class Message:
    """A commit message."""

    headline: str
    body: str = ""

    def __str__(self) -> str:
        return f"{self.headline}\n\n{self.body}\n" if self.body else f"{self.headline}\n"


def commit(updates: Sequence[Update], headline: str) -> Message:
    """The message of the branch commit, under a headline that is safe already."""
    lines = [_line(update) for update in updates[:PLACES]]
    if len(updates) > PLACES:
        lines.append(f"- and {len(updates) - PLACES} more")
    images = sorted({canonical(update.occurrence.image) for update in updates})
    trailers = [f"Tagboat-Image: {plain(image)}" for image in images[:PLACES]]
    trailers.append(f"Tagboat-Update: {largest([update.kind for update in updates]) or 'unknown'}")
    return Message(headline, "\n".join([*lines, "", *trailers]))


def landing(message: Message, marking: Marking, reference: str = "") -> Message:
    """The message of the commit that lands: the branch commit's, with the marker. `reference` names the request (`#7`, `!7`)."""
    room = LIMIT - len(marking.token or "") - 1 - (len(reference) + 3 if reference else 0)
    headline = message.headline if len(message.headline) <= room else message.headline[: room - 1] + "…"
    return replace(message, headline=marking.mark(f"{headline} ({reference})" if reference else headline))


def on_branch(message: Message, marking: Marking) -> Message:
    """The message of the branch commit, with a marker that has to stand there as well (no CI reads such a one by itself)."""
    return replace(message, headline=marking.mark(message.headline)) if marking.on_branch else message


def signed(message: Message, name: str, email: str) -> Message:
    """The message with a sign-off, for forges where we write the whole message. Its e-mail address stays readable."""
    line = f"{_SIGNED}{clean(name)} <{clean(email)}>"
    return message if line in message.body.splitlines() else replace(message, body=f"{message.body}\n{line}".strip())


def _line(update: Update) -> str:
    place, old, new = update.occurrence, short(update.current, update.target), short(update.target, update.current)
    return "- " + plain(f"{place.file}:{place.tag_line or place.line}: {place.image} {old} -> {new}", 2 * LIMIT)
