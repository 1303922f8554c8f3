"""What the server asks of whoever runs its passes.

Work is keyed by repository and level-triggered: while one pass runs, any number of new events become exactly one more pass. An
event carries nothing that its twin would lose; what it says is written down (a stale mark, a command) before work is asked for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a pass ended. `wake` is when something can change by itself; `quiet` is true where nothing was done or found new."""

    wake: datetime | None = None
    quiet: bool = True
    failed: bool = False


Run = Callable[[str, str, datetime], Awaitable[Outcome]]
"""Runs one pass over a repository (its name, why, when it was first asked for). It never raises: a failed pass is an outcome."""


class Work(Protocol):
    """Takes repositories to look at."""

    async def start(self) -> None:
        """Begin to work."""
        ...

    async def ask(self, repository: str, why: str) -> None:
        """Have a repository looked at after this moment: soon, once, however often it is asked for."""
        ...

    async def depth(self) -> int:
        """How many repositories wait."""
        ...

    async def idle(self) -> None:
        """Wait until nothing waits and nothing runs."""
        ...

    async def stop(self, seconds: float) -> bool:
        """Take nothing new, and let the running passes end within this time; whether they all did."""
        ...


def organisation(repository: str) -> str:
    """Whose repository it is: fairness is between these. `acme/gitops` is `acme`'s; a URL is its host's and first folder's."""
    path = repository.partition("://")[2] or repository
    head, _, _ = path.rpartition("/")
    return "/".join(head.split("/")[:2]) if "://" in repository else (head.split("/")[0] or path)
