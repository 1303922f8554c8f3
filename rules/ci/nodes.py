"""CI definitions as trees that know their lines.

    document = next(documents(b"on:\\n  push:\\n    branches: [main]\\n"))
    document.get("on", "push", "branches").texts()      ("main",)
    document.get("on").line                             1

Keys and scalars stay the text that stands in the file: YAML 1.1 would read `on` as true and `1.20` as a number.
Aliases and merge keys are followed as they are asked for, so a bomb of aliases
costs nothing until someone walks it; walks are bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

SIZE_LIMIT = 1024 * 1024  # bytes; a pipeline definition is far smaller
_WALK_LIMIT = 20_000  # nodes of one walk
_DEPTH_LIMIT = 60
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class BadYaml(ValueError):
    """The file does not parse; `line` counts from 1, where it is known."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A place in a document, or nothing (`node` None): asking for more below nothing is nothing again, never an error."""

    node: Any
    line: int

    def __bool__(self) -> bool:
        return self.node is not None

    @property
    def is_map(self) -> bool:
        return isinstance(self.node, MappingNode)

    @property
    def is_list(self) -> bool:
        return isinstance(self.node, SequenceNode)

    @property
    def tag(self) -> str:
        """An application's own tag, as GitLab's `!reference`; empty for YAML's own."""
        tag = str(self.node.tag) if self.node is not None else ""
        return tag if tag.startswith("!") else ""

    @property
    def text(self) -> str | None:
        """The text of a scalar; None for a null, a mapping, a list or nothing."""
        if not isinstance(self.node, ScalarNode):
            return None
        value = str(self.node.value)
        return None if value in _NULLS and self.node.style is None else value

    @property
    def quoted(self) -> bool:
        return isinstance(self.node, ScalarNode) and self.node.style is not None

    def get(self, *keys: str) -> Node:
        """The place below these keys, with the line of the last key; where that is missing, a nothing with the line above."""
        here = self
        for key in keys:
            found = ((name, value) for name, value in here.items() if name.text_or_empty == key)
            here = next((Node(value.node, name.line) for name, value in found), Node(None, here.line))
        return here

    @property
    def text_or_empty(self) -> str:
        return str(self.node.value) if isinstance(self.node, ScalarNode) else ""

    def items(self) -> Iterator[tuple[Node, Node]]:
        """Key and value of a mapping, own keys before those of merge keys (`<<`); each mapping that is merged counts once."""
        todo, seen = [self.node], set[int]()
        while todo:
            here = todo.pop(0)
            if not isinstance(here, MappingNode) or id(here) in seen:
                continue
            seen.add(id(here))
            for key, value in here.value:
                if isinstance(key, ScalarNode) and key.value == "<<" and key.style is None:
                    todo += [one.node for one in _place(value).each()]
                else:
                    yield _place(key), _place(value)

    def each(self) -> tuple[Node, ...]:
        """The members of a list; a single value counts as a list of one; nothing has none."""
        if isinstance(self.node, SequenceNode):
            return tuple(_place(child) for child in self.node.value)
        return (self,) if self.node is not None and (self.is_map or self.text is not None) else ()

    def texts(self) -> tuple[str, ...]:
        """The scalars of a list, or a single scalar."""
        return tuple(child.text for child in self.each() if child.text is not None)

    def walk(self) -> Iterator[Node]:
        """Every scalar below, keys left out, at most some thousands. Raises BadYaml where there are more."""
        left = _WALK_LIMIT
        todo: list[tuple[Node, int]] = [(self, 0)]
        while todo:
            here, depth = todo.pop()
            left -= 1
            if left < 0 or depth > _DEPTH_LIMIT:
                raise BadYaml("too large or too deep", self.line)
            if here.is_map:
                todo += [(value, depth + 1) for _, value in reversed(list(here.items()))]
            elif here.is_list:
                todo += [(child, depth + 1) for child in reversed(here.each())]
            elif here.text is not None:
                yield here


def _place(node: Any) -> Node:
    return Node(node, node.start_mark.line + 1)


NOTHING = Node(None, 1)


def documents(data: bytes) -> Iterator[Node]:
    """The documents of a YAML file. Raises BadYaml with the line where it does not parse."""
    if len(data) > SIZE_LIMIT:
        raise BadYaml(f"larger than {SIZE_LIMIT // 1024} KiB")
    try:
        yield from (_place(node) for node in _composed(data) if node is not None)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise BadYaml(f"does not parse as YAML: {reason}", mark.line + 1 if mark else None) from None
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadYaml(f"does not parse as YAML: {type(error).__name__}") from None


def _composed(data: bytes) -> list[Any]:
    try:
        return list(YAML(typ="safe").compose_all(data))
    except YAMLError:
        # The quick parser does not know `[docker push acme/web:1]`, which is good YAML 1.2; the slow one does.
        return list(YAML(typ="safe", pure=True).compose_all(data))


def first(data: bytes) -> Node:
    """The first document, or nothing. Raises BadYaml."""
    return next(documents(data), NOTHING)
