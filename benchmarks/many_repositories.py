"""Many repositories on PostgreSQL with 1, 2 and 4 workers: passes a second, CPU and queries a pass, listings, requests to the
forge; and workers that are killed.

    python benchmarks/many_repositories.py [--repositories 5000] [--images 2000] [--kills 600]

Forges and registries are stand-ins inside each worker (a repository is one manifest with 20 images), so what is measured is
Tagboat's own work and the database. All workers, PostgreSQL and this script share the machine's cores: ratios say more than
figures. Each round passes over every repository with an empty database, and once more when nothing has moved.

In the last part workers are killed (SIGKILL) at random and others started, for `--kills` seconds. Meanwhile every twentieth
image, of which each repository has one, gets newer tags again and again. There the stand-in forge keeps what it has in PostgreSQL
(`many_repositories_world.py`), so that whatever two workers do to one repository is seen. At the end each repository must have
been looked at after it was last asked for, and have one request, opened once, with the newest tag; and no two passes over one
repository may have run at the same time.
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
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.many_repositories_world import (  # noqa: E402
    EACH,
    Harbour,
    Listings,
    Store,
    image,
    moves,
    name_of,
    newest,
    numbers_of,
)
from bot.app import App, Row  # noqa: E402
from bot.logs import configure  # noqa: E402
from bot.serving.service import Service  # noqa: E402
from bot.settings import GitHubSettings, load  # noqa: E402
from bot.state.ledger import Ledger  # noqa: E402
from bot.state.notebook import Notebook  # noqa: E402
from bot.web.senders.base import Hint  # noqa: E402
from bot.work.base import Outcome  # noqa: E402
from bot.work.postgres import PostgresWork  # noqa: E402
from tests.servers.postgres import PROGRAMS, postgres  # noqa: E402


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured: the database, a folder for files, and how much of everything. `shared`: the forge is the one of the
    killing part."""

    url: str
    folder: Path
    repositories: int
    images: int
    shared: bool = False


class Worker:
    """A worker's process, seen from the script."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.before = Counter[str]()

    @classmethod
    async def start(cls, plan: Plan) -> Worker:
        command = [sys.executable, __file__, "--child", plan.url, "--folder", str(plan.folder)]
        sizes = ["--repositories", str(plan.repositories), "--images", str(plan.images), *(["--shared"] if plan.shared else [])]
        with (plan.folder / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(*command, *sizes, stdout=asyncio.subprocess.PIPE, stderr=log)
        assert process.stdout is not None
        line = await process.stdout.readline()
        if line != b"ready\n":
            raise SystemExit(await asyncio.to_thread((plan.folder / "log").read_text))
        return cls(process)

    async def said(self) -> Counter[str]:
        """What it did since it was last asked."""
        self.process.send_signal(signal.SIGUSR1)
        assert self.process.stdout is not None
        now = Counter[str](json.loads(await self.process.stdout.readline()))
        since, self.before = now - self.before, now
        return since

    async def stop(self) -> None:
        self.process.terminate()
        await self.process.communicate()

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


async def child(plan: Plan) -> None:
    """A worker: it says when it is ready, and what it did whenever it is asked."""
    configure(server=True)
    queries = _count_queries()
    (plan.folder / "app.yaml").write_text("state: {env: STATE}\n")
    app = await App.open(load(plan.folder / "app.yaml", {"STATE": plan.url}))
    await app.registries.close()
    app.registries = listings = Listings(plan.folder)  # type: ignore[assignment]
    store = Store(plan.url) if plan.shared else None
    harbour = Harbour(plan.repositories, plan.images, store)
    app.rows = (Row(GitHubSettings(), harbour),)
    service = await Service.prepare(app)
    service.timer._leads = _never  # nobody asks but the script
    if store is not None:
        work: Any = service.work
        work._run = store.watching(work._run)
    await service.begin(fresh=False)
    stop, begun = asyncio.Event(), _cpu()
    loop = asyncio.get_running_loop()

    def say() -> None:
        passes = {word: service.metrics.passes.labels(word)._value.get() for word in ("quiet", "changed", "failed")}
        done = {"passes": sum(passes.values()), "failed": passes["failed"], "cpu": _cpu() - begun, "queries": queries["all"]}
        print(json.dumps(done | {"listings": listings.requests.total(), "forge": harbour.requests.total()}), flush=True)

    loop.add_signal_handler(signal.SIGUSR1, say)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    print("ready", flush=True)
    await stop.wait()
    await service.stop(10)
    await app.close()


async def _never() -> bool:
    return False


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _count_queries() -> Counter[str]:
    """Count every statement that this process has executed from now on."""
    counted = Counter[str]()
    execute: Any = psycopg.AsyncCursor.execute

    async def counting(self: Any, *args: Any, **named: Any) -> Any:
        counted["all"] += 1
        return await execute(self, *args, **named)

    psycopg.AsyncCursor.execute = counting  # type: ignore[method-assign]
    return counted


async def ask_all(plan: Plan) -> None:
    """Ask for every repository, as a server would."""

    async def run(repository: str, why: str, asked: datetime) -> Outcome:
        raise AssertionError

    work = PostgresWork(plan.url, run)
    await work._make_tables()
    await work._app.open_async()
    work._open = True
    for at in range(plan.repositories):
        await work.ask(f"github:{name_of(at)}", "benchmark")
    await work._app.close_async()


async def drained(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        query = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
        while (await (await connection.execute(query)).fetchone() or (0,))[0]:  # noqa: ASYNC110
            await asyncio.sleep(0.2)


async def round_of(plan: Plan, count: int, alone: dict[str, float]) -> bool:
    """Pass twice over everything with so many workers. `alone` is how fast one worker is."""
    workers = [await Worker.start(plan) for _ in range(count)]
    distinct = len({number for at in range(plan.repositories) for number in numbers_of(at, plan.images)})
    good = True
    for moved in ("all new", "nothing moved"):
        begun = time.monotonic()
        await ask_all(plan)
        await drained(plan.url)
        wall = time.monotonic() - begun
        said = Counter[str]()
        for worker in workers:
            said += await worker.said()
        passes, rate = said["passes"], said["passes"] / wall
        ratio = rate / alone.setdefault(moved, rate)
        load_average = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        print(
            f"| {count} | {moved} | {passes:.0f} | {rate:.1f} | {ratio:.2f} | {1000 * said['cpu'] / passes:.1f} | "
            f"{said['queries'] / passes:.1f} | {said['listings']:.0f} | {said['forge']:.0f} | {said['failed']:.0f} | "
            f"{load_average} |",
            flush=True,
        )
        good &= said["listings"] == (distinct if moved == "all new" else 0)
        good &= passes == plan.repositories and not said["failed"]
    for worker in workers:
        await worker.stop()
    return good


async def killing(plan: Plan, seconds: int) -> bool:
    """Kill workers at random while images get newer tags and everything is asked for again and again."""
    choose = random.Random(7)
    counts = Counter[str]()
    last = [0.0]
    Store.make(plan.url)
    workers = [await Worker.start(plan) for _ in range(3)]
    ledger = await Ledger.open(plan.url)
    notebook = await Notebook.open(ledger)
    moving = [Hint("image", "benchmark", image=image(number)) for number in range(plan.images) if moves(number)]

    async def news() -> None:
        last[0] = time.time()
        newest(plan.folder, 40 + counts["rounds"])
        await notebook.take(moving, datetime.now(UTC))
        await ask_all(plan)
        counts["rounds"] += 1

    async def murders() -> None:
        while time.monotonic() - begun < seconds:
            await asyncio.sleep(choose.uniform(2, 8))
            victim = workers.pop(choose.randrange(len(workers)))
            await victim.kill()
            counts["kills"] += 1
            workers.append(await Worker.start(plan))

    begun = time.monotonic()
    killer = asyncio.create_task(murders())
    while time.monotonic() - begun < seconds:
        await news()
        await asyncio.sleep(choose.uniform(5, 40))
    await killer
    await news()
    asked = time.monotonic()
    async with asyncio.timeout(1200):
        await drained(plan.url)
    took = time.monotonic() - asked
    for worker in workers:
        await worker.stop()
    await ledger.close()
    told = f"{counts['kills']} workers killed in {seconds} s while all was asked for {counts['rounds']} times"
    print(f"{told}; all done {took:.0f} s later")
    given_up = (plan.folder / "log").read_text().count("again and again")
    return _is_right(plan, last[0], counts["rounds"] - 1 + 40, given_up)


def _is_right(plan: Plan, last: float, minor: int, given_up: int) -> bool:
    """Whether every repository is as it should be after the killing; what is not is printed."""
    with psycopg.connect(plan.url) as connection:
        looked = dict(connection.execute("SELECT repository, version FROM summaries").fetchall())
    late = [at for at in range(plan.repositories) if looked.get(f"github:{name_of(at)}", 0.0) < last]
    store = Store(plan.url)
    found = store.found(plan, minor)
    print(f"looked at after the last time: {plan.repositories - len(late)} of {plan.repositories} (given up: {given_up})")
    for what, count in sorted(found.items()):
        print(f"{what}: {count}")
    for name in store.wrong[:5]:
        told = store.told(f"github:{name}")
        print(f"  {name}: {told}")
    fine = {"one request, opened once, with the newest tag": plan.repositories}
    return not late and {what: count for what, count in found.items() if not what.startswith("(")} == fine


async def measure(arguments: argparse.Namespace) -> int:
    repositories, images = arguments.repositories, arguments.images
    print(f"{repositories} repositories x {EACH} images, {images} distinct, {os.cpu_count()} cores")
    columns = ["workers", "", "passes", "a second", "to one worker", "CPU ms a pass", "queries a pass", "listings"]
    print(f"| {' | '.join([*columns, 'forge requests', 'failed', 'load average'])} |")
    print(f"|{11 * '---|'}", flush=True)
    good, alone = True, dict[str, float]()
    with postgres() as server, tempfile.TemporaryDirectory() as name:
        for count in arguments.workers:
            good &= await round_of(Plan(server.database(), Path(name), repositories, images), count, alone)
        if arguments.kills:
            good &= await killing(Plan(server.database(), Path(name), repositories, images, shared=True), arguments.kills)
    print("as it should be" if good else "NOT as it should be")
    return 0 if good else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repositories", type=int, default=5000)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--kills", type=int, default=600, help="seconds in which workers are killed")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--shared", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.child:
        asyncio.run(child(Plan(said.child, said.folder, said.repositories, said.images, said.shared)))
        return 0
    if PROGRAMS is None:
        print("PostgreSQL is not installed (apt-get install postgresql)")
        return 0
    return asyncio.run(measure(said))


if __name__ == "__main__":
    sys.exit(main())
