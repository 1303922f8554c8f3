"""The kinds of value that only `app.yaml` has: addresses, hosts, names of repositories.

No message repeats an address: people write passwords into them.
"""

from __future__ import annotations

import re
from ipaddress import ip_interface, ip_network
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema

from bot.forges.base import ForgeError
from bot.forges.git.address import Address, branch_ref
from bot.registries.addresses import host_and_port
from bot.settings.secrets import Source, source
from bot.settings.values import GITHUB, STATE
from bot.web.senders.base import BadWebhook
from bot.web.senders.generic import path_of
from rules.config.fields import kind_of, shown, text, wrong
from rules.images import BadReference, ImageRef

_OWNED = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+\Z")
_PROJECT = re.compile(r"[0-9]+\Z|[\w.+-]+(?:/[\w.+-]+)+\Z")
_LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]*):(\d{1,5})\Z")
_LEVELS = ("read", "write", "admin", "none")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}\Z")
# Every browser may send these, or a proxy means something else by them.
_OTHER_HEADERS = re.compile(
    r"(?:accept|access-control|cf|content|if|proxy|sec|upgrade)(?:-.*)?"
    r"|authorization|cache-control|connection|cookie2?|date|dnt|expect|forwarded|from|host|keep-alive|max-forwards|origin|pragma"
    r"|priority|range|referer|set-cookie2?|te|trailer|transfer-encoding|user-agent|via|warning|x-csrf-token|x-requested-with"
    r"|x-forwarded-(?:for|host|port|prefix|proto|scheme|server)|x-real-ip|.*token",
    re.IGNORECASE,
)
_PLACES = ("image", "tag", "digest")


def _line(value: object) -> str:
    """A text that may hold a secret."""
    if not isinstance(value, str):
        raise wrong("has to be a text")
    return text(value).strip()


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        return parts if parts.port is None or parts.port else None
    except ValueError:
        return None


def _holds_password(url: str) -> bool:
    """Whether a URL holds a password, or a token in the user's place (an ssh user is none)."""
    parts = _parts(url)
    if parts is None:
        return "@" in url
    token = parts.scheme in ("http", "https") and "@" in parts.netloc
    return bool(parts.password) or token or "password=" in parts.query


def _address(value: object) -> str:
    """An http(s) URL without credentials, query and final slash."""
    found = _line(value)
    parts = _parts(found)
    if _holds_password(found):
        raise wrong("holds a user or password, which must not stand in this file")
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", found):
        raise wrong("is not an address: it begins with https:// or http://, and a host follows")
    if parts.query or parts.fragment:
        raise wrong("is not the base of an address: it has no ? and no #")
    return found.rstrip("/")


def _github_url(value: object) -> str:
    found = _address(value)
    if urlsplit(found).hostname in ("github.com", "www.github.com"):
        raise wrong("is GitHub's site, not its API", f"write {GITHUB}, or leave the key out")
    if found.endswith("/graphql"):
        raise wrong("is the address of the GraphQL API", "write the base of the other one: https://HOST/api/v3")
    return found


def _gitlab_url(value: object) -> str:
    found = _address(value)
    if "/api/v" in found:
        raise wrong("is the address of the API", f"write {found.partition('/api/v')[0]}")
    return found


def _git_url(value: object) -> str:
    found = _line(value)
    if "://" in found and _holds_password(found):
        raise wrong("holds a password, which must not stand in this file", "use the keys `username` and `password: {env: NAME}`")
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
    found = _line(value)
    try:
        ref = ImageRef.parse(f"{found}/a/b")
        host_and_port(ref.registry, default=443)
        if ref.repository == "a/b":
            return found
    except (BadReference, ValueError):
        pass
    bare = (found.partition("://")[2] or found).partition("/")[0]
    raise wrong(
        "is not the host of a registry: write it as in an image's name, without a scheme and without a path",
        f"write {shown(bare)}" if bare and bare != found and "@" not in bare else "",
    )


def _auth_host(value: object) -> str:
    found = _line(value)
    try:
        host_and_port(found, default=443)
    except ValueError:
        raise wrong("is not a host or host:port", "write it without a scheme and without a path") from None
    return found


def _listen(value: object) -> tuple[str, int]:
    found = text(value).strip()
    match = _LISTEN.match(found)
    if match is None or int(match[2]) > 65535:
        raise wrong(f"{shown(found)!r} is not an address to listen on", 'write "127.0.0.1:8080", or ":8080" for every address')
    return match[1].strip("[]"), int(match[2])


def _network(value: object) -> str:
    """A network, or one address, in the usual spelling."""
    found = text(value).strip()
    try:
        network = ip_network(found, strict=False)
    except ValueError:
        raise wrong(f"{shown(found)!r} is not a network or an address", 'write for example "10.0.0.0/8" or "127.0.0.1"') from None
    if ip_interface(found).ip != network.network_address:
        raise wrong(f"{shown(found)!r} is an address within a network", f'write "{network}" for all of it, or the address alone')
    if network.prefixlen == 0:
        raise wrong(f"{shown(found)!r} is everybody, and anybody could be anyone", "write the address of the proxy")
    return str(network)


def _person_header(value: object) -> str:
    """The name of a header that only a proxy sets."""
    found = text(value).strip()
    if not _HEADER.match(found):
        raise wrong(f"{shown(found)!r} is not the name of a header", "write for example X-Forwarded-User")
    if _OTHER_HEADERS.fullmatch(found):
        raise wrong(f"{found} means something else, or comes from everybody's browser", "write for example X-Forwarded-User")
    return found


def _repository(value: object) -> str:
    found = text(value).strip()
    if not _OWNED.match(found):
        raise wrong("is not a repository: write owner/name")
    return found


def _project(value: object) -> str:
    found = text(value).strip().strip("/")
    if not _PROJECT.match(found):
        raise wrong("is not a project: write group/name")
    return found


def _state(value: object) -> str | Source:
    if not isinstance(value, str):
        return source(value)
    if _holds_password(value):
        raise wrong("a password must not stand in this file", "write state: {env: NAME}, with the whole URL in that variable")
    if not value.startswith(("sqlite://", "postgresql://")):
        raise wrong("has to begin with sqlite:/// or postgresql://", f"write for example {STATE}")
    return _line(value)


def _hook_address(value: object) -> str | Source:
    return _line(value) if isinstance(value, str) else source(value)


def _permissions(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise wrong(f"has to be a mapping (permission: level), not {kind_of(value)}")
    for key, level in value.items():
        if level not in _LEVELS:
            raise wrong(f"has to be {', '.join(_LEVELS[:-1])} or {_LEVELS[-1]}, not {kind_of(level)}", at=(key,))
    return {str(key): str(level) for key, level in value.items()}


def _places(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise wrong(f"has to be a mapping (image: path in the JSON), not {kind_of(value)}")
    for key, path in value.items():
        if key not in _PLACES:
            raise wrong("unknown key", f"known here: {', '.join(_PLACES)}", (key,))
        try:
            path_of(path if isinstance(path, str) else "")
        except BadWebhook as error:
            raise wrong(str(error), at=(key,)) from None
    if "image" not in value:
        raise wrong("has to say where the image stands", "write for example {image: $.artifact.name, tag: $.artifact.tag}")
    return {str(key): str(path) for key, path in value.items()}


HttpAddress = Annotated[str, BeforeValidator(_address)]
GitHubAddress = Annotated[str, BeforeValidator(_github_url)]
GitLabAddress = Annotated[str, BeforeValidator(_gitlab_url)]
GitAddress = Annotated[str, BeforeValidator(_git_url)]
BranchName = Annotated[str, BeforeValidator(_branch)]
RegistryHost = Annotated[str, BeforeValidator(_host)]
AuthHost = Annotated[str, BeforeValidator(_auth_host)]
Listen = Annotated[Any, PlainValidator(_listen), WithJsonSchema({"title": "address"})]
Network = Annotated[str, BeforeValidator(_network)]
PersonHeader = Annotated[str, BeforeValidator(_person_header)]
Repository = Annotated[str, BeforeValidator(_repository)]
Project = Annotated[str, BeforeValidator(_project)]
State = Annotated[Any, PlainValidator(_state), WithJsonSchema({"title": "address or `{env: NAME}`"})]
HookAddress = Annotated[
    Any, PlainValidator(_hook_address), WithJsonSchema({"title": "address, or `{env: NAME}` or `{file: PATH}`"})
]
Permissions = Annotated[Any, PlainValidator(_permissions), WithJsonSchema({"title": "mapping"})]
Places = Annotated[Any, PlainValidator(_places), WithJsonSchema({"title": "mapping"})]
