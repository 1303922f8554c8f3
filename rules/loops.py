"""CI loops: can this landing start a build of the same image again? Which marker keeps it from that, and in which commit?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rules.ci import claims
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


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of a repository and of a proposal in it.

    `definitions` are the files for which `is_definition` holds, by path; `repository` is its full name (`acme/shop`), None where it
    has none. `images` are canonical names of what the proposal changes, `paths` the files it changes. `marker` is
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


def is_definition(path: str) -> bool:
    """Whether a file at this path may say what CI does."""
    return claims(path)


_SIGNS = (b"docker push", b"build-push-action", b"buildx build", b"kaniko", b"buildah", b"docker buildx", b"docker build")
_NATIVE = {"github": (".github/workflows/",), "gitlab": (".gitlab-ci",), "git": (".github/workflows/", ".gitlab-ci")}
_UNMARKED = frozenset({"rebase", "fast-forward", "queue"})


def mark(situation: Situation, landing: Landing) -> Marking | Refusal:
    """Which marker the landing takes, or why it must not be landed so."""
    if situation.marker == "none":
        return Marking(None, "markers are turned off (commits.marker: none)")
    builder = _builder(situation)
    if situation.marker != "auto":
        token = situation.marker
    elif builder is None:
        return Marking(None, "nothing in this repository is seen to build what the proposal changes")
    else:
        token = "[skip ci]"
    if landing in _UNMARKED:
        if builder is None:
            return Marking(None, f"a landing by {landing} carries no marker, and nothing here builds what the proposal changes")
        return Refusal(
            f"a landing by {landing} carries no marker, and {builder} would build the image again",
            "land by squash or merge commit, or keep the build from starting for these paths",
        )
    return Marking(token, f"{builder} would build the image again" if builder else "commits.marker asks for it", token[0] != "[")


def _builder(situation: Situation) -> str | None:
    names = [image.rpartition("/")[2].encode() for image in situation.images]
    for path, data in situation.definitions.items():
        if any(start in path for start in _NATIVE[situation.forge]) and any(sign in data for sign in _SIGNS):
            if any(name in data for name in names) or b"github.repository" in data or b"CI_REGISTRY_IMAGE" in data:
                return path
    return None
