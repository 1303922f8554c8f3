"""Look: what stands in a repository. Its head and requests, its configuration, its images, its CI definitions.

Contents are read by blob id, and only those not read before. A base branch whose head did not move is not listed again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cachetools import LRUCache

from bot.forges.base import Entry, Forge, Look
from bot.scanning import Scanner
from rules.config import Config, load
from rules.formats import is_manifest
from rules.formats.base import Occurrence, Unread
from rules.loops import is_definition

CONFIG_FILE = ".tagboat.yaml"
FILE_LIMIT = 8 * 1024 * 1024
_REGULAR = frozenset({"100644", "100755"})
_BYTES_KEPT = 64 * 1024 * 1024


class NoConfig(Exception):
    """The repository has no `.tagboat.yaml`, and the operator did not ask for proposals without one."""


@dataclass(frozen=True, slots=True)
class View:
    """One base branch at one commit. `definitions` are its CI files; `unread` the manifests that could not be read."""

    base: str
    head: str
    entries: Mapping[str, Entry]
    occurrences: tuple[Occurrence, ...]
    unread: tuple[Unread, ...]
    definitions: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Seen:
    """A repository as one pass sees it."""

    look: Look
    config: Config
    views: tuple[View, ...]


@dataclass(slots=True)
class Memory:
    """What passes over one repository remember of each other, to read only what changed. Losing it costs requests, nothing else."""

    scanner: Scanner = field(default_factory=Scanner)
    trees: LRUCache[str, Mapping[str, Entry]] = field(default_factory=lambda: LRUCache(maxsize=8))
    blobs: LRUCache[str, bytes] = field(default_factory=lambda: LRUCache(maxsize=_BYTES_KEPT, getsizeof=len))

    async def tree(self, forge: Forge, commit: str) -> Mapping[str, Entry]:
        """Every file of a commit."""
        if commit not in self.trees:
            self.trees[commit] = await forge.tree(commit)
        return self.trees[commit]

    async def contents(self, forge: Forge, oids: Collection[str]) -> dict[str, bytes]:
        """Blobs by id, read from the forge where they are not at hand."""
        found = {oid: self.blobs[oid] for oid in set(oids) if oid in self.blobs}
        if missing := set(oids) - found.keys():
            for oid, data in (await forge.blobs(missing)).items():
                found[oid] = data
                if len(data) < _BYTES_KEPT // 4:
                    self.blobs[oid] = data
        return found


@dataclass(frozen=True, slots=True)
class Terms:
    """The operator's side of a repository's configuration."""

    defaults: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)
    propose_without_file: bool = True


async def look(forge: Forge, memory: Memory, terms: Terms) -> Seen:
    """Everything that decisions need of a repository.

    Raises ForgeError, ConfigError (a broken `.tagboat.yaml`: nothing is done), or NoConfig.
    """
    seen = await forge.look()
    default = seen.project.default_branch
    config = await _config(forge, memory, seen.heads[default], terms)
    bases = tuple(config.base_branches) or (default,)
    if set(bases) - seen.heads.keys():
        seen = await forge.look(bases)
    views = [await _view(forge, memory, base, seen.heads[base], config.wants) for base in bases]
    return Seen(seen, config, tuple(views))


async def _config(forge: Forge, memory: Memory, head: str, terms: Terms) -> Config:
    entry = (await memory.tree(forge, head)).get(CONFIG_FILE)
    if entry is None:
        if not terms.propose_without_file:
            raise NoConfig(f"no {CONFIG_FILE} on the default branch")
        data = b""
    elif entry.mode not in _REGULAR:
        raise NoConfig(f"{CONFIG_FILE} is not a regular file")
    else:
        data = (await memory.contents(forge, [entry.oid]))[entry.oid]
    return load(data, file=CONFIG_FILE, defaults=terms.defaults, limits=terms.limits)


async def _view(forge: Forge, memory: Memory, base: str, head: str, wants: Callable[[str], bool]) -> View:
    entries = await memory.tree(forge, head)
    files = {path: entry for path, entry in entries.items() if entry.mode in _REGULAR}
    manifests = {path: entry for path, entry in files.items() if is_manifest(path) and wants(path)}
    large = [
        Unread(path, None, f"larger than {FILE_LIMIT // 2**20} MiB")
        for path, e in manifests.items()
        if (e.size or 0) > FILE_LIMIT
    ]
    for trouble in large:
        del manifests[trouble.file]
    definitions = {path: entry for path, entry in files.items() if is_definition(path) and (entry.size or 0) <= FILE_LIMIT}
    fresh = {path: entry for path, entry in manifests.items() if memory.scanner.known(path, entry.oid) is None}
    contents = await memory.contents(forge, {entry.oid for entry in (*fresh.values(), *definitions.values())})
    occurrences, unread = _scan(memory.scanner, manifests, contents)
    return View(
        base=base,
        head=head,
        entries=entries,
        occurrences=occurrences,
        unread=(*large, *unread),
        definitions={path: contents[entry.oid] for path, entry in definitions.items()},
    )


def _scan(
    scanner: Scanner, manifests: Mapping[str, Entry], contents: Mapping[str, bytes]
) -> tuple[tuple[Occurrence, ...], Sequence[Unread]]:
    occurrences: list[Occurrence] = []
    unread: list[Unread] = []
    for path, entry in sorted(manifests.items()):
        scanned = scanner.read(path, entry.oid, lambda oid=entry.oid: contents[oid])  # type: ignore[misc]
        occurrences += scanned.occurrences
        unread += [scanned.unread] if scanned.unread else []
    return tuple(occurrences), unread


def places(occurrences: Iterable[Occurrence], path: str) -> tuple[Occurrence, ...]:
    """The occurrences of one file."""
    return tuple(occurrence for occurrence in occurrences if occurrence.file == path)
