"""`tagboat serve` and `tagboat worker` as processes: what is said before anything opens, signals, logs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from bot.demo.world import World

ROOT = Path(__file__).parents[3]
_numbers = count()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A `tagboat` process and what it wrote."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log

    async def get(self, path: str) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.port}{path}", timeout=aiohttp.ClientTimeout(total=20)) as answer,
        ):
            return answer.status, await answer.text()

    async def until(self, words: str, path: str = "", seconds: float = 40) -> None:
        """Wait until a page (or the log, without a path) has these words."""
        async with asyncio.timeout(seconds):
            while True:
                with suppress(aiohttp.ClientError):
                    if words in ((await self.get(path))[1] if path else self.log.read_text()):
                        return
                assert self.process.returncode is None, self.log.read_text()
                await asyncio.sleep(0.1)

    async def stop(self, seconds: float = 21) -> tuple[int, float]:
        """Tell it to stop; its exit status and how long that took."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        status = await asyncio.wait_for(self.process.wait(), seconds)
        return status, time.monotonic() - begun

    @property
    def lines(self) -> list[dict[str, object]]:
        """The log's JSON lines."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


@asynccontextmanager
async def tagboat(folder: Path, *arguments: str, port: int = 0, **environ: str) -> AsyncIterator[Server]:
    log = folder / f"log-{next(_numbers)}"
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder), **environ}
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", *arguments, cwd=folder, env=env, stdout=file, stderr=file
        )
    try:
        yield Server(process, port, log)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    await made.start()
    yield made
    await made.stop()


def listen(world: World, port: int, more: str = "") -> None:
    lines = world.settings.read_text().partition("server:")[0]
    world.settings.write_text(f'{lines}server: {{listen: "127.0.0.1:{port}"}}\n{more}')


async def test_it_serves_reloads_and_stops(world: World) -> None:
    port = free_port()
    listen(world, port)
    async with tagboat(world.folder, "serve", port=port) as server:
        await server.until("ready", "/readyz")
        await server.until("Update prod: 3 images in envs/prod", "/")
        listen(world, port, "name: harbourmaster\n")
        server.process.send_signal(signal.SIGHUP)
        await server.until("harbourmaster", "/")
        listen(world, port, "nonsense: 1\n")
        server.process.send_signal(signal.SIGHUP)
        await server.until("the settings are not taken")
        await server.until("ready", "/readyz")
        assert "harbourmaster" in (await server.get("/"))[1]
        # What was found before the reload is still shown, before any new pass.
        assert "Update prod: 3 images in envs/prod" in (await server.get("/"))[1]
        status, seconds = await server.stop()
        assert status == 0
        assert seconds < 10
    told = [line for line in server.lines if line["event"] in {"serving", "stopped"}]
    assert [line["event"] for line in told] == ["serving", "stopped", "serving", "stopped"]
    assert told[0]["address"] == f"http://127.0.0.1:{port}"
    assert told[0]["repositories"] == 1
    assert told[-1]["every_pass_ended"] is True
    passes = [line for line in server.lines if line["event"] == "pass"]
    assert len(passes[0]["pass_id"]) == 8  # type: ignore[arg-type]
    assert passes[0]["level"] == "info"
    assert passes[0]["failed"] is False
    assert all(line["timestamp"].endswith("Z") for line in server.lines)  # type: ignore[attr-defined]


async def test_a_pass_that_hangs_does_not_keep_it_from_stopping(world: World) -> None:
    port = free_port()
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(16)  # it is connected to, and never answers
        text = world.settings.read_text().replace(world.registry.host, f"127.0.0.1:{deaf.getsockname()[1]}")
        world.settings.write_text(text + "scan: {every: 1m}\n")
        (world.checkout / "envs/dev/shop.yaml").write_text(
            (world.checkout / "envs/dev/shop.yaml").read_text().replace(world.registry.host, f"127.0.0.1:{deaf.getsockname()[1]}")
        )
        for command in (["add", "-A"], ["-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-qm", "x"], ["push", "-q"]):
            process = await asyncio.create_subprocess_exec("git", *command, cwd=world.checkout)
            assert await process.wait() == 0
        listen(world, port)
        async with tagboat(world.folder, "serve", port=port) as server:
            await server.until("ready", "/readyz")
            deaf.settimeout(20)
            connection, _ = await asyncio.to_thread(deaf.accept)
            status, seconds = await server.stop()
            connection.close()
            assert status == 0
            assert seconds < 20


@pytest.mark.parametrize(
    ("command", "more", "status", "words"),
    [
        ("serve", "server: {dashboard_token: {env: NOT_SET}}\n", 2, "NOT_SET is not set"),
        ("serve", "server: {dashboard_token: literal}\n", 2, "a secret must not stand in this file"),
        ("serve", "notify: [{kind: slack, url: {env: NOT_SET}}]\n", 2, "NOT_SET is not set"),
        ("serve", "mode: sometimes\n", 2, "mode"),
        ("serve", "state: 'postgresql://tagboat@127.0.0.1:1/x'\n", 1, "cannot open the ledger"),
        ("worker", "", 2, "PostgreSQL"),
    ],
)
async def test_what_is_wrong_is_said_before_anything_opens(
    tmp_path: Path, command: str, more: str, status: int, words: str
) -> None:
    port = free_port()
    (tmp_path / "app.yaml").write_text(more + ("" if "server" in more else f'server: {{listen: "127.0.0.1:{port}"}}\n'))
    async with tagboat(tmp_path, command) as server:
        assert await asyncio.wait_for(server.process.wait(), 30) == status
    said = server.log.read_text()
    assert words in said
    assert "Traceback" not in said
    assert not (tmp_path / "data").exists()


async def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        (tmp_path / "app.yaml").write_text(f'server: {{listen: "127.0.0.1:{taken.getsockname()[1]}"}}\n')
        async with tagboat(tmp_path, "serve") as server:
            assert await asyncio.wait_for(server.process.wait(), 30) == 1
    assert "cannot listen on 127.0.0.1" in server.log.read_text()
    assert not (tmp_path / "data").exists()


async def test_a_worker_does_the_passes_that_a_server_asks_for_and_takes_over_the_time(world: World, database: str) -> None:
    port = free_port()
    text = world.settings.read_text().partition("state:")[0]
    world.settings.write_text(text + "state: {env: STATE}\n")
    listen(world, port)
    async with tagboat(world.folder, "serve", port=port, STATE=database) as server:
        await server.until("ready", "/readyz")
        await server.until("this process keeps the time for all")
        async with tagboat(world.folder, "worker", STATE=database) as worker:
            await asyncio.sleep(3)
            assert "keeps the time" not in worker.log.read_text()
            server.process.kill()
            await server.process.wait()
            await worker.until("this process keeps the time for all")
            await _due_now(database)
            await worker.until('"event": "pass"')
            assert (await worker.stop())[0] == 0
        async with tagboat(world.folder, "serve", port=port, STATE=database) as again:
            await again.until("ready", "/readyz")
            assert "Update prod: 3 images in envs/prod" in (await again.get("/"))[1]
            assert (await again.stop())[0] == 0


async def _due_now(database: str) -> None:
    import psycopg

    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        await connection.execute("UPDATE looks SET due = 0")
