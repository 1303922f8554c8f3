"""From the text of a tag to what it says: first as numbers behind a prefix, else token by token."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from rules.tags.dates import is_calendar, is_date, is_day_first, is_stamp, stamped
from rules.tags.endings import COUNTED, ending, is_hash, tokens
from rules.tags.values import HASH, NUMBER, Form, Tag
from rules.tags.words import BRANCHES, COUNTERS, RUNTIMES, TOPICS

_LIMIT = 256  # characters: a registry takes 128
_NONE = frozenset[str]()
_CORES = [  # with as much of it as can be in words before the numbers (`python3-1.2`), and with as little (`v1-2`)
    re.compile(
        rf"((?:[A-Za-z]+(?:[0-9][A-Za-z0-9]*[-_]|[-_.]))*{much}[A-Za-z]*?)([0-9]+{numbers})(?![0-9]|\.[0-9])(.*)", re.DOTALL
    )
    for much, numbers in (("", r"(?:\.[0-9]+){1,3}"), ("?", r"(?:\.[0-9]+){0,3}"))
]
_HEXADECIMAL = re.compile(r"[0-9a-f]{7,40}|[0-9a-f]{64}")
_ALONE = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{7,40}(?![0-9A-Za-z])")


@lru_cache(maxsize=4096)
def read(text: str, hashes: frozenset[str] = _NONE) -> Tag:
    """What a tag says. Every text is read as something: one that has nothing to order is a name that moves.

    `hashes` are pieces of it that are hashes though they do not look it."""
    if len(text) > _LIMIT:
        return Tag(text, Form.MOVING, text)
    for shape in _CORES:
        core = shape.fullmatch(text)
        if core is not None and (found := _numbered(text, core, hashes)) is not None:
            return found
    return _build(text, hashes)


def among(text: str, listing: Iterable[str]) -> Tag:
    """As `read`, where others tell what is a hash: `main-1234567-41` is a number and a counter by itself; beside
    `main-3f2a9c1-40` its first part is a hash that has no letter by chance."""
    for match in _ALONE.finditer(text[:_LIMIT]):
        if is_hash(match[0]):
            continue
        before, after = (_loosely(piece) for piece in (text[: match.start()], text[match.end() :]))
        beside = re.compile(before + f"([0-9a-f]{{{len(match[0])}}})" + after)
        if any((other := beside.fullmatch(one)) and is_hash(other[1]) for one in listing):
            return read(text, frozenset({match[0]}))
    return read(text)


def _numbered(text: str, core: re.Match[str], hashes: frozenset[str]) -> Tag | None:
    """A tag that begins with numbers behind a prefix of words; None where it is better read token by token."""
    prefix, digits, rest = core.groups()
    if digits in hashes or any(token in hashes or is_hash(token) for token in tokens(prefix)):
        return None
    if "." not in digits and is_stamp(text, len(prefix)):
        return None
    if is_day_first(text, len(prefix)):
        return Tag(text, Form.MOVING, text)
    found = ending(rest, hashes)
    if found is None:
        return None
    pre, variant, revision, there = found
    numbers = tuple(map(int, digits.split(".")))
    form = _form(prefix, digits, numbers, variant)
    return None if form is None else Tag(text, form, prefix, numbers, pre, variant, revision, there)


def _form(prefix: str, digits: str, numbers: tuple[int, ...], variant: str) -> Form | None:
    """What numbers behind a prefix are: a version, a date or serial number, or None: a build that is read token by token."""
    if len(numbers) > 1:
        return Form.DATE if is_calendar(numbers) else Form.VERSION
    word = prefix.rstrip("-_.").lower()
    last = re.split(r"[-_.]", word)[-1]
    if word in ("", "v", "ver", "version"):
        if len(digits) >= 5:
            return Form.DATE
        built = not word and (variant[1:2] == HASH or variant[1:].lower() in BRANCHES)
        return Form.BUILD if built else Form.VERSION
    glued = prefix[-1].isalpha() and last not in BRANCHES | COUNTERS
    return Form.VERSION if len(digits) < 5 and (glued or last in RUNTIMES) else None


def _build(text: str, hashes: frozenset[str]) -> Tag:
    """A tag of tokens: which of them is the counter, which are hashes, and which fixed text."""
    found = tokens(stamped(text))
    kinds = [_kind(found, place, hashes) for place in range(len(found))]
    counters = [place for place, kind in enumerate(kinds) if kind == "number"]
    dates = {place for place, kind in enumerate(kinds) if kind == "date"}
    ordered = dates | set(counters[-1:])
    pieces: list[str] = []
    numbers: list[int] = []
    there: list[str] = []
    for place, token in enumerate(found):
        if place in ordered:
            fixed, digits = _fixed_and_digits(token)
            pieces.append(fixed + NUMBER)
            numbers.append(int(digits))
        elif kinds[place] == "hash":
            pieces.append(HASH)
            there.append(token)
        else:
            pieces.append(token)
    form = Form.HASH if there else Form.MOVING
    if numbers:
        form = Form.DATE if min(ordered) in dates and not there else Form.BUILD
    return Tag(text, form, "".join(pieces), tuple(numbers), hashes=tuple(there))


def _kind(pieces: list[str], place: int, hashes: frozenset[str]) -> str:
    """What a piece is: `hash`, `date`, `number` or `text`."""
    token = pieces[place]
    before = pieces[place - 2].lower() if place >= 2 else ""
    if token in hashes or is_hash(token) or (before == "sha" and _HEXADECIMAL.fullmatch(token)):
        return "hash"
    fixed, digits = _fixed_and_digits(token)
    if is_date(digits):
        return "date"
    word = fixed.lower()
    if not digits or (not word and before in RUNTIMES | TOPICS):
        return "text"
    return "number" if not word or word in BRANCHES | COUNTERS else "text"


def _fixed_and_digits(token: str) -> tuple[str, str]:
    """`b41` as `b` and `41`; a token that has no number at its end has no digits."""
    if token.isdecimal() and token.isascii():
        return "", token
    found = COUNTED.fullmatch(token)
    return (token, "") if found is None or "." in found[2] else (found[1], found[2])


def _loosely(text: str) -> str:
    """A text as a pattern in which every other hash and number may be another one."""
    return "[0-9a-f]+".join(map(re.escape, re.split("[0-9a-f]{7,40}|[0-9]+", text)))
