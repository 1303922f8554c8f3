"""From the registry's webhook to an open request: how long, with 200 plain git repositories known, one after the other.

    python benchmarks/push_to_request.py [--repositories 200] [--pushes 60] [--state postgresql://…]

`tagboat serve` is a process of its own; this one is registry, pipeline and watcher. A push puts a tag into the registry and sends
what distribution sends; the request is open when its branch stands in the bare repository, which is watched every 5 ms. Every
push goes to another repository.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import aiohttp

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bot.demo.registry import DemoRegistry  # noqa: E402

SECRET = "a-secret-of-the-benchmark"
TARGETS = (0.5, 1.5)  # seconds, p50 and p95
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  template:
    spec:
      containers:
        - name: web
          image: {host}/acme/app-{at}:1.0.0
        - name: proxy
          image: {host}/acme/proxy:2.4.0
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repositories", type=int, default=200)
    parser.add_argument("--pushes", type=int, default=60)
    parser.add_argument("--state", default="", help="a PostgreSQL instead of SQLite")
    said = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="push-to-request-"))
    try:
        return asyncio.run(measure(folder, said.repositories, said.pushes, said.state))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def measure(folder: Path, repositories: int, pushes: int, state: str) -> int:
    async with DemoRegistry() as registry:
        await registry.put_image("acme/proxy", "2.4.0")
        for at in range(repositories):
            await registry.put_image(f"acme/app-{at}", "1.0.0")
        seed(folder, registry.host, repositories)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        write_settings(folder, registry.host, repositories, port, state)
        env = os.environ | {"PYTHONPATH": str(ROOT), "HOOK": SECRET, "STATE": state}
        with (folder / "log").open("wb") as log:
            command = [sys.executable, "-m", "bot", "serve"]
            server = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)  # noqa: ASYNC220
        try:
            async with aiohttp.ClientSession() as session:
                known = await first_looks(session, port, repositories, server, folder)
                seconds = [
                    await one(session, registry, folder, port, at) for at in random.Random(1).sample(range(repositories), pushes)
                ]
        finally:
            server.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                server.wait(25)
            server.kill()
    seconds.sort()
    p50, p95 = statistics.median(seconds), seconds[int(len(seconds) * 0.95)]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"state {'PostgreSQL' if state else 'SQLite'}, {repositories} repositories known after {known:.0f} s, {pushes} pushes")
    print(f"webhook to open request: p50 {p50:.3f} s, p95 {p95:.3f} s, longest {seconds[-1]:.3f} s, shortest {seconds[0]:.3f} s")
    print(f"load average {load} on {os.cpu_count()} cores; target p50 {TARGETS[0]} s, p95 {TARGETS[1]} s")
    return 0 if p50 <= TARGETS[0] and p95 <= TARGETS[1] else 1


def seed(folder: Path, host: str, repositories: int) -> None:
    """A bare repository for each, with two images in one manifest."""
    work = folder / "work"
    run("git", "init", "-q", "--initial-branch=main", str(work), at=folder)
    for at in range(repositories):
        (work / "deploy.yaml").write_text(MANIFEST.format(host=host, at=at))
        run("git", "add", "-A", at=work)
        who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
        run("git", *who, "commit", "-q", "--amend" if at else "-m", *(["--no-edit"] if at else ["Deploy"]), at=work)
        run("git", "clone", "-q", "--bare", str(work), str(folder / f"app-{at}.git"), at=folder)


def write_settings(folder: Path, host: str, repositories: int, port: int, state: str) -> None:
    forges = "\n".join(
        f'  - {{kind: git, url: "{(folder / f"app-{at}.git").as_uri()}", branch: main}}' for at in range(repositories)
    )
    lines = [
        f'server: {{listen: "127.0.0.1:{port}"}}',
        "state: {env: STATE}" if state else f'state: "sqlite:///{folder}/data/t.db"',
        "scan: {every: 1h}",
        f'registries: [{{host: "{host}", insecure: true, webhook_secret: {{env: HOOK}}}}]',
        "forges:",
        forges,
    ]
    (folder / "app.yaml").write_text("\n".join(lines) + "\n")


async def first_looks(
    session: aiohttp.ClientSession, port: int, repositories: int, server: subprocess.Popen[bytes], folder: Path
) -> float:
    """Wait until every repository has been looked at once; how long that took."""
    begun = time.monotonic()
    while True:
        if server.poll() is not None:
            raise SystemExit((folder / "log").read_text()[-3000:])
        with suppress(aiohttp.ClientError):
            async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                figures = await answer.text()
                passes = sum(float(line.split()[-1]) for line in figures.splitlines() if line.startswith("tagboat_passes_total{"))
                if passes >= repositories:
                    return time.monotonic() - begun
        await asyncio.sleep(1)


async def one(session: aiohttp.ClientSession, registry: DemoRegistry, folder: Path, port: int, at: int) -> float:
    """Push, tell, and watch for the branch."""
    heads = folder / f"app-{at}.git" / "refs" / "heads" / "tagboat"
    await registry.put_image(f"acme/app-{at}", "1.0.1")
    target = {"repository": f"acme/app-{at}", "tag": "1.0.1", "mediaType": "application/vnd.oci.image.manifest.v1+json"}
    event = {"events": [{"id": f"push-{at}", "action": "push", "target": target}]}
    begun = time.monotonic()
    url = f"http://127.0.0.1:{port}/webhooks/registry/{registry.host}"
    async with session.post(url, json=event, headers={"Authorization": SECRET}) as answer:
        if answer.status != 202:
            raise SystemExit(f"the webhook was answered {answer.status}: {await answer.text()}")
    while not (heads.is_dir() and any(heads.iterdir())):
        if time.monotonic() - begun > 60:
            raise SystemExit(f"app-{at}: no request within a minute\n" + (folder / "log").read_text()[-3000:])
        await asyncio.sleep(0.005)
    taken = time.monotonic() - begun
    await asyncio.sleep(0.2)  # what comes after the request (notes in the ledger) is not part of the next one
    return taken


def run(*command: str, at: Path) -> None:
    subprocess.run(command, cwd=at, check=True, capture_output=True)


if __name__ == "__main__":
    sys.exit(main())
