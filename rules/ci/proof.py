"""The proof for a repository: what every landing method would start, with the marking that Tagboat would use.

    for row in prove(Case(definitions, {"ghcr.io/acme/shop": ("deploy/app.yaml",)}, "acme/shop"), "github"):
        row.landing, row.event, row.pipeline, row.verdict, row.loop

One row for each landing method, event (the request's branch, the landing) and pipeline. What could not be evaluated is `unknown`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from rules.ci.base import ForgeName, Pipeline, Unreadable
from rules.ci.builds import ANY_IMAGE
from rules.ci.landings import WAYS, Way, exists
from rules.ci.simulation import Outcome
from rules.ci.situation import Marking, Refusal, Situation
from rules.ci.world import Trial, World
from rules.loops import mark

Verdict = Literal["starts", "skipped", "blocked", "unknown"]
_WORDS: Mapping[str, Verdict] = {"yes": "starts", "no": "skipped", "unknown": "unknown"}
_DIRECT: tuple[Way, ...] = ("squash", "merge")
_SOMEWHERE = ("deploy/app.yaml",)


@dataclass(frozen=True, slots=True)
class Row:
    """What one event of one landing method does to one pipeline; `loop`: the image may be built again by it."""

    forge: ForgeName
    landing: Way
    event: Literal["branch", "landing"]
    pipeline: str
    verdict: Verdict
    loop: bool
    file: str
    line: int | None
    reason: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """A repository: its definitions, where each of its images stands (canonical names), its name, and its marker. `required` are
    the checks that the base branch demands, as far as they are known."""

    definitions: Mapping[str, bytes]
    places: Mapping[str, tuple[str, ...]]
    repository: str | None = None
    base: str = "main"
    marker: str = "auto"
    sources: Mapping[str, str] = field(default_factory=dict)
    required: frozenset[str] = frozenset()

    def situations(self, forge: ForgeName) -> list[Situation]:
        """What a proposal can be here: one for each image that is built here, or may be; else one with all images."""
        whole = Situation(
            forge,
            self.definitions,
            self.repository,
            self.base,
            marker=self.marker,
            sources=self.sources,
            images=tuple(self.places),
        )
        if not self.places:
            # Nothing to bump yet: what if there were an image of this repository's own?
            return [replace(whole, images=(ANY_IMAGE,), paths=_SOMEWHERE)]
        world = World.of(whole)
        jobs = [job for pipeline in world.pipelines for job in pipeline.jobs]
        ours = [image for image in self.places if any(world.ground.builds(job, image).answer != "no" for job in jobs)]
        if ours:
            # Images that stand in the same files are alike.
            together: dict[tuple[str, ...], list[str]] = {}
            for image in ours:
                together.setdefault(self.places[image], []).append(image)
            return [replace(whole, images=tuple(images), paths=paths) for paths, images in together.items()]
        every = tuple(dict.fromkeys(path for paths in self.places.values() for path in paths))
        return [replace(whole, paths=every)]


def prove(case: Case, forge: ForgeName) -> Iterator[Row]:
    """Every row for one forge, by landing method."""
    situations = case.situations(forge)
    world = World.of(situations[0])
    for way in WAYS:
        if not exists(forge, way):
            continue
        played = [_play(world, situation, way) for situation in situations]
        for index, pipeline in enumerate(world.pipelines):
            if way != "push":
                demanded = _is_demanded(pipeline, case.required)
                yield min((one.branch(index, forge, pipeline, demanded=demanded) for one in played), key=_safety)
            yield min((one.landing(index, forge, pipeline) for one in played), key=_safety)
        for unreadable in world.unreadable:
            yield from _unreadable(unreadable, forge, way)


def _safety(row: Row) -> tuple[bool, int]:
    return (not row.loop, ("blocked", "starts", "unknown", "skipped").index(row.verdict))


@dataclass(frozen=True, slots=True)
class _Played:
    """A landing as it would go, and what was decided about it."""

    way: Way
    verdict: Marking | Refusal
    unmarked: Trial
    trial: Trial
    note: str = ""

    def branch(self, index: int, forge: ForgeName, pipeline: Pipeline, *, demanded: bool) -> Row:
        before, after = self.unmarked.branch[index], self.trial.branch[index]
        start = after.start
        reason, fix, verdict = start.reason, start.fix, _WORDS[start.answer]
        if start.answer == "no" and (start.by == "token" or before.start.answer != "no"):
            verdict = "blocked"
            reason += ": a required check would wait for ever"
        elif start.answer == "no" and start.by == "paths":
            verdict = "blocked" if demanded else verdict
            reason += f"; {_since(demanded)} the request waits for ever"
            fix = "let it run for every request, or do not require its check"
        elif start.answer != "no" and after.loop:
            reason += "; an image that is pushed from the request's branch must not fit the policy"
        if self.way == "queue" and start.answer == "yes" and self.trial.queue[index].start.answer == "no":
            queued = self.trial.queue[index].start
            verdict = "blocked" if queued.by == "token" or demanded else verdict
            reason += f"; for the queue {queued.reason}: {_since(demanded)} nothing ever lands"
            fix = fix or ("add `merge_group:` to `on:`" if forge == "github" else "let it run for merge trains")
        return Row(forge, self.way, "branch", pipeline.name, verdict, False, *_place(after), reason, fix)

    def landing(self, index: int, forge: ForgeName, pipeline: Pipeline) -> Row:
        after = self.trial.landing[index]
        reason, fix = after.start.reason, after.start.fix
        if after.loop:
            sign = f"; {after.evidence.sign}" if after.evidence else ""
            reason = f"{reason}{sign}"
            if isinstance(self.verdict, Refusal):
                reason += f" (Tagboat does not land so: {self.verdict.reason})"
                fix = self.verdict.fix
            else:
                reason += f" ({self.verdict.reason})"
                fix = fix or pipeline.remedy(_SOMEWHERE)
        elif self.note and after.start.by in ("token", "rule"):
            reason += f"; {self.note}"
        if isinstance(self.verdict, Marking) and "tag another one" in self.verdict.reason and after.start.by == "token":
            reason += "; a tag that is put on this commit would be skipped too"
        return Row(forge, self.way, "landing", pipeline.name, _WORDS[after.start.answer], after.loop, *_place(after), reason, fix)


def _since(demanded: bool) -> str:
    return "its check is required, so" if demanded else "if its check is required,"


def _is_demanded(pipeline: Pipeline, required: frozenset[str]) -> bool:
    """Whether a check of the pipeline is among those that the base branch demands."""
    names = {name for job in pipeline.jobs for name in (job.name, job.label) if name} | {pipeline.name}
    return any(check in names or check.partition(" (")[0] in names or check.partition(" / ")[2] in names for check in required)


def _play(world: World, situation: Situation, way: Way) -> _Played:
    verdict = mark(situation, way)
    unmarked = world.play(situation, way, Marking(None, ""))
    if isinstance(verdict, Marking):
        return _Played(way, verdict, unmarked, world.play(situation, way, verdict))
    if way == "auto-merge":
        # Where a marker is needed Tagboat lands directly instead.
        for direct in _DIRECT:
            other = mark(situation, direct)
            if isinstance(other, Marking):
                note = f"Tagboat lands it directly by {direct} instead, since {verdict.reason.rpartition(', and ')[2]}"
                return _Played(way, other, unmarked, world.play(situation, direct, other), note)
    return _Played(way, verdict, unmarked, unmarked)


def _place(told: Outcome) -> tuple[str, int | None]:
    start = told.start
    if start.line is not None:
        return start.file or told.pipeline.file, start.line
    return told.pipeline.file, (told.evidence.line if told.evidence else None) or told.pipeline.line


def _unreadable(found: Unreadable, forge: ForgeName, way: Way) -> Iterator[Row]:
    reason, fix = f"it could not be read: {found.reason}", "mend the file"
    if way != "push":
        yield Row(forge, way, "branch", found.file, "unknown", False, found.file, found.line, reason, fix)
    yield Row(forge, way, "landing", found.file, "unknown", True, found.file, found.line, reason, fix)
