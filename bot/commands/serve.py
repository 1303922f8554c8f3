"""`tagboat serve [--app app.yaml]`: webhooks, timer, dashboard and metrics, until it is told to stop.

SIGTERM and SIGINT: nothing new is taken, and what runs may end within 20 seconds. SIGHUP: the settings are read again; where they
are wrong, the old ones stay, and that is said. The port stays open meanwhile: who comes then is answered a moment later.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from bot.terminal import DONE, FAILED, UsageError, complain

if TYPE_CHECKING:
    from aiohttp import web

    from bot.serving.service import Service
    from bot.settings import Settings

log = structlog.get_logger(__name__)

DRAIN = 20.0
# Cycles are looked for sooner than in a command that ends soon (`bot.__main__`): in a server they would wait by the megabyte.
_OBJECTS_BEFORE_A_LOOK = (5_000, 10, 10)
_DOORS = 5.0  # seconds of it for answers that are under way
_LAST = 3.0  # and to give what is not ready to others


def serve(*, app: Path | None = None) -> int:
    """Serve until told to stop.

    Parameters
    ----------
    app
        The server's settings; `app.yaml` in the current folder unless given.
    """
    return run(app, doors=True)


def run(app: Path | None, *, doors: bool) -> int:
    """Serve with doors (`serve`) or without (`worker`). Whatever is wrong with the settings is said before anything opens."""
    from bot import logs, tracing

    gc.set_threshold(*_OBJECTS_BEFORE_A_LOOK)
    logs.configure(level=logging.INFO, server=True)
    settings = checked(app, doors=doors)
    tracing.start(settings.name)
    try:
        return asyncio.run(_serve(app, settings, doors))
    finally:
        tracing.stop()


def checked(path: Path | None, *, doors: bool) -> Settings:
    """The settings, with every secret that they name. Raises UsageError with all that is wrong."""
    from bot import logs
    from bot.settings import load

    settings = load(path, os.environ)
    wrong = list(map(str, settings.missing))
    if not doors and not settings.state.reveal().startswith("postgresql"):
        wrong.append(
            f"{settings.file or 'app.yaml'}: `state`: a worker shares the work through PostgreSQL; with SQLite there is none"
        )
    if wrong:
        raise UsageError("\n".join(wrong))
    logs.hide(settings.secrets())
    return settings


async def _serve(path: Path | None, settings: Settings, doors: bool) -> int:
    """Serve with one settings after the other."""
    port: socket.socket | None = None
    address: tuple[str, int] | None = None
    try:
        while True:
            if doors and settings.listen != address:
                if port is not None:
                    port.close()
                address = settings.listen
                try:
                    port = bound(*address)
                except OSError as error:
                    complain(f"cannot listen on {address[0]}:{address[1]}: {error.strerror or error}")
                    return FAILED
            again, status = await _until_told(path, settings, port)
            if again is None:
                return status
            settings = again
    finally:
        if port is not None:
            port.close()


async def _until_told(path: Path | None, settings: Settings, port: socket.socket | None) -> tuple[Settings | None, int]:
    """Serve with these settings; with which to begin again, if any."""
    from bot import tracing
    from bot.app import App
    from bot.serving.service import Service
    from bot.state.ledger import LedgerError

    told: asyncio.Future[Settings | None] = asyncio.get_running_loop().create_future()
    _listen_to_signals(told, lambda: checked(path, doors=port is not None))
    try:
        async with await App.open(settings) as app:
            service = await Service.prepare(app)
            runner = await _open_doors(service, port) if port is not None else None
            beginning = asyncio.create_task(service.begin(fresh=port is not None))
            either: tuple[asyncio.Future[Any], ...] = (beginning, told)
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            try:
                if beginning.done():
                    await beginning
                    _say_where(service, port)
                    again = await told
                else:
                    again = told.result()
            finally:
                beginning.cancel()
                await asyncio.gather(beginning, return_exceptions=True)
                service.ready = False
                if runner is not None:
                    await runner.cleanup()
                ended = await service.stop(DRAIN - _DOORS - _LAST - tracing.patience())
                log.info("stopped", every_pass_ended=ended)
            return again, DONE
    except LedgerError as error:
        complain(str(error))
        return None, FAILED


def _say_where(service: Service, port: socket.socket | None) -> None:
    """What somebody who has just started it wants to know first."""
    known, settings = len(service.berths), service.app.settings
    if port is None:
        log.info("working", repositories=known)
        return
    host, number = port.getsockname()[:2]
    address = f"http://[{host}]:{number}" if ":" in host else f"http://{host}:{number}"
    log.info("serving", address=address, repositories=known, mode=settings.mode)
    if not settings.forges:
        log.warning("no repository is looked at: `forges` is empty", settings=str(settings.file or "app.yaml"))


def _listen_to_signals(told: asyncio.Future[Settings | None], fresh: Callable[[], Settings]) -> None:
    def stop() -> None:
        if not told.done():
            told.set_result(None)

    def reload() -> None:
        try:
            settings = fresh()
        except Exception as error:  # whatever is wrong with them, the old settings go on
            complain(f"the settings are not taken: {error}")
        else:
            if not told.done():
                told.set_result(settings)

    loop = asyncio.get_running_loop()
    for number, handler in ((signal.SIGTERM, stop), (signal.SIGINT, stop), (signal.SIGHUP, reload)):
        loop.add_signal_handler(number, handler)


async def _open_doors(service: Service, port: socket.socket) -> web.AppRunner:
    from bot.web.pages.routes import add_pages
    from bot.web.server import application, listen

    doors = application(service)
    add_pages(doors)
    # A duplicate: that is closed with the doors, and connections go on to queue at the port.
    return await listen(doors, port.dup(), patience=_DOORS)


def bound(host: str, number: int) -> socket.socket:
    """A port that is listened on. Raises OSError."""
    found = socket.getaddrinfo(host or None, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    return socket.create_server(address[:2], family=family, backlog=1024)
