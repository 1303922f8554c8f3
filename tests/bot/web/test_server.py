"""The server over real sockets: webhooks in, passes over real git and a real registry, figures out."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from bot.app import App
from bot.demo.world import World
from bot.serving.service import Service
from bot.settings import load
from bot.web.server import BODY_LIMIT, application, serve

SECRET = "harbor-knows-this"
GITHUB = "github-knows-this"


class Running:
    """A served world: its registry, its repository, and the server's address."""

    def __init__(self, world: World, service: Service, url: str, session: aiohttp.ClientSession) -> None:
        self.world = world
        self.service = service
        self.url = url
        self.session = session

    async def post(self, path: str, payload: object, **headers: str) -> tuple[int, str]:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        async with self.session.post(f"{self.url}{path}", data=data, headers=headers) as answer:
            return answer.status, await answer.text()

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(f"{self.url}{path}") as answer:
            return answer.status, await answer.text()

    async def pushed(self, tag: str, repository: str = "harbour/shop") -> tuple[int, str]:
        """What distribution would post after a push of this tag."""
        manifest = "application/vnd.oci.image.manifest.v1+json"
        event = {"id": tag, "action": "push", "target": {"repository": repository, "tag": tag, "mediaType": manifest}}
        return await self.post(f"/webhooks/registry/{self.world.registry.host}", {"events": [event]}, Authorization=SECRET)

    async def settle(self) -> None:
        await self.service.work.idle()

    async def titles(self) -> list[str]:
        (berth,) = self.service.berths.values()
        look = await berth.forge.look()
        return [one.title for one in look.requests if one.state == "open"]


@pytest_asyncio.fixture
async def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    world = World(tmp_path)
    await world.start()
    lines = world.settings.read_text().replace("insecure: true}", "insecure: true, webhook_secret: {env: HOOK}}")
    github = (
        "\n  - {kind: github, token: {env: TOKEN}, repositories: [], webhook_secret: {env: GITHUB}, url: 'http://127.0.0.1:1'}"
    )
    world.settings.write_text(lines.replace("branch: main}", "branch: main}" + github))
    settings = load(world.settings, {"HOOK": SECRET, "GITHUB": GITHUB, "TOKEN": "t0ken"})
    app = await App.open(settings)
    # The row is there for its secret; its forge is asked for nothing here.
    app.rows = tuple(row for row in app.rows if row.settings.kind == "git")
    service = await Service.start(app)
    runner = await serve(application(service), "127.0.0.1", 0)
    session = aiohttp.ClientSession()
    yield Running(world, service, f"http://127.0.0.1:{runner.addresses[0][1]}", session)
    await session.close()
    await runner.cleanup()
    assert await service.stop(10)
    await app.close()
    await world.stop()


async def test_a_push_becomes_a_request_without_waiting_for_the_timer(running: Running) -> None:
    (key,) = running.service.berths
    await running.service.ask(key, "first")
    await running.settle()
    assert await running.titles() == ["Update prod: 3 images in envs/prod"]
    listings = running.world.registry.requests["GET tags"]
    tag = await running.world.build()
    assert tag is not None
    status, _ = await running.pushed(tag)
    assert status == 202
    await running.settle()
    head = await running.world.git("log", "-1", "--format=%s", "main")
    assert tag in head
    assert "[skip ci]" in head
    # Only the image that was named is listed again.
    assert running.world.registry.requests["GET tags"] == listings + 1


async def test_the_same_delivery_means_nothing_the_second_time(running: Running) -> None:
    (key,) = running.service.berths
    await running.service.ask(key, "first")
    await running.settle()
    assert await running.pushed("main-1-1") == (202, "1 new\n")
    assert await running.pushed("main-1-1") == (202, "nothing new\n")


async def test_an_image_that_stands_nowhere_asks_for_nothing(running: Running) -> None:
    (key,) = running.service.berths
    await running.service.ask(key, "first")
    await running.settle()
    before = running.service.metrics.passes.labels("quiet")._value.get()
    await running.pushed("1.0", "harbour/elsewhere")
    await running.settle()
    assert running.service.metrics.passes.labels("quiet")._value.get() == before


@pytest.mark.parametrize(
    ("path", "payload", "headers", "status"),
    [
        ("/webhooks/registry/HOST", {}, {}, 401),
        ("/webhooks/registry/HOST", {}, {"Authorization": "wrong"}, 401),
        ("/webhooks/registry/HOST/wrong", {"image": "harbour/shop"}, {}, 401),
        ("/webhooks/registry/HOST/SECRET", {"image": "harbour/shop"}, {}, 202),
        ("/webhooks/registry/elsewhere.example.com", {"image": "harbour/shop"}, {"Authorization": SECRET}, 404),
        ("/webhooks/registry/HOST", b"{", {"Authorization": SECRET}, 400),
        ("/webhooks/registry/HOST", b"x" * (BODY_LIMIT + 1), {"Authorization": SECRET}, 413),
        ("/webhooks/github", {}, {}, 401),
        ("/webhooks/github", {}, {"X-Hub-Signature-256": "sha256=00"}, 401),
        ("/webhooks/nobody", {}, {}, 404),
    ],
)
async def test_who_is_not_who_they_say_is_turned_away(
    running: Running, path: str, payload: object, headers: dict[str, str], status: int
) -> None:
    path = path.replace("HOST", running.world.registry.host).replace("SECRET", SECRET)
    got, words = await running.post(path, payload, **headers)
    assert got == status
    assert SECRET not in words


async def test_a_signed_push_on_github_is_taken_and_an_unknown_repository_is_nobody_s(running: Running) -> None:
    body = json.dumps({"ref": "refs/heads/main", "repository": {"full_name": "acme/gitops"}}).encode()
    signed = "sha256=" + hmac.new(GITHUB.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": signed, "X-GitHub-Event": "push", "X-GitHub-Delivery": "d-1"}
    assert await running.post("/webhooks/github", body, **headers) == (202, "1 new\n")
    assert await running.service.depth() == 0


async def test_a_body_that_does_not_come_is_not_waited_for(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.web.server.BODY_SECONDS", 0.2)
    host, _, port = running.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST /webhooks/github HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n\r\n{{".encode())
    answer = await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    assert b" 408 " in answer


async def test_health_readiness_and_figures(running: Running) -> None:
    (key,) = running.service.berths
    await running.service.ask(key, "first")
    await running.settle()
    await running.pushed("main-1-1")
    await running.settle()
    assert (await running.get("/healthz"))[0] == 200
    assert await running.get("/readyz") == (200, "ready\n")
    _, figures = await running.get("/metrics")
    assert "tagboat_open_requests 1.0" in figures
    assert 'tagboat_webhooks_total{outcome="accepted",sender="registry"} 1.0' in figures
    assert 'tagboat_effects_total{kind="landed"} 1.0' in figures
    assert f'tagboat_registry_requests_total{{host="{running.world.registry.host}",kind="listings"}}' in figures
    running.service.ready = False
    assert (await running.get("/readyz"))[0] == 503
    running.service.ready = True


async def test_five_hundred_at_once_are_all_answered_and_none_is_lost(running: Running) -> None:
    (key,) = running.service.berths
    await running.service.ask(key, "first")
    await running.settle()
    answers = await asyncio.gather(*(running.pushed(f"main-{at}-{at}") for at in range(500)))
    assert {status for status, _ in answers} == {202}
    await running.settle()
    assert running.service.metrics.webhooks.labels("registry", "accepted")._value.get() == 500
