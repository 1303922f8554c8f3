"""Files of a folder on this machine: walked without following links, read up to a limit, written in place."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.terminal import UsageError

FILE_LIMIT = 8 * 1024 * 1024  # bytes; a manifest is far smaller
_NEVER = frozenset({".git", ".hg", ".svn", "node_modules", ".venv", ".tox", ".terraform"})


class Unreadable(Exception):
    """A file could not be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A folder (or one file). Paths are relative to `root`, with `/` between the parts, as git writes them."""

    root: Path
    only: str | None = None

    @classmethod
    def at(cls, path: Path) -> Checkout:
        """A folder, or the one file that `path` names. Raises UsageError where there is neither."""
        if path.is_dir():
            return cls(path)
        if path.is_file():
            return cls(path.parent, path.name)
        raise UsageError(f"{path}: no such file or folder")

    def paths(self, wanted: Callable[[str], bool]) -> Iterator[str]:
        """Every regular file that is wanted, in order. Links are never followed: one could lead out of the folder."""
        if self.only is not None:
            yield self.only
            return
        yield from sorted(self._walk(str(self.root), "", wanted))

    def _walk(self, folder: str, prefix: str, wanted: Callable[[str], bool]) -> Iterator[str]:
        with os.scandir(folder) as entries:
            for entry in entries:
                path = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in _NEVER:
                        yield from self._walk(entry.path, path + "/", wanted)
                elif entry.is_file(follow_symlinks=False) and wanted(path):
                    yield path

    def read(self, path: str) -> bytes:
        """The bytes of a file. Raises Unreadable with the reason."""
        try:
            with open(self.root / path, "rb") as file:
                data = file.read(FILE_LIMIT + 1)
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from error
        if len(data) > FILE_LIMIT:
            raise Unreadable(f"larger than {FILE_LIMIT // 2**20} MiB")
        return data

    def write(self, path: str, data: bytes) -> None:
        """Replace a file's content at once (a reader sees the old or the new, nothing between); its mode stays."""
        target = self.root / path
        scratch = target.with_name(f".{target.name}.tagboat")
        try:
            scratch.write_bytes(data)
            scratch.chmod(target.stat().st_mode & 0o7777)
            scratch.replace(target)
        finally:
            scratch.unlink(missing_ok=True)
