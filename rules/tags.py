"""Tags: what a tag says by its text, and which others can be compared with it.

    1.25.3-alpine3.18           version    numbers 1.25.3, variant -alpine3.18
    v2   8-jdk17   jdk17        version    one number each, which is a major
    1.2.3-rc.1   3.13.0b2       version    a pre-release
    1.2.3-debian-12-r5          version    revision 5 of the variant -debian-12-r
    20260102   2026.01.02       date       ordered, and never mixed with versions
    main-3f2a9c1-41             build      number 41, fixed text main-, a commit hash that is not compared
    3f2a9c1   sha-3f2a9c1       hash       nothing in it can be ordered
    latest   stable   main      moving     a name

Two tags can be compared where they are of the same form, their fixed texts (prefix and variant) are the same, and they have as
many numbers: `1.25` is not older than `1.25.3`, and `1.2.3` not older than `1.3.0-alpine`. What is not known to be a counter is
fixed text, so an unknown suffix is kept as it stands and never counted up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from rules.tagwords import BRANCHES, COUNTERS, PRERELEASES, RUNTIMES, TOPICS, is_date

Key = tuple[tuple[int, ...], tuple[Any, ...], tuple[int, ...]]
NUMBER, HASH = "\x00", "\x01"  # where a number or a hash stands in fixed text
RELEASE: tuple[Any, ...] = (1,)
_CACHE = 4096

_PRE_WORDS = "|".join(sorted(PRERELEASES, key=len, reverse=True))
PRE = (
    rf"[-_.+~]?(?:(?:{_PRE_WORDS})(?![A-Za-z])|(?<=[0-9])[abcm](?=[0-9])|(?<=[-.])m(?=[0-9]))"
    r"(?:[-_.]?[0-9]+(?:\.[0-9]+)*(?![0-9A-Za-z.]))?"
)
_PRE_SHAPE = re.compile(rf"(?i:({PRE}))(?=[-_+.~]|$)")
_CORES = [  # with as much of it as can be in words before the numbers (`python3-1.2`), and with as little (`v1-2`)
    re.compile(
        rf"((?:[A-Za-z]+[-_.]|[A-Za-z][A-Za-z0-9]*[-_])*{much}[A-Za-z]*?)([0-9]+{numbers})(?![0-9]|\.[0-9])(.*)", re.DOTALL
    )
    for much, numbers in (("", r"(?:\.[0-9]+){1,3}"), ("?", r"(?:\.[0-9]+){0,3}"))
]
_SEPARATORS = frozenset("-_+")
_TOKEN = re.compile(r"[-_+]|[^-_+]+")
_MIXED_HASH = re.compile(r"g?(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])(?:[0-9a-f]{7,40}|[0-9a-f]{64})")
_ANY_HASH = re.compile(r"[0-9a-f]{7,40}|[0-9a-f]{64}")
STAMP = re.compile(
    r"(?<![0-9])((?:19|20)[0-9]{2})(?:-([0-9]{2})-([0-9]{2})|([0-9]{2})([0-9]{2})(?=T))"
    r"(?:T([0-9]{2})-?([0-9]{2})-?([0-9]{2})Z?)?(?![0-9])"
)
_DOTTED = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_COUNTED = re.compile(r"([A-Za-z]+(?:[0-9]+[A-Za-z]+)?[.]?)([0-9]+(?:\.[0-9]+)*)")


class Form(StrEnum):
    """What a tag is by its text."""

    VERSION = "version"
    DATE = "date"
    BUILD = "build"
    HASH = "hash"
    MOVING = "moving"


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag that was read.

    `prefix` and `variant` are the fixed texts before and after the numbers; in `variant` (and, for builds, in `prefix`) the
    places of counters and hashes are marked. `numbers` are ordered first, then `pre` (a release comes after its pre-releases),
    then `revision`, the counters of the variant. `hashes` are not ordered at all.
    """

    text: str
    form: Form
    prefix: str = ""
    numbers: tuple[int, ...] = ()
    pre: tuple[Any, ...] = RELEASE
    variant: str = ""
    revision: tuple[int, ...] = ()
    hashes: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """What orders it among those that it can be compared with."""
        return self.numbers, self.pre, self.revision

    @property
    def is_prerelease(self) -> bool:
        return self.pre != RELEASE

    @property
    def is_ordered(self) -> bool:
        """Whether there is something in it by which it can be older or newer than another."""
        return self.form in (Form.VERSION, Form.DATE, Form.BUILD)

    @property
    def precision(self) -> int:
        """How many numbers it has."""
        return len(self.numbers)

    @property
    def shape(self) -> tuple[Any, ...]:
        """Equal for tags that can be compared."""
        width = len(str(self.numbers[0])) if self.form is Form.DATE and len(self.numbers) == 1 else 0
        return self.form, self.prefix, len(self.numbers), self.variant, len(self.revision), width

    def comparable(self, other: Tag) -> bool:
        """Whether one of the two can be said to be older."""
        return self.is_ordered and self.shape == other.shape


@lru_cache(maxsize=_CACHE)
def read(text: str) -> Tag:
    """What a tag says. Every text is read as something: one that has nothing to order is a name that moves."""
    for shape in _CORES:
        core = shape.fullmatch(text)
        if core is not None and (found := _numbered(text, *core.groups())) is not None:
            return found
    return _build(text)


def among(text: str, listing: Iterable[str]) -> Tag:
    """As `read`, where others tell what is a hash: `main-1234567-41` is a number and a counter by itself; beside
    `main-3f2a9c1-40` its first part is a hash that has no letter by chance."""
    doubtful = [match for match in re.finditer(r"(?<![0-9A-Za-z])[0-9a-f]{7,40}(?![0-9A-Za-z])", text) if not _is_hash(match[0])]
    for match in doubtful:
        before, after = re.escape(text[: match.start()]), re.escape(text[match.end() :])
        beside = re.compile(_loose(before) + rf"([0-9a-f]{{{len(match[0])}}})" + _loose(after))
        if any((other := beside.fullmatch(one)) and _is_hash(other[1]) for one in listing):
            return _build(text, frozenset({match[0]}))
    return read(text)


def same_version(one: str, other: str) -> bool:
    """Whether two tags are the same version in different spellings: `1.4.0`, `v1.4.0`, `1.4` and `1.4.0-alpine` are."""
    if one == other:
        return True
    first, second = read(one), read(other)
    if first.form is not second.form or not first.is_ordered:
        return False
    if first.form is Form.BUILD:
        return first.shape == second.shape and first.key == second.key and first.hashes == second.hashes
    return _padded(first) == _padded(second) and first.pre == second.pre


def major_of(text: str) -> int | None:
    """The first number of a version; None where the tag is none."""
    tag = read(text)
    return tag.numbers[0] if tag.form is Form.VERSION else None


def older(one: str, other: str) -> bool | None:
    """Whether the first tag is older than the second; None where the two cannot be compared. Of two versions of the same
    precision the numbers decide, whatever their variants."""
    first, second = read(one), read(other)
    if first.comparable(second):
        return first.key < second.key
    if not (first.form is second.form is Form.VERSION and first.precision == second.precision):
        return None
    mine, theirs = (first.numbers, first.pre), (second.numbers, second.pre)
    return mine < theirs if mine != theirs else None


def _padded(tag: Tag) -> tuple[int, ...]:
    return (*tag.numbers, 0, 0, 0)[:4]


def _numbered(text: str, prefix: str, digits: str, rest: str) -> Tag | None:
    """A tag that begins with numbers behind a prefix of words; None where it is better read token by token."""
    if any(map(_is_hash, _TOKEN.findall(prefix))) or ("." not in digits and STAMP.match(text, len(prefix))):
        return None
    ending = _ending(rest)
    if ending is None:
        return None
    pre, variant, revision, hashes = ending
    numbers = tuple(map(int, digits.split(".")))
    form = _form(prefix, digits, numbers, variant)
    if form is None:
        return None
    return Tag(text, form, prefix, numbers, pre, variant, revision, hashes)


def _form(prefix: str, digits: str, numbers: tuple[int, ...], variant: str) -> Form | None:
    """What numbers behind a prefix are: a version, a date or serial number, or None: a build that is read token by token."""
    if len(numbers) > 1:
        return Form.DATE if is_calendar(numbers) else Form.VERSION
    word = prefix.rstrip("-_.").lower()
    last = re.split(r"[-_.]", word)[-1]
    if word in ("", "v", "ver", "version"):
        if len(digits) >= 5:
            return Form.DATE
        counted = bool(variant) and (variant.startswith(("-" + HASH, "_" + HASH)) or variant[1:].lower() in BRANCHES)
        return Form.BUILD if counted and not word else Form.VERSION
    if last in RUNTIMES or last == "v":
        return Form.VERSION
    glued = prefix[-1:].isalpha()
    if glued and last not in BRANCHES | COUNTERS and len(digits) < 5:
        return Form.VERSION
    return None


def is_calendar(numbers: tuple[int, ...]) -> bool:
    """Whether dotted numbers begin with a year and a month, or with a whole date."""
    if len(numbers) < 2:
        return False
    return (1990 <= numbers[0] < 2100 and 0 < numbers[1] <= 12) or is_date(str(numbers[0]))


@lru_cache(maxsize=_CACHE)
def _ending(rest: str) -> tuple[tuple[Any, ...], str, tuple[int, ...], tuple[str, ...]] | None:
    """What follows the numbers: pre-release, variant, revision and hashes; None where it is glued to them and unknown."""
    pre = RELEASE
    found = _PRE_SHAPE.match(f"0{rest}", 1)
    if found is not None:
        pre = maturity(found[1])
        rest = rest[len(found[1]) :]
    if not rest:
        return pre, "", (), ()
    if rest[0] not in "-_+.~" and not (found is None and re.match(r"u[0-9]", rest)):
        return None
    pieces: list[str] = []
    revision: list[int] = []
    hashes: list[str] = []
    before, counted = "", found is None
    for token in _TOKEN.findall(stamped(rest)):
        if token in _SEPARATORS:
            pieces.append(token)
            continue
        piece, numbers = _counter(token.removeprefix("."), before, counted)
        if _is_hash(token):
            piece = HASH
            hashes.append(token)
        pieces.append("." + piece if token.startswith(".") else piece)
        revision += numbers
        counted = bool(numbers)
        before = token.lower()
    return pre, "".join(pieces), tuple(revision), tuple(hashes)


def _counter(token: str, before: str, counted: bool) -> tuple[str, tuple[int, ...]]:
    """A token of a variant as fixed text, and the numbers in it that count up. `before` is the token before it; `counted` says
    that it was a number that counts (or the version itself)."""
    if _DOTTED.fullmatch(token):
        # Two versions in one tag, as in 4.19.1-2.5.0: the second is no counter.
        counted = counted and ("." not in token or len(token.partition(".")[0]) >= 5)
        if counted or before in COUNTERS or before in BRANCHES or is_date(token):
            numbers = tuple(map(int, token.split(".")))
            return ".".join(NUMBER for _ in numbers), numbers
        return token, ()
    if (found := _COUNTED.fullmatch(token)) and found[1].rstrip(".").lower() in COUNTERS | BRANCHES:
        numbers = tuple(map(int, found[2].split(".")))
        return found[1] + ".".join(NUMBER for _ in numbers), numbers
    return token, ()


def _build(text: str, hashes: frozenset[str] = frozenset()) -> Tag:
    """A tag of tokens: which of them is the counter, which are hashes, and which fixed text."""
    tokens = _TOKEN.findall(stamped(text))
    kinds = [_kind(tokens, place, hashes) for place in range(len(tokens))]
    counters = [place for place, kind in enumerate(kinds) if kind == "number"]
    ordered = {place for place, kind in enumerate(kinds) if kind == "date"} | set(counters[-1:])
    pieces: list[str] = []
    numbers: list[int] = []
    found: list[str] = []
    for place, token in enumerate(tokens):
        if place in ordered:
            fixed, digits = _fixed_and_digits(token)
            pieces.append(fixed + ".".join(NUMBER for _ in digits))
            numbers += digits
        elif kinds[place] == "hash":
            pieces.append(HASH)
            found.append(token)
        else:
            pieces.append(token)
    form = Form.MOVING
    if numbers:
        form = Form.DATE if kinds[min(ordered)] == "date" and not found else Form.BUILD
    elif found:
        form = Form.HASH
    return Tag(text, form, "".join(pieces), tuple(numbers), hashes=tuple(found))


def _kind(tokens: list[str], place: int, hashes: frozenset[str]) -> str:
    token = tokens[place]
    before = tokens[place - 2].lower() if place >= 2 else ""
    if token in hashes or _is_hash(token) or (before == "sha" and _ANY_HASH.fullmatch(token)):
        return "hash"
    fixed, digits = _fixed_and_digits(token)
    if not digits:
        return "text"
    if is_date(token[len(fixed) :]):
        return "date"
    word = fixed.rstrip(".").lower()
    if word and not (word in BRANCHES | COUNTERS or (fixed.endswith(".") and word not in RUNTIMES | TOPICS)):
        return "text"
    return "text" if not word and (before in RUNTIMES or before in TOPICS) else "number"


def _fixed_and_digits(token: str) -> tuple[str, tuple[int, ...]]:
    """`build.41` as `build.` and 41; a token that has no number at its end has no digits."""
    if token.isdecimal() and token.isascii():
        return "", (int(token),)
    found = _COUNTED.fullmatch(token)
    if found is None or "." in found[2]:
        return token, ()
    return found[1], (int(found[2]),)


def stamped(text: str) -> str:
    """The text with dates such as `2026-01-02T03-04-05Z` written in one number."""
    return STAMP.sub(lambda stamp: "".join(group for group in stamp.groups() if group), text)


def _is_hash(token: str) -> bool:
    return _MIXED_HASH.fullmatch(token) is not None


def _loose(pattern: str) -> str:
    """An escaped text as a pattern in which every other hash and number may be another one."""
    return re.sub(r"[0-9a-f]{7,40}|[0-9]+", "[0-9a-f]+", pattern)


def maturity(text: str) -> tuple[Any, ...]:
    """What orders pre-releases: how mature the word says it is, then its numbers."""
    found = re.search(r"([A-Za-z]+)[-_.]?([0-9.]*)", text)
    assert found is not None
    word = found[1].lower()
    return 0, PRERELEASES.get(word, {"a": 30, "b": 40, "c": 60, "m": 45}.get(word, 0)), word, _ints(found[2])


def _ints(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part)
