"""From pydantic's errors to findings in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rules.config.fields import Table, kind_of, shown
from rules.config.tree import Path, Tree
from rules.findings import Finding, did_you_mean, one_of

_MANY = 100  # findings; nobody reads more, and each takes its time to be put into words
_Model = TypeVar("_Model", bound=Table)


def build(model: type[_Model], tree: Tree) -> tuple[_Model | None, list[Finding]]:
    """The tree as a model, or everything that is wrong with it."""
    try:
        return model.model_validate({} if tree.data is None else tree.data), []
    except ValidationError as error:
        faults = error.errors(include_url=False)
        found = [finding for details in faults[:_MANY] for finding in _findings(model, tree, details)]
        if len(faults) > _MANY:
            found.append(Finding(tree.file, None, "", f"{len(faults)} things are wrong; these are the first"))
        return None, found


def _findings(model: type[Table], tree: Tree, error: ErrorDetails) -> Iterator[Finding]:
    context = error.get("ctx", {})
    if error["type"] == "tagboat_all":
        for at, message, suggestion in context["faults"]:
            yield tree.finding((*error["loc"], *at), message, suggestion)
        return
    path = (*error["loc"], *context.get("at", ()))
    message, suggestion = _words(model, path, error)
    yield tree.finding(path, message, suggestion)


def _words(model: type[Table], path: Path, error: ErrorDetails) -> tuple[str, str]:
    value, context = error["input"], error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            key, known = str(path[-1]), _keys(model, path[:-1])
            home = _elsewhere(model, key)
            return "unknown key", home or did_you_mean(key, known) or f"known here: {', '.join(sorted(known))}"
        case "missing":
            return "this key is missing", ""
        case "model_type" | "model_attributes_type" | "dict_type" | "mapping_type":
            return f"has to be a mapping (key: value), not {_sort_of(value)}", ""
        case "tuple_type" | "list_type":
            # What looks like an address may hold a password.
            plain = isinstance(value, str) and "://" not in value
            return f"has to be a list, not {_sort_of(value)}", f"write [{shown(value)}]" if plain else ""
        case "literal_error":
            known = tuple(part.strip("'") for part in context["expected"].replace(" or ", ", ").split(", "))
            if isinstance(value, (str, bool, int)):
                return f"{shown(value)!r} is not allowed: write {one_of(known)}", did_you_mean(str(value), known)
            return f"has to be {one_of(known)}, not {kind_of(value)}", ""
        case "too_long":
            return f"has more than {context['max_length']} items", ""
        case "greater_than_equal":
            return f"has to be at least {context['ge']}", ""
        case "less_than_equal":
            return f"has to be at most {context['le']}", ""
        case _:  # ours: the message is in plain words
            return error["msg"], context.get("suggestion", "")


def _sort_of(value: object) -> str:
    """What a value is, without repeating it."""
    return "a text" if isinstance(value, str) else kind_of(value)


def _elsewhere(model: type[BaseModel], key: str) -> str:
    """Where a key belongs that is right by its name but stands at the wrong place; empty where it belongs nowhere."""
    todo: list[tuple[str, type[BaseModel]]] = [("", model)]
    seen: set[type[BaseModel]] = set()
    for path, at in todo:  # breadth first: it grows while it is read
        if at in seen:
            continue
        seen.add(at)
        names = {field.alias or name: field for name, field in at.model_fields.items()}
        if key in names:
            return f"it belongs under {path}" if path else "it belongs to the top of the file"
        for name, field in names.items():
            many = "[]" if get_origin(field.annotation) is tuple else ""
            todo += [(f"{path}.{name}{many}".removeprefix("."), inner) for inner in _models(field.annotation)]
    return ""


def _keys(model: type[BaseModel], path: Path) -> tuple[str, ...]:
    """The keys that the model knows at a path; of several models there, the keys of all."""
    here: tuple[type[BaseModel], ...] = (model,)
    for part in path:
        if isinstance(part, str):
            found = (field for at in here for name, field in at.model_fields.items() if part in (field.alias or name, name))
            here = tuple(inner for field in found for inner in _models(field.annotation))
    return tuple(dict.fromkeys(field.alias or name for at in here for name, field in at.model_fields.items()))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
