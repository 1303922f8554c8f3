"""From dev to staging to prod: what soaks in one place goes on to the next."""

from __future__ import annotations

from pathlib import Path

from tests.stories.world import World, kinds, note, pod

IMAGE = "HOST/acme/web"
RULES = """\
rules:
  - match: {paths: ["dev/**"]}
    automerge: true
  - match: {paths: ["staging/**"]}
    policy: follow
    follow: {from: "dev/**", soak: 24h}
    automerge: true
  - match: {paths: ["prod/**"]}
    policy: follow
    follow: {from: "staging/**", soak: 48h}
"""
FILES = {".tagboat.yaml": RULES} | {f"{place}/web.yaml": pod(f"{IMAGE}:1.4.0") for place in ("dev", "staging", "prod")}


def standing(world: World) -> list[str]:
    """What stands in dev, staging and prod."""
    texts = (world.file(f"{place}/web.yaml") for place in ("dev", "staging", "prod"))
    return [text.partition("web:")[2].split()[0] for text in texts]


async def test_dev_at_once_staging_after_its_soak_and_prod_by_a_person(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, {"acme/web": ["1.4.0", "1.4.1"]}) as world:
        await world.run()
        assert standing(world) == ["1.4.1", "1.4.0", "1.4.0"]
        report = await world.run()  # staging is told from now on since when it stands in dev
        assert report.wake is not None
        world.now = report.wake
        await world.run()
        assert standing(world) == ["1.4.1", "1.4.1", "1.4.0"]
        assert world.titles() == {}
        await world.run()
        world.later(hours=47)
        assert not (await world.run()).changed
        world.later(hours=1)
        await world.run()
        assert list(world.titles().values()) == ["Update acme/web from 1.4.0 to 1.4.1 in prod"]
        assert standing(world) == ["1.4.1", "1.4.1", "1.4.0"]
        assert not (await world.run()).changed


async def test_nothing_replaces_what_soaks(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, {"acme/web": ["1.4.0", "1.4.1"]}) as world:
        await world.run()
        await world.push("acme/web", "1.4.2")
        world.later(hours=1)
        report = await world.run()
        assert not report.changed
        assert any("1.4.1 soaks here for staging/web.yaml until" in one.reason for one in report.notes)
        world.later(hours=24)
        await world.run()
        world.later(hours=1)
        await world.run()
        assert standing(world) == ["1.4.2", "1.4.1", "1.4.0"]


async def test_a_revert_upstream_stops_the_promotion_and_resume_goes_on(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, {"acme/web": ["1.4.0", "1.4.1"]}) as world:
        await world.run()
        await world.run()
        world.later(hours=2)
        world.write("No", "dev/web.yaml", pod(f"{IMAGE}:1.4.0"))
        for hours in (1, 30, 60):
            world.later(hours=hours)
            assert not (await world.run()).changed
        assert standing(world) == ["1.4.0", "1.4.0", "1.4.0"]
        async with world.app() as app:
            await app.ledger.resume(world.reports[-1].repository, f"{world.registry.host}/acme/web", at=world.now)
        await world.run()
        assert standing(world) == ["1.4.1", "1.4.0", "1.4.0"]
        await world.run()
        world.later(hours=24)
        await world.run()
        assert standing(world) == ["1.4.1", "1.4.1", "1.4.0"]


async def test_a_revert_in_prod_holds_prod_and_lets_the_others_go_on(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, {"acme/web": ["1.4.0", "1.4.1"]}) as world:
        for hours in (0, 0, 24, 0, 48):
            world.later(hours=hours)
            await world.run()
        ((number, _),) = world.titles().items()
        world.repo.checkout("main")
        world.repo.person("merge", "-q", "--no-ff", "-m", "Ship", f"origin/{world.branch(number)}")
        world.repo.person("push", "-q", "origin", "HEAD:main", f":{world.branch(number)}")
        await world.run()
        assert standing(world) == ["1.4.1", "1.4.1", "1.4.1"]
        world.later(hours=1)
        world.write("Back", "prod/web.yaml", pod(f"{IMAGE}:1.4.0"))
        await world.push("acme/web", "1.4.2")
        report = await world.run()
        assert standing(world) == ["1.4.2", "1.4.1", "1.4.0"]
        assert "a person went back to 1.4.0" in next(one.reason for one in report.notes if "went back" in one.reason)
        for hours in (0, 24, 0, 72):
            world.later(hours=hours)
            report = await world.run()
        assert standing(world) == ["1.4.2", "1.4.2", "1.4.0"]
        assert world.titles() == {}


async def test_what_waits_for_a_person_stays_while_dev_goes_on(tmp_path: Path) -> None:
    rules = RULES.replace('automerge: true\n  - match: {paths: ["prod', 'priority: 1\n  - match: {paths: ["prod')
    async with World.of(tmp_path, {**FILES, ".tagboat.yaml": rules}, {"acme/web": ["1.4.0", "1.4.1"]}) as world:
        for hours in (0, 0, 24):
            world.later(hours=hours)
            await world.run()
        assert list(world.titles().values()) == ["Update acme/web from 1.4.0 to 1.4.1 in staging"]
        await world.push("acme/web", "1.4.2")
        await world.run()
        assert standing(world)[0] == "1.4.2"
        assert not (await world.run()).changed, "the request for what has soaked stays"
        world.later(hours=24)
        report = await world.run()
        assert note(report, "refreshed").reason == "now 1.4.2"
        assert kinds(report).count("opened") == 0
