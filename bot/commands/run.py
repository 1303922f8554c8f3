"""`tagboat run [--app app.yaml] [--repo NAME]… [--json]`: one pass over every repository, then exit. For cron and CI."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from bot.overview import waiting
from bot.report import Note, Report
from bot.terminal import DONE, FAILED, USAGE, UsageError, coloured, complain, nothing_listed, plain, progress, say, say_json
from rules.messages.dashboard import moment

STYLES = {
    "opened": "green", "refreshed": "green", "landed": "bold green", "pushed": "bold green", "closed": "yellow",
    "waiting": "cyan", "blocked": "magenta", "left": "dim", "would": "cyan",
}  # fmt: skip


def run(*, app: Path | None = None, repo: Annotated[Sequence[str], Parameter(negative=())] = (), json: bool = False) -> int:
    """One pass over every repository in `app.yaml`, then exit: 1 if a repository failed (the others were done), 2 if none of the
    names is known.

    Parameters
    ----------
    app
        The server's settings; `app.yaml` in the current folder unless given.
    repo
        Only these repositories, by name.
    json
        One JSON object a line: what was done or found, and why.
    """
    from bot import logs, tracing
    from bot.settings import load

    logs.configure()
    settings = load(app, os.environ)
    if not settings.forges:
        raise UsageError(nothing_listed(settings.file))
    tracing.start(settings.name)
    try:
        reports = asyncio.run(_all(settings, repo, json))
    finally:
        tracing.stop()
    if not json:
        summary(reports)
    return _status(reports, repo)


def _status(reports: Sequence[Report], names: Sequence[str]) -> int:
    """The exit status. Names of which none is known, with everything else in order, are a wrong option value: nothing was run."""
    from bot.app import UNKNOWN

    failed = [report for report in reports if report.failed]
    unknown = [report for report in failed if any(note.reason == UNKNOWN for note in report.of("trouble"))]
    if not failed:
        return DONE
    return USAGE if len(failed) == len(unknown) == len(names) else FAILED


async def _all(settings: Any, names: Sequence[str], json: bool) -> list[Report]:
    from bot.app import App
    from bot.state.ledger import LedgerError

    reports: list[Report] = []
    try:
        async with await App.open(settings) as app:
            with progress("repositories") as advance:
                async for report in app.run_all(names):
                    reports.append(report)
                    advance(len(reports), len(reports))
                    if json:
                        for note in (*report.notes, *_waiting(report)):
                            say_json(as_row(report.repository, note))
    except LedgerError as error:
        report = Report("the ledger")
        report.add("trouble", "", str(error))
        reports.append(report)
    for report in reports:
        for note in report.of("trouble"):
            complain(f"{report.repository}: {': '.join(part for part in (note.where, note.title, note.reason) if part)}")
    return reports


def _waiting(report: Report) -> Iterator[Note]:
    """What only a clock holds back and no note of the pass says."""
    told = {(note.where, note.reason) for note in report.notes}
    for line in waiting(report):
        if (line.where, line.reason) not in told:
            yield Note("waiting", line.where, line.reason, line.what, wake=line.wake)


def as_row(repository: str, note: Note) -> dict[str, Any]:
    """A note as the JSON line that scripts read; `wake` is when it can change by itself."""
    return {
        "repository": repository,
        "kind": note.kind,
        "where": note.where,
        "title": note.title,
        "reason": note.reason,
        "url": note.url or None,
        "wake": note.wake.isoformat() if note.wake else None,
    }


def summary(reports: Iterable[Report]) -> None:
    """What happened, for a person: a line for each thing that was done or found, under its repository."""
    for report in sorted(reports, key=lambda report: report.repository):
        done = sum(1 for _ in report.of("opened", "refreshed", "closed", "landed", "pushed"))
        troubles = sum(1 for _ in report.of("trouble"))
        counted = f"{done} done" if done else "nothing to do" if not troubles else "nothing done"
        say(f"{report.repository}: {counted}" + (f", {troubles} in trouble" if troubles else "") + _until(report))
        for note in (*report.notes, *_waiting(report)):
            if note.kind != "trouble":  # said on standard error
                _line(note)


def _until(report: Report) -> str:
    """How many updates wait for a clock, and until when the first of them does."""
    lines = waiting(report)
    if not lines:
        return ""
    until = f"until {moment(wake)}" if (wake := lines[0].wake) else ""
    return f", 1 update waits {until}" if len(lines) == 1 else f", {len(lines)} updates wait, the next {until}"


def _line(note: Note) -> None:
    what = note.title if note.title and note.title != note.where else ""
    until = f"until {moment(note.wake)}" if note.wake else ""
    reason = note.reason if until in note.reason else f"{note.reason}, {until}"
    parts = [part for part in (note.where, what, f"({reason})" if reason else "") if part]
    text = f"{note.kind:10}" + "  ".join(plain(part) for part in parts)
    if sys.stdout.isatty():
        coloured([(f"  {text}", STYLES[note.kind])])
    else:
        say(f"  {text}")
