"""A server for half an hour: whether its memory and file handles stay flat, and how much its ledger grows in a day.

    python benchmarks/long_run.py [--minutes 30] [--repositories 40] [--every 2]

`tagboat serve` is a process of its own, with plain git repositories of two images each and a registry; this process is registry,
pipelines, people and Prometheus. Every two seconds an image of one repository is pushed and told of, with what means nothing
besides: an image that stands nowhere, a delivery that came before, a forged one. Half of the repositories land by rule, so that a
push is a landing; in the others the first push opens a request, the second refreshes it, and a person lands it. Every ten seconds
pages are read and figures scraped. The verdict is about the second half of the time, by the line that fits its samples best.
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
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.push_to_request import SECRET, first_looks, run, write_settings  # noqa: E402
from bot.demo.registry import DemoRegistry  # noqa: E402

SLOPE = 0.1  # MiB a minute
HANDLES = 0.1  # a minute
DAY = 86_400
BY_RULE = "version: 1\nrules:\n  - {match: {images: ['**']}, automerge: true}\n"
BY_PERSON = "version: 1\n"
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: app}}
spec:
  template:
    spec:
      containers:
        - {{name: app, image: "{host}/acme/app-{at}:1.0.0"}}
        - {{name: proxy, image: "{host}/acme/proxy:2.4.0"}}
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """The server at one moment: seconds since the begin, MiB of memory, open files, threads, bytes on disk, seconds of CPU."""

    at: float
    memory: float
    handles: int
    threads: int
    ledger: int
    clones: int
    cpu: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--repositories", type=int, default=40)
    parser.add_argument("--every", type=float, default=2.0, help="seconds from one push to the next")
    said = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="long-run-"))
    try:
        return asyncio.run(measure(folder, said.minutes * 60, said.repositories, said.every))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def measure(folder: Path, seconds: float, repositories: int, every: float) -> int:
    async with DemoRegistry() as registry:
        await registry.put_image("acme/proxy", "2.4.0")
        for at in range(repositories):
            await registry.put_image(f"acme/app-{at}", "1.0.0")
        seed(folder, registry.host, repositories)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        write_settings(folder, registry.host, repositories, port, "")
        settings = (folder / "app.yaml").read_text().replace("scan: {every: 1h}", "scan: {every: 5m}")
        (folder / "app.yaml").write_text(settings)
        env = os.environ | {"PYTHONPATH": str(ROOT), "HOOK": SECRET}
        with (folder / "log").open("wb") as log:
            command = [sys.executable, "-m", "bot", "serve"]
            server = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)  # noqa: ASYNC220
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
                await first_looks(session, port, repositories, server, folder)
                traffic = Traffic(folder, registry, session, repositories)
                before, rows = await figures(session), sizes(folder)
                samples = await live(traffic, folder, server.pid, seconds, every)
                after, grown = await figures(session), sizes(folder)
        finally:
            server.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                server.wait(25)
            server.kill()
    told = re.findall(r'"level": "(?:error|warning)".*', (folder / "log").read_text())
    troubles = Counter(re.sub(r"\d+", "…", line)[:160] for line in told if "webhook refused" not in line)
    done = {name: after[name] - before.get(name, 0.0) for name in after}
    return verdict(samples, traffic.did, done, {name: (rows.get(name, (0, 0)), new) for name, new in grown.items()}, troubles)


class Traffic:
    """What comes from outside; `did` counts it."""

    def __init__(self, folder: Path, registry: DemoRegistry, session: aiohttp.ClientSession, repositories: int) -> None:
        self.did: Counter[str] = Counter()
        self._folder = folder
        self._registry = registry
        self._session = session
        self._versions = [0] * repositories
        self._events = 0

    async def turn(self, number: int) -> None:
        """One push, and what means nothing beside it."""
        at = number % len(self._versions)
        self._versions[at] += 1
        version = self._versions[at]
        if at % 2 and version % 3 == 0:
            await asyncio.to_thread(self._land, at)
        await self._registry.put_image(f"acme/app-{at}", f"1.0.{version}")
        await self._tell(f"acme/app-{at}", f"push-{number}")
        await self._tell(f"acme/app-{at}", f"push-{number}", name="repeated")
        await self._tell(f"elsewhere/tool-{number % 50}", f"nothing-{number}", name="of images that stand nowhere")
        await self._tell(f"acme/app-{at}", f"forged-{number}", secret="wrong", name="forged")

    async def read(self, number: int) -> None:
        """The pages that people keep open, and Prometheus."""
        image = f"{self._registry.host}/acme/app-{number % len(self._versions)}"
        for path, query in (("/", {}), ("/images", {}), ("/image", {"name": image}), ("/history", {}), ("/metrics", {})):
            async with self._session.get(path, params=query) as answer:
                await answer.read()
                self.did["figures scraped" if path == "/metrics" else "pages read"] += 1
                if answer.status != 200:
                    self.did[f"{path} answered {answer.status}"] += 1

    async def _tell(self, repository: str, number: str, *, secret: str = SECRET, name: str = "of pushes") -> None:
        target = {"repository": repository, "tag": "1.0.0", "mediaType": "application/vnd.oci.image.manifest.v1+json"}
        event = {"events": [{"id": number, "action": "push", "target": target}]}
        path = f"/webhooks/registry/{self._registry.host}"
        async with self._session.post(path, json=event, headers={"Authorization": secret}) as answer:
            await answer.read()
            self.did[f"webhooks {name}"] += 1
            if answer.status not in (202, 401):
                self.did[f"webhooks answered {answer.status}"] += 1

    def _land(self, at: int) -> None:
        """What a person does: main takes the request's branch, which is one commit beyond it."""
        bare = self._folder / f"app-{at}.git"
        for branch in (bare / "refs" / "heads" / "tagboat").glob("*"):
            run("git", "update-ref", "refs/heads/main", f"refs/heads/tagboat/{branch.name}", at=bare)
            self.did["requests that a person landed"] += 1


async def live(traffic: Traffic, folder: Path, pid: int, seconds: float, every: float) -> list[Sample]:
    """Traffic for so long, and a sample every ten seconds."""
    begun, number, samples = time.monotonic(), 0, list[Sample]()
    print(
        "| minute | memory MiB | handles | threads | ledger MiB | clones MiB | CPU s |\n|---|---|---|---|---|---|---|", flush=True
    )
    while (now := time.monotonic() - begun) < seconds:
        if now >= 10 * len(samples):
            await traffic.read(len(samples))
            samples.append(await asyncio.to_thread(sample, folder, pid, now))
            if len(samples) % 12 == 1:
                show(samples[-1])
        await traffic.turn(number)
        number += 1
        await asyncio.sleep(max(0.0, every * number - (time.monotonic() - begun)))
    await asyncio.sleep(15)  # for what is still to be done
    samples.append(await asyncio.to_thread(sample, folder, pid, time.monotonic() - begun))
    show(samples[-1])
    return samples


def show(one: Sample) -> None:
    """A row of the table, at once: the run is long."""
    row = (f"{one.at / 60:.1f}", f"{one.memory:.1f}", one.handles, one.threads, f"{one.ledger / 2**20:.2f}")
    print("| " + " | ".join(map(str, (*row, f"{one.clones / 2**20:.2f}", f"{one.cpu:.1f}"))) + " |", flush=True)


def sample(folder: Path, pid: int, at: float) -> Sample:
    process, data = Path(f"/proc/{pid}"), folder / "data"
    status = (process / "status").read_text()
    ticks = (process / "stat").read_text().rpartition(")")[2].split()[11:15]  # its own and its children's
    ledger = sum(path.stat().st_size for path in data.glob("t.db*"))
    clones = 0
    for path in (data / "clones").rglob("*"):
        with suppress(FileNotFoundError):
            clones += path.stat().st_blocks * 512
    return Sample(
        at,
        int(status.partition("VmRSS:")[2].split()[0]) / 1024,
        len(list((process / "fd").iterdir())),
        int(status.partition("Threads:")[2].split()[0]),
        ledger,
        clones,
        sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK"),
    )


def sizes(folder: Path) -> dict[str, tuple[int, int]]:
    """Rows and bytes of each table, its indexes with it."""
    with closing(sqlite3.connect(folder / "data" / "t.db")) as connection:
        tables = dict(connection.execute("SELECT name, tbl_name FROM sqlite_schema WHERE type IN ('table', 'index')").fetchall())
        found: dict[str, tuple[int, int]] = {}
        for name, used in connection.execute("SELECT name, sum(payload) FROM dbstat GROUP BY name").fetchall():
            table = tables.get(name)
            if table is not None:
                count = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]
                found[table] = count, found.get(table, (0, 0))[1] + used
    return found


async def figures(session: aiohttp.ClientSession) -> dict[str, float]:
    """The server's own counters."""
    async with session.get("/metrics") as answer:
        lines = (await answer.text()).splitlines()
    pairs = (line.rpartition(" ") for line in lines if line.startswith(("tagboat_passes_total{", "tagboat_effects_total{")))
    return {name: float(value) for name, _, value in pairs}


def seed(folder: Path, host: str, repositories: int) -> None:
    """A bare repository for each, with two images in one manifest; those with even numbers land by rule."""
    work = folder / "work"
    run("git", "init", "-q", "--initial-branch=main", str(work), at=folder)
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
    for at in range(repositories):
        (work / "deploy.yaml").write_text(MANIFEST.format(host=host, at=at))
        (work / ".tagboat.yaml").write_text(BY_PERSON if at % 2 else BY_RULE)
        run("git", "add", "-A", at=work)
        run("git", *who, "commit", "-q", "--amend" if at else "-m", *(["--no-edit"] if at else ["Deploy"]), at=work)
        run("git", "clone", "-q", "--bare", str(work), str(folder / f"app-{at}.git"), at=folder)


def slope(samples: Sequence[Sample], value: Callable[[Sample], float]) -> float:
    """By how much a value grows in a second: the line that fits best."""
    times, values = [one.at for one in samples], [float(value(one)) for one in samples]
    middle, mean = sum(times) / len(times), sum(values) / len(values)
    below = sum((at - middle) ** 2 for at in times)
    return sum((at - middle) * (one - mean) for at, one in zip(times, values, strict=True)) / below if below else 0.0


def verdict(
    samples: Sequence[Sample],
    did: Counter[str],
    done: dict[str, float],
    tables: dict[str, tuple[tuple[int, int], tuple[int, int]]],
    troubles: Counter[str],
) -> int:
    half = [one for one in samples if one.at >= samples[-1].at / 2]
    print(f"{samples[-1].at / 60:.1f} minutes, {samples[-1].cpu - samples[0].cpu:.0f} s of CPU with git's")
    print("  " + ", ".join(f"{count} {name}" for name, count in did.items()))
    passes = sum(count for name, count in done.items() if "_passes_total" in name)
    effects = {name.partition('"')[2].partition('"')[0]: int(count) for name, count in done.items() if "_effects_total" in name}
    print(f"  {passes:.0f} passes; requests " + ", ".join(f"{name} {count}" for name, count in effects.items()))
    memory, handles = 60 * slope(half, lambda one: one.memory), 60 * slope(half, lambda one: one.handles)
    a_minute = did["webhooks of pushes"] / samples[-1].at * 60
    print(f"\nsecond half: memory {memory:+.3f} MiB a minute ({memory * 2**20 / max(a_minute, 1):+.0f} bytes a push at", end=" ")
    print(f"{a_minute:.0f} a minute), handles {handles:+.3f} a minute")
    threads, clones = 60 * slope(half, lambda one: one.threads), 60 * slope(half, lambda one: one.clones) / 2**20
    print(f"threads {threads:+.3f} a minute, clones {clones:+.3f} MiB a minute")
    print("\n| table | rows | new rows | bytes a new row |\n|---|---|---|---|")
    for name, ((count, used), (count_after, used_after)) in sorted(tables.items()):
        if new := count_after - count:
            print(f"| {name} | {count_after} | {new} | {(used_after - used) / new:.0f} |")
    grown = sum(after[1] - before[1] for before, after in tables.values())
    per_push = grown / max(1, did["webhooks of pushes"])
    print(f"\nledger: {grown / 1024:.0f} KiB of content in {samples[-1].at / 60:.0f} minutes, {per_push:.0f} bytes a push")
    day, thousand = grown * DAY / samples[-1].at / 2**20, per_push * 1000 / 2**20
    print(f"at this pace {day:.1f} MiB a day; at 1,000 pushes a day {thousand:.2f} MiB")
    for line, count in troubles.most_common(5):
        print(f"logged {count} times: {line}")
    odd = [name for name in did if " answered " in name]
    flat = memory < SLOPE and handles < HANDLES
    print("flat" if flat else f"NOT flat: target under {SLOPE} MiB and {HANDLES} handles a minute")
    return 0 if flat and not odd and did["webhooks of pushes"] else 1


if __name__ == "__main__":
    sys.exit(main())
