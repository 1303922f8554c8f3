"""What Tagboat asks of a registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


class RegistryError(Exception):
    """The registry could not be asked or refused; the message is for a person, names the host, and holds no secret."""


class NotListed(RegistryError):
    """The host is private, link-local or loopback and not listed in `app.yaml`, or a redirect or token realm leads there."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a tag points at, read from its manifest (and config). `platforms` like `linux/arm64/v8`; attestations left out.

    `pushed_at` is None where the registry does not tell; labels and annotations are set by whoever built the image."""

    digest: str
    platforms: frozenset[str]
    labels: Mapping[str, str] = field(default_factory=dict)
    pushed_at: datetime | None = None
    size: int | None = None


class Registry(Protocol):
    """One registry host. Every method may raise RegistryError."""

    host: str

    async def tags(self, repository: str) -> Sequence[str]:
        """Every tag, in the registry's own order (which means nothing)."""
        ...

    async def digest(self, repository: str, reference: str) -> str | None:
        """The digest that a tag points at (HEAD: no pull is counted); None where the tag does not exist."""
        ...

    async def describe(self, repository: str, reference: str) -> Description | None:
        """The manifest behind a tag or digest; None where it does not exist. Counts as a pull on some registries."""
        ...

    async def pushed(self, repository: str, tags: Sequence[str]) -> Mapping[str, datetime]:
        """When tags were pushed, for those of which the registry can tell."""
        ...


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a host is asked with. `username` None with a `password`: a bearer token as it stands."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
