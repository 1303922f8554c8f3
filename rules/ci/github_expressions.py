"""Expressions of GitHub Actions (`if:`, `${{ … }}`), with a third value for what is not known.

    evaluate("github.ref == 'refs/heads/main' && !contains(github.event.head_commit.message, '[bump]')", context)    True

`context` is a tree of mappings; what it does not have is UNKNOWN where it was marked so (`Open`), else null, as GitHub has it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

_TOKENS = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<number>-?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?))|(?P<name>[A-Za-z_][\w\-]*)"
    r"|(?P<op>==|!=|<=|>=|&&|\|\||[!<>()\[\].,*]))"
)
_DEPTH = 60
_LENGTH = 8000


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Any = _Unknown()
ACTOR = "\u0000tagboat"
"""Our own login, which is not known here: it is none of the other bots', and may be any other."""
_OTHER_BOTS = frozenset(
    {"dependabot[bot]", "renovate[bot]", "github-actions[bot]", "github-actions", "dependabot-preview[bot]", "ghost"}
)


class Open(dict[str, Any]):
    """A mapping of which only some keys are known; the others are UNKNOWN."""


class BadExpression(ValueError):
    """The text is not an expression of GitHub Actions."""


def strip(text: str) -> str:
    """An `if:` without its `${{ }}`, which may be left out there."""
    text = text.strip()
    if text.startswith("${{") and text.endswith("}}") and text.count("${{") == 1:
        return text[3:-2].strip()
    return text


def condition(text: str, context: Mapping[str, Any]) -> bool | None:
    """Whether a condition holds; None: not known."""
    if len(text) > _LENGTH:
        return None
    if "${{" in strip(text):
        # Text around an expression makes a string of it, and a string that is not empty is true.
        return True if strip(re.sub(r"\$\{\{.*?\}\}", "", text)) else None
    try:
        value = evaluate(strip(text), context)
    except BadExpression:
        return None
    return None if value is UNKNOWN else truthy(value)


def evaluate(text: str, context: Mapping[str, Any]) -> Any:
    """The value of an expression, or UNKNOWN. Raises BadExpression."""
    parser = _Parser(text, context)
    value = parser.either()
    if parser.peek()[0] != "end":
        raise BadExpression(f"unexpected {parser.peek()[1]!r}")
    return value


def truthy(value: Any) -> bool:
    """GitHub's truth: false, 0, null and the empty string are false."""
    return value not in (False, 0, "", None)


class _Parser:
    def __init__(self, text: str, context: Mapping[str, Any]) -> None:
        self.tokens, self.at, self.context, self.depth = _lex(text), 0, context, 0

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at]

    def take(self, op: str) -> bool:
        if self.peek() == ("op", op):
            self.at += 1
            return True
        return False

    def expect(self, op: str) -> None:
        if not self.take(op):
            raise BadExpression(f"expected {op!r}, not {self.peek()[1]!r}")

    def either(self) -> Any:
        value = self.both()
        while self.take("||"):
            other = self.both()
            if value is UNKNOWN:
                value = other if other is not UNKNOWN and truthy(other) and other is True else UNKNOWN
            elif not truthy(value):
                value = other
        return value

    def both(self) -> Any:
        value = self.compared()
        while self.take("&&"):
            other = self.compared()
            if value is UNKNOWN:
                value = other if other is not UNKNOWN and not truthy(other) else UNKNOWN
            elif truthy(value):
                value = other
        return value

    def compared(self) -> Any:
        value = self.unary()
        while self.peek()[0] == "op" and self.peek()[1] in ("==", "!=", "<", ">", "<=", ">="):
            op = self.peek()[1]
            self.at += 1
            value = _compare(op, value, self.unary())
        return value

    def unary(self) -> Any:
        self.depth += 1
        if self.depth > _DEPTH:
            raise BadExpression("too deep")
        try:
            if self.take("!"):
                value = self.unary()
                return UNKNOWN if value is UNKNOWN else not truthy(value)
            return self.postfix()
        finally:
            self.depth -= 1

    def postfix(self) -> Any:
        kind, text = self.peek()
        self.at += 1
        if kind == "string":
            value: Any = text[1:-1].replace("''", "'")
        elif kind == "number":
            value = float(int(text, 16)) if "0x" in text else float(text)
        elif (kind, text) == ("op", "("):
            value = self.either()
            self.expect(")")
        elif kind == "name":
            value = self.call(text) if self.peek() == ("op", "(") else _named(text, self.context)
        else:
            raise BadExpression(f"unexpected {text or 'end'!r}")
        while True:
            if self.take("."):
                name = "*" if self.take("*") else self.name()
                value = _member(value, name)
            elif self.take("["):
                value = _member(value, "*" if self.take("*") else self.either())
                self.expect("]")
            else:
                return value

    def name(self) -> str:
        kind, text = self.peek()
        if kind != "name":
            raise BadExpression(f"a name is expected, not {text or 'the end'!r}")
        self.at += 1
        return text

    def call(self, name: str) -> Any:
        self.expect("(")
        arguments: list[Any] = []
        while not self.take(")"):
            arguments.append(self.either())
            if not self.take(","):
                self.expect(")")
                break
        function = _FUNCTIONS.get(name.lower())
        if function is None or any(one is UNKNOWN or one == ACTOR for one in arguments):
            return UNKNOWN
        try:
            return function(*arguments)
        except (TypeError, ValueError, IndexError):
            return UNKNOWN


def _lex(text: str) -> list[tuple[str, str]]:
    if len(text) > _LENGTH:
        raise BadExpression("it is too long")
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKENS.match(text, at)
        if match is None or match.lastgroup is None:
            raise BadExpression(f"cannot read {text[at : at + 20]!r}")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return [*tokens, ("end", "")]


def _named(name: str, context: Mapping[str, Any]) -> Any:
    literals = {"true": True, "false": False, "null": None, "nan": float("nan"), "infinity": float("inf")}
    return literals[name.lower()] if name.lower() in literals else _member(context, name)


def _member(value: Any, name: Any) -> Any:
    if value is UNKNOWN or name is UNKNOWN:
        return UNKNOWN
    if name == "*":
        return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
    if isinstance(value, list):
        if isinstance(name, float):
            return value[int(name)] if 0 <= name < len(value) else None
        return [_member(one, name) for one in value]
    if isinstance(value, Mapping):
        for key, found in value.items():
            if key.lower() == str(name).lower():
                return found
        return UNKNOWN if isinstance(value, Open) else None
    return None


def _number(value: Any) -> float:
    if isinstance(value, str):
        try:
            return float(value) if value.strip() else 0.0
        except ValueError:
            return float("nan")
    return float(value) if isinstance(value, bool | int | float) else 0.0 if value is None else float("nan")


def _compare(op: str, left: Any, right: Any) -> Any:
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    if ACTOR in (left, right):
        other_bot = str(right if left == ACTOR else left).lower() in _OTHER_BOTS
        return (op == "!=") if other_bot and op in ("==", "!=") else UNKNOWN
    if isinstance(left, str) and isinstance(right, str):
        one: Any = left.lower()  # GitHub ignores case when comparing strings
        other: Any = right.lower()
    else:
        one, other = _number(left), _number(right)
    return {"==": one == other, "!=": one != other, "<": one < other, ">": one > other, "<=": one <= other, ">=": one >= other}[
        op
    ]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else "Object"


def _contains(where: Any, what: Any) -> Any:
    if isinstance(where, list):
        found = [_compare("==", one, what) for one in where if not isinstance(one, dict | list)]
        return True if True in found else UNKNOWN if UNKNOWN in found else False
    return _text(what).lower() in _text(where).lower()


def _format(template: str, *values: Any) -> str:
    for index, value in enumerate(values):
        template = template.replace(f"{{{index}}}", _text(value))
    return template


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "contains": _contains,
    "startswith": lambda text, start: _text(text).lower().startswith(_text(start).lower()),
    "endswith": lambda text, end: _text(text).lower().endswith(_text(end).lower()),
    "format": _format,
    "join": lambda values, glue=",": glue.join(map(_text, values)) if isinstance(values, list) else _text(values),
    "tojson": lambda value: json.dumps(value),
    "fromjson": json.loads,
    # As things go when everything before went well.
    "always": lambda: True,
    "success": lambda: True,
    "failure": lambda: False,
    "cancelled": lambda: False,
}
