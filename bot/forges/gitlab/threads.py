"""A few threads for calls that block. Unlike those of `concurrent.futures` they do not hold up the end of the program: a GitLab
that never answers would else keep it waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class _Job:
    call: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    outcome: asyncio.Future[Any]

    def run(self) -> None:
        try:
            result, error = self.call(), None
        except BaseException as raised:  # whatever it is, it belongs to whoever waits
            result, error = None, raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.loop.call_soon_threadsafe(self._tell, result, error)

    def _tell(self, result: Any, error: BaseException | None) -> None:
        if self.outcome.done():
            return
        if error is None:
            self.outcome.set_result(result)
        else:
            self.outcome.set_exception(error)


class Threads:
    """At most `size` of them, begun as they are needed."""

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._free = threading.Semaphore(0)  # threads that wait for a job
        self._begun: list[threading.Thread] = []

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._begun)

    def begin(self, call: Callable[[], Any]) -> asyncio.Future[Any]:
        """Have a call made; the future of its outcome, in the running loop. It goes on when the future is cancelled."""
        loop = asyncio.get_running_loop()
        job = _Job(call, loop, loop.create_future())
        if not self._free.acquire(blocking=False) and self.count < self._size:
            thread = threading.Thread(target=self._serve, name=f"{self._name}-{self.count}", daemon=True)
            self._begun.append(thread)
            thread.start()
        self._jobs.put(job)
        return job.outcome

    def close(self) -> None:
        """Let the threads end as they come free."""
        for _ in self._begun:
            self._jobs.put(None)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.run()
            self._free.release()
