"""Docker Hub: a repository's webhook. It cannot authenticate, so its address carries the secret, and it names no digest.

In Docker Hub: repository > Webhooks: `https://tagboat.example.com/webhooks/registry/docker.io/<webhook_secret>`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bot.state.hints import Hint
from bot.web.senders.base import by_header, get, image_hint, text

NAME = "docker-hub"
trusted = by_header


def claims(headers: Mapping[str, str], payload: Any) -> bool:
    return isinstance(get(payload, "push_data"), Mapping) and isinstance(get(payload, "repository"), Mapping)


def read(payload: Any, host: str) -> Iterator[Hint]:
    """The image and tag of a push."""
    name, tag = text(payload, "repository", "repo_name"), text(payload, "push_data", "tag")
    repository = name if "/" in name else f"library/{name}" if name else ""
    moment = get(payload, "push_data", "pushed_at")
    yield image_hint(NAME, host, repository, tag, delivery=f"docker-hub:{moment}:{repository}:{tag}" if moment else None)
