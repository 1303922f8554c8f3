"""How forges read what we write: a small Markdown reader, and what calls, links or stops something in plain text."""

from __future__ import annotations

import re

from rules.ci.tokens import may_contain_marker

_ESCAPED = re.compile(r"\\[\\`*_\[\]~|$#+\-=.)]")
_SPANS = re.compile(rf"({_ESCAPED.pattern})|(?<!`)(`+)(?!`).+?(?<!`)\2(?!`)")
_ENTITY = re.compile(r"&(amp|lt|gt);")
_CALLS = re.compile(r"[@#!&~%$^][\w\"]|GH-\d|(?:https?|ftp)://|www\.", re.IGNORECASE)
_MARKUP = re.compile(r"[`*_\[\]~|<>$]")


def outside_of_code(line: str) -> str:
    """The line without its code spans."""
    return _SPANS.sub(lambda match: match[1] or "", line)


def dangers(line: str) -> list[str]:
    """What of a line of Markdown would format, link, call, be HTML, or stop a CI, code spans left out."""
    rest = _ENTITY.sub(".", _ESCAPED.sub(".", outside_of_code(line)))
    return [*plain_dangers(line, rest), *_MARKUP.findall(rest)]


def plain_dangers(line: str, rest: str | None = None) -> list[str]:
    """The same for text that nothing formats."""
    found = [match[0] for match in _CALLS.finditer(line if rest is None else rest)]
    return [*found, *(["a skip token"] if may_contain_marker(line) else [])]
