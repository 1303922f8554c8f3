"""Git's own forms, read and written: trees, raw diffs, batches of objects, and the stream that makes a commit.

A path is text; bytes that are not UTF-8 are kept as surrogates (`surrogateescape`), so that every path survives the way back.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.forges.base import Change, Commit, Entry
from bot.forges.git.address import object_id, tree_path
from bot.forges.git.errors import BrokenClone
from rules.proposals import FileChange

_TRAILER = re.compile(r"^Tagboat-Image:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Person:
    """A name and an e-mail address, as git writes them into a commit."""

    name: str
    email: str

    @property
    def ident(self) -> str:
        name, email = (re.sub(r"[\x00-\x1f<>]+", "", text).strip(" .,:;\"'\\") for text in (self.name, self.email))
        return f"{name or 'tagboat'} <{email}>"


def read_tree(listing: bytes) -> dict[str, Entry]:
    """The files of `ls-tree -r -z`, with sizes where `-l` told them."""
    files: dict[str, Entry] = {}
    for line in listing.split(b"\0"):
        if line:
            facts, _, path = line.partition(b"\t")
            mode, _, oid, *size = facts.decode("ascii").split()
            files[_text(path)] = Entry(oid, mode, int(size[0]) if size and size[0].isdigit() else None)
    return files


def read_changes(raw: bytes) -> list[Change]:
    """The files of `diff-tree -r -z --raw --no-abbrev --no-renames`."""
    fields = iter(raw.split(b"\0"))
    changes = []
    for facts in fields:
        if facts:
            old_mode, new_mode, old, new, _ = facts.decode("ascii").removeprefix(":").split()
            there, here = old_mode != "000000", new_mode != "000000"
            path = _text(next(fields))
            changes.append(
                Change(
                    path, old if there else None, new if here else None, old_mode if there else None, new_mode if here else None
                )
            )
    return changes


def read_batch(answer: bytes) -> Iterator[tuple[str, str, bytes | None]]:
    """The objects of `cat-file --batch`: id as asked, type ("missing" where it is not there), content."""
    at = 0
    while at < len(answer):
        end = answer.index(b"\n", at)
        head = answer[at:end].decode("ascii").split()
        if head[1] == "missing":
            yield head[0], "missing", None
            at = end + 1
        else:
            size = int(head[2])
            yield head[0], head[1], answer[end + 1 : end + 1 + size]
            at = end + 1 + size + 1


@dataclass(frozen=True, slots=True)
class CommitFacts:
    """A commit object, as far as it is read here."""

    tree: str
    parents: tuple[str, ...]
    committer: str
    message: str


def read_commit(data: bytes) -> CommitFacts:
    """A commit object's bytes. Raises BrokenClone where they are none."""
    head, _, message = data.partition(b"\n\n")
    tree, parents, committer = "", [], ""
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"tree":
            tree = _text(value)
        elif key == b"parent":
            parents.append(_text(value))
        elif key == b"committer":
            committer = _text(value).rpartition(">")[0] + ">"
    if not tree:
        raise BrokenClone("an object that should be a commit is none")
    return CommitFacts(tree, tuple(parents), committer, message.decode("utf-8", "replace"))


LOG_FORMAT = "--format=%H%x00%an%x00%cn <%ce>%x00%ct%x00%B%x00"


def read_log(listing: bytes, us: Person) -> list[Commit]:
    """The commits of `log` with LOG_FORMAT. A commit is ours with our trailer and our committer name: both can be forged."""
    fields = listing.decode("utf-8", "replace").split("\0")
    commits = []
    for at in range(0, len(fields) - 4, 5):
        oid, author, committer, seconds, message = (field.lstrip("\n") for field in fields[at : at + 5])
        when = datetime.fromtimestamp(int(seconds), UTC)
        commits.append(Commit(oid, author, message, when, is_ours(committer, message, us)))
    return commits


def is_ours(committer: str, message: str, us: Person) -> bool:
    """Whether a commit is one of ours, as far as a commit can tell."""
    return committer == us.ident and _TRAILER.search(message) is not None


def blob_id(data: bytes, object_format: str) -> str:
    """The id that git gives to a blob."""
    digest = hashlib.new("sha256" if object_format == "sha256" else "sha1", usedforsecurity=False)
    digest.update(b"blob %d\0" % len(data))
    digest.update(data)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Signature:
    """Who made a commit, and when. The committer is always Tagboat itself: that is how it knows its own commits."""

    author: Person
    committer: Person
    at: datetime


def commit_stream(
    message: str, parents: Sequence[str], by: Signature, *, files: Sequence[FileChange] = (), tree: str | None = None
) -> bytes:
    """What `git fast-import` is fed to make one commit and to print its id.

    The tree is the first parent's with `files` put in, or `tree` as it is. Raises BadAddress for a path that leaves the tree."""
    author, committer = (
        f"{person.ident} {int(by.at.timestamp())} +0000\n".encode("utf-8", "replace") for person in (by.author, by.committer)
    )
    text = message.replace("\0", "").encode("utf-8", "replace")
    parts = [
        b"commit refs/made/commit\nmark :1\nauthor ",
        author,
        b"committer ",
        committer,
        b"data %d\n" % len(text),
        text,
        b"\n",
    ]
    for word, parent in zip(("from", *["merge"] * len(parents)), parents, strict=False):
        parts.append(f"{word} {object_id(parent)}\n".encode())
    if tree is not None:
        parts.append(f'M 040000 {object_id(tree)} ""\n'.encode())
    for file in files:
        if file.mode not in ("100644", "100755", "120000"):
            raise BrokenClone(f"a file cannot have the mode {file.mode!r}")
        parts.append(b"M %s inline %s\ndata %d\n" % (file.mode.encode(), _quoted(tree_path(file.path)), len(file.data)))
        parts += (file.data, b"\n")
    parts.append(b"get-mark :1\ndone\n")
    return b"".join(parts)


def _quoted(path: str) -> bytes:
    raw = path.encode("utf-8", "surrogateescape")
    plain = b"".join(bytes((c,)) if 0x20 <= c < 0x7F and c not in b'"\\' else b"\\%03o" % c for c in raw)
    return b'"' + plain + b'"'


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
