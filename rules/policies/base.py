"""What every policy is given and what it answers: a tag or none, and a reason for every candidate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

Step = Literal["patch", "minor", "major"]
UpdateKind = Literal["major", "minor", "patch", "build", "digest", "pin"]


@dataclass(frozen=True, slots=True)
class Follow:
    """Promotion: take what has stood in the files that match `path` for `soak`."""

    path: str
    soak: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Stood:
    """What stood for an image in a file that others follow, and from when to when (`until` None: it stands there still).

    `text` is `tag`, `tag@digest` or `@digest`; empty where the file names several. `since` None: nobody knows since when."""

    path: str
    image: str  # canonical
    text: str
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Choosing:
    """The keys of a rule that say which tag is next (design 4.1), with their defaults."""

    policy: str = "auto"
    range: str | None = None
    order: Literal["asc", "desc"] = "asc"
    tags: str | None = None
    extract: str | None = None
    ignore: tuple[str, ...] = ()
    variant: Literal["keep", "any"] = "keep"
    prereleases: bool = False
    max_step: Step = "major"
    min_age: timedelta = timedelta(0)
    platforms: Literal["auto", "any"] | tuple[str, ...] = "auto"
    pin: bool = False
    follow: Follow | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is known of one tag beyond its text. None: not known (yet); a policy that needs it answers `Need`."""

    tag: str
    digest: str | None = None
    pushed_at: datetime | None = None
    first_seen: datetime | None = None
    platforms: frozenset[str] | None = None


class Verdict(StrEnum):
    """What became of a candidate."""

    CHOSEN = "chosen"
    OLDER = "older"
    FILTERED = "filtered"
    WAITING = "waiting"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate's verdict: a code with its detail, turned into words only when asked for (`rules.policies.words`)."""

    tag: str
    verdict: Verdict
    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The answer of a policy.

    `chosen` is the tag to move to (None: nothing better; `reason` says why), `kind` how far that moves, `digest` its digest
    where the policy follows digests. `major` is the next major where that is a stream of its own (policy `auto`).
    `candidates` has every tag that was listed, judged.
    `wake` is the moment at which the answer can change by itself (an age reached), if there is one.
    """

    chosen: str | None
    kind: UpdateKind | None
    code: str
    detail: str = ""
    digest: str | None = None
    major: str | None = None
    candidates: Sequence[Judged] = ()
    wake: datetime | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """The facts that are missing for a choice, by tag. The pass fetches just these and asks again; a fact that cannot be
    had is handed back as unknown (in `unknown` of the next call), never asked for twice.

    `again` answers the same question with more facts, without reading the whole listing once more; None: ask as before."""

    platforms: tuple[str, ...] = ()
    ages: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    again: Callable[[Question], Choice | Need] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Question:
    """All that a choice depends on. `tags` is the registry's listing, in any order; `known` what has been learned of some
    of them; `current_tag` and `current_digest` stand in the file; `current_platforms` is what that image serves."""

    choosing: Choosing
    current_tag: str | None
    tags: Sequence[str]
    now: datetime
    current_digest: str | None = None
    current_platforms: frozenset[str] | None = None
    known: Mapping[str, Candidate] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()  # tags whose missing facts were asked for and could not be had
    upstream: tuple[Stood, ...] = ()  # policy follow: what stood in the places that are followed, of each its whole history
