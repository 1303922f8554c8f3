"""`tagboat merge REPOSITORY REQUEST`: a person's word that a request may land, and a pass that lands it if it can."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bot.report import Report
from bot.terminal import DONE, FAILED, complain, say, say_json


def merge(
    repository: str, request: str, /, *, app: Path | None = None, json: Annotated[bool, Parameter(negative=())] = False
) -> int:
    """Let a request land, by your word: its rule's ages, schedule and kinds do not count; checks, reviews and holds do.

    The word is for what the request holds now. It lands at once if it can, else as soon as it can (exit 1 meanwhile).

    Parameters
    ----------
    repository
        The repository's name, as in `app.yaml`.
    request
        The request: its number (`!7`), branch, stream, or its image.
    app
        The server's settings; `app.yaml` in the current folder unless given.
    json
        One JSON object.
    """
    return asyncio.run(_merge(repository, request, app, json=json))


async def _merge(name: str, what: str, path: Path | None, *, json: bool) -> int:
    from bot import asking, logs
    from bot.forges.base import ForgeError
    from bot.state import orders
    from bot.state.ledger import Event, LedgerError

    logs.configure()
    try:
        async with asking.opened(path) as app:
            berth = await asking.repository(app, name)
            request = await asking.request_of(app, berth, what)
            if request.record is None:
                complain(f"request !{request.number} does not say any more what it is for, so its landing is left to you")
                return FAILED
            by, now = asking.who(), app.clock()
            await orders.allow(app.ledger, berth.name, request.number, request.record.fingerprint, by, now)
            detail = {"number": request.number, "by": by, "said": "merge"}
            await app.ledger.record(Event(now, berth.name, "asked", request.branch, detail))
            report = await app.one(berth)
    except (ForgeError, LedgerError) as error:
        complain(str(error))
        return FAILED
    return _tell(report, request.number, request.title, json=json)


def _tell(report: Report, number: int, title: str, *, json: bool) -> int:
    mine = [note for note in report.notes if note.where == f"!{number}"]
    landed = any(note.kind == "landed" for note in mine)
    reason = next((note.reason for note in mine if note.kind != "landed"), "") if not landed else ""
    reason = reason or next((note.reason for note in report.of("trouble")), "")
    if json:
        row = {"repository": report.repository, "action": "merge", "number": number, "title": title, "landed": landed}
        say_json(row | {"reason": reason or None})
    else:
        say(f"landed: !{number} {title}" if landed else f"allowed: !{number} {title}; not yet: {reason}")
    return DONE if landed else FAILED
