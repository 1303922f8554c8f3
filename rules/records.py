"""The hidden line that ends the body of each of our requests: what the request is for, for the next pass to read.

    <!-- tagboat: {"stream": "main|docker.io/acme/web|rule|", "targets": [["app.yaml", "acme/web", "1.0", "1.1"]], …} -->

Whoever may edit the body can write another. So it serves planning (which request is whose, what a closed one was about) and
nothing else: whether something lands is never read from it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rules.defusing import defuse
from rules.updates import Update

Targets = tuple[tuple[str, str, str, str], ...]

_LINE = re.compile(r"^[ \t]*<!-- tagboat: (\{.*\}) -->[ \t\r]*$", re.MULTILINE)
_LIMIT = 100_000  # characters of a line that is read
_ROOM = 16_000  # characters of a line that is written
# Whatever could end the comment, be taken for a mention or a reference, or mean something to a forge.
_UNSAFE = re.compile(r"[<>&@#!~%$^`\u007f]|(?<=-)-")
_JOINED = re.compile("\u2060(.)")


@dataclass(frozen=True, slots=True)
class Record:
    """What a request says of itself in its hidden line: the stream's key, the proposal's fingerprint, and the wished targets
    as `(file, image, old, new)`. A request for very many places says no targets: its fingerprint has to do."""

    stream: str
    fingerprint: str
    targets: Targets = ()


@dataclass(frozen=True, slots=True)
class Written:
    """What we last wrote for people into a request: its title, and a digest of all words, labels and names."""

    title: str
    words: str


def targets(updates: Iterable[Update]) -> Targets:
    """What updates wish, as a record says it: `(file, image as written, old, new)`, in their order."""
    return tuple((u.occurrence.file, u.occurrence.image, str(u.current), str(u.target)) for u in updates)


def hidden_line(record: Record, written: Written) -> str:
    """The line for the end of a body. Nothing in it can close the comment, call anybody or stop a CI."""
    short = {"stream": record.stream, "fingerprint": record.fingerprint, "title": written.title, "words": written.words}
    text = _safe(short | {"targets": record.targets})
    return f"<!-- tagboat: {text if len(text) <= _ROOM else _safe(short)} -->"


def record_of(body: str) -> Record | None:
    """The record in a request's body; None where there is none that can be read. Of several the last counts."""
    match _found(body):
        case {"stream": str(stream), "fingerprint": str(fingerprint), **rest}:
            return Record(stream, fingerprint, _targets(rest.get("targets")))
        case _:
            return None


def written_of(body: str) -> Written | None:
    """What we last wrote into a request, by its hidden line."""
    match _found(body):
        case {"title": str(title), "words": str(words)}:
            return Written(title, words)
        case _:
            return None


def _found(body: str) -> object:
    lines = _LINE.findall(body[-_LIMIT:])
    try:
        return json.loads(lines[-1]) if lines else None
    except (ValueError, RecursionError):
        return None


def _targets(found: object) -> Targets:
    """The targets, or none at all where one of them is not what we write."""
    rows = found if isinstance(found, list) else []
    good = [tuple(row) for row in rows if isinstance(row, list) and len(row) == 4 and all(isinstance(part, str) for part in row)]
    return tuple(good) if len(good) == len(rows) else ()


def _safe(plain: Mapping[str, object]) -> str:
    text = _UNSAFE.sub(lambda match: _escape(match[0]), json.dumps(plain))
    # JSON is ASCII here: each joiner was put in to break a token, and an escape breaks it as well without changing the value.
    return _JOINED.sub(lambda match: _escape(match[1]), defuse(text))


def _escape(char: str) -> str:
    return f"\\u{ord(char):04x}"
