"""The server's settings as frozen values. Printing one never prints a secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from bot.forges.base import ForgeKind
from bot.registries.base import Credentials
from bot.registries.pool import RegistryAccess
from bot.settings.secrets import Secret
from rules.config import Layer, Limits
from rules.findings import Finding

Mode = Literal["observe", "propose", "merge"]
"""What the server does of what it decides: nothing (it says what it would do), requests without landing them, or all of it."""

Topic = Literal["alarm", "hold"]

STATE = "sqlite:///data/tagboat.db"
SCAN_EVERY = timedelta(hours=1)
GITHUB, GITLAB = "https://api.github.com", "https://gitlab.com"


@dataclass(frozen=True, slots=True)
class GitHubApp:
    """A registered App: its id (or client id) and its key in PEM."""

    id: str
    private_key: Secret


@dataclass(frozen=True, slots=True)
class GitHubSettings:
    """One GitHub: `url` is the base of its API. Either `app` or `token` is set. Without `repositories`: all that it can see."""

    kind: ClassVar[ForgeKind] = "github"
    url: str = GITHUB
    app: GitHubApp | None = None
    token: Secret | None = None
    webhook_secret: Secret | None = None
    repositories: tuple[str, ...] = ()
    mode: Mode = "merge"


@dataclass(frozen=True, slots=True)
class GitLabSettings:
    """One GitLab, by the address that people see. Without `projects`: all that the token is a member of."""

    kind: ClassVar[ForgeKind] = "gitlab"
    url: str = GITLAB
    token: Secret | None = None
    webhook_secret: Secret | None = None
    projects: tuple[str, ...] = ()
    mode: Mode = "merge"


@dataclass(frozen=True, slots=True)
class GitSettings:
    """One plain git repository. `branch` None: the remote's own."""

    kind: ClassVar[ForgeKind] = "git"
    url: str = ""
    branch: str | None = None
    ssh_key: Path | None = None
    known_hosts: Path | None = None
    username: str | None = None
    password: Secret | None = None
    mode: Mode = "merge"


ForgeSettings = GitHubSettings | GitLabSettings | GitSettings


@dataclass(frozen=True, slots=True)
class Hook:
    """The webhooks of a registry's host: the secret that they have to know, and where an unusual sender keeps image and tag."""

    host: str
    secret: Secret
    mapping: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Somebody to tell: how, where, and of what."""

    kind: Literal["slack", "webhook", "teams", "mattermost"]
    url: Secret
    on: tuple[Topic, ...] = ("alarm", "hold")


@dataclass(frozen=True, slots=True)
class TrustedProxy:
    """A proxy in front: the networks that it comes from, and the header in which it names the person who is logged in."""

    networks: tuple[IPv4Network | IPv6Network, ...]
    header: str = "X-Forwarded-User"


_PERMISSIONS = {
    "administration": "read",
    "checks": "write",
    "contents": "write",
    "issues": "write",
    "members": "read",
    "merge_queues": "read",
    "metadata": "read",
    "packages": "read",
    "pull_requests": "write",
    "statuses": "read",
}
_EVENTS = (
    "check_run",
    "check_suite",
    "issue_comment",
    "merge_group",
    "package",
    "pull_request",
    "pull_request_review",
    "push",
    "registry_package",
    "repository",
    "status",
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `/setup` registers the GitHub App with."""

    name: str = "tagboat"
    permissions: Mapping[str, str] = field(default_factory=lambda: dict(_PERMISSIONS))
    events: tuple[str, ...] = _EVENTS
    public: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """All of `app.yaml`. `folder` is where its relative paths begin; `file` is None where there is none.

    `missing` has a finding for each secret that could not be read: a server names them before it starts, a command only those
    that it needs (`Secret.reveal` raises).
    """

    folder: Path
    file: Path | None = None
    name: str = "tagboat"
    listen: tuple[str, int] = ("127.0.0.1", 8080)
    public_url: str = "http://127.0.0.1:8080"
    dashboard_token: Secret | None = None
    trusted_proxy: TrustedProxy | None = None
    state: Secret = field(default_factory=lambda: Secret(STATE, "state"))  # a URL, which may hold a password
    scan_every: timedelta = SCAN_EVERY
    notify: tuple[Notice, ...] = ()
    mode: Mode = "merge"
    defaults: Layer = field(default_factory=Layer)
    limits: Limits = field(default_factory=Limits)
    repositories_without_file: Literal["propose", "ignore"] | None = None
    forges: tuple[ForgeSettings, ...] = ()
    registries: tuple[RegistryAccess, ...] = ()
    hooks: tuple[Hook, ...] = ()
    github_app: Manifest = field(default_factory=Manifest)
    missing: tuple[Finding, ...] = ()

    def secrets(self) -> Iterator[str]:
        """Every secret in it, to be masked wherever one turns up. A URL's password is one by itself too."""
        for found in _secrets(self):
            yield found
            with suppress(ValueError):
                yield urlsplit(found).password or ""


def _secrets(value: object) -> Iterator[str]:
    match value:
        case Secret():
            if not value.missing:
                yield value.reveal()
        case Credentials():
            yield from (one for one in (value.password, value.identity_token) if one)
        case tuple():
            for one in value:
                yield from _secrets(one)
        case _ if is_dataclass(value) and not isinstance(value, type):
            for part in fields(value):
                yield from _secrets(getattr(value, part.name))
        case _:
            pass
