"""Updates become Proposals: one for each stream, with its branch, its words and its files."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from rules.updates import Update


@dataclass(frozen=True, slots=True)
class Stream:
    """What one request is for: base branch, image or group, how it lands, and the major it stays in.

    `subject` is a canonical image name or `group:<name>`; `landing` tells requests that land by rule from those that wait
    for a person (a short text, equal for equal landing rules); `major` is set only for a stream that changes the major.
    """

    base: str
    subject: str
    landing: str
    major: str | None = None

    @property
    def key(self) -> str:
        return "|".join((self.base, self.subject, self.landing, self.major or ""))

    def branch(self, prefix: str) -> str:
        """The branch of this stream: `<prefix><slug>-<short hash>`, a pure function of the stream."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.subject.rpartition("/")[2].removeprefix("group:").lower()).strip("-")[:40]
        return f"{prefix}{slug or 'images'}-{hashlib.sha256(self.key.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file of a proposal: its content on the base (by git blob id) and the content it is to have. The mode stays."""

    path: str
    mode: str
    old_oid: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """A commit message."""

    headline: str
    body: str = ""

    def __str__(self) -> str:
        return f"{self.headline}\n\n{self.body}\n" if self.body else f"{self.headline}\n"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A request as it ought to be. `message` is the branch commit's; `title` and `body` are the request's own.

    `fingerprint` changes exactly when the branch has to be written anew (the wished targets of the stream).
    """

    stream: Stream
    branch: str
    title: str
    body: str
    message: Message
    files: tuple[FileChange, ...]
    updates: tuple[Update, ...]
    fingerprint: str
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    priority: int = 0
