"""A bare repository behind a project: commits, merges and trees by git's own plumbing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ZERO = "0" * 40


@dataclass(frozen=True)
class Who:
    name: str
    email: str


class GitTrouble(Exception):
    """Git refused."""


class Repo:
    """`path` is the bare repository."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._said: dict[tuple[str, ...], str | GitTrouble] = {}
        self._trees: dict[str, dict[str, tuple[str, str, str]]] = {}
        path.mkdir(parents=True)
        self.git("init", "-q", "--bare", "-b", "main", ".")

    def run(self, *args: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> bytes:
        base = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "LC_ALL": "C",
        }
        done = subprocess.run(
            ["git", *args], cwd=self.path, env=base | dict(env or {}), input=stdin, capture_output=True, check=False
        )
        if done.returncode:
            raise GitTrouble(f"git {args}: {done.stderr.decode()}{done.stdout.decode()}")
        return done.stdout

    def git(self, *args: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> str:
        return self.run(*args, stdin=stdin, env=env).decode("utf-8", "surrogateescape").rstrip("\n")

    # -- reading

    def head(self, branch: str) -> str | None:
        # Nothing packs the refs of this repository, so each is a file.
        try:
            return (self.path / "refs" / "heads" / branch).read_text().strip()
        except OSError:
            return None

    def commit_id(self, ref: str) -> str | None:
        """The commit that a branch's name or an id stands for."""
        found = self.head(ref)
        if found is None and len(ref) in (40, 64):
            try:
                return self.once("rev-parse", "-q", "--verify", f"{ref}^{{commit}}")
            except GitTrouble:
                return None
        return found

    def branches(self) -> list[str]:
        return self.git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads").splitlines()

    def once(self, *args: str) -> str:
        """What git says of objects, which never changes. Raises GitTrouble again, too."""
        if args not in self._said:
            try:
                self._said[args] = self.git(*args)
            except GitTrouble as trouble:
                self._said[args] = trouble
        said = self._said[args]
        if isinstance(said, GitTrouble):
            raise said
        return said

    def tree(self, ref: str) -> dict[str, tuple[str, str, str]]:
        """Every entry below a commit, folders too: path to (mode, type, id)."""
        if (commit := self.commit_id(ref)) is not None:
            if commit not in self._trees:
                self._trees[commit] = self._tree(commit)
            return dict(self._trees[commit])
        return self._tree(ref)

    def _tree(self, ref: str) -> dict[str, tuple[str, str, str]]:
        rows = self.run("ls-tree", "-r", "-t", "-z", "--full-tree", ref).decode("utf-8", "surrogateescape").split("\0")
        found = {}
        for row in filter(None, rows):
            head, path = row.split("\t", 1)
            mode, kind, oid = head.split(" ")
            found[path] = (mode, kind, oid)
        return found

    def blob(self, oid: str) -> bytes:
        return self.run("cat-file", "blob", oid)

    def show(self, what: str) -> str:
        return self.git("show", what)

    def info(self, commit: str) -> dict[str, object]:
        """A commit as GitLab's API writes it."""
        text = self.once("log", "-1", "--format=%H%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B", commit)
        oid, parents, an, ae, at, cn, ce, ct, message = text.split("\0", 8)
        return {
            "id": oid,
            "short_id": oid[:8],
            "title": message.split("\n", 1)[0],
            "message": message.rstrip("\n") + "\n",
            "parent_ids": parents.split(),
            "author_name": an,
            "author_email": ae,
            "authored_date": at,
            "committer_name": cn,
            "committer_email": ce,
            "committed_date": ct,
            "created_at": ct,
        }

    def log(self, *args: str) -> list[str]:
        return self.git("log", "--format=%H", *args).splitlines()

    def merge_base(self, one: str, other: str) -> str | None:
        try:
            return self.once("merge-base", self.commit_id(one) or one, self.commit_id(other) or other)
        except GitTrouble:
            return None

    def contains(self, commit: str, inside: str) -> bool:
        return self.merge_base(commit, inside) == commit

    def diff(self, one: str, other: str) -> list[dict[str, object]]:
        """The changed files, as GitLab's compare lists them."""
        rows = self.git("diff-tree", "-r", "-z", "--no-renames", one, other).split("\0")
        found: list[dict[str, object]] = []
        for head, path in zip(rows[::2], rows[1::2], strict=False):
            old, new, _, _, kind = head.lstrip(":").split(" ")
            found.append(
                {
                    "old_path": path,
                    "new_path": path,
                    "a_mode": old,
                    "b_mode": new,
                    "new_file": kind == "A",
                    "deleted_file": kind == "D",
                    "renamed_file": False,
                    "diff": "",
                }
            )
        return found

    def archive(self, commit: str, prefix: str) -> bytes:
        return self.run("archive", "--format=tar.gz", f"--prefix={prefix}/", commit)

    # -- writing

    def store(self, data: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", stdin=data)

    def commit(
        self,
        message: str,
        parents: Sequence[str],
        author: Who,
        committer: Who,
        files: Mapping[str, tuple[str, str] | None] | None = None,
        tree: str | None = None,
        date: str | None = None,
    ) -> str:
        """A commit; `files` are laid over the first parent's tree: path to (mode, blob), None removes."""
        if tree is None:
            env = {"GIT_INDEX_FILE": str(self.path / "index.tmp")}
            if parents:
                self.git("read-tree", parents[0], env=env)
            else:
                self.git("read-tree", "--empty", env=env)
            lines = []
            for path, entry in (files or {}).items():
                mode, oid = entry or ("0", ZERO)
                lines.append(f"{mode} {oid}\t{path}\0")
            self.git("update-index", "-z", "--index-info", stdin="".join(lines).encode("utf-8", "surrogateescape"), env=env)
            tree = self.git("write-tree", env=env)
        env = {
            "GIT_AUTHOR_NAME": author.name,
            "GIT_AUTHOR_EMAIL": author.email,
            "GIT_COMMITTER_NAME": committer.name,
            "GIT_COMMITTER_EMAIL": committer.email,
        }
        if date:
            env |= {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
        args = [arg for parent in parents for arg in ("-p", parent)]
        return self.git("commit-tree", tree, *args, stdin=message.encode(), env=env)

    def move(self, branch: str, to: str | None) -> str:
        """Put a branch somewhere, or remove it; where it was (zeros: nowhere)."""
        before = self.head(branch) or ZERO
        if to is None:
            self.git("update-ref", "-d", f"refs/heads/{branch}")
        else:
            self.git("update-ref", f"refs/heads/{branch}", to)
        return before

    def merged_tree(self, one: str, other: str) -> str | None:
        """The tree of merging two commits; None: they conflict."""
        try:
            ids = (self.commit_id(one) or one, self.commit_id(other) or other)
            return self.once("merge-tree", "--write-tree", *ids).splitlines()[0]
        except GitTrouble:
            return None
