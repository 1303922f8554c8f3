"""A YAML file as plain data that still knows its lines.

Scalars stay texts, exactly as they are written: `Plain` where they stand without quotes (only those can be numbers,
booleans or nothing), `str` where they are quoted. What a scalar means is decided by the key that holds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from rules.findings import Broken, Finding
from rules.yamls import YamlError, compose

Path = tuple[int | str, ...]
_SIZE_LIMIT = 1024 * 1024  # bytes
_NODE_LIMIT = 50_000  # after aliases are followed
_DEPTH_LIMIT = 40
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})


class Plain(str):
    """A scalar without quotes."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Tree:
    """The data of a file (dict, list, `Plain`, `str`, None), and the line on which each key or item stands."""

    file: str
    data: Any
    lines: Mapping[Path, int] = field(default_factory=dict)
    top: Path = ()

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

    def real(self, loc: Path) -> Path:
        """A path of pydantic's without the tags of unions that it puts in: those are no keys of the file."""
        data, path = self.data, list[int | str]()
        for place, part in enumerate(loc):
            if isinstance(data, dict) and part not in data and place < len(loc) - 1 and part == data.get("kind", part):
                continue
            path.append(part)
            if isinstance(data, dict):
                data = data.get(part)
            elif isinstance(data, list) and isinstance(part, int) and part < len(data):
                data = data[part]
            else:
                data = None
        return tuple(path)


def spelled(path: Path) -> str:
    """`rules[0].range`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def read(data: bytes, file: str) -> Tree:
    """The one document of a YAML file; an empty file is a tree without data. Raises Broken."""
    if len(data) > _SIZE_LIMIT:
        raise Broken([Finding(file, None, "", f"the file is larger than {_SIZE_LIMIT // 1024} KiB")])
    try:
        documents = compose(data)
    except YamlError as error:
        raise Broken([Finding(file, error.line, "", f"this is not YAML: {error.reason}")]) from None
    if len(documents) > 1:
        line = documents[1].start_mark.line + 1
        raise Broken([Finding(file, line, "", "a second document (---) begins here; the file is to have one")])
    if not documents:
        return Tree(file, None)
    reading = _Reading(file)
    found = reading.value(documents[0], ())
    if reading.findings:
        raise Broken(reading.findings)
    return Tree(file, found, reading.lines)


@dataclass(slots=True)
class _Reading:
    file: str
    lines: dict[Path, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    count: int = 0

    def value(self, node: Node, path: Path) -> Any:
        self.count += 1
        if self.count > _NODE_LIMIT or len(path) > _DEPTH_LIMIT:
            raise Broken([Finding(self.file, node.start_mark.line + 1, "", "the file is too large or nested too deeply")])
        self.lines.setdefault(path, node.start_mark.line + 1)
        match node:
            case MappingNode():
                return dict(self._entries(node, path))
            case SequenceNode():
                return [self.value(item, (*path, place)) for place, item in enumerate(node.value)]
            case ScalarNode():
                return self._scalar(node, path)
            case _:
                raise Broken([Finding(self.file, node.start_mark.line + 1, spelled(path), "this cannot be read")])

    def _entries(self, node: MappingNode, path: Path) -> Iterator[tuple[str, Any]]:
        seen: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode):
                self._complain(line, path, "a key has to be a word", "quote values that begin with { or [")
                continue
            name = str(key.value)
            inner = (*path, name)
            if name in seen:
                self._complain(line, inner, f"this key stands twice; the first is on line {self.lines[inner]}")
            elif name == "<<":
                self._complain(line, inner, "merge keys are not read: write the keys out")
            else:
                seen.add(name)
                self.lines[inner] = line
                yield name, self.value(value, inner)

    def _scalar(self, node: ScalarNode, path: Path) -> str | None:
        tag = str(node.tag or "")
        if tag and not tag.startswith("tag:yaml.org,2002:") and tag != "!":
            self._complain(node.start_mark.line + 1, path, f"the tag {tag[:40]} is not read", "quote values that begin with !")
        text = str(node.value)
        if node.style:
            return text
        return None if text in _NOTHING else Plain(text)

    def _complain(self, line: int, path: Path, message: str, suggestion: str = "") -> None:
        self.findings.append(Finding(self.file, line, spelled(path), message, suggestion))
