"""Many repositories on PostgreSQL with 1, 2 and 4 workers: passes a second, CPU a pass, listings; and workers that are killed.

    python benchmarks/many_repositories.py [--repositories 500] [--images 200] [--kills 60]

Forges and registries are stand-ins inside each worker (a repository is one manifest with 20 images, all of them fresh), so what
is measured is Tagboat's own work and the database. All workers, PostgreSQL and this script share the machine's cores: ratios say
more than figures. Each round passes once over every repository with an empty database. In the last one, workers are killed
(SIGKILL) at random and others started, for `--kills` seconds; then every repository must have been looked at after it was last
asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bot.app import App, Row  # noqa: E402
from bot.forges.base import Repository  # noqa: E402
from bot.registries.base import Description  # noqa: E402
from bot.serving.service import Service  # noqa: E402
from bot.settings import GitHubSettings, load  # noqa: E402
from tests.servers.memory_forge import MemoryForge  # noqa: E402
from tests.servers.postgres import PROGRAMS, postgres  # noqa: E402

EACH = 20  # images of a repository


class Listings:
    """A registry without a network: every image has the same few tags."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str]] = Counter()
        self.quotas: dict[str, Any] = {}

    def scope(self, image: str, for_repository: str | None) -> str:
        return "anonymous"

    async def tags(self, image: str, **_: Any) -> tuple[str, ...]:
        self.requests["listings", image] += 1
        return tuple(f"1.{minor}.0" for minor in range(40))

    async def digest(self, image: str, reference: str, **_: Any) -> str | None:
        return "sha256:" + "0" * 64

    async def describe(self, image: str, reference: str, **_: Any) -> Description | None:
        return Description("sha256:" + "0" * 64, frozenset())

    async def pushed(self, image: str, tags: Iterable[str], **_: Any) -> dict[str, datetime]:
        return {}

    def prune(self, before: float) -> None:
        """There is nothing to forget."""

    async def close(self) -> None:
        """There is nothing to close."""


@dataclass(slots=True)
class Harbour:
    """A host with all repositories."""

    forges: Sequence[MemoryForge]
    kind: str = "github"

    async def repositories(self) -> Sequence[Repository]:
        return [Repository(forge, named=True) for forge in self.forges]

    async def close(self) -> None:
        """There is nothing to close."""


def forge(at: int, images: int) -> MemoryForge:
    lines = "".join(
        f"        - {{name: c{n}, image: 'reg.example.com/team/app-{(at * 7 + n) % images}:1.39.0'}}\n" for n in range(EACH)
    )
    text = f"apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n{lines}"
    made = MemoryForge({"deploy.yaml": text}, name=f"org{at % 25}/repo-{at}", clock=lambda: datetime.now(UTC))
    made.person_writes(f"notes-{at}.txt", "no two have a commit in common\n")
    return made


async def opened(folder: Path, url: str, repositories: int, images: int) -> App:
    (folder / "app.yaml").write_text("state: {env: STATE}\n")
    app = await App.open(load(folder / "app.yaml", {"STATE": url}))
    await app.registries.close()
    app.registries = Listings()  # type: ignore[assignment]
    app.rows = (Row(GitHubSettings(), Harbour([forge(at, images) for at in range(repositories)])),)  # type: ignore[arg-type]
    return app


async def child(url: str, folder: Path, repositories: int, images: int) -> None:
    """A worker: it says when it is ready, and what it did when it is told to stop."""
    app = await opened(folder, url, repositories, images)
    service = await Service.start(app, fresh=False)
    service.timer._leads = _never  # nobody asks but the script
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print("ready", flush=True)
    await stop.wait()
    now = resource.getrusage(resource.RUSAGE_SELF)
    passes = sum(service.metrics.passes.labels(word)._value.get() for word in ("quiet", "changed", "failed"))
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    said = {"passes": passes, "cpu": cpu, "listings": app.registries.requests.total(),
            "failed": service.metrics.passes.labels("failed")._value.get()}  # fmt: skip
    print(json.dumps(said), flush=True)
    await service.stop(10)
    await app.close()


async def _never() -> bool:
    return False


class Worker:
    """A worker's process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, url: str, folder: Path, repositories: int, images: int) -> Worker:
        command = [sys.executable, __file__, "--child", url, "--folder", str(folder)]
        sizes = ["--repositories", str(repositories), "--images", str(images)]
        with (folder / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(*command, *sizes, stdout=asyncio.subprocess.PIPE, stderr=log)
        assert process.stdout is not None
        line = await process.stdout.readline()
        if line != b"ready\n":
            raise SystemExit(await asyncio.to_thread((folder / "log").read_text))
        return cls(process)

    async def stop(self) -> dict[str, float]:
        self.process.terminate()
        out, _ = await self.process.communicate()
        return json.loads(out)

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


async def ask_all(url: str, repositories: int) -> None:
    """Ask for every repository, as a server would."""
    from bot.work.base import Outcome
    from bot.work.postgres import PostgresWork

    async def run(repository: str, why: str, asked: datetime) -> Outcome:
        raise AssertionError

    work = PostgresWork(url, run)
    await work._make_tables()
    await work._app.open_async()
    work._open = True
    for at in range(repositories):
        await work.ask(f"github:org{at % 25}/repo-{at}", "benchmark")
    await work._app.close_async()


async def drained(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        query = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
        while (await (await connection.execute(query)).fetchone() or (0,))[0]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def round_of(url: str, folder: Path, count: int, repositories: int, images: int) -> str:
    workers = [await Worker.start(url, folder, repositories, images) for _ in range(count)]
    await ask_all(url, repositories)
    begun = time.monotonic()
    await drained(url)
    wall = time.monotonic() - begun
    said = [await worker.stop() for worker in workers]
    passes, cpu, listings = (sum(one[key] for one in said) for key in ("passes", "cpu", "listings"))
    failed = sum(one["failed"] for one in said)
    return (
        f"| {count} | {passes:.0f} | {passes / wall:.1f} | {1000 * cpu / passes:.0f} | {listings:.0f} | {failed:.0f} | "
        f"{', '.join(f'{value:.1f}' for value in os.getloadavg())} |"
    )


async def killing(url: str, folder: Path, repositories: int, images: int, seconds: int) -> str:
    """Kill workers at random while everything is asked for again and again."""
    workers = [await Worker.start(url, folder, repositories, images) for _ in range(3)]
    begun, kills, rounds = time.monotonic(), 0, 0
    choose = random.Random(7)
    last = 0.0
    while time.monotonic() - begun < seconds:
        last = time.time()
        await ask_all(url, repositories)
        rounds += 1
        await asyncio.sleep(choose.uniform(1, 4))
        victim = workers.pop(choose.randrange(len(workers)))
        await victim.kill()
        kills += 1
        workers.append(await Worker.start(url, folder, repositories, images))
    async with asyncio.timeout(600):
        await drained(url)
    for worker in workers:
        await worker.stop()
    async with await psycopg.AsyncConnection.connect(url) as connection:
        rows = await (await connection.execute("SELECT repository, version FROM summaries")).fetchall()
    looked = sum(version >= last for _, version in rows)
    told = f"{kills} workers killed in {seconds} s while all was asked for {rounds} times"
    return f"{told}: {looked} of {repositories} were looked at after the last time"


async def measure(repositories: int, images: int, kills: int) -> int:
    import tempfile

    print(f"{repositories} repositories x {EACH} images, {images} distinct, {os.cpu_count()} cores")
    print("| workers | passes | passes/s | CPU ms a pass | listings | failed | load average |\n|---|---|---|---|---|---|---|")
    with postgres() as server, tempfile.TemporaryDirectory() as name:
        for count in (1, 2, 4):
            print(await round_of(server.database(), Path(name), count, repositories, images), flush=True)
        said = await killing(server.database(), Path(name), repositories, images, kills)
        print(said)
    return 0 if f" {repositories} of {repositories} " in said else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repositories", type=int, default=500)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--kills", type=int, default=60, help="seconds in which workers are killed")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.child:
        asyncio.run(child(said.child, said.folder, said.repositories, said.images))
        return 0
    if PROGRAMS is None:
        print("PostgreSQL is not installed (apt-get install postgresql)")
        return 0
    return asyncio.run(measure(said.repositories, said.images, said.kills))


if __name__ == "__main__":
    sys.exit(main())
