"""Templates of titles: text with fields in braces, filled in, never evaluated.

    title: "{action} {image} from {old} to {new}"

The fields are a closed list; a brace that stands for itself is written twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

FIELDS: Mapping[str, str] = {
    "action": "what is done: Update, Pin, …",
    "image": "the image's name, or the group's",
    "old": "the tag (or digest) that stands there",
    "new": "the tag (or digest) that is to stand there",
    "kind": "major, minor, patch, build, digest or pin",
    "path": "the file, where there is just one",
    "group": "the group's name, where there is one",
    "count": "how many places change",
    "base": "the branch that is kept fresh",
}
DEFAULT = "{action} {image} from {old} to {new}"

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
# A request's title must never carry a token that a CI reads: a skipped check that is required blocks the request for ever.
_SKIP_TOKEN = re.compile(
    r"\[\s*(?:(?:skip|no)[ -][a-z]+|[a-z]+[ -]skip)\s*\]|\*\*\*NO_CI\*\*\*|skip-checks:\s*true|^skip-ci:", re.IGNORECASE
)


class BadTemplate(ValueError):
    """The template cannot be used; the message says why."""


def check(template: str) -> None:
    """Raises BadTemplate for an unknown field, a stray brace, a skip token or a template without text."""
    if not template.strip():
        raise BadTemplate("must not be empty")
    for piece in _PIECE.finditer(template):
        if piece[0] in ("{", "}"):
            raise BadTemplate(f"a single {piece[0]} stands in it: write {piece[0] * 2} for the character itself")
        if piece[1] is not None and piece[1] not in FIELDS:
            raise BadTemplate(
                f"{piece[0][:40]} is no field of a title: there are {', '.join('{' + name + '}' for name in FIELDS)}"
            )
    if token := _SKIP_TOKEN.search(template):
        raise BadTemplate(
            f"{token[0]!r} in a title would skip the checks of the request itself; commits.marker puts it where it is safe"
        )


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its fields filled in, in one line; a field without a value is empty. Values are not read as templates."""

    def piece(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        return values.get(match[1], "") if match[1] is not None else match[0]

    return " ".join(_PIECE.sub(piece, template).split())
