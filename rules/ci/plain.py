"""A pipeline of three questions: does the event trigger it, is there a token, which jobs does it leave out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rules.ci.base import YES, Event, Job, Skip, Start
from rules.ci.paths import covering
from rules.ci.tokens import token_start

Trigger = Callable[[Event], Start]


@dataclass(frozen=True, slots=True, eq=False)
class Plain:
    """`trigger` answers for the whole, a job's `rule` (a Trigger too, or None) for the job. `how` says how paths are left out."""

    system: str
    name: str
    file: str
    line: int
    jobs: tuple[Job, ...]
    skip: Skip | None
    trigger: Trigger
    how: str
    looked_for: tuple[str, ...] = field(default=())

    def start(self, event: Event) -> Start:
        told = self.trigger(event)
        if told.answer == "no" or told.by == "token":
            return told
        return token_start(self.skip, event) or told

    def run(self, job: Job, event: Event) -> Start:
        needed = [self.run(other, event) for need in job.needs for other in self.jobs if other.name == need and other is not job]
        stopped = next((start for start in needed if start.answer == "no"), None)
        if stopped is not None:
            return stopped
        told = job.rule(event) if callable(job.rule) else YES
        return told if isinstance(told, Start) else YES

    def words(self) -> tuple[str, ...]:
        return self.looked_for

    def remedy(self, paths: tuple[str, ...]) -> str:
        listing = ", ".join(f'"{path}"' for path in covering(paths))
        return f"{self.how.format(paths=listing)} ({self.file}, line {self.line})"


def always(reason: str, line: int | None = None) -> Trigger:
    """Started by everything."""
    told = Start("yes", reason, line=line)
    return lambda event: told
