"""Registering the App from its manifest, in two clicks: a form sends the manifest to GitHub, and GitHub sends back a code.

    manifest(settings.github_app, public_url)        what the form says
    form_address(url, organization)                  where it goes
    registered = await convert(url, code)            what the code is worth, once and within the hour
    store(registered, folder)                        key and secrets, for their owner's eyes only (0600)

The web server's `/setup` is a thin page around these.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bot.forges.base import ForgeError
from bot.forges.github.answers import Missing
from bot.forges.github.auth import NoAuth, web_address
from bot.forges.github.connections import Connections
from bot.forges.github.wire import Wire
from bot.settings.values import Manifest

_CODE = re.compile(r"[A-Za-z0-9_-]{1,200}\Z")
_ORGANIZATION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})\Z")


@dataclass(frozen=True, slots=True)
class Registered:
    """The App as GitHub made it. What is secret is left out when it is printed."""

    id: str
    slug: str
    page: str
    private_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)

    @property
    def install_page(self) -> str:
        """Where a person installs it on repositories."""
        return f"{self.page}/installations/new"


@dataclass(frozen=True, slots=True)
class Stored:
    """Where key and secrets are, and the lines for `app.yaml` that name them."""

    private_key: Path
    webhook_secret: Path
    client_secret: Path | None
    lines: str


def manifest(wish: Mapping[str, Any] | Manifest, public_url: str) -> dict[str, Any]:
    """The manifest as GitHub reads it; `installation` events come without being asked for."""
    said = wish if isinstance(wish, Manifest) else Manifest(**wish)
    home = public_url.rstrip("/")
    return {
        "name": said.name,
        "url": home,
        "hook_attributes": {"url": f"{home}/webhooks/github", "active": True},
        "redirect_url": f"{home}/setup",
        "public": said.public,
        "default_permissions": dict(said.permissions),
        "default_events": list(said.events),
    }


def form_address(url: str, state: str, organization: str | None = None) -> str:
    """Where the form is sent: to one's own account, or to an organization's."""
    if organization is not None and not _ORGANIZATION.match(organization):
        raise ValueError(f"{organization!r} is not the name of an organization")
    where = f"organizations/{organization}/settings/apps/new" if organization else "settings/apps/new"
    return f"{web_address(url)}/{where}?state={quote(state, safe='')}"


async def convert(url: str, code: str, connections: Connections | None = None) -> Registered:
    """Exchange the code. Raises ForgeError where it is none, was used, or is older than an hour."""
    if not _CODE.match(code):
        raise ForgeError("that is no code of GitHub's: begin again at /setup")
    open_here = connections or Connections()
    try:
        wire = Wire(url, NoAuth(), open_here)
        answer = await wire.write("POST", f"/app-manifests/{code}/conversions", b"")
    except Missing:
        raise ForgeError("GitHub does not know the code: it is good once, for an hour; begin again at /setup") from None
    finally:
        if connections is None:
            await open_here.close()
    try:
        return Registered(
            id=str(answer["id"]),
            slug=str(answer["slug"]),
            page=str(answer["html_url"]),
            private_key=str(answer["pem"]),
            webhook_secret=str(answer["webhook_secret"] or ""),
            client_id=str(answer.get("client_id") or ""),
            client_secret=str(answer.get("client_secret") or ""),
        )
    except (KeyError, TypeError):
        raise ForgeError("GitHub's answer to the code lacks the App's id or key") from None


def store(app: Registered, folder: Path, url: str = "https://api.github.com") -> Stored:
    """Write key and secrets below a folder; what is there by these names is kept under another one."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    slug = re.sub(r"[^A-Za-z0-9-]", "-", app.slug) or "app"
    key = _write(folder / f"{slug}.private-key.pem", app.private_key)
    hook = _write(folder / f"{slug}.webhook-secret", app.webhook_secret)
    client = _write(folder / f"{slug}.client-secret", app.client_secret) if app.client_secret else None
    lines = (
        f"forges:\n  - kind: github\n    url: {url}\n"
        f"    app: {{id: {app.id}, private_key: {{file: {key.name}}}}}\n    webhook_secret: {{file: {hook.name}}}\n"
    )
    return Stored(key, hook, client, lines)


def _write(path: Path, text: str) -> Path:
    """Whole or not at all, and never readable by others, not even for a moment."""
    if path.exists():
        number = next(n for n in range(1, 10_000) if not path.with_name(f"{path.name}.old-{n}").exists())
        path.rename(path.with_name(f"{path.name}.old-{number}"))
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return path
