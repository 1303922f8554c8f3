"""Kustomize: the entries of `images`, inline patches and the values of inlined charts.

    images:
      - name: web
        newName: ghcr.io/acme/web
        newTag: "1.2.3"
        digest: sha256:…
    patches:
      - patch: |
          - op: replace
            path: /spec/template/spec/containers/0/image
            value: ghcr.io/acme/web:1.2.3

`kustomization.yaml` of any kind (Kustomization, Component, none). An entry that sets no tag, digest or new name says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ruamel.yaml.nodes import Node, ScalarNode

from rules.formats import kubernetes
from rules.formats.base import File, Occurrence
from rules.formats.paths import is_yaml
from rules.formats.references import Finder, Parts
from rules.yamls import child, each, items, text

NAME = "kustomize"
VERSION = 1
HINT = re.compile(rb"mage|tagboat:")

_ENTRIES = ("images", "imageTags")
_FILES = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
_KINDS = frozenset({"Kustomization", "Component", None})  # kustomize takes a file without a kind for a Kustomization


def wants(path: str) -> bool:
    return is_yaml(path)


def claims(file: File, document: Node | None) -> bool:
    api = text(child(document, "apiVersion")) or ""
    if api:
        return api.startswith("kustomize.config.k8s.io/") and text(child(document, "kind")) in _KINDS
    return file.name in _FILES


def find(file: File, document: Node | None) -> Iterator[Occurrence]:
    finder = Finder(file.path, NAME, file.source)
    for entry in (entry for key in _ENTRIES for entry in each(child(document, key))):
        name, tag, digest = (_scalar(entry, *keys) for keys in (("newName", "name"), ("newTag",), ("digest",)))
        says = name is not None and (tag or digest or _scalar(entry, "newName"))
        if name and says and (found := finder.split(Parts(None, (name,), tag, digest))):
            yield found
    for patch in _patches(document):
        if isinstance(patch, ScalarNode):
            yield from _inline(file, patch)
    for key, value in items(document):
        if key.value not in _ENTRIES:
            yield from finder.everywhere(value)


def _inline(file: File, patch: ScalarNode) -> Iterator[Occurrence]:
    source = file.source.inside(patch)
    if source:
        for document in source.documents:
            yield from kubernetes.images(file.path, NAME, source, document)


def _patches(document: Node | None) -> Iterator[Node | None]:
    for key in ("patches", "patchesJson6902", "patchesStrategicMerge"):
        for patch in each(child(document, key)):
            yield patch if isinstance(patch, ScalarNode) else child(patch, "patch")


def _scalar(entry: Node, *keys: str) -> ScalarNode | None:
    """The first of the keys that has a text."""
    return next((node for key in keys if isinstance(node := child(entry, key), ScalarNode) and text(node)), None)
