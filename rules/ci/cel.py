"""CEL, as far as filters of Tekton Triggers and Pipelines-as-Code use it, with a third value for what is not known.

    evaluate("body.ref == 'refs/heads/main' && !body.head_commit.message.startsWith('skip-ci')", {"body": {...}})      True

A member that is not there is an error; `&&` and `||` pass over an error where the other side decides, in either order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from rules.ci.cel_values import METHODS, apply, known, number, size, text, unquoted
from rules.ci.cel_values import UNKNOWN as UNKNOWN
from rules.ci.cel_values import Failed as Failed
from rules.ci.cel_values import Unsupported as Unsupported

_TOKENS = re.compile(
    r"\s*(?:(?P<string>[rR]?(?:\"\"\".*?\"\"\"|'''.*?'''|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'))|(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?u?)"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<op>==|!=|<=|>=|&&|\|\||[!<>()\[\]{}.,?:+\-*/%]))",
    re.DOTALL,
)
_DEPTH = 60
_LENGTH = 8000


Thunk = Callable[[Mapping[str, Any]], Any]


def evaluate(text: str, names: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]] | None = None) -> Any:
    """The value of an expression, or UNKNOWN. Raises Failed or Unsupported."""
    parser = _Parser(_lex(text), functions or {})
    thunk = parser.ternary()
    if parser.peek()[0] != "end":
        raise Failed(f"{parser.peek()[1]!r} is not expected there")
    return thunk(names)


def literals(text: str) -> tuple[str, ...]:
    """The texts in an expression. Raises Failed."""
    return tuple(unquoted(value) for kind, value in _lex(text) if kind == "string")


def _lex(text: str) -> list[tuple[str, str]]:
    if len(text) > _LENGTH:
        raise Unsupported("so long an expression")
    tokens, at = [], 0
    text = re.sub(r"(?m)^\s*//.*$", "", text).rstrip()
    while at < len(text):
        match = _TOKENS.match(text, at)
        if match is None or match.lastgroup is None:
            raise Failed(f"{text[at : at + 20]!r} cannot be read")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return [*tokens, ("end", "")]


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]], functions: Mapping[str, Callable[..., Any]]) -> None:
        self.tokens, self.at, self.depth, self.functions = tokens, 0, 0, functions

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at]

    def take(self, *ops: str) -> str | None:
        kind, text = self.peek()
        if kind == "op" and text in ops:
            self.at += 1
            return text
        return None

    def expect(self, op: str) -> None:
        if not self.take(op):
            raise Failed(f"{op!r} is expected, not {self.peek()[1]!r}")

    def ternary(self) -> Thunk:
        self.depth += 1
        if self.depth > _DEPTH:
            raise Failed("too deep")
        condition = self.either()
        if self.take("?"):
            yes = self.ternary()
            self.expect(":")
            no = self.ternary()
            self.depth -= 1
            return lambda names: _choose(condition(names), yes, no, names)
        self.depth -= 1
        return condition

    def either(self) -> Thunk:
        left = self.both()
        while self.take("||"):
            left = _logic(left, self.both(), decides=True)
        return left

    def both(self) -> Thunk:
        left = self.relation()
        while self.take("&&"):
            left = _logic(left, self.relation(), decides=False)
        return left

    def relation(self) -> Thunk:
        left = self.sum()
        while True:
            op = self.take("==", "!=", "<=", ">=", "<", ">")
            if op is None and self.peek() == ("name", "in"):
                self.at += 1
                op = "in"
            if op is None:
                return left
            left = _binary(op, left, self.sum())

    def sum(self) -> Thunk:
        left = self.product()
        while op := self.take("+", "-"):
            left = _binary(op, left, self.product())
        return left

    def product(self) -> Thunk:
        left = self.unary()
        while op := self.take("*", "/", "%"):
            left = _binary(op, left, self.unary())
        return left

    def unary(self) -> Thunk:
        if self.take("!"):
            inner = self.unary()
            return lambda names: _negated(inner(names))
        if self.take("-"):
            operand = self.unary()
            return lambda names: known(lambda value: -number(value), operand(names))
        return self.member()

    def member(self) -> Thunk:
        here = self.primary()
        while True:
            if self.take("."):
                kind, name = self.peek()
                if kind != "name":
                    raise Failed(f"a name is expected, not {name or 'the end'!r}")
                self.at += 1
                here = self.method(here, name) if self.take("(") else _select(here, name)
            elif self.take("["):
                index = self.ternary()
                self.expect("]")
                here = _index(here, index)
            else:
                return here

    def primary(self) -> Thunk:
        kind, text = self.peek()
        self.at += 1
        if kind == "string":
            value: Any = unquoted(text)
            return lambda names: value
        if kind == "number":
            number = float(text.rstrip("u"))
            return lambda names: number
        if kind == "name":
            if text in ("true", "false", "null"):
                constant = {"true": True, "false": False, "null": None}[text]
                return lambda names: constant
            return self.call(text) if self.take("(") else _named(text)
        if (kind, text) == ("op", "("):
            inner = self.ternary()
            self.expect(")")
            return inner
        if (kind, text) == ("op", "["):
            members = self.arguments("]")
            return lambda names: [one(names) for one in members]
        raise Failed(f"{text or 'the end'!r} is not expected there") if text != "{" else Unsupported("a map")

    def arguments(self, end: str) -> list[Thunk]:
        found: list[Thunk] = []
        while not self.take(end):
            found.append(self.ternary())
            if not self.take(","):
                self.expect(end)
                break
        return found

    def call(self, name: str) -> Thunk:
        arguments = self.arguments(")")
        if name == "has" and len(arguments) == 1:
            return lambda names: _has(arguments[0], names)
        if name == "size" and len(arguments) == 1:
            return lambda names: size(arguments[0](names))
        if name in ("string", "dyn", "int", "double"):
            convert = {"string": text, "dyn": lambda value: value, "int": number, "double": number}[name]
            return lambda names: known(convert, arguments[0](names))
        function = self.functions.get(name)
        if function is None:
            raise Unsupported(f"{name}()")
        return lambda names: known(function, *(one(names) for one in arguments))

    def method(self, target: Thunk, name: str) -> Thunk:
        if name in ("exists", "all", "exists_one", "filter", "map"):
            kind, variable = self.peek()
            if kind == "name":
                self.at += 1
                self.expect(",")
                body = self.ternary()
                self.expect(")")
                return lambda names: _macro(name, target(names), variable, body, names)
        arguments = self.arguments(")")
        function = self.functions.get(f".{name}") or METHODS.get(name)
        if function is None:
            raise Unsupported(f".{name}()")
        return lambda names: known(function, target(names), *(one(names) for one in arguments))


def _named(name: str) -> Thunk:
    def read(names: Mapping[str, Any]) -> Any:
        if name not in names:
            raise Failed(f"there is no {name!r}")
        return names[name]

    return read


def _select(target: Thunk, name: str) -> Thunk:
    def read(names: Mapping[str, Any]) -> Any:
        value = target(names)
        if value is UNKNOWN:
            return UNKNOWN
        if isinstance(value, Mapping) and name in value:
            return value[name]
        raise Failed(f"there is no {name!r}")

    return read


def _index(target: Thunk, index: Thunk) -> Thunk:
    def read(names: Mapping[str, Any]) -> Any:
        value, key = target(names), index(names)
        if value is UNKNOWN or key is UNKNOWN:
            return UNKNOWN
        if isinstance(value, list) and isinstance(key, float) and 0 <= key < len(value):
            return value[int(key)]
        if isinstance(value, Mapping) and key in value:
            return value[key]
        raise Failed(f"there is no {key!r}")

    return read


def _logic(left: Thunk, right: Thunk, *, decides: bool) -> Thunk:
    def read(names: Mapping[str, Any]) -> Any:
        told: list[Any] = []
        error: Failed | None = None
        for side in (left, right):
            try:
                value = side(names)
            except Failed as failed:
                error = failed
                continue
            if value is decides:
                return decides
            if value is not UNKNOWN and not isinstance(value, bool):
                error = Failed(f"{value!r} is no truth value")
                continue
            told.append(value)
        if any(value is UNKNOWN for value in told):
            return UNKNOWN
        if error is not None:
            raise error
        return not decides

    return read


def _binary(op: str, left: Thunk, right: Thunk) -> Thunk:
    return lambda names: known(lambda one, other: apply(op, one, other), left(names), right(names))


def _choose(condition: Any, yes: Thunk, no: Thunk, names: Mapping[str, Any]) -> Any:
    if condition is UNKNOWN:
        return UNKNOWN
    if not isinstance(condition, bool):
        raise Failed(f"{condition!r} is no truth value")
    return yes(names) if condition else no(names)


def _negated(value: Any) -> Any:
    if value is UNKNOWN:
        return UNKNOWN
    if not isinstance(value, bool):
        raise Failed(f"{value!r} is no truth value")
    return not value


def _has(target: Thunk, names: Mapping[str, Any]) -> bool:
    try:
        target(names)
    except Failed:
        return False
    return True


def _macro(name: str, values: Any, variable: str, body: Thunk, names: Mapping[str, Any]) -> Any:
    if values is UNKNOWN:
        return UNKNOWN
    if not isinstance(values, list | Mapping):
        raise Failed(f"{values!r} is no list")
    told = [body({**names, variable: value}) for value in values]
    if name == "map":
        return told
    if any(one is UNKNOWN for one in told):
        decided = (name == "exists" and True in told) or (name == "all" and False in told)
        return name == "exists" if decided else UNKNOWN
    if name == "filter":
        return [value for value, keep in zip(values, told, strict=True) if keep is True]
    return {"exists": any(told), "all": all(told), "exists_one": told.count(True) == 1}[name]
