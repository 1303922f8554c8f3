"""Proposals for the stories of the git forge."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.forges.git import GitForge
from rules.proposals import FileChange, Message, Proposal, Stream

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TRAILERS = "Tagboat-Image: docker.io/library/web\nTagboat-Update: minor"
MESSAGE = Message("Update web from 1.0.0 to 1.1.0", TRAILERS)
LANDING = Message("Update web from 1.0.0 to 1.1.0 [skip ci]", TRAILERS)
BRANCH = "tagboat/web-12345678"


def wish(
    version: str = "1.1.0", path: str = "app.yaml", mode: str = "100644", branch: str = BRANCH, base: str = "main"
) -> Proposal:
    """The proposal that `path` is to say `image: web:<version>`."""
    stream = Stream(base, "docker.io/library/web", "rule")
    files = (FileChange(path, mode, "0" * 40, f"image: web:{version}\n".encode()),)
    message = Message(f"Update web from 1.0.0 to {version}", TRAILERS)
    return Proposal(stream, branch, f"Update web to {version}", "Why: newer.\n", message, files, (), f"fp-{version}", ("images",))


async def head_of(forge: GitForge) -> str:
    """Look, and say where the default branch stands."""
    return (await forge.look()).heads["main"]
