"""`tagboat status [--app app.yaml] [--repo NAME]… [--json]`: what is open, waiting, held and in trouble, and until when.

Every repository is looked at as a pass would look at it, and nothing is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from bot.overview import overview
from bot.report import Report
from bot.terminal import DONE, FAILED, complain, progress, say, say_json, table
from rules.messages.dashboard import Line, Overview, moment

_STYLES = {"state": "cyan", "reason": "dim", "until": "dim"}


def status(*, app: Path | None = None, repo: Annotated[Sequence[str], Parameter(negative=())] = (), json: bool = False) -> int:
    """Say how every repository stands: open, waiting, held, in trouble, each with its reason and when that can change.

    Parameters
    ----------
    app
        The server's settings; `app.yaml` in the current folder unless given.
    repo
        Only these repositories, by name.
    json
        One JSON object a line.
    """
    from bot import logs

    logs.configure()
    reports = asyncio.run(_all(app, repo))
    for report in sorted(reports, key=lambda report: report.repository):
        found = overview(report)
        if json:
            for row in rows(report.repository, found):
                say_json(row)
        else:
            _show(report, found)
    return FAILED if any(report.failed for report in reports) else DONE


async def _all(path: Path | None, names: Sequence[str]) -> list[Report]:
    from bot import asking
    from bot.state.ledger import LedgerError

    reports: list[Report] = []
    try:
        async with asking.opened(path) as app:
            if names:
                berths, troubles = [await asking.repository(app, name) for name in names], list[Report]()
            else:
                berths, troubles = await app.berths()
            reports += troubles
            with progress("repositories") as advance:
                watching = [app.one(replace(berth, mode="observe")) for berth in berths]
                for done, one in enumerate(asyncio.as_completed(watching), start=1):
                    reports.append(await one)
                    advance(done, len(watching))
    except LedgerError as error:
        report = Report("the ledger")
        report.add("trouble", "", str(error))
        reports.append(report)
    for report in reports:
        for note in report.of("trouble"):
            complain(f"{report.repository}: {': '.join(part for part in (note.where, note.title, note.reason) if part)}")
    return reports


def rows(repository: str, found: Overview) -> Iterator[dict[str, Any]]:
    """The overview as the JSON lines that scripts read. `wake` is when it can change by itself."""
    for state, line in _lines(found):
        yield {
            "repository": repository,
            "state": state,
            "where": line.where,
            "what": line.what,
            "reason": line.reason,
            "wake": line.wake.isoformat() if line.wake else None,
        }


def _lines(found: Overview) -> Iterable[tuple[str, Line]]:
    parts = (("open", found.open), ("waiting", found.waiting), ("held", found.held), ("alarm", found.alarms))
    return ((state, line) for state, lines in parts for line in lines)


def _show(report: Report, found: Overview) -> None:
    counts = [f"{len(lines)} {title.lower()}" for title, lines in found.parts if lines]
    until = f"; next change by itself: {moment(found.wake)}" if found.wake else ""
    say(f"{report.repository}: {', '.join(counts) if counts else 'everything is up to date'}{until}")
    told = [(state, line.where, line.what, line.reason, moment(line.wake) if line.wake else "") for state, line in _lines(found)]
    if told:
        table(("state", "where", "what", "reason", "until"), told, styles=_STYLES)
