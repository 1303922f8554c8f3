"""A process that brings a repository to what one action wishes, as a pass would, and may be killed on the way.

python -m tests.bot.forges.git.child URL CACHE ACTION [POINT]
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from bot.forges.base import Landing
from bot.forges.git.forge import GitForge
from tests.bot.forges.git.wishes import LANDING, NOW, wish


async def act(forge: GitForge, action: str) -> None:
    """Look, and do what is left to do."""
    look = await forge.look()
    base = look.heads["main"]
    request = next((request for request in look.requests if request.state == "open"), None)
    match action:
        case "open":
            if not look.requests:
                await forge.open(wish("1.1.0"), base)
        case "refresh":
            if request and request.record and request.record.fingerprint != "fp-1.2.0":
                await forge.refresh(request, wish("1.2.0"), base, rewrite=True)
        case "close":
            if request:
                await forge.close(request, "nothing left to update")
        case "merge":
            if request:
                await forge.merge(request, Landing("merge", LANDING, request.head))
        case "push":
            if not any(commit.ours for commit in await forge.history("main", ["app.yaml"])):
                await forge.push(wish("1.1.0"), base, LANDING)
    sys.stdout.write(f"{sorted((request.number, request.state) for request in (await forge.look()).requests)}\n")


def main(url: str, cache: str, action: str, point: str = "") -> None:
    def fault(reached: str) -> None:
        if reached == point:
            os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(act(GitForge(url, cache=Path(cache), now=lambda: NOW, fault=fault), action))


if __name__ == "__main__":
    main(*sys.argv[1:])
