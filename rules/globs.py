"""Globs over paths and image names.

    envs/*/app.yaml      `*` stays within one part, `?` is one character of it
    **/testdata/**       `**` crosses `/`; `**/` also stands for no folder at all
    app-[0-9].yaml       `[a-z]` is one character of these, `[!a-z]` one of the others, never `/`
    {dev,staging}/**     one of these
    envs/dev/            a folder: all that is in it

A backslash takes the next character as it is. A path is matched as a whole, from the repository's root; a leading `/` or `./`
says nothing. Letters match themselves in their own case only. An image pattern may use any spelling of Docker Hub's names:
`nginx` and `docker.io/library/nginx` are one image, whichever of them the pattern and the file say.

Every pattern is translated to RE2, so matching takes time linear in the path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

import re2

from rules.images import DOCKER_HUB, ImageRef

_LIMIT = 1000  # characters of a pattern
_SPECIAL = frozenset(r"\.+*?()|[]{}^$/-&~#")
_LAST = 0x10FFFF


class BadGlob(ValueError):
    """The pattern cannot be read; the message says why."""


def matches(pattern: str, path: str) -> bool:
    """Whether the pattern matches the whole path. Raises BadGlob."""
    return _compiled(pattern)(path)


def matches_any(patterns: Iterable[str], path: str) -> bool:
    """Whether one of the patterns matches the whole path. Raises BadGlob."""
    return any(_compiled(pattern)(path) for pattern in patterns)


def matches_image(pattern: str, name: str) -> bool:
    """Whether the pattern matches a spelling of an image name (without tag and digest). Raises BadGlob."""
    return any(map(_compiled(pattern), spellings(name)))


def check(pattern: str) -> None:
    """Raises BadGlob where the pattern cannot be read."""
    _compiled(pattern)


@lru_cache(maxsize=65536)
def spellings(name: str) -> tuple[str, ...]:
    """The names under which an image can be meant: as written, canonical, and Docker Hub's short forms."""
    ref = ImageRef(name)
    names = {name: None, ref.canonical: None}
    if ref.registry == DOCKER_HUB:
        short = ref.repository.removeprefix("library/")
        for spelled in (ref.repository, short, f"{DOCKER_HUB}/{short}"):
            names[spelled] = None
    return tuple(names)


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> Callable[[str], bool]:
    wanted = pattern.removeprefix("./").removeprefix("/")
    if wanted.endswith("/"):
        wanted += "**"
    if not wanted:
        raise BadGlob("an empty pattern matches nothing")
    if len(wanted) > _LIMIT:
        raise BadGlob(f"the pattern is longer than {_LIMIT} characters")
    if wanted == "**":
        return lambda path: True
    if not _SPECIAL & set(wanted) - set("./-&~#"):
        return wanted.__eq__
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        expression = re2.compile(_Translation(wanted).whole(), options)
    except re2.error as error:
        raise BadGlob(f"{pattern[:60]!r} is too large or cannot be read ({error})") from None
    except UnicodeEncodeError:
        raise BadGlob(f"{pattern[:60]!r} holds half a character") from None

    def match(path: str) -> bool:
        try:
            return expression.fullmatch(path) is not None
        except UnicodeEncodeError:  # a file name that is not UTF-8
            return expression.fullmatch(path.encode("utf-8", "replace").decode()) is not None

    return match


class _Translation:
    """One pattern on its way to RE2's grammar."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.depth = 0

    def whole(self) -> str:
        pieces = ["(?s)"]
        while self.at < len(self.pattern):
            pieces.append(self._next())
        if self.depth:
            raise BadGlob(f"{self.pattern[:60]!r}: a '{{' is never closed")
        return "".join(pieces)

    def _next(self) -> str:
        char = self.pattern[self.at]
        if char == "*":
            return self._stars()
        if char == "[":
            return self._class()
        self.at += 1
        match char:
            case "?":
                return "[^/]"
            case "{":
                self.depth += 1
                return "(?:"
            case "," if self.depth:
                return "|"
            case "}" if self.depth:
                self.depth -= 1
                return ")"
            case "\\":
                if self.at == len(self.pattern):
                    raise BadGlob(f"{self.pattern[:60]!r} ends in a backslash")
                self.at += 1
                return _literal(self.pattern[self.at - 1])
            case _:
                return _literal(char)

    def _stars(self) -> str:
        start = self.at
        while self.pattern[self.at : self.at + 1] == "*":
            self.at += 1
        if self.at - start == 1:
            return "[^/]*"
        begins_a_part = start == 0 or self.pattern[start - 1] in "/{,"
        if begins_a_part and self.pattern[self.at : self.at + 1] == "/":
            self.at += 1
            return "(?:.*/)?"
        return ".*"

    def _class(self) -> str:
        end = self.pattern.find("]", self.at + (3 if self.pattern[self.at + 1 : self.at + 2] in ("!", "^") else 2))
        if end < 0:
            raise BadGlob(f"{self.pattern[:60]!r}: a '[' is never closed")
        members = self.pattern[self.at + 1 : end]
        self.at = end + 1
        others = members[0] in "!^"
        ranges = list(_ranges(members[1:] if others else members, self.pattern))
        if others:
            return "[^/" + "".join(ranges) + "]"
        return "[" + "".join(ranges) + "]" if ranges else r"[^\x00-\x{10FFFF}]"


def _ranges(members: str, pattern: str) -> Iterable[str]:
    """The members of a class as RE2's ranges, without `/`."""
    at = 0
    while at < len(members):
        low = high = ord(members[at])
        at += 1
        if members[at : at + 1] == "-" and at + 1 < len(members):
            high = ord(members[at + 1])
            at += 2
        if high < low:
            raise BadGlob(f"{pattern[:60]!r}: the range {chr(low)}-{chr(high)} runs backwards")
        slash = ord("/")
        parts = [(low, slash - 1), (slash + 1, high)] if low <= slash <= high else [(low, high)]
        yield from (rf"\x{{{a:X}}}-\x{{{b:X}}}" for a, b in parts if a <= b)


def _literal(char: str) -> str:
    return "\\" + char if char in _SPECIAL else char
