"""Shell-like variables with defaults, as Compose has them: `${TAG:-1.2}`, `${TAG-1.2}`, nested ones too; `$$` is a dollar.

resolve("web:${TAG:-1.2}").text      "web:1.2"
resolve("web:${TAG:-1.2}").whole(4, 7)   the place of "1.2" in what was written
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Resolved:
    """The text with defaults put in. `places` has, for each of its characters, where that one stands in what was written.

    `unknown` is the first variable that has no default (then `text` is as written), None where there is none.
    """

    text: str
    places: tuple[int, ...] = ()
    unknown: str | None = None

    def whole(self, start: int, end: int) -> int | None:
        """Where the characters from `start` to `end` begin in what was written; None where they stand in several pieces."""
        places = self.places[start:end]
        if not places or places != tuple(range(places[0], places[0] + len(places))):
            return None
        return places[0]


class _Unknown(Exception):
    pass


def resolve(written: str) -> Resolved:
    """Put in the defaults."""
    try:
        pairs, _ = _read(written, 0, inside=False)
    except _Unknown as error:
        return Resolved(written, unknown=str(error))
    return Resolved("".join(char for char, _ in pairs), tuple(place for _, place in pairs))


def _read(written: str, at: int, *, inside: bool, depth: int = 0) -> tuple[list[tuple[str, int]], int]:
    """The characters from `at` on, up to the end or (inside a default) the closing brace, and the place behind it."""
    pairs: list[tuple[str, int]] = []
    while at < len(written):
        if written.startswith("$$", at):
            pairs.append(("$", at))
            at += 2
        elif written[at] == "$":
            more, at = _variable(written, at, depth + 1)
            pairs += more
        elif inside and written[at] == "}":
            return pairs, at + 1
        else:
            pairs.append((written[at], at))
            at += 1
    if inside:
        raise _Unknown(written)
    return pairs, at


def _variable(written: str, at: int, depth: int) -> tuple[list[tuple[str, int]], int]:
    braced = written.startswith("${", at)
    name = _NAME.match(written, at + (2 if braced else 1))
    if name is None or depth > 10:
        raise _Unknown(written[at : at + 20])
    if braced:
        rest = written[name.end() : name.end() + 2]
        if rest == ":-" or rest[:1] == "-":
            return _read(written, name.end() + rest.index("-") + 1, inside=True, depth=depth)
    raise _Unknown(f"${name[0]}")
