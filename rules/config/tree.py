"""A YAML file as plain data that still knows its lines.

Scalars stay texts, exactly as they are written: `Plain` where they stand without quotes (only those can be numbers,
booleans or nothing), `str` where they are quoted. What a scalar means is decided by the key that holds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from rules.findings import Broken, Finding
from rules.yamls import Source, YamlError

Path = tuple[int | str, ...]
SIZE_LIMIT = 256 * 1024  # bytes
_NODE_LIMIT = 50_000  # after aliases are followed
_DEPTH_LIMIT = 40
_WORD = re.compile(r"[\w-]{1,60}\Z")
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq")) | {
    "!"
}


class Plain(str):
    """A scalar without quotes."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Tree:
    """The data of a file (dict, list, `Plain`, `str`, None), and the line on which each key or item stands. `findings` is what is
    wrong in the YAML itself; the rest of it can be checked all the same."""

    file: str
    data: Any
    lines: Mapping[Path, int] = field(default_factory=dict)
    top: Path = ()
    findings: tuple[Finding, ...] = ()

    def at(self, *path: int | str) -> Tree:
        """The part of the tree under a path; its findings still name the whole path. None where there is nothing."""
        data = self.data
        for part in path:
            inside = isinstance(data, dict) and part in data
            data = data[part] if inside or (isinstance(data, list) and isinstance(part, int) and part < len(data)) else None
        return Tree(self.file, data, self.lines, (*self.top, *path))

    def finding(self, path: Path, message: str, suggestion: str = "") -> Finding:
        """A finding about a path in this tree; its line is that of the nearest part that stands in the file."""
        whole = (*self.top, *path)
        line = next((self.lines[whole[:end]] for end in range(len(whole), -1, -1) if whole[:end] in self.lines), None)
        return Finding(self.file, line, spelled(whole), message, suggestion)


def spelled(path: Path) -> str:
    """`rules[0].range`; a key that is no word as `['a key']`, cut where it is long."""
    return "".join(map(_part, path)).removeprefix(".")


def _part(part: int | str) -> str:
    if isinstance(part, str) and _WORD.match(part):
        return f".{part}"
    return f"[{part if isinstance(part, int) else ascii(part[:40])}]"


def read(data: bytes, file: str, size_limit: int = SIZE_LIMIT) -> Tree:
    """The one document of a YAML file; an empty file is a tree without data. Raises Broken where there is no such document."""
    if len(data) > size_limit:
        raise Broken([Finding(file, None, "", f"the file is larger than {size_limit // 1024} KiB")])
    try:
        source = Source(data)
        documents = source.documents
    except YamlError as error:
        # The parser finds out behind the last line that something was not closed.
        last = data.count(b"\n") + (not data.endswith(b"\n"))
        line = None if error.line is None else min(error.line, last)
        raise Broken([Finding(file, line, "", f"this is not YAML: {error.reason}")]) from None
    if len(documents) > 1:
        line = source.line(documents[1].start_mark.index)
        raise Broken([Finding(file, line, "", "a second document (---) begins here; the file is to have one")])
    if not documents:
        return Tree(file, None)
    reading = _Reading(file, source)
    found = reading.value(documents[0], ())
    return Tree(file, found, reading.lines, findings=tuple(reading.findings))


@dataclass(slots=True)
class _Reading:
    file: str
    source: Source
    lines: dict[Path, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    count: int = 0

    def value(self, node: Node, path: Path) -> Any:
        line = self.source.line(node.start_mark.index)
        self.count += 1
        # Aliases are followed here, so a bomb of them, or one within its own anchor, ends here too.
        if self.count > _NODE_LIMIT:
            raise Broken([Finding(self.file, line, "", f"the file has more than {_NODE_LIMIT} values, aliases followed")])
        if len(path) > _DEPTH_LIMIT:
            raise Broken([Finding(self.file, line, "", f"the file is nested deeper than {_DEPTH_LIMIT} levels")])
        self.lines.setdefault(path, line)
        if node.tag and node.tag not in _TAGS:
            # The tag itself is not repeated: a password can begin with an exclamation mark.
            self._complain(line, path, "a value that begins with ! is a tag to YAML, and tags are not read", "put it in quotes")
        match node:
            case MappingNode():
                return dict(self._entries(node, path))
            case SequenceNode():
                return [self.value(item, (*path, place)) for place, item in enumerate(node.value)]
            case ScalarNode():
                return _scalar(node)
            case _:
                raise Broken([Finding(self.file, line, spelled(path), "this cannot be read")])

    def _entries(self, node: MappingNode, path: Path) -> Iterator[tuple[str, Any]]:
        seen: set[str] = set()
        for key, value in node.value:
            line = self.source.line(key.start_mark.index)
            if not isinstance(key, ScalarNode):
                self._complain(line, path, "a key has to be a word", "quote values that begin with { or [")
                continue
            name = str(key.value)
            inner = (*path, name)
            if name in seen:
                self._complain(line, inner, f"this key stands twice; the first is on line {self.lines[inner]}")
            elif name == "<<":
                self._complain(line, path, "merge keys are not read: write the keys out")
            else:
                seen.add(name)
                self.lines[inner] = line
                yield name, self.value(value, inner)

    def _complain(self, line: int, path: Path, message: str, suggestion: str = "") -> None:
        self.findings.append(Finding(self.file, line, spelled(path), message, suggestion))


def _scalar(node: ScalarNode) -> str | None:
    text = str(node.value)
    if node.style:
        return text
    return None if text in _NOTHING else Plain(text)
