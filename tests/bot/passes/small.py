"""A repository in memory with the real pass: files, a registry that is a dict, and a clock that is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.passes import Mode, Terms, Tools, one_pass
from bot.registries.base import Description, RegistryError
from bot.report import Report
from bot.state.ledger import Ledger
from tests.servers.memory_forge import NOON, MemoryForge

HOST = "registry.example.com"


def pod(*images: str) -> str:
    """A manifest with these images of the registry, each as `web:1.0.0`."""
    lines = [f"  - name: c{at}\n    image: {HOST}/{image}\n" for at, image in enumerate(images)]
    return "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n" + "".join(lines)


@dataclass
class Registry:
    """Tags by image, as `web`; one that is None cannot be listed."""

    tags_of: dict[str, Sequence[str] | None] = field(default_factory=dict)

    async def tags(self, image: str, *, for_repository: str | None = None) -> tuple[str, ...]:
        found = self.tags_of.get(image.removeprefix(f"{HOST}/"), ())
        if found is None:
            raise RegistryError("the registry is down")
        return tuple(found)

    async def digest(self, image: str, reference: str, *, for_repository: str | None = None) -> str | None:
        return "sha256:" + f"{abs(hash((image, reference))):064x}"[:64]

    async def describe(
        self, image: str, reference: str, *, for_repository: str | None = None, labels: bool = False
    ) -> Description | None:
        return None

    async def pushed(self, image: str, tags: Iterable[str], *, for_repository: str | None = None) -> dict[str, datetime]:
        return {}


@dataclass
class Small:
    """One repository and its registry."""

    forge: MemoryForge
    registry: Registry
    ledger: Ledger
    now: datetime = NOON
    mode: Mode = "merge"

    @classmethod
    async def of(cls, files: Mapping[str, str], tags: Mapping[str, Sequence[str]], **forge: object) -> Small:
        made = MemoryForge(dict(files), **forge)  # type: ignore[arg-type]
        small = cls(made, Registry(dict(tags)), await Ledger.open("sqlite://"))
        made.clock = lambda: small.now
        return small

    async def run(self) -> Report:
        """One pass, by a Tagboat that remembers only what is in its ledger."""
        tools = Tools(self.registry, self.ledger, mode=self.mode, clock=lambda: self.now, sleep=_no_sleep)
        return await one_pass(self.forge, Terms(), tools)

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)

    def green(self) -> None:
        """Every required check of every open request passes."""
        for request in self.forge.open_requests():
            for name in self.forge.required:
                self.forge.check(request.number, name, "success")


async def _no_sleep(seconds: float) -> None:
    """No test waits."""
