"""Webhooks of registries: who sent one is told by its shape, whether it is genuine by the registry's own secret."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bot.state.hints import Hint
from bot.web.senders import acr, distribution, dockerhub, generic, ghcr, harbor, jfrog, nexus, quay
from bot.web.senders.base import BadWebhook, Forged, Incoming, Sender, same

SENDERS: tuple[Sender, ...] = (harbor, dockerhub, quay, distribution, acr, ghcr, jfrog, nexus, generic)


def read(
    incoming: Incoming, host: str, secret: str | None, in_path: str | None = None, mapping: Mapping[str, str] | None = None
) -> Sequence[Hint]:
    """The hints of a webhook that was posted for a registry's host.

    `secret` is the registry's `webhook_secret` (None: it takes no webhooks), `in_path` what stands behind the host in the
    address, `mapping` where a generic sender keeps image and tag. Raises Forged, or BadWebhook for a body that makes no sense.
    """
    if not secret:
        raise Forged("this registry has no webhook_secret in the settings")
    if in_path is not None and not same(in_path, secret):
        raise Forged("the secret in the address is wrong")
    payload = _json(incoming.body)
    sender = _sender(incoming, payload, mapping)
    if in_path is None and not sender.trusted(incoming, secret):
        raise Forged(f"{sender.NAME}: the secret or signature is missing or wrong")
    found = generic.read(payload, host, mapping) if sender is generic and mapping else sender.read(payload, host)
    return tuple(found)


def _sender(incoming: Incoming, payload: Any, mapping: Mapping[str, str] | None) -> Sender:
    if mapping:
        return generic
    return next((sender for sender in SENDERS if sender.claims(incoming.headers, payload)), generic)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadWebhook("the body is not JSON") from None
