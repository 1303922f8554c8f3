"""Several services on one PostgreSQL: what one found all of them show, a tag list that one read serves all; a restart forgets
nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from bot.app import App
from bot.demo.world import World
from bot.forges.base import Standing
from bot.report import Note, Report
from bot.serving.service import Service
from bot.serving.summaries import RequestRow, Summaries, Summary, keep, summary
from bot.settings import load
from bot.state.hints import Hint
from bot.state.shelf import Shelf
from bot.terminal import UsageError
from bot.web.pages import views
from rules.merging import Condition

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/t.db" if request.param == "sqlite" else str(request.getfixturevalue("database"))


@asynccontextmanager
async def service(world: World, state: str, *, fresh: bool = False) -> AsyncIterator[Service]:
    lines = world.settings.read_text().partition("state:")[0] + "state: {env: STATE}\n"
    world.settings.write_text(lines)
    async with await App.open(load(world.settings, {"STATE": state})) as app:
        made = await Service.start(app, fresh=fresh)
        try:
            yield made
        finally:
            assert await made.stop(10)


async def passed(one: Service) -> None:
    """Let a pass over every repository run, somewhere."""
    for key in one.berths:
        await one.ask(key, "test")
    async with asyncio.timeout(30):
        await one.work.idle()


async def test_a_restart_forgets_nothing_of_what_pages_show(world: World, state: str) -> None:
    async with service(world, state) as before:
        await passed(before)
        shown = await views.shown(before)
        rows, requests, places = views.repositories(shown), views.requests(shown), views.places(shown)
        await before.gauge()
    assert [one.title for one in requests] == ["Update prod: 3 images in envs/prod"]
    assert requests[0].standing.decision == "wait"
    assert len(places) == rows[0].places > 3
    async with service(world, state) as after:
        shown = await views.shown(after)
        assert views.requests(shown) == requests
        assert views.places(shown) == places
        (row,) = views.repositories(shown)
        assert (row.looked, row.next_look) == (rows[0].looked, rows[0].next_look)
        await after.gauge()
        assert after.metrics.open._value.get() == before.metrics.open._value.get() == 1
        assert after.metrics.passes.labels("changed")._value.get() == 0, "no pass was needed for it"


async def test_of_a_forge_that_cannot_be_asked_people_are_told(world: World, state: str) -> None:
    taken: list[dict[str, str]] = []
    told = asyncio.Event()

    async def take(request: web.Request) -> web.Response:
        taken.append(await request.json())
        told.set()
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    text = world.settings.read_text().replace(
        "forges:", 'forges:\n  - {kind: gitlab, url: "http://127.0.0.1:1", token: {file: t}}', 1
    )
    (world.settings.parent / "t").write_text("secret-token")
    hook = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    world.settings.write_text(f'notify: [{{kind: webhook, url: "{hook}"}}]\n{text}')
    for _ in range(2):
        async with service(world, state):
            await asyncio.wait_for(told.wait(), 20)
            await asyncio.sleep(0.2)
    await runner.cleanup()
    assert [(one["topic"], one["state"], one["repository"]) for one in taken] == [("alarm", "began", "http://127.0.0.1:1")]


async def test_what_one_process_found_all_of_them_show_and_its_tag_lists_serve_all(world: World, database: str) -> None:
    asked = world.registry.requests
    async with service(world, database) as one:
        await passed(one)
        listed = asked["GET tags"]
        assert listed > 0
        async with service(world, database) as two:
            assert [each.title for each in views.requests(await views.shown(two))] == ["Update prod: 3 images in envs/prod"]
            await one.work.stop(10)
            await passed(two)
            assert asked["GET tags"] == listed, "the second process used the lists of the first"
            # News of one image: it alone is read again, and the pass knows the new tag.
            tag = await world.build()
            image = f"{world.registry.host}/harbour/shop"
            assert await two.inbox.take([Hint("image", "pushed", image=image, tag=tag, delivery="1")]) == 1
            async with asyncio.timeout(30):
                await two.work.idle()
            assert asked["GET tags"] == listed + 1
            assert tag is not None
            assert tag in await world.message("main")


async def test_of_two_processes_one_keeps_the_time_and_the_other_takes_it_over(database: str) -> None:
    from bot.work.leading import Leadership

    one, two = Leadership(database), Leadership(database)
    assert [await one(), await two(), await one(), await two()] == [True, False, True, False]
    await one.close()
    async with asyncio.timeout(10):
        while not await two():  # noqa: ASYNC110 (the database notices a moment later)
            await asyncio.sleep(0.02)
    assert not await one()
    await one.close()
    await two.close()


async def test_what_another_process_found_is_not_lost_by_one_that_does_not_know_it_yet(world: World, database: str) -> None:
    async with service(world, database) as running:
        await passed(running)
        (key,) = running.berths
        found = running.berths.pop(key)  # it was added a moment ago, and only the other one has heard of it
        await running.ask(key, "a push")
        await running.work.idle()
        now = running.app.clock()
        assert now < (await running.shelf.looks())[key] <= now + timedelta(minutes=1)
        assert key not in running.berths, "forges are not asked for their repositories all the time"
        assert running._refreshed is not None
        running._refreshed -= timedelta(minutes=2)
        await running.ask(key, "a push")
        await running.work.idle()
        assert running.berths.keys() == {key}
        assert running.berths[key].name == found.name
        assert (await running.shelf.looks())[key] > now + timedelta(minutes=30), "it was looked at"
        await running.ask("git:nobody/knows", "a push")
        assert await running.depth() == 0


async def test_a_pass_that_could_not_look_keeps_what_was_known_and_says_so(tmp_path: Path, world: World) -> None:
    async with service(world, f"sqlite:///{tmp_path}/t.db") as running:
        await passed(running)
        (key,) = running.berths
        before = (await running.summaries.current())[key]
        blind = Report(before.name)
        blind.add("trouble", "", "the forge answers 502")
        await keep(running.shelf, summary(key, "git", blind, running.app.clock(), before))
        after = (await running.summaries.current())[key]
        assert after.places == before.places
        assert after.requests == before.requests
        assert [note.reason for note in after.troubles] == ["the forge answers 502"]
        assert views.repositories(await views.shown(running))[0].worst == "wrong"


async def test_how_a_request_stands_is_kept_with_every_condition(tmp_path: Path, world: World) -> None:
    standing = Standing(
        "wait",
        "for checks",
        (Condition("checks", False, "a check failed"), Condition("age", None, "young"), Condition("open", True, "open")),
    )
    row = RequestRow("git:a", "a", 7, "Update web", "https://x/7", "main", NOON, standing, ("web",))
    note = Note("trouble", "a.yaml:3", "no answer", "web", wake=NOON)
    made = Summary("git:a", "a", "git", NOON, requests=(row,), troubles=(note,), waiting=1)
    async with service(world, f"sqlite:///{tmp_path}/t.db") as running:
        await keep(running.shelf, made)
        assert (await running.summaries.current())["git:a"] == made


async def test_a_summary_that_another_version_wrote_is_passed_over(tmp_path: Path, world: World) -> None:
    async with service(world, f"sqlite:///{tmp_path}/t.db") as running:
        await Shelf(running.app.ledger).keep_summary("git:other", 1.0, b'{"colour": "red"}')
        assert "git:other" not in await Summaries(running.shelf).current()


async def test_without_the_extra_postgresql_is_refused_by_name(
    world: World, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "bot.work.postgres", None)
    with pytest.raises(UsageError, match=r"tagboat\[postgres\]"):
        async with service(world, database):
            pass


async def test_what_no_pass_takes_any_more_is_forgotten(tmp_path: Path, world: World) -> None:
    settings = replace(load(world.settings, {}), scan_every=timedelta(seconds=1))
    async with await App.open(settings) as app:
        running = await Service.start(app, fresh=False)
        try:
            await passed(running)
            assert app.registries._outcomes
            running._tasks[0].cancel()  # the timer: nothing is looked at any more
            await running.work.idle()
            for _ in range(200):
                if app.registries._outcomes:
                    await asyncio.sleep(0.05)
            assert not app.registries._outcomes
        finally:
            await running.stop(10)
