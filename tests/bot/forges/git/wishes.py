"""Proposals for the stories of the git forge."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.forges.git.forge import GitForge
from rules.proposals import FileChange, Message, Proposal, Stream

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TRAILERS = "Tagboat-Image: docker.io/library/web\nTagboat-Update: minor"
MESSAGE = Message("Update web from 1.0.0 to 1.1.0", TRAILERS)
LANDING = Message("Update web from 1.0.0 to 1.1.0 [skip ci]", TRAILERS)
STREAM = Stream("main", "docker.io/library/web", "rule")
BRANCH = STREAM.branch("tagboat/")


def wish(
    version: str = "1.1.0", path: str = "app.yaml", image: str = "web", base: str = "main", prefix: str = "tagboat/"
) -> Proposal:
    """The proposal that `path` is to say `image: web:<version>`; each image has a branch of its own."""
    stream = Stream(base, f"docker.io/library/{image}", "rule")
    files = (FileChange(path, "100644", "0" * 40, f"image: web:{version}\n".encode()),)
    message = Message(f"Update web from 1.0.0 to {version}", TRAILERS)
    title = f"Update web to {version}"
    return Proposal(stream, stream.branch(prefix), title, "Why: newer.\n", message, files, (), f"fp-{version}", ("images",))


async def head_of(forge: GitForge) -> str:
    """Look, and say where the default branch stands."""
    return (await forge.look()).heads["main"]
