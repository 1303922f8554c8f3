"""A pipeline of three questions: does the event trigger it, is there a token, which jobs does it leave out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rules.ci.base import YES, Event, Job, Skip, Start, needed
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
        for other in needed(self.jobs, job):
            told = _own(other, event)
            if told.answer == "no":
                return told
        return _own(job, event)

    def words(self) -> tuple[str, ...]:
        return self.looked_for

    def remedy(self, paths: tuple[str, ...]) -> str:
        listing = ", ".join(f'"{path}"' for path in covering(paths))
        return f"{self.how.format(paths=listing)} ({self.file}, line {self.line})"


def _own(job: Job, event: Event) -> Start:
    told = job.rule(event) if callable(job.rule) else YES
    return told if isinstance(told, Start) else YES


def always(reason: str, line: int | None = None) -> Trigger:
    """Started by everything."""
    told = Start("yes", reason, line=line)
    return lambda event: told
