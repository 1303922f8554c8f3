"""`tagboat serve [--app app.yaml]`: webhooks, timer, dashboard and metrics, until it is told to stop.

SIGTERM and SIGINT: nothing new is taken, and what runs may end within 20 seconds. SIGHUP: the settings are read again; where they
are wrong, the old ones stay, and that is said.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from pathlib import Path

from bot.terminal import DONE, FAILED, UsageError, complain

DRAIN = 20.0


def serve(*, app: Path | None = None) -> int:
    """Serve until told to stop.

    Parameters
    ----------
    app
        The server's settings; `app.yaml` in the current folder unless given.
    """
    from bot import logs
    from bot.settings import load

    logs.configure(level=logging.INFO)
    settings = load(app, os.environ)
    if settings.missing:
        raise UsageError("\n".join(map(str, settings.missing)))
    return asyncio.run(_serve(app))


async def _serve(path: Path | None) -> int:
    again = True
    status = DONE
    while again:
        again, status = await _until_told(path)
    return status


async def _until_told(path: Path | None) -> tuple[bool, int]:
    """Serve with the settings as they are now; whether to begin again with new ones."""
    from bot.app import App
    from bot.ledger import LedgerError
    from bot.service import Service
    from bot.settings import load
    from bot.web.pages.routes import add_pages
    from bot.web.server import application
    from bot.web.server import serve as listen

    settings = load(path, os.environ)
    loop = asyncio.get_running_loop()
    told: asyncio.Future[bool] = loop.create_future()

    def stop() -> None:
        if not told.done():
            told.set_result(False)

    def reload() -> None:
        try:
            fresh = load(path, os.environ)
            if fresh.missing:
                raise UsageError("\n".join(map(str, fresh.missing)))
        except Exception as error:  # whatever is wrong with them, the old settings go on
            complain(f"the settings are not taken: {error}")
        else:
            if not told.done():
                told.set_result(True)

    try:
        async with await App.open(settings) as app:
            service = await Service.start(app)
            try:
                doors = application(service)
                add_pages(doors)
                runner = await listen(doors, *settings.listen)
            except OSError as error:
                complain(f"cannot listen on {settings.listen[0]}:{settings.listen[1]}: {error.strerror}")
                await service.stop(0)
                return False, FAILED
            for number, handler in ((signal.SIGTERM, stop), (signal.SIGINT, stop), (signal.SIGHUP, reload)):
                loop.add_signal_handler(number, handler)
            again = await told
            service.ready = False
            await runner.cleanup()
            await service.stop(DRAIN)
            return again, DONE
    except LedgerError as error:
        complain(str(error))
        return False, FAILED
