"""Whether a job builds an image: what it says itself, where the image says it comes from, and how both are called.

Ground("acme/shop", {"ghcr.io/acme/shop": "https://github.com/acme/shop"}).builds(job, "ghcr.io/acme/shop")
    Evidence("yes", "docker/build-push-action builds ghcr.io/acme/shop", 15)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rules.ci.base import Answer, Job
from rules.ci.names import basename, fits, is_unnamed

_RECIPE = re.compile(
    r"(?:.*/)?(?:(?:Docker|Container)file(?:[.-][^/]*)?|[^/]*\.(?:Docker|Container|docker)file|docker-bake\.(?:hcl|json)|skaffold\.ya?ml|project\.toml|\.ko\.ya?ml"
    r"|Earthfile|werf\.ya?ml)",
    re.IGNORECASE,
)
_REMOTE = re.compile(r"\A(?:git\+)?(?:\w+://)?(?:[^@/]*@)?(?P<host>[\w.\-]+)(?::\d+)?[:/](?P<path>[^?#]+?)(?:\.git)?/?\Z")
ANY_IMAGE = "*"
"""Stands for an image of the repository's own, where nothing says how it is called."""
_MAINTAINED_ELSEWHERE = "docker.io/library/"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Whether something is built, and the sign of it."""

    answer: Answer
    sign: str
    line: int | None = None


def is_recipe(path: str) -> bool:
    """Whether the path is one of a file from which images are built."""
    return _RECIPE.fullmatch(path) is not None


def same_repository(source: str, repository: str | None) -> bool | None:
    """Whether an address (an OCI `source` label, a remote) is the repository of this name; None: one of them is not known."""
    match = _REMOTE.match(source.strip())
    if match is None or repository is None:
        return None
    return match["path"].strip("/").lower() == repository.lower()


@dataclass(frozen=True, slots=True)
class Ground:
    """What is known beside the definitions: the repository's name, where images say they come from, which files there are."""

    repository: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    has_recipe: bool = False

    def builds(self, job: Job, image: str) -> Evidence:
        """Whether a job builds the image (canonical name)."""
        for built in job.work.built:
            if image == ANY_IMAGE or fits(built.name, image):
                return Evidence("yes", f"{built.sign} builds {built.name}", built.line)
        unnamed = next((built for built in job.work.built if is_unnamed(built.name)), None)
        if unnamed is not None and self._may_be_ours(image):
            return Evidence("yes", f"{unnamed.sign} pushes an image whose name is not written there", unnamed.line)
        if job.work.opaque is not None and self._may_be_ours(image):
            return self._hidden(job, image)
        return Evidence("no", "nothing here is seen to build it")

    def _hidden(self, job: Job, image: str) -> Evidence:
        what = job.work.opaque or ""
        related = "it is taken for an image of this repository" if image == ANY_IMAGE else self.relation(image)
        if related is None and re.search(rf"(?<![\w-]){re.escape(basename(image))}(?![\w-])", what):
            related = "it is called as the image is"
        if related is not None:
            return Evidence("yes", f"{what} may build it, and {related}", job.line)
        if job.work.trusted:
            return Evidence("unknown", f"what {what} does is not written in this repository", job.line)
        if self.has_recipe:
            return Evidence("unknown", f"what {what} does is not known, and there are image recipes here", job.line)
        return Evidence("no", f"there is no sign that {what} builds it", job.line)

    def relation(self, image: str) -> str | None:
        """A sign from outside the definitions that the image is made of this repository."""
        source = self.sources.get(image, "")
        if same_repository(source, self.repository):
            return "its source label names this repository"
        if self.repository is None or self.origin(image) == "elsewhere":
            return None
        path = image.partition("/")[2].lower()
        same = basename(path) == basename(self.repository.lower()) or f"/{path}/".find(f"/{self.repository.lower()}/") >= 0
        return "it is called as this repository is" if same else None

    def origin(self, image: str) -> Literal["here", "elsewhere"] | None:
        """What the image's own source label says."""
        same = same_repository(self.sources.get(image, ""), self.repository)
        return None if same is None else "here" if same else "elsewhere"

    def _may_be_ours(self, image: str) -> bool:
        return not image.startswith(_MAINTAINED_ELSEWHERE) and self.origin(image) != "elsewhere"
