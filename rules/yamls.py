"""YAML as nodes that know where they stand, to the byte.

    source = Source(b"image: web:1.2\n")
    for root in source.documents:
        node = child(root, "image")
        source.offset(node.start_mark.index)     7

libyaml's composer reads the structure only: what a scalar means (number, boolean, text) is left to the key that holds it.
Anchored nodes are shared by their aliases, so a bomb of aliases costs nothing until someone walks it; walk with `unique`.
Keys that stand twice are kept twice: `items` gives both, `child` the last, as Kubernetes' own reader does.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property
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
from ruamel.yaml.reader import ReaderError

SIZE_LIMIT = 4 * 1024 * 1024  # bytes
DEPTH_LIMIT = 100  # libyaml's composer calls itself; tens of thousands of levels would end the process
NODE_LIMIT = 300_000  # of one file, aliases not counted
MERGE_LIMIT = 10_000  # merge keys of one file
NULLS = frozenset({"", "~", "null", "Null", "NULL"})

_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_STEP = 1024  # characters between two known byte offsets
_TAG = "tag:yaml.org,2002:str"  # of every node that names none; nothing here asks for it
_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*\s+)*")  # an anchor and a tag may stand before a scalar, and belong to its marks
_BLOCK_HEADER = re.compile(r"[|>][^\n]*\n[ \t\r\n]*")


class YamlError(ValueError):
    """The file does not parse, or is beyond a limit. `line` counts from 1, None where it is not known."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(f"line {line}: {reason}" if line else reason)
        self.reason = reason
        self.line = line


def compose(data: bytes) -> list[Node]:
    """The root node of every document; an empty file has none. Raises YamlError. Duplicate keys and anchors are kept."""
    return Source(data).documents


class Source:
    """The text of a file: from the characters that YAML's marks count to bytes and lines. Raises YamlError if it is not UTF-8."""

    def __init__(self, data: bytes) -> None:
        if len(data) > SIZE_LIMIT:
            raise YamlError(f"larger than {SIZE_LIMIT // 2**20} MiB")
        if data[:2] in _UTF16_MARKS:
            raise YamlError("UTF-16 text is not read: save the file as UTF-8")
        if data.count(b"<<:") > MERGE_LIMIT:
            raise YamlError(f"more than {MERGE_LIMIT} merge keys")
        try:
            # libyaml does not count a byte order mark at the very start; later ones are characters.
            self.text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise YamlError("not UTF-8 text", data.count(b"\n", 0, error.start) + 1) from None
        self.data = data
        self._before = len(_UTF8_MARK) if data.startswith(_UTF8_MARK) else 0
        self._ascii = len(self.text) + self._before == len(data)

    def offset(self, index: int) -> int:
        """The byte at which the character `index` (as in `node.start_mark.index`, or in `text`) begins."""
        if self._ascii:
            return index + self._before
        step = index // _STEP
        return self._offsets[step] + len(self.text[step * _STEP : index].encode())

    def line(self, index: int) -> int:
        """The line of the character `index`, from 1; only a line feed ends a line, as git and editors have it."""
        return bisect_left(self._breaks, index) + 1

    def line_text(self, index: int) -> str:
        """The whole line of the character `index`, without its end."""
        end = self.text.find("\n", index)
        return self.text[self.text.rfind("\n", 0, index) + 1 : end if end >= 0 else len(self.text)].removesuffix("\r")

    def begin(self, node: ScalarNode) -> int | None:
        """The index in `text` at which the value begins; None where it does not stand there letter by letter (escapes, folds)."""
        start, value = node.start_mark.index, node.value
        start = _PROPERTIES.match(self.text, start).end()  # type: ignore[union-attr]  # it matches nothing as well
        if node.style in ("|", ">"):
            header = _BLOCK_HEADER.match(self.text, start)
            start, value = (header.end() if header else start), value.rstrip("\n")
        elif node.style:
            start += 1
        return start if self.text.startswith(value, start) else None

    @cached_property
    def documents(self) -> list[Node]:
        """The root node of every document that is not empty. Raises YamlError."""
        return _compose(self.data)

    @cached_property
    def _breaks(self) -> list[int]:
        return [match.start() for match in re.finditer("\n", self.text)]

    @cached_property
    def _offsets(self) -> list[int]:
        offsets = [self._before]
        for start in range(0, len(self.text), _STEP):
            offsets.append(offsets[-1] + len(self.text[start : start + _STEP].encode()))
        return offsets


def text(node: Node | None) -> str | None:
    """The text of a scalar; None for a null, a mapping, a list, or no node."""
    if not isinstance(node, ScalarNode) or (not node.style and node.value in NULLS):
        return None
    return str(node.value)


def items(node: Node | None) -> Iterator[tuple[ScalarNode, Node]]:
    """Key and value of a mapping: its own, then those that merge keys (`<<`) add. Keys that are no scalars are left out."""
    if not isinstance(node, MappingNode):
        return
    merged: list[Node] = []
    for key, value in node.value:
        if isinstance(key, ScalarNode):
            if key.value == "<<" and not key.style:
                merged.append(value)
            else:
                yield key, value
    if merged:
        yield from _merged(node, merged)


def child(node: Node | None, *keys: str) -> Node | None:
    """The node below these keys, one mapping after the other; None where a key is missing. The last of equal keys counts."""
    for key in keys:
        if not isinstance(node, MappingNode):
            return None
        own, merges = None, False
        for name, value in node.value:
            if name.value == key:
                own = value
            merges = merges or name.value == "<<"
        if own is None and merges:
            own = next((value for name, value in items(node) if name.value == key), None)
        node = own
    return node


def each(node: Node | None) -> list[Node]:
    """The members of a list; anything else has none."""
    return list(node.value) if isinstance(node, SequenceNode) else []


def mappings(root: Node) -> Iterator[MappingNode]:
    """Every mapping below a node, in order of the file, each once however many aliases name it."""
    seen: set[int] = set()
    todo = [root]
    while todo:
        node = todo.pop()
        if isinstance(node, ScalarNode) or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, MappingNode):
            yield node
            todo += [value for _, value in reversed(node.value)]
        else:
            todo += reversed(node.value)


def _merged(node: MappingNode, sources: list[Node]) -> Iterator[tuple[ScalarNode, Node]]:
    """What merge keys add to a mapping; an earlier source wins. Each source is looked at once, so cycles and bombs end."""
    known = {key.value for key, _ in node.value if isinstance(key, ScalarNode)}
    seen = {id(node)}
    todo = sources[::-1]
    while todo:
        source = todo.pop()
        if id(source) in seen:
            continue
        seen.add(id(source))
        if isinstance(source, SequenceNode):
            todo += reversed(source.value)
        elif isinstance(source, MappingNode):
            deeper = []
            for key, value in source.value:
                if isinstance(key, ScalarNode) and key.value == "<<" and not key.style:
                    deeper.append(value)
                elif isinstance(key, ScalarNode) and key.value not in known:
                    known.add(key.value)
                    yield key, value
            todo += reversed(deeper)


def _compose(data: bytes) -> list[Node]:
    try:
        try:
            return list(_Composer(data).all())
        except ComposerError as error:
            # YAML 1.2 lets an anchor be set anew; the composer does not.
            if "duplicate anchor" not in str(error.context):
                raise
            return list(_Rebuilder(data).all())
    except ReaderError as error:
        raise YamlError(f"not text: {error.reason}", data.count(b"\n", 0, error.position) + 1) from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        reason = getattr(error, "problem", None) or getattr(error, "context", None) or str(error).partition("\n")[0]
        raise YamlError(str(reason), mark.line + 1 if mark else None) from None


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

    def resolve(self, kind: type[Node], value: str | None, implicit: Any) -> str:
        self.nodes += 1
        if self.nodes > NODE_LIMIT:
            raise YamlError(f"more than {NODE_LIMIT} nodes")
        return _TAG


class _Rebuilder:
    """The same documents from libyaml's events, for files that set an anchor anew: slower, so only where it is needed."""

    def __init__(self, data: bytes) -> None:
        self.parser = CParser(data)
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
        if anchor:
            self.anchors[anchor] = node
        if not self.open:
            return node
        self.open[-1][1].append(node)
        return None


def _is_empty(node: Node) -> bool:
    return isinstance(node, ScalarNode) and not node.style and not node.value
