"""Updates become Proposals: one for each stream, with its branch, its words and its files.

    propose(outcomes, ground)     proposals, streams that get none for now (and why), and what is wrong
    split(proposal, red, ground)  a group whose members turned out red, so that the rest can land

Each proposal is made from the base as it stands, and from nothing else. An edit that cannot be proven makes trouble of that one
update and leaves the rest of its proposal as it is; in a `lockstep` group it stops them all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from rules import messages
from rules.automerge import Automerge
from rules.config.values import Config, ForgeKind
from rules.formats.base import Occurrence
from rules.images import canonical
from rules.lockstep import out_of_step
from rules.messages import Message as Message
from rules.records import targets
from rules.rewriting import Unprovable
from rules.schedules import Schedule
from rules.streams import PERSON, PUSH, Member, apart_from, member, streams
from rules.streams import Stream as Stream
from rules.updates import Outcome, Stay, Target, Trouble, Update

Rewrite = Callable[[str, bytes, Mapping[Occurrence, Target]], bytes]


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file of a proposal: its content on the base (by git blob id) and the content it is to have. The mode stays."""

    path: str
    mode: str
    old_oid: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Proposal:
    """A request as it ought to be. `message` is the branch commit's; `title` and `body` are the request's own.

    `fingerprint` changes exactly when the branch has to be written anew (the wished targets of the stream). `automerge` is the
    rule by which it lands (None: a person lands it), `schedules` those that all have to be open for it to be written.
    `left_out` are places that would be part of it and are held back. A stream that lands by `push` has no request at all.
    """

    stream: Stream
    branch: str
    title: str
    body: str
    message: Message
    files: tuple[FileChange, ...]
    updates: tuple[Update, ...]
    fingerprint: str
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    priority: int = 0
    automerge: Automerge | None = None
    schedules: tuple[Schedule, ...] = ()
    left_out: tuple[Stay, ...] = ()
    batch: bool = False

    @property
    def is_push(self) -> bool:
        """Whether it goes straight to the branch (`delivery: push`)."""
        return self.stream.landing == PUSH


@dataclass(frozen=True, slots=True)
class Withheld:
    """A stream that has something to update and gets no proposal now: held, or not all of a lockstep group. An open request of
    it is left as it is, unless all that it wants is `refused`: places with the versions that somebody said no to."""

    stream: Stream
    reason: str
    wake: datetime | None = field(default=None, compare=False)
    refused: frozenset[tuple[str, str, str]] = frozenset()  # file, canonical image, version


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it stands on the base branch."""

    mode: str
    oid: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Ground:
    """What proposals are made from: one base branch, those of its files that change, the rules, and the hand that edits.
    `apart` has the subjects of group members that are set apart (`apart_from`)."""

    base: str
    files: Mapping[str, Source]
    config: Config
    rewrite: Rewrite
    forge: ForgeKind = "github"
    apart: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Wishes:
    """What ought to be, for one base branch. `stays` are the places that get nothing, each with its reason."""

    base: str
    proposals: tuple[Proposal, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    stays: tuple[Stay, ...] = ()


def propose(outcomes: Iterable[Outcome], ground: Ground) -> Wishes:
    """What ought to be, by what became of every place of a base branch. The order of `outcomes` changes nothing."""
    places = _Places.sorted(outcomes, ground.base)
    proposals: list[Proposal] = []
    withheld: list[Withheld] = []
    troubles = list(places.troubles)
    wanted = streams(places.wanted, ground.config, ground.base, ground.forge, ground.apart)
    for stream, members in sorted(wanted.items(), key=lambda item: item[0].key):
        left_out = tuple(places.held[id(one.update)] for one in members if id(one.update) in places.held)
        free = [one for one in members if id(one.update) not in places.held]
        locked = stream.group is not None and any(one.proposing.lockstep for one in members)
        if not free or (locked and left_out):
            withheld.append(Withheld(stream, left_out[0].reason, left_out[0].wake, _refused(left_out)))
            continue
        if locked and (reason := out_of_step(stream, free, places.others(free), ground.config)):
            withheld.append(Withheld(stream, reason))
            continue
        made, wrong = _make(stream, free, ground, left_out, places.files_with(free))
        troubles += wrong
        if locked and wrong:
            withheld.append(Withheld(stream, f"lockstep: {wrong[0].file} cannot be changed ({wrong[0].reason})"))
        elif made is not None:
            proposals.append(made)
    return Wishes(ground.base, tuple(proposals), tuple(withheld), tuple(dict.fromkeys(troubles)), tuple(places.stays))


def _refused(stays: Iterable[Stay]) -> frozenset[tuple[str, str, str]]:
    held = (stay.held for stay in stays if stay.refused)
    return frozenset((one.occurrence.file, canonical(one.occurrence.image), str(one.target)) for one in held if one is not None)


def split(proposal: Proposal, red: Collection[str], ground: Ground) -> tuple[list[Proposal], list[Trouble]]:
    """A group's proposal without the images that are `red`, and one proposal for each of those.

    One that cannot be split (of a single image, none or all of them red, lockstep) comes back as it is. To keep them apart in the
    next passes, `Ground.apart` has to name their subjects until they have landed or were closed.
    """
    members = [member(update, ground.config, ground.forge) for update in proposal.updates]
    bad = {canonical(image) for image in red} & {one.image for one in members}
    good = [one for one in members if one.image not in bad]
    if not bad or not good or proposal.stream.group is None or any(one.proposing.lockstep for one in members):
        return [proposal], []
    made = [_make(proposal.stream, good, ground, proposal.left_out)]
    for image in sorted(bad):
        stream = replace(proposal.stream, subject=apart_from(proposal.stream.subject, image))
        made.append(_make(stream, [one for one in members if one.image == image], ground))
    return [one for one, _ in made if one is not None], [trouble for _, wrong in made for trouble in wrong]


@dataclass(slots=True)
class _Places:
    """The outcomes of a base branch, by what they are, in the order of their files. `wanted` has the held updates too, and
    `held` what holds them, by the update's `id` (its choice may hold thousands of candidates: too much to compare)."""

    wanted: list[Update] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    held: dict[int, Stay] = field(default_factory=dict)

    @classmethod
    def sorted(cls, outcomes: Iterable[Outcome], base: str) -> _Places:
        places = cls()
        for outcome in outcomes:
            match outcome:
                case Update():
                    places.wanted.append(outcome)
                case Stay(held=held):
                    places.stays.append(outcome)
                    if held is not None:
                        places.wanted.append(held)
                        places.held[id(held)] = outcome
                case Trouble():
                    places.troubles.append(replace(outcome, base=base))
                case _:
                    assert_never(outcome)
        places.wanted.sort(key=lambda update: (*_where(update.occurrence), str(update.target)))
        places.stays.sort(key=lambda stay: (*_where(stay.occurrence), stay.reason))
        places.troubles.sort(key=lambda trouble: (trouble.file, trouble.line or 0, trouble.image, trouble.reason))
        return places

    def others(self, members: Iterable[Member]) -> Iterator[Stay | Trouble]:
        """The places that the members do not move. A place that was told to be left alone (no choice was made) is none."""
        moving = {one.update.occurrence for one in members}
        for update in self.wanted:
            if update.occurrence not in moving:
                yield Stay(update.occurrence, "it has a request of its own", update.choice)
        yield from (stay for stay in self.stays if stay.choice is not None and stay.held is None)
        yield from self.troubles

    def files_with(self, members: Iterable[Member]) -> set[str]:
        """The files in which one of the members' images stands."""
        images = {one.image for one in members}
        places = (*(stay.occurrence for stay in self.stays), *(update.occurrence for update in self.wanted))
        return {place.file for place in places if canonical(place.image) in images}


def _where(place: Occurrence) -> tuple[str, int, str]:
    return place.file, place.line, place.image


def _make(
    stream: Stream, members: Sequence[Member], ground: Ground, left_out: tuple[Stay, ...] = (), standing: Collection[str] = ()
) -> tuple[Proposal | None, list[Trouble]]:
    """The proposal of a stream, without the updates whose edits cannot be proven; None where none is left."""
    by_file: dict[str, list[Update]] = {}
    for one in members:
        by_file.setdefault(one.update.occurrence.file, []).append(one.update)
    changes: list[FileChange] = []
    kept: list[Update] = []
    troubles: list[Trouble] = []
    for path, updates in sorted(by_file.items()):
        change, good, wrong = _edited(path, updates, ground)
        changes += [change] if change else []
        kept += good
        troubles += wrong
    if not kept:
        return None, troubles
    there = {id(update) for update in kept}
    return _worded(stream, [one for one in members if id(one.update) in there], changes, ground, left_out, standing), troubles


def _worded(
    stream: Stream,
    members: Sequence[Member],
    changes: Sequence[FileChange],
    ground: Ground,
    left_out: tuple[Stay, ...],
    standing: Collection[str],
) -> Proposal:
    updates = tuple(one.update for one in members)
    elsewhere = set(standing) - {update.occurrence.file for update in updates}
    bases = () if stream.landing == PUSH else ground.config.base_branches
    template = ground.config.commits.title
    title = messages.title(updates, template, stream.group, elsewhere, base=ground.base, bases=bases)
    schedules = dict.fromkeys(one.proposing.schedule for one in members)
    proposal = Proposal(
        stream=stream,
        branch=stream.branch(ground.config.pull_requests.branch_prefix),
        title=title,
        body="",
        message=messages.commit(updates, title),
        files=tuple(changes),
        updates=updates,
        fingerprint=fingerprint(updates),
        labels=_union(one.proposing.labels for one in members),
        reviewers=_union(one.proposing.reviewers for one in members),
        assignees=_union(one.proposing.assignees for one in members),
        priority=max(one.proposing.priority for one in members),
        automerge=members[0].automerge if stream.landing != PERSON else None,
        schedules=tuple(schedule for schedule in schedules if schedule is not None),
        left_out=left_out,
        batch=all(one.proposing.batch for one in members),
    )
    return replace(proposal, body=messages.body(proposal))


def fingerprint(updates: Iterable[Update]) -> str:
    """What the branch is written for, in short: the places with what stands there and what is to stand there."""
    return hashlib.sha256(json.dumps(sorted(targets(updates))).encode()).hexdigest()[:16]


def _edited(path: str, updates: Sequence[Update], ground: Ground) -> tuple[FileChange | None, Sequence[Update], list[Trouble]]:
    """A file with its updates written in; the updates that are, and trouble for those that cannot be."""
    source, good, troubles = ground.files.get(path), list(updates), list[Trouble]()
    if source is None:
        return None, [], [_trouble(update, "its file could not be read", ground) for update in updates]
    while good:
        data = _written(path, source.data, good, ground)
        if isinstance(data, bytes):
            return FileChange(path, source.mode, source.oid, data), good, troubles
        bad = [update for update in good if data.line in (update.occurrence.line, update.occurrence.tag_line)]
        bad = bad or [one for one in good if not isinstance(_written(path, source.data, [one], ground), bytes)] or good
        troubles += [_trouble(update, data.reason, ground) for update in bad]
        good = [update for update in good if update not in bad]
    return None, [], troubles


def _written(path: str, data: bytes, updates: Sequence[Update], ground: Ground) -> bytes | Unprovable:
    """The file with these updates, or why that cannot be."""
    try:
        after = ground.rewrite(path, data, {update.occurrence: update.target for update in updates})
    except Unprovable as error:
        return error
    return after if after != data else Unprovable(path, None, "the edit changes nothing")


def _trouble(update: Update, reason: str, ground: Ground) -> Trouble:
    place = update.occurrence
    return Trouble(place.file, place.tag_line or place.line, place.image, reason, ground.base)


def _union(names: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for some in names for name in some))
