"""Anything else that can post JSON: `{"image": "team/web", "tag": "1.4.2"}`, or a mapping to where a sender keeps these.

    registries:
      - host: registry.example.com
        webhook_secret: {env: HOOK}
        webhook: {image: "$.artifact.path", tag: "$.artifact.version"}

`tagboat push IMAGE:TAG --server URL` sends this form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bot.state.hints import Hint
from bot.web.senders.base import BadWebhook, by_header, get, image_hint

NAME = "generic"
trusted = by_header
DEFAULT: Mapping[str, str] = {"image": "$.image", "tag": "$.tag", "digest": "$.digest"}
_PART = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d{1,4})\]")


def claims(headers: Mapping[str, str], payload: Any) -> bool:
    return isinstance(payload, Mapping)


def read(payload: Any, host: str, mapping: Mapping[str, str] = DEFAULT) -> Iterator[Hint]:
    """The image at the place that the mapping names; the host before it may be left out."""
    said = {name: get(payload, *path_of(mapping[name])) for name in ("image", "tag", "digest") if name in mapping}
    image = said.get("image")
    if not isinstance(image, str):
        raise BadWebhook(f"{NAME}: there is no text at {mapping.get('image', '$.image')}")
    name, tag = image.removeprefix(f"{host}/"), said.get("tag")
    if not isinstance(tag, str):
        head, colon, rest = name.rpartition(":")
        name, tag = (head, rest) if colon and "/" not in rest else (name, "")
    digest = said.get("digest")
    yield image_hint(NAME, host, name, tag, digest if isinstance(digest, str) else "")


def path_of(path: str) -> tuple[str | int, ...]:
    """`$.a.b[0]` as keys and indexes. Raises BadWebhook where it is no such path."""
    rest = path.removeprefix("$")
    parts = list(_PART.finditer(rest))
    if "".join(part[0] for part in parts) != rest or not parts:
        raise BadWebhook(f"{path[:60]!r} is no path like $.artifact.name")
    return tuple(part[1] if part[1] is not None else int(part[2]) for part in parts)
