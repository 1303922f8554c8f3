"""A checkout looked at where it stands, without a forge: its configuration, its images, and what the registries say of them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bot.reading.answering import Answers
from bot.reading.checkout import Checkout, Unreadable
from bot.reading.choosing import Chooser
from bot.reading.scanning import Scanned, read
from bot.registries.limits import Limits
from bot.registries.pool import Registries, RegistryAccess
from bot.terminal import UsageError, progress
from rules.config import FILE, Config, load, misnamed
from rules.findings import Broken
from rules.formats import is_manifest
from rules.formats.base import Occurrence, Unread
from rules.policies.base import Choosing, Stood
from rules.promotion import watched
from rules.rewriting import Unprovable, rewrite
from rules.updates import Outcome, Target, Trouble, Update

if TYPE_CHECKING:
    from bot.settings import Settings

LIMITS = Limits(connect_timeout=5, read_timeout=10, total_timeout=30)  # somebody is waiting for the answer
_APP = "app.yaml"
_MANIFEST = re.compile(rb"^(?:apiVersion|kind|services)[ \t]*:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Local:
    """A checkout, or a part of one, with the rules that hold for it. `inside` is the part's place in the checkout (`envs/dev/`),
    since rules name paths from the top; empty for a whole one."""

    checkout: Checkout
    config: Config
    accesses: tuple[RegistryAccess, ...] = ()
    inside: str = ""

    @classmethod
    def at(cls, path: Path, app: Path | None) -> Local:
        """The checkout at a path, with its `.tagboat.yaml` and the operator's settings. Raises UsageError for what is wrong."""
        checkout = Checkout.at(path)
        settings = operator(app)
        top, inside = _top(checkout.root)
        file = top / FILE
        try:
            data = Checkout(top).read(FILE) if os.path.lexists(file) else b""
            config = load(data, file=str(file)) if settings is None else _under(settings, data, str(file))
        except Unreadable as error:
            raise UsageError(f"{file}: {error}") from None
        except Broken as error:
            raise UsageError(str(error)) from None
        notes = misnamed(lambda name: os.path.lexists(top / name), os.path.join(top, ""))
        config = replace(config, notes=(*config.notes, *notes))
        return cls(checkout, config, settings.registries if settings else (), inside)

    def shown(self, file: str) -> str:
        """A file's path as people see it: from the folder that they named."""
        return file.removeprefix(self.inside)

    def read(self) -> Stock:
        """Every image that the configuration wants looked at, and the files that could not be read."""
        found: list[Scanned] = []
        stock = Stock(self.config)
        wanted = self.checkout.paths(
            lambda path: is_manifest(path) and self.config.wants(self.inside + path),
            lambda path, reason: found.append(Scanned((), Unread(self.inside + path, None, reason))),
        )
        paths = list(wanted)
        with progress("reading") as advance:
            for done, path in enumerate(paths):
                try:
                    found.append(read(self.inside + path, self.checkout.read(path)))
                except Unreadable as error:
                    found.append(Scanned((), Unread(self.inside + path, None, str(error))))
                advance(done + 1, len(paths))
        for one in found:
            stock.occurrences += one.occurrences
            stock.unread += [one.unread] if one.unread else []
            stock.flux |= one.flux
        return stock

    async def outcomes(self) -> list[Outcome]:
        """What becomes of every place. Each image is asked about once."""
        stock = self.read()
        with progress("asking registries") as advance:
            async with Registries(self.accesses, limits=LIMITS) as registries:
                answers = Answers(Chooser(registries, datetime.now(UTC)), advance, losers=False)
                return await answers.outcomes(stock.occurrences, stock.unread, self.config, stock.flux, stock.stood)


@dataclass(slots=True)
class Stock:
    """What a checkout holds: images, files that could not be read, and Flux's ImagePolicies."""

    config: Config
    occurrences: list[Occurrence] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    flux: dict[str, Choosing] = field(default_factory=dict)

    @property
    def stood(self) -> list[Stood]:
        """What stands in places that others follow; since when, nobody here knows."""
        return watched(self.occurrences, self.config)


def operator(app: Path | None) -> Settings | None:
    """The server's settings, where they are given or stand in the current folder. Raises UsageError.

    A manifest that happens to be called `app.yaml` is not taken for them, unless it is named.
    """
    if app is None:
        try:
            if _MANIFEST.search(Path(_APP).read_bytes()):
                return None
        except OSError:
            return None
    from bot.settings import load as load_settings

    return load_settings(app, os.environ)


def _top(root: Path) -> tuple[Path, str]:
    """The folder whose `.tagboat.yaml` holds for a folder, and the way from there: itself, or the top of the git checkout that it
    is in, or a folder between the two."""
    here = Path(os.path.abspath(root))
    folders = (here, *here.parents)
    within = next((at for at, folder in enumerate(folders) if os.path.lexists(folder / ".git")), 0)
    found = next((folder for folder in folders[: within + 1] if os.path.lexists(folder / FILE)), here)
    # As it was named, where it is the very folder: messages name the file by it.
    return (root, "") if found == here else (found, f"{here.relative_to(found).as_posix()}/")


def _under(settings: Settings, data: bytes, file: str) -> Config:
    return load(data, file=file, defaults=settings.defaults, limits=settings.limits)


def edited(path: str, data: bytes, wishes: Mapping[Occurrence, Target]) -> tuple[bytes, list[Unprovable]]:
    """A file with the wishes written in; those that cannot be proven are left out and come back with the reason."""
    left, refused = dict(wishes), list[Unprovable]()
    while left:
        try:
            return rewrite(path, data, left), refused
        except Unprovable as error:
            refused.append(error)
            bad = [place for place in left if error.line in (place.line, place.tag_line)]
            for place in bad or _unprovable(path, data, left) or list(left):
                del left[place]
    return data, refused


def _unprovable(path: str, data: bytes, wishes: Mapping[Occurrence, Target]) -> list[Occurrence]:
    """The wishes that cannot be proven even by themselves."""
    bad: list[Occurrence] = []
    for place, target in wishes.items():
        try:
            rewrite(path, data, {place: target})
        except Unprovable:
            bad.append(place)
    return bad


def complaints(outcomes: Iterable[Outcome], shown: Callable[[str], str] = str) -> Iterator[str]:
    """What could not be looked at, in lines for a person: each image with its reason once, at the first of its places."""
    troubles = [one for one in outcomes if isinstance(one, Trouble)]
    groups: dict[tuple[str, str], list[Trouble]] = {}
    for trouble in troubles:
        groups.setdefault((trouble.image or trouble.file, trouble.reason), []).append(trouble)
    for some in groups.values():
        first = some[0]
        place = f"{shown(first.file)}:{first.line}" if first.line else shown(first.file)
        more = f" (and {len(some) - 1} more places)" if len(some) > 1 else ""
        yield f"{place}: {f'{first.image}: ' if first.image else ''}{first.reason}{more}"


def failed(outcomes: Iterable[Outcome]) -> bool:
    """Whether something could not be looked at. A file that is passed over on purpose is none."""
    return any(isinstance(one, Trouble) and not one.skipped for one in outcomes)


def to_write(updates: Iterable[Update], wanted: Callable[[Update], bool]) -> dict[str, dict[Occurrence, Target]]:
    """The wishes for each file: one a place, the wanted next major before the step within this one."""
    files: dict[str, dict[Occurrence, Target]] = {}
    for update in sorted(updates, key=lambda update: is_next_major(update)):
        if not is_next_major(update) or wanted(update):
            files.setdefault(update.occurrence.file, {})[update.occurrence] = update.target
    return files


def is_next_major(update: Update) -> bool:
    """Whether an update is the step to the next major, which is apart from the step that the policy chose."""
    return update.target.tag is not None and update.target.tag == update.choice.major != update.choice.chosen


def names_majors(config: Config, update: Update) -> bool:
    """Whether a rule names majors for this place, in `match.updates` or in its automerge."""
    image, path = update.occurrence.image, update.occurrence.file
    matching = (rule.match for rule in config.rules if rule.match.place(image, path))
    if any(match.updates is not None and "major" in match.updates for match in matching):
        return True
    landing = config.landing(image, path, "major")
    return landing is not None and landing.covers("major")
