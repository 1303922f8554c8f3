"""What ought to be (proposals) is compared with what is (requests): Open, Refresh, Close, Leave.

    plan(wishes, requests, terms)      every stream exactly one action, every open request too

Carried out and planned again, nothing is left to do.

- A newer tag refreshes the open request of its stream in place. Words alone are refreshed where *ours* changed: what a person
  made of a title or a body stays.
- What nothing is left of is closed, with the reason; but only where all of it could be read. A place in trouble leaves the
  requests that name it exactly as they are.
- A branch that a person pushed to is theirs.
- What a person closed is not opened again; a newer version is, as a new request.
- New requests wait for schedules, freezes, and the limits on how many are open and how many an hour brings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from rules import freezes, schedules
from rules.freezes import Freeze
from rules.images import canonical
from rules.proposals import Proposal, Wishes, Withheld
from rules.records import Record as Record
from rules.records import targets, written_of
from rules.requests import SETTLING, Resumed, is_of, lifted
from rules.requests import Action as Action
from rules.requests import Close as Close
from rules.requests import Leave as Leave
from rules.requests import Open as Open
from rules.requests import PullRequest as PullRequest
from rules.requests import Push as Push
from rules.requests import Refresh as Refresh
from rules.updates import Target

_HOUR = timedelta(hours=1)
_ORDER = (Close, Refresh, Open, Leave)


@dataclass(frozen=True, slots=True)
class Terms:
    """What bounds a plan. `limit` and `hourly` None: as many as there are. `opened` is when requests were opened lately, where
    that is remembered beyond what the forge lists; `since` when the update of a stream (by key) was first seen: the older goes
    first; `resumed` makes what people closed or took back before that moment count no more; for `settling` after a landing the
    files may have been read before it."""

    now: datetime
    limit: int | None = None
    hourly: int | None = None
    freezes: tuple[Freeze, ...] = ()
    opened: tuple[datetime, ...] = ()
    since: Mapping[str, datetime] = field(default_factory=dict)
    resumed: Resumed = field(default_factory=dict)
    settling: timedelta = SETTLING


def plan(wishes: Iterable[Wishes], requests: Iterable[PullRequest], terms: Terms) -> list[Action]:
    """What to do, in this order: closings, refreshes, openings, and what is left, with its reason.

    `wishes` has one entry for each base branch that was looked at, with what could not be read in it as trouble; `requests` are
    ours, the open ones and those that ended lately. Proposals that go straight to the branch are for `pushes`.
    """
    seen, every = tuple(wishes), sorted(requests, key=lambda request: request.number)
    proposals = _by_rank((one for wish in seen for one in wish.proposals if not one.is_push), terms)
    withheld = [one for wish in seen for one in wish.withheld]
    taken = _matched([*proposals, *withheld], [request for request in every if request.state == "open"])
    chosen = {request.number for request in taken.values()}
    rest = [_leftover(one, seen, taken) for one in every if one.state == "open" and one.number not in chosen]
    actions: list[Action] = [*rest, *(_idle(one, taken.get(one.stream.key), seen) for one in withheld)]
    room = _Room.of(every, rest, terms)
    for proposal in proposals:
        request = taken.get(proposal.stream.key)
        actions.append(_existing(request, proposal, seen, terms) if request else _new(proposal, every, terms, room))
    return sorted(actions, key=lambda action: _ORDER.index(type(action)))


def pushes(wishes: Iterable[Wishes], terms: Terms) -> list[Push | Leave]:
    """What goes straight to its branch now, and what waits for a schedule or the end of a freeze."""
    found: list[Push | Leave] = []
    for proposal in _by_rank((one for wish in wishes for one in wish.proposals if one.is_push), terms):
        shut = _shut(proposal, proposal.labels, terms)
        found.append(Leave(proposal.stream.key, shut[0], None, proposal, shut[1]) if shut else Push(proposal))
    return found


def apart(requests: Iterable[PullRequest]) -> frozenset[str]:
    """The subjects of group members that have an open request of their own (for `Ground.apart`)."""
    keys = (request.record.stream for request in requests if request.state == "open" and request.record is not None)
    subjects = (key[key.find("|") + 1 :].rsplit("|", 2)[0] for key in keys)
    return frozenset(subject for subject in subjects if subject.startswith("group:") and "+" in subject)


@dataclass(slots=True)
class _Room:
    """How many requests may still be opened, and when there is more room by itself."""

    terms: Terms
    standing: int
    recent: list[datetime]

    @classmethod
    def of(cls, requests: Sequence[PullRequest], rest: Sequence[Action], terms: Terms) -> _Room:
        standing = sum(request.state == "open" for request in requests) - sum(isinstance(one, Close) for one in rest)
        listed = [request.created_at for request in requests if request.created_at is not None]
        # The forge's list and our own memory tell of the same openings: the longer one counts.
        recent = max((_last_hour(moments, terms.now) for moments in (listed, terms.opened)), key=len)
        return cls(terms, standing, recent)

    def refusal(self) -> tuple[str, datetime | None] | None:
        """Why there is no room, and until when; None: there is, and it is used up by one."""
        limit, hourly = self.terms.limit, self.terms.hourly
        if limit is not None and self.standing >= limit:
            return f"{_requests(self.standing)} open, and pull_requests.limit is {limit}", None
        if hourly is not None and len(self.recent) >= hourly:
            again = sorted(self.recent)[len(self.recent) - hourly] + _HOUR if hourly else None
            opened = _requests(len(self.recent), "were", "was")
            return f"{opened} opened within an hour, and pull_requests.hourly is {hourly}", again
        self.standing += 1
        self.recent.append(self.terms.now)
        return None


def _requests(count: int, many: str = "are", one: str = "is") -> str:
    return f"{count} request {one}" if count == 1 else f"{count} requests {many}"


def _last_hour(moments: Iterable[datetime], now: datetime) -> list[datetime]:
    return [moment for moment in moments if now - _HOUR < moment <= now]


def _by_rank(proposals: Iterable[Proposal], terms: Terms) -> list[Proposal]:
    """Higher priority first, then the update that waits longest, then by name."""
    return sorted(proposals, key=lambda one: (-one.priority, terms.since.get(one.stream.key, terms.now), one.stream.key))


def _matched(wanted: Sequence[Proposal | Withheld], requests: Iterable[PullRequest]) -> dict[str, PullRequest]:
    """The open request of each stream, by key. Of several the one on the very branch, else the oldest."""
    by_end: dict[str, list[PullRequest]] = {}
    for request in requests:
        by_end.setdefault(request.branch.rpartition("-")[2], []).append(request)
    found: dict[str, PullRequest] = {}
    for one in wanted:
        branch = one.branch if isinstance(one, Proposal) else ""
        mine = [request for request in by_end.get(one.stream.mark, ()) if is_of(request, one.stream)]
        if mine:
            found[one.stream.key] = min(mine, key=lambda request: (request.branch != branch, request.number))
    return found


def _idle(withheld: Withheld, request: PullRequest | None, seen: Sequence[Wishes]) -> Leave | Close:
    """What becomes of the open request of a stream that is withheld: it stays, save where somebody said no to what it wants."""
    record = request.record if request is not None and not request.edited_by_person else None
    wanted = {(file, canonical(image), new) for file, image, _, new in record.targets} if record is not None else set()
    if request is not None and wanted and wanted <= withheld.refused and not _gap(request, seen):
        return Close(request, withheld.reason)
    return Leave(withheld.stream.key, withheld.reason, request, None, withheld.wake)


def _existing(request: PullRequest, proposal: Proposal, seen: Sequence[Wishes], terms: Terms) -> Action:
    """What becomes of the open request of a stream that has something to update."""
    key = proposal.stream.key
    if gap := _gap(request, seen):
        return Leave(key, gap, request, proposal)
    if request.edited_by_person:
        return Leave(key, "a person pushed to its branch, so it is left alone", request, proposal)
    mine, wish = written_of(request.body), written_of(proposal.body)
    title = proposal.title
    if mine is not None and request.title != mine.title:  # a person put something to it, WIP say
        title = request.title.replace(mine.title, proposal.title)
    wanted = replace(proposal, branch=request.branch, title=title)
    if request.record is None or request.record.fingerprint != proposal.fingerprint:
        shut = _shut(proposal, request.labels, terms)
        if shut:
            return Leave(key, shut[0], request, proposal, shut[1])
        return Refresh(request, wanted, True, _news(request, proposal))
    if mine == wish:
        return Leave(key, "up to date", request, proposal)
    return Refresh(request, wanted, False, "its words changed")


def _new(proposal: Proposal, requests: Sequence[PullRequest], terms: Terms, room: _Room) -> Open | Leave:
    """What becomes of a proposal that has no open request."""
    key = proposal.stream.key
    for request in requests:
        if _said_no(request, proposal, terms.resumed):
            reason = f"a person closed request {request.number} for the same; a newer version will be proposed"
            return Leave(key, reason, None, proposal)
        if _just_landed(request, proposal, terms):
            wake = request.ended_at + terms.settling if request.ended_at else None
            reason = f"request {request.number} has just landed, and its base was read before that"
            return Leave(key, reason, None, proposal, wake)
    refusal = _shut(proposal, proposal.labels, terms) or room.refusal()
    return Leave(key, refusal[0], None, proposal, refusal[1]) if refusal else Open(proposal)


def _shut(proposal: Proposal, labels: Iterable[str], terms: Terms) -> tuple[str, datetime | None] | None:
    """Why nothing may be proposed now, and until when: a freeze, or a schedule that is not open. What goes back never waits."""
    if proposal.stream.is_rollback:
        return None
    freeze = freezes.frozen(terms.freezes, terms.now, frozenset({*labels, *proposal.labels}))
    if freeze is not None:
        return f"frozen: {freeze}", freeze.until
    closed = [schedule for schedule in proposal.schedules if not schedules.is_open(schedule, terms.now)]
    if not closed:
        return None
    opens = [schedules.next_change(schedule, terms.now) for schedule in closed]
    known = [moment for moment in opens if moment is not None]
    return f"outside its schedule ({closed[0]})", max(known) if len(known) == len(opens) else None


def _said_no(request: PullRequest, proposal: Proposal, resumed: Resumed) -> bool:
    """Whether a person closed this very wish: all its targets, or where the request no longer tells, its title."""
    if request.state != "closed" or request.closed_by_us or request.base != proposal.stream.base:
        return False
    record, wished = request.record, targets(proposal.updates)
    if all(lifted(image, file, request.ended_at, resumed) for file, image, _, _ in wished) and wished:
        return False
    if record is not None and record.targets:
        refused = {(file, canonical(image), new) for file, image, _, new in record.targets}
        return {(file, canonical(image), new) for file, image, _, new in wished} <= refused and bool(wished)
    if not is_of(request, proposal.stream):
        return False
    return record.fingerprint == proposal.fingerprint if record is not None else request.title == proposal.title


def _just_landed(request: PullRequest, proposal: Proposal, terms: Terms) -> bool:
    """Whether the base still says what a landing of a moment ago replaced: then it was read before that."""
    if request.state != "merged" or request.base != proposal.stream.base or request.record is None or request.ended_at is None:
        return False
    before = {(file, canonical(image), old) for file, image, old, _ in request.record.targets}
    return terms.now - request.ended_at < terms.settling and any(
        (file, canonical(image), old) in before for file, image, old, _ in targets(proposal.updates)
    )


def _gap(request: PullRequest, seen: Sequence[Wishes]) -> str | None:
    """What is not known of the places that a request is for; a request that does not tell its places has all of them."""
    places = [(file, image) for file, image, _, _ in request.record.targets] if request.record else []
    for trouble in (trouble for wish in seen for trouble in wish.troubles if trouble.base in ("", request.base)):
        if not places or any(trouble.covers(request.base, file, image) for file, image in places):
            what = trouble.image or trouble.file or f"the branch {request.base}"
            return f"left as it is: {what} could not be looked at ({trouble.reason})"
    return None


def _leftover(request: PullRequest, seen: Sequence[Wishes], taken: Mapping[str, PullRequest]) -> Close | Leave:
    """What becomes of an open request that no stream asks for."""
    key = request.record.stream if request.record else request.branch
    twin = next((one for one in taken.values() if one.base == request.base and one.branch[-8:] == request.branch[-8:]), None)
    if gap := _gap(request, seen):
        return Leave(key, gap, request)
    if request.base not in {wish.base for wish in seen}:
        return Leave(key, f"the branch {request.base} is not looked at", request)
    if request.edited_by_person:
        return Leave(key, "nothing is left to update, but a person pushed to its branch, so it is left alone", request)
    return Close(request, f"request {twin.number} is for the same" if twin else _obsolete(request, seen))


def _obsolete(request: PullRequest, seen: Sequence[Wishes]) -> str:
    """Why a request is not wanted any more, by the first of its places."""
    if request.record is None or not request.record.targets:
        return "nothing is left to update"
    file, image, _, new = request.record.targets[0]
    here, wishes = (file, canonical(image)), [wish for wish in seen if wish.base == request.base]
    for proposal in (proposal for wish in wishes for proposal in wish.proposals):
        if any((update.occurrence.file, canonical(update.occurrence.image)) == here for update in proposal.updates):
            return f"{image} in {file} is in another request now: {proposal.title}"
    standing = [
        stay for wish in wishes for stay in wish.stays if (stay.occurrence.file, canonical(stay.occurrence.image)) == here
    ]
    if any(str(Target(stay.occurrence.tag, stay.occurrence.digest)) == new for stay in standing):
        return f"{file} says {new} already"
    return f"{image} in {file}: {standing[0].reason}" if standing else f"{image} no longer stands in {file}"


def _news(request: PullRequest, proposal: Proposal) -> str:
    """What is new, for the history and the summary of a pass."""
    before = {new for _, _, _, new in request.record.targets} if request.record else set()
    news = sorted({new for _, _, _, new in targets(proposal.updates)} - before)
    if not news:
        return "its places changed on the base"
    return f"now {', '.join(news[:3])}{f' and {len(news) - 3} more' if len(news) > 3 else ''}"
