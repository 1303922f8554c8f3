"""What a GitHub repository and our requests in it were at the last look. The writes need it, and it is never more than a memory:
losing it costs requests, nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from cachetools import LRUCache

from bot.forges.base import Comment, Entry
from bot.forges.github.answers import quoted
from rules.requests import PullRequest

Json = Mapping[str, Any]

_TRAILER = "Tagboat-Update:"
_BLOBS_KEPT = 8 * 1024 * 1024
_HEADS_KEPT = 1000  # of branches that we wrote or removed; others are told by their commits


@dataclass(frozen=True, slots=True)
class Us:
    """Who we are on GitHub: the login (`tagboat[bot]` for an App), its number, and the author whom a repository named, if any."""

    login: str
    id: int | None = None
    author: tuple[str, str] | None = None

    @property
    def is_bot(self) -> bool:
        return self.login.endswith("[bot]")

    @property
    def signature(self) -> tuple[str, str]:
        """Name and e-mail address of our commits."""
        number = f"{self.id}+" if self.id is not None else ""
        return self.author or (self.login, f"{number}{self.login}@users.noreply.github.com")

    def wrote(self, author: Json | None, message: str) -> bool:
        """Whether a commit is ours: by its author, and for a login that a person uses too, by our trailers as well.

        Both can be forged by who may write to the repository. So this serves to leave a person's commits alone; what lands is
        compared with what we would write."""
        said = author or {}
        user = (said.get("user") or {}).get("login")
        short = self.login.removesuffix("[bot]")
        names = {self.login, *(() if self.author is None else self.author)}
        mine = (
            user in (self.login, short)
            if user
            else bool(names & {said.get("name"), said.get("email")})
            or (str(said.get("email") or "").endswith(f"+{self.login}@users.noreply.github.com"))
        )
        if not mine and self.author is not None:
            mine = said.get("email") == self.author[1]
        return mine and (self.is_bot or _TRAILER in message)


@dataclass(frozen=True, slots=True)
class Known:
    """A request of ours as the last look showed it, beside what all forges tell.

    `fork` is the commit on the base that its branch starts from, where that is sure; `comments` are None where not all of them
    are known; `ours` is our own comment (its number and text); `check` our check run on the head (number, digest of its words).
    """

    id: str
    head: str
    message: str = ""
    fork: str | None = None
    commits: int = 0
    comments: tuple[Comment, ...] | None = None
    ours: tuple[str, str] | None = None
    check: tuple[int, str] | None = None
    assignees: frozenset[str] = frozenset()


@dataclass(slots=True)
class Place:
    """One repository. `path` is `owner/name` as it is now; `kept` the configuration file's blob, if the look brought it along."""

    path: str
    app: str = ""  # the App's login, where we are one and a list told it
    us: Us = field(default_factory=lambda: Us(""))
    id: str = ""
    default: str = "main"
    seen: bool = False
    numbers: tuple[tuple[str, int], ...] | None = None  # our open requests, by base
    known: dict[int, Known] = field(default_factory=dict)
    ended: dict[int, tuple[PullRequest, datetime | None]] = field(default_factory=dict)
    newest_end: str = ""
    cleared: LRUCache[tuple[str, str], bool] = field(default_factory=lambda: LRUCache(maxsize=_HEADS_KEPT))
    written: LRUCache[str, bool] = field(default_factory=lambda: LRUCache(maxsize=_HEADS_KEPT))
    sizes: LRUCache[str, int] = field(default_factory=lambda: LRUCache(maxsize=200_000))
    blobs: LRUCache[str, bytes] = field(default_factory=lambda: LRUCache(maxsize=_BLOBS_KEPT, getsizeof=len))
    trees: LRUCache[str, Mapping[str, Entry]] = field(default_factory=lambda: LRUCache(maxsize=4))
    others: dict[int, tuple[str, str]] = field(default_factory=dict)  # people's open requests from here: head and base
    large: bool = False  # GitHub cuts its trees off
    deletes: bool = False  # GitHub itself deletes the branch of what landed
    settings: str = ""  # the blob of the configuration file on the default branch
    listed: str | None = None  # the commit whose tree was read last

    def meet(self, viewer: Json | None) -> bool:
        """Take in who GitHub says we are; whether we know it now."""
        login = str((viewer or {}).get("login") or self.us.login or self.app)
        if self.app and not login.endswith("[bot]"):
            login += "[bot]"
        self.us = replace(self.us, login=login, id=(viewer or {}).get("databaseId") or self.us.id)
        return bool(login)

    def opened(self, number: int, base: str, known: Known) -> None:
        """Take in a request that was opened after the look."""
        self.known[number] = known
        if self.numbers is not None and (base, number) not in self.numbers:
            self.numbers = (*self.numbers, (base, number))

    @property
    def rest(self) -> str:
        """The repository's address in REST."""
        return f"/repos/{quoted(self.path)}"

    @property
    def names(self) -> dict[str, str]:
        """Its names as variables of GraphQL."""
        owner, _, name = self.path.partition("/")
        return {"owner": owner, "name": name}


def blob_id(data: bytes) -> str:
    """The id that git gives to a content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def whole(blob: Json) -> bytes | None:
    """The content of a blob that GraphQL gave; None where its text is not all of it, byte for byte."""
    text = blob.get("text")
    if not isinstance(text, str) or blob.get("isBinary") or blob.get("isTruncated"):
        return None
    data = text.encode("utf-8", "surrogatepass")
    return data if blob_id(data) == blob.get("oid") else None
