"""Byte-exact edits with proof: the tags and digests of a file change, and nothing else.

    rewrite("shop.yaml", data, {occurrence: Target("1.2.4")})     the file with that tag

The edits are spans of bytes. What comes out is read again: every wished place says what was wished, every other place what it
said before, there are as many places as before, and outside the edited spans every byte is as it was. An edit that cannot be
proved in this way is refused, with its file and line.

A tag that stands by itself, without quotes, gets quotes where YAML would read the new text as something else than a string
(`1.10` as the number 1.1). A digest that is to be added goes behind a tag that stands in the reference itself; beside a tag in
a key of its own there is no place for it, because charts use that key for labels too, where a digest is not allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from rules.edits import BadEdit, Edit, Span, apply
from rules.formats import scan
from rules.formats.base import Occurrence
from rules.formats.paths import is_json
from rules.images import is_digest, is_tag
from rules.updates import Target

_SHA256 = "sha256:"
# What YAML 1.1, 1.2 and the common readers (PyYAML, go-yaml) take for null, booleans, numbers and dates. Some are strings to
# one and numbers to another (`1e3`, `0o7`, `1_000`): a quote too many is no harm.
_NO_STRING = re.compile(
    r"""
      (?: null | true | false | yes | no | on | off | y | n )
    | [-+]?\.?[0-9_]*[0-9][0-9_]*\.?[0-9_]*(?:e[-+]?[0-9_]+)?     # 10  1.10  1_000  1e3  12e45
    | [-+]?0(?: x[0-9a-f_]+ | o[0-7_]+ | b[01_]+ )
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:t[0-9].*)?                 # a date
    | [-+]?\.(?: inf | nan )
    | ~ | = | <<
    | [0-9]+(?::[0-9.]+)+                                         # sexagesimal
    | $
    """,
    re.IGNORECASE | re.VERBOSE,
)
_NEARBY = 4096  # bytes before a place that are looked at for the kind of quotes in use
_QUOTE = re.compile(rb"""[:\-\[,{][ \t]+(["'])""")


class Unprovable(ValueError):
    """An edit is refused; `file` and `line` (from 1) name the place, `reason` says why."""

    def __init__(self, file: str, line: int | None, reason: str) -> None:
        super().__init__(f"{file}:{line}: {reason}" if line else f"{file}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason


def rewrite(path: str, data: bytes, wishes: Mapping[Occurrence, Target]) -> bytes:
    """The file with each wished tag and digest in its place. `wishes` are occurrences as `scan(path, data)` gives them.

    Raises Unprovable where an edit is not possible or not proved; then nothing of the file is to be changed.
    """
    before = _read(path, data, "the file could not be read")
    known, edits = set(before), set[Edit]()
    for occurrence, target in wishes.items():
        if occurrence not in known:
            raise Unprovable(path, occurrence.tag_line or occurrence.line, "the image does not stand there in this file")
        edits.update(_edits(data, occurrence, target))
    ordered = sorted(edits)
    try:
        after = apply(data, ordered)
    except BadEdit as error:
        raise Unprovable(path, None, f"the wishes contradict each other: {error}") from None
    _prove(path, data, after, ordered, before, wishes)
    return after


def reads_as_string(text: str) -> bool:
    """Whether every YAML reader takes the text, without quotes, for a string."""
    return _NO_STRING.fullmatch(text) is None


def _edits(data: bytes, occurrence: Occurrence, target: Target) -> Iterator[Edit]:
    """The edits for one place. Raises Unprovable."""
    _check(occurrence, target)
    if target.tag != occurrence.tag and target.tag is not None:
        if occurrence.tag_span is None:
            raise _refusal(occurrence, "its tag is not written in one piece")
        yield _replace(data, occurrence.tag_span, _written(data, occurrence, target.tag))
    if target.digest == occurrence.digest or target.digest is None:
        return
    if occurrence.digest is None:
        yield _addition(data, occurrence, target.digest)
    elif occurrence.digest_span:
        yield _replace(data, occurrence.digest_span, target.digest)
    elif occurrence.sha_span and target.digest.startswith(_SHA256):
        yield _replace(data, occurrence.sha_span, _hex(data, occurrence.sha_span, target.digest.removeprefix(_SHA256)))
    else:
        raise _refusal(occurrence, "its digest is not written in one piece")


def _check(occurrence: Occurrence, target: Target) -> None:
    """Refuse wishes that make no sense for this place."""
    if occurrence.unresolved is not None:
        raise _refusal(occurrence, f"the image is not known in full: {occurrence.unresolved}")
    if target.tag is not None and not is_tag(target.tag):
        raise _refusal(occurrence, f"{target.tag!r} is not a tag")
    if target.digest is not None and not is_digest(target.digest):
        raise _refusal(occurrence, f"{target.digest!r} is not a digest")
    if (target.tag is None) != (occurrence.tag is None):
        raise _refusal(occurrence, "a tag cannot be added or taken away")
    if occurrence.digest is not None and target.digest is None:
        raise _refusal(occurrence, "a digest stands there, and the new one is not known")


def _addition(data: bytes, occurrence: Occurrence, digest: str) -> Edit:
    """The edit that puts a digest behind the tag."""
    span = occurrence.tag_span
    if span is None:
        raise _refusal(occurrence, "there is no tag in one piece that a digest could follow")
    if occurrence.scalar == "whole" or data[span.start - 1 : span.start] != b":":
        raise _refusal(occurrence, "the tag stands in a key of its own, and no digest beside it that could be changed")
    return Edit(Span(span.end, span.end), b"", f"@{digest}".encode())


def _written(data: bytes, occurrence: Occurrence, tag: str) -> str:
    """The tag as it is to be written: in quotes where it stands by itself without any, and YAML would not read a string."""
    span = occurrence.tag_span
    if span is None or occurrence.scalar != "whole":
        return tag
    if is_json(occurrence.file):  # a number became a text
        return f'"{tag}"'
    return tag if reads_as_string(tag) else _quoted(data, span, tag)


def _hex(data: bytes, span: Span, digits: str) -> str:
    """The hex digits as they are to be written: `12e34…` without quotes would be a number."""
    has_quotes = data[span.start - 1 : span.start] in (b'"', b"'")
    return digits if has_quotes or reads_as_string(digits) else _quoted(data, span, digits)


def _quoted(data: bytes, span: Span, text: str) -> str:
    """The text in quotes, of the kind last used before its place."""
    used = (
        _QUOTE.findall(data, max(0, span.start - _NEARBY), span.start) or _QUOTE.findall(data, span.end, span.end + _NEARBY)[:1]
    )
    quote = used[-1].decode() if used else '"'
    return f"{quote}{text}{quote}"


def _prove(
    path: str,
    data: bytes,
    after: bytes,
    edits: Sequence[Edit],
    before: Sequence[Occurrence],
    wishes: Mapping[Occurrence, Target],
) -> None:
    """Read the result and hold it against the wishes. Raises Unprovable."""
    if not _only_edited(data, after, edits):
        raise Unprovable(path, None, "bytes outside the edits would change")
    now = _read(path, after, "the edited file could not be read")
    if len(now) != len(before):
        raise Unprovable(path, None, f"{len(before)} images stand in the file, and {len(now)} after the edit")
    for old, new in zip(before, now, strict=True):
        wish = wishes.get(old, Target(old.tag, old.digest))
        if (new.tag, new.digest) != (wish.tag, wish.digest or old.digest):
            if old in wishes:
                raise _refusal(old, f"after the edit it would read {Target(new.tag, new.digest)}, not {wish}")
            raise _refusal(old, f"{old.image} has its tag from the same place, and it is not to change")
        if (new.image, new.line, new.tag_line, new.format) != (old.image, old.line, old.tag_line, old.format):
            raise _refusal(old, "after the edit another image would stand there")


def _only_edited(data: bytes, after: bytes, edits: Sequence[Edit]) -> bool:
    """Whether the two files are equal between the edits."""
    at = now = 0
    for edit in edits:
        kept = edit.span.start - at
        if data[at : edit.span.start] != after[now : now + kept] or after[now + kept : now + kept + len(edit.new)] != edit.new:
            return False
        at, now = edit.span.end, now + kept + len(edit.new)
    return data[at:] == after[now:]


def _read(path: str, data: bytes, complaint: str) -> list[Occurrence]:
    found, unread = scan(path, data)
    if unread:
        raise Unprovable(path, unread.line, f"{complaint}: {unread.reason}")
    return found


def _replace(data: bytes, span: Span, new: str) -> Edit:
    return Edit(span, data[span.start : span.end], new.encode())


def _refusal(occurrence: Occurrence, reason: str) -> Unprovable:
    return Unprovable(occurrence.file, occurrence.tag_line or occurrence.line, reason)
