"""A row of `forges` of kind git: one plain git repository.

forges:
  - {kind: git, url: "file:///srv/git/gitops.git", branch: main}
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bot.forges.base import ForgeKind, Repository
from bot.forges.git.forge import GitForge
from bot.settings import GitSettings


class GitHost:
    """The one repository of a row; `cache` is the folder under which clones are kept. `settings.password` is revealed here."""

    kind: ForgeKind = "git"

    def __init__(
        self,
        settings: GitSettings,
        *,
        cache: Path,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        fault: Callable[[str], None] = lambda point: None,
    ) -> None:
        self._forge = GitForge(
            settings.url,
            branch=settings.branch,
            cache=cache,
            ssh_key=settings.ssh_key,
            known_hosts=settings.known_hosts,
            username=settings.username,
            password=settings.password.reveal() if settings.password else None,
            now=now,
            fault=fault,
        )

    async def repositories(self) -> Sequence[Repository]:
        """The repository that the row names."""
        return (Repository(self._forge, named=True),)

    async def close(self) -> None:
        """Throw clones away that grew too large."""
        await self._forge.close_session()
