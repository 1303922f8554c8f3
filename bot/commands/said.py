"""A person's word from the command line: written into the ledger, with who said it, and counted from the next pass on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from bot import asking
from bot.app import App, Berth
from bot.state.ledger import Event, Hold, Ledger, LedgerError
from bot.terminal import DONE, FAILED, UsageError, complain, say, say_json

Place = tuple[str, str, str]  # image, file, version


@dataclass(frozen=True, slots=True)
class Said:
    """What was said, and of what."""

    kind: Literal["held", "resumed", "skipped"]
    repository: str
    what: str
    path: str = ""
    reason: str = ""
    version: str = ""


async def keep(said: Said, path: Path | None, *, json: bool) -> int:
    """Write it down. Raises UsageError."""
    from bot import logs

    logs.configure()
    try:
        async with asking.opened(path) as app:
            berth = await asking.repository(app, said.repository)
            meant = await asking.meant(app, berth, said.what, said.path)
            places = [(image, file, _version(said, new)) for image, file, new in meant.places]
            if not places:
                raise UsageError(f"request {said.what} does not say any more what it is for: name the image")
            by, now = asking.who(), app.clock()
            for place in places:
                await write(app.ledger, berth, said, place, by, now)
    except LedgerError as error:
        complain(str(error))
        return FAILED
    tell(berth.name, said, places, by, json=json)
    return DONE


async def write(ledger: Ledger, berth: Berth, said: Said, place: Place, by: str, now: datetime) -> None:
    """One image in one file, with its line in the history."""
    image, file, version = place
    if said.kind == "resumed":
        await ledger.resume(berth.name, image, file, at=now)
    else:
        await ledger.hold(Hold(berth.name, image, file, version, said.reason, by, now))
    detail = {"path": file, "version": version, "reason": said.reason, "by": by}
    await ledger.record(Event(now, berth.name, said.kind, image, {key: value for key, value in detail.items() if value}))


async def skip_places(app: App, berth: Berth, places: Iterable[Place], reason: str, by: str) -> None:
    """Remember that these versions were refused."""
    for place in places:
        await write(app.ledger, berth, Said("skipped", berth.name, "", reason=reason), place, by, app.clock())


def _version(said: Said, new: str) -> str:
    if said.kind != "skipped":
        return ""
    if not (said.version or new):
        raise UsageError(f"which version of {said.what}? `tagboat skip {said.repository} {said.what} VERSION`")
    return said.version or new


def tell(repository: str, said: Said, places: Iterable[Place], by: str, *, json: bool) -> None:
    """Say what was written down."""
    for image, file, version in places:
        if json:
            row: dict[str, Any] = {"repository": repository, "action": said.kind, "image": image, "path": file or None}
            say_json(row | {"version": version or None, "reason": said.reason or None, "by": by})
            continue
        what = f"{image}{f' {version}' if version else ''}{f' in {file}' if file else ''}"
        say(f"{said.kind}: {what}{f' ({said.reason})' if said.reason else ''}; it counts from the next pass on")
