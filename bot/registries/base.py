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
    """What a tag points at, read from its manifest (and config). `platforms` are spelled as in `rules.platforms`.

    `pushed_at` is None where the registry does not tell. `labels` has the image's labels and, over them, its annotations; with
    `created_at` they are set by whoever built the image (a reproducible build says 1970). Labels inherited from a base image
    are among them: an annotation is the better witness."""

    digest: str
    platforms: frozenset[str]
    labels: Mapping[str, str] = field(default_factory=dict)
    pushed_at: datetime | None = None
    size: int | None = None
    created_at: datetime | None = None


class Registry(Protocol):
    """One registry host. Every method may raise RegistryError."""

    host: str

    async def tags(self, repository: str) -> Sequence[str]:
        """Every tag, in the registry's own order (which means nothing)."""
        ...

    async def digest(self, repository: str, reference: str) -> str | None:
        """The digest that a tag points at (HEAD: no pull is counted); None where the tag does not exist."""
        ...

    async def describe(self, repository: str, reference: str, *, labels: bool = False) -> Description | None:
        """The manifest behind a tag or digest; None where it does not exist. Counts as a pull on some registries.

        Of an image for several platforms the index alone is read; with `labels` one of its platforms too, for its labels."""
        ...

    async def pushed(self, repository: str, tags: Sequence[str]) -> Mapping[str, datetime]:
        """When tags were pushed, for those of which the registry can tell."""
        ...


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a host is asked with. `username` None with a `password`: a bearer token as it stands.

    `identity_token`: what `docker login` keeps for some registries; it is exchanged for tokens at the token service."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    identity_token: str | None = field(default=None, repr=False)
