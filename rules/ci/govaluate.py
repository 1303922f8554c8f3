"""Expressions of govaluate, as Argo Events' Sensors evaluate them (`filters.exprs`).

    evaluate('msg !~ "^skip-ci" && ref == "refs/heads/main"', {"msg": "Update web", "ref": "refs/heads/main"})      True

Odd, and so here too: a backslash in a text only quotes the next character (`"\\."` is `"."`), either quote ends a text, and signs
that touch are one operator (`a&&!b` is not an expression, `a && !b` is). A missing parameter or a wrong type is an error, and an
error keeps the event away.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import re2

from rules.ci.tokens import compiled

_LEVELS: tuple[tuple[str, ...], ...] = (
    (",",),
    ("?", ":", "??"),
    ("||",),
    ("&&",),
    ("==", "!=", ">", ">=", "<", "<=", "=~", "!~", "in"),
    ("&", "|", "^"),
    (">>", "<<"),
    ("+", "-"),
    ("*", "/", "%"),
    ("**",),
)
_PREFIXES = ("-", "!", "~")
_OPERATORS = frozenset(op for level in _LEVELS for op in level) | frozenset(_PREFIXES)
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|\d{1,2}:\d\d[AP]M|[A-Z][a-z]{2} [A-Z][a-z]{2} .*\d{4}"
)
_DEPTH = 80


class BadExpression(ValueError):
    """The text is not an expression of govaluate."""


class Failed(ValueError):
    """The expression cannot be evaluated with these parameters: one is missing, or has the wrong type."""


class Undecided(ValueError):
    """The answer hangs on something that is not known here."""


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Any = _Unknown()
"""The value of a parameter that is there and not known."""


def evaluate(text: str, parameters: Mapping[str, Any]) -> Any:
    """The value of an expression. Raises BadExpression, Failed, or Undecided where an unknown parameter decides."""
    return _Parser(_lex(text)).whole().value(parameters)


def literals(text: str) -> tuple[str, ...]:
    """The texts in an expression. Raises BadExpression."""
    return tuple(value for kind, value in _lex(text) if kind == "text")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    value: Any

    def __iter__(self) -> Any:
        return iter((self.kind, self.value))


def _lex(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char.isspace():
            at += 1
        elif char.isdigit() or char == ".":
            end = _until(text, at, lambda one: one.isdigit() or one == ".")
            try:
                tokens.append(_Token("value", float(text[at:end])))
            except ValueError:
                raise BadExpression(f"{text[at:end]!r} is not a number") from None
            at = end
        elif char == ",":
            tokens.append(_Token("op", ","))
            at += 1
        elif char == "[":
            value, at = _quoted(text, at + 1, "]")
            tokens.append(_Token("name", value))
        elif char.isalpha():
            word, at = _bare(text, at, lambda one: one.isalnum() or one == "_" or one == ".")
            tokens.append(_word(word))
        elif char in "'\"":
            value, at = _quoted(text, at + 1, "'\"")
            if _TIME.fullmatch(value):
                raise BadExpression(f"{value!r} would be read as a time")
            tokens.append(_Token("text", value))
        elif char in "()":
            tokens.append(_Token(char, char))
            at += 1
        else:
            sign, at = _bare(text, at, lambda one: not (one.isalnum() or one in "()[]'\""))
            if sign not in _OPERATORS:
                raise BadExpression(f"{sign!r} is no operator")
            tokens.append(_Token("op", sign))
    return tokens


def _word(word: str) -> _Token:
    if word in ("true", "false"):
        return _Token("value", word == "true")
    if "." in word:
        raise Undecided(f"{word!r} asks for a member")
    return _Token("op", "in") if word in ("in", "IN") else _Token("name", word)


def _until(text: str, at: int, takes: Callable[[str], bool]) -> int:
    while at < len(text) and takes(text[at]):
        at += 1
    return at


def _bare(text: str, at: int, takes: Callable[[str], bool]) -> tuple[str, int]:
    """A name or sign: up to white space or the first character that it does not take; a backslash takes the next one anyway."""
    out = ""
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text):
            out += text[at + 1]
            at += 2
        elif not text[at].isspace() and takes(text[at]):
            out += text[at]
            at += 1
        else:
            break
    return out, at


def _quoted(text: str, at: int, ends: str) -> tuple[str, int]:
    out = ""
    while at < len(text):
        if text[at] == "\\":
            out += text[at + 1 : at + 2]
            at += 2
        elif text[at] in ends:
            return out, at + 1
        else:
            out += text[at]
            at += 1
    raise BadExpression("a text or a name in brackets is not closed")


@dataclass(frozen=True, slots=True)
class _Leaf:
    kind: str
    what: Any

    def value(self, parameters: Mapping[str, Any]) -> Any:
        if self.kind != "name":
            return self.what
        if self.what not in parameters:
            raise Failed(f"there is no parameter {self.what!r}")
        found = parameters[self.what]
        return float(found) if isinstance(found, int) and not isinstance(found, bool) else found


@dataclass(frozen=True, slots=True)
class _Prefix:
    op: str
    right: _Leaf | _Prefix | _Infix

    def value(self, parameters: Mapping[str, Any]) -> Any:
        right = self.right.value(parameters)
        if right is UNKNOWN:
            return UNKNOWN
        if not isinstance(right, bool if self.op == "!" else float):
            raise Failed(f"{right!r} cannot follow {self.op!r}")
        return not right if self.op == "!" else -right if self.op == "-" else float(~int(right))


@dataclass(frozen=True, slots=True)
class _Infix:
    op: str
    left: _Leaf | _Prefix | _Infix
    right: _Leaf | _Prefix | _Infix

    def value(self, parameters: Mapping[str, Any]) -> Any:
        left = self.left.value(parameters)
        if (self.op == "&&" and left is False) or (self.op == "||" and left is True):
            return left
        if self.op in (":", "??") and left is not None and left is not UNKNOWN:
            return left
        if self.op == "?" and left is False:
            return None
        right = self.right.value(parameters)
        if left is UNKNOWN or right is UNKNOWN:
            return self._undecided(left, right)
        return _apply(self.op, left, right)

    def _undecided(self, left: Any, right: Any) -> Any:
        """With an unknown side: `x && false` is false and `x || true` is true all the same."""
        if (self.op, right) in (("&&", False), ("||", True)) and isinstance(right, bool):
            return right
        return UNKNOWN


Tree = _Leaf | _Prefix | _Infix


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens, self.at, self.depth = tokens, 0, 0

    def whole(self) -> Tree:
        if not self.tokens:
            raise BadExpression("it is empty")
        tree = self.level(0)
        if self.at < len(self.tokens):
            raise BadExpression(f"{self.tokens[self.at].value!r} is not expected there")
        return tree

    def level(self, number: int) -> Tree:
        if number == len(_LEVELS):
            return self.operand()
        left = self.level(number + 1)
        while self.at < len(self.tokens) and self.tokens[self.at].kind == "op" and self.tokens[self.at].value in _LEVELS[number]:
            op = self.tokens[self.at].value
            self.at += 1
            left = _Infix(op, left, self.level(number + 1))
        return left

    def operand(self) -> Tree:
        self.depth += 1
        if self.depth > _DEPTH:
            raise BadExpression("too deep")
        try:
            return self._operand()
        finally:
            self.depth -= 1

    def _operand(self) -> Tree:
        if self.at >= len(self.tokens):
            raise BadExpression("it ends too early")
        kind, value = self.tokens[self.at]
        self.at += 1
        if kind == "op" and value in _PREFIXES:
            return _Prefix(value, self.operand())
        if kind == "(":
            tree = self.level(0)
            if self.at >= len(self.tokens) or self.tokens[self.at].kind != ")":
                raise BadExpression("a parenthesis is not closed")
            self.at += 1
            return tree
        if kind in ("value", "text", "name"):
            return _Leaf(kind, value)
        raise BadExpression(f"{value!r} is not expected there")


def _apply(op: str, left: Any, right: Any) -> Any:
    if op == ",":
        return [*left, right] if isinstance(left, list) else [left, right]
    if op == "==" or op == "!=":
        return _same(left, right) == (op == "==")
    if op in (":", "??"):
        return left if left is not None else right
    if op == "?":
        _want(bool, op, left)
        return right
    if op in ("&&", "||"):
        _want(bool, op, left, right)
        return (left and right) if op == "&&" else (left or right)
    if op in ("=~", "!~"):
        _want(str, op, left, right)
        return _matches(left, right) == (op == "=~")
    if op == "in":
        _want(list, op, right)
        return any(_same(left, one) for one in right)
    if op in (">", ">=", "<", "<="):
        return _ordered(op, left, right)
    if op == "+" and (isinstance(left, str) or isinstance(right, str)):
        return _text(left) + _text(right)
    _want(float, op, left, right)
    return _number(op, left, right)


def _want(kind: type, op: str, *values: Any) -> None:
    for value in values:
        if not isinstance(value, kind):
            raise Failed(f"{value!r} cannot be used with {op!r}")


def _same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and bool(left == right)


def _matches(text: str, pattern: str) -> bool:
    try:
        return compiled(pattern).search(text) is not None
    except re2.error as error:
        raise Failed(f"{pattern!r} is not a regular expression ({error})") from None


def _ordered(op: str, left: Any, right: Any) -> bool:
    if not (isinstance(left, str) and isinstance(right, str)):
        _want(float, op, left, right)
    return bool({">": left > right, ">=": left >= right, "<": left < right, "<=": left <= right}[op])


def _number(op: str, left: float, right: float) -> float:
    try:
        match op:
            case "+":
                return left + right
            case "-":
                return left - right
            case "*":
                return left * right
            case "/":
                return left / right if right else math.copysign(math.inf, left) if left else math.nan
            case "%":
                return math.fmod(left, right) if right else math.nan
            case "**":
                return float(left**right)
            case "&" | "|" | "^":
                one, other = int(left), int(right)
                return float(one & other if op == "&" else one | other if op == "|" else one ^ other)
            case _:
                return float(int(left) << int(right) if op == "<<" else int(left) >> int(right))
    except (OverflowError, ValueError, TypeError):
        raise Undecided(f"{left} {op} {right}") from None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "<nil>"
    if isinstance(value, float):
        digits, _, exponent = f"{value!r}".partition("e")
        size = math.floor(math.log10(abs(value))) if value else 0
        if size < -4 or size >= 21 or exponent:
            return f"{value:e}" if exponent else digits
        return f"{value:.0f}" if value == int(value) and size < 6 else f"{value:.15g}" if size < 6 else _exponent(value, size)
    return str(value)


def _exponent(value: float, size: int) -> str:
    mantissa = f"{value / 10**size:.15g}"
    return f"{mantissa}e+{size:02d}"
