"""Quay: the notification "Push to Repository" as a webhook. It cannot authenticate: its address carries the secret.

In Quay: repository > Settings > Events and notifications: `https://tagboat.example.com/webhooks/registry/quay.io/<webhook_secret>`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bot.state.hints import Hint
from bot.web.senders.base import by_header, get, image_hint, items, text

NAME = "quay"
trusted = by_header


def claims(headers: Mapping[str, str], payload: Any) -> bool:
    return isinstance(get(payload, "docker_url"), str)


def read(payload: Any, host: str) -> Iterator[Hint]:
    """One hint a tag; of other notifications (a scan, a build) the repository alone."""
    tags = [tag for tag in items(payload, "updated_tags") if isinstance(tag, str)]
    for tag in tags or [""]:
        yield image_hint(NAME, host, text(payload, "repository"), tag)
