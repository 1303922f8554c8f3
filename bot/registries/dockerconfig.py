"""The logins in docker's `config.json`, as `docker login`, podman and Kubernetes' pull secrets write them.

    {"auths": {"harbor.example.com": {"auth": "cm9ib3Q6c2VjcmV0"},
               "https://index.docker.io/v1/": {"username": "me", "password": "…"}},
     "credHelpers": {"123.dkr.ecr.eu-west-1.amazonaws.com": "ecr-login"}}

`auth` is base64 of `user:password`; `identitytoken` is exchanged for tokens at the registry's token service, and
`registrytoken` is a bearer token as it stands. Credential helpers (`credHelpers`, `credsStore`) are programs; they are not
run, and `notes` says for which hosts that matters.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.registries.base import Credentials
from rules.images import DOCKER_HUB, BadReference, ImageRef

_LIMIT = 1024 * 1024
# What docker puts beside an identity token in the user's place.
_NOBODY = frozenset({"<token>", "00000000-0000-0000-0000-000000000000"})


class BadDockerConfig(Exception):
    """The file could not be read; the message says why and holds no secret."""


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """Logins by host (Docker Hub's is `docker.io`), and what was found but is not used."""

    logins: Mapping[str, Credentials]
    notes: tuple[str, ...] = ()

    def credentials(self, host: str) -> Credentials | None:
        """The login for a registry's host (and port), in any of Docker Hub's spellings."""
        return self.logins.get(_host(host) or host)


def read(path: Path) -> DockerConfig:
    """Read a file. Raises BadDockerConfig."""
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT + 1)
    except OSError as error:
        raise BadDockerConfig(f"{path}: {error.strerror or error}") from error
    if len(content) > _LIMIT:
        raise BadDockerConfig(f"{path} is too large for docker's config.json")
    try:
        return parse(content)
    except BadDockerConfig as error:
        raise BadDockerConfig(f"{path}: {error}") from None


def parse(content: bytes) -> DockerConfig:
    """Read a file's content. Raises BadDockerConfig."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        raise BadDockerConfig("this is not JSON") from None
    auths = data.get("auths", {}) if isinstance(data, dict) else None
    if not isinstance(auths, dict):
        raise BadDockerConfig("this is not docker's config.json: `auths` must be an object")
    logins: dict[str, Credentials] = {}
    notes: list[str] = []
    for key, entry in auths.items():
        host = _host(key)
        if host is None:
            notes.append(f"{key!r} is not the host of a registry; its login is not used")
            continue
        found = _login(key, entry) if isinstance(entry, dict) else None
        if found is not None:
            # docker.io has several keys; the one that docker itself writes comes first in practice.
            logins.setdefault(host, found)
    return DockerConfig(logins, (*notes, *_helpers(data, logins)))


def _login(key: str, entry: Mapping[str, Any]) -> Credentials | None:
    username, password = _text(entry, "username"), _text(entry, "password")
    if auth := _text(entry, "auth"):
        try:
            # Some tools leave out the padding.
            pair = base64.b64decode(auth.strip() + "=" * (-len(auth.strip()) % 4), validate=True).decode()
        except ValueError:
            raise BadDockerConfig(f"the `auth` of {key} is not base64") from None
        if ":" not in pair:
            raise BadDockerConfig(f"the `auth` of {key} is not `user:password`")
        username, _, password = pair.partition(":")
        password = password.rstrip("\0")  # docker pads with zero bytes on some platforms
    if token := _text(entry, "identitytoken"):
        return Credentials(None if username in _NOBODY else username, password or None, identity_token=token)
    if token := _text(entry, "registrytoken"):
        return Credentials(None, token)
    return Credentials(username, password) if username and password else None


def _helpers(data: Mapping[str, Any], logins: Mapping[str, Credentials]) -> list[str]:
    notes = []
    helpers = data.get("credHelpers")
    for key, helper in (helpers if isinstance(helpers, dict) else {}).items():
        if (_host(key) or key) not in logins:
            notes.append(f"the login for {key} is kept by the credential helper {helper!r}, which tagboat does not run")
    if store := _text(data, "credsStore"):
        notes.append(f"logins kept by the credential store {store!r} are not read: tagboat does not run it")
    return notes


def _text(entry: Mapping[str, Any], key: str) -> str | None:
    found = entry.get(key)
    return found if isinstance(found, str) and found else None


def _host(key: str) -> str | None:
    """The registry's host of a key: a host, or for Docker Hub (and old files) a URL."""
    plain = key.partition("://")[2] or key
    host = plain.partition("/")[0]
    if host in ("index.docker.io", "docker.io", "registry-1.docker.io", "registry.hub.docker.com"):
        return DOCKER_HUB
    try:
        ref = ImageRef.parse(f"{host}/a/b")
    except BadReference:
        return None
    return ref.registry if ref.repository == "a/b" else None
