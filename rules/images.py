"""Image references, by the grammar of the distribution project.

    ImageRef.parse("localhost:5000/web:1.2@sha256:…")   name "localhost:5000/web", tag "1.2", digest "sha256:…"
    ImageRef.parse("nginx").repository                  "library/nginx", on registry "docker.io"

Source: the reference grammar of the OCI distribution specification and of Docker's short names
(facts page "registry API", section "Core protocol").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

DOCKER_HUB = "docker.io"
_HUB_HOSTS = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})

_ALNUM = r"[a-z0-9]+"
_COMPONENT = rf"{_ALNUM}(?:(?:\.|_|__|-+){_ALNUM})*"
_PATH = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[(?:[a-fA-F0-9:]+)\])(?::[0-9]+)?"
TAG = r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}"
DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"

_REFERENCE = re.compile(rf"(?P<name>(?:(?P<host>{_HOST})/)?(?P<path>{_PATH}))(?::(?P<tag>{TAG}))?(?:@(?P<digest>{DIGEST}))?\Z")
_IS_TAG = re.compile(rf"{TAG}\Z")
_IS_DIGEST = re.compile(rf"{DIGEST}\Z")
_NAME_LIMIT = 255


class BadReference(ValueError):
    """The text is not an image reference; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class ImageRef:
    """An image reference as it was written: `name` without tag and digest, then `tag` and `digest` where they stand."""

    name: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> ImageRef:
        """Read a reference. Raises BadReference with the reason where the text is none."""
        match = _REFERENCE.match(text)
        if match is None:
            raise BadReference(_complaint(text))
        if len(match["path"]) > _NAME_LIMIT:
            raise BadReference(f"{text[:40]!r}… has a name longer than {_NAME_LIMIT} characters")
        return cls(match["name"], match["tag"], match["digest"])

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    @property
    def registry(self) -> str:
        """The registry's host and port; `docker.io` for short names and for all of Docker Hub's own hosts."""
        return _place(self.name)[0]

    @property
    def repository(self) -> str:
        """The path on the registry, `library/…` put in for Docker Hub's short names."""
        return _place(self.name)[1]

    @property
    def canonical(self) -> str:
        """`registry/repository`: equal for every spelling of one image; the key for rules, listings and streams."""
        return "/".join(_place(self.name))


@lru_cache(maxsize=65536)
def _place(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    # Docker's rule: the first part is a host if it has a dot, a colon or upper case, or is `localhost`.
    if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        host, path = first, rest
    else:
        host, path = DOCKER_HUB, name
    if host in _HUB_HOSTS:
        return DOCKER_HUB, path if "/" in path else f"library/{path}"
    return host.lower(), path


def canonical(name: str) -> str:
    """`registry/repository` for an image name as written (see `ImageRef.canonical`)."""
    return "/".join(_place(name))


def is_tag(text: str) -> bool:
    """Whether the text is a tag by the distribution specification."""
    return _IS_TAG.match(text) is not None


def is_digest(text: str) -> bool:
    """Whether the text is a digest (`algorithm:hex`)."""
    return _IS_DIGEST.match(text) is not None


def _complaint(text: str) -> str:
    if not text:
        return "an empty string is not an image reference"
    if "://" in text:
        return f"{text!r} has a scheme; write the image without it"
    if text != text.strip() or any(c.isspace() for c in text):
        return f"{text!r} has white space in it"
    if any(c.isupper() for c in text.rsplit(":", 1)[0].rpartition("/")[2]):
        return f"{text!r}: a repository name has to be lower case"
    return f"{text!r} is not an image reference"
