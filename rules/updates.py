"""Occurrences and choices become Updates: which bytes of which file are to say what, and why.

    asked, answered = subjects(occurrences, config)     each image once for every tag it stands at and every way to choose
    updates(subject, choice, known, now)                what becomes of each of its places

Every place gets an answer. An `Update` moves it (two where the next major has a request of its own). A `Stay` says why there is
nothing to do. A `Trouble` says what is wrong or could not be read: it is reported, and nothing is ever done because of it, so
an open request for that place is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rules import directives, durations
from rules.formats.base import Occurrence, Unread
from rules.images import canonical
from rules.policies import words
from rules.policies.base import Candidate, Choice, Choosing, UpdateKind

if TYPE_CHECKING:  # the configuration knows the merge rule, which knows updates
    from rules.config.values import Config

KIND_ORDER: tuple[UpdateKind, ...] = ("pin", "digest", "build", "patch", "minor", "major")
UNKNOWN = Candidate("")
ROLLBACK = "rollback"
"""The policy of an update that goes back (`rules.rollbacks`)."""
IN_PIECES = "its tag is not written in one piece, so it cannot be changed without guessing"


@dataclass(frozen=True, slots=True)
class Target:
    """What is to stand in a place: a tag and, where the file names one or the rule pins, its digest."""

    tag: str | None
    digest: str | None = None

    def __str__(self) -> str:
        return (self.tag or "") + (f"@{self.digest}" if self.digest else "")


@dataclass(frozen=True, slots=True)
class Update:
    """One image in one place, with what is to stand there. `kind` is None where it could not be derived: never merged by rule."""

    occurrence: Occurrence
    target: Target
    kind: UpdateKind | None
    policy: str
    choice: Choice

    @property
    def current(self) -> Target:
        return Target(self.occurrence.tag, self.occurrence.digest)


@dataclass(frozen=True, slots=True)
class Stay:
    """A place that gets nothing, and why. `held` is the update that there would be if nothing held it back, `refused` whether it
    is that very version that somebody said no to, `alarm` that it is held because
    something has to be mended; `wake` is when the answer can change by itself."""

    occurrence: Occurrence
    reason: str
    choice: Choice | None = None
    held: Update | None = None
    wake: datetime | None = field(default=None, compare=False)
    refused: bool = False
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong or could not be read. `image` is as written, empty for all of the file; `file` is empty for all
    of the base branch, `base` for every one. `skipped` is true where it was passed over on purpose: told, but no failure."""

    file: str
    line: int | None
    image: str
    reason: str
    base: str = ""
    skipped: bool = False

    def covers(self, base: str, file: str, image: str) -> bool:
        """Whether nothing is known of this image in this file because of it."""
        same_image = not self.image or canonical(self.image) == canonical(image)
        return self.base in ("", base) and self.file in ("", file) and same_image


Outcome = Update | Stay | Trouble


@dataclass(frozen=True, slots=True)
class Subject:
    """One question for a registry: an image (canonical name) that stands at one tag and digest, and how its next is chosen."""

    image: str
    choosing: Choosing
    tag: str | None
    digest: str | None
    places: tuple[Occurrence, ...]

    @property
    def wants_digest(self) -> bool:
        """Whether a digest has to stand beside the tag."""
        return self.digest is not None or self.choosing.pin


def largest(kinds: list[UpdateKind | None]) -> UpdateKind | None:
    """The kind that a group counts as: its largest member; None (unknown) is larger than all."""
    return None if None in kinds else max((kind for kind in kinds if kind), key=KIND_ORDER.index, default=None)


def subjects(
    occurrences: Iterable[Occurrence], config: Config, flux: Mapping[str, Choosing] | None = None
) -> tuple[list[Subject], list[Stay | Trouble]]:
    """The questions that these places ask, in the order in which they stand, and the places that need none.

    `flux` has the ImagePolicies that were found in the repository, by `namespace:name`.
    """
    asked: dict[tuple[str, Choosing, str | None, str | None], list[Occurrence]] = {}
    answered: list[Stay | Trouble] = []
    for place in sorted(occurrences, key=lambda place: (place.file, place.line, place.image)):
        match _choosing(place, config, flux or {}):
            case Choosing() as choosing:
                asked.setdefault((canonical(place.image), choosing, place.tag, place.digest), []).append(place)
            case other:
                answered.append(other)
    return [Subject(*key, tuple(places)) for key, places in asked.items()], answered


def needed(subject: Subject, choice: Choice) -> tuple[str, ...]:
    """The tags whose digests `updates` wants to know: few or none."""
    return tuple(dict.fromkeys(tag for tag, _ in _moves(subject, choice) if _follows_digest(subject, choice, tag)))


def updates(subject: Subject, choice: Choice, known: Mapping[str, Candidate], now: datetime) -> list[Outcome]:
    """What becomes of each place of a subject, by the choice that was made for it.

    `known` has the digests of the tags that `needed` names, with the time at which that digest was first seen where the rule
    wants an age. A tag whose digest is missing there is trouble: half of `tag@digest` is never written.
    """
    return [outcome for place in subject.places for outcome in _outcomes(place, subject, choice, known, now)]


def unanswered(subject: Subject, reason: str) -> list[Trouble]:
    """The places of a subject that could not be looked at: its registry failed, or its listing lacks the tag that stands here."""
    return [Trouble(place.file, place.line, place.image, reason) for place in subject.places]


def unread(files: Iterable[Unread]) -> list[Trouble]:
    """Files that could not be read, as trouble for every image in them."""
    return [Trouble(file.file, file.line, "", file.reason, skipped=file.skipped) for file in files]


def _choosing(place: Occurrence, config: Config, flux: Mapping[str, Choosing]) -> Choosing | Stay | Trouble:
    if place.unresolved is not None:
        return Stay(place, place.unresolved)
    if place.tag is None and place.digest is None:
        return Stay(place, "no tag stands there")
    if (place.tag is None or place.tag_span is None) and place.digest_span is None and place.sha_span is None:
        return Stay(place, IN_PIECES)
    try:
        directive = directives.read(place.directive)
    except directives.BadDirective as error:
        return Trouble(place.file, place.line, place.image, str(error))
    choosing = config.choosing(place.image, place.file)
    match directive:
        case directives.Ignore(why):
            return Stay(place, f"a comment beside it says to ignore it{f': {why}' if why else ''}")
        case directives.Policy():
            choosing = directive.over(choosing)
        case directives.FluxMarker(name) if name in flux:
            choosing = replace(flux[name], min_age=choosing.min_age, pin=choosing.pin, platforms=choosing.platforms)
        case directives.FluxMarker(name):
            return Stay(place, f"Flux's marker beside it names the ImagePolicy {name}, which is not in this repository")
    return choosing if choosing.policy != "none" else Stay(place, "a rule leaves it alone (policy: none)")


def _moves(subject: Subject, choice: Choice) -> Iterator[tuple[str, UpdateKind | None]]:
    """The tags to stand there, each for an update of its own."""
    if choice.chosen is not None:
        yield choice.chosen, choice.kind
    elif subject.wants_digest and subject.tag is not None and not _is_held(subject.tag, choice):
        yield subject.tag, "digest" if subject.digest else "pin"
    if choice.major is not None:
        yield choice.major, "major"


def _is_held(tag: str, choice: Choice) -> bool:
    """Whether the new content of the tag that stands there was looked at, and may not be taken, or not yet."""
    return choice.code == "digest-same" or (choice.code in words.HELD and choice.detail.partition(" ")[0] == tag)


def _follows_digest(subject: Subject, choice: Choice, tag: str) -> bool:
    return subject.wants_digest and not (choice.digest is not None and tag == choice.chosen)


def _outcomes(
    place: Occurrence, subject: Subject, choice: Choice, known: Mapping[str, Candidate], now: datetime
) -> Sequence[Outcome]:
    found: list[Outcome] = []
    for tag, kind in _moves(subject, choice):
        facts = known.get(tag, UNKNOWN)
        digest = choice.digest if tag == choice.chosen else None
        if _follows_digest(subject, choice, tag):
            digest = facts.digest
            if digest is None:
                found.append(Trouble(place.file, place.line, place.image, f"the digest of {tag} could not be read"))
                continue
        target = Target(tag if place.tag is not None else None, digest)
        if target == Target(place.tag, place.digest):
            continue
        if choice.chosen is None and kind == "digest" and (early := _too_young(subject, facts, now)):
            found.append(Stay(place, early[0], choice, wake=early[1]))
        elif place.tag != target.tag and place.tag_span is None:
            found.append(Stay(place, IN_PIECES, choice))
        else:
            found.append(Update(place, target, kind, subject.choosing.policy, choice))
    return found or [Stay(place, words.of_choice(choice), choice, wake=choice.wake)]


def _too_young(subject: Subject, facts: Candidate, now: datetime) -> tuple[str, datetime | None] | None:
    """Why not yet, and until when. The tag that stands there points elsewhere by now, and what it points to has an age of its
    own that no policy has judged."""
    wanted = subject.choosing.min_age
    since = facts.pushed_at or facts.first_seen
    if wanted <= timedelta(0) or (since is not None and now - since >= wanted):
        return None
    reason = f"{subject.tag} points to a new digest that is not {durations.text(wanted)} old yet"
    return reason, since + wanted if since else None
