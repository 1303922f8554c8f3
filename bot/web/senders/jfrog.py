"""JFrog Artifactory: the event `pushed` of the domain `docker`.

The header `X-JFrog-Event-Auth` has the secret itself or, with payload signing, the HMAC-SHA256 of the body in hex. Images are
read through a virtual repository, but the event names the local one: so the image is named with it and without it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any

from bot.state.hints import Hint
from bot.web.senders.base import Incoming, by_header, get, image_hint, same, text

NAME = "jfrog"


def claims(headers: Mapping[str, str], payload: Any) -> bool:
    return isinstance(get(payload, "domain"), str) and isinstance(get(payload, "event_type"), str)


def trusted(incoming: Incoming, secret: str) -> bool:
    said = incoming.header("x-jfrog-event-auth")
    signed = hmac.new(secret.encode(), incoming.body, hashlib.sha256).hexdigest()
    return same(said, secret) or same(said.lower(), signed) or by_header(incoming, secret)


def read(payload: Any, host: str) -> Iterator[Hint]:
    """The image of a push, with and without the name of the local repository before it."""
    if text(payload, "domain") != "docker" or text(payload, "event_type") not in ("pushed", "deleted", "promoted"):
        return
    data = get(payload, "data")
    digest = f"sha256:{text(data, 'sha256')}" if text(data, "sha256") else ""
    for repository in (text(data, "image_name"), f"{text(data, 'repo_key')}/{text(data, 'image_name')}"):
        yield image_hint(NAME, host, repository, text(data, "tag"), digest)
