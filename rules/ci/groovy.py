"""The little that is read of a Jenkinsfile's Groovy: stages, their `when`, and the texts in them. No code is run.

for stage in stages("stage('A') { when { branch 'main' } steps { sh 'make' } }"):
    stage.name, stage.conditions      "A", (Block("branch", "main"),)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_STAGE = re.compile(r"\bstage\s*\(\s*(['\"])(?P<name>.*?)\1\s*\)\s*\{")
_WHEN = re.compile(r"\bwhen\s*\{")
_CONDITION = re.compile(r"(?P<name>[A-Za-z]\w*)\s*(?P<open>\{)?")
_ARGUMENT = re.compile(r"\s*\(?\s*(?:pattern\s*:\s*|glob\s*:\s*)?(['\"])(?P<text>(?:\\.|(?!\1).)*)\1[^\n;}]*")
_STRING = re.compile(r"'''(.*?)'''|\"\"\"(.*?)\"\"\"|'((?:\\.|[^'\\\n])*)'|\"((?:\\.|[^\"\\\n])*)\"", re.DOTALL)
_COMMENT = re.compile(
    r"'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"|(?P<comment>//[^\n]*|/\*.*?\*/)", re.DOTALL
)
_DEPTH = 8
_STAGES = 60  # within one


@dataclass(frozen=True, slots=True)
class Block:
    """A condition: its name, its first text, and those within it."""

    name: str
    argument: str = ""
    blocks: tuple[Block, ...] = ()
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage. `own` is its text without the stages in it; `conditions` are those of the stages around it too."""

    name: str
    line: int
    own: str
    conditions: tuple[Block, ...]


def without_comments(text: str) -> str:
    """The text with comments made blank; lines stay where they are."""

    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match[0]) if match["comment"] else match[0]

    return _COMMENT.sub(blank, text)


def stages(text: str, start: int = 0, end: int | None = None, around: tuple[Block, ...] = (), depth: int = 0) -> Iterator[Stage]:
    """Every stage, those within stages and `parallel` included."""
    at, end = start, len(text) if end is None else end
    count = 0
    while depth < _DEPTH and count < _STAGES and (match := _STAGE.search(text, at, end)):
        count += 1
        closing = closed(text, match.end(), end)
        body = text[match.end() : closing]
        inner = _STAGE.search(body)
        own = body[: inner.start()] if inner else body
        line = text.count("\n", 0, match.start()) + 1
        conditions = (*around, *_conditions(own, text.count("\n", 0, match.end()) + 1))
        yield Stage(match["name"], line, own, conditions)
        if inner:
            yield from stages(text, match.end(), closing, conditions, depth + 1)
        at = closing


def closed(text: str, at: int, end: int) -> int:
    """Where the brace that was opened before `at` is closed; braces in texts do not count."""
    depth = 1
    while at < end:
        string = _STRING.match(text, at, end) if text[at] in "'\"" else None
        if string:
            at = string.end()
            continue
        depth += (text[at] == "{") - (text[at] == "}")
        if depth == 0:
            return at
        at += 1
    return end


def strings(text: str) -> list[tuple[str, int]]:
    """Each text with the line it begins on, counted from the start of `text`."""
    found = []
    for match in _STRING.finditer(text):
        content = next((group for group in match.groups() if group is not None), "")
        found.append((content.replace('\\"', '"').replace("\\'", "'"), text.count("\n", 0, match.start())))
    return found


def _conditions(own: str, line: int) -> tuple[Block, ...]:
    match = _WHEN.search(own)
    if match is None:
        return ()
    body = own[match.end() : closed(own, match.end(), len(own))]
    return tuple(_blocks(body, line + own.count("\n", 0, match.end()), 0))


def _blocks(body: str, line: int, depth: int) -> Iterator[Block]:
    at = 0
    while depth < _DEPTH and (match := _CONDITION.search(body, at)):
        here = line + body.count("\n", 0, match.start())
        if match["open"]:
            end = closed(body, match.end(), len(body))
            inner = body[match.end() : end]
            nested = match["name"] in ("not", "anyOf", "allOf")
            yield Block(
                match["name"],
                "" if nested else inner.strip()[:60],
                tuple(_blocks(inner, here, depth + 1)) if nested else (),
                here,
            )
            at = end + 1
            continue
        argument = _ARGUMENT.match(body, match.end())
        yield Block(match["name"], argument["text"].replace("\\\\", "\\") if argument else "", (), here)
        newline = body.find("\n", match.end())
        at = argument.end() if argument else newline if newline >= 0 else len(body)
