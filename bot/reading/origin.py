"""Where a checkout comes from: its remote's repository, forge and branch, read from git's own files.

    Origin.of(Path("."))      Origin(repository="acme/shop", forge="github", branch="main")

No git is run: a folder may be anybody's, and its configuration could name programs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from rules.ci.base import ForgeName

_SECTION = re.compile(r'^\s*\[\s*(?P<name>\w+)(?:\s+"(?P<sub>[^"]*)")?\s*\]')
_URL = re.compile(r"^\s*url\s*=\s*(?P<url>\S+)", re.IGNORECASE)
_REMOTE = re.compile(r"\A(?:\w+://)?(?:[^@/]*@)?(?P<host>[\w.\-]+)(?::\d+(?=/))?[:/](?P<path>[^?#]+?)(?:\.git)?/?\Z")
_LIMIT = 256 * 1024


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a checkout's home; None where it is not."""

    repository: str | None = None
    forge: ForgeName | None = None
    branch: str | None = None

    @classmethod
    def of(cls, root: Path) -> Origin:
        """What git's files in this folder say."""
        config = _text(root / ".git" / "config")
        head = _text(root / ".git" / "refs" / "remotes" / "origin" / "HEAD").strip()
        branch = head.rpartition("refs/remotes/origin/")[2] if "refs/remotes/origin/" in head else None
        if branch is None:
            current = _text(root / ".git" / "HEAD").strip().removeprefix("ref: refs/heads/")
            branch = current if current in ("main", "master", "trunk") else None
        match = _REMOTE.match(_url(config) or "")
        if match is None or "/" not in match["path"].strip("/") or "." not in match["host"]:
            return cls(branch=branch)
        host = match["host"].lower()
        forge: ForgeName | None = "github" if "github" in host else "gitlab" if "gitlab" in host else None
        return cls(match["path"].strip("/"), forge, branch)


def _url(config: str) -> str | None:
    """The address of `origin`, else of the first remote."""
    urls: dict[str, str] = {}
    section = ("", "")
    for line in config.splitlines():
        if match := _SECTION.match(line):
            section = (match["name"].lower(), match["sub"] or "")
        elif section[0] == "remote" and (match := _URL.match(line)):
            urls.setdefault(section[1], match["url"])
    return urls.get("origin") or next(iter(urls.values()), None)


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_LIMIT)
    except (OSError, ValueError):
        return ""
