"""What a configuration says, as frozen values, and its three questions: `choosing`, `proposing`, `landing`.

Every rule that matches applies; a later one overrides an earlier one key by key, an object (`automerge`, `follow`) as a whole.
The kind of an update is known only after the choice, so `match.updates` gates how an update is proposed and how it lands, never
which tag is next. The operator's limits are laid over the answer: the stricter of the two holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal

from rules import globs, titles
from rules.automerge import GIT_DEFAULTS, Automerge, Method, preferred
from rules.findings import Finding
from rules.freezes import Freeze
from rules.policies.base import Choosing, Step, UpdateKind
from rules.schedules import Schedule

ForgeKind = Literal["github", "gitlab", "git"]
_STEPS: tuple[Step, ...] = ("patch", "minor", "major")


@dataclass(frozen=True, slots=True)
class Proposing:
    """How an update is proposed. `schedule` None: at any time. `delivery` push: straight to the branch, without a request."""

    group: str | None = None
    lockstep: bool = False
    schedule: Schedule | None = None
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    priority: int = 0
    delivery: Literal["request", "push"] = "request"
    batch: bool = False
    rollback: Literal["none", "propose", "auto"] = "none"


@dataclass(frozen=True, slots=True)
class Match:
    """What a rule is for; None matches everything, an empty tuple nothing."""

    images: tuple[str, ...] | None = None
    paths: tuple[str, ...] | None = None
    updates: tuple[UpdateKind, ...] | None = None

    def place(self, image: str, path: str) -> bool:
        """Whether the image in the file is meant."""
        image_fits = self.images is None or any(globs.matches_image(pattern, image) for pattern in self.images)
        return image_fits and (self.paths is None or globs.matches_any(self.paths, path))

    def kind(self, kind: UpdateKind | None) -> bool:
        """Whether an update of this kind is meant; one of unknown kind is meant only where no kinds are named."""
        return self.updates is None or kind in self.updates


@dataclass(frozen=True, slots=True)
class Landing:
    """An `automerge` as a rule has it; `said` are the keys that stand in the file, the others may depend on the forge."""

    automerge: Automerge
    said: frozenset[str] = frozenset()

    def on(self, forge: ForgeKind) -> Automerge:
        """The automerge rule with the defaults of this kind of forge."""
        if forge != "git":
            return self.automerge
        return replace(self.automerge, **{key: value for key, value in GIT_DEFAULTS.items() if key not in self.said})

    def by(self, allowed: Collection[Method]) -> Landing:
        """The same by a method that a repository allows, where the rule names none."""
        if "method" in self.said:
            return self
        return replace(self, automerge=replace(self.automerge, method=preferred(allowed)))


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: for each part, the keys that it sets. `landing` None: the rule does not speak of automerge."""

    match: Match = Match()
    choosing: Mapping[str, Any] = field(default_factory=dict)
    proposing: Mapping[str, Any] = field(default_factory=dict)
    landing: Landing | None = None


@dataclass(frozen=True, slots=True)
class Author:
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Commits:
    """How commits look. `marker` is auto, none or the text itself; `title` is a template for `rules.titles.fill`."""

    title: str = titles.DEFAULT
    marker: str = "auto"
    author: Author | None = None
    signoff: bool = False


@dataclass(frozen=True, slots=True)
class PullRequests:
    """How many requests may be open, and be opened in an hour (None: as many as there are), and how their branches begin."""

    limit: int | None = 10
    hourly: int | None = None
    branch_prefix: str = "tagboat/"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator forbids: no rule of a repository can loosen it."""

    min_age: timedelta = timedelta(0)
    max_step: Step = "major"
    push: bool = True
    paths_never: tuple[str, ...] = ()
    images_never: tuple[str, ...] = ()
    updates_never: tuple[UpdateKind, ...] = ()
    require_protection: bool = False
    min_pr_age: timedelta = timedelta(0)
    open_requests: int | None = None
    hourly_requests: int | None = None

    def forbid_landing(self, image: str, path: str) -> bool:
        """Whether nothing of this image in this file lands by rule."""
        return globs.matches_any(self.paths_never, path) or any(globs.matches_image(one, image) for one in self.images_never)

    def forbid_push(self, image: str, path: str, kind: UpdateKind | None) -> bool:
        """Whether an update needs a request: straight to the branch goes nothing that may not land by rule, or has to wait."""
        never = self.forbid_landing(image, path) or (bool(self.updates_never) and (kind is None or kind in self.updates_never))
        return not self.push or never or self.require_protection or self.min_pr_age > timedelta(0)


@dataclass(frozen=True, slots=True)
class Config:
    """A repository's configuration, the operator's defaults and limits included. `notes`: what its file says to no effect."""

    include: tuple[str, ...] = ("**",)
    exclude: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    loop_max: int = 3
    dashboard_issue: bool = False
    commits: Commits = Commits()
    base_branches: tuple[str, ...] = ()  # none: the repository's own
    pull_requests: PullRequests = PullRequests()
    limits: Limits = Limits()
    notes: tuple[Finding, ...] = ()

    def wants(self, path: str) -> bool:
        """Whether a file is to be read."""
        return globs.matches_any(self.include, path) and not globs.matches_any(self.exclude, path)

    def choosing(self, image: str, path: str) -> Choosing:
        """Which tag is next for an image (name as written, without tag) in a file."""
        said: dict[str, Any] = {}
        for rule in self._rules(image, path):
            said |= rule.choosing
        found = Choosing(**said)
        return replace(
            found,
            min_age=max(found.min_age, self.limits.min_age),
            max_step=min(found.max_step, self.limits.max_step, key=_STEPS.index),
        )

    def proposing(self, image: str, path: str, kind: UpdateKind | None) -> Proposing:
        """How an update of this kind (None: not known) is proposed."""
        said: dict[str, Any] = {}
        for rule in self._rules(image, path):
            if rule.match.kind(kind):
                said |= rule.proposing
        found = Proposing(**said)
        return replace(found, delivery="request") if self.limits.forbid_push(image, path, kind) else found

    def landing(self, image: str, path: str, kind: UpdateKind | None, forge: ForgeKind = "github") -> Automerge | None:
        """The rule by which an update of this kind lands; None: a person lands it. The rule may still not cover the kind
        (`Automerge.covers`): a major is covered only where the rule's `match.updates`, or its own `update_types`, names it.
        `forge` matters for defaults: plain git has neither protection nor checks."""
        said: Landing | None = None
        for rule in self._rules(image, path):
            if rule.landing is not None and rule.match.kind(kind):
                said = rule.landing
        if said is None or not said.automerge.automerge or self.limits.forbid_landing(image, path):
            return None
        found = said.on(forge)
        age = found.min_release_age if "min_release_age" in said.said else self.choosing(image, path).min_age
        return replace(
            found,
            update_types=tuple(kind for kind in found.update_types if kind not in self.limits.updates_never),
            min_release_age=max(age, self.limits.min_age),
            unknown_age="wait" if self.limits.min_age and found.unknown_age == "merge" else found.unknown_age,
            min_pr_age=max(found.min_pr_age, self.limits.min_pr_age),
            require_protection=found.require_protection or self.limits.require_protection,
        )

    def landing_by(self, allowed: Collection[Method]) -> Config:
        """The same where a repository allows these methods to land: a rule that names none takes the first of `squash`, `merge`,
        `rebase` and `fast-forward` that is among them."""
        return replace(self, rules=tuple(replace(one, landing=one.landing and one.landing.by(allowed)) for one in self.rules))

    def _rules(self, image: str, path: str) -> Iterator[Rule]:
        return (rule for rule in self.rules if rule.match.place(image, path))
