"""Flux's ImagePolicies, as far as its markers need them: which tag is next, by `namespace:name`.

    apiVersion: image.toolkit.fluxcd.io/v1
    kind: ImagePolicy
    metadata: {name: web, namespace: flux-system}
    spec:
      filterTags: {pattern: '^main-[0-9a-f]+-(?P<ts>[0-9]+)', extract: '$ts'}
      policy: {numerical: {order: asc}}

A place with the comment `# {"$imagepolicy": "flux-system:web"}` is then chosen for as Flux would: by `policy: numerical` with
these `tags` and `extract`. What else the rules say (ages, platforms, pins) holds for it as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ruamel.yaml.nodes import Node

from rules.policies.base import Choosing
from rules.yamls import Source, YamlError, child, text

_GROUP = "image.toolkit.fluxcd.io/"
_HINT = b"ImagePolicy"
# Where a manifest names no namespace, it gets the one that it is applied to: as a rule Flux's own.
_NAMESPACE = "flux-system"


def policies(data: bytes) -> dict[str, Choosing]:
    """The ImagePolicies of a file, by `namespace:name`; none where it does not parse. Of two by one name the last counts."""
    if _HINT not in data:
        return {}
    try:
        return dict(found for root in Source(data).documents for found in _policy(root))
    except YamlError:
        return {}


def _policy(root: Node) -> Iterator[tuple[str, Choosing]]:
    if _said(root, "kind") != "ImagePolicy" or not (_said(root, "apiVersion") or "").startswith(_GROUP):
        return
    name, keys = _said(root, "metadata", "name"), _keys(root)
    if name and keys:
        yield f"{_said(root, 'metadata', 'namespace') or _NAMESPACE}:{name}", Choosing(**keys)


def _keys(root: Node) -> dict[str, Any]:
    """The keys of a rule that say the same; empty where the policy is of no kind that Flux knows."""
    spec = ("spec", "policy")
    if (allowed := _said(root, *spec, "semver", "range")) is not None:
        keys: dict[str, Any] = {"policy": "semver", "range": allowed}
    else:
        kind = next((one for one in ("alphabetical", "numerical") if child(root, *spec, one) is not None), None)
        if kind is None:
            return {}
        keys = {"policy": kind, "order": "desc" if _said(root, *spec, kind, "order") == "desc" else "asc"}
    for key, where in (("tags", "pattern"), ("extract", "extract")):
        if said := _said(root, "spec", "filterTags", where):
            keys[key] = said
    return keys


def _said(root: Node, *path: str) -> str | None:
    return text(child(root, *path))
