"""`tagboat close REPOSITORY REQUEST [--reason TEXT]`: close a request and skip its version; a newer one will be proposed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bot.terminal import DONE, FAILED, complain, say, say_json


def close(
    repository: str,
    request: str,
    /,
    *,
    reason: str = "",
    app: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Close a request: not this version. A newer version will be proposed, as a new request.

    Parameters
    ----------
    repository
        The repository's name, as in `app.yaml`.
    request
        The request: its number (`!7`), branch, stream, or its image.
    reason
        Why; it is said on the request.
    app
        The server's settings; `app.yaml` in the current folder unless given.
    json
        One JSON object.
    """
    return asyncio.run(_close(repository, request, reason, app, json=json))


async def _close(name: str, what: str, reason: str, path: Path | None, *, json: bool) -> int:
    from bot import asking, logs
    from bot.commands.said import skip_places
    from bot.forges.base import ForgeError
    from bot.state.ledger import Event, LedgerError
    from rules.images import canonical

    logs.configure()
    try:
        async with asking.opened(path) as app:
            berth = await asking.repository(app, name)
            request = await asking.request_of(app, berth, what)
            by, targets = asking.who(), request.record.targets if request.record else ()
            why = f"{by} said so" + (f": {reason}" if reason else "")
            # The word first: a request that is closed and not skipped would be opened again.
            places = [(canonical(image), file, new) for file, image, _, new in targets]
            await skip_places(app, berth, dict.fromkeys(places), reason, by)
            await berth.forge.close(request, why)
            detail = {"number": request.number, "title": request.title, "reason": why, "by": by}
            await app.ledger.record(Event(app.clock(), berth.name, "closed", request.branch, detail))
    except (ForgeError, LedgerError) as error:
        complain(str(error))
        return FAILED
    if json:
        say_json({"repository": berth.name, "action": "close", "number": request.number, "title": request.title, "by": by})
    else:
        say(f"closed: !{request.number} {request.title}; a newer version will be proposed")
    return DONE
