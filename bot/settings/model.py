"""The keys of `app.yaml`, one model for each mapping: docs/settings.md is checked against these."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, PlainValidator

from bot.forges.base import ForgeError
from bot.forges.git_address import Address, branch_ref
from bot.registries.addresses import host_and_port
from bot.settings.values import GITHUB, GITLAB, STATE, Mode, Topic
from rules.config.fields import Duration, Flag, Glob, Name, Table, Word, kind_of, text, wrong
from rules.config.model import LimitsModel
from rules.images import BadReference, ImageRef

_SECRET = "has to be {env: NAME} or {file: PATH}"  # noqa: S105  # words about secrets
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
_OWNED = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+\Z")
_PROJECT = re.compile(r"[0-9]+\Z|[\w.-]+(?:/[\w.-]+)+\Z")
_LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]*):(\d{1,5})\Z")
_PERMISSION = {"read", "write", "admin", "none"}


class Source(Table):
    """Where a secret comes from."""

    env: str | None = None
    file: Path | None = None


def _secret(value: object) -> Source:
    """Nothing of the value is ever repeated in a message: it may be the secret."""
    if isinstance(value, str):
        raise wrong(f"a secret must not stand in this file: it {_SECRET}", "put it into the environment or a file of its own")
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise wrong(_SECRET)
    if set(value) == {"env"}:
        if not _NAME.match(value["env"]):
            raise wrong("is not the name of an environment variable", "write for example {env: HARBOR_PASSWORD}", ("env",))
        return Source(env=str(value["env"]))
    if set(value) == {"file"}:
        if not value["file"] or "\n" in value["file"] or "\0" in value["file"]:
            raise wrong("is not the path of a file", "write for example {file: key.pem}", ("file",))
        return Source(file=Path(str(value["file"])))
    raise wrong(f"{_SECRET}, one of the two and nothing else")


def _file(value: object) -> Source:
    found = _secret(value)
    if found.file is None:
        raise wrong("has to be {file: PATH}: it is handed on as a file")
    return found


def _state(value: object) -> str | Source:
    if not isinstance(value, str):
        return _secret(value)
    if _holds_password(value):
        raise wrong("a password must not stand in this file", "write state: {env: NAME} with the whole URL in that variable")
    if not value.startswith(("sqlite://", "postgresql://")):
        raise wrong(f"has to be {STATE} or postgresql://…")
    return text(value)


def _holds_password(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.password) or "password=" in parts.query
    except ValueError:
        return "@" in url


def _address(value: object, what: str) -> str:
    """An http(s) URL without credentials, query and final slash."""
    found = text(value).strip()
    try:
        parts = urlsplit(found)
        port_is_number = parts.port is None or parts.port >= 0
    except ValueError:
        raise wrong(f"is not {what}") from None
    if "@" in parts.netloc:
        raise wrong("holds a user or password, which must not stand in this file")
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_number:
        raise wrong(f"is not {what}: write it with http:// or https://")
    if parts.query or parts.fragment:
        raise wrong(f"is not {what}: it has no ? and no #")
    return found.rstrip("/")


def _github_url(value: object) -> str:
    found = _address(value, "the address of GitHub's API")
    if urlsplit(found).hostname in ("github.com", "www.github.com"):
        raise wrong("is GitHub's site, not its API", f"write {GITHUB}")
    if found.endswith("/graphql"):
        raise wrong("is the address of the GraphQL API", f"write {found.removesuffix('/graphql').removesuffix('/api')}")
    return found


def _gitlab_url(value: object) -> str:
    found = _address(value, "the address of a GitLab")
    if "/api/v" in found:
        raise wrong("is the address of the API", f"write {found.partition('/api/v')[0]}")
    return found


def _git_url(value: object) -> str:
    found = text(value).strip()
    if "://" in found and _holds_password(found):
        raise wrong("holds a password, which must not stand in this file", "write username and password: {env: NAME}")
    try:
        Address.parse(found)
    except ForgeError as error:
        raise wrong(str(error)) from None
    return found


def _branch(value: object) -> str:
    found = text(value)
    try:
        branch_ref(found)
    except ForgeError as error:
        raise wrong(str(error)) from None
    return found


def _host(value: object) -> str:
    """A host as it stands in an image's name, with its port if any."""
    found = text(value).strip()
    host = found.partition("://")[2] or found
    try:
        ref = ImageRef.parse(f"{host.rstrip('/')}/a/b")
        host_and_port(ref.registry, default=443)
        fits = ref.repository == "a/b"
    except (BadReference, ValueError):
        fits = False
    if not fits or host != found or host.endswith("/"):
        hint = f"write {host.partition('/')[0]}" if host != found or "/" in host else ""
        raise wrong("is not the host of a registry: write it as in an image's name, without a scheme and without a path", hint)
    return found


def _auth_host(value: object) -> str:
    found = text(value).strip()
    try:
        host_and_port(found, default=443)
    except ValueError as error:
        raise wrong(str(error)) from None
    return found


def _listen(value: object) -> tuple[str, int]:
    found = text(value).strip()
    match = _LISTEN.match(found)
    if match is None or int(match[2]) > 65535:
        raise wrong("is not an address to listen on", 'write "127.0.0.1:8080", or ":8080" for every address')
    return match[1].strip("[]"), int(match[2])


def _repository(value: object) -> str:
    found = text(value).strip()
    if not _OWNED.match(found):
        raise wrong(f"{found[:80]!r} is not a repository: write owner/name")
    return found


def _project(value: object) -> str:
    found = text(value).strip().strip("/")
    if not _PROJECT.match(found):
        raise wrong(f"{found[:80]!r} is not a project: write group/name")
    return found


def _notice_url(value: object) -> str | Source:
    return _address(value, "the address of a webhook") if isinstance(value, str) else _secret(value)


def _permissions(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise wrong(f"has to be a mapping (permission: level), not {kind_of(value)}")
    for key, level in value.items():
        if level not in _PERMISSION:
            raise wrong(f"has to be read, write, admin or none, not {kind_of(level)}", at=(key,))
    return {str(key): str(level) for key, level in value.items()}


def _mapping(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise wrong(f"has to be a mapping (image: path in the JSON), not {kind_of(value)}")
    for key, path in value.items():
        if key not in ("image", "tag", "digest"):
            raise wrong("unknown key", "known here: image, tag, digest", (key,))
        if not isinstance(path, str) or not path:
            raise wrong("has to be a path such as push.image", at=(key,))
    if "image" not in value:
        raise wrong("has to say where the image stands", "write for example {image: push.image, tag: push.tag}")
    return {str(key): str(path) for key, path in value.items()}


Hidden = Annotated[Source, PlainValidator(_secret)]
HiddenFile = Annotated[Source, PlainValidator(_file)]
Names = tuple[Name, ...]
ModeWord = Annotated[Mode, Word]


class ServerModel(Table):
    listen: Annotated[Any, PlainValidator(_listen)] = Field(
        ("127.0.0.1", 8080), description='Where the server listens. ":8080": on every address of the machine.'
    )
    public_url: Annotated[str, BeforeValidator(lambda value: _address(value, "an address"))] | None = Field(
        None, description="Under which address people and forges reach it. Default: where it listens."
    )
    dashboard_token: Hidden | None = Field(
        None, description="What one needs to do something in the dashboard. Without it: reading only."
    )


class ScanModel(Table):
    every: Duration = Field(
        "1h", validate_default=True, description="How often every repository is looked at with no event at all."
    )


class NotifyModel(Table):
    """Somebody to tell."""

    kind: Annotated[Literal["slack", "webhook", "teams", "mattermost"], Word] = Field(description="How it is told.")
    url: Annotated[Any, PlainValidator(_notice_url)] = Field(
        description="Where to. The addresses of slack, teams and mattermost are secrets: {env: NAME} or {file: PATH}."
    )
    on: tuple[Annotated[Topic, Word], ...] = Field(("alarm", "hold"), description="Of what.")


class GitHubAppModel(Table):
    """A registered GitHub App."""

    id: Name = Field(description="The App's id or client id.")
    private_key: Hidden = Field(description="Its private key, in PEM.")


class GitHubModel(Table):
    """A GitHub, with an App or a token."""

    kind: Literal["github"]
    url: Annotated[str, BeforeValidator(_github_url)] = Field(
        GITHUB, description="The base of its API; of an Enterprise Server: https://HOST/api/v3."
    )
    app: GitHubAppModel | None = Field(None, description="The App that is installed in the repositories.")
    token: Hidden | None = Field(None, description="A token instead of an App.")
    webhook_secret: Hidden | None = Field(None, description="The secret that its webhooks are signed with.")
    repositories: tuple[Annotated[str, BeforeValidator(_repository)], ...] = Field(
        (), description="The repositories to look at, as owner/name. Left out: all that the App or the token can see."
    )
    mode: ModeWord = Field("merge", description="As `mode` of the server, for the repositories of this row; the stricter holds.")


class GitLabModel(Table):
    """A GitLab, with a project's, a group's or a person's token."""

    kind: Literal["gitlab"]
    url: Annotated[str, BeforeValidator(_gitlab_url)] = Field(GITLAB, description="Its address, as people see it.")
    token: Hidden = Field(description="An access token with the scope api.")
    webhook_secret: Hidden | None = Field(None, description="The secret token that its webhooks carry.")
    projects: tuple[Annotated[str, BeforeValidator(_project)], ...] = Field(
        (), description="The projects to look at, as group/name. Left out: all that the token is a member of."
    )
    mode: ModeWord = Field("merge", description="As `mode` of the server, for the projects of this row; the stricter holds.")


class GitModel(Table):
    """One git repository, by its address alone."""

    kind: Literal["git"]
    url: Annotated[str, BeforeValidator(_git_url)] = Field(description="Its address: file, ssh, https or http.")
    branch: Annotated[str, BeforeValidator(_branch)] | None = Field(
        None, description="The base branch. Left out: the remote's own."
    )
    ssh_key: HiddenFile | None = Field(None, description="For ssh: the private key.")
    known_hosts: HiddenFile | None = Field(None, description="For ssh: the keys of the hosts that are trusted.")
    username: Name | None = Field(None, description="For https: the user.")
    password: Hidden | None = Field(None, description="For https: the password or token.")
    mode: ModeWord = Field("merge", description="As `mode` of the server, for this repository; the stricter holds.")


class RegistryModel(Table):
    """A registry. Public ones need no row."""

    host: Annotated[str, BeforeValidator(_host)] = Field(description="Its host, and port if any, as in the names of images.")
    kind: Annotated[Literal["oci", "harbor", "dockerhub", "ghcr", "quay", "acr", "distribution", "generic"], Word] | None = Field(
        None,
        description="What it is: whose API is asked beyond the common one, and whose webhooks it sends. "
        "Default: by its host, else oci.",
    )
    username: Name | None = Field(None, description="The user. Left out, the password is a bearer token.")
    password: Hidden | None = Field(None, description="The password or token.")
    docker_config: HiddenFile | None = Field(None, description="A config.json of docker that has the login.")
    webhook_secret: Hidden | None = Field(None, description="What its webhooks have to know.")
    mapping: Annotated[Any, PlainValidator(_mapping)] = Field(
        None, description="For webhooks of kind generic: where image, tag and digest stand in the JSON."
    )
    insecure: Flag = Field(False, description="true: plain http.")
    repositories: tuple[Glob, ...] = Field(
        (), description="Globs of the images on this host that these credentials are for. Default: all."
    )
    for_: tuple[Glob, ...] = Field(
        (), alias="for", description="Globs of the git repositories that these credentials are used for. Default: all."
    )
    auth_hosts: tuple[Annotated[str, BeforeValidator(_auth_host)], ...] = Field(
        (), description="Hosts of token services elsewhere that the credentials may be sent to."
    )


class ManifestModel(Table):
    """What `/setup` registers the GitHub App with."""

    name: Name = Field("tagboat", description="The App's name; it is unique on GitHub.")
    permissions: Annotated[Any, PlainValidator(_permissions)] = Field(None, description="The permissions that it asks for.")
    events: Names = Field((), description="The events that it is told of.")
    public: Flag = Field(False, description="true: others may install it.")


class AppModel(Table):
    """The file `app.yaml`. Every key is optional."""

    name: Name = Field("tagboat", description="The name under which it speaks.")
    server: ServerModel = Field(ServerModel(), description="The web server of `tagboat serve`.")
    state: Annotated[Any, PlainValidator(_state)] = Field(
        STATE,
        description="The ledger: a SQLite file, or postgresql://… to share the work of several machines. "
        "{env: NAME} where it has a password.",
    )
    scan: ScanModel = Field(ScanModel(), description="The timer.")
    notify: tuple[NotifyModel, ...] = Field((), description="Who is told of alarms and holds.")
    mode: ModeWord = Field(
        "merge", description="observe: say what would be done. propose: open requests, never land them. merge: all of it."
    )
    defaults: Any = Field(None, description="A .tagboat.yaml under every repository's own.")
    limits: LimitsModel = Field(LimitsModel(), description="What a repository cannot loosen.")
    repositories_without_file: Annotated[Literal["propose", "ignore"], Word] | None = Field(
        None,
        description="What happens to repositories without a .tagboat.yaml. Default: propose where it is named here, else ignore.",
    )
    forges: tuple[Any, ...] = Field((), description="Where the repositories are.")
    registries: tuple[RegistryModel, ...] = Field((), description="Registries that need a login, or are private.")
    github_app: ManifestModel = Field(ManifestModel(), description="The manifest with which `/setup` registers a GitHub App.")


FORGES: dict[str, type[GitHubModel] | type[GitLabModel] | type[GitModel]] = {
    "github": GitHubModel,
    "gitlab": GitLabModel,
    "git": GitModel,
}
