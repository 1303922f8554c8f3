"""500 webhooks a second for a minute: how fast they are answered, whether one is lost, and what it costs.

    python benchmarks/webhook_load.py [--rate 500] [--seconds 60] [--repositories 20]

`wrk` sends (Debian has it), with a script whose every body is another event of one of the images; `tagboat serve` is a process of
its own, with a plain git repository for each image. Nothing is lost where every webhook was accepted, and every image was listed
again after its last news had been written down. Memory is that of the server's process, its slope that of the second half.
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

CONNECTIONS = 50
LONGEST = 0.100  # seconds, p99
SLOPE = 1.0  # MiB a minute
SCRIPT = """
local count, thread = 0, 0
function setup(each) each:set("number", thread); thread = thread + 1 end
function delay() return {pause} end
function request()
  count = count + 1
  local body = string.format('{{"events":[{{"id":"%d-%d","action":"push","target":{{"repository":"acme/app-%d",' ..
    '"tag":"1.0.0","mediaType":"application/vnd.oci.image.manifest.v1+json"}}}}]}}', number, count, math.random(0, {images} - 1))
  return wrk.format("POST", nil, {{["Authorization"] = "{secret}", ["Content-Type"] = "application/json"}}, body)
end
"""


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
    said = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is not installed (apt-get install wrk)")
        return 0
    folder = Path(tempfile.mkdtemp(prefix="webhook-load-"))
    try:
        return asyncio.run(measure(folder, said.rate, said.seconds, said.repositories))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def measure(folder: Path, rate: int, seconds: int, repositories: int) -> int:
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
        env = os.environ | {"PYTHONPATH": str(ROOT), "HOOK": SECRET}
        with (folder / "log").open("wb") as log:
            command = [sys.executable, "-m", "bot", "serve"]
            server = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)  # noqa: ASYNC220
        try:
            async with aiohttp.ClientSession() as session:
                await first_looks(session, port, repositories, server, folder)
                sending = asyncio.create_task(send(folder, registry.host, port, rate, seconds, repositories))
                memory = await watch(server.pid, sending)
                words = await sending
                accepted, passes = await settled(session, port)
            stale = marks(folder)
        finally:
            server.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                server.wait(25)
            server.kill()
    return told(
        words, memory, accepted, passes, {name: registry.listed.get(name, 0.0) - at for name, at in stale.items()}, seconds
    )


async def send(folder: Path, host: str, port: int, rate: int, seconds: int, images: int) -> str:
    """What wrk says."""
    script = folder / "events.lua"
    # A connection sends, waits for the answer, then for this long: with answers in a few milliseconds that is about the rate.
    pause = max(1, round(1000 * CONNECTIONS / rate) - 3)
    script.write_text(SCRIPT.format(pause=pause, images=images, secret=SECRET))
    url = f"http://127.0.0.1:{port}/webhooks/registry/{host}"
    command = ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", "--latency", "-s", str(script), url]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return out.decode()


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


def told(words: str, memory: list[tuple[float, float]], accepted: int, passes: int, after: dict[str, float], seconds: int) -> int:
    sent = int(re.search(r"(\d+) requests in", words)[1])  # type: ignore[index]
    p99 = _seconds(re.search(r"99%\s+(\S+)", words)[1])  # type: ignore[index]
    p50 = _seconds(re.search(r"50%\s+(\S+)", words)[1])  # type: ignore[index]
    late = memory[len(memory) // 2 :]
    slope = 60 * (late[-1][1] - late[0][1]) / (late[-1][0] - late[0][0])
    bad = re.findall(r"(?:Socket errors|Non-2xx).*", words)
    lost = [name for name, seconds_after in after.items() if seconds_after < 0]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{sent} webhooks in {seconds} s ({sent / seconds:.0f} a second): answered in p50 {p50:.3f} s, p99 {p99:.3f} s")
    print(f"{accepted} accepted, {bad or 'no errors'}; {len(after)} images had news, {len(lost)} were not listed again after it")
    print(f"{passes} passes for all of it; memory {memory[0][1]:.0f} to {memory[-1][1]:.0f} MiB, slope {slope:+.2f} MiB a minute")
    print(
        f"load average {load} on {os.cpu_count()} cores; target p99 {LONGEST * 1000:.0f} ms, none lost, slope under {SLOPE} MiB"
    )
    # wrk counts what was answered when it stopped; what was under way then was accepted all the same.
    return 0 if p99 <= LONGEST and not bad and not lost and accepted >= sent and slope < SLOPE else 1


def _seconds(text: str) -> float:
    number, unit = re.match(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[unit]


if __name__ == "__main__":
    sys.exit(main())
