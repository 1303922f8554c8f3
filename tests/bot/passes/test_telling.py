"""What the registry tells goes into a body that is about to be written, and is asked only then."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import pytest

from bot.registries.base import Description, RegistryError
from tests.bot.passes.small import HOST, Registry, Small, pod

SOURCE = "https://github.com/acme/shop"


@dataclass
class Telling(Registry):
    """A registry that describes its images, and counts how often it is asked to."""

    asked: list[str] = field(default_factory=list)
    down: bool = False

    async def describe(
        self, image: str, reference: str, *, for_repository: str | None = None, labels: bool = False
    ) -> Description | None:
        self.asked.append(f"{image.removeprefix(HOST)}:{reference}{' with labels' if labels else ''}")
        if self.down:
            raise RegistryError("not now")
        revision = f"{ord(reference[-1]):07x}"
        told = {"org.opencontainers.image.revision": revision, "org.opencontainers.image.source": SOURCE} if labels else {}
        return Description(
            "sha256:1", frozenset({"linux/amd64"}), told, datetime.fromisoformat("2026-03-01T12:00:00Z"), 5_000_000
        )


async def small(rules: str = "rules: [{platforms: any}]\n", image: str = "web") -> tuple[Small, Telling]:
    here = await Small.of({"web.yaml": pod(f"{image}:1.4.1"), ".tagboat.yaml": rules}, {image: ["1.4.1", "1.4.2"]})
    telling = Telling(here.registry.tags_of)
    here.registry = telling
    return here, telling


async def test_it_stands_in_the_body_and_is_not_asked_for_again() -> None:
    here, registry = await small()
    await here.run()
    body = here.forge.requests[1].body
    assert "Pushed 2026-03-01 12:00 UTC. Size 5.0 MB. Platforms linux/amd64." in body
    assert f"What changed: {SOURCE}/compare/0000031...0000032" in body
    assert sorted(registry.asked) == ["/web:1.4.1 with labels", "/web:1.4.2 with labels"]
    assert not (await here.run()).changed
    assert len(registry.asked) == 2


async def test_a_registry_that_does_not_tell_stops_nothing() -> None:
    here, registry = await small()
    registry.down = True
    await here.run()
    assert "Size" not in here.forge.requests[1].body
    registry.down = False
    assert not (await here.run()).changed, "a body is not edited for it"


@pytest.mark.parametrize(("count", "asked"), [(10, 20), (11, 0)])
async def test_of_a_large_group_nothing_is_asked(count: int, asked: int) -> None:
    names = [f"app{at}" for at in range(count)]
    files = {f"{name}.yaml": pod(f"{name}:1.0.0") for name in names}
    rules = "rules: [{group: all, platforms: any}]\n"
    here = await Small.of({**files, ".tagboat.yaml": rules}, {name: ["1.0.0", "1.0.1"] for name in names})
    here.registry = Telling(here.registry.tags_of)
    await here.run()
    assert len(here.registry.asked) == asked
