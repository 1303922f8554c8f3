"""What Tagboat asks of a GitLab: requests counted by the server, for each thing that it does.

    python benchmarks/gitlab_costs.py [--projects 200] [--delay 0.02]

The server is the one of the tests (real git behind it). The first table counts; the second looks at many projects at once and
gives the time, the most requests under way at one moment, the threads, and how much memory grew.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bot.forges.base import Standing  # noqa: E402
from bot.forges.gitlab.host import GitLabHost  # noqa: E402
from bot.forges.gitlab.wire import Limits  # noqa: E402
from bot.settings.secrets import Secret  # noqa: E402
from bot.settings.values import GitLabSettings  # noqa: E402
from rules.merging import Condition  # noqa: E402
from tests.bot.forges.gitlab.setting import LANDING, Setting, at, setting, wish  # noqa: E402
from tests.servers.gitlab import GitLabServer  # noqa: E402

FAST = Limits(per_second=10_000, burst=10_000)
WAITS = Standing("wait", "not finished: the pipeline", (Condition("checks", None, "not finished: the pipeline"),))
Step = Callable[[Setting], Awaitable[object]]


async def nothing(gitlab: Setting) -> None:
    """A step that asks nothing."""


async def look(gitlab: Setting) -> None:
    await gitlab.forge.look()


async def opened(gitlab: Setting) -> None:
    await gitlab.forge.open(wish(), await gitlab.head())


async def read(gitlab: Setting) -> None:
    tree = await gitlab.forge.tree(str(gitlab.repo.head("main")))
    await gitlab.forge.blobs({entry.oid for entry in tree.values()})


async def seen_then(gitlab: Setting) -> None:
    await opened(gitlab)
    await look(gitlab)


def with_people(gitlab: Setting) -> Awaitable[object]:
    return gitlab.forge.open(wish(reviewers=("ada",), assignees=("bob",)), str(gitlab.repo.head("main")))


async def refreshed(gitlab: Setting) -> None:
    request = await gitlab_request(gitlab)
    await gitlab.forge.refresh(request, wish("1.2.0"), str(gitlab.repo.head("main")), rewrite=True)


async def landed(gitlab: Setting) -> None:
    request = await gitlab_request(gitlab)
    await gitlab.forge.changes(request)
    await gitlab.forge.merge(request, at(request))


async def gitlab_request(gitlab: Setting):  # type: ignore[no-untyped-def]
    """The request, without asking for it."""
    from bot.forges.gitlab.requests import request_of

    us = await gitlab.forge._people.us()
    return request_of(gitlab.forge._table.rows[1], us)


async def pushed(gitlab: Setting) -> None:
    await gitlab.forge.push(wish(), str(gitlab.repo.head("main")), LANDING)


async def closed(gitlab: Setting) -> None:
    await gitlab.forge.close(await gitlab_request(gitlab), "nothing left to update")


async def shown(gitlab: Setting) -> None:
    await gitlab.forge.show(await gitlab_request(gitlab), WAITS)


async def moved(gitlab: Setting) -> None:
    gitlab.server.finish(gitlab.project)
    await gitlab.forge.look()


async def twice(gitlab: Setting) -> None:
    await seen_then(gitlab)
    await look(gitlab)


ROWS: list[tuple[str, Step, Step]] = [
    ("first look at a project (and who we are)", nothing, look),
    ("its tree and two files", look, read),
    ("a look where nothing moved, no request open", look, look),
    ("a look where nothing moved, a request open", twice, look),
    ("a plain new request", look, lambda g: g.forge.open(wish(), str(g.repo.head("main")))),
    ("the look that reads it for the first time", opened, look),
    ("the look after its pipeline ended", twice, moved),
    ("a new request with a reviewer and an assignee", look, with_people),
    ("how it stands, on the new request", seen_then, shown),
    ("a refresh with a newer tag", seen_then, refreshed),
    ("compare what the branch changes, and land it", seen_then, landed),
    ("close it, with its reason and branch", seen_then, closed),
    ("push straight to the base", look, pushed),
]


async def count() -> None:
    """The first table."""
    print(f"{'what':50}{'requests':>10}  of these writes")
    for name, before, step in ROWS:
        with tempfile.TemporaryDirectory() as folder:
            async with setting(Path(folder)) as gitlab:
                gitlab.project.ci = "request"
                await before(gitlab)
                gitlab.server.forget()
                await step(gitlab)
                writes = sum(line.split(" ")[0] in ("POST", "PUT", "DELETE") for line in gitlab.server.log)
                print(f"{name:50}{len(gitlab.server.log):10}{writes:8}")


async def many(projects: int, delay: float) -> None:
    """The second table."""
    with tempfile.TemporaryDirectory() as folder:
        async with GitLabServer(Path(folder)) as server:
            bot = server.user("group_9_bot_abc", bot=True)
            for number in range(projects):
                server.member(server.project(f"acme/app-{number}"), bot, 40)
            host = GitLabHost(GitLabSettings(server.url, Secret(server.token(bot))), limits=FAST)
            repositories = await host.repositories()
            server.delay = delay
            print(f"\n{projects} projects, {delay * 1000:.0f} ms an answer, {FAST.threads} threads")
            print(f"{'':24}{'seconds':>9}{'requests':>10}{'at once':>9}{'threads':>9}{'MiB more':>10}")
            for name in ("first look", "nothing moved"):
                server.forget()
                server.busiest = 0
                memory, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
                await asyncio.gather(*(one.forge.look() for one in repositories))
                spent = time.perf_counter() - began
                threads = sum(thread.name.startswith("gitlab") for thread in threading.enumerate())
                grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
                print(f"{name:24}{spent:9.2f}{len(server.log):10}{server.busiest:9}{threads:9}{grown:10.1f}")
            await host.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--projects", type=int, default=200)
    parser.add_argument("--delay", type=float, default=0.02)
    options = parser.parse_args()
    asyncio.run(count())
    asyncio.run(many(options.projects, options.delay))


if __name__ == "__main__":
    main()
