"""The forge and the registry of `many_repositories.py`: stand-ins inside a worker's process, made when they are first used.

With a `Store` the forge's repositories live in PostgreSQL: each request to it begins with what is there and ends by writing down
what changed, after each step of those that have several. So a worker that is killed leaves half a step behind as a forge would,
and two workers that write to one repository are seen.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import pickle
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from bot.forges.base import Moved, Repository
from bot.registries.base import Description
from bot.work.base import Outcome, Run
from tests.servers.memory_forge import MemoryForge

EACH = 20  # images of a repository, of which one gets newer tags
_STATE = ("nodes", "branches", "requests", "notes", "shown")
_PASSES = 7_245_900  # a class of advisory locks: a pass over a repository
_DIGEST = "sha256:" + "0" * 64


def name_of(at: int) -> str:
    return f"org{at % 25}/repo-{at}"


def number_of(repository: str) -> int:
    return int(repository.rpartition("-")[2])


def numbers_of(at: int, images: int) -> list[int]:
    """Which images a repository uses."""
    return [(at * 7 + n) % images for n in range(EACH)]


def image(number: int) -> str:
    return f"reg.example.com/team/app-{number}"


def moves(number: int) -> bool:
    """Whether an image gets newer tags."""
    return number % EACH == 0


def newest(folder: Path, minor: int) -> None:
    """Push a newer tag of each image that gets any."""
    (folder / "next").write_text(str(minor))
    (folder / "next").replace(folder / "newest")


class Listings:
    """A registry without a network that takes its time: every image has the same few tags."""

    def __init__(self, folder: Path) -> None:
        self.requests: Counter[tuple[str, str]] = Counter()
        self.quotas: dict[str, Any] = {}
        self._newest = folder / "newest"

    def scope(self, image: str, for_repository: str | None) -> str:
        return "anonymous"

    async def tags(self, image: str, **_: Any) -> tuple[str, ...]:
        self.requests["listings", image] += 1
        await asyncio.sleep(0.05)
        last = int(self._newest.read_text()) if moves(number_of(image)) and self._newest.exists() else 39
        return tuple(f"1.{minor}.0" for minor in range(last + 1))

    async def digest(self, image: str, reference: str, **_: Any) -> str | None:
        return _DIGEST

    async def describe(self, image: str, reference: str, **_: Any) -> Description | None:
        return Description(_DIGEST, frozenset())

    async def pushed(self, image: str, tags: Iterable[str], **_: Any) -> dict[str, datetime]:
        return {}

    def prune(self, before: float) -> None:
        """There is nothing to forget."""

    async def close(self) -> None:
        """There is nothing to close."""


class Stand:
    """A repository of the stand-in forge, and how often each of its methods was asked."""

    kind = "github"

    def __init__(self, at: int, images: int, requests: Counter[str], store: Store | None) -> None:
        self.name = name_of(at)
        self._at = at
        self._images = images
        self._requests = requests
        self._store = store
        self._made: MemoryForge | None = None

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._forge(), name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def asked(*args: Any, **named: Any) -> Any:
            self._requests[name] += 1
            if self._store is None:
                return await found(*args, **named)
            return await self._store.ask(self._forge(), found, *args, **named)

        return asked

    def _forge(self) -> MemoryForge:
        if self._made is None:
            numbers = numbers_of(self._at, self._images)
            lines = "".join(f"        - {{name: c{n}, image: '{image(n)}:1.39.0'}}\n" for n in numbers)
            text = f"apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n{lines}"
            self._made = MemoryForge({"deploy.yaml": text}, name=self.name, clock=lambda: datetime.now(UTC))
            self._made.person_writes(f"notes-{self._at}.txt", "no two have a commit in common\n")
        return self._made


class Harbour:
    """A host with all repositories."""

    kind: Any = "github"

    def __init__(self, repositories: int, images: int, store: Store | None = None) -> None:
        self.requests: Counter[str] = Counter()
        self._stands: list[Any] = [Stand(at, images, self.requests, store) for at in range(repositories)]

    async def repositories(self) -> Sequence[Repository]:
        return [Repository(stand, named=True) for stand in self._stands]

    async def close(self) -> None:
        """There is nothing to close."""


class Store:
    """What the forge's repositories hold, and what went wrong between workers, in PostgreSQL."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._running: set[int] = set()
        self.wrong: list[str] = []

    @staticmethod
    def make(url: str) -> None:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE forge (repository text PRIMARY KEY, version int, state bytea)")
            connection.execute("CREATE TABLE troubles (what text, repository text)")

    async def ask(self, forge: MemoryForge, method: Any, *args: Any, **named: Any) -> Any:
        """One request to the forge. Nothing of it waits for anything, so a process does one at a time."""
        query = "SELECT version, state FROM forge WHERE repository = %s"
        row = self._connection.execute(query, (forge.name,)).fetchone()
        version = row[0] if row else 0
        if row:
            for part, value in pickle.loads(row[1]).items():
                setattr(forge, part, value)
        written = len(forge.writes)

        def step(point: str) -> None:
            nonlocal version
            if len(forge.writes) > written:
                version = self._save(forge, version)

        forge.fault = step
        result = await method(*args, **named)
        step("")
        return result

    def _save(self, forge: MemoryForge, version: int) -> int:
        state = pickle.dumps({part: getattr(forge, part) for part in _STATE})
        saved = self._connection.execute(
            "INSERT INTO forge VALUES (%(name)s, 1, %(state)s) ON CONFLICT (repository) DO UPDATE"
            " SET version = forge.version + 1, state = %(state)s WHERE forge.version = %(version)s",
            {"name": forge.name, "state": state, "version": version},
        )
        if not saved.rowcount:
            self._trouble("two workers wrote at once", forge.name)
            raise Moved("somebody else wrote to the repository")
        return version + 1

    def watching(self, run: Run) -> Run:
        """The same passes, each with a lock: one that does not get it runs beside another."""

        async def watched(repository: str, why: str, asked: datetime) -> Outcome:
            at = number_of(repository)
            row = self._connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (_PASSES, at)).fetchone()
            if at in self._running or row != (True,):
                self._trouble("two passes over one repository at once", repository)
            self._running.add(at)
            try:
                return await run(repository, why, asked)
            finally:
                self._running.discard(at)
                self._connection.execute("SELECT pg_advisory_unlock(%s, %s)", (_PASSES, at))

        return watched

    def _trouble(self, what: str, repository: str) -> None:
        self._connection.execute("INSERT INTO troubles VALUES (%s, %s)", (f"{what} ({os.getpid()})", repository))

    def told(self, repository: str) -> str:
        """What the last pass over a repository had to tell."""
        row = self._connection.execute("SELECT content FROM summaries WHERE repository = %s", (repository,)).fetchone()
        summary = json.loads(zlib.decompress(row[0])) if row else {}
        said = Counter((one["state"], one["tag"], one["next"], one["reason"]) for one in summary.get("places", ()))
        return f"{summary.get('looked')} {summary.get('troubles')} {dict(said)}"

    def found(self, plan: Any, minor: int) -> Counter[str]:
        """How the repositories stand, by what is said of them; what went wrong is among it."""
        found = Counter(re.sub(r" \(\d+\)$", "", what) for (what,) in self._connection.execute("SELECT what FROM troubles"))
        states = dict(self._connection.execute("SELECT repository, state FROM forge").fetchall())
        for at in range(plan.repositories):
            state = states.get(name_of(at))
            forge = Stand(at, plan.images, Counter(), None)._forge()
            for part, value in pickle.loads(state).items() if state else ():
                setattr(forge, part, value)
            requests = list(forge.requests.values())
            self.wrong.append(name_of(at))
            if len(requests) != 1 or requests[0].state != "open":
                found[f"{len(requests)} requests, {sum(one.state == 'open' for one in requests)} of them open"] += 1
                continue
            tags = re.findall(r"app-(\d+):1\.(\d+)\.0", forge.text("deploy.yaml", requests[0].branch))
            right = all(int(tag) == (minor if moves(int(number)) else 39) for number, tag in tags)
            found["one request, opened once, with the newest tag" if right else "one request with another tag"] += 1
            if right:
                self.wrong.pop()
        return found
