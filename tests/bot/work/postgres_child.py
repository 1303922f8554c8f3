"""A worker to be killed: `python postgres_child.py URL DIARY SECONDS`. Its passes only take their time, and are written down."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import datetime

from bot.work.base import Outcome
from bot.work.postgres import PostgresWork


async def main(url: str, diary: str, seconds: float) -> None:
    def write(word: str, repository: str) -> None:
        with open(diary, "a") as file:
            file.write(f"{word} {repository} {os.getpid()}\n")

    async def run(repository: str, why: str, asked: datetime) -> Outcome:
        write("begin", repository)
        await asyncio.sleep(seconds)
        write("end", repository)
        return Outcome()

    work = PostgresWork(url, run, at_once=3, heartbeat=0.2, dead_after=1.0)
    await work.start()
    write("ready", "-")
    await asyncio.sleep(3600)


asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
