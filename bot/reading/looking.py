"""Look: what stands in a repository. Its head and requests, its configuration, its images, its CI definitions.

Contents are read by blob id, and only those not read before. A base branch whose head did not move is not listed again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from cachetools import LRUCache

from bot.forges.base import Entry, Forge, Look
from bot.reading.scanning import Scanned, Scanner
from bot.state.contents import Contents
from rules.config import FILE, Config, ConfigError, Layer, Limits, load, misnamed
from rules.findings import Finding
from rules.formats import is_manifest
from rules.formats.base import Occurrence, Unread
from rules.loops import included, is_definition
from rules.merging.native import is_left
from rules.policies.base import Choosing
from rules.requests import PullRequest

FILE_LIMIT = 8 * 1024 * 1024
_REGULAR = frozenset({"100644", "100755"})
_BYTES_KEPT = 64 * 1024 * 1024
_NAMED = 512  # bytes that it takes to keep a blob by its name, beside its own
_FILES_KEPT = 500_000
_CONFIGS_KEPT = 4096
_REPOSITORIES_KEPT = 20_000
_Kept = str | tuple[str, str, str]  # a tree by its commit, a view by base, commit and configuration
_INCLUDED = 4  # definitions within each other
_CONFIG_LIMIT = 1024 * 1024


class NoConfig(Exception):
    """The repository has no `.tagboat.yaml`, and the operator did not ask for proposals without one."""


@dataclass(frozen=True, slots=True)
class View:
    """One base branch at one commit. `definitions` are its CI files; `unread` the manifests that could not be read; `flux` Flux's
    ImagePolicies, by `namespace:name`."""

    base: str
    head: str
    entries: Mapping[str, Entry]
    occurrences: tuple[Occurrence, ...]
    unread: tuple[Unread, ...]
    definitions: Mapping[str, bytes]
    flux: Mapping[str, Choosing] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """A repository as one pass sees it. `missing` are the base branches that the configuration names and nobody finds."""

    look: Look
    config: Config
    views: tuple[View, ...]
    missing: tuple[str, ...] = ()


@dataclass(slots=True)
class Memory:
    """What passes remember of each other, to read only what changed. Commits and blobs are named by what they hold, so one memory
    serves all repositories under the same operator's settings. `bases` are the base branches that a repository's configuration
    named last, `said` is what was last commented on a request. `kept` is what earlier processes read (plain git has its clone for
    that). Losing it costs requests, nothing else.

    Of what is left to the forge's own auto-merge: `left` is what the last look showed of it, `compared` are the heads that were
    compared for it (with what the forge said against it), `noted` those that are in the history, `merged` what has landed.

    `standing` are the trees and views that the last look at a repository used, `stood_on` by how many repositories each is used:
    those of a commit that no repository stands on any more are let go: repositories cost memory, pushes do not."""

    scanner: Scanner = field(default_factory=Scanner)
    configs: LRUCache[str, Config] = field(default_factory=lambda: LRUCache(maxsize=_CONFIGS_KEPT))
    bases: LRUCache[tuple[str, str], tuple[str, ...]] = field(default_factory=lambda: LRUCache(maxsize=_REPOSITORIES_KEPT))
    said: LRUCache[tuple[str, str, int], str] = field(default_factory=lambda: LRUCache(maxsize=_REPOSITORIES_KEPT))
    left: LRUCache[tuple[str, str], tuple[PullRequest, ...]] = field(default_factory=lambda: LRUCache(_REPOSITORIES_KEPT))
    merged: LRUCache[tuple[str, str], frozenset[int]] = field(default_factory=lambda: LRUCache(_REPOSITORIES_KEPT))
    compared: LRUCache[tuple[str, str, int], tuple[str, str]] = field(default_factory=lambda: LRUCache(_REPOSITORIES_KEPT))
    noted: LRUCache[tuple[str, str, int], str] = field(default_factory=lambda: LRUCache(_REPOSITORIES_KEPT))
    trees: LRUCache[str, Mapping[str, Entry]] = field(default_factory=lambda: LRUCache(maxsize=_FILES_KEPT, getsizeof=_files))
    views: LRUCache[tuple[str, str, str], View] = field(default_factory=lambda: LRUCache(maxsize=_FILES_KEPT, getsizeof=_places))
    blobs: LRUCache[str, bytes] = field(default_factory=lambda: LRUCache(maxsize=_BYTES_KEPT, getsizeof=_room))
    kept: Contents | None = None
    standing: dict[tuple[str, str], frozenset[_Kept]] = field(default_factory=dict)
    stood_on: Counter[_Kept] = field(default_factory=Counter)

    def stands(self, forge: Forge, used: frozenset[_Kept]) -> None:
        """A repository was looked at, and these trees (by commit) and views were used."""
        before = self.standing.get((forge.kind, forge.name), frozenset())
        self.standing[forge.kind, forge.name] = used
        self.stood_on.update(used - before)
        for gone in before - used:
            self.stood_on[gone] -= 1
            if not self.stood_on[gone]:
                del self.stood_on[gone]
                if isinstance(gone, str):
                    self.trees.pop(gone, None)
                else:
                    self.views.pop(gone, None)

    async def tree(self, forge: Forge, commit: str) -> Mapping[str, Entry]:
        """Every file of a commit."""
        found = self.trees.get(commit)
        if found is None:
            kept = self.kept if forge.kind != "git" else None
            found = await kept.tree(commit) if kept else None
            if found is None:
                found = await forge.tree(commit)
                if kept:
                    await kept.keep_tree(commit, found)
            if _files(found) < _FILES_KEPT // 2:
                self.trees[commit] = found
        return found

    async def contents(self, forge: Forge, oids: Collection[str]) -> dict[str, bytes]:
        """Blobs by id, read from the forge where they are not at hand."""
        found = {oid: self.blobs[oid] for oid in set(oids) if oid in self.blobs}
        kept = self.kept if forge.kind != "git" else None
        if kept and (missing := set(oids) - found.keys()):
            found |= self._remembered(await kept.blobs(missing))
        if missing := set(oids) - found.keys():
            read = await forge.blobs(missing)
            found |= self._remembered(read)
            if kept:
                await kept.keep_blobs(read)
        return found

    def _remembered(self, blobs: Mapping[str, bytes]) -> Mapping[str, bytes]:
        for oid, data in blobs.items():
            if len(data) < _BYTES_KEPT // 4:
                self.blobs[oid] = data
        return blobs


def _room(blob: bytes) -> int:
    return len(blob) + _NAMED


def _files(tree: Mapping[str, Entry]) -> int:
    return len(tree) + 1


def _places(view: View) -> int:
    return len(view.entries) + len(view.occurrences) + 1


@dataclass(frozen=True, slots=True)
class Terms:
    """The operator's side of a repository's configuration."""

    defaults: Layer = field(default_factory=Layer)
    limits: Limits = field(default_factory=Limits)
    propose_without_file: bool = True


async def look(forge: Forge, memory: Memory, terms: Terms) -> Seen:
    """Everything that decisions need of a repository.

    Raises ForgeError, ConfigError (a broken `.tagboat.yaml`: nothing is done), or NoConfig.
    """
    first = (forge.kind, forge.name) not in memory.bases
    asked = memory.bases.get((forge.kind, forge.name), ())
    seen = await forge.look(asked)
    memory.left[forge.kind, forge.name] = tuple(one for one in seen.requests if is_left(one, seen.login))
    default = seen.project.default_branch
    if default not in seen.heads:
        raise NoConfig("the repository is empty")
    oid, config = await _config(forge, memory, seen.heads[default], terms)
    bases = tuple(config.base_branches) or (default,)
    memory.bases[forge.kind, forge.name] = tuple(config.base_branches)
    author = config.commits.author if first else None
    if author is not None:  # our commits are told by their author, whom the first look did not know
        forge.commit_as((author.name, author.email), config.commits.signoff)
    if set(bases) - {default, *asked} or author is not None:
        seen = await forge.look(bases)
    there = [base for base in bases if base in seen.heads]
    views = [await _view(forge, memory, base, seen.heads[base], oid, config) for base in there]
    used = {(base, seen.heads[base], oid) for base in there}
    memory.stands(forge, frozenset[_Kept]({seen.heads[default], *(head for _, head, _ in used), *used}))
    return Seen(seen, config, tuple(views), tuple(base for base in bases if base not in seen.heads))


async def _config(forge: Forge, memory: Memory, head: str, terms: Terms) -> tuple[str, Config]:
    """The configuration, and what it was read from: the blob's id, empty where there is no file."""
    tree = await memory.tree(forge, head)
    entry, notes = tree.get(FILE), misnamed(tree.__contains__)
    if entry is None and not terms.propose_without_file:
        raise NoConfig("; ".join([f"no {FILE} on the default branch", *map(str, notes)]))
    if entry is not None and (entry.mode not in _REGULAR or (entry.size or 0) > _CONFIG_LIMIT):
        # A file that is there and cannot be used never counts as no file.
        reason = f"is larger than {_CONFIG_LIMIT // 1024} KiB" if entry.mode in _REGULAR else "is not a regular file"
        raise ConfigError([Finding(FILE, None, "", reason)])
    oid = entry.oid if entry else ""
    config = memory.configs.get(oid)
    if config is None:
        data = (await memory.contents(forge, [oid]))[oid] if oid else b""
        config = memory.configs[oid] = load(data, file=FILE, defaults=terms.defaults, limits=terms.limits)
    return oid, replace(config, notes=(*config.notes, *notes)) if notes else config


async def _view(forge: Forge, memory: Memory, base: str, head: str, config_oid: str, config: Config) -> View:
    known = memory.views.get((base, head, config_oid))
    if known is not None:
        return known
    entries = await memory.tree(forge, head)
    files = {path: entry for path, entry in entries.items() if entry.mode in _REGULAR}
    manifests = {path: entry for path, entry in files.items() if is_manifest(path) and config.wants(path)}
    large = [
        Unread(path, None, f"larger than {FILE_LIMIT // 2**20} MiB")
        for path, entry in manifests.items()
        if (entry.size or 0) > FILE_LIMIT
    ]
    for trouble in large:
        del manifests[trouble.file]
    definitions = {path: entry for path, entry in files.items() if is_definition(path) and (entry.size or 0) <= FILE_LIMIT}
    fresh = {path: entry for path, entry in manifests.items() if memory.scanner.known(path, entry.oid) is None}
    contents = await memory.contents(forge, {entry.oid for entry in (*fresh.values(), *definitions.values())})
    read = _scan(memory.scanner, manifests, contents)
    definitions |= {path: manifests[path] for path, one in read.items() if one.starts}
    said = await _said(forge, memory, definitions, files, contents)
    scanned = read.values()
    view = View(
        base=base,
        head=head,
        entries=entries,
        occurrences=tuple(occurrence for one in scanned for occurrence in one.occurrences),
        unread=(*large, *(one.unread for one in scanned if one.unread)),
        definitions=said,
        flux={name: choosing for one in scanned for name, choosing in one.flux.items()},
    )
    if _places(view) < _FILES_KEPT // 2:
        memory.views[base, head, config_oid] = view
    return view


async def _said(
    forge: Forge, memory: Memory, definitions: Mapping[str, Entry], files: Mapping[str, Entry], contents: Mapping[str, bytes]
) -> dict[str, bytes]:
    """The CI definitions, and what they include, wherever that stands. `contents` are blobs that were read already."""
    wanted, said, read = dict(definitions), dict[str, bytes](), dict(contents)
    for _ in range(_INCLUDED):
        missing = {entry.oid for entry in wanted.values()} - read.keys()
        read |= await memory.contents(forge, missing) if missing else {}
        said |= {path: read[entry.oid] for path, entry in wanted.items()}
        wanted = {path: files[path] for path in included(said, files) if (files[path].size or 0) <= FILE_LIMIT}
        if not wanted:
            break
    return said


def _scan(scanner: Scanner, manifests: Mapping[str, Entry], contents: Mapping[str, bytes]) -> dict[str, Scanned]:
    rows = sorted(manifests.items())
    return {path: scanner.read(path, entry.oid, partial(contents.__getitem__, entry.oid)) for path, entry in rows}


def places(occurrences: Iterable[Occurrence], path: str) -> tuple[Occurrence, ...]:
    """The occurrences of one file."""
    return tuple(occurrence for occurrence in occurrences if occurrence.file == path)
