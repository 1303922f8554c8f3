"""Paths of gjson, as Argo Events' Sensors look into an event.

    get({"body": {"commits": [{"message": "Update web"}]}}, "body.commits.0.message")      Found("Update web")
    get(…, "body.commits[0].message")                                                      None: there is no key "commits[0]"

What is not understood here raises BadPath: then nothing is known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import translate
from typing import Any

_QUERY = re.compile(r"#\((?P<query>.*)\)(?P<all>#?)\Z", re.DOTALL)
_COMPARISON = re.compile(r"\A(?P<path>[^=!<>%]*?)\s*(?P<op>==|!=|<=|>=|<|>|!%|%|=)\s*(?P<value>.*)\Z", re.DOTALL)
_MODIFIERS = {"reverse", "this", "valid", "flatten", "keys", "values", "ugly", "pretty"}


class BadPath(ValueError):
    """The path has something that is not understood here."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a path leads to. `value` is None for a JSON null."""

    value: Any

    @property
    def text(self) -> str:
        """As gjson writes it as a text: null is empty, and what is not a text is JSON."""
        if self.value is None:
            return ""
        if isinstance(self.value, str):
            return self.value
        if isinstance(self.value, float) and self.value == int(self.value) and abs(self.value) < 1e15:
            return str(int(self.value))
        return json.dumps(self.value, ensure_ascii=False, separators=(",", ":"))


def get(document: Any, path: str) -> Found | None:
    """What stands at a path; None: it does not exist. Raises BadPath."""
    if not path:
        return None
    return _get(document, list(_parts(path)))


def _get(value: Any, parts: list[tuple[str, bool]]) -> Found | None:
    """Each part with whether a pipe comes before it."""
    for index, (part, _) in enumerate(parts):
        rest = parts[index + 1 :]
        if part.startswith("@"):
            value = _modified(value, part[1:])
        elif isinstance(value, list) and part.startswith("#"):
            return _of_list(value, part, rest)
        else:
            found = _child(value, part)
            if found is None:
                return None
            value = found.value
    return Found(value)


def _of_list(value: list[Any], part: str, rest: list[tuple[str, bool]]) -> Found | None:
    if part == "#":
        if not rest:
            return Found(float(len(value)))
        if rest[0][1]:
            return None  # a number has no members
        stop = next((index for index, (_, piped) in enumerate(rest) if piped), len(rest))
        inner = [found.value for one in value if (found := _get(one, rest[:stop])) is not None]
        return _get(inner, rest[stop:]) if rest[stop:] else Found(inner)
    match = _QUERY.match(part)
    if match is None:
        raise BadPath(part)
    chosen = [one for one in value if _holds(one, match["query"])]
    if not match["all"]:
        return _get(chosen[0], rest) if chosen else None
    if not rest:
        return Found(chosen)
    if rest[0][1]:
        return _get(chosen, rest)
    return _of_list(chosen, "#", rest)


def _child(value: Any, part: str) -> Found | None:
    if isinstance(value, list):
        return Found(value[int(part)]) if part.isascii() and part.isdigit() and int(part) < len(value) else None
    if not isinstance(value, dict):
        return None
    plain, wild = _unescaped(part)
    if not wild:
        return Found(value[plain]) if plain in value else None
    pattern = re.compile(translate(re.sub(r"([\[\]])", r"[\1]", part)))
    return next((Found(one) for key, one in value.items() if pattern.fullmatch(key)), None)


def _modified(value: Any, name: str) -> Any:
    if name not in _MODIFIERS:
        raise BadPath(f"@{name}")
    if name == "reverse" and isinstance(value, list):
        return value[::-1]
    if name == "reverse" and isinstance(value, dict):
        return dict(reversed(value.items()))
    if name == "flatten" and isinstance(value, list):
        return [inner for one in value for inner in (one if isinstance(one, list) else [one])]
    if name in ("keys", "values") and isinstance(value, dict):
        return list(value.keys() if name == "keys" else value.values())
    if name in ("keys", "values"):
        return [] if value is None else list(value) if name == "values" and isinstance(value, list) else [value]
    return value


def _holds(value: Any, query: str) -> bool:
    match = _COMPARISON.match(query)
    if match is None or ("(" in match["path"] and query.rstrip().endswith(")")):
        return get(value, query) is not None
    found = get(value, match["path"]) if match["path"] else Found(value)
    if found is None:
        return False
    wanted = _literal(match["value"].strip())
    op, have = match["op"], found.value
    if isinstance(have, str) and isinstance(wanted, str) and op in ("%", "!%"):
        return (re.fullmatch(translate(wanted.replace("[", "[[]")), have) is not None) == (op == "%")
    if type(have) is not type(wanted) or isinstance(have, dict | list) or (have is None and wanted is None):
        return op == "!=" if not (have is None and wanted is None) else op in ("=", "==")
    answers: dict[str, bool] = {"=": have == wanted, "==": have == wanted, "!=": have != wanted}
    if isinstance(have, bool) or have is None:
        return answers.get(op, False)
    answers |= {"<": have < wanted, "<=": have <= wanted, ">": have > wanted, ">=": have >= wanted}
    return answers.get(op, False)


def _literal(text: str) -> Any:
    if text in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[text]
    if text.startswith('"'):
        try:
            return json.loads(text)
        except ValueError:
            raise BadPath(text) from None
    try:
        return float(text)
    except ValueError:
        return text


def _parts(path: str) -> Iterator[tuple[str, bool]]:
    part, depth, piped, quoted = "", 0, False, False
    index = 0
    while index < len(path):
        char = path[index]
        if char == "\\" and index + 1 < len(path):
            part += path[index : index + 2]
            index += 2
            continue
        if depth and char == '"':
            quoted = not quoted
        if not quoted and ((char == "(" and part.startswith("#")) or (depth and char == "(")):
            depth += 1
        elif not quoted and depth and char == ")":
            depth -= 1
        if char in ".|" and not depth:
            yield part, piped
            part, piped = "", char == "|"
        elif char in "{[" and not part and not depth:
            raise BadPath(path)  # multipaths
        else:
            part += char
        index += 1
    yield part, piped


def _unescaped(part: str) -> tuple[str, bool]:
    """The key, and whether it has wildcards."""
    plain = re.sub(r"\\(.)", r"\1", part)
    wild = re.search(r"(?<!\\)[*?]", part) is not None
    return plain, wild
