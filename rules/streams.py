"""Streams: which updates share a request.

One open request for each base branch, image or group, way of landing, and new major. So `web` in dev, which lands by rule, and
`web` in prod, which a person lands, are two requests; all places of `web` that land alike are one.

    group: platform            one request for all updates whose rule says so
    group: "path:envs/*"       one request for each folder that matches: envs/dev/api/app.yaml is in `envs/dev`

What goes back after a landing (`rules.rollbacks`) has a request of its own for each image, and so has what changes the major. A
member of a group that turned out red can be set apart: then it is a stream `group:platform+<image>` until it has landed or was
closed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields

from rules import globs
from rules.automerge import GIT_DEFAULTS, Automerge, timeless
from rules.config.values import Config, ForgeKind, Proposing
from rules.images import canonical
from rules.updates import ROLLBACK, Update

PERSON, PUSH = "person", "push"
_BACK = "rollback:"
_RULE = "rule"
_FOLDER = "path:"
_APART = "+"
_DEFAULTS = Automerge()
BACK_FIRST = 1000
"""The priority of what goes back."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What one request is for: base branch, image or group, how it lands, and the major it stays in.

    `subject` is a canonical image name or `group:<name>`; `landing` tells requests that land by rule from those that wait
    for a person (a short text, equal for equal landing rules); `major` is set only for a stream that changes the major.
    """

    base: str
    subject: str
    landing: str
    major: str | None = None

    @property
    def key(self) -> str:
        return "|".join((self.base, self.subject, self.landing, self.major or ""))

    @staticmethod
    def subject_of(key: str) -> str:
        """The subject of a stream, out of its key."""
        return key.partition("|")[2].rsplit("|", 2)[0]

    @property
    def group(self) -> str | None:
        """The group's name, where the stream is one's or that of a member set apart."""
        if not self.subject.startswith("group:"):
            return None
        name = self.subject.removeprefix("group:")
        group, _, image = name.rpartition(_APART)
        return group if group and "/" in image else name

    @property
    def is_rollback(self) -> bool:
        """Whether it goes back: such a request waits for no schedule or freeze to be opened."""
        return self.subject.startswith(_BACK)

    @property
    def mark(self) -> str:
        """The end of the branch's name, by which a request is known whatever prefix its branch was made with."""
        return hashlib.sha256(self.key.encode("utf-8", "surrogateescape")).hexdigest()[:8]

    def branch(self, prefix: str) -> str:
        """The branch of this stream: `<prefix><slug>-<short hash>`, a pure function of the stream."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.subject.rpartition("/")[2].removeprefix("group:").lower()).strip("-")[:40]
        return f"{prefix}{slug or 'images'}-{self.mark}"


@dataclass(frozen=True, slots=True)
class Member:
    """An update with what the rules say of it. `automerge` is the rule that covers it; None: a person lands it."""

    update: Update
    proposing: Proposing
    automerge: Automerge | None

    @property
    def image(self) -> str:
        """The canonical name."""
        return canonical(self.update.occurrence.image)


def member(update: Update, config: Config, forge: ForgeKind) -> Member:
    """What the rules say of an update."""
    image, path = update.occurrence.image, update.occurrence.file
    if update.policy == ROLLBACK:
        return _going_back(update, config, forge)
    automerge = config.landing(image, path, update.kind, forge)
    covered = automerge if automerge is not None and automerge.covers(update.kind) else None
    return Member(update, config.proposing(image, path, update.kind), covered)


def _going_back(update: Update, config: Config, forge: ForgeKind) -> Member:
    """An update that goes back: at once, alone, and by rule where `rollback: auto` says so and the operator allows it."""
    image, path = update.occurrence.image, update.occurrence.file
    said = config.proposing(image, path, None)
    proposing = Proposing(labels=said.labels, reviewers=said.reviewers, assignees=said.assignees, priority=BACK_FIRST)
    if said.rollback != "auto" or update.kind is None or config.limits.forbid_landing(image, path):
        return Member(update, proposing, None)
    usual = Automerge(**(GIT_DEFAULTS if forge == "git" else {}))
    return Member(update, proposing, timeless(config.landing(image, path, update.kind, forge) or usual))


def streams(
    updates: Iterable[Update], config: Config, base: str, forge: ForgeKind, apart: Collection[str] = ()
) -> dict[Stream, list[Member]]:
    """The updates, sorted into their streams. `apart` has the subjects of group members that are set apart."""
    sorted_: dict[Stream, list[Member]] = {}
    locked: dict[Stream, list[Member]] = {}
    for one in (member(update, config, forge) for update in updates):
        if one.update.policy == ROLLBACK:
            sorted_.setdefault(Stream(base, f"{_BACK}{one.image}", landing_key(one)), []).append(one)
            continue
        group = group_of(one.proposing.group, one.update.occurrence.file)
        major = _major(one.update, group)
        if group is not None and one.proposing.lockstep:
            locked.setdefault(Stream(base, f"group:{group}", "", major), []).append(one)
            continue
        alone = apart_from(f"group:{group}", one.image)
        subject = one.image if group is None else alone if alone in apart else f"group:{group}"
        sorted_.setdefault(Stream(base, subject, landing_key(one), major), []).append(one)
    for stream, members in locked.items():
        ways = {landing_key(one) for one in members}
        # Together or not at all: if one of them waits for a person, or they land by different rules, a person lands all.
        way = ways.pop() if len(ways) == 1 else PERSON
        sorted_.setdefault(Stream(base, stream.subject, way, stream.major), []).extend(members)
    return sorted_


def apart_from(subject: str, image: str) -> str:
    """The subject of a group's member that is set apart."""
    return f"{subject}{_APART}{canonical(image)}"


def check_group(group: str) -> None:
    """Raises BadGlob where a rule's `group` names folders by a pattern that cannot be read."""
    if group.startswith(_FOLDER):
        globs.check(group.removeprefix(_FOLDER).strip().rstrip("/"))


def group_of(group: str | None, path: str) -> str | None:
    """The group that a file's update is in, by a rule's `group`; None: in none."""
    if group is None or not group.startswith(_FOLDER):
        return group
    pattern, parts = group.removeprefix(_FOLDER).strip().rstrip("/"), path.split("/")[:-1]
    folders = ("/".join(parts[: count + 1]) for count in range(len(parts)))
    try:
        return next((folder for folder in folders if globs.matches(pattern, folder)), None)
    except globs.BadGlob:  # the configuration was not checked: then it is a name like any other
        return group


def landing_key(one: Member) -> str:
    """How an update lands, in a word. Rules that say the same have the same word, whatever a later version adds to them."""
    if one.proposing.delivery == "push":
        return PUSH
    if one.automerge is None:
        return PERSON
    said = [(field.name, getattr(one.automerge, field.name)) for field in fields(Automerge)]
    odd = [f"{name}={value}" for name, value in said if value != getattr(_DEFAULTS, name)]
    return f"{_RULE}-{hashlib.sha256(repr(odd).encode()).hexdigest()[:6]}" if odd else _RULE


def _major(update: Update, group: str | None) -> str | None:
    """What tells a stream that changes the major: the new major, and for a group, whose members have one each, just that."""
    if update.kind != "major":
        return None
    number = re.search(r"\d+", update.target.tag or "")
    return number[0] if number and group is None else "major"
