"""What the server does in a repository's git: commits, merges, and how branches stand to each other."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Person = tuple[str, str]
GITHUB: Person = ("GitHub", "noreply@github.com")


@dataclass(frozen=True, slots=True)
class CommitInfo:
    oid: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    committed: str
    message: str


class GitDir:
    """A bare repository on disk, worked in by git's own commands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._commits: dict[str, CommitInfo] = {}
        self._known: dict[tuple[str, ...], Any] = {}

    def run(self, *args: str, stdin: bytes | None = None, env: dict[str, str] | None = None) -> bytes:
        done = self.answer(*args, stdin=stdin, env=env)
        if done.returncode:
            raise ValueError(f"git {args}: {done.stderr.decode()}")
        return done.stdout

    def answer(
        self, *args: str, stdin: bytes | None = None, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        plain = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
        return subprocess.run(
            ["git", *args], cwd=self.path, env=plain | (env or {}), input=stdin, capture_output=True, check=False
        )

    def text(self, *args: str) -> str:
        return self.run(*args).decode("utf-8", "surrogateescape").strip()

    def refs(self) -> dict[str, str]:
        """Read as files: a request asks for them many times, and a process each time would be slow."""
        found: dict[str, str] = {}
        packed = self.path / "packed-refs"
        if packed.exists():
            rows = (line.split(" ") for line in packed.read_text().splitlines() if line[0] not in "#^")
            found = {name: oid for oid, name in rows}
        for folder, _, files in os.walk(self.path / "refs"):
            for file in files:
                path = Path(folder) / file
                if not file.endswith(".lock"):
                    found[str(path.relative_to(self.path))] = path.read_text().strip()
        return dict(sorted(found.items()))

    def resolve(self, what: str) -> str | None:
        done = self.answer("rev-parse", "-q", "--verify", "--end-of-options", what)
        return done.stdout.decode().strip() or None if done.returncode == 0 else None

    def kind(self, oid: str) -> str | None:
        if oid in self._commits:
            return "commit"
        done = self.answer("cat-file", "-t", oid)
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def blob(self, oid: str) -> bytes:
        return self.run("cat-file", "blob", oid)

    def commit(self, oid: str) -> CommitInfo:
        if oid not in self._commits:
            found = self.run("show", "-s", "--format=%T%x00%P%x00%an%x00%ae%x00%cI%x00%B", oid).decode("utf-8", "replace")
            tree, parents, name, email, at, message = found.split("\0", 5)
            self._commits[oid] = CommitInfo(oid, tree, tuple(parents.split()), (name, email), at, message.rstrip("\n"))
        return self._commits[oid]

    def log(self, *args: str) -> list[str]:
        return self.text("rev-list", *args).split()

    def count(self, old: str, new: str) -> int:
        """How many commits `new` has that `old` has not."""
        return self._once(("count", old, new), lambda: self._count(old, new))

    def _once(self, key: tuple[str, ...], find: Callable[[], Any]) -> Any:
        """What is true of commits stays true: only names may move."""
        if not all(len(part) == 40 for part in key[1:]):
            return find()
        if key not in self._known:
            self._known[key] = find()
        return self._known[key]

    def _count(self, old: str, new: str) -> int:
        return int(self.text("rev-list", "--count", f"{old}..{new}"))

    def merge_base(self, one: str, other: str) -> str | None:
        done = self.answer("merge-base", one, other)
        return done.stdout.decode().strip() or None

    def ancestor(self, old: str, new: str) -> bool:
        return bool(self._once(("ancestor", old, new), lambda: self._ancestor(old, new)))

    def _ancestor(self, old: str, new: str) -> bool:
        return self.answer("merge-base", "--is-ancestor", old, new).returncode == 0

    def merge_tree(self, base: str, head: str) -> str | None:
        """The tree of merging the two; None where they conflict."""
        found: str | None = self._once(("merge", base, head), lambda: self._merge_tree(base, head))
        return found

    def _merge_tree(self, base: str, head: str) -> str | None:
        done = self.answer("merge-tree", "--write-tree", "--no-messages", base, head)
        return None if done.returncode else done.stdout.decode().split("\n")[0].strip()

    def list_tree(self, tree: str, recursive: bool) -> list[tuple[str, str, str, int | None, str]]:
        """Mode, type, oid, size and path."""
        flags = ("-r", "-t") if recursive else ()
        rows = self.run("ls-tree", "-z", "-l", *flags, tree).decode("utf-8", "surrogateescape").split("\0")
        found = []
        for row in filter(None, rows):
            head, path = row.split("\t", 1)
            mode, kind, oid, size = head.split()
            found.append((mode, kind, oid, None if size == "-" else int(size), path))
        return found

    def write_blob(self, data: bytes) -> str:
        return self.run("hash-object", "-w", "--stdin", stdin=data).decode().strip()

    def write_tree(self, base: str | None, rows: Iterable[tuple[str, str, str | None]], index: Path) -> str:
        """A tree with these files changed: path, mode and blob (None: deleted)."""
        env = {"GIT_INDEX_FILE": str(index)}
        index.unlink(missing_ok=True)
        self.run("read-tree", *([base] if base else ["--empty"]), env=env)
        lines = b""
        for path, mode, oid in rows:
            lines += f"{mode if oid else '0'} {oid or '0' * 40}\t{path}".encode("utf-8", "surrogateescape") + b"\0"
        self.run("update-index", "-z", "--index-info", stdin=lines, env=env)
        return self.run("write-tree", env=env).decode().strip()

    def write_commit(self, tree: str, parents: Sequence[str], message: str, author: Person, committer: Person) -> str:
        env = {
            "GIT_AUTHOR_NAME": author[0],
            "GIT_AUTHOR_EMAIL": author[1],
            "GIT_COMMITTER_NAME": committer[0],
            "GIT_COMMITTER_EMAIL": committer[1],
        }
        flags = [flag for parent in parents for flag in ("-p", parent)]
        return self.run("commit-tree", tree, *flags, "-F", "-", stdin=message.encode(), env=env).decode().strip()

    def set_ref(self, ref: str, new: str, old: str | None = None) -> bool:
        """Move a ref, from `old` where that is given; False where it was not there."""
        return self.answer("update-ref", ref, new, *([old] if old else [])).returncode == 0

    def move_refs(self, moves: Iterable[tuple[str, str, str | None]]) -> bool:
        """All or none: ref, new, old (None: whatever it is; zeros: it must not be, or is to go)."""
        lines = "start\n"
        for ref, new, old in moves:
            if set(new) == {"0"}:
                lines += f"delete {ref} {old or ''}\n"
            else:
                lines += f"update {ref} {new} {old or ''}\n"
        return self.answer("update-ref", "--stdin", stdin=(lines + "prepare\ncommit\n").encode()).returncode == 0

    def delete_ref(self, ref: str) -> None:
        self.run("update-ref", "-d", ref)

    def archive(self, commit: str, prefix: str) -> bytes:
        return self.run("archive", "--format=tar.gz", f"--prefix={prefix}/", commit)
