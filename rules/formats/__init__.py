"""Formats: where images stand in files. One file each, one row in the table; the first that claims a document reads it.

found, unread = scan("envs/prod/shop.yaml", data)
"""

from __future__ import annotations

import re

from rules.formats import compose, helm_values, kubernetes, kustomize
from rules.formats.base import File, ManifestFormat, Occurrence, Unread
from rules.formats.paths import is_json, is_yaml
from rules.yamls import YamlError, is_utf16

_TABLE: tuple[ManifestFormat, ...] = (kustomize, compose, kubernetes, helm_values)  # the particular before the general
FORMATS = {one.NAME: one for one in _TABLE}

# Most JSON files are somebody else's: only those that name their kind, or are patches, are parsed.
_JSON = re.compile(rb'"(?:apiVersion|op)"\s*:\s*"')
_TEMPLATE = re.compile(rb"\{\{|\{%")
_GO_TEMPLATE = re.compile(rb"\{\{-|-\}\}|\{%|\{\{\s*(?:\.|include|if|range|with|end|define|template)\b|\.Values")


def is_manifest(path: str) -> bool:
    """Whether a file with this path can hold an image; asked before its bytes are read."""
    return any(one.wants(path) for one in FORMATS.values())


def scan(path: str, data: bytes) -> tuple[list[Occurrence], Unread | None]:
    """Every image in a file, in order; or none, and why the file could not be read.

    `path` is relative to the repository's root, with `/` between the parts. A file is read whole or not at all.
    """
    odd = is_utf16(data)  # nothing can be said of what is in it
    formats = [one for one in FORMATS.values() if one.wants(path) and (odd or one.HINT.search(data))]
    if not formats or (is_json(path) and not _JSON.search(data)):
        return [], None
    file = File(path, data)
    found: list[Occurrence] = []
    try:
        for document in file.source.documents if is_yaml(path) or is_json(path) else (None,):
            reader = next((one for one in formats if one.claims(file, document)), None)
            if reader:
                found += reader.find(file, document)
    except YamlError as error:
        if _is_template(path, data, error.line):
            kind = "a Helm template" if "templates/" in path or b".Values" in data else "a template"
            return [], Unread(path, error.line, f"{kind}, which is not YAML by itself", skipped=True)
        return [], Unread(path, error.line, f"not read as YAML: {error.reason}")
    return found, None


def _is_template(path: str, data: bytes, line: int | None) -> bool:
    """Whether a file that does not parse is a template: it has a template's own words, or an expression where it went wrong.

    Argo, GitHub and others have `{{ }}` inside texts: a file with those is YAML, and can be broken like any other.
    """
    if _GO_TEMPLATE.search(data) or "templates/" in path:
        return _TEMPLATE.search(data) is not None
    near = data.split(b"\n")[max((line or 1) - 2, 0) : line or 0]
    return any(map(_TEMPLATE.search, near))
