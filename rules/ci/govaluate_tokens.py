"""The tokens of govaluate's expressions, with its habits: see `rules.ci.govaluate`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LEVELS: tuple[tuple[str, ...], ...] = (
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
PREFIXES = ("-", "!", "~")
_LENGTH = 8000
_OPERATORS = frozenset(op for level in LEVELS for op in level) | frozenset(PREFIXES)
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|\d{1,2}:\d\d[AP]M|[A-Z][a-z]{2} [A-Z][a-z]{2} .*\d{4}"
)


class BadExpression(ValueError):
    """The text is not an expression of govaluate."""


class Failed(ValueError):
    """The expression cannot be evaluated with these parameters: one is missing, or has the wrong type."""


class Undecided(ValueError):
    """The answer hangs on something that is not known here."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token: op, name, text, value, or a parenthesis."""

    kind: str
    value: Any

    def __iter__(self) -> Any:
        return iter((self.kind, self.value))


def lex(text: str) -> list[Token]:
    """The tokens of an expression. Raises BadExpression or Undecided."""
    if len(text) > _LENGTH:
        raise Undecided("it is too long")
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char.isspace():
            at += 1
        elif char.isdigit() or char == ".":
            end = _until(text, at, lambda one: one.isdigit() or one == ".")
            try:
                tokens.append(Token("value", float(text[at:end])))
            except ValueError:
                raise BadExpression(f"{text[at:end]!r} is not a number") from None
            at = end
        elif char == ",":
            tokens.append(Token("op", ","))
            at += 1
        elif char == "[":
            value, at = _quoted(text, at + 1, "]")
            tokens.append(Token("name", value))
        elif char.isalpha():
            word, at = _bare(text, at, lambda one: one.isalnum() or one == "_" or one == ".")
            tokens.append(_word(word))
        elif char in "'\"":
            value, at = _quoted(text, at + 1, "'\"")
            if _TIME.fullmatch(value):
                raise BadExpression(f"{value!r} would be read as a time")
            tokens.append(Token("text", value))
        elif char in "()":
            tokens.append(Token(char, char))
            at += 1
        else:
            sign, at = _bare(text, at, lambda one: not (one.isalnum() or one in "()[]'\""))
            if sign not in _OPERATORS:
                raise BadExpression(f"{sign!r} is no operator")
            tokens.append(Token("op", sign))
    return tokens


def _word(word: str) -> Token:
    if word in ("true", "false"):
        return Token("value", word == "true")
    if "." in word:
        raise Undecided(f"{word!r} asks for a member")
    return Token("op", "in") if word in ("in", "IN") else Token("name", word)


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
