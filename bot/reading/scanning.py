"""Files to occurrences, once for each content: a file that did not change is not parsed again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cachetools import LRUCache

from rules import flux
from rules.ci import looks_like_definition
from rules.formats import scan
from rules.formats.base import Occurrence, Unread
from rules.policies.base import Choosing


@dataclass(frozen=True, slots=True)
class Scanned:
    """What one file holds; `flux` are Flux's ImagePolicies in it, `starts`: it says by its content that it starts pipelines."""

    occurrences: tuple[Occurrence, ...]
    unread: Unread | None = None
    flux: Mapping[str, Choosing] = field(default_factory=dict)
    starts: bool = False


@dataclass(frozen=True, slots=True)
class Scanner:
    """Remembers what files held, by path and blob id (a path matters: formats look at it)."""

    remembered: LRUCache[tuple[str, str], Scanned] = field(default_factory=lambda: LRUCache(maxsize=50_000))

    def known(self, path: str, oid: str) -> Scanned | None:
        """What this very content held when it was last read, if it was."""
        return self.remembered.get((path, oid))

    def read(self, path: str, oid: str, load: Callable[[], bytes]) -> Scanned:
        """What a file holds; `load` is called only where this content was not read before."""
        scanned = self.remembered.get((path, oid))
        if scanned is None:
            scanned = self.remembered[path, oid] = read(path, load())
        return scanned


def read(path: str, data: bytes) -> Scanned:
    """What a file holds."""
    occurrences, unread = scan(path, data)
    return Scanned(tuple(occurrences), unread, flux.policies(data), looks_like_definition(data))
