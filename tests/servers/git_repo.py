"""A real bare repository, and a person who works in it with the git command line."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path


def run_git(*args: str, cwd: Path, check: bool = True, stdin: bytes | None = None) -> str:
    """Standard output of git as a person runs it, with no configuration of the machine."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(cwd),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C",
    }
    env |= {f"GIT_{role}_NAME": "Ada" for role in ("AUTHOR", "COMMITTER")}
    env |= {f"GIT_{role}_EMAIL": "ada@example.com" for role in ("AUTHOR", "COMMITTER")}
    done = subprocess.run(["git", *args], cwd=cwd, env=env, input=stdin, capture_output=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"git {args}: {done.stderr.decode()}")
    return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")


class GitRepo:
    """`path` is the bare repository; `work` a person's clone of it."""

    def __init__(self, folder: Path, files: Mapping[str, bytes] | None = None, object_format: str = "sha1") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "gitops.git"
        self.work = folder / "work"
        run_git("init", "-q", "--bare", "-b", "main", f"--object-format={object_format}", str(self.path), cwd=folder)
        run_git("init", "-q", "-b", "main", f"--object-format={object_format}", str(self.work), cwd=folder)
        self.person("remote", "add", "origin", str(self.path))
        self.person("config", "protocol.file.allow", "always")
        if files is None:
            files = {"app.yaml": b"image: web:1.0.0\n", "other.yaml": b"image: db:1.0.0\n"}
        if files:
            self.commit("First commit", files)

    @property
    def url(self) -> str:
        return f"file://{self.path}"

    def git(self, *args: str, check: bool = True) -> str:
        """Git in the bare repository."""
        return run_git(*args, cwd=self.path, check=check)

    def person(self, *args: str, check: bool = True, stdin: bytes | None = None) -> str:
        """Git in the person's clone."""
        return run_git(*args, cwd=self.work, check=check, stdin=stdin)

    def commit(self, message: str, files: Mapping[str, bytes], branch: str = "main") -> str:
        """The person commits files on a branch and pushes; the new commit."""
        for path, data in files.items():
            target = self.work / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        self.person("add", "-A")
        self.person("commit", "-q", "--allow-empty", "-m", message)
        self.person("push", "-q", "origin", f"HEAD:refs/heads/{branch}")
        return self.person("rev-parse", "HEAD")

    def checkout(self, branch: str) -> None:
        """The person fetches and stands on the remote's branch."""
        self.person("fetch", "-q", "-p", "origin")
        self.person("checkout", "-q", "-B", branch, f"origin/{branch}")

    def head(self, ref: str) -> str | None:
        """Where a ref of the bare repository stands."""
        return self.git("rev-parse", "-q", "--verify", ref, check=False) or None

    def refs(self) -> dict[str, str]:
        rows = (line.split(" ") for line in self.git("for-each-ref", "--format=%(objectname) %(refname)").splitlines())
        return {name: oid for oid, name in rows}

    def show(self, what: str) -> str:
        return self.git("show", what)
