"""`tagboat ledger backup FILE` and `tagboat ledger migrate [--from FILE]`: the care of what nobody else remembers.

tagboat ledger backup tagboat-2026-11-25.db      while the server runs, of SQLite and PostgreSQL alike
tagboat ledger migrate                           bring the ledger to this version, before a server is started
tagboat ledger migrate --from tagboat.db         take a backup, or a SQLite ledger, into an empty one: PostgreSQL, say
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from bot.terminal import DONE, FAILED, complain, say

if TYPE_CHECKING:
    from bot.state.ledger import Ledger

ledger = App(name="ledger", help="The care of the ledger: backup, migrate.")


@ledger.command
def backup(file: Path, /, *, app: Path | None = None) -> int:
    """Copy the ledger into a new file, which is a ledger itself. The server may be running.

    Parameters
    ----------
    file
        Where to; it must not be there yet.
    app
        The server's settings; `app.yaml` in the current folder unless given.
    """
    from bot.state import copying

    return _with_ledger(app, lambda opened: copying.copy(opened, file), f"copied to {file}")


@ledger.command
def migrate(*, from_: Annotated[Path | None, Parameter("--from")] = None, app: Path | None = None) -> int:
    """Bring the ledger to this version, and take a copy into it where one is given.

    Parameters
    ----------
    from_
        A backup, or any SQLite ledger; the ledger of the settings has to be empty.
    app
        The server's settings; `app.yaml` in the current folder unless given.
    """
    from bot.state import copying, tables

    async def nothing(opened: Ledger) -> Mapping[str, int]:
        return {}

    def take(opened: Ledger) -> Awaitable[Mapping[str, int]]:
        return nothing(opened) if from_ is None else copying.restore(from_, opened)

    return _with_ledger(app, take, f"the ledger has version {tables.VERSION}")


def _with_ledger(app: Path | None, act: Callable[[Ledger], Awaitable[Mapping[str, int]]], done: str) -> int:
    from bot import logs
    from bot.settings import load
    from bot.state.ledger import Ledger, LedgerError

    logs.configure()
    settings = load(app, os.environ)

    async def opened() -> Mapping[str, int]:
        found = await Ledger.open(settings.state.reveal())
        try:
            return await act(found)
        finally:
            await found.close()

    try:
        counts = asyncio.run(opened())
    except LedgerError as error:
        complain(str(error))
        return FAILED
    rows = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    say(f"{done}{': ' if rows else ''}{rows}")
    return DONE
