"""CI loops: can this landing start a build of the same image again? Which marker keeps it from that, and in which commit?

    mark(Situation("github", definitions, "acme/shop", images=("ghcr.io/acme/shop",), paths=("deploy/app.yaml",)), "squash")
        Marking("[skip ci]", "CI (.github/workflows/ci.yml) would build ghcr.io/acme/shop again")

The landing is played through with the repository's own definitions (`rules.ci`), without a marker and then with each one that
could help; the first that stops the build and silences nothing else is taken. A token that some CI reads by itself goes on the
commit that lands and nowhere else; a word that only the repository's own filters look for goes on the branch commit too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from rules import ci
from rules.ci import gitlab_ci
from rules.ci.builds import is_recipe
from rules.ci.landings import CARRIES, Way, exists, takes_marker
from rules.ci.paths import listed
from rules.ci.simulation import Outcome, silenced
from rules.ci.situation import Marking as Marking
from rules.ci.situation import Refusal as Refusal
from rules.ci.situation import Situation as Situation
from rules.ci.tokens import has_token
from rules.ci.world import Definitions, Sources, World, interned

Landing = Way
HOSTS = {"github": "GitHub", "gitlab": "GitLab", "git": "plain git"}
WORD = "skip-ci:"
"""The marker for filters of a repository's own; no CI reads it by itself."""


def is_definition(path: str) -> bool:
    """Whether a file at this path may say what CI does: a definition, something that one runs, or a recipe for images."""
    return ci.claims(path)


def included(definitions: Mapping[str, bytes], paths: Iterable[str]) -> frozenset[str]:
    """Of a repository's paths those that its definitions include by name, wherever they stand, and that were not read yet."""
    return gitlab_ci.included(definitions, paths)


def mark(situation: Situation, landing: Landing) -> Marking | Refusal:
    """Which marker the landing takes, or why it must not be landed so."""
    # A pass asks the same for many proposals, and again at its next look.
    frozen = replace(situation, definitions=interned(Definitions(situation.definitions)), sources=Sources(situation.sources))
    return _mark(frozen, landing)


@lru_cache(maxsize=2048)
def _mark(situation: Situation, landing: Landing) -> Marking | Refusal:
    world = World.of(situation)
    if not exists(situation.forge, landing):
        return Refusal(f"{HOSTS[situation.forge]} cannot land by {landing}", "name another `method`")
    if situation.marker in ("auto", "none") and not world.may_build(situation.images):
        return Marking(None, _why_none(world))
    small = world.relevant(situation.images)
    before = small.landing(situation, landing, Marking(None, ""))
    loops = [one for one in before if one.loop]
    if situation.marker == "none":
        warning = f": {_would(loops)}, and only the breaker stops that" if loops else ""
        return Marking(None, f"markers are turned off (commits.marker: none){warning}")
    if situation.marker != "auto":
        return _literal(world, situation, landing, before)
    if not loops:
        return Marking(None, _why_not_started(world, situation, before))
    wanted = _wants_a_build(world, situation, loops)
    if wanted is not None:
        return wanted
    if landing == "auto-merge":
        return _no_auto_merge(world, loops)
    for marking in candidates(world, loops):
        after = small.landing(situation, landing, marking)
        holds = not any(one.loop for one in after) and not silenced(before, after)
        if holds and not _hangs(world, situation, landing, marking):
            return replace(marking, reason=f"{_would(loops)}{_tags(world, marking)}")
    return _refusal(world, situation, landing, loops)


def _hangs(world: World, situation: Situation, landing: Way, marking: Marking) -> bool:
    """Whether a marking keeps something away that runs before the landing; only one that stands on the branch or is read by a
    train can."""
    if not marking.on_branch and landing != "queue":
        return False
    return world.play(situation, landing, marking).hangs(world.play(situation, landing, Marking(None, "")))


def _literal(world: World, situation: Situation, landing: Way, before: Sequence[Outcome]) -> Marking | Refusal:
    """The marker that the configuration names: where nothing loops it is carried where that is possible, else it has to hold."""
    token, small = situation.marker, world.relevant(situation.images)
    loops = [one for one in before if one.loop]
    prefix = not token.startswith(("[", "*"))
    asked = "commits.marker asks for it"
    if not loops:
        if takes_marker(situation.forge, landing):
            silent = silenced(before, small.landing(situation, landing, Marking(token, "", prefix)))
            return Marking(token, asked + (f"; it silences {silent[0].name} ({silent[1]}) as well" if silent else ""), prefix)
        return Marking(None, f"a landing by {landing} cannot carry {token!r}, and nothing here builds what it changes")
    if landing == "auto-merge":
        return _no_auto_merge(world, loops)
    for on_the_branch in (False,) if ci.is_native(token) else (True, False):
        marking = Marking(token, "", prefix, on_the_branch)
        after = small.landing(situation, landing, marking)
        if not any(one.loop for one in after) and not _hangs(world, situation, landing, marking):
            silent = silenced(before, after)
            also = f"; it silences {silent[0].name} ({silent[1]}) as well" if silent else ""
            return Marking(token, f"{asked}, and {_would(loops)}{also}{_tags(world, marking)}", prefix, on_the_branch)
    return _refusal(world, situation, landing, loops)


def _no_auto_merge(world: World, loops: Sequence[Outcome]) -> Refusal:
    why = "the forge's own auto-merge would land a later push of somebody else under the marker"
    if world.forges == {"gitlab"}:
        why = "whether a pipeline for the merged result reads the message that waits for auto-merge is not confirmed"
    return Refusal(
        f"{_would(loops)}, and {why}",
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
    return f"{_place(one)} {sure} build the image again{sign}{more}"


def _place(one: Outcome) -> str:
    name, file = one.pipeline.name, one.pipeline.file
    return file if name == file else f"{name} in {file}"


def _tags(world: World, marking: Marking) -> str:
    """A warning where a tag on the marked commit would be skipped."""
    skips = [(ci.system_of(one).TITLE, ci.system_of(one).SKIP) for one in world.pipelines]
    titles = dict.fromkeys(
        title for title, skip in skips if skip is not None and skip.tags and has_token(skip, marking.mark("Update"))
    )
    return f"; {listed(titles)} would skip a tag that is put on this commit too, so tag another one" if titles else ""


def _why_none(world: World) -> str:
    unread = f"; {world.unreadable[0].file} could not be read" if world.unreadable else ""
    if not world.pipelines:
        return f"no CI definition was found here{unread}"
    return f"nothing here is seen to build what it changes, so nothing is silenced{unread}"


def _why_not_started(world: World, situation: Situation, before: Sequence[Outcome]) -> str:
    for one in before:
        for job in one.pipeline.jobs:
            if any(world.ground.builds(job, image).answer == "yes" for image in situation.images):
                return f"{_place(one)} builds it, and this change does not start that: {one.start.reason}"
    return _why_none(world)


def _refusal(world: World, situation: Situation, landing: Way, loops: Sequence[Outcome]) -> Refusal:
    """No marker holds: why, and what a person can change."""
    carried = "" if takes_marker(situation.forge, landing) else CARRIES[situation.forge][landing]
    fixes = list(dict.fromkeys(one.pipeline.remedy(situation.paths) for one in loops))
    why = f"it cannot be marked: {carried}" if carried else "no marker keeps it from that without silencing something else"
    if situation.marker not in ("auto", "none"):
        why = why if carried else f"{situation.marker!r} does not keep it from that"
        better = mark(replace(situation, marker="auto"), landing)
        fixes += (
            [f"let `commits.marker` be auto ({better.token!r} holds)"] if isinstance(better, Marking) and better.token else []
        )
    elif carried:
        others: tuple[Way, ...] = ("squash", "merge")
        held = [way for way in others if isinstance(mark(situation, way), Marking)]
        fixes += [f"land by {' or '.join(held)}"] if held else []
    return Refusal(f"{_would(loops)}, and {why}", ", or ".join(fixes))


def suspect(situation: Situation) -> str | None:
    """The pipeline that an unmarked landing would start to build the image again, for the breaker's alarm; None: none is seen."""
    world = World.of(situation)
    played = world.relevant(situation.images).landing(situation, "push", Marking(None, ""))
    loops = sorted((one for one in played if one.loop), key=lambda one: one.start.answer != "yes")
    return _place(loops[0]) if loops else None


def made_here(situation: Situation) -> bool | None:
    """Whether the images of a situation are made of this repository: by what its pipelines build, by source labels, by name.
    None: not known, and there are recipes for images here."""
    world = World.of(replace(situation, forge="git"))
    jobs = [job for pipeline in world.pipelines for job in pipeline.jobs]
    answers = {world.ground.builds(job, image).answer for image in situation.images for job in jobs}
    if "yes" in answers or any(world.ground.origin(image) == "here" for image in situation.images):
        return True
    if "unknown" in answers:
        return None
    if world.ground.has_recipe and any(world.ground.relation(image) for image in situation.images):
        return None
    return False
