"""GitHub's container registry: the events `package` and `registry_package` of a repository, an organisation or the App.

They are signed as all of GitHub's webhooks are. As the webhook of the registry's own row the address is
`https://tagboat.example.com/webhooks/registry/ghcr.io`; the App's events come to `/webhooks/github` and mean the same.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any

from bot.state.hints import Hint
from bot.web.senders.base import Incoming, get, image_hint, same, text

NAME = "ghcr"


def claims(headers: Mapping[str, str], payload: Any) -> bool:
    return _package(payload) is not None


def trusted(incoming: Incoming, secret: str) -> bool:
    """HMAC-SHA256 of the body, in hex, after `sha256=`."""
    return same(
        incoming.header("x-hub-signature-256"), "sha256=" + hmac.new(secret.encode(), incoming.body, hashlib.sha256).hexdigest()
    )


def read(payload: Any, host: str) -> Iterator[Hint]:
    """The image of a published package version. Platform manifests and attestations come without a tag."""
    package = _package(payload)
    if text(package, "package_type").lower() not in ("container", "docker"):
        return
    version = get(package, "package_version")
    tag = get(version, "container_metadata", "tag")
    digest = text(tag, "digest") or text(version, "container_metadata", "manifest", "digest")
    owner, name = text(package, "namespace").partition("/")[0] or text(package, "owner", "login"), text(package, "name")
    yield image_hint(NAME, host, f"{owner}/{name}".lower(), text(tag, "name"), digest)


def _package(payload: Any) -> Any:
    found = get(payload, "package") or get(payload, "registry_package")
    return found if isinstance(found, Mapping) and "package_type" in found else None
