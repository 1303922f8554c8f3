"""Azure Container Registry: a webhook with a custom header.

    az acr webhook create --registry acme --name tagboat --actions push \
        --uri https://tagboat.example.com/webhooks/registry/acme.azurecr.io --headers "Authorization=Bearer <webhook_secret>"
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bot.state.hints import Hint
from bot.web.senders.base import by_header, get, image_hint, text

NAME = "acr"
trusted = by_header


def claims(headers: Mapping[str, str], payload: Any) -> bool:
    return isinstance(get(payload, "action"), str) and (
        isinstance(get(payload, "target"), Mapping) or text(payload, "action") == "ping"
    )


def read(payload: Any, host: str) -> Iterator[Hint]:
    """The image of a push or deletion; a ping and charts say nothing."""
    if text(payload, "action") not in ("push", "delete"):
        return
    target, number = get(payload, "target"), text(payload, "id")
    delivery = f"acr:{number}" if number else None
    yield image_hint(NAME, host, text(target, "repository"), text(target, "tag"), text(target, "digest"), delivery)
