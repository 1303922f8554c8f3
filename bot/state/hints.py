"""What a webhook hints at, in our words. It is written down, looked up, and believed only when it was seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["repository", "request", "image", "installation", "none"]


@dataclass(frozen=True, slots=True)
class Hint:
    """Look there again. `kind` says at what: a repository, one of its requests, an image, the repositories of an installation,
    or nothing (a ping). `delivery` tells a repeated delivery from a new one, where the sender numbers them."""

    kind: Kind
    reason: str
    repository: str | None = None
    request: int | None = None
    image: str | None = None
    tag: str | None = None
    digest: str | None = None
    delivery: str | None = None
