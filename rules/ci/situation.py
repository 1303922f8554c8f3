"""What is asked about a landing, and the two answers: a marking, or a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


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
        """The headline of the landing commit; one that is marked already (as the branch commit's may be) stays as it is."""
        if self.token is None or (headline.startswith(f"{self.token} ") if self.prefix else self.token in headline):
            return headline
        return f"{self.token} {headline}" if self.prefix else f"{headline} {self.token}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """This landing could start a loop or hang a required check; `fix` is what a person can change."""

    reason: str
    fix: str


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of a repository and of a proposal in it.

    `definitions` are the files for which `is_definition` holds, by path; `repository` is its full name (`acme/shop`), None where
    it has none. `images` are canonical names of what the proposal changes, `paths` the files it changes. `marker` is
    `commits.marker`: auto, none, or the text itself. `sources` are the OCI `source` labels of those images, as far as known.
    """

    forge: Literal["github", "gitlab", "git"]
    definitions: Mapping[str, bytes]
    repository: str | None = None
    base: str = "main"
    images: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    marker: str = "auto"
    sources: Mapping[str, str] = field(default_factory=dict)
