"""500 webhooks a second for a minute: how fast they are answered, whether one is lost, and what it costs.

    python benchmarks/webhook_load.py [--rate 500] [--seconds 60] [--repositories 20] [--kind signed|plain]

`wrk` sends (Debian has it), with `webhooks.lua`, which makes another body for each and signs it: half are pushes as GitHub tells
of them, half are pushes of images as JFrog does, both signed with HMAC-SHA256. `plain` are all of them notifications of
distribution, numbered, with the secret in a header; each of these is one of an image that stands somewhere. The pace is the
script's own: it sends what is due although earlier ones are not answered yet, as far as 100 connections go.

`tagboat serve` is a process of its own, with a plain git repository for each image. Nothing is lost where every webhook was
accepted, and every image was listed again after its last news had been written down. Processor time is the server's, and that of
the gits of its passes. Memory is that of the server's process after a warm-up; its slope is that of the second half.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import aiohttp
from aiohttp import web

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.push_to_request import SECRET, first_looks, seed, write_settings  # noqa: E402
from bot.demo.registry import DemoRegistry  # noqa: E402

CONNECTIONS = 100
THREADS = 2
LONGEST = 0.100  # seconds, p99
SLOPE = 1.0  # MiB a minute
SCRIPT = Path(__file__).with_name("webhooks.lua")
TICKS = os.sysconf("SC_CLK_TCK")


class Registry(DemoRegistry):
    """Knows when each image was listed last."""

    def __init__(self) -> None:
        super().__init__()
        self.listed: dict[str, float] = {}

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/tags/list"):
            self.listed[request.path.removeprefix("/v2/").removesuffix("/tags/list")] = time.time()
        return await super()._serve(request)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--repositories", type=int, default=20)
    parser.add_argument("--warm-up", type=int, default=180, help="seconds of the same load before it counts")
    parser.add_argument("--kind", choices=("signed", "plain"), default="signed")
    said = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is not installed (apt-get install wrk)")
        return 0
    folder = Path(tempfile.mkdtemp(prefix="webhook-load-"))
    try:
        return asyncio.run(measure(folder, said.rate, said.seconds, said.repositories, said.warm_up, said.kind))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def measure(folder: Path, rate: int, seconds: int, repositories: int, warm_up: int, kind: str) -> int:
    registry = Registry()
    async with registry:
        await registry.put_image("acme/proxy", "2.4.0")
        for at in range(repositories):
            await registry.put_image(f"acme/app-{at}", "1.0.0")
        seed(folder, registry.host, repositories)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        write_settings(folder, registry.host, repositories, port, "")
        with (folder / "app.yaml").open(
            "a"
        ) as settings:  # for its secret: what GitHub tells is of repositories that are not ours
            settings.write(
                '  - {kind: github, url: "http://127.0.0.1:9", token: {env: HOOK}, repositories: [], webhook_secret: {env: HOOK}}'
            )
        env = os.environ | {"PYTHONPATH": str(ROOT), "HOOK": SECRET}
        with (folder / "log").open("wb") as log:
            command = [sys.executable, "-m", "bot", "serve"]
            server = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)  # noqa: ASYNC220
        try:
            async with aiohttp.ClientSession() as session:
                await first_looks(session, port, repositories, server, folder)
                if warm_up:
                    await send(registry.host, port, rate, warm_up, repositories, kind)
                before = await settled(session, port)
                used = cpu(server.pid)
                sending = asyncio.create_task(send(registry.host, port, rate, seconds, repositories, kind))
                memory = await watch(server.pid, sending)
                words = await sending
                accepted, passes = (now - then for now, then in zip(await settled(session, port), before, strict=True))
                used = cpu(server.pid)[0] - used[0], cpu(server.pid)[1] - used[1]
            stale = marks(folder)
        finally:
            server.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                server.wait(25)
            server.kill()
    after = {name: registry.listed.get(name, 0.0) - at for name, at in stale.items() if name.startswith("acme/")}
    return told(words, memory, used, accepted, passes, after, rate, seconds)


async def send(host: str, port: int, rate: int, seconds: int, images: int, kind: str) -> str:
    """What wrk says."""
    command = ["wrk", f"-t{THREADS}", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", "--latency", "-s", str(SCRIPT)]
    said = (f"http://127.0.0.1:{port}", "--", str(rate), str(THREADS), str(images), SECRET, host, kind, str(int(time.time())))
    process = await asyncio.create_subprocess_exec(*command, *said, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return out.decode()


def cpu(pid: int) -> tuple[float, float]:
    """Seconds of the processor: the process's own, and those of its children that have ended."""
    user, system, of_children, system_of_children = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
    return (int(user) + int(system)) / TICKS, (int(of_children) + int(system_of_children)) / TICKS


async def watch(pid: int, until: asyncio.Task[str]) -> list[tuple[float, float]]:
    """MiB of resident memory, by second."""
    found = []
    begun = time.monotonic()
    while not until.done():
        text = await asyncio.to_thread(Path(f"/proc/{pid}/status").read_text)
        found.append((time.monotonic() - begun, int(text.partition("VmRSS:")[2].split()[0]) / 1024))
        await asyncio.sleep(1)
    return found


async def settled(session: aiohttp.ClientSession, port: int) -> tuple[int, int]:
    """Wait until nothing is left to do; how many webhooks were accepted, and how many passes that were."""
    before = -1.0
    while True:
        async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        passes = sum(float(line.split()[-1]) for line in lines if line.startswith("tagboat_passes_total{"))
        depth = next(float(line.split()[-1]) for line in lines if line.startswith("tagboat_queue_depth "))
        if depth == 0 and passes == before:
            took = [line for line in lines if line.startswith("tagboat_webhooks_total{") and '"accepted"' in line]
            return int(sum(float(line.split()[-1]) for line in took)), int(passes)
        before = passes
        await asyncio.sleep(3)


def marks(folder: Path) -> dict[str, float]:
    """When each image last had news, as it was written down."""
    with sqlite3.connect(folder / "data" / "t.db") as connection:
        return {image.partition("/")[2]: since for image, since in connection.execute("SELECT image, since FROM stale")}


def told(
    words: str,
    memory: list[tuple[float, float]],
    used: tuple[float, float],
    accepted: int,
    passes: int,
    after: dict[str, float],
    rate: int,
    seconds: int,
) -> int:
    sent = int(re.search(r"(\d+) requests in", words)[1])  # type: ignore[index]
    found = (re.search(form, words)[1] for form in (r"50%\s+(\S+)", r"99%\s+(\S+)", r"Latency\s+\S+\s+\S+\s+(\S+)"))  # type: ignore[index]
    p50, p99, longest = map(_seconds, found)
    late = memory[len(memory) // 2 :]
    slope = 60 * (late[-1][1] - late[0][1]) / (late[-1][0] - late[0][0])
    bad = re.findall(r"(?:Socket errors|Non-2xx).*", words)
    lost = [name for name, seconds_after in after.items() if seconds_after < 0]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    own, of_gits = used
    answered = f"p50 {p50:.3f} s, p99 {p99:.3f} s, longest {longest:.3f} s"
    print(f"{sent} webhooks in {seconds} s ({sent / seconds:.0f} a second), answered in {answered}")
    print(f"{accepted} accepted, {bad or 'no errors'}; {len(after)} images had news, {len(lost)} were not listed again after it")
    print(f"{1000 * own / sent:.2f} s of the server's CPU for 1000 webhooks, and {of_gits:.1f} s of git's for {passes} passes")
    print(f"memory {memory[0][1]:.1f} to {memory[-1][1]:.1f} MiB, slope {slope:+.2f} MiB a minute")
    print(
        f"load average {load} on {os.cpu_count()} cores; target p99 {LONGEST * 1000:.0f} ms, none lost, slope under {SLOPE} MiB"
    )
    # wrk counts what was answered when it stopped; what was under way then was accepted all the same.
    whole = sent >= 0.99 * rate * seconds and accepted >= sent and not bad and not lost
    return 0 if whole and p99 <= LONGEST and slope < SLOPE else 1


def _seconds(text: str) -> float:
    number, unit = re.match(r"([\d.]+)(us|ms|s|m)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}[unit]


if __name__ == "__main__":
    sys.exit(main())
