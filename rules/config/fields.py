"""The kinds of value that a key of `.tagboat.yaml` or `app.yaml` can have, and how strictly each is read.

A scalar comes as it was written (see `rules.config.tree`), so `range: 1.10` is the text `1.10`, and a time of day `02:00` is
never a number in base sixty. A word that some YAML readers take for a boolean (`on`, `no`) needs quotes where a text is
wanted. A key without a value is at its default.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from types import NoneType
from typing import Annotated, Any, get_args

import re2
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from rules import durations, globs, schedules
from rules.config.tree import Path, Plain
from rules.schedules import Schedule

_TRUE = frozenset({"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})
_FALSE = frozenset({"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})
_LINE_LIMIT = 500
_REGEXP_MEMORY = 256 * 1024  # bytes; a file may hold many, and each takes its time to be read


def wrong(message: str, suggestion: str = "", at: Path = ()) -> PydanticCustomError:
    """An error in plain words. `at` leads from the key to the part of its value that is wrong."""
    return PydanticCustomError("tagboat", "{message}", {"message": message, "suggestion": suggestion, "at": at})


def all_wrong(faults: Iterable[tuple[Path, str, str]]) -> PydanticCustomError:
    """Several errors of one mapping: where, what, and a suggestion."""
    return PydanticCustomError("tagboat_all", "several things are wrong", {"faults": list(faults)})


def kind_of(value: object) -> str:
    """What a value is, in words."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case Plain() if value in _TRUE | _FALSE:
            return f"the boolean {value}"
        case _:
            return f"{shown(value)!r}"


def shown(value: object) -> str:
    """A value from the file, cut to a length that fits into a message."""
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"


class Table(BaseModel):
    """A mapping in a file: unknown keys are refused, and a key without a value is at its default."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        keep = {field.alias or name for name, field in cls.model_fields.items() if NoneType in get_args(field.annotation)}
        return {key: value for key, value in data.items() if value is not None or key in keep}


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, Plain) and value in _TRUE | _FALSE:
        return value in _TRUE
    quoted = isinstance(value, str) and not isinstance(value, Plain) and value in _TRUE | _FALSE
    raise wrong(f"has to be true or false, not {kind_of(value)}", "take the quotes away" if quoted else "")


def _whole(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, Plain) and re.fullmatch(r"[-+]?[0-9]{1,9}", value):
        return int(value)
    quoted = isinstance(value, str) and not isinstance(value, Plain) and value.isdecimal()
    raise wrong(f"has to be a whole number, not {kind_of(value)}", "take the quotes away" if quoted else "")


def text(value: object) -> str:
    """A text in one line; raises what `wrong` makes."""
    if isinstance(value, Plain) and value in _TRUE | _FALSE:
        raise wrong(f"{value} without quotes is a boolean to YAML, and a text is wanted", f'write "{value}"')
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        # `marker: [ci skip]` is a list to YAML.
        raise wrong("has to be a text, not a list", f'write "[{shown(", ".join(value))}]"')
    if not isinstance(value, str):
        raise wrong(f"has to be a text, not {kind_of(value)}")
    if len(value) > _LINE_LIMIT:
        raise wrong(f"is longer than {_LINE_LIMIT} characters")
    if any(ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) <= 0xDFFF for char in value):
        block = value.endswith("\n") and value.count("\n") == 1
        raise wrong("has to be one line, without control characters", "write |- or >- for | or >" if block else "")
    return str(value)


def _name(value: object) -> str:
    found = text(value).strip()
    if not found:
        raise wrong("must not be empty")
    return found


def _word(value: object) -> object:
    """For keys with a closed list of words: `none` and `no` are words there."""
    return str(value) if isinstance(value, str) else value


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    try:
        return durations.parse(_name(value))
    except durations.BadDuration as error:
        raise wrong(str(error)) from None


def _glob(value: object) -> str:
    found = _name(value)
    try:
        globs.check(found)
    except globs.BadGlob as error:
        raise wrong(str(error)) from None
    return found


def _regexp(value: object) -> str:
    found = _name(value)
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _REGEXP_MEMORY
    try:
        re2.compile(found, options)
    except re2.error as error:
        said = error.args[0].decode("utf-8", "replace") if error.args and isinstance(error.args[0], bytes) else str(error)
        missing = re.search(r"\(\?<?[=!]", found) or "escape" in said
        hint = "RE2 has no look-around and no back-references" if missing else ""
        raise wrong(f"{shown(found)!r} is not a regular expression of RE2: {said}", hint) from None
    return found


def _schedule(value: object) -> Schedule:
    if isinstance(value, Schedule):
        return value
    try:
        return schedules.read(value)
    except schedules.BadSchedule as error:
        raise wrong(str(error), at=error.path) from None


_DURATION_SCHEMA = {
    "title": "duration",
    "anyOf": [{"type": "string", "pattern": durations.PATTERN}, {"const": 0}],
    "examples": ["3d", "12h", "1h30m"],
}
_WINDOW_SCHEMA = {
    "anyOf": [
        {"type": "string", "examples": ["Mon-Fri 08:00-17:00 Europe/Zurich"]},
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "days": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
                "from": {"type": "string", "pattern": r"^\d{1,2}:\d\d$"},
                "to": {"type": "string", "pattern": r"^\d{1,2}:\d\d$"},
                "tz": {"type": "string", "examples": ["Europe/Zurich", "UTC"]},
            },
        },
    ]
}
_SCHEDULE_SCHEMA = {
    "title": "schedule",
    "anyOf": [*_WINDOW_SCHEMA["anyOf"], {"type": "array", "items": _WINDOW_SCHEMA, "minItems": 1, "maxItems": 20}],
}

# The file's scalars are texts as they stand: what another reader takes for a number (`range: 1.4`) is one too.
_TEXT_SCHEMA = WithJsonSchema({"type": ["string", "number"], "minLength": 1})

Flag = Annotated[bool, BeforeValidator(_flag)]
IsWhole = BeforeValidator(_whole)  # behind the bounds, which pydantic then puts into the JSON Schema
Whole = Annotated[int, IsWhole]
Count = Annotated[int, Field(ge=0), IsWhole]
Name = Annotated[str, BeforeValidator(_name), _TEXT_SCHEMA]
Word = BeforeValidator(_word)
Duration = Annotated[
    timedelta, PlainValidator(_duration), PlainSerializer(durations.text, return_type=str), WithJsonSchema(_DURATION_SCHEMA)
]
Glob = Annotated[str, BeforeValidator(_glob), _TEXT_SCHEMA]
Regexp = Annotated[str, BeforeValidator(_regexp), _TEXT_SCHEMA]
When = Annotated[Schedule, PlainValidator(_schedule), WithJsonSchema(_SCHEDULE_SCHEMA)]
