"""From `app.yaml` and the environment to `Settings`: read, check everything, build. All that is wrong is said at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any, assert_never

from bot.registries import dockerconfig
from bot.registries.base import Credentials
from bot.registries.pool import KINDS, RegistryAccess
from bot.settings.model import (
    FORGES,
    AppModel,
    ForgeModel,
    GitHubModel,
    GitLabModel,
    GitModel,
    ManifestModel,
    NotifyModel,
    ProxyModel,
    RegistryModel,
)
from bot.settings.secrets import Secret, Source
from bot.settings.values import (
    ForgeSettings,
    GitHubApp,
    GitHubSettings,
    GitLabSettings,
    GitSettings,
    Hook,
    Manifest,
    Mode,
    Notice,
    Settings,
    TrustedProxy,
)
from bot.terminal import UsageError
from rules.config import Layer, layer, limits_of
from rules.config.tree import Path as Where
from rules.config.tree import Tree, read
from rules.config.words import build
from rules.findings import Broken, Finding, did_you_mean, one_of

FILE = "app.yaml"
_SIZE_LIMIT = 1024 * 1024
# Kubernetes, Compose and App Engine have an app.yaml too.
_FOREIGN = re.compile(rb"^(?:apiVersion|kind|services|runtime)[ \t]*:", re.MULTILINE)
_MODES: tuple[Mode, ...] = ("observe", "propose", "merge")


class BadSettings(UsageError):
    """`app.yaml` cannot be used; `findings` has everything that is wrong in it, and the text says it line by line."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        self.findings = findings
        super().__init__("\n".join(map(str, findings)))


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings of a file; `path` None: of `app.yaml` in the current folder, or all defaults where there is none, or one that
    is somebody else's (a manifest, say). Raises UsageError (BadSettings where the file is wrong)."""
    file = path if path is not None else Path(FILE)
    if path is None and not file.exists():
        return parse(b"", None, Path.cwd(), environ)
    try:
        with file.open("rb") as opened:
            data = opened.read(_SIZE_LIMIT + 1)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}") from None
    if path is None and _FOREIGN.search(data):
        return parse(b"", None, Path.cwd(), environ)
    return parse(data, file, file.absolute().parent, environ)


def parse(data: bytes, file: Path | None, folder: Path, environ: Mapping[str, str]) -> Settings:
    """The settings that a file's content says; its relative paths begin at `folder`. Raises BadSettings."""
    try:
        tree = read(data, str(file or FILE), _SIZE_LIMIT)
        model, wrong = build(AppModel, tree)
        findings = [*tree.findings, *wrong]
        building = _Building(tree, folder, environ, findings)
        if model is None:
            building.rows()  # for what is wrong in them
            building.defaults()
            raise Broken(findings)
        return building.settings(model, file)
    except Broken as error:
        raise BadSettings(error.findings) from None


@dataclass(slots=True)
class _Building:
    """Settings on their way from the checked file."""

    tree: Tree
    folder: Path
    environ: Mapping[str, str]
    findings: list[Finding]
    missing: list[Finding] = field(default_factory=list)

    def settings(self, model: AppModel, file: Path | None) -> Settings:
        rows, defaults = self.rows(), self.defaults()
        if self.findings:
            raise Broken(self.findings)
        return Settings(
            folder=self.folder,
            file=file,
            name=model.name,
            listen=model.server.listen,
            public_url=model.server.public_url or _public(*model.server.listen),
            dashboard_token=self.hidden(model.server.dashboard_token, ("server", "dashboard_token")),
            trusted_proxy=_proxy(model.server.trusted_proxy),
            state=self.state(model.state),
            scan_every=model.scan.every,
            notify=tuple(self.notice(row, ("notify", place)) for place, row in enumerate(model.notify)),
            mode=model.mode,
            defaults=defaults,
            limits=limits_of(model.limits),
            repositories_without_file=model.repositories_without_file,
            forges=tuple(self.forge(row, ("forges", place), model.mode) for place, row in rows),
            registries=tuple(self.registry(row, ("registries", place)) for place, row in enumerate(model.registries)),
            hooks=tuple(filter(None, (self.hook(row, ("registries", place)) for place, row in enumerate(model.registries)))),
            github_app=_manifest(model.github_app),
            missing=tuple(self.missing),
        )

    # -- the parts whose grammar depends on a key of theirs, or stands elsewhere

    def defaults(self) -> Layer:
        try:
            return layer(self.tree.at("defaults"))
        except Broken as error:
            self.findings.extend(error.findings)
            return Layer()

    def rows(self) -> list[tuple[int, ForgeModel]]:
        """The forges, each read by the model of its kind."""
        said = self.tree.at("forges").data
        rows: list[tuple[int, ForgeModel]] = []
        for place, item in enumerate(said if isinstance(said, list) else ()):
            tree = self.tree.at("forges", place)
            if not isinstance(item, dict):
                self.findings.append(tree.finding((), "has to be a mapping (key: value)", "write {kind: github, …}"))
                continue
            kind = str(item.get("kind"))
            if kind not in FORGES:
                message = f"has to be {one_of(FORGES)}" if "kind" in item else f"the key `kind` is missing: {one_of(FORGES)}"
                self.findings.append(tree.finding(("kind",), message, did_you_mean(kind, FORGES)))
                continue
            model, findings = build(FORGES[kind], tree)
            self.findings.extend(findings)
            rows += [(place, model)] if model is not None else []
        self.findings.extend(self.twice(rows))
        return rows

    def twice(self, rows: Sequence[tuple[int, ForgeModel]]) -> Iterator[Finding]:
        """Repositories that are named a second time: two rows would work on them at once."""
        seen: dict[tuple[str, str], int | None] = {}
        for place, row in rows:
            named: list[tuple[Where, str]] = [(("url",), "")]
            match row:
                case GitHubModel():
                    named = [(("repositories", at), name.lower()) for at, name in enumerate(row.repositories)]
                case GitLabModel():
                    named = [(("projects", at), name.lower()) for at, name in enumerate(row.projects)]
            for where, name in named:
                found = self.tree.finding(("forges", place, *where), "")
                if (row.url, name) in seen:
                    message = f"this repository stands twice; the first is on line {seen[row.url, name]}"
                    yield replace(found, message=message)
                seen.setdefault((row.url, name), found.line)

    def forge(self, row: ForgeModel, where: Where, mode: Mode) -> ForgeSettings:
        mode = min(mode, row.mode, key=_MODES.index)
        match row:
            case GitHubModel():
                app = GitHubApp(row.app.id, self.secret(row.app.private_key, (*where, "app", "private_key"))) if row.app else None
                token = self.hidden(row.token, (*where, "token"))
                hook = self.hidden(row.webhook_secret, (*where, "webhook_secret"))
                return GitHubSettings(row.url, app, token, hook, row.repositories, mode)
            case GitLabModel():
                token = self.secret(row.token, (*where, "token"))
                hook = self.hidden(row.webhook_secret, (*where, "webhook_secret"))
                return GitLabSettings(row.url, token, hook, row.projects, mode)
            case GitModel():
                password = self.hidden(row.password, (*where, "password"))
                return GitSettings(
                    self.git_url(row.url),
                    row.branch,
                    self.path(row.ssh_key),
                    self.path(row.known_hosts),
                    row.username,
                    password,
                    mode,
                )
            case _:
                assert_never(row)

    def registry(self, row: RegistryModel, where: Where) -> RegistryAccess:
        credentials, missing = self.credentials(row, where)
        kind = row.kind if row.kind in KINDS else "oci"  # the others speak the common protocol
        return RegistryAccess(row.host, kind, row.insecure, credentials, row.auth_hosts, row.repositories, row.for_, missing)

    def credentials(self, row: RegistryModel, where: Where) -> tuple[Credentials | None, str]:
        """The login of a row, and why it could not be had."""
        if row.docker_config is not None:
            return self.docker_login(row.host, row.docker_config, (*where, "docker_config"))
        if row.password is None:
            return None, ""
        password = self.secret(row.password, (*where, "password"))
        return (None, password.missing) if password.missing else (Credentials(row.username, password.reveal()), "")

    def docker_login(self, host: str, source: Source, where: Where) -> tuple[Credentials | None, str]:
        try:
            login = dockerconfig.read(source.path(self.folder)).credentials(host)
            why = "" if login else f"it has no login for {host}"
        except dockerconfig.BadDockerConfig as error:
            login, why = None, str(error)
        return login, self.lacking(where, why) if why else ""

    def hook(self, row: RegistryModel, where: Where) -> Hook | None:
        secret = self.hidden(row.webhook_secret, (*where, "webhook_secret"))
        return None if secret is None else Hook(row.host, secret, row.webhook)

    def notice(self, row: NotifyModel, where: Where) -> Notice:
        url = self.secret(row.url, (*where, "url")) if isinstance(row.url, Source) else Secret(row.url, "app.yaml")
        return Notice(row.kind, url, row.on)

    def git_url(self, url: str) -> str:
        """The address; a folder that is written relative is made absolute."""
        return str((self.folder / url).resolve()) if url.startswith(("./", "../")) else url

    def state(self, said: Any) -> Secret:
        if isinstance(said, Source):
            return self.secret(said, ("state",))
        path = said.removeprefix("sqlite:///")
        if path == said or not path or path == ":memory:":
            return Secret(said, "state")
        # An absolute path has four slashes; a relative one begins at the folder of app.yaml.
        return Secret(f"sqlite:///{self.folder / path}", "state")

    # -- secrets and paths

    def path(self, source: Source | None) -> Path | None:
        return None if source is None else source.path(self.folder)

    def hidden(self, source: Source | None, where: Where) -> Secret | None:
        return None if source is None else self.secret(source, where)

    def secret(self, source: Source, where: Where) -> Secret:
        """The secret itself, or why it is not there."""
        value, why = source.read(self.folder, self.environ)
        return Secret(value, str(source), self.lacking(where, why) if value is None else "")

    def lacking(self, where: Where, why: str) -> str:
        """Keep in mind that something is missing."""
        found = self.tree.finding(where, why)
        self.missing.append(found)
        return str(found)


def _public(host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{'127.0.0.1' if host in ('', '0.0.0.0', '::') else shown}:{port}"  # noqa: S104  # compared, not bound


def _proxy(model: ProxyModel | None) -> TrustedProxy | None:
    return None if model is None else TrustedProxy(tuple(map(ip_network, model.addresses)), model.header)


def _manifest(model: ManifestModel) -> Manifest:
    usual = Manifest()
    permissions = usual.permissions if model.permissions is None else model.permissions
    return Manifest(model.name, dict(permissions), model.events or usual.events, model.public)
