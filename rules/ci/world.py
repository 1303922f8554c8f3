"""A repository's pipelines, and landings played through with them.

world = World.of(situation)
world.play(situation, "squash", Marking("[skip ci]", "")).landing      what each pipeline does when it lands so
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from rules import ci
from rules.ci.base import Event, ForgeName, Pipeline, Unreadable
from rules.ci.builds import Ground, is_recipe
from rules.ci.landings import Story, Way, events, exists, on_branch, queue_run, takes_marker
from rules.ci.simulation import Outcome, outcome, worst
from rules.ci.situation import Marking, Situation


@dataclass(frozen=True, slots=True)
class Trial:
    """A landing as it was played through: what each pipeline does when the request is opened, in the queue, and when it lands."""

    branch: tuple[Outcome, ...]
    queue: tuple[Outcome, ...]
    landing: tuple[Outcome, ...]

    def hangs(self, unmarked: Trial) -> bool:
        """Whether something that runs for the request without a marker does not run with it: a required check would hang."""
        pairs = [*zip(unmarked.branch, self.branch, strict=True), *zip(unmarked.queue, self.queue, strict=True)]
        return any(before.start.answer != after.start.answer or before.runs != after.runs for before, after in pairs)


@dataclass(frozen=True, slots=True)
class World:
    """The pipelines of a repository, and on which forges they are started."""

    pipelines: tuple[Pipeline, ...]
    unreadable: tuple[Unreadable, ...]
    forges: frozenset[ForgeName]
    ground: Ground

    @classmethod
    def of(cls, situation: Situation) -> World:
        """Read the definitions of a situation."""
        found, has_recipe = _read(_as_key(situation.definitions), situation.repository)
        readable = tuple(one for one in found if not isinstance(one, Unreadable))
        unreadable = tuple(one for one in found if isinstance(one, Unreadable))
        forges = frozenset({situation.forge}) if situation.forge != "git" else ci.forges(found)
        ground = Ground(situation.repository, situation.sources, has_recipe)
        # Plain git has no CI of its own: whatever is defined there may read it.
        there = tuple(one for one in readable if situation.forge == "git" or ci.system_of(one).FORGES & forges)
        unread = tuple(one for one in unreadable if situation.forge == "git" or ci.system_of(one).FORGES & forges)
        return cls(there, unread, forges, ground)

    def may_build(self, images: Sequence[str]) -> bool:
        """Whether any job here builds one of the images, or may; where none does, nothing has to be played through."""
        jobs = [job for pipeline in self.pipelines for job in pipeline.jobs]
        return any(self.ground.builds(job, image).answer != "no" for image in images for job in jobs)

    def relevant(self, images: Sequence[str]) -> World:
        """The same with only those pipelines that build one of the images, or may, or do something that must not be silenced."""

        def matters(pipeline: Pipeline) -> bool:
            builds = any(self.ground.builds(job, image).answer != "no" for image in images for job in pipeline.jobs)
            return builds or any(job.work.effects for job in pipeline.jobs)

        return replace(self, pipelines=tuple(filter(matters, self.pipelines)))

    def play(self, situation: Situation, way: Way, marking: Marking) -> Trial:
        """Play a landing through, with a marking."""
        return Trial(
            self._each(situation, way, marking, lambda one: (on_branch(one),)),
            self._each(situation, way, marking, lambda one: (queue_run(one),)),
            self.landing(situation, way, marking),
        )

    def landing(self, situation: Situation, way: Way, marking: Marking) -> tuple[Outcome, ...]:
        """What each pipeline does when it lands."""
        return self._each(situation, way, marking, events)

    def _each(
        self, situation: Situation, way: Way, marking: Marking, told: Callable[[Story], Sequence[tuple[Event, ...]]]
    ) -> tuple[Outcome, ...]:
        """Where there are several forges, each pipeline is taken on its own."""
        forges = sorted(self.forges) if exists(situation.forge, way) else []
        groups = {forge: told(story(situation, forge, way, marking)) for forge in forges}

        def worst_of(pipeline: Pipeline) -> Outcome:
            homes = ci.system_of(pipeline).FORGES & self.forges or self.forges
            variants = [group for forge, some in groups.items() if forge in homes for group in some]
            return worst(outcome(pipeline, group, situation.images, self.ground) for group in variants or [()])

        return tuple(map(worst_of, self.pipelines))


def story(situation: Situation, forge: ForgeName, way: Way, marking: Marking) -> Story:
    """A landing under a marking: the marker stands where Tagboat would put it."""
    headline = "Update the image"
    native = marking.token is not None and ci.is_native(marking.token)
    carries = takes_marker(situation.forge, way) or (way == "queue" and forge == "gitlab" and not native)
    return Story(
        forge,
        way,
        situation.forge,
        branch=marking.mark(headline) if marking.on_branch else headline,
        landing=marking.mark(headline) if carries else headline,
        title=headline,
        body="",
        base=situation.base,
        repository=situation.repository,
        paths=situation.paths,
    )


class Definitions(dict[str, bytes]):
    """Definitions as a key for what was read of them: the pass asks many times about the same files. Never changed."""

    _hash: int | None = None

    def __hash__(self) -> int:  # type: ignore[override]
        if self._hash is None:
            self._hash = hash(tuple(sorted((path, len(data)) for path, data in self.items())))
        return self._hash


def _as_key(definitions: Mapping[str, bytes]) -> Definitions:
    return definitions if isinstance(definitions, Definitions) else Definitions(definitions)


@lru_cache(maxsize=64)
def interned(definitions: Definitions) -> Definitions:
    """The same object for equal definitions, so that what is remembered of them shares it."""
    return definitions


class Sources(dict[str, str]):
    """Source labels as a key."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self.items())))


@lru_cache(maxsize=64)
def _read(definitions: Definitions, repository: str | None) -> tuple[tuple[Pipeline | Unreadable, ...], bool]:
    """What is defined, and whether there are recipes for images."""
    return tuple(ci.pipelines(definitions, repository)), any(map(is_recipe, definitions))
