"""`tagboat push`: the pipeline's own word."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from bot.cli import run
from bot.commands.push import TOKEN


class Server:
    """Answers as it is told, and keeps what it was sent."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.seen: list[tuple[str, str, dict[str, object]]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.seen.append((request.path, request.headers.get("Authorization", ""), await request.json()))
        return web.Response(status=self.status, text="1 new\n", headers={"Location": "http://127.0.0.1:1/"})


def told(status: int, *arguments: str) -> tuple[int, Server]:
    """The exit status of a push to a server that answers with this status."""
    server = Server(status)

    async def all_() -> int:
        app = web.Application()
        app.router.add_post("/{path:.*}", server.take)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        try:
            return await asyncio.to_thread(run, ["push", *arguments, "--server", url])
        finally:
            await runner.cleanup()

    return asyncio.run(all_()), server


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, "s3cret")


@pytest.mark.parametrize(
    ("image", "path", "payload"),
    [
        ("harbor.example.com/team/web:1.4.2", "/webhooks/registry/harbor.example.com", ("team/web", "1.4.2")),
        ("localhost:5000/web:1", "/webhooks/registry/localhost:5000", ("web", "1")),
        ("nginx:1.27", "/webhooks/registry/docker.io", ("library/nginx", "1.27")),
    ],
)
def test_the_server_is_told(image: str, path: str, payload: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    status, server = told(202, image)
    assert status == 0
    ((where, authorization, body),) = server.seen
    assert (where, authorization, (body["image"], body["tag"])) == (path, "Bearer s3cret", payload)
    assert capsys.readouterr().out == "told: 1 new\n"


@pytest.mark.parametrize("answer", [401, 404, 500, 302])
def test_a_server_that_does_not_take_it_is_a_failure_and_no_secret_is_shown(
    answer: int, capsys: pytest.CaptureFixture[str]
) -> None:
    status, server = told(answer, "harbor.example.com/team/web:1")
    assert status == 1
    assert len(server.seen) == 1
    captured = capsys.readouterr()
    assert str(answer) in captured.err
    assert "s3cret" not in captured.err + captured.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["harbor.example.com/team/web", "--server", "https://t.example.com"], "name the tag"),
        (["Not An Image", "--server", "https://t.example.com"], "Not An Image"),
        (["team/web:1", "--server", "t.example.com"], "begins with https://"),
        (["team/web:1"], "server"),
    ],
)
def test_wrong_usage_is_said(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["push", *arguments]) == 2
    captured = capsys.readouterr()
    assert words.lower() in (captured.err + captured.out).lower()


def test_without_a_token_nothing_is_sent(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv(TOKEN)
    status, server = told(202, "team/web:1")
    assert (status, server.seen) == (2, [])
    assert TOKEN in capsys.readouterr().err


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["push", "team/web:1", "--server", "http://127.0.0.1:1"]) == 1
    assert "could not be told" in capsys.readouterr().err
