"""What the registry client costs over bare aiohttp: the same listings from the same registry, in the same run.

    python benchmarks/listing.py [--images 500] [--tags 650] [--rounds 5] [--server embedded|docker-registry]

Both sides make one request an image over at most 20 connections and read its tags as JSON; they take turns, and the median
round counts. The server is a process of its own. Wall and CPU are seconds of the client, CPU of its process alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bot.demo.registry import DemoRegistry  # noqa: E402
from bot.registries.pool import Registries, RegistryAccess  # noqa: E402

CONNECTIONS = 20


async def bare(host: str, images: list[str]) -> list[tuple[str, ...]]:
    """The yardstick: get, parse, done."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:

        async def one(image: str) -> tuple[str, ...]:
            async with session.get(f"http://{host}/v2/{image}/tags/list?n=1000") as response:
                return tuple(json.loads(await response.read())["tags"])

        return await asyncio.gather(*map(one, images))


async def ours(host: str, images: list[str]) -> list[tuple[str, ...]]:
    """The same through the client."""
    async with Registries([RegistryAccess(host, insecure=True)]) as registries:
        listings = await asyncio.gather(*(registries.tags(f"{host}/{image}") for image in images))
        assert registries.requests[host, "listings"] == len(images), registries.requests
        return listings


Work = Callable[[str, list[str]], Awaitable[list[tuple[str, ...]]]]


async def measure(work: Work, host: str, images: list[str], tags: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    listings = await work(host, images)
    spent = time.perf_counter() - wall, time.process_time() - cpu
    count = sum(map(len, listings))
    assert count == len(images) * tags, f"{count} tags instead of {len(images) * tags}"
    return spent


async def compare(options: argparse.Namespace) -> None:
    images = [f"team/image-{n:04}" for n in range(options.images)]
    tags = [f"1.{n // 10}.{n % 10}" for n in range(options.tags)]
    async with SERVERS[options.server](images, tags) as host:
        await measure(bare, host, images[:20], len(tags))
        rounds: dict[str, list[tuple[float, float]]] = {"bare aiohttp": [], "tagboat": []}
        for _ in range(options.rounds):
            rounds["bare aiohttp"].append(await measure(bare, host, images, len(tags)))
            rounds["tagboat"].append(await measure(ours, host, images, len(tags)))
    print(f"{len(images)} images x {len(tags)} tags, {options.server}, median of {options.rounds}")
    print(f"{'':14}{'wall s':>9}{'CPU s':>9}{'requests':>10}{'wall ratio':>12}{'CPU ratio':>11}")
    base: tuple[float, float] | None = None
    for name, figures in rounds.items():
        wall, cpu = (statistics.median(column) for column in zip(*figures, strict=True))
        base = base or (wall, cpu)
        print(f"{name:14}{wall:9.3f}{cpu:9.3f}{len(images):10}{wall / base[0]:12.2f}{cpu / base[1]:11.2f}")


@asynccontextmanager
async def embedded(images: list[str], tags: list[str]) -> AsyncIterator[str]:
    """The registry of the demo, in another process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--serve", stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=2**20
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps([images, tags]).encode() + b"\n")
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.stdin.close()
        await process.wait()


async def serve() -> None:
    """The server's side of `embedded`: fill the registry, say where it is, stay until the other side is gone."""
    images, tags = json.loads(sys.stdin.readline())
    async with DemoRegistry() as registry:
        for image in images:
            await registry.put_tags(image, tags)
        print(registry.host, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


@asynccontextmanager
async def docker_registry(images: list[str], tags: list[str]) -> AsyncIterator[str]:
    """The real one. Its listing reads a folder a tag, so the folders are made without pushing."""
    from tests.servers.docker_registry import DockerRegistry

    if shutil.which("docker-registry") is None:
        sys.exit("docker-registry is not installed")
    with tempfile.TemporaryDirectory() as folder, DockerRegistry(Path(folder)) as registry:
        for image in images:
            registry.make_tags(image, tags)
        yield registry.host


SERVERS = {"embedded": embedded, "docker-registry": docker_registry}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--tags", type=int, default=650)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--server", choices=sorted(SERVERS), default="embedded")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    asyncio.run(serve() if options.serve else compare(options))


if __name__ == "__main__":
    main()
