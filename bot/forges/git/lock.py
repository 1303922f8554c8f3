"""Only one process at a time works in a clone: a file lock beside it. Whoever comes second waits."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.forges.base import Denied, Unreachable

_WAIT = 300.0  # seconds


@asynccontextmanager
async def held(folder: Path, name: str) -> AsyncIterator[None]:
    """Hold the lock in a folder, which is made where it is not there. `name` is what people call the repository.

    Raises Denied where the folder cannot be written, Unreachable where another process holds the lock for minutes."""
    handle = _opened(folder)
    try:
        await _wait_for(handle, name)
        yield
    finally:
        os.close(handle)


def _opened(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Denied(f"the folder for clones cannot be written: {error}") from None


async def _wait_for(handle: int, name: str) -> None:
    deadline = asyncio.get_running_loop().time() + _WAIT
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if asyncio.get_running_loop().time() > deadline:
                raise Unreachable(f"{name}: another process has been working in its clone for minutes") from None
            await asyncio.sleep(0.02)
