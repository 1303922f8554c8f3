"""CI loops: can this landing start a build of the same image again? Which marker keeps it from that, and in which commit?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rules.merging import Method

Landing = Method | Literal["auto-merge", "queue", "push"]


@dataclass(frozen=True, slots=True)
class Marking:
    """Where which marker goes. `token` None: no marker. The request's title and the branch commit never carry a native token.

    `prefix` is true for a marker that leads the headline (`skip-ci: …`), false for one that ends it (`… [ci skip]`).
    `on_branch` is true where the branch commit carries it as well (custom filters that read `commits[0]`).
    """

    token: str | None
    reason: str
    prefix: bool = False
    on_branch: bool = False

    def mark(self, headline: str) -> str:
        """The headline of the landing commit."""
        if self.token is None:
            return headline
        return f"{self.token} {headline}" if self.prefix else f"{headline} {self.token}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """This landing could start a loop or hang a required check; `fix` is what a person can change."""

    reason: str
    fix: str
