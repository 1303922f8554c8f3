"""libyaml's composer, held to limits: bytes in, the root nodes of a file's documents out.

The structure alone is read: what a scalar means (number, boolean, text) is left to the key that holds it, so every node without
a tag of its own has the same one. Anchored nodes are shared by their aliases; keys that stand twice are kept twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ruamel.yaml.composer import ComposerError
from ruamel.yaml.cyaml import CParser  # type: ignore[attr-defined]  # libyaml, compiled
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.parser import ParserError
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scanner import ScannerError
from ruamel.yaml.tag import Tag

DEPTH_LIMIT = 100  # the composer calls itself; tens of thousands of levels would end the process
NODE_LIMIT = 300_000  # of one file, aliases not counted

_STAND_INS = _COLON, _QUESTION = "\ue000", "\ue001"  # of the private use area
_INNER_MARK = re.compile(rb"(?<=[^\s,\[\]{}\"']):(?=[^\s,\[\]{}\"'])|(?<=[^\s,\[\]{}])\?")
_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")  # JSON's way to write what is beyond 16 bits
_TAG = Tag(suffix="tag:yaml.org,2002:str")  # of every node that names none; nobody asks for it


class YamlError(ValueError):
    """The file does not parse, or is beyond a limit. `line` counts from 1, None where it is not known."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(f"line {line}: {reason}" if line else reason)
        self.reason = reason
        self.line = line


def composed(data: bytes) -> list[Node]:
    """The root node of every document that is not empty. Raises YamlError."""
    try:
        try:
            return _nodes(data)
        except (ScannerError, ParserError):
            documents = _second_try(data)
            if documents is None:
                raise
            return documents
    except ReaderError as error:
        raise YamlError(f"not text: {error.reason}", data.count(b"\n", 0, error.position) + 1) from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        reason = getattr(error, "problem", None) or getattr(error, "context", None) or str(error).partition("\n")[0]
        raise YamlError(str(reason), mark.line + 1 if mark else None) from None


def _nodes(data: bytes) -> list[Node]:
    try:
        return list(_Composer(data).all())
    except ComposerError as error:
        # YAML 1.2 lets an anchor be set anew; the composer does not.
        if "duplicate anchor" not in str(error.context):
            raise
        return list(_Rebuilder(data).all())


def _second_try(data: bytes) -> list[Node] | None:
    """The documents with other characters for what libyaml refuses and others take; None where that is no help.

    It refuses a colon or a question mark within a plain scalar between braces, as in {image: web:1}; these are put back. And it
    refuses pairs of surrogates; no image has one, so the text keeps the stand-ins. Places stay: marks count characters.
    Raises YAMLError where the rest does not parse either.
    """
    if any(mark.encode() in data for mark in _STAND_INS):
        return None
    other = _INNER_MARK.sub(lambda match: (_COLON if match[0] == b":" else _QUESTION).encode(), data)
    other = _PAIR.sub(b"?" * 12, other)
    if other == data:
        return None
    documents = _nodes(other)  # what is wrong now is wrong with the file
    todo, seen = list(documents), set[int]()
    while todo:
        node = todo.pop()
        if isinstance(node, ScalarNode):
            node.value = node.value.replace(_COLON, ":").replace(_QUESTION, "?")
        elif id(node) not in seen:
            seen.add(id(node))
            todo += [one for pair in node.value for one in pair] if isinstance(node, MappingNode) else node.value
    return documents


class _Composer(CParser):  # type: ignore[misc]  # the compiled class has no types
    """libyaml's composer, told not to guess what scalars mean, and held to the limits."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.depth = self.nodes = 0

    def all(self) -> Iterator[Node]:
        while self.check_node():
            node = self.get_node()
            if not _is_empty(node):
                yield node

    def descend_resolver(self, parent: Node | None, index: Any) -> None:
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            raise YamlError(f"nested deeper than {DEPTH_LIMIT} levels", parent.start_mark.line + 1 if parent else None)

    def ascend_resolver(self) -> None:
        self.depth -= 1

    def resolve(self, kind: type[Node], value: str | None, implicit: Any) -> Tag:
        self.nodes += 1
        if self.nodes > NODE_LIMIT:
            raise YamlError(f"more than {NODE_LIMIT} nodes")
        return _TAG


class _Rebuilder:
    """The same documents from libyaml's events, for files that set an anchor anew: slower, so only where it is needed."""

    def __init__(self, data: bytes) -> None:
        self.parser = CParser(data)
        self.nodes = 0
        self.anchors: dict[str, Node] = {}
        self.open: list[tuple[Node, list[Node]]] = []

    def all(self) -> Iterator[Node]:
        while (event := self.parser.get_event()) is not None:
            root = self._take(event)
            if root is not None and not _is_empty(root):
                yield root

    def _take(self, event: Event) -> Node | None:
        """Take in one event; gives back a document's root when it is whole."""
        match event:
            case ScalarEvent():
                node = ScalarNode(event.tag or _TAG, event.value, event.start_mark, event.end_mark, event.style or "")
                return self._add(node, event.anchor)
            case AliasEvent():
                return self._add(self._named(event), None)
            case MappingStartEvent():
                self._begin(MappingNode(event.tag or _TAG, [], event.start_mark, event.end_mark), event.anchor)
            case SequenceStartEvent():
                self._begin(SequenceNode(event.tag or _TAG, [], event.start_mark, event.end_mark), event.anchor)
            case MappingEndEvent() | SequenceEndEvent():
                return self._end()
            case _:
                self.anchors = {}
        return None

    def _named(self, event: AliasEvent) -> Node:
        if event.anchor not in self.anchors:
            raise YamlError("found undefined alias", event.start_mark.line + 1)
        return self.anchors[event.anchor]

    def _begin(self, node: Node, anchor: str | None) -> None:
        if len(self.open) >= DEPTH_LIMIT:
            raise YamlError(f"nested deeper than {DEPTH_LIMIT} levels", node.start_mark.line + 1)
        if anchor:
            self.anchors[anchor] = node
        self.open.append((node, []))

    def _end(self) -> Node | None:
        node, inside = self.open.pop()
        node.value = list(zip(inside[::2], inside[1::2], strict=True)) if isinstance(node, MappingNode) else inside
        return self._add(node, None)

    def _add(self, node: Node, anchor: str | None) -> Node | None:
        """Put a whole node where it belongs; gives it back where it is a document's root."""
        self.nodes += 1
        if self.nodes > NODE_LIMIT:
            raise YamlError(f"more than {NODE_LIMIT} nodes")
        if anchor:
            self.anchors[anchor] = node
        if not self.open:
            return node
        self.open[-1][1].append(node)
        return None


def _is_empty(node: Node) -> bool:
    return isinstance(node, ScalarNode) and not node.style and not node.value
