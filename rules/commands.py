"""Comment commands: what a person says to Tagboat on one of its requests.

    @tagboat why                      why this tag, and what its landing waits for
    @tagboat refresh                  write the branch anew on its base, now
    @tagboat hold until friday        no update of these images in these places
    @tagboat resume                   lift the holds and skips on them
    @tagboat skip this version        not this version; a newer one will be proposed
    @tagboat merge                    land it as soon as its checks and reviews allow
    @tagboat rollback                 go back to what stood there before the last landing

A command is a line of its own that begins with the mention. What is quoted, or stands in code, is none. Everybody may ask why;
for the rest one has to be allowed to write to the repository.

`merge` stands in for a person's word and for nothing else: it lifts the rule's own conditions of time and kind (`update_types`,
`min_release_age`, `min_pr_age`, `schedule`, `require_label`), and it is for what the request holds at that moment. Checks,
reviews, protection, holds and freezes count as always.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import assert_never

from rules.findings import did_you_mean, one_of
from rules.images import canonical
from rules.messages.escaping import code, prose
from rules.records import Record

LIMIT = 5
"""Commands of one comment that are heard."""

_REASON = 200
_FENCE = re.compile(r"^ {0,3}(?:```|~~~)")
_CODE = re.compile(r"^(?: {4}|\t| {0,3}>)")


@dataclass(frozen=True, slots=True)
class Why:
    """Why this tag, and how the request stands."""


@dataclass(frozen=True, slots=True)
class Again:
    """Write the branch anew on its base."""


@dataclass(frozen=True, slots=True)
class Hold:
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Resume:
    pass


@dataclass(frozen=True, slots=True)
class Skip:
    """Not this version."""


@dataclass(frozen=True, slots=True)
class Land:
    """A person's word that the request may land."""


@dataclass(frozen=True, slots=True)
class Rollback:
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Unclear:
    """Meant for us, and not understood; `hint` says what there is."""

    word: str
    hint: str


Command = Why | Again | Hold | Resume | Skip | Land | Rollback | Unclear

WORDS = ("why", "refresh", "hold", "resume", "skip this version", "merge", "rollback")


def read(text: str, names: Collection[str] = ("tagboat",)) -> list[Command]:
    """The commands in a comment, in their order, each once. `names` are those under which we are called (`acme-bot[bot]` too)."""
    called = "|".join(re.escape(name.removesuffix("[bot]")) for name in sorted(names, key=len, reverse=True) if name)
    if not called:
        return []
    line = re.compile(rf" {{0,3}}@(?:{called})(?:\[bot\])?(?![\w-])[ \t,:]*(.*)", re.IGNORECASE)
    found = [_command(match[1]) for one in _said(text) if (match := line.fullmatch(one))]
    return list(dict.fromkeys(found))[:LIMIT]


def _said(text: str) -> Iterator[str]:
    """The lines of a comment that are neither quoted nor code."""
    fenced = False
    for line in text[:20_000].splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced and not _CODE.match(line):
            yield line.rstrip()


def _command(text: str) -> Command:
    word, _, rest = " ".join(text.split()).partition(" ")
    rest = rest[:_REASON]
    match word.lower().rstrip(".!?"):
        case "why" | "explain":
            return Why()
        case "refresh" | "rebase" | "recreate":
            return Again()
        case "hold":
            return Hold(rest)
        case "resume":
            return Resume()
        case "skip" if rest.lower().rstrip(".!?") in ("", "this version", "this", "it"):
            return Skip()
        case "merge" | "land" if not rest:
            return Land()
        case "rollback":
            return Rollback(rest)
        case other:
            shown = " ".join(text.split())[:60]
            return Unclear(shown, did_you_mean(other, ("why", "refresh", "hold", "resume", "skip", "merge", "rollback")))


# -- what each of them does


@dataclass(frozen=True, slots=True)
class Keep:
    """To remember: no update of an image in a file, or with `version` not that one."""

    image: str
    path: str
    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class Lift:
    """To forget: every hold and skip on an image in a file, and what people said by closing and reverting before."""

    image: str
    path: str


@dataclass(frozen=True, slots=True)
class Allow:
    """To remember: what a request holds now may land, by a person's word."""

    number: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Rewrite:
    """To do in this pass: write the branch anew."""

    number: int


@dataclass(frozen=True, slots=True)
class TakeBack:
    """To remember: an image in a file goes back to what stood there before `version` landed."""

    image: str
    path: str
    version: str
    reason: str


Deed = Keep | Lift | Allow | Rewrite | TakeBack


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command comes to: deeds, and one sentence about them for the person. `refused` is true where nothing is done."""

    deeds: tuple[Deed, ...]
    sentence: str
    refused: bool = False


def answer(command: Command, number: int, record: Record | None, *, may_write: bool, edited: bool = False) -> Answer:
    """What a command on a request comes to. `record` is the request's hidden line: the places that it is for. `edited` says that
    a person pushed to its branch. `Why` has no deed: its sentence is for the caller to make."""
    if isinstance(command, Why):
        return Answer((), "")
    if isinstance(command, Unclear):
        hint = f" {prose(command.hint)}" if command.hint else ""
        return Answer((), f"{code(command.word or ' ')} is not understood.{hint} There is {one_of(map(code, WORDS))}.", True)
    if not may_write:
        return Answer((), "only those who may write to the repository can ask for that.", True)
    if isinstance(command, Again):
        if edited:
            return Answer((), "somebody pushed to the branch, and writing it anew would throw that away: nothing is done.", True)
        return Answer((Rewrite(number),), "its branch is written anew on its base.")
    places = () if record is None else record.targets
    if not places:
        return Answer((), "the request does not say any more what it is for, so this has to be said with `tagboat` itself.", True)
    there = tuple(dict.fromkeys((canonical(image), file, new) for file, image, _, new in places))
    match command:
        case Hold(reason):
            kept = tuple(dict.fromkeys(Keep(image, file, "", reason) for image, file, _ in there))
            return Answer(kept, "it is on hold, and stays as it is until somebody says `@tagboat resume`.")
        case Resume():
            lifted = tuple(dict.fromkeys(Lift(image, file) for image, file, _ in there))
            return Answer(lifted, "holds and skips on it are lifted.")
        case Skip():
            kept = tuple(Keep(image, file, new, "") for image, file, new in there)
            return Answer(kept, "this version is skipped; a newer one will be proposed.")
        case Land():
            fingerprint = record.fingerprint if record else ""
            return Answer((Allow(number, fingerprint),), "it lands as soon as its checks and reviews allow.")
        case Rollback(reason):
            olds = tuple(dict.fromkeys((canonical(image), file, old) for file, image, old, _ in places))
            back = tuple(TakeBack(image, file, old, reason) for image, file, old in olds)
            return Answer(back, "a request that goes back to what stood there before the last landing is opened.")
        case _:
            assert_never(command)
