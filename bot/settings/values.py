"""The server's settings as frozen values. Printing one never prints a secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal

from bot.forges.base import ForgeKind
from bot.registries.pool import RegistryAccess
from bot.terminal import UsageError
from rules.config import Layer, Limits
from rules.findings import Finding

Mode = Literal["observe", "propose", "merge"]
"""What the server does of what it decides: nothing (it says what it would do), requests without landing them, or all of it."""

Sender = Literal["harbor", "dockerhub", "quay", "acr", "ghcr", "distribution", "generic"]
Topic = Literal["alarm", "hold"]

STATE = "sqlite:///data/tagboat.db"
SCAN_EVERY = timedelta(hours=1)
GITHUB, GITLAB = "https://api.github.com", "https://gitlab.com"


class MissingSecret(UsageError):
    """A secret that is needed now could not be had; the message says where it is asked for."""


class Secret:
    """A password, token, key or address that nobody may see. `str` and `repr` are masked; `reveal` gives it away.

    `source` says where it comes from (`env GITHUB_TOKEN`), `missing` why it could not be read: that is an error only for who
    needs it.
    """

    __slots__ = ("_value", "missing", "source")

    def __init__(self, value: str | None, source: str = "given", missing: str = "") -> None:
        self._value = value
        self.source = source
        self.missing = missing or ("" if value is not None else f"there is no value ({source})")

    def reveal(self) -> str:
        """The secret itself. Raises MissingSecret."""
        if self._value is None:
            raise MissingSecret(self.missing)
        return self._value

    def __repr__(self) -> str:
        return f"<secret, {self.source}>"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self._value, self.source) == (other._value, other.source)

    def __hash__(self) -> int:
        return hash((self._value, self.source))

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written anywhere")

    def __deepcopy__(self, memo: object) -> Secret:
        return self


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
    """How the webhooks of a registry's host are read: `kind` is who sends them, `secret` what they have to know (None: there is
    no webhook for this host). `mapping`: for kind generic, where image, tag and digest stand in the JSON."""

    host: str
    kind: Sender
    secret: Secret | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notice:
    """Somebody to tell: how, where, and of what."""

    kind: Literal["slack", "webhook", "teams", "mattermost"]
    url: Secret
    on: tuple[Topic, ...] = ("alarm", "hold")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `/setup` registers the GitHub App with."""

    name: str = "tagboat"
    permissions: Mapping[str, str] = field(default_factory=dict)
    events: tuple[str, ...] = ()
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
