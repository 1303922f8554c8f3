"""CI loops: can this landing start a build of the same image again? Which marker keeps it from that, and in which commit?

    mark(Situation("github", definitions, "acme/shop", images=("ghcr.io/acme/shop",), paths=("deploy/app.yaml",)), "squash")
        Marking("[skip ci]", "CI (.github/workflows/ci.yml) would build ghcr.io/acme/shop again")

The landing is played through with the repository's own definitions (`rules.ci`), without a marker and then with each one that
could help; the first that stops the build and silences nothing else is taken. A token that some CI reads by itself goes on the
commit that lands and nowhere else; a word that only the repository's own filters look for goes on the branch commit too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

from rules import ci
from rules.ci.base import Event, ForgeName, Pipeline, Unreadable
from rules.ci.builds import Ground, is_recipe
from rules.ci.landings import CARRIES, Story, Way, events, exists, on_branch, queue_run, takes_marker
from rules.ci.paths import listed
from rules.ci.simulation import Outcome, outcome, silenced, worst
from rules.ci.tokens import has_token

Landing = Way
WORD = "skip-ci:"
"""The marker for filters of a repository's own; no CI reads it by itself."""


@dataclass(frozen=True, slots=True)
class Marking:
    """Where which marker goes. `token` None: no marker. The request's title and the branch commit never carry a native token.

    `prefix` is true for a marker that leads the headline (`skip-ci: …`), false for one that ends it (`… [ci skip]`).
    `on_branch` is true where the branch commit carries it as well (custom filters that read `commits[0]`).
    """

    token: str | None
    reason: str
    prefix: bool = False
    on_branch: bool = False

    def mark(self, headline: str) -> str:
        """The headline of the landing commit."""
        if self.token is None:
            return headline
        return f"{self.token} {headline}" if self.prefix else f"{headline} {self.token}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """This landing could start a loop or hang a required check; `fix` is what a person can change."""

    reason: str
    fix: str


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of a repository and of a proposal in it.

    `definitions` are the files for which `is_definition` holds, by path; `repository` is its full name (`acme/shop`), None where
    it has none. `images` are canonical names of what the proposal changes, `paths` the files it changes. `marker` is
    `commits.marker`: auto, none, or the text itself. `sources` are the OCI `source` labels of those images, as far as known.
    """

    forge: Literal["github", "gitlab", "git"]
    definitions: Mapping[str, bytes]
    repository: str | None = None
    base: str = "main"
    images: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    marker: str = "auto"
    sources: Mapping[str, str] = field(default_factory=dict)


def is_definition(path: str) -> bool:
    """Whether a file at this path may say what CI does: a definition, something that one runs, or a recipe for images."""
    return ci.claims(path)


def mark(situation: Situation, landing: Landing) -> Marking | Refusal:
    """Which marker the landing takes, or why it must not be landed so."""
    world = World.of(situation)
    if not any(exists(forge, landing) for forge in world.forges):
        return Refusal(f"{' and '.join(sorted(world.forges))} cannot land by {landing}", "name another `method`")
    trial = world.play(situation, landing, Marking(None, ""))
    loops = [one for one in trial.landing if one.loop]
    if situation.marker == "none":
        warning = f": {_would(loops)}, and only the breaker stops that" if loops else ""
        return Marking(None, f"markers are turned off (commits.marker: none){warning}")
    if situation.marker != "auto":
        return _literal(world, situation, landing, trial, loops)
    if not loops:
        return Marking(None, _why_none(world, situation, trial))
    wanted = _wants_a_build(world, situation, loops)
    if wanted is not None:
        return wanted
    if landing == "auto-merge":
        return _no_auto_merge(loops)
    for marking in candidates(world, loops):
        played = world.play(situation, landing, marking)
        holds = not any(one.loop for one in played.landing) and not silenced(trial.landing, played.landing)
        if holds and not played.hangs(trial):
            return replace(marking, reason=f"{_would(loops)}{_tags(world, marking)}")
    return _refusal(world, situation, landing, loops)


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
        found = _read(_Definitions(situation.definitions), situation.repository)
        readable = tuple(one for one in found if not isinstance(one, Unreadable))
        unreadable = tuple(one for one in found if isinstance(one, Unreadable))
        forges = frozenset({situation.forge}) if situation.forge != "git" else ci.forges(found)
        has_recipe = any(is_recipe(path) for path in situation.definitions)
        ground = Ground(situation.repository, situation.sources, has_recipe)
        there = tuple(one for one in readable if ci.system_of(one).FORGES & forges)
        return cls(there, tuple(one for one in unreadable if ci.system_of(one).FORGES & forges), forges, ground)

    def play(self, situation: Situation, way: Way, marking: Marking) -> Trial:
        """Play a landing through, with a marking. Where there are several forges, a pipeline is taken on its own."""
        told = [self._play(pipeline, situation, way, marking) for pipeline in self.pipelines]
        return Trial(tuple(one[0] for one in told), tuple(one[1] for one in told), tuple(one[2] for one in told))

    def _play(self, pipeline: Pipeline, situation: Situation, way: Way, marking: Marking) -> tuple[Outcome, Outcome, Outcome]:
        homes = ci.system_of(pipeline).FORGES & self.forges
        stories = [story(situation, forge, way, marking) for forge in sorted(homes or self.forges) if exists(forge, way)]

        def told(groups: Sequence[tuple[Event, ...]]) -> Outcome:
            return worst(outcome(pipeline, group, situation.images, self.ground) for group in groups or [()])

        opened = told([on_branch(one) for one in stories])
        queued = told([queue_run(one) for one in stories])
        return opened, queued, told([group for one in stories for group in events(one)])


def story(situation: Situation, forge: ForgeName, way: Way, marking: Marking) -> Story:
    """A landing under a marking: the marker stands where Tagboat would put it."""
    headline = "Update the image"
    native = marking.token is not None and ci.is_native(marking.token)
    carries = takes_marker(forge, way) or (way == "queue" and forge == "gitlab" and not native)
    return Story(
        forge,
        way,
        branch=marking.mark(headline) if marking.on_branch else headline,
        landing=marking.mark(headline) if carries else headline,
        title=headline,
        body="",
        base=situation.base,
        repository=situation.repository,
        paths=situation.paths,
    )


class _Definitions(dict[str, bytes]):
    """Definitions as a key for what was read of them: the pass asks many times about the same files."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted((path, len(data)) for path, data in self.items())))


@lru_cache(maxsize=64)
def _read(definitions: _Definitions, repository: str | None) -> tuple[Pipeline | Unreadable, ...]:
    return tuple(ci.pipelines(definitions, repository))


def _literal(world: World, situation: Situation, landing: Way, trial: Trial, loops: Sequence[Outcome]) -> Marking | Refusal:
    """The marker that the configuration names: where nothing loops it is carried where that is possible, else it has to hold."""
    token = situation.marker
    prefix = not token.startswith(("[", "*"))
    asked = "commits.marker asks for it"
    if not loops:
        if all(takes_marker(forge, landing) for forge in world.forges if exists(forge, landing)):
            silent = silenced(trial.landing, world.play(situation, landing, Marking(token, "", prefix)).landing)
            return Marking(token, asked + (f"; it silences {silent[0].name} ({silent[1]}) as well" if silent else ""), prefix)
        return Marking(None, f"a landing by {landing} cannot carry {token!r}, and nothing here builds what it changes")
    if landing == "auto-merge":
        return _no_auto_merge(loops)
    for on_the_branch in (False,) if ci.is_native(token) else (True, False):
        marking = Marking(token, "", prefix, on_the_branch)
        played = world.play(situation, landing, marking)
        if not any(one.loop for one in played.landing) and not played.hangs(trial):
            silent = silenced(trial.landing, played.landing)
            also = f"; it silences {silent[0].name} ({silent[1]}) as well" if silent else ""
            return Marking(token, f"{asked}, and {_would(loops)}{also}{_tags(world, marking)}", prefix, on_the_branch)
    return _refusal(world, situation, landing, loops)


def _no_auto_merge(loops: Sequence[Outcome]) -> Refusal:
    return Refusal(
        f"{_would(loops)}, and the forge's own auto-merge would land a later push of somebody else under the marker",
        "land it directly (`method: squash` or `merge`): Tagboat does so by itself, with the head's commit as a guard",
    )


def candidates(world: World, loops: Sequence[Outcome]) -> Iterator[Marking]:
    """Markers that could keep these pipelines from starting, the most harmless first."""
    words = dict.fromkeys(word for one in loops for word in one.pipeline.words())
    tokens = [token for word in words if (token := _cleaned(word)) is not None]
    for token in dict.fromkeys([*tokens, WORD]):
        orders = (False, True) if token.startswith("[") else (True,)
        for prefix in orders:
            for on_the_branch in (False,) if ci.is_native(token) else (True, False):
                yield Marking(token, "", prefix, on_the_branch)
    skips = [skip for one in loops if (skip := ci.system_of(one.pipeline).SKIP) is not None]
    native = list(dict.fromkeys(skip.token for skip in skips))
    for token in dict.fromkeys([*native, "[ci skip]", " ".join(native)]):
        if token and native:
            yield Marking(token, "")


def _cleaned(word: str) -> str | None:
    """A text that a condition looks for, as a marker; None: it cannot be one. What it does is tried, never assumed."""
    text = word.replace("\\", "").removeprefix("(?i)").removeprefix("^").removesuffix("$").strip(".*").strip()
    if (
        not 3 <= len(text) <= 40
        or not all(char.isalnum() or char in " -_[]:!#/*" for char in text)
        or not any(map(str.isalpha, text))
    ):
        return None
    return text if text[0] in "[*" or text.endswith(":") else f"{text}:"


def _wants_a_build(world: World, situation: Situation, loops: Sequence[Outcome]) -> Marking | Refusal | None:
    """A bump in a file from which images are built: that build is wanted, so no marker may keep it from starting."""
    recipes = [path for path in situation.paths if is_recipe(path)]
    if not recipes:
        return None
    jobs = [job for one in loops for job in one.pipeline.jobs]
    foreign = [name for name in situation.images if all(world.ground.builds(job, name).answer == "no" for job in jobs)]
    if foreign:
        return Marking(
            None, f"{recipes[0]} changes with {foreign[0]}: that build is wanted, and what it makes is marked when it is bumped"
        )
    return Refusal(
        f"{_would(loops)}, and {recipes[0]}, which changes too, wants a build",
        "build each image only when its own files change: " + "; ".join(one.pipeline.remedy(situation.paths) for one in loops),
    )


def _would(loops: Sequence[Outcome]) -> str:
    one = loops[0]
    evidence = one.evidence
    sign = f" ({evidence.sign})" if evidence is not None else ""
    sure = "would" if evidence is not None and evidence.answer == "yes" and one.start.answer == "yes" else "may"
    more = f", and {len(loops) - 1} more" if len(loops) > 1 else ""
    return f"{one.pipeline.name} in {one.pipeline.file} {sure} build the image again{sign}{more}"


def _tags(world: World, marking: Marking) -> str:
    """A warning where a tag on the marked commit would be skipped."""
    skips = [(ci.system_of(one).TITLE, ci.system_of(one).SKIP) for one in world.pipelines]
    titles = dict.fromkeys(
        title for title, skip in skips if skip is not None and skip.tags and has_token(skip, marking.mark("Update"))
    )
    return f"; {listed(titles)} would skip a tag that is put on this commit too, so tag another one" if titles else ""


def _why_none(world: World, situation: Situation, trial: Trial) -> str:
    unread = f"; {world.unreadable[0].file} could not be read" if world.unreadable else ""
    if not world.pipelines:
        return f"no CI definition was found here{unread}"
    for one in trial.landing:
        for job in one.pipeline.jobs:
            for image in situation.images:
                if world.ground.builds(job, image).answer == "yes":
                    place = f"{one.pipeline.name} in {one.pipeline.file}"
                    return f"{place} builds it, and this change does not start that: {one.start.reason}{unread}"
    return f"nothing here is seen to build what it changes, so nothing is silenced{unread}"


def _refusal(world: World, situation: Situation, landing: Way, loops: Sequence[Outcome]) -> Refusal:
    """No marker holds: why, and what a person can change."""
    carried = [
        CARRIES[forge][landing] for forge in sorted(world.forges) if exists(forge, landing) and not takes_marker(forge, landing)
    ]
    fixes = list(dict.fromkeys(one.pipeline.remedy(situation.paths) for one in loops))
    why = f"it cannot be marked: {carried[0]}" if carried else "no marker keeps it from that without silencing something else"
    if carried and situation.marker == "auto":
        others: tuple[Way, ...] = ("squash", "merge")
        held = [way for way in others if isinstance(mark(situation, way), Marking)]
        fixes += [f"land by {' or '.join(held)}"] if held else []
    return Refusal(f"{_would(loops)}, and {why}", ", or ".join(fixes))
