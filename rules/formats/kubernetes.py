"""Kubernetes: manifests of any kind, custom resources and patches.

    apiVersion: apps/v1
    kind: Deployment
    spec:
      template:
        spec:
          initContainers: [{name: wait, image: busybox:1.36}]
          containers: [{name: web, image: "ghcr.io/acme/web:1.2.3"}]
          volumes: [{name: model, image: {reference: quay.io/acme/model:v7}}]

A document with `apiVersion` and `kind` is a manifest, whatever its kind: an `image` is found at any depth (lists of containers,
image volumes, `kind: List`, the fields of operators), and so is every key that ends in `Image` and an image split over
`repository` and `tag`. A JSON patch is read for values whose path ends in `/image`. Annotations, labels and the schemas of custom
resource definitions name no images that run, and are left out. So is JSON that does not say which kind it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ruamel.yaml.nodes import Node, ScalarNode

from rules.formats.base import File, Occurrence
from rules.formats.paths import is_json, is_yaml
from rules.formats.references import Finder
from rules.yamls import Source, child, each, text

NAME = "kubernetes"
VERSION = 1
HINT = re.compile(rb"mage|repository|tagboat:")

_SKIP = frozenset({"annotations", "labels", "matchLabels", "openAPIV3Schema"})
_ABOUT_IMAGES = frozenset({"ImageUpdater"})  # its images are what another tool is told to look for, with ranges for tags


def wants(path: str) -> bool:
    return is_yaml(path) or is_json(path)


def claims(file: File, document: Node | None) -> bool:
    return is_json_patch(document) or all(text(child(document, key)) is not None for key in ("apiVersion", "kind"))


def find(file: File, document: Node | None) -> Iterator[Occurrence]:
    if document is not None:
        yield from images(file.path, NAME, file.source, document)


def images(path: str, name: str, source: Source, document: Node) -> Iterator[Occurrence]:
    """The images of a manifest or a patch, wherever its text stands."""
    if text(child(document, "kind")) in _ABOUT_IMAGES:
        return
    finder = Finder(path, name, source)
    if is_json_patch(document):
        for operation in each(document):
            value = child(operation, "value")
            of_image = (text(child(operation, "path")) or "").endswith("/image")
            if of_image and isinstance(value, ScalarNode) and (found := finder.scalar(value, bare=True)):
                yield found
    yield from finder.everywhere(document, _SKIP)


def is_json_patch(document: Node | None) -> bool:
    """Whether a document is a list of JSON patch operations (RFC 6902)."""
    return any(child(operation, "op") is not None and child(operation, "path") is not None for operation in each(document)[:1])
