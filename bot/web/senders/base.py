"""What a webhook tells: a hint that something may have changed. Nothing in it is believed; what it names is read again.

A sender of a registry is a module with four names:

    NAME                            for logs and metrics
    claims(headers, payload)        whether a payload is its own, told by its shape
    trusted(incoming, secret)       whether it was sent by who knows the secret, where the sender has a way of its own
    read(payload, host)             the images that it names

One file a sender, one row in `bot.web.senders.registry.SENDERS`.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bot.state.hints import Hint
from rules.images import DIGEST


class BadWebhook(ValueError):
    """The body is none that its sender would send; the message says what is missing, and quotes nothing of it."""


class Forged(Exception):
    """The signature or secret is missing or wrong."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as it came. Header names are in lower case."""

    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str:
        """The header's value, empty where it was not sent."""
        return self.headers.get(name.lower(), "")


class Sender(Protocol):
    """A registry's kind of webhook; a module serves as the object."""

    NAME: str

    def claims(self, headers: Mapping[str, str], payload: Any) -> bool: ...

    def trusted(self, incoming: Incoming, secret: str) -> bool: ...

    def read(self, payload: Any, host: str) -> Iterator[Hint]: ...


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal, in a time that tells nothing. An empty secret equals nothing."""
    return bool(one) and bool(other) and hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def by_header(incoming: Incoming, secret: str) -> bool:
    """The usual way: the `Authorization` header is the secret itself, alone or after `Bearer` or `Basic`."""
    said = incoming.header("authorization")
    scheme, _, rest = said.partition(" ")
    return same(said, secret) or (scheme.lower() in ("bearer", "basic", "token") and same(rest.strip(), secret))


def get(payload: Any, *path: str | int) -> Any:
    """The value below these keys and indexes; None where anything on the way is missing or of another kind."""
    for part in path:
        if isinstance(payload, Mapping) and isinstance(part, str):
            payload = payload.get(part)
        elif isinstance(payload, list) and isinstance(part, int) and part < len(payload):
            payload = payload[part]
        else:
            return None
    return payload


def text(payload: Any, *path: str | int) -> str:
    """The text below these keys, empty where there is none."""
    found = get(payload, *path)
    return found if isinstance(found, str) else ""


def items(payload: Any, *path: str | int) -> list[Any]:
    """The list below these keys, empty where there is none. A sender names a handful; more than a thousand is none of theirs."""
    found = get(payload, *path)
    return found[:1000] if isinstance(found, list) else []


_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*)*\Z")
_DIGEST = re.compile(DIGEST)
_COSIGN = re.compile(r"sha256-[0-9a-f]{64}(?:\.[a-z]+)?\Z")


def image_hint(sender: str, host: str, repository: str, tag: str = "", digest: str = "", delivery: str | None = None) -> Hint:
    """That an image of a host was pushed. What a payload says of its own host is not used: the address it was sent to says it.

    A digest where a tag belongs (Harbor sends that for each platform of an image) and the tags of signatures are no tags.
    Raises BadWebhook for what is no repository of a registry.
    """
    if len(repository) > 255 or not _REPOSITORY.match(repository):
        raise BadWebhook(f"{sender}: the repository's name is missing or is none")
    named = tag if tag and not _DIGEST.fullmatch(tag) and not _COSIGN.match(tag) and len(tag) <= 128 else None
    known = digest if _DIGEST.fullmatch(digest) else None
    return Hint(
        "image", f"{sender} says that it was pushed", image=f"{host}/{repository}", tag=named, digest=known, delivery=delivery
    )
