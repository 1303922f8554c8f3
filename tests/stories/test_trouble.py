"""What cannot be read is reported and left exactly as it is; the rest is done."""

from __future__ import annotations

from pathlib import Path

from tests.stories.world import DEV_LANDS, World, kinds, note, pod

TAGS = {"acme/web": ["1.4.0", "1.4.1"], "acme/db": ["1.0.0", "1.0.1"]}
FILES = {"web.yaml": pod("HOST/acme/web:1.4.0"), "db.yaml": pod("HOST/acme/db:1.0.0")}


async def test_a_registry_that_is_down_leaves_its_open_request_as_it_is(tmp_path: Path) -> None:
    files = {".tagboat.yaml": "rules: [{automerge: true}]\n", **FILES}
    async with World.of(tmp_path, files, TAGS, "mode: propose\n") as world:
        await world.run()
        before = world.repo.refs()
        await world.registry.stop()
        world.extra = ""
        report = await world.run()
        assert report.failed
        assert "cannot be reached" in next(report.of("trouble")).reason
        assert not report.changed
        assert world.repo.refs() == before


async def test_an_image_whose_listing_fails_stops_nobody_else(tmp_path: Path) -> None:
    async with World.of(tmp_path, {**FILES, "gone.yaml": pod("HOST/acme/gone:1.0.0")}, TAGS) as world:
        report = await world.run()
        assert note(report, "trouble").where == "gone.yaml:7"
        assert sorted(world.titles().values()) == ["Update acme/db from 1.0.0 to 1.0.1", "Update acme/web from 1.4.0 to 1.4.1"]


async def test_a_file_that_does_not_parse_leaves_its_request(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS) as world:
        await world.run()
        before = world.titles()
        world.write("Oops", "web.yaml", pod("HOST/acme/web:1.4.0") + "  {[\n")
        report = await world.run()
        assert note(report, "trouble").where.startswith("web.yaml")
        assert world.titles() == before
        assert not report.changed


async def test_a_current_tag_that_is_missing_is_reported_and_never_acted_on(tmp_path: Path) -> None:
    async with World.of(tmp_path, {"web.yaml": pod("HOST/acme/web:1.3.9")}, TAGS) as world:
        report = await world.run()
        assert "has no tag '1.3.9' in its registry" in note(report, "trouble").reason
        assert world.states() == {}


async def test_a_broken_configuration_does_nothing(tmp_path: Path) -> None:
    async with World.of(tmp_path, {".tagboat.yaml": "version: 1\nrulez: []\n", **FILES}, TAGS) as world:
        report = await world.run()
        assert (note(report, "trouble").where, kinds(report)) == (".tagboat.yaml:2", ["trouble"])
        assert world.states() == {}


async def test_a_base_branch_that_is_not_there_is_named(tmp_path: Path) -> None:
    files = {".tagboat.yaml": "base_branches: [main, release]\n", **FILES}
    async with World.of(tmp_path, files, TAGS) as world:
        report = await world.run()
        assert note(report, "trouble").reason == "there is no such branch"
        assert len(world.titles()) == 2


async def test_a_repository_that_is_not_there_is_a_report(tmp_path: Path) -> None:
    async with World.of(tmp_path, {".tagboat.yaml": DEV_LANDS}, {}) as world:
        world.repo.path.rename(tmp_path / "elsewhere")
        report = await world.run()
        assert report.failed
        assert kinds(report) == ["trouble"]


async def test_a_request_lands_only_where_all_that_it_is_for_could_be_read(tmp_path: Path) -> None:
    """The image stands in the file at two tags, and one of them is gone from the registry by now."""
    files = {".tagboat.yaml": "rules: [{automerge: true}]\n", "web.yaml": pod("HOST/acme/web:1.4.0", "HOST/acme/web:9.0.0")}
    async with World.of(tmp_path, files, {"acme/web": ["1.4.0", "1.4.1", "9.0.0"]}, "mode: propose\n") as world:
        await world.run()
        world.extra = ""
        world.registry.delete_tag("acme/web", "9.0.0")
        report = await world.run()
        assert not report.changed
        assert all("could not be looked at" in one.reason for one in report.of("left"))
        await world.push("acme/web", "9.0.0")
        assert "landed" in kinds(await world.run())
