"""CNCF distribution (`registry:2`, `registry:3`, and the registry of a self-managed GitLab): notification endpoints.

    notifications:
      endpoints:
        - name: tagboat
          url: https://tagboat.example.com/webhooks/registry/registry.example.com
          headers: {Authorization: ["Bearer <webhook_secret>"]}

Versions 2 and 3 differ in the content type only. A push of an image is many events: blobs, manifests by digest, then the tag.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bot.state.hints import Hint
from bot.web.senders.base import by_header, get, image_hint, items, text

NAME = "distribution"
trusted = by_header
_MANIFESTS = ("manifest", "image.index")


def claims(headers: Mapping[str, str], payload: Any) -> bool:
    return isinstance(get(payload, "events"), list)


def read(payload: Any, host: str) -> Iterator[Hint]:
    """The images whose manifests were pushed or deleted."""
    for event in items(payload, "events"):
        if text(event, "action") not in ("push", "delete"):
            continue
        media = text(event, "target", "mediaType")
        if media and not any(part in media for part in _MANIFESTS):
            continue
        target, number = get(event, "target"), text(event, "id")
        delivery = f"distribution:{number}" if number else None
        yield image_hint(NAME, host, text(target, "repository"), text(target, "tag"), text(target, "digest"), delivery)
