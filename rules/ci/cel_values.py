"""Values and functions of CEL: see `rules.ci.cel`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from rules.ci.tokens import compiled


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Any = _Unknown()


class Failed(ValueError):
    """The expression cannot be read, or ends in an error: nothing is started."""


class Unsupported(ValueError):
    """The expression uses something that is not understood here."""


def apply(op: str, left: Any, right: Any) -> Any:
    """The value of a binary operator. Raises Failed where the types do not fit."""
    if op in ("==", "!="):
        same = type(left) is type(right) and left == right
        return same == (op == "==")
    if op == "in":
        if not isinstance(right, list | Mapping):
            raise Failed(f"{right!r} is no list")
        return UNKNOWN if isinstance(right, list) and UNKNOWN in right and left not in right else left in right
    if op == "+" and isinstance(left, str) and isinstance(right, str):
        return left + right
    if op == "+" and isinstance(left, list) and isinstance(right, list):
        return left + right
    if op in ("<", "<=", ">", ">=") and isinstance(left, str) and isinstance(right, str):
        return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[op]
    one, other = number(left), number(right)
    if op in ("/", "%") and other == 0:
        raise Failed("division by zero")
    table: dict[str, Callable[[], Any]] = {
        "+": lambda: one + other,
        "-": lambda: one - other,
        "*": lambda: one * other,
        "/": lambda: one / other,
        "%": lambda: one % other,
        "<": lambda: one < other,
        "<=": lambda: one <= other,
        ">": lambda: one > other,
        ">=": lambda: one >= other,
    }
    return table[op]()


def known(function: Callable[..., Any], *values: Any) -> Any:
    """The value of a function, or UNKNOWN where one of its arguments is. Raises Failed where it cannot take them."""
    if any(value is UNKNOWN for value in values):
        return UNKNOWN
    try:
        return function(*values)
    except (TypeError, IndexError, AttributeError, OverflowError, ValueError) as error:
        raise Failed(str(error)) from None


def number(value: Any) -> float:
    """A value as a number. Raises Failed where it is none."""
    try:
        if isinstance(value, bool) or value is None:
            raise ValueError
        return float(value)
    except (TypeError, ValueError):
        raise Failed(f"{value!r} is no number") from None


def text(value: Any) -> str:
    """A value as `string()` writes it."""
    return value if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value).lower()


def size(value: Any) -> Any:
    """The length of a text, list or map."""
    return UNKNOWN if value is UNKNOWN else float(len(value))


METHODS: dict[str, Callable[..., Any]] = {
    "startsWith": lambda text, start: text.startswith(start),
    "endsWith": lambda text, end: text.endswith(end),
    "contains": lambda text, part: part in text,
    "matches": lambda text, pattern: compiled(pattern).search(text) is not None,
    "split": lambda text, by: text.split(by),
    "lowerAscii": lambda text: text.lower(),
    "upperAscii": lambda text: text.upper(),
    "trim": lambda text: text.strip(),
    "replace": lambda text, old, new: text.replace(old, new),
    "truncate": lambda text, size: text[: int(size)],
    "size": lambda value: float(len(value)),
    "join": lambda values, glue="": glue.join(values),
}

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.|\Z)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"} | {char: char for char in "\\'\"`?"}


def unquoted(text: str) -> str:
    """A text as it is written, without its quotes. Raises Failed."""
    raw = text[0] in "rR"
    body = text[1:] if raw else text
    quote = 3 if body[:3] in ("'''", '"""') else 1
    inside = body[quote:-quote]
    return inside if raw else _ESCAPE.sub(_unescaped, inside)


def _unescaped(match: re.Match[str]) -> str:
    said = match[1]
    if said[0] in "xu" and len(said) > 1:
        return chr(int(said[1:], 16))
    if said not in _ESCAPES:
        raise Failed(f"\\{said} means nothing in a text")
    return _ESCAPES[said]
