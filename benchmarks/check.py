"""What `tagboat check` costs: N images x T tags x M manifests, beside a bare aiohttp listing of the same tags in the same run.

    python benchmarks/check.py [--images 500] [--tags 500] [--manifests 600] [--rounds 3] [--renovate [FOLDER]]

Registry, yardstick and Tagboat are processes of their own; wall, CPU and peak memory are those of the whole process, from its
start to its end. They take turns, and the median round counts. `--renovate` adds `renovate --platform=local --dry-run=lookup`,
from a folder where npm has installed it, or installed into one that is thrown away; where that does not work, it says why.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

CONNECTIONS = 20
EXTRA = 1.5  # seconds that check may take beyond twice the yardstick
MEMORY = 150  # MiB that it may hold
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-{at}
  labels: {{app: web}}
spec:
  replicas: 2
  template:
    spec:
      containers:
        - name: web
          image: {image}
          ports:
            - containerPort: 8080
          env:
{variables}"""
NODE = 24
NEW = '"newVersion":'
HOST = {"hostType": "docker", "insecureRegistry": True, "concurrentRequestLimit": CONNECTIONS}
CONFIG = {
    "enabledManagers": ["kubernetes"],
    "kubernetes": {"fileMatch": ["\\.yaml$"]},
    "packageRules": [{"matchDatasources": ["docker"], "pinDigests": False}],
}
NPM_TIMEOUT, RENOVATE_TIMEOUT = 400, 600


@dataclass(frozen=True, slots=True)
class Cost:
    """One run of a process, and what it asked of the registry."""

    wall: float
    cpu: float
    peak: float  # MiB
    asked: dict[str, int] = field(default_factory=dict)


class Registry:
    """The embedded registry in a process of its own."""

    def __init__(self, images: Sequence[str], tags: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.host = self._say(json.dumps([list(images), list(tags)]))

    def asked(self) -> dict[str, int]:
        """What was asked since the last time."""
        found: dict[str, int] = json.loads(self._say("count"))
        return found

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def _say(self, line: str) -> str:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


async def serve() -> None:
    """The registry's side: fill it, say where it is, and tell what was asked whenever a line comes in."""
    from bot.demo.registry import DemoRegistry

    images, tags = json.loads(sys.stdin.readline())
    async with DemoRegistry() as registry:
        for image in images:
            await registry.put_tags(image, tags)
        print(registry.host, flush=True)
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            print(json.dumps(registry.requests), flush=True)
            registry.requests.clear()


async def bare(host: str, images: Sequence[str]) -> None:
    """The yardstick: get, parse, done."""
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:

        async def one(image: str) -> tuple[str, ...]:
            async with session.get(f"http://{host}/v2/{image}/tags/list?n=1000") as response:
                return tuple(json.loads(await response.read())["tags"])

        await asyncio.gather(*map(one, images))


def manifests(folder: Path, host: str, images: Sequence[str], count: int) -> None:
    """Deployments of about 80 lines, each with one image."""
    variables = "".join(f'            - name: VARIABLE_{at}\n              value: "{at}"\n' for at in range(30))
    for at in range(count):
        target = folder / f"envs/{at % 20:02}/app-{at:04}.yaml"
        target.parent.mkdir(parents=True, exist_ok=True)
        image = f"{host}/{images[at % len(images)]}:1.30.4"
        target.write_text(MANIFEST.format(at=at, image=image, variables=variables))
    (folder / "app.yaml").write_text(f'registries: [{{host: "{host}", insecure: true}}]\n')


def run(command: Sequence[str], folder: Path, registry: Registry, output: Path) -> Cost:
    """Run a process and measure it."""
    registry.asked()
    with output.open("wb") as out:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[:3]} ended with {process.returncode}: {output.read_text()[-2000:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, registry.asked())


def median(costs: Sequence[Cost]) -> Cost:
    wall, cpu, peak = (statistics.median(column) for column in zip(*((c.wall, c.cpu, c.peak) for c in costs), strict=True))
    return Cost(wall, cpu, peak, costs[-1].asked)


def row(name: str, cost: Cost) -> str:
    listings = cost.asked.get("GET tags", 0)
    others = sum(cost.asked.values()) - listings
    return f"{name:24}{cost.wall:9.2f}{cost.cpu:9.2f}{cost.peak:12.0f}{listings:10}{others:11}"


def main(options: argparse.Namespace) -> None:
    images = [f"team/image-{at:04}" for at in range(options.images)]
    tags = [f"1.{at // 10}.{at % 10}" for at in range(options.tags)]
    with tempfile.TemporaryDirectory() as scratch:
        folder, output = Path(scratch) / "checkout", Path(scratch) / "output"
        folder.mkdir()
        registry = Registry(images, tags)
        try:
            manifests(folder, registry.host, images, options.manifests)
            (Path(scratch) / "images.json").write_text(json.dumps(images))
            commands = {
                "bare aiohttp listing": [sys.executable, __file__, "--bare", registry.host, str(Path(scratch) / "images.json")],
                "tagboat check --json": [sys.executable, "-m", "bot", "check", "--json"],
            }
            costs: dict[str, list[Cost]] = {name: [] for name in commands}
            os.environ["PYTHONPATH"] = str(ROOT)
            for _ in range(options.rounds + 1):
                for name, command in commands.items():
                    costs[name].append(run(command, folder, registry, output))
            updates = len(output.read_text().splitlines())
            yardstick, check = (median(some[1:]) for some in costs.values())  # the first round warms up
            print(f"{len(images)} images x {len(tags)} tags x {options.manifests} manifests, median of {options.rounds}")
            print(f"{'':24}{'wall s':>9}{'CPU s':>9}{'peak MiB':>12}{'listings':>10}{'manifests':>11}")
            print(row("bare aiohttp listing", yardstick))
            print(row("tagboat check --json", check))
            print(f"{updates} updates found")
            limit = 2 * yardstick.wall + EXTRA
            said = [
                (f"wall within 2 x the listing + {EXTRA} s = {limit:.2f} s", check.wall <= limit),
                (f"peak under {MEMORY} MiB", check.peak < MEMORY),
                (f"exactly {len(images)} listings", check.asked.get("GET tags") == len(images)),
            ]
            for text, holds in said:
                print(f"{'holds' if holds else 'MISSED':8}{text}")
            if options.renovate is not None:
                renovate(options.renovate, folder, registry, output, check)
        finally:
            registry.close()


def renovate(where: str, folder: Path, registry: Registry, output: Path, check: Cost) -> None:
    """Renovate's look-up of the same checkout, where npm can install it."""
    with tempfile.TemporaryDirectory() as scratch:
        found = installed(Path(where or scratch))
        if isinstance(found, str):
            print(f"{'renovate':24}not measured: {found}")
            return
        (folder / "renovate.json").write_text(json.dumps(CONFIG | {"hostRules": [HOST | {"matchHost": registry.host}]}))
        for command in (["init", "-q", "."], ["add", "-A"]):  # it looks only at files that git knows
            subprocess.run(["git", *command], cwd=folder, check=True)
        os.environ |= {"LOG_LEVEL": "debug", "RENOVATE_BASE_DIR": scratch, "RENOVATE_X_IGNORE_RE2": "true"}
        command = [*found, "--platform=local", "--dry-run=lookup", "--onboarding=false", "--require-config=optional"]
        cost = run(["timeout", str(RENOVATE_TIMEOUT), *command], folder, registry, output)
        name = f"renovate {version(found)}, cold"
        print(row(name, cost))
        print(f"renovate names {output.read_text().count(NEW)} updates; check takes 1/{cost.wall / check.wall:.1f} of its time")


def installed(where: Path) -> list[str] | str:
    """The command line of Renovate, or why there is none."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        return "npm is not installed"
    program = where / "node_modules/.bin/renovate"
    if not program.exists():
        node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
        # The newest ones need a newer node; 39 is the last that runs with node 20.
        wanted = "renovate" if int(node.strip("v \n").partition(".")[0] or 0) >= NODE else "renovate@39"
        command = ["npm", "install", "--prefix", str(where), "--no-audit", "--no-fund", "--ignore-scripts", "--silent", wanted]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=NPM_TIMEOUT, check=False)
        except subprocess.TimeoutExpired:
            return f"npm took longer than {NPM_TIMEOUT} s"
        if done.returncode:
            return f"npm could not install it: {' '.join((done.stderr or done.stdout).split())[-300:]}"
    return [str(program)] if version([str(program)]) else "it does not start here"


def version(command: Sequence[str]) -> str:
    """What Renovate calls itself; empty where it does not start."""
    tried = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=120, check=False)
    return tried.stdout.strip().splitlines()[-1] if not tried.returncode and tried.stdout.strip() else ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--tags", type=int, default=500)
    parser.add_argument("--manifests", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--renovate", nargs="?", const="", metavar="FOLDER")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--bare", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        asyncio.run(serve())
    elif chosen.bare:
        asyncio.run(bare(chosen.bare[0], json.loads(Path(chosen.bare[1]).read_text())))
    else:
        main(chosen)
