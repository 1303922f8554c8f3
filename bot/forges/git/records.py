"""A request on plain git: its branch, and this record of it as a JSON blob at `refs/tagboat/requests/<number>`.

    git cat-file -p refs/tagboat/requests/7        shows title, body, state and all the rest

Records move together with their branches (atomic, compare-and-swap pushes), so the two never disagree by our doing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from sys import intern
from typing import Any, Literal

from bot.forges.base import ForgeError, Standing
from bot.forges.git.address import BadAddress, branch_ref, object_id, tree_path
from bot.forges.git.objects import blob_id
from rules.merging import Readiness
from rules.plan import PullRequest, Record
from rules.proposals import Proposal

PREFIX = "refs/tagboat/requests/"
KEPT = "refs/tagboat/kept/"
DASHBOARD = "refs/tagboat/dashboard"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """What is remembered of a request. `head` is the commit that we wrote to its branch, `onto` the base commit under it.

    `files` are the wished contents as (path, mode, blob id); `left` is where the branch of an ended request still stands, because
    the remote forbids to delete it."""

    number: int
    branch: str
    base: str
    title: str
    body: str
    head: str
    onto: str
    stream: str
    fingerprint: str
    labels: tuple[str, ...] = ()
    files: tuple[tuple[str, str, str], ...] = ()
    targets: tuple[tuple[str, str, str, str], ...] = ()
    state: Literal["open", "closed", "merged"] = "open"
    created_at: datetime | None = None
    ended_at: datetime | None = None
    closed_by_us: bool = False
    reason: str | None = None
    landed: str | None = None
    comment: str | None = None
    left: str | None = None
    standing: str | None = None

    @property
    def ref(self) -> str:
        return f"{PREFIX}{self.number}"

    def reworded(self, proposal: Proposal, onto: str | None) -> RequestRecord:
        """The record with the words of a proposal; with `onto`, also with its wish, to be written on that commit."""
        words = replace(self, title=proposal.title, body=proposal.body, labels=proposal.labels)
        if onto is None:
            return words
        return replace(
            words,
            onto=onto,
            stream=proposal.stream.key,
            fingerprint=proposal.fingerprint,
            files=wished(proposal, onto),
            targets=targets(proposal),
        )

    def request(self, head: str | None = None, readiness: Readiness | None = None) -> PullRequest:
        """The request as the rest of the program knows it; `head` is where the branch stands."""
        return PullRequest(
            self.number, self.branch, self.base, self.title, self.body, head or self.head, self.state,
            labels=frozenset(self.labels), created_at=self.created_at, ended_at=self.ended_at,
            edited_by_person=head is not None and head != self.head, closed_by_us=self.closed_by_us, landed=self.landed,
            record=Record(self.stream, self.fingerprint, self.targets), readiness=readiness,
        )  # fmt: skip


def targets(proposal: Proposal) -> tuple[tuple[str, str, str, str], ...]:
    """The wished targets of a proposal as a record says them: (file, image, old, new)."""
    return tuple((u.occurrence.file, u.occurrence.image, str(u.current), str(u.target)) for u in proposal.updates)


def wished(proposal: Proposal, onto: str) -> tuple[tuple[str, str, str], ...]:
    """The contents that a proposal wishes: (path, mode, blob id), in the object format of the commit `onto`."""
    kind = "sha256" if len(onto) == 64 else "sha1"
    return tuple((file.path, file.mode, blob_id(file.data, kind)) for file in proposal.files)


def first_record(number: int, proposal: Proposal, onto: str) -> RequestRecord:
    """The record of a new request, whose branch is still to be written on `onto`. Raises BadAddress for a wrong branch name."""
    require_own_branch(proposal.branch, proposal.stream.key)
    blank = RequestRecord(number, proposal.branch, proposal.stream.base, proposal.title, proposal.body, "", onto, "", "")
    return blank.reworded(proposal, onto)


def number_of(ref: str) -> int | None:
    """The request's number, if the ref is a record's."""
    tail = ref.removeprefix(PREFIX)
    return int(tail) if tail != ref and tail.isascii() and tail.isdigit() and len(tail) < 10 else None


_TICKS = {True: "[x]", False: "[ ]", None: "[~]"}


def standing_text(standing: Standing) -> str:
    """How a request stands, a line for the decision and one for each condition: `[x]` met, `[ ]` not, `[~]` time will tell."""
    return "\n".join(
        [f"{standing.decision}: {standing.reason}", *(f"{_TICKS[one.met]} {one.text}" for one in standing.conditions)]
    )


def same_standing(one: str | None, other: str | None) -> bool:
    """Whether two such texts say the same: an age in their words, which moves with the clock, is no news."""
    return one is other or (one is not None and other is not None and _gist(one) == _gist(other))


def _gist(text: str) -> list[str]:
    decision, *conditions = text.splitlines()
    return [decision.partition(":")[0], *(line[:3] for line in conditions)]


def dump(record: RequestRecord) -> bytes:
    """The record as the bytes of its blob."""
    plain: dict[str, Any] = {"version": _VERSION} | asdict(record)
    for key in ("created_at", "ended_at"):
        plain[key] = plain[key].isoformat() if plain[key] else None
    return (json.dumps(plain, indent=1) + "\n").encode()


def load(data: bytes, ref: str) -> RequestRecord:
    """Read a record. Raises ForgeError that names the ref where it is none of ours: a person has to look at it."""
    try:
        plain = json.loads(data)
        if plain.pop("version") != _VERSION:
            raise ForgeError(f"{ref} was written by a newer Tagboat")
        plain["labels"] = tuple(str(label) for label in plain["labels"])
        plain["files"] = tuple((intern(str(path)), intern(str(mode)), str(oid)) for path, mode, oid in plain["files"])
        plain["targets"] = tuple(
            (intern(str(file)), intern(str(image)), str(old), str(new)) for file, image, old, new in plain["targets"]
        )
        for key in ("created_at", "ended_at"):
            plain[key] = datetime.fromisoformat(plain[key]) if plain[key] else None
        # Many records are kept, and those of a branch repeat each other.
        record = RequestRecord(**plain | {name: intern(plain[name]) for name in ("branch", "base", "stream", "state")})
        _check(record, ref)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, BadAddress) as error:
        raise ForgeError(f"{ref} is not a record that Tagboat wrote ({type(error).__name__}); delete or repair it") from None
    return record


def _check(record: RequestRecord, ref: str) -> None:
    texts = (record.title, record.body, record.stream, record.fingerprint)
    if (
        record.number != number_of(ref)
        or record.state not in ("open", "closed", "merged")
        or not all(isinstance(t, str) for t in texts)
    ):
        raise ValueError("wrong values")
    for oid in (record.head, record.onto, *(oid for _, _, oid in record.files), *filter(None, (record.landed, record.left))):
        object_id(oid)
    for path, _, _ in record.files:
        tree_path(path)
    branch_ref(record.base)
    require_own_branch(record.branch, record.stream)


def require_own_branch(branch: str, stream: str) -> None:
    """Raises BadAddress where a branch is not named after its stream (see `Stream.branch`).

    Whoever may write records but not, say, the branch `production` cannot have it deleted by a record that names it."""
    branch_ref(branch)
    if not branch.endswith("-" + hashlib.sha256(stream.encode()).hexdigest()[:8]):
        raise BadAddress(f"{branch[:80]!a} is not the branch of the stream {stream[:80]!a}")
