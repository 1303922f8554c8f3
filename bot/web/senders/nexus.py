"""Sonatype Nexus 3: the webhook `rm:repository:component`, signed with HMAC-SHA1 of the body where a secret is set."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any

from bot.state.hints import Hint
from bot.web.senders.base import Incoming, by_header, get, image_hint, same, text

NAME = "nexus"


def claims(headers: Mapping[str, str], payload: Any) -> bool:
    return isinstance(get(payload, "repositoryName"), str)


def trusted(incoming: Incoming, secret: str) -> bool:
    # The sender's choice, not ours: it knows no other hash.
    signed = hmac.new(secret.encode(), incoming.body, hashlib.sha1).hexdigest()
    return same(incoming.header("x-nexus-webhook-signature").lower(), signed) or by_header(incoming, secret)


def read(payload: Any, host: str) -> Iterator[Hint]:
    """The component of a docker repository; other formats say nothing."""
    component = get(payload, "component")
    if text(component, "format") != "docker":
        return
    yield image_hint(NAME, host, text(component, "name"), text(component, "version"))
