"""Files of a folder on this machine: walked without following links, read up to a limit, written in place.

    checkout = Checkout.at(Path("envs"))
    for path in checkout.paths(is_manifest):     "dev/shop.yaml", …
        checkout.read(path)

The folder may be anybody's: a link in it leads nowhere, and a file is replaced at once or not at all.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.terminal import UsageError

FILE_LIMIT = 8 * 1024 * 1024  # bytes; a manifest is far smaller
_NEVER = frozenset({".git", ".hg", ".svn", "node_modules", ".venv", ".tox", ".terraform"})

Complain = Callable[[str, str], None]  # a path, and why it could not be read


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
        try:
            if path.is_dir():
                return cls(path)
            if path.is_file():
                return cls(path.parent, path.name)
        except (OSError, ValueError):  # a name that no file can have
            pass
        raise UsageError(f"{path}: no such file or folder")

    def paths(self, wanted: Callable[[str], bool], complain: Complain = lambda path, reason: None) -> Iterator[str]:
        """Every regular file that is wanted, in order. Links are never followed: one could lead out of the folder.

        Folders that cannot be listed are told to `complain`.
        """
        if self.only is not None:
            yield self.only
            return
        yield from sorted(self._walk(str(self.root), "", wanted, complain))

    def _walk(self, folder: str, prefix: str, wanted: Callable[[str], bool], complain: Complain) -> Iterator[str]:
        try:
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError as error:
            complain(prefix or ".", error.strerror or str(error))
            return
        for entry in entries:
            path = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _NEVER:
                    yield from self._walk(entry.path, path + "/", wanted, complain)
            elif entry.is_file(follow_symlinks=False) and wanted(path):
                yield path

    def read(self, path: str) -> bytes:
        """The bytes of a file. Raises Unreadable with the reason."""
        # The one file that a person named may be a link; one that was found is none, unless it became one just now.
        follow = 0 if self.only is not None else os.O_NOFOLLOW
        try:
            with open(os.open(self.root / path, os.O_RDONLY | os.O_CLOEXEC | follow), "rb") as file:
                data = file.read(FILE_LIMIT + 1)
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from error
        if len(data) > FILE_LIMIT:
            raise Unreadable(f"larger than {FILE_LIMIT // 2**20} MiB")
        return data

    def write(self, path: str, data: bytes) -> None:
        """Replace a file's content at once (a reader sees the old or the new, nothing between); its mode stays.

        Raises OSError where that is not possible; the file is then as it was.
        """
        target = self.root / path
        if self.only is not None:
            target = target.resolve()
        # A new name that nobody could have planted as a link, in the same folder, for the last step has to be a rename.
        handle, scratch = tempfile.mkstemp(prefix=".tagboat-", dir=target.parent)
        try:
            with open(handle, "wb") as file:
                file.write(data)
                os.fchmod(file.fileno(), target.stat(follow_symlinks=False).st_mode & 0o7777)
            os.replace(scratch, target)
        except BaseException:
            os.unlink(scratch)
            raise
