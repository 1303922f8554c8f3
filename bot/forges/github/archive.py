"""Very many files at once: GitHub's archive of a commit, read from a temporary file and never unpacked.

An archive can differ from the commit (`export-ignore`, `export-subst`, line ends): so only what has the id that the tree says
counts, and the rest is read one by one.
"""

from __future__ import annotations

import asyncio
import tarfile
import tempfile
import zlib
from collections.abc import Collection
from typing import IO

from bot.forges.base import Unreachable
from bot.forges.github.place import Place, blob_id
from bot.forges.github.wire import Wire

_LIMIT = 512 * 1024 * 1024
_UNPACKED = 2 * 1024 * 1024 * 1024
_IN_MEMORY = 16 * 1024 * 1024


async def from_archive(wire: Wire, place: Place, commit: str, oids: Collection[str]) -> dict[str, bytes]:
    """Those of the blobs that the archive of a commit holds just as they are. Raises Unreachable where it cannot be read."""
    wanted = {path: entry.oid for path, entry in place.trees.get(commit, {}).items() if entry.oid in set(oids)}
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        await wire.download(f"{place.rest}/tarball/{commit}", file, _LIMIT)
        file.seek(0)
        try:
            return await asyncio.to_thread(_read, file, wanted)
        except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
            raise Unreachable(f"the archive cannot be read ({type(error).__name__})") from None


def _read(file: IO[bytes], wanted: dict[str, str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    size = 0
    with tarfile.open(fileobj=file, mode="r|gz") as archive:
        for member in archive:
            size += member.size
            if size > _UNPACKED:
                raise tarfile.TarError("larger than expected")
            path = member.name.partition("/")[2]  # below a folder by the repository's name
            if not member.isfile() or path not in wanted:
                continue
            content = archive.extractfile(member)
            data = content.read() if content else b""
            if blob_id(data) == wanted[path]:
                found[wanted[path]] = data
    return found
