"""Our requests as they are on a forge, and what can be done about them; `rules.plan` decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from rules.images import canonical
from rules.merging.values import Readiness
from rules.proposals import Proposal
from rules.records import Record
from rules.streams import Stream

SETTLING = timedelta(minutes=15)
"""For so long after a landing the base may have been read before it: nothing is concluded from what the files say."""


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull or merge request of ours as it is on the forge.

    `head` is the commit its branch has now; `written` is the head that we wrote last, where the forge can tell (a record, or
    the newest commit that is ours); `edited_by_person` is true where the branch holds a commit that is not ours.
    `closed_by_us` is meaningful for state "closed" only: False means that a person closed it.
    `record` is the hidden line of the body, parsed: forgeable, good for planning, never for merging.
    """

    number: int
    branch: str
    base: str
    title: str
    body: str
    head: str
    state: Literal["open", "closed", "merged"]
    url: str = ""
    labels: frozenset[str] = frozenset()
    draft: bool = False
    created_at: datetime | None = None
    ended_at: datetime | None = None
    edited_by_person: bool = False
    closed_by_us: bool = False
    landed: str | None = None  # the commit on the base, for state "merged"
    record: Record | None = None
    readiness: Readiness | None = None  # open requests only; None: could not be read
    auto_merge_by: str = ""  # without readiness: who switched the forge's own auto-merge on, if it is


@dataclass(frozen=True, slots=True)
class Open:
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Refresh:
    """Bring an open request to its proposal. `rewrite` is False where only words, labels or people differ."""

    request: PullRequest
    proposal: Proposal
    rewrite: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Push:
    """Commit straight onto the base branch; no request."""

    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Close:
    request: PullRequest
    reason: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Nothing is done; `wake` is when that can change by itself."""

    stream: str
    reason: str
    request: PullRequest | None = None
    proposal: Proposal | None = None
    wake: datetime | None = field(default=None, compare=False)


Action = Open | Refresh | Close | Leave

Resumed = Mapping[tuple[str, str], datetime]
"""When somebody last said `resume`, by canonical image and path (empty: everywhere)."""


def is_of(request: PullRequest, stream: Stream) -> bool:
    """Whether a request is a stream's. Its branch says so, whatever became of its words."""
    return request.base == stream.base and request.branch.endswith(f"-{stream.mark}")


def lifted(image: str, file: str, since: datetime | None, resumed: Resumed) -> bool:
    """Whether somebody said `resume` for an image in a file at that moment or after it."""
    moments = [resumed.get((canonical(image), path)) for path in (file, "")]
    return any(moment is not None and (since is None or moment >= since) for moment in moments)
