"""Passes shared by any number of machines through one PostgreSQL: a queue of Procrastinate's, with a row for each repository
that waits.

    state: postgresql://tagboat@db.example.com/tagboat

`queueing_lock` makes any number of events one waiting row, `lock` keeps two passes over one repository apart. A worker that dies
stops its heartbeat; every worker looks for such and gives their passes to the living. Of two that wait, that of the organisation
with fewer waiting goes first, but none is overtaken for longer than as many seconds as waited before it (a thousand at most).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from procrastinate import App, JobContext, PsycopgConnector, exceptions
from psycopg import AsyncConnection, Error
from sqlalchemy.engine import make_url

from bot.state.ledger import LedgerError
from bot.work.base import Run, organisation

log = structlog.get_logger(__name__)

QUEUE = "passes"
_TASK = "tagboat.pass"
_SCHEMA_LOCK = 7_245_002  # an advisory lock of ours, for whoever makes the tables first
_EPOCH = 1_767_225_600  # 2026: seconds since then fit into a priority
_MOST = 1000  # that wait of one organisation; from there on all wait behind as many
_TRIES = 5  # workers that may die of a repository before it is left to the timer

# A row that is seen to wait will do: who began its pass can only have committed that after this statement began, and what the
# event said was written down before. A row that is being taken is waited for, and no longer conflicts then.
_ASK = """
INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args)
SELECT %(queue)s::text, %(task)s::text, -(%(seconds)s + count(*))::int, %(repository)s::text, %(repository)s::text,
  %(args)s::jsonb
FROM (SELECT FROM procrastinate_jobs WHERE status = 'todo' AND args->>'owner' = %(owner)s::text LIMIT %(most)s) AS before
HAVING NOT EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock = %(repository)s::text)
ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING
"""

# The dead worker's row goes and a new one comes, so that a worker who was only asleep finishes nothing that is not its own any
# more. Where a newer event waits for the same repository already, its row will do: a row that is given back as it is would
# collide with it. It is told how many workers died before, so that a repository which kills them is given up although it is
# asked for again and again.
_RESCUE = """
WITH dead AS (
  DELETE FROM procrastinate_jobs WHERE status = 'doing' AND queue_name = %(queue)s AND (
    worker_id IS NULL OR id = ANY(%(orphans)s::bigint[]) OR worker_id IN (
      SELECT id FROM procrastinate_workers WHERE last_heartbeat < now() - make_interval(secs => %(dead_after)s)))
  RETURNING queue_name, task_name, priority, lock, queueing_lock, args, attempts
), again AS (
  INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args, attempts)
  SELECT queue_name, task_name, priority, lock, queueing_lock, args, attempts + 1 FROM dead WHERE attempts + 1 < %(tries)s
  ON CONFLICT (queueing_lock) WHERE status = 'todo'
  DO UPDATE SET attempts = greatest(procrastinate_jobs.attempts, excluded.attempts)
)
SELECT lock, attempts + 1 < %(tries)s AS again FROM dead
"""

# The queue is empty at one moment and has thousands of rows at the next. PostgreSQL plans by what it counted a while ago, and
# then reads every row to give out one (half a second, with 5,000 that wait). So these say which way is right for any number.
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS tagboat_jobs_lock ON procrastinate_jobs (lock) WHERE status IN ('todo', 'doing')",
    "CREATE INDEX IF NOT EXISTS tagboat_jobs_owner ON procrastinate_jobs ((args->>'owner')) WHERE status = 'todo'",
)
_PLANS = """SELECT set_config('enable_' || way, 'off', false) FROM unnest(%s::text[]) AS way
UNION ALL SELECT set_config('plan_cache_mode', 'force_custom_plan', false)"""
_WAYS = ["seqscan", "bitmapscan", "hashjoin", "mergejoin", "sort"]
_MINE = "SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = ANY(%(workers)s::bigint[])"
_DEPTH = "SELECT count(*) AS count FROM procrastinate_jobs WHERE queue_name = %(queue)s AND status = 'todo'"
_BUSY = "SELECT count(*) AS count FROM procrastinate_jobs WHERE queue_name = %(queue)s AND status IN ('todo', 'doing')"


class PostgresWork:
    """The queue, and a worker on it. `url` is the state's address.

    `heartbeat` and `dead_after` are seconds: how often a worker says that it lives, and after which silence it is taken for dead.
    `grace`: for so long running passes may go on when it is told to stop; then they are given to others.
    """

    def __init__(
        self,
        url: str,
        run: Run,
        *,
        at_once: int = 8,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        heartbeat: float = 5.0,
        dead_after: float = 20.0,
        grace: float = 11.0,
    ) -> None:
        self._run = run
        self._at_once = at_once
        self._now = now
        self._heartbeat = heartbeat
        self._dead_after = dead_after
        self._grace = grace
        self._conninfo = conninfo(url)
        connector = PsycopgConnector(conninfo=self._conninfo, configure=_configure, min_size=1, max_size=4, timeout=10.0)
        self._app = App(connector=connector)
        self._app.task(name=_TASK, queue=QUEUE, pass_context=True)(self._one)
        self._tasks: list[asyncio.Task[None]] = []
        self._running: set[int] = set()
        self._workers: set[int] = set()
        self._suspects: set[int] = set()
        self._cut = False
        self._open = False

    async def start(self) -> None:
        """Begin to work. Raises LedgerError where the database cannot be used."""
        try:
            await self._make_tables()
            await self._app.open_async()
        except (Error, exceptions.ConnectorException) as error:
            raise LedgerError(f"the queue in PostgreSQL cannot be used: {type(error).__name__}") from error
        self._open = True
        self._tasks = [asyncio.create_task(self._work(), name="worker"), asyncio.create_task(self._rescue(), name="rescue")]

    async def ask(self, repository: str, why: str) -> None:
        """Have a repository looked at. Raises LedgerError where that cannot be written down."""
        if not self._open:
            return
        try:
            await self._enqueue(repository, why, self._now().timestamp())
        except exceptions.ConnectorException as error:
            raise LedgerError(f"the queue cannot be written: {type(error.__cause__ or error).__name__}") from error

    async def depth(self) -> int:
        """How many repositories wait, for all workers together."""
        return await self._count(_DEPTH)

    async def idle(self) -> None:
        """Wait until nothing waits and nothing runs, anywhere."""
        while await self._count(_BUSY):  # noqa: ASYNC110 (other machines work on it too)
            await asyncio.sleep(0.02)

    async def stop(self, seconds: float) -> bool:
        """Take nothing new, and let running passes end within this time. What does not is given to others."""
        self._open = False
        for task in self._tasks:
            task.cancel()  # the worker takes this as "stop gracefully"
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=max(seconds, 0.01))
            self._cut |= bool(late)
            for task in late:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=2)
        await self._app.close_async()
        return not self._cut

    async def _enqueue(self, repository: str, why: str, at: float) -> None:
        owner = organisation(repository)
        args = {"repository": repository, "why": why[:500], "owner": owner, "at": at}
        seconds = max(0, int(self._now().timestamp()) - _EPOCH)
        named = {"queue": QUEUE, "task": _TASK, "seconds": seconds, "most": _MOST}
        named |= {"repository": repository, "owner": owner, "args": args}
        await self._app.connector.execute_query_async(_ASK, **named)

    async def _one(self, context: JobContext, repository: str, why: str, owner: str, at: float) -> None:
        job = context.job
        self._workers |= {job.worker_id} if job.worker_id is not None else set()
        number = job.id or 0
        self._running.add(number)
        try:
            await self._run(repository, why, datetime.fromtimestamp(at, UTC))
        except asyncio.CancelledError:
            # Told to stop before the pass had ended: somebody else has to look.
            self._cut = True
            await asyncio.shield(self._enqueue(repository, why, at))
            raise
        finally:
            # Its row is taken away a moment later.
            asyncio.get_running_loop().call_later(2 * self._heartbeat, self._running.discard, number)

    async def _work(self) -> None:
        """A worker, and another one where it ended because the database was away."""
        while self._open:
            try:
                await self._app.run_worker_async(
                    queues=[QUEUE],
                    concurrency=self._at_once,
                    fetch_job_polling_interval=0.5,  # a pass that waits for its repository's lock is found by polling
                    shutdown_graceful_timeout=self._grace,
                    install_signal_handlers=False,
                    delete_jobs="always",
                    update_heartbeat_interval=self._heartbeat,
                    stalled_worker_timeout=self._dead_after,
                )
            except (exceptions.ConnectorException, Error, OSError) as error:
                log.error("the queue cannot be reached", why=type(error).__name__)
            if self._open:
                await asyncio.sleep(2)

    async def _rescue(self) -> None:
        """Give passes of dead workers to the living. It takes no lock: several at once do no harm."""
        while True:
            await asyncio.sleep(self._heartbeat)
            try:
                named = {"queue": QUEUE, "orphans": await self._orphans(), "dead_after": self._dead_after, "tries": _TRIES}
                for row in await self._app.connector.execute_query_all_async(_RESCUE, **named):
                    if row["again"]:
                        log.warning("a pass of a dead worker was taken over", repository=row["lock"])
                    else:
                        log.error("a pass ended its worker again and again: it is left to the timer", repository=row["lock"])
            except (exceptions.ConnectorException, Error, OSError) as error:
                log.error("the queue cannot be reached", why=type(error).__name__)

    async def _orphans(self) -> list[int]:
        """Rows that are ours and run no more: the database was away when their pass ended. They are seen twice to be sure."""
        rows = await self._app.connector.execute_query_all_async(_MINE, workers=sorted(self._workers))
        lost = {int(row["id"]) for row in rows} - self._running
        found, self._suspects = sorted(lost & self._suspects), lost
        return found

    async def _count(self, query: Any) -> int:
        if not self._open:
            return 0
        try:
            row = await self._app.connector.execute_query_one_async(query, queue=QUEUE)
        except exceptions.ConnectorException as error:
            raise LedgerError(f"the queue cannot be read: {type(error.__cause__ or error).__name__}") from error
        return int(row["count"])

    async def _make_tables(self) -> None:
        """Make Procrastinate's tables where they are missing; of several who begin at once, one makes them."""
        async with await AsyncConnection.connect(self._conninfo, connect_timeout=10) as connection:
            await connection.execute(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})")
            row = await (await connection.execute("SELECT to_regclass('procrastinate_jobs')")).fetchone()
            if row is None or row[0] is None:
                await connection.execute(self._app.schema_manager.get_schema())
            for index in _INDEXES:
                await connection.execute(index)


async def _configure(connection: AsyncConnection) -> None:
    await connection.execute(_PLANS, (_WAYS,))
    await connection.commit()


def conninfo(url: str) -> str:
    """A state's address as libpq takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
