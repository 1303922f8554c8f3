"""Helm values: an image wherever it stands, as one scalar or split.

    image:
      registry: ghcr.io
      repository: acme/web
      tag: 1.2.3
      digest: ""
    sidecar:
      image: busybox:1.36

A file is taken for values by its name (`values` in it, or in its folder's), and otherwise if it is a mapping without a kind that
has an image with a tag: charts are given values under many names. What forges, build tools and test suites keep is not taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from rules.formats.base import File, Occurrence
from rules.formats.paths import is_hidden, is_yaml
from rules.formats.references import Finder
from rules.yamls import child, items

NAME = "helm-values"
VERSION = 1
HINT = re.compile(rb"mage|repository|tagboat:")

# Keys at the top, or of what stands at the top, that only other kinds of files have: pipelines, test suites, charts, helmfiles.
_NOT_AT_TOP = frozenset({
    "apiVersion", "before_script", "dependencies", "include", "jobs", "on", "pipeline", "pipelines", "releases", "schemaVersion",
    "stages", "steps", "suite", "tests", "variables", "workflow",
})  # fmt: skip
_NOT_BELOW = frozenset({"before_script", "commands", "extends", "script", "stage", "steps"})


def wants(path: str) -> bool:
    return is_yaml(path)


def claims(file: File, document: Node | None) -> bool:
    if not isinstance(document, MappingNode) or (
        child(document, "apiVersion") is not None and child(document, "kind") is not None
    ):
        return False
    folder, _, name = file.path.lower().rpartition("/")
    if "values" in name or folder.rpartition("/")[2].endswith("values"):
        return True
    return (
        not is_hidden(file.path)
        and not _is_other(document)
        and any(one.tag and not one.unresolved for one in find(file, document))
    )


def find(file: File, document: Node | None) -> Iterator[Occurrence]:
    if document is not None:
        yield from Finder(file.path, NAME, file.source).everywhere(document)


def _is_other(document: MappingNode) -> bool:
    return any(
        key.value in _NOT_AT_TOP
        or (key.value == "services" and isinstance(value, SequenceNode))  # a list in pipelines, a mapping in values
        or any(inner.value in _NOT_BELOW for inner, _ in items(value))
        for key, value in items(document)
    )
