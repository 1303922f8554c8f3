"""Expressions of govaluate, as Argo Events' Sensors evaluate them (`filters.exprs`).

    evaluate('msg !~ "^skip-ci" && ref == "refs/heads/main"', {"msg": "Update web", "ref": "refs/heads/main"})      True

Odd, and so here too: a backslash in a text only quotes the next character (`"\\."` is `"."`), either quote ends a text, and signs
that touch are one operator (`a&&!b` is not an expression, `a && !b` is). A missing parameter or a wrong type is an error, and an
error keeps the event away.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rules.ci.govaluate_tokens import LEVELS, PREFIXES, Token, lex
from rules.ci.govaluate_tokens import BadExpression as BadExpression
from rules.ci.govaluate_tokens import Failed as Failed
from rules.ci.govaluate_tokens import Undecided as Undecided
from rules.ci.tokens import compiled

_DEPTH = 80


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Any = _Unknown()
"""The value of a parameter that is there and not known."""


def evaluate(text: str, parameters: Mapping[str, Any]) -> Any:
    """The value of an expression. Raises BadExpression, Failed, or Undecided where an unknown parameter decides."""
    return _Parser(lex(text)).whole().value(parameters)


def literals(text: str) -> tuple[str, ...]:
    """The texts in an expression. Raises BadExpression."""
    return tuple(value for kind, value in lex(text) if kind == "text")


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
    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.at, self.depth = tokens, 0, 0

    def whole(self) -> Tree:
        if not self.tokens:
            raise BadExpression("it is empty")
        tree = self.level(0)
        if self.at < len(self.tokens):
            raise BadExpression(f"{self.tokens[self.at].value!r} is not expected there")
        return tree

    def level(self, number: int) -> Tree:
        if number == len(LEVELS):
            return self.operand()
        left = self.level(number + 1)
        while self.at < len(self.tokens) and self.tokens[self.at].kind == "op" and self.tokens[self.at].value in LEVELS[number]:
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
        if kind == "op" and value in PREFIXES:
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
    except ValueError as error:
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
