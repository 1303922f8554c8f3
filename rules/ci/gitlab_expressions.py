"""Expressions of GitLab CI (`rules:if`, `only:variables`), with a third value for variables that are not known.

    holds('$CI_COMMIT_BRANCH == "main" && $CI_COMMIT_TITLE !~ /^skip-ci/', variables)     True, False, or None: not known

`variables` maps names to text; None: it is not set. A name that it does not have is not known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from rules.ci.tokens import compiled

_TOKENS = re.compile(
    r"\s*(?:(?P<var>\$\{?(?P<name>\w+)\}?)|(?P<string>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')|(?P<pattern>/(?:[^/\\]|\\.)*/[a-zA-Z]*)"
    r"|(?P<null>null\b)|(?P<op>==|!=|=~|!~|&&|\|\||[()]|!))"
)
_LENGTH = 8000
_SET = "\u0000set"  # a value that is there and not known

Value = str | None
Known = tuple[bool, Value]  # whether it is known, and what it is


class BadExpression(ValueError):
    """The text is not an expression of GitLab CI."""


def holds(text: str, variables: Mapping[str, Value]) -> bool | None:
    """Whether an expression holds; None: not known, or not readable."""
    if len(text) > _LENGTH:
        return None
    try:
        parser = _Parser(text, variables)
        found = parser.either()
        return found if parser.at == len(parser.tokens) else None
    except (BadExpression, RecursionError):
        return None


def literals(text: str) -> tuple[str, ...]:
    """The texts and patterns that an expression compares with."""
    found = (match["string"] or match["pattern"] for match in _TOKENS.finditer(text))
    return tuple(one.rstrip("abcdefghijklmnopqrstuvwxyz")[1:-1] if one.startswith("/") else one[1:-1] for one in found if one)


class _Parser:
    def __init__(self, text: str, variables: Mapping[str, Value]) -> None:
        self.tokens: list[tuple[str, str]] = []
        at, text = 0, text.rstrip()
        while at < len(text):
            match = _TOKENS.match(text, at)
            if match is None:
                raise BadExpression(text[at:])
            kind = next(name for name in ("var", "string", "pattern", "null", "op") if match[name])
            self.tokens.append((kind, match["name"] if kind == "var" else match[kind]))
            at = match.end()
        self.at, self.variables = 0, variables

    def take(self, op: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at] == ("op", op):
            self.at += 1
            return True
        return False

    def either(self) -> bool | None:
        found = self.both()
        while self.take("||"):
            other = self.both()
            found = True if True in (found, other) else None if None in (found, other) else False
        return found

    def both(self) -> bool | None:
        found = self.one()
        while self.take("&&"):
            other = self.one()
            found = False if False in (found, other) else None if None in (found, other) else True
        return found

    def one(self) -> bool | None:
        if self.take("!"):
            inner = self.one()
            return None if inner is None else not inner
        if self.take("("):
            found = self.either()
            if not self.take(")"):
                raise BadExpression("a parenthesis is not closed")
            return found
        kind, left = self.operand()
        for op in ("==", "!=", "=~", "!~"):
            if self.take(op):
                return _compare(op, (kind, left), self.operand())
        known, value = self._value(kind, left)
        return bool(value) if known else None

    def operand(self) -> tuple[str, str]:
        if self.at >= len(self.tokens) or self.tokens[self.at][0] == "op":
            raise BadExpression("a value is missing")
        self.at += 1
        kind, text = self.tokens[self.at - 1]
        if kind != "var":
            return kind, text
        if text not in self.variables:
            return "unknown", text
        value = self.variables[text]
        return ("null", "") if value is None else ("unset" if value == _SET else "value", value)

    @staticmethod
    def _value(kind: str, text: str) -> Known:
        if kind == "unknown":
            return False, None
        return True, None if kind == "null" else text[1:-1] if kind in ("string", "pattern") else text


def _compare(op: str, left: tuple[str, str], right: tuple[str, str]) -> bool | None:
    if "unset" in (left[0], right[0]):
        null = "null" in (left[0], right[0])
        return (op == "!=") if null and op in ("==", "!=") else None
    (known, value), (other_known, other) = _Parser._value(*left), _Parser._value(*right)
    if not known or not other_known:
        return None
    if op in ("==", "!="):
        return (value == other) == (op == "==")
    pattern = right[1] if right[0] == "pattern" else other or ""
    matched = _matches(pattern, value)
    return None if matched is None else matched == (op == "=~")


def _matches(pattern: str, value: Value) -> bool | None:
    match = re.fullmatch(r"/(.*)/([a-zA-Z]*)", pattern, re.DOTALL)
    if match is None:
        return None
    flags = "".join(sorted(set(match[2]) & set("ims")))
    try:
        expression = compiled((f"(?{flags})" if flags else "") + match[1].replace("\\/", "/"))
    except ValueError:
        return None
    return value is not None and expression.search(value) is not None


SET = _SET
"""Stands for a variable that is set to something that is not known."""
