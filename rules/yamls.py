"""YAML as nodes that know where they stand, to the byte.

    source = Source(b"image: web:1.2\n")
    for root in source.documents:
        node = child(root, "image")
        source.offset(node.start_mark.index)     7

libyaml's composer reads the structure only: what a scalar means (number, boolean, text) is left to the key that holds it.
Anchored nodes are shared by their aliases, so a bomb of aliases costs nothing; `walk` looks at each node once.
Keys that stand twice are kept twice: `items` gives both, `child` the last, as Kubernetes' own reader does.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator
from functools import cached_property

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from rules.composing import DEPTH_LIMIT, NODE_LIMIT, YamlError, composed

__all__ = [
    "DEPTH_LIMIT",
    "FLUX_MARKER",
    "NODE_LIMIT",
    "SIZE_LIMIT",
    "Source",
    "YamlError",
    "child",
    "compose",
    "each",
    "is_utf16",
    "items",
    "text",
    "walk",
]

SIZE_LIMIT = 4 * 1024 * 1024  # bytes
MERGE_LIMIT = 200_000  # keys that the merge keys of one file add, all together
FLUX_MARKER = '"$imagepolicy"'
NULLS = frozenset({"", "~", "null", "Null", "NULL"})

_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_STEP = 1024  # characters between two known byte offsets
_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*\s+)*")  # an anchor and a tag may stand before a scalar, and belong to its marks
_BLOCK_HEADER = re.compile(r"[|>][^\n]*\n[ \t\r\n]*")


def is_utf16(data: bytes) -> bool:
    """Whether a file is text of two bytes a character, as some Windows programs write it; such files are not read."""
    return data[:2] in _UTF16_MARKS


def compose(data: bytes) -> list[Node]:
    """The root node of every document; an empty file has none. Raises YamlError. Duplicate keys and anchors are kept."""
    return Source(data).documents


class Source:
    """The text of a file: from the characters that YAML's marks count to bytes and lines. Raises YamlError if it is not UTF-8."""

    def __init__(self, data: bytes) -> None:
        if len(data) > SIZE_LIMIT:
            raise YamlError(f"larger than {SIZE_LIMIT // 2**20} MiB")
        if is_utf16(data):
            raise YamlError("UTF-16 text is not read: save the file as UTF-8")
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

    def rest_of_line(self, index: int, limit: int) -> str:
        """What stands on the line from the character `index` on, without the line's end, and no more than `limit` characters."""
        end = self.text.find("\n", index, index + limit)
        return self.text[index : end if end >= 0 else index + limit].removesuffix("\r")

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

    def inside(self, node: Node) -> Source | None:
        """The YAML that stands in a literal block (`|`), with its places in this file; None for others. Raises YamlError."""
        if not isinstance(node, ScalarNode) or node.style != "|":
            return None
        return _Inside.of(self, node)

    @cached_property
    def marked(self) -> bool:
        """Whether the text may have markers, those comments that say something of the image beside them."""
        return FLUX_MARKER in self.text or "tagboat:" in self.text

    @cached_property
    def documents(self) -> list[Node]:
        """The root node of every document that is not empty. Raises YamlError."""
        return _within(composed(self.data), self.data)

    @cached_property
    def _breaks(self) -> list[int]:
        return [match.start() for match in re.finditer("\n", self.text)]

    @cached_property
    def _offsets(self) -> list[int]:
        offsets = [self._before]
        for start in range(0, len(self.text), _STEP):
            offsets.append(offsets[-1] + len(self.text[start : start + _STEP].encode()))
        return offsets


class _Inside(Source):
    """The text of a literal block: places are told for the file that it stands in."""

    def __init__(self, text: str, outer: Source, lines: list[tuple[int, int]]) -> None:
        super().__init__(text.encode())
        self._outer = outer
        self._lines = lines  # of each line, where it begins in the block and in the outer text

    @classmethod
    def of(cls, outer: Source, node: ScalarNode) -> _Inside | None:
        """None where the block's lines are not found as they are (tabs, odd line ends): what cannot be placed is not read."""
        if node.value.startswith("\ufeff"):
            return None
        header = _PROPERTIES.match(outer.text, node.start_mark.index)
        at = outer.text.find("\n", header.end() if header else node.start_mark.index) + 1
        lines: list[tuple[int, int]] = []
        inner = 0
        width = None
        for line in node.value.split("\n"):
            end = outer.text.find("\n", at)
            whole = outer.text[at : end if end >= 0 else len(outer.text)].removesuffix("\r")
            if line and width is None:
                width = len(whole) - len(line)
            begin = at + min(width or 0, len(whole))
            if line and outer.text[begin : at + len(whole)] != line:
                return None
            lines.append((inner, begin))
            inner += len(line) + 1
            at = end + 1 if end >= 0 else len(outer.text)
        return cls(node.value, outer, lines)

    def offset(self, index: int) -> int:
        return self._outer.offset(self._outward(index))

    def line(self, index: int) -> int:
        return self._outer.line(self._outward(index))

    @cached_property
    def documents(self) -> list[Node]:
        try:
            return _within(composed(self.data), self.data)
        except YamlError as error:
            first = self._outer.line(self._lines[0][1])
            raise YamlError(error.reason, error.line and error.line + first - 1) from None

    def _outward(self, index: int) -> int:
        inner, outer = self._lines[bisect_right(self._lines, (index, len(self._outer.text))) - 1]
        return outer + index - inner


def _within(documents: list[Node], data: bytes) -> list[Node]:
    """The documents, if their merge keys do not add too much: each mapping that merges another is looked at key by key."""
    if b"<<" not in data:
        return documents
    sizes: dict[int, int] = {}
    total = 0
    for document in documents:
        for _, mapping in walk(document):
            if any(key.value == "<<" for key, _ in mapping.value):
                total += _size(mapping, sizes, 0)
                if total > MERGE_LIMIT:
                    raise YamlError(f"merge keys add more than {MERGE_LIMIT} keys", mapping.start_mark.line + 1)
    return documents


def _size(node: Node, sizes: dict[int, int], depth: int) -> int:
    """How many keys a mapping has with those that it merges, counted at least once each."""
    if isinstance(node, ScalarNode) or depth > DEPTH_LIMIT:
        return 0
    if id(node) not in sizes:
        sizes[id(node)] = 0  # a mapping that merges itself adds nothing
        merged = [value for key, value in node.value if key.value == "<<"] if isinstance(node, MappingNode) else node.value
        own = len(node.value) if isinstance(node, MappingNode) else 0
        sizes[id(node)] = min(own + sum(_size(one, sizes, depth + 1) for one in merged), MERGE_LIMIT + 1)
    return sizes[id(node)]


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


def walk(root: Node, skip: Collection[str] = ()) -> Iterator[tuple[str, MappingNode]]:
    """Every mapping from a node down, in order, with the key that it (or the list that it stands in) is the value of.

    Each comes once, however many aliases name it. What stands below the keys of `skip` is left out.
    """
    seen: set[int] = set()
    todo: list[tuple[str, Node]] = [("", root)]
    while todo:
        key, node = todo.pop()
        if isinstance(node, ScalarNode) or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, MappingNode):
            yield key, node
            for name, value in reversed(node.value):
                if value.__class__ is not ScalarNode:
                    inner = name.value if name.__class__ is ScalarNode else ""
                    if inner not in skip:
                        todo.append((inner, value))
        else:
            todo += [(key, value) for value in reversed(node.value)]


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
