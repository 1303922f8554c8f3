"""Compose: the `image` of each service, and of extensions (`x-…`) that services merge.

    x-app: &app
      image: ${REGISTRY:-ghcr.io}/acme/web:${TAG:-1.2.3}
    services:
      web: {<<: *app}
      cache: {image: "redis:7.2-alpine"}

A variable stands for its default; without one the image is not known in full. The tag can be changed where it stands in one
piece, in the default too. An `image` beside `build` names what is built, and is nobody's update.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from rules.formats.base import File, Occurrence
from rules.formats.paths import is_yaml
from rules.formats.references import LENGTH_LIMIT, Finder
from rules.formats.variables import resolve
from rules.yamls import child, items, text, walk

NAME = "compose"
VERSION = 1
HINT = re.compile(rb"image")

_FILE = re.compile(r"(?:.*[-_.])?compose(?:[-_.].*)?\.ya?ml\Z|(?:docker-)?stack\.ya?ml\Z")
_TOP = frozenset({"version", "name", "services", "networks", "volumes", "configs", "secrets", "include", "models"})


def wants(path: str) -> bool:
    return is_yaml(path)


def claims(file: File, document: Node | None) -> bool:
    services = child(document, "services")
    if not isinstance(document, MappingNode) or child(document, "apiVersion") is not None:
        return False
    if _FILE.match(file.name):
        extensions = any(key.value.startswith("x-") for key, _ in items(document))
        return isinstance(services, MappingNode) or extensions or _is_old(document)
    if not all(key.value in _TOP or key.value.startswith("x-") for key, _ in items(document)):
        return False
    # The name says nothing, so the services have to be such as only Compose has.
    inner = [value for _, value in items(services)]
    return any(isinstance(child(one, "image"), ScalarNode) for one in inner) and all(
        isinstance(one, MappingNode) for one in inner
    )


def find(file: File, document: Node | None) -> Iterator[Occurrence]:
    finder = Finder(file.path, NAME, file.source)
    for service in _services(document):
        image = child(service, "image")
        if isinstance(image, ScalarNode) and text(image) and len(image.value) <= LENGTH_LIMIT and child(service, "build") is None:
            found = _with_defaults(finder, image) if "$" in image.value else finder.scalar(image, bare=True)
            if found:
                yield found


def _services(document: Node | None) -> Iterator[Node]:
    """The services in order, and the mappings at any depth of the extensions that they may merge."""
    old = _is_old(document)
    for key, value in items(document):
        if key.value.startswith("x-"):
            yield from (mapping for _, mapping in walk(value))
        elif old:
            yield value
        elif key.value == "services":
            yield from (service for _, service in items(value))


def _is_old(document: Node | None) -> bool:
    """Whether the services stand at the top, as in the first version of Compose files."""
    inner = [value for _, value in items(document)]
    return (
        bool(inner)
        and child(document, "services") is None
        and all(child(one, "image") is not None or child(one, "build") is not None for one in inner)
    )


def _with_defaults(finder: Finder, node: ScalarNode) -> Occurrence | None:
    """The image with the defaults of its variables put in."""
    resolved = resolve(node.value)
    if resolved.unknown is not None:
        return finder.scalar(node)
    return finder.reference(node, resolved.text, resolved.whole, bare=True)
