"""The filters of an Argo Events dependency: `data`, `exprs`, `context`, `time`, `script`, and how they are joined.

    verdict(filters, {"body": {...}}, "and")       Start("no", "`msg !~ \\"skip-ci\\"` does not hold", by="rule", line=27)

As Argo Events has it: a path that does not exist is an error, and an error keeps the event away, whatever the operator; patterns
are not anchored; several values are alternatives; an expression without fields is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

from rules.ci import gjson, govaluate
from rules.ci.base import Start
from rules.ci.nodes import Node
from rules.ci.paths import listed
from rules.ci.payloads import ANY
from rules.ci.tokens import compiled

Operator = Literal["and", "or"]
Explain = Callable[[str, Node], Start]
"""What to say where a path leads nowhere: the path, and the place where it is written."""

_HOLDS = Start("yes", "it passes the filters")


def verdict(filters: Node, data: Any, operator: str, missing: Explain, *, assume: bool) -> Start:
    """Whether an event passes. `assume`: the repository is not known, so a filter that asks for its name is taken to be met."""
    if not filters:
        return _HOLDS
    parts = list(_parts(filters, data, missing, assume=assume))
    errors = [part for part, is_error in parts if is_error]
    if errors:
        return errors[0]
    told = [part for part, _ in parts]
    if not told:
        return _HOLDS
    return _any(told) if operator == "or" else _all(told)


def _parts(filters: Node, data: Any, missing: Explain, *, assume: bool) -> Iterator[tuple[Start, bool]]:
    """Each kind of filter that is there, and whether it ended in an error."""
    for key, judge, name in (("exprs", _expr, "exprLogicalOperator"), ("data", _data, "dataLogicalOperator")):
        if filters.get(key):
            yield _joined(filters.get(key), judge, data, filters.get(name).text or "and", missing, assume=assume)
    for key in ("context", "time", "script"):
        if filters.get(key):
            yield Start("unknown", f"the filter `{key}` cannot be evaluated here", "unknown", filters.get(key).line), False


_Judge = Callable[[Node, Any, Explain, bool], tuple[Start, bool]]


def _joined(entries: Node, judge: _Judge, data: Any, operator: str, missing: Explain, *, assume: bool) -> tuple[Start, bool]:
    told: list[Start] = []
    error: Start | None = None
    for entry in entries.each():
        start, is_error = judge(entry, data, missing, assume)
        if operator != "or" and is_error:
            # The first error ends it; only what says no before comes first, and both keep the event away.
            told.append(start)
            return _all(told), all(one.answer != "no" for one in told[:-1])
        if operator == "or" and start.answer == "yes":
            return start, False
        told, error = [*told, start], error or (start if is_error else None)
    if operator != "or":
        return (_all(told), False) if told else (_HOLDS, False)
    best = _any(told) if told else Start("no", "nothing is asked for", "rule", entries.line)
    return (best, False) if best.answer == "unknown" or error is None else (error, True)


def _expr(entry: Node, data: Any, missing: Explain, assume: bool) -> tuple[Start, bool]:
    text, line = entry.get("expr").text or "", entry.get("expr").line
    parameters: dict[str, Any] = {}
    for field in entry.get("fields").each():
        path = field.get("path").text or ""
        try:
            found = gjson.get(data, path)
        except gjson.BadPath:
            return Start("unknown", f"the path `{path}` cannot be evaluated here", "unknown", field.get("path").line), False
        if found is None:
            return missing(path, field.get("path")), True
        parameters[field.get("name").text or ""] = govaluate.UNKNOWN if _has_unknown(found.value) else _floats(found.value)
    if not parameters:
        return Start("yes", "an expression without fields is passed over", line=line), False
    try:
        value = govaluate.evaluate(text, parameters)
    except govaluate.Undecided as error:
        return Start("unknown", f"`{text}` cannot be evaluated here: {error}", "unknown", line), False
    except (govaluate.BadExpression, govaluate.Failed) as error:
        return Start("no", f"`{text}` fails, and that keeps the event away: {error}", "broken", line, "mend the expression"), True
    if value is govaluate.UNKNOWN:
        if assume:
            return Start("yes", f"`{text}` is taken to hold", line=line), False
        return Start("unknown", f"`{text}` hangs on what is not known here", "unknown", line), False
    return (
        Start("yes", f"`{text}` holds", line=line) if value is True else Start("no", f"`{text}` does not hold", "rule", line)
    ), False


def _data(entry: Node, data: Any, missing: Explain, assume: bool) -> tuple[Start, bool]:
    path, line = entry.get("path").text or "", entry.get("path").line
    try:
        found = gjson.get(data, path)
    except gjson.BadPath:
        return Start("unknown", f"the path `{path}` cannot be evaluated here", "unknown", line), False
    if found is None:
        return missing(path, entry.get("path")), True
    values, comparator = entry.get("value").texts(), entry.get("comparator").text or "="
    if not values:
        return Start("no", f"`{path}` has no values to compare with", "broken", line, "give it a `value`"), True
    if entry.get("template").text:
        return Start("unknown", "a template cannot be evaluated here", "unknown", entry.get("template").line), False
    if _has_unknown(found.value):
        if assume and comparator == "=":
            return Start("yes", f"`{path}` is taken to be {listed(values)}", line=line), False
        return Start("unknown", f"`{path}` is not known here", "unknown", line), False
    try:
        held = _compared(entry.get("type").text or "", found, values, comparator)
    except ValueError as error:
        return Start("no", f"`{path}`: {error}, and that keeps the event away", "broken", line, "mend the filter"), True
    said = f"`{path}` {'is' if comparator == '=' else comparator} {listed(values)}"
    return (Start("yes", said, line=line) if held else Start("no", f"{said}: that does not hold", "rule", line)), False


def _compared(kind: str, found: gjson.Found, values: tuple[str, ...], comparator: str) -> bool:
    """Raises ValueError where the filter itself is broken."""
    if kind == "string":
        if comparator not in ("=", "!="):
            return False
        try:
            return any((compiled(value).search(found.text) is not None) == (comparator == "=") for value in values)
        except ValueError as error:
            raise ValueError(f"a pattern cannot be read ({error})") from None
    if kind == "bool":
        have = found.value if isinstance(found.value, bool) else found.text.lower() in ("true", "1", "t")
        return any(_bool(value) == have for value in values)
    if kind == "number":
        number = _float(found.value)
        tests = {"=": lambda x: number == x, "!=": lambda x: number != x, ">": lambda x: number > x, ">=": lambda x: number >= x}
        tests |= {"<": lambda x: number < x, "<=": lambda x: number <= x}
        return comparator in tests and any(tests[comparator](float(value)) for value in values)
    raise ValueError(f"the type {kind!r} does not exist")


def _bool(text: str) -> bool:
    if text in ("1", "t", "T", "TRUE", "true", "True"):
        return True
    if text in ("0", "f", "F", "FALSE", "false", "False"):
        return False
    raise ValueError(f"{text!r} is no truth value")


def _float(value: Any) -> float:
    try:
        return float(value) if not isinstance(value, bool | type(None)) else float(value is True)
    except (TypeError, ValueError):
        return 0.0


def _all(told: list[Start]) -> Start:
    for answer in ("no", "unknown"):
        # What is broken is broken for ever, so it is told first.
        found = sorted((one for one in told if one.answer == answer), key=lambda one: one.by != "broken")
        if found:
            return found[0]
    return told[-1]


def _any(told: list[Start]) -> Start:
    for answer in ("yes", "unknown"):
        found = [one for one in told if one.answer == answer]
        if found:
            return found[0]
    return told[0]


def _has_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_unknown, value.values()))
    return any(map(_has_unknown, value)) if isinstance(value, list) else isinstance(value, str) and ANY in value


def _floats(value: Any) -> Any:
    """Numbers as JSON has them in Go."""
    if isinstance(value, list):
        return [_floats(one) for one in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
