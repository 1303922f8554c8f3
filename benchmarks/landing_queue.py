"""How a queue of requests lands on one base that wants branches up to date: Tagboat's lane beside updating everybody each time.

    python benchmarks/landing_queue.py [--requests 100] [--minutes 10] [--runners 20]

Tagboat's rows are its real passes over a forge in memory, on a simulated clock: a pass when a check ends, as webhooks bring it.
The naive rows are the usual bot: after each landing every open branch is updated, and the first that is green lands. A check
takes `minutes`; with `runners` only so many run at the same time. Counted are the minutes until all have landed, the branches
written anew, and the checks run. Nothing is cancelled.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bot.passes import Tools, one_pass  # noqa: E402
from bot.reading.looking import Memory, Terms  # noqa: E402
from bot.state.ledger import Ledger  # noqa: E402
from tests.bot.passes.small import Registry, pod  # noqa: E402
from tests.servers.memory_forge import NOON, MemoryForge  # noqa: E402

CI = "ci/test"
RULES = "pull_requests: {limit: 100000}\nrules: [{automerge: true}]\n"


@dataclass
class Result:
    """One row: minutes until the last landing, branches written anew, checks run, passes, and seconds of ours."""

    name: str
    minutes: float
    updates: int
    checks: int
    passes: int = 0
    seconds: float = 0.0


class Runners:
    """CI: each check takes its time, and only so many run at once."""

    def __init__(self, minutes: float, count: int | None) -> None:
        self.minutes, self.free = minutes, [0.0] * count if count else []
        self.limited, self.run = count is not None, 0

    def ends(self, now: float) -> float:
        """When a check that is asked for now will have ended."""
        self.run += 1
        if not self.limited:
            return now + self.minutes
        begins = max(now, heapq.heappop(self.free))
        heapq.heappush(self.free, begins + self.minutes)
        return begins + self.minutes


async def lane(count: int, minutes: float, runners: int | None, *, strict: bool = True) -> Result:
    """Tagboat's own passes."""
    files = {f"apps/{at:03}.yaml": pod(f"app{at}:1.0.0") for at in range(count)}
    forge = MemoryForge({**files, ".tagboat.yaml": RULES}, (CI,), strict)
    registry = Registry({f"app{at}": ["1.0.0", "1.0.1"] for at in range(count)})
    ledger, memory, ci = await Ledger.open("sqlite://"), Memory(), Runners(minutes, runners)
    now, passes, begun = 0.0, 0, time.perf_counter()
    waiting: list[tuple[float, int, str]] = []
    asked: set[str] = set()

    async def quietly(seconds: float) -> None:
        """No time goes by."""

    forge.clock = lambda: NOON + timedelta(minutes=now)
    while True:
        tools = Tools(registry, ledger, memory, clock=forge.clock, sleep=quietly)
        report = await one_pass(forge, Terms(), tools)
        assert not report.failed, report.notes
        passes += 1
        for request in forge.open_requests():
            if request.head not in asked:
                asked.add(request.head)
                heapq.heappush(waiting, (ci.ends(now), request.number, request.head))
                forge.check(request.number, CI, None)  # it runs
        if not any(request.state == "open" for request in forge.requests.values()):
            break
        assert waiting, "nothing runs, and not everything has landed"
        now = waiting[0][0]
        while waiting and waiting[0][0] == now:
            _, number, head = heapq.heappop(waiting)
            request = forge.requests[number]
            if request.state == "open" and forge.branches[request.branch] == head:
                forge.check(number, CI, "success")
    await ledger.close()
    assert len(forge.landings) == count
    updates = forge.writes.count("refresh")
    name = "Tagboat" if strict else "Tagboat, base not strict"
    return Result(name, now, updates, ci.run, passes, time.perf_counter() - begun)


def naive(count: int, minutes: float, runners: int | None) -> Result:
    """After each landing all open branches are updated, and the first whose check on the newest base is green lands."""
    ci = Runners(minutes, runners)
    waiting = [(ci.ends(0.0), at, 0) for at in range(count)]
    heapq.heapify(waiting)
    base, updates, now, left = 0, 0, 0.0, set(range(count))
    while left:
        now, at, onto = heapq.heappop(waiting)
        if at not in left or onto != base:
            continue
        left.discard(at)
        base += 1
        for other in sorted(left):
            updates += 1
            heapq.heappush(waiting, (ci.ends(now), other, base))
    return Result("update all after each merge", now, updates, ci.run)


async def main(count: int, minutes: float, runners: int) -> None:
    print(f"{count} requests on one base, checks of {minutes:g} minutes")
    print(f"{'':52} {'minutes':>8} {'updates':>8} {'checks':>8} {'passes':>7} {'seconds':>8}", flush=True)
    for limit in (None, runners):
        where = "any number of runners" if limit is None else f"{limit} runners"
        for row in (await lane(count, minutes, limit), naive(count, minutes, limit)):
            show(row, where)
    show(await lane(count, minutes, None, strict=False), "")


def show(row: Result, where: str) -> None:
    name = f"{row.name}{f', {where}' if where else ''}"
    ours = f"{row.passes:>7} {row.seconds:>8.1f}" if row.passes else ""
    print(f"{name:52} {row.minutes:>8.0f} {row.updates:>8} {row.checks:>8} {ours}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--runners", type=int, default=20)
    said = parser.parse_args()
    asyncio.run(main(said.requests, said.minutes, said.runners))
