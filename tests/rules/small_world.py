"""A repository small enough for a test: files with `image:` lines, a registry that is a dict, and a forge that is a list."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rules.config.values import Config, Match, Rule
from rules.edits import Edit, Span, apply
from rules.formats.base import Occurrence
from rules.plan import Action, Close, Leave, Open, PullRequest, Refresh
from rules.policies.base import Candidate, Choice, Judged, UpdateKind, Verdict
from rules.proposals import Ground, Proposal, Source, Wishes, propose
from rules.records import record_of
from rules.rewriting import Unprovable
from rules.updates import Outcome, Target, Update, subjects, unanswered, updates

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday
DIGEST, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64
_LINE = re.compile(
    r"image: (?P<name>[^\s:@#]+)(?::(?P<tag>[^\s@#]+))?(?:@(?P<digest>[^\s#]+))?(?:\s+(?P<comment>#.*))?$", re.MULTILINE
)


def occurrences(files: Mapping[str, str]) -> list[Occurrence]:
    """The images of files whose lines are `image: name:tag@digest  # comment`."""
    return [_occurrence(path, text, match) for path, text in files.items() for match in _LINE.finditer(text)]


def _occurrence(path: str, text: str, match: re.Match[str]) -> Occurrence:
    def span(group: str) -> Span | None:
        return Span(len(text[: match.start(group)].encode()), len(text[: match.end(group)].encode())) if match[group] else None

    line = text.count("\n", 0, match.start()) + 1
    return Occurrence(
        path, line, "test", match["name"], match["tag"], match["digest"], line, span("tag"), span("digest"),
        directive=match["comment"],
    )  # fmt: skip


def rewrite(path: str, data: bytes, targets: Mapping[Occurrence, Target]) -> bytes:
    """The file with its targets spliced in. A place whose line says `odd` cannot be proven."""
    edits: list[Edit] = []
    for place, target in targets.items():
        if place.directive and "odd" in place.directive:
            raise Unprovable(path, place.line, "it is odd")
        if place.tag_span and target.tag and target.tag != place.tag:
            edits.append(Edit(place.tag_span, (place.tag or "").encode(), target.tag.encode()))
        if place.digest_span and target.digest != place.digest:
            edits.append(Edit(place.digest_span, (place.digest or "").encode(), (target.digest or "").encode()))
        if target.digest and place.digest is None and place.tag_span:
            edits.append(Edit(Span(place.tag_span.end, place.tag_span.end), b"", f"@{target.digest}".encode()))
    return apply(data, edits)


def rule(
    images: Sequence[str] | None = None,
    paths: Sequence[str] | None = None,
    kinds: Sequence[UpdateKind] | None = None,
    **keys: Any,
) -> Rule:
    """A rule; `automerge` is a `Landing`, `policy`, `pin`, `min_age` and the like choose, all other keys propose."""
    match = Match(tuple(images) if images else None, tuple(paths) if paths else None, tuple(kinds) if kinds else None)
    landing = keys.pop("automerge", None)
    choosing = {key: value for key, value in keys.items() if key in ("policy", "pin", "min_age", "range")}
    proposing = {key: value for key, value in keys.items() if key not in choosing}
    return Rule(match, choosing, proposing, landing)


def numbers(tag: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", tag)))


def choice(current: str | None, tags: Iterable[str]) -> Choice:
    """A policy for tests: the largest tag of the same major, and the largest of all where that is a newer major."""
    here = numbers(current or "0")
    fits = max((tag for tag in tags if numbers(tag)[:1] == here[:1]), key=numbers, default=None)
    beyond = max((tag for tag in tags if numbers(tag)[:1] > here[:1]), key=numbers, default=None)
    chosen = fits if fits and numbers(fits) > here else None
    kind: UpdateKind | None = None
    if chosen:
        kind = "minor" if numbers(chosen)[:2] > here[:2] else "patch"
    judged = tuple(Judged(tag, Verdict.CHOSEN if tag == chosen else Verdict.OLDER, "older") for tag in sorted(tags))
    return Choice(chosen, kind, "newest" if chosen else "nothing-newer", major=beyond, candidates=judged)


def update(
    line: str = "image: acme/web:1.4.1", new: str = "1.4.2", kind: UpdateKind | None = "patch", file: str = "app.yaml"
) -> Update:
    """One update, by the line that stands there."""
    (place,) = occurrences({file: line})
    tag, _, digest = new.partition("@")
    return Update(place, Target(tag or None, digest or None), kind, "auto", choice(place.tag, [new.partition("@")[0] or "0"]))


@dataclass
class World:
    """A repository with its registry. Tags that are None could not be listed."""

    files: dict[str, str]
    tags: dict[str, Sequence[str] | None]
    config: Config = field(default_factory=Config)
    requests: list[PullRequest] = field(default_factory=list)
    now: datetime = NOW
    digests: dict[str, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)

    def outcomes(self) -> list[Outcome]:
        asked, answered = subjects(occurrences(self.files), self.config)
        found: list[Outcome] = [*answered]
        for subject in asked:
            tags = self.tags.get(subject.image.removeprefix("docker.io/"), ())
            if tags is None:
                found += unanswered(subject, "the registry is down")
            else:
                known = {tag: Candidate(tag, digest) for tag, digest in self.digests.items()}
                found += updates(subject, choice(subject.tag, tags), known, self.now)
        return found

    def ground(self, apart: frozenset[str] = frozenset()) -> Ground:
        sources = {path: Source("100644", _oid(text), text.encode()) for path, text in self.files.items()}
        return Ground("main", sources, self.config, rewrite, apart=apart)

    def wishes(self) -> Wishes:
        return propose(self.outcomes(), self.ground())

    def carry_out(self, actions: Iterable[Action]) -> None:
        """As a forge would: one open request a branch, bodies kept as they are written."""
        for action in actions:
            match action:
                case Open(proposal):
                    assert all(one.branch != proposal.branch for one in self.open()), "two open requests on one branch"
                    self.requests.append(self._written(proposal, len(self.requests) + 1))
                case Refresh(request, proposal):
                    at = self.requests.index(request)
                    assert not request.edited_by_person
                    assert proposal.branch == request.branch
                    self.requests[at] = replace(self._written(proposal, request.number), created_at=request.created_at)
                case Close(request):
                    self.change(request, state="closed", closed_by_us=True, ended_at=self.now)
                case Leave():
                    pass

    def open(self) -> list[PullRequest]:
        return [one for one in self.requests if one.state == "open"]

    def change(self, request: PullRequest, **what: Any) -> None:
        at = self.requests.index(request)
        self.requests[at] = replace(request, **what)

    def merge(self, request: PullRequest) -> None:
        """Land it: the files say what it wished."""
        assert request.record
        for file, image, old, new in request.record.targets:
            self.files[file] = self.files[file].replace(f"image: {image}:{old}", f"image: {image}:{new}")
        self.change(request, state="merged", ended_at=self.now, landed="c0ffee")

    def pass_time(self, time: timedelta) -> None:
        self.now += time

    def _written(self, proposal: Proposal, number: int) -> PullRequest:
        return PullRequest(
            number, proposal.branch, proposal.stream.base, proposal.title, proposal.body, _oid(proposal.fingerprint), "open",
            labels=frozenset(proposal.labels), created_at=self.now, record=record_of(proposal.body),
        )  # fmt: skip


def _oid(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
