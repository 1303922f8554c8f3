"""What the events of a landing start: every pipeline, whether it builds the image again, and what else runs.

outcome(pipeline, events, ("ghcr.io/acme/shop",), Ground("acme/shop"))     Outcome(answer="yes", loop=True, …)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rules.ci.base import Event, Job, Pipeline, Start, either, every
from rules.ci.builds import Evidence, Ground

_SILENCED = frozenset({"deploy", "scan", "publish"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of one pipeline. `loop` is true where a job that builds the image, or may, runs or may run."""

    pipeline: Pipeline
    start: Start
    loop: bool = False
    evidence: Evidence | None = None
    runs: frozenset[str] = frozenset()  # jobs that run, or may run
    effects: frozenset[str] = frozenset()  # of those


def outcome(pipeline: Pipeline, events: Iterable[Event], images: Sequence[str], ground: Ground) -> Outcome:
    """What all these events together do to a pipeline."""
    told: list[Start] = []
    found: Evidence | None = None
    culprit: Start | None = None
    runs: set[str] = set()
    effects: set[str] = set()
    for event in events:
        start, ran = _told(pipeline, event)
        told.append(_whole(start, ran))
        for job, run in zip(pipeline.jobs, ran, strict=True):
            if run.answer == "no":
                continue
            runs.add(job.name)
            effects |= job.work.effects
            evidence = _evidence(job, images, ground)
            if evidence is not None and (found is None or (found.answer, evidence.answer) == ("unknown", "yes")):
                found, culprit = evidence, run
    start = either(told) or Start("no", "nothing happens that could start it")
    if found is not None and culprit is not None and culprit.answer == "unknown" and start.answer != "unknown":
        start = Start("unknown", culprit.reason, "unknown", culprit.line, culprit.fix)
    return Outcome(pipeline, start, found is not None, found, frozenset(runs), frozenset(effects))


@lru_cache(maxsize=4096)
def _told(pipeline: Pipeline, event: Event) -> tuple[Start, tuple[Start, ...]]:
    """What an event does to a pipeline and to each of its jobs; asked again and again for other images and markers."""
    start = pipeline.start(event)
    if start.answer == "no":
        return start, tuple(start for _ in pipeline.jobs)
    return start, tuple(every([start, pipeline.run(job, event)]) for job in pipeline.jobs)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Of several variants, the one that is least safe."""
    order = ("yes", "unknown", "no")
    return min(outcomes, key=lambda one: (not one.loop, order.index(one.start.answer)))


def silenced(before: Sequence[Outcome], after: Sequence[Outcome]) -> tuple[Pipeline, str] | None:
    """The first pipeline that would run without a marker, does something that has to happen, and does not run with it."""
    for old, new in zip(before, after, strict=True):
        lost = (old.effects - new.effects) & _SILENCED
        if old.loop:
            lost -= {"scan", "publish"}  # of what it has just built
        if lost and old.start.answer != "no":
            return old.pipeline, min(lost)
    return None


def _whole(start: Start, ran: Iterable[Start]) -> Start:
    """A pipeline of which no job runs does nothing."""
    listed = list(ran)
    if start.answer == "no" or not listed:
        return start
    best = either(listed)
    return best if best is not None and best.answer != "yes" else start


def _evidence(job: Job, images: Sequence[str], ground: Ground) -> Evidence | None:
    found: Evidence | None = None
    for image in images:
        evidence = ground.builds(job, image)
        if evidence.answer == "yes":
            return evidence
        if evidence.answer == "unknown":
            found = found or evidence
    return found
