"""What is said beside a request: comments, reasons for closing, and the few words of a status line."""

from __future__ import annotations

from collections.abc import Iterable

from rules.messages.escaping import code, prose


def closing(reason: str) -> str:
    """The comment with which a request is closed."""
    return f"Closed: {prose(reason)}."


def left_to_you(wish: str = "") -> str:
    """The comment on a request to whose branch a person pushed. `wish` is the title that it would have by now, if another."""
    now = f" Meanwhile it would be: {code(wish)}." if wish else ""
    return (
        f"Somebody pushed to this branch, so Tagboat leaves it alone.{now} "
        "Take the commits off the branch, and it is Tagboat's again."
    )


def split(apart: Iterable[str], rest: int) -> str:
    """The comment on a group's request out of which members were taken. `rest` is how many images stay in it."""
    names = sorted(apart)
    shown = ", ".join(code(image) for image in names)
    own = "a request of its own" if len(names) == 1 else "requests of their own"
    stay = f"{rest} image{'s' if rest != 1 else ''}"
    return (
        f"The checks of this group failed. Taken out into {own}: {shown}; "
        f"their checks will say which of them is red, and the other {stay} can land as soon as what is left here is green."
    )


def held(image: str, path: str, reason: str) -> str:
    """That an image is on hold in a place, and how that ends."""
    place = f" in {code(path)}" if path else ""
    return f"{code(image)}{place} is on hold: {prose(reason)}. `tagboat resume` lifts it."
