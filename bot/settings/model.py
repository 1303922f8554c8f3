"""The keys of `app.yaml`, one model for each mapping: docs/settings.md is checked against these."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from bot.forges.git.address import Address
from bot.settings.checks import (
    AuthHost,
    BranchName,
    GitAddress,
    GitHubAddress,
    GitLabAddress,
    HookAddress,
    HttpAddress,
    Listen,
    Network,
    Permissions,
    PersonHeader,
    Places,
    Project,
    RegistryHost,
    Repository,
    State,
)
from bot.settings.secrets import Hidden, HiddenFile
from bot.settings.values import GITHUB, GITLAB, STATE, Mode, Topic
from rules.config.fields import Duration, Flag, Glob, Name, Table, Word, all_wrong, wrong
from rules.config.model import LimitsModel

ModeWord = Annotated[Mode, Word]
RegistryKind = Literal["oci", "harbor", "dockerhub", "ghcr", "quay", "acr", "ecr", "gar", "gitlab", "distribution", "generic"]


def _app(value: object) -> object:
    if isinstance(value, str | list):  # a key may have been pasted here
        raise wrong("has to be a mapping", "write app: {id: 1, private_key: {file: key.pem}}")
    return value


class ProxyModel(Table):
    """A proxy in front that knows who comes."""

    addresses: tuple[Network, ...] = Field(
        description="Where it comes from: networks or addresses, of the connection itself. Nobody else is believed."
    )
    header: PersonHeader = Field(
        "X-Forwarded-User", description="The header in which it names the person. It has to take away what others write there."
    )

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not self.addresses:
            raise wrong("is empty, so no proxy would be believed", 'write for example ["10.1.2.3"]', ("addresses",))
        return self


class ServerModel(Table):
    """The web server of `tagboat serve`."""

    listen: Listen = Field(
        ("127.0.0.1", 8080), description='Where the server listens. `":8080"`: on every address of the machine.'
    )
    public_url: HttpAddress | None = Field(
        None, description="The address under which people, forges and registries reach it. Default: where it listens."
    )
    dashboard_token: Hidden | None = Field(None, description="What one needs to act in the dashboard. Without it, it only shows.")
    trusted_proxy: ProxyModel | None = Field(None, description="A proxy in front that logs people in, and says who they are.")


class ScanModel(Table):
    """The timer."""

    every: Duration = Field(
        "1h", validate_default=True, description="How often each repository is looked at with no event at all."
    )

    @model_validator(mode="after")
    def _not_too_often(self) -> Self:
        if self.every < timedelta(minutes=1):
            raise wrong("has to be at least 1m", at=("every",))
        return self


class NotifyModel(Table):
    """Somebody to tell of alarms and holds."""

    kind: Annotated[Literal["slack", "webhook", "teams", "mattermost"], Word] = Field(description="How it is told.")
    url: HookAddress = Field(
        description="Where. Addresses of slack, teams and mattermost are secrets: `{env: NAME}` or `{file: PATH}`; that of a "
        "webhook may stand here."
    )
    on: tuple[Annotated[Topic, Word], ...] = Field(("alarm", "hold"), description="Of what it is told.")

    @model_validator(mode="after")
    def _no_secret(self) -> Self:
        if isinstance(self.url, str) and self.kind != "webhook":
            raise wrong(f"the address of a {self.kind} hook is a secret: write {{env: NAME}} or {{file: PATH}}", at=("url",))
        return self


class GitHubAppModel(Table):
    """A registered GitHub App."""

    id: Name = Field(description="The App's id, or its client id.")
    private_key: Hidden = Field(description="Its private key, in PEM.")


class GitHubModel(Table):
    """A GitHub, with an App or a token."""

    kind: Literal["github"] = Field(description="The kind of this row.")
    url: GitHubAddress = Field(GITHUB, description="The base of its API; of an Enterprise Server: `https://HOST/api/v3`.")
    app: Annotated[GitHubAppModel | None, BeforeValidator(_app)] = Field(None, description="The App that is installed there.")
    token: Hidden | None = Field(None, description="A token instead of an App.")
    webhook_secret: Hidden | None = Field(None, description="What its webhooks are signed with.")
    repositories: tuple[Repository, ...] = Field(
        (), description="The repositories to look at, as `owner/name`. Left out: all that the App or the token can see."
    )
    mode: ModeWord = Field("merge", description="As the server's `mode`, for this row; the stricter of the two holds.")

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if (self.app is None) is (self.token is None):
            what = "has both an `app` and a `token`: one of them is enough" if self.app else "an `app` or a `token` is missing"
            raise wrong(what, "write app: {id: 1, private_key: {file: key.pem}}, or token: {env: GITHUB_TOKEN}")
        return self


class GitLabModel(Table):
    """A GitLab, with the token of a project, a group or a person."""

    kind: Literal["gitlab"] = Field(description="The kind of this row.")
    url: GitLabAddress = Field(GITLAB, description="Its address, as people see it.")
    token: Hidden = Field(description="An access token with the scope `api`.")
    webhook_secret: Hidden | None = Field(None, description="The secret token that its webhooks carry.")
    projects: tuple[Project, ...] = Field(
        (), description="The projects to look at, as `group/name`. Left out: all that the token is a member of."
    )
    mode: ModeWord = Field("merge", description="As the server's `mode`, for this row; the stricter of the two holds.")


class GitModel(Table):
    """One git repository, by its address alone."""

    kind: Literal["git"] = Field(description="The kind of this row.")
    url: GitAddress = Field(description="Its address, over file, ssh, https or http.")
    branch: BranchName | None = Field(None, description="The base branch. Left out: the remote's own.")
    ssh_key: HiddenFile | None = Field(None, description="For ssh: the private key.")
    known_hosts: HiddenFile | None = Field(None, description="For ssh: the keys of the hosts that are trusted.")
    username: Name | None = Field(None, description="For https: the user.")
    password: Hidden | None = Field(None, description="For https: the password or token.")
    mode: ModeWord = Field("merge", description="As the server's `mode`, for this repository; the stricter of the two holds.")

    @model_validator(mode="after")
    def _keys_fit_the_scheme(self) -> Self:
        scheme = Address.parse(self.url).scheme
        misfits = [(key, "ssh") for key in ("ssh_key", "known_hosts") if scheme != "ssh" and getattr(self, key) is not None]
        web = scheme in ("https", "http")
        misfits += [(key, "https") for key in ("username", "password") if not web and getattr(self, key) is not None]
        if misfits:
            raise all_wrong(((key,), f"is for addresses over {wanted} only", "") for key, wanted in misfits)
        return self


class RegistryModel(Table):
    """A registry that needs a login, or has a private address. Public ones need no row."""

    host: RegistryHost = Field(description="Its host, and port if any, as in the names of images.")
    kind: Annotated[RegistryKind, Word] = Field(
        "oci", description="harbor is asked by its own API too; all others speak the common protocol, whatever their name here."
    )
    username: Name | None = Field(None, description="The user. Left out, the password is a bearer token.")
    password: Hidden | None = Field(None, description="The password or token.")
    docker_config: HiddenFile | None = Field(
        None, description="docker's `config.json`, instead: the login for this host is taken."
    )
    webhook_secret: Hidden | None = Field(None, description="What its webhooks have to know. Without it, it can send none.")
    webhook: Places | None = Field(
        None, description="Where an unusual sender has image, tag and digest: `{image: $.artifact.name, tag: $.artifact.tag}`."
    )
    insecure: Flag = Field(False, description="true: over plain http.")
    repositories: tuple[Glob, ...] = Field(
        (), description="Globs of the images on this host that the login is for. Default: all."
    )
    for_: tuple[Glob, ...] = Field(
        (), alias="for", description="Globs of the git repositories whose images it is used for. Default: all."
    )
    auth_hosts: tuple[AuthHost, ...] = Field((), description="Hosts of token services elsewhere that the login may be sent to.")

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.docker_config is not None and (self.username is not None or self.password is not None):
            raise wrong("either `docker_config` or `username` and `password`, not both", at=("docker_config",))
        if self.username is not None and self.password is None and self.docker_config is None:
            raise wrong("the `password` of the user is missing", "write password: {env: NAME}", ("username",))
        if self.webhook is not None and self.webhook_secret is None:
            raise wrong("a webhook needs a `webhook_secret`", "write webhook_secret: {env: NAME}", ("webhook",))
        return self


class ManifestModel(Table):
    """The manifest with which `/setup` registers a GitHub App."""

    name: Name = Field("tagboat", description="The App's name; on GitHub it has to be the only one.")
    permissions: Permissions | None = Field(None, description="The permissions that it asks for. Default: those that it needs.")
    events: tuple[Name, ...] = Field((), description="The events that it is told of. Default: those that it reads.")
    public: Flag = Field(False, description="true: others may install it.")


class AppModel(Table):
    """The file `app.yaml`. Every key is optional."""

    name: Name = Field("tagboat", description="The name under which it speaks.")
    server: ServerModel = Field(ServerModel(), description="The web server of `tagboat serve`.")
    state: State = Field(
        STATE,
        description="The ledger: a SQLite file, or `postgresql://…`, where several machines share the work. `{env: NAME}` for an "
        "address with a password.",
    )
    scan: ScanModel = Field(ScanModel(), description="The timer.")
    notify: tuple[NotifyModel, ...] = Field((), description="Who is told of alarms and holds.")
    mode: ModeWord = Field(
        "merge", description="observe: say what would be done. propose: open requests, never land them. merge: all of it."
    )
    defaults: Annotated[Any, WithJsonSchema({"title": "mapping"})] = Field(
        None, description="A `.tagboat.yaml` under every repository's own."
    )
    limits: LimitsModel = Field(LimitsModel(), description="What no repository can loosen.")
    repositories_without_file: Annotated[Literal["propose", "ignore"], Word] | None = Field(
        None,
        description="What happens to repositories without a `.tagboat.yaml`. Default: propose where they are "
        "named here, else ignore.",
    )
    forges: tuple[Any, ...] = Field((), description="Where the repositories are.")
    registries: tuple[RegistryModel, ...] = Field((), description="Registries that need a login, or have a private address.")
    github_app: ManifestModel = Field(ManifestModel(), description="The manifest with which `/setup` registers a GitHub App.")


ForgeModel = GitHubModel | GitLabModel | GitModel
FORGES: dict[str, type[ForgeModel]] = {"github": GitHubModel, "gitlab": GitLabModel, "git": GitModel}
