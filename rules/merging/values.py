"""What a forge tells about a request, and the five answers that a decision about it can have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from rules.automerge import Method


@dataclass(frozen=True, slots=True)
class RequiredCheck:
    name: str
    app: str | None = None  # pinned to this app's slug or id


@dataclass(frozen=True, slots=True)
class Check:
    """A check run or a commit status on the head. `conclusion` is None until it is completed."""

    name: str
    kind: Literal["check_run", "status"]
    app: str | None
    status: str
    conclusion: str | None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """A review. `permission` is what its author may do here (read, triage, write, maintain, admin; None: not known)."""

    user: str
    state: str
    permission: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Protection:
    """What the base branch demands. `known` is False where it could not be read in full (then nothing merges on it)."""

    present: bool = False
    known: bool = True
    required_checks: tuple[RequiredCheck, ...] = ()
    strict: bool = False
    required_approvals: int = 0
    code_owner_review: bool = False
    conversation_resolution: bool = False
    signed_commits: bool = False
    merge_queue: bool = False
    bot_may_push: bool = True
    allowed_methods: tuple[Method, ...] = ("merge", "squash", "rebase")
    pipelines_must_succeed: bool = False
    skipped_pipeline_is_success: bool = False


@dataclass(frozen=True, slots=True)
class Readiness:
    """A request's readiness as the forge tells it, alike for all, in the shape of the table that `tagboat decide` reads.

    `behind_by` is None where it is not known. `pipeline` is GitLab's status of the pipeline **of the head commit**, None: none.
    `mergeable` and `merge_state` are GitHub's, `detailed_merge_status` is GitLab's, each verbatim.
    `auto_merge` is whether the forge's own auto-merge is on, `auto_merge_by` who asked for it (empty: not told).
    `unresolved_threads` is None where it is not known. `complete` is False where a list could not be read to its end (more checks
    or reviews than the forge gives at once): then nothing merges on it.
    """

    head_message: str
    author: str
    behind_by: int | None
    conflict: bool | None
    protection: Protection
    from_fork: bool | None = False
    mergeable: str | None = None
    merge_state: str | None = None
    detailed_merge_status: str | None = None
    checks: tuple[Check, ...] = ()
    pipeline: str | None = None
    review_decision: str | None = None
    reviews: tuple[Review, ...] = ()
    review_requests: tuple[str, ...] = ()
    unresolved_threads: int | None = 0
    in_merge_queue: bool | None = False
    auto_merge: bool = False
    auto_merge_by: str = ""
    complete: bool = True


UNREAD = Readiness("", "", None, None, Protection(known=False), in_merge_queue=None, complete=False)
"""The readiness of a request of which none could be read."""


@dataclass(frozen=True, slots=True)
class Merge:
    """Land it. `enqueue` where the base has a merge queue or train."""

    reason: str
    enqueue: bool = False


@dataclass(frozen=True, slots=True)
class UpdateBranch:
    """Write the branch anew on its base first."""

    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do now; time, CI or the forge will change a fact. `wake` is when, where the clock decides."""

    reason: str
    wake: datetime | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A person or a new commit is needed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Skip:
    """The rule does not apply to this request, or it is finished."""

    reason: str


MergeDecision = Merge | UpdateBranch | Wait | Block | Skip


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition as people see it. `met` None: not yet, and time, CI or the forge will tell; `text` says what is missing."""

    name: str
    met: bool | None
    text: str
