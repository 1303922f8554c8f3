"""A process that makes passes as `tagboat run` does, each in a process of its own, which may be killed on the way.

    python -m tests.stories.child APP_YAML NOW

Each line on standard input is the fault point at which the next pass is to die, or empty. The answer is a line of JSON: how the
process ended (-9: killed) and the fault points that it came by.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from datetime import datetime
from pathlib import Path

from bot.app import App
from bot.forges.git import host as git_host  # loaded here, so that it is there after each fork
from bot.settings import load

assert git_host


async def run(app_yaml: Path, now: datetime, point: str, passed: int) -> bool:
    """One pass; whether it failed. The points go to the file `passed`."""

    def fault(reached: str) -> None:
        if reached == point:
            os.kill(os.getpid(), signal.SIGKILL)
        os.write(passed, f"{reached}\n".encode())

    async with await App.open(load(app_yaml, {}), clock=lambda: now, fault=fault) as app:
        reports = [report async for report in app.run_all()]
    for report in reports:
        for note in report.of("trouble"):
            sys.stderr.write(f"{note.reason}\n")
    return any(report.failed for report in reports)


def main(app_yaml: str, now: str) -> None:
    for line in sys.stdin:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os._exit(int(asyncio.run(run(Path(app_yaml), datetime.fromisoformat(now), line.strip(), writing))))
        os.close(writing)
        with os.fdopen(reading) as points:
            passed = points.read().splitlines()
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(json.dumps([os.waitstatus_to_exitcode(status), passed]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
