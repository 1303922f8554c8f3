"""What follows the numbers of a version: pre-release, variant, the counters in it (its revision), and hashes.

-rc.1-alpine        pre-release rc 1, variant -alpine
-debian-12-r5       variant -debian-12-r, revision 5
_9-jdk              variant _ -jdk, revision 9
-63-gabc1234        revision 63, a hash
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from rules.tags.dates import is_date, stamped
from rules.tags.values import HASH, NUMBER, RELEASE
from rules.tags.words import BRANCHES, COUNTERS, PRERELEASES

Ending = tuple[tuple[Any, ...], str, tuple[int, ...], tuple[str, ...]]  # pre-release, variant, revision, hashes
COUNTED = re.compile(r"([A-Za-z]+(?:[0-9]+[A-Za-z]+)?)([0-9]+(?:\.[0-9]+)*)")
SEPARATORS = frozenset("-_+.")
_TOKEN = re.compile(r"[-_+]|[^-_+]+")
_LETTERS = {"a": "alpha", "b": "beta", "c": "rc", "m": "milestone"}  # where they are glued to numbers, as in 3.13.0b2

_WORDS = "|".join(sorted(PRERELEASES, key=len, reverse=True))
PRERELEASE = (
    rf"[-_.+~]?(?:(?:{_WORDS})(?![A-Za-z])|(?<=[0-9])[abcm](?=[0-9])|(?<=[-.])m(?=[0-9]))"
    r"(?:[-_.]?[0-9]+(?:\.[0-9]+)*(?![0-9A-Za-z.]))?"
)
_PRE_SHAPE = re.compile(rf"(?i:({PRERELEASE}))(?=[-_+.~]|$)")
_DOTTED = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_MIXED_HASH = re.compile(r"g?(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])(?:[0-9a-f]{7,40}|[0-9a-f]{64})")


@lru_cache(maxsize=4096)
def ending(rest: str, known: frozenset[str] = frozenset()) -> Ending | None:
    """What a text behind numbers says; None where it is glued to them and not understood. `known` are tokens that are hashes
    though they do not look it."""
    pre, rest = RELEASE, stamped(rest)
    found = _PRE_SHAPE.match(f"0{rest}", 1)
    if found is not None:
        pre = maturity(found[1])
        rest = rest[len(found[1]) :]
    if not rest:
        return pre, "", (), ()
    if rest[0] not in "-_+.~" and not (found is None and re.match("u[0-9]", rest)):  # 8u392
        return None
    pieces: list[str] = []
    revision: list[int] = []
    hashes: list[str] = []
    before, counted = "", True
    for token in tokens(rest):
        if token in SEPARATORS:
            pieces.append(token)
        elif token in known or is_hash(token):
            pieces.append(HASH)
            hashes.append(token)
            before, counted = "", False
        else:
            piece, numbers = _counter(token, before, counted)
            pieces.append(piece)
            revision += numbers
            before, counted = token.lower(), bool(numbers)
    return pre, "".join(pieces), tuple(revision), tuple(hashes)


def tokens(text: str) -> list[str]:
    """The pieces of a text, separators among them. A dot separates where it does not belong to a number: `main.41.3f2a9c1` has
    five pieces, `alpine3.18` and `4.1` have one."""
    found: list[str] = []
    for token in _TOKEN.findall(text):
        first, *rest = token.split(".")
        apart = not first or (first.isalpha() and first.isascii()) or is_date(first) or any(map(is_hash, (first, *rest)))
        found += [piece for piece in re.split(r"(\.)", token) if piece] if rest and apart else [token]
    return found


def is_hash(token: str) -> bool:
    """Whether a token can be nothing but a commit hash (or a digest): letters and digits, long enough."""
    return _MIXED_HASH.fullmatch(token) is not None


def maturity(text: str) -> tuple[Any, ...]:
    """What orders pre-releases: how mature the word says it is, then its numbers."""
    found = re.search(r"([A-Za-z]+)[-_.]?([0-9.]*)", text)
    assert found is not None
    word = found[1].lower()
    return 0, PRERELEASES[_LETTERS.get(word, word)], word, tuple(int(part) for part in found[2].split(".") if part)


def _counter(token: str, before: str, counted: bool) -> tuple[str, tuple[int, ...]]:
    """A token of a variant as fixed text, and the numbers in it that count up. `before` is the token before it; `counted` says
    that it was a number that counts, or the version itself."""
    if _DOTTED.fullmatch(token):
        # Two versions in one tag, as in 4.19.1-2.5.0: the second is no counter.
        counted = counted and ("." not in token or len(token.partition(".")[0]) >= 5)
        if counted or before in COUNTERS or before in BRANCHES or is_date(token):
            return _places(token), tuple(map(int, token.split(".")))
        return token, ()
    found = COUNTED.fullmatch(token)
    if found is not None and found[1].lower() in COUNTERS | BRANCHES:
        return found[1] + _places(found[2]), tuple(map(int, found[2].split(".")))
    return token, ()


def _places(numbers: str) -> str:
    return ".".join(NUMBER for _ in numbers.split("."))
