"""Addresses of plain git repositories, and the names that git is given: read once, refused where they could be an option.

    /srv/git/gitops.git                 a folder on this machine (so does file:///srv/git/gitops.git)
    https://git.example.com/team/x.git  with `username` and `password`; http too, for a closed network
    ssh://git@git.example.com/x.git     with `ssh_key` and `known_hosts`; git@git.example.com:x.git is the same

Anything else (`ext::…`, `git://`, a leading dash) is refused: git would run programs or read unauthenticated data for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit, urlunsplit

from bot.forges.base import ForgeError

Scheme = Literal["file", "http", "https", "ssh"]

_SCP = re.compile(r"(?P<user>[A-Za-z0-9_.][A-Za-z0-9_.-]*@)?(?P<host>[A-Za-z0-9_.\[][A-Za-z0-9_.:\[\]-]*?):(?P<path>[^:].*)\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# What `git check-ref-format` forbids, for the part after refs/heads/.
_BAD_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.lock(?:/|\Z)|/\.|\A[-./]|[./]\Z|\A@\Z")
_OID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_REF_LIMIT = 240


class BadAddress(ForgeError):
    """The address, branch or path cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a repository is. `url` is what git is given and `name` what people read: neither holds a credential.

    `path` is set for a folder on this machine; `origin` (`https://host:port`) is the one place that credentials go to."""

    name: str
    url: str
    scheme: Scheme
    path: Path | None = None
    origin: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address. Raises BadAddress where it is of no known kind, or could be taken for an option."""
        if not text or text.startswith("-") or _CONTROL.search(text) or "::" in text.partition("/")[0]:
            raise BadAddress(f"{_shown(text)} is not an address of a git repository")
        if "://" not in text:
            return _folder(text) if text.startswith(("/", "./", "../", "~/")) else _scp(text)
        scheme = text.partition("://")[0].lower()
        if scheme == "file":
            return _folder(unquote(text.partition("://")[2].removeprefix("localhost")), text)
        if scheme in ("http", "https", "ssh"):
            return _host(text)
        raise BadAddress(f"{_shown(text)}: git is spoken over file, ssh, https and http only")


def _folder(text: str, name: str | None = None) -> Address:
    path = Path(text).expanduser()
    if name and not text.startswith("/"):
        raise BadAddress(f"{_shown(name)}: a file address needs three slashes, file:///srv/git/x.git")
    path = path.absolute()
    return Address(name or text, str(path), "file", path)


def _scp(text: str) -> Address:
    match = _SCP.match(text)
    if match is None:
        raise BadAddress(f"{_shown(text)} is neither a path that starts with / or ./, nor a URL")
    return Address(text, text, "ssh")


def _host(text: str) -> Address:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise BadAddress(f"{_shown(text)}: {error}") from None
    host = parts.hostname or ""
    if not host or host.startswith("-") or parts.query or parts.fragment or (parts.username or "").startswith("-"):
        raise BadAddress(f"{_shown(text)} is not an address of a git repository")
    place = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    username = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    if parts.scheme == "ssh":
        # The user of an ssh address is part of where it leads (git@…), no secret.
        user = f"{parts.username}@" if parts.username else ""
        url = urlunsplit(("ssh", user + place, parts.path, "", ""))
        return Address(url, url, "ssh")
    scheme: Scheme = "https" if parts.scheme == "https" else "http"
    url = urlunsplit((scheme, place, parts.path, "", ""))
    return Address(url, url, scheme, None, f"{scheme}://{place}", username, password)


def _shown(text: str) -> str:
    """An address for a message: no user and password, no control characters, not endless."""
    return ascii(re.sub(r"//[^/@]*@", "//", text)[:80])


def branch_ref(branch: str) -> str:
    """`refs/heads/<branch>`. Raises BadAddress where git would not take the name, or could take it for something else."""
    if not branch or len(branch.encode("utf-8", "surrogateescape")) > _REF_LIMIT or _BAD_REF.search(branch):
        raise BadAddress(f"{branch[:80]!a} is not a usable branch name")
    return f"refs/heads/{branch}"


def object_id(text: str) -> str:
    """The text, if it is a full object id (SHA-1 or SHA-256). Raises BadAddress else."""
    if _OID.match(text) is None:
        raise BadAddress(f"{text[:80]!a} is not an object id")
    return text


def tree_path(path: str) -> str:
    """The path, if it is one that a tree can hold and that stays inside it. Raises BadAddress else."""
    parts = path.split("/")
    if "\0" in path or any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise BadAddress(f"{path[:200]!a} is not a path inside a repository")
    return path
