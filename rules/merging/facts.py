"""All that a decision depends on, in one value. None means *not known* everywhere, and what is not known never merges."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from rules.freezes import Freeze
from rules.merging.values import UNREAD, Block, MergeDecision, Readiness, UpdateBranch
from rules.policies.base import UpdateKind

if TYPE_CHECKING:  # these two import the values of this package
    from rules.automerge import Automerge
    from rules.requests import PullRequest

Platform = Literal["github", "gitlab", "git"]


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """The request as its forge lists it. `state` is open, closed or merged."""

    state: str
    title: str
    labels: frozenset[str] = frozenset()
    draft: bool | None = False
    created_at: datetime | None = None
    edited_by_person: bool | None = False


@dataclass(frozen=True, slots=True)
class UpdateFacts:
    """One image that the request updates, as it is now.

    `published_at` counts only where `published_source` is "registry": everything else (a label, a build date in the manifest)
    is written by whoever pushed the image. `signature` is valid, invalid, missing or not_checked. `digest_drift` is true where
    the tag points elsewhere than when the request was written; `held` where a person's revert holds the image in this place.
    """

    image: str
    kind: UpdateKind | None
    first_seen: datetime | None = None
    published_at: datetime | None = None
    published_source: str | None = None
    signature: str | None = "not_checked"
    target_exists: bool | None = True
    digest_drift: bool | None = False
    platforms: frozenset[str] | None = None
    held: bool | None = False


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often the forge refused to land this head, and the HTTP status of its last answer since we last waited for it
    (None: there is none, or enough time has passed to try again)."""

    failed: int = 0
    last_http: int | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """One request at one moment. `login` is our own name on the forge, as `Readiness.author` writes it."""

    platform: Platform
    now: datetime
    request: RequestFacts
    readiness: Readiness
    updates: tuple[UpdateFacts, ...]
    attempts: Attempts = Attempts()
    freezes: tuple[Freeze, ...] = ()
    login: str = field(default="tagboat")


Judge = Callable[[Facts, "Automerge"], MergeDecision | None]
"""One condition: None where it holds, else the answer that it calls for."""


def facts_of(
    request: PullRequest,
    platform: Platform,
    now: datetime,
    updates: Iterable[UpdateFacts],
    *,
    login: str,
    attempts: Attempts = Attempts(),
    freezes: tuple[Freeze, ...] = (),
) -> Facts:
    """The facts about a request as a forge gave it. One whose readiness could not be read has only unknown facts."""
    listed = RequestFacts(
        request.state, request.title, request.labels, request.draft, request.created_at, request.edited_by_person
    )
    return Facts(platform, now, listed, request.readiness or UNREAD, tuple(updates), attempts, freezes, login)


def rewrite(facts: Facts, reason: str) -> UpdateBranch | Block:
    """Write the branch anew, unless a person's commit would be lost by that."""
    if facts.request.edited_by_person is not False:
        return Block(f"{reason}, but the branch holds a person's commit, which writing it anew would throw away")
    return UpdateBranch(reason)


def named(names: Iterable[str]) -> str:
    """Names for a sentence: the first three, cut to a length that can be read, and how many there are beyond."""
    every = list(dict.fromkeys(names))
    cut = [name if len(name) <= 60 else f"{name[:59]}…" for name in every[:3]]
    return ", ".join(cut) + (f" and {len(every) - 3} more" if len(every) > 3 else "")
