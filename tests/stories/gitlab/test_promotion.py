"""From dev to staging to prod on GitLab, and what people say on the way."""

from __future__ import annotations

from pathlib import Path

from tests.stories.gitlab.world import World
from tests.stories.world import pod

IMAGE = "HOST/acme/web"
LAND = "{require_protection: false, no_checks: merge}"
RULES = f"""\
rules:
  - match: {{paths: ["dev/**"]}}
    automerge: {LAND}
  - match: {{paths: ["staging/**"]}}
    policy: follow
    follow: {{from: "dev/**", soak: 24h}}
    automerge: {LAND}
  - match: {{paths: ["prod/**"]}}
    policy: follow
    follow: {{from: "staging/**", soak: 48h}}
"""
FILES = {".tagboat.yaml": RULES} | {f"{place}/web.yaml": pod(f"{IMAGE}:1.4.0") for place in ("dev", "staging", "prod")}
TAGS = {"acme/web": ["1.4.0", "1.4.1"]}


def standing(world: World) -> list[str]:
    """What stands in dev, staging and prod."""
    texts = (world.file(f"{place}/web.yaml") for place in ("dev", "staging", "prod"))
    return [text.partition("web:")[2].split()[0] for text in texts]


def say(world: World, text: str, number: int = 1, name: str = "ada", *, level: int = 40) -> None:
    """A member of this level writes a note."""
    user = world.gitlab.member(world.project, world.gitlab.user(name), level)
    world.gitlab.note(world.merge(number), user, text)


async def passes(world: World, count: int = 4) -> None:
    """GitLab works out in its own time whether a request can be merged."""
    for _ in range(count):
        await world.run()
        world.later(minutes=2)


async def test_dev_at_once_staging_after_its_soak_and_prod_by_a_person(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS) as world:
        await passes(world)
        assert standing(world) == ["1.4.1", "1.4.0", "1.4.0"]
        world.later(hours=24)
        await passes(world)
        assert standing(world) == ["1.4.1", "1.4.1", "1.4.0"]
        world.later(hours=48)
        await passes(world)
        assert standing(world) == ["1.4.1", "1.4.1", "1.4.0"]
        ((number, title),) = world.titles().items()
        assert title == "Update acme/web from 1.4.0 to 1.4.1 in prod"

        # A person's word lands it; somebody who may only read has none.
        say(world, "@tagboat merge", number, "bob", level=20)
        await passes(world)
        assert standing(world)[2] == "1.4.0"
        say(world, "Go.\n\n@tagboat merge", number)
        await passes(world)
        assert standing(world) == ["1.4.1", "1.4.1", "1.4.1"]

        # Taken back in prod: prod is held, the others go on.
        world.later(hours=1)
        world.write("prod/web.yaml", pod(f"{IMAGE}:1.4.0"))
        await world.push("acme/web", "1.4.2")
        for hours in (1, 25, 73):
            world.later(hours=hours)
            await passes(world)
        assert standing(world) == ["1.4.2", "1.4.2", "1.4.0"]
        assert world.titles() == {}
        async with world.app() as app:
            await app.ledger.resume("acme/gitops", f"{world.registry.host}/acme/web", at=world.now())
        await passes(world)
        assert list(world.titles().values()) == ["Update acme/web from 1.4.0 to 1.4.2 in prod"]


async def test_what_is_said_is_answered_in_the_one_note(tmp_path: Path) -> None:
    async with World.of(tmp_path, {"web.yaml": pod(f"{IMAGE}:1.4.0")}, TAGS) as world:
        await world.run()
        say(world, "@tagboat why")
        say(world, "@tagboat hold for bob")
        world.later(minutes=5)
        await world.push("acme/web", "1.4.2")
        await world.run()
        ours = [note for note in world.notes() if "said" in note]
        assert len(ours) == 1
        assert "`ada` said `hold`: it is on hold" in ours[0]
        assert "How it stands:" in ours[0]
        assert world.titles() == {1: "Update acme/web from 1.4.0 to 1.4.1"}
        say(world, "@tagboat resume")
        world.later(minutes=5)
        await world.run()
        assert world.titles() == {1: "Update acme/web from 1.4.0 to 1.4.2"}
        assert len([note for note in world.notes() if "said" in note]) == 1
