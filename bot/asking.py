"""From what a person types to what is meant: a repository, one of its open requests, an image that stands in it."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.app import App, Berth, is_named
from bot.forges.base import ForgeError
from bot.reading.looking import NoConfig, Seen, look
from bot.terminal import UsageError, complain, nothing_listed
from rules.config import ConfigError
from rules.findings import did_you_mean
from rules.images import BadReference, ImageRef, canonical
from rules.requests import PullRequest

_NUMBER = re.compile(r"[!#]?(\d+)")


@dataclass(frozen=True, slots=True)
class Meant:
    """What is meant: images (canonical) in files, each with the version that a request has for it; an empty path is everywhere.
    `request` is the request, where one was named."""

    places: tuple[tuple[str, str, str], ...]
    request: PullRequest | None = None


@asynccontextmanager
async def opened(app: Path | None) -> AsyncIterator[App]:
    """The composition by the settings in a file. Raises UsageError or LedgerError."""
    from bot.settings import load

    settings = load(app, os.environ)
    if not settings.forges:
        raise UsageError(nothing_listed(settings.file))
    async with await App.open(settings) as made:
        yield made


async def repository(app: App, name: str) -> Berth:
    """The one repository of a name. Raises UsageError where there is none, or several."""
    berths, troubles = await app.berths()
    for report in troubles:
        for note in report.of("trouble"):
            complain(f"{report.repository}: {note.reason}")
    found = [berth for berth in berths if berth.key == name or is_named(berth.name, name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{name!r} is several repositories: {', '.join(sorted(berth.key for berth in found))}")
    hint = did_you_mean(name, [berth.name for berth in berths])
    raise UsageError(f"there is no repository {name!r} in `forges`" + (f": {hint}" if hint else ""))


async def meant(app: App, berth: Berth, what: str, path: str = "") -> Meant:
    """What a person means by a request (number, branch, stream) or an image. Raises UsageError where that is nothing, or several
    things. A repository that cannot be looked at is complained about, and an image is taken as it is written."""
    try:
        seen = await look(berth.forge, app.memory, berth.terms)
    except (ForgeError, NoConfig, ConfigError) as error:
        complain(f"{berth.name} could not be looked at ({error}); {what} is taken as it is written")
        return Meant(((_image(what), path, ""),))
    requests = [request for request in seen.look.requests if request.state == "open"]
    if (request := _request(requests, what)) is not None:
        targets = request.record.targets if request.record else ()
        places = tuple(dict.fromkeys((canonical(image), file, new) for file, image, _, new in targets if path in ("", file)))
        return Meant(places, request)
    image = _standing(seen, _image(what), what)
    if path and not any(one.file == path and canonical(one.image) == image for view in seen.views for one in view.occurrences):
        raise UsageError(f"{image} does not stand in {path}")
    return Meant(((image, path, ""),))


async def request_of(app: App, berth: Berth, what: str) -> PullRequest:
    """The open request that is meant, by its number, branch, stream or image. Raises UsageError, or ForgeError."""
    found = (await berth.forge.look()).requests
    requests = [request for request in found if request.state == "open"]
    if (request := _request(requests, what)) is not None:
        return request
    mine = [request for request in requests if any(_fits(what, image) for image in _images(request))]
    if len(mine) == 1:
        return mine[0]
    if mine:
        raise UsageError(f"{what!r} is in several requests: {', '.join(f'!{one.number} ({one.title})' for one in mine)}")
    numbers = ", ".join(f"!{one.number}" for one in requests) or "none at all"
    raise UsageError(f"{berth.name} has no open request {what!r}; open are {numbers}")


def who() -> str:
    """Who sits at this terminal."""
    try:
        return f"{getpass.getuser()} (command line)"
    except (KeyError, OSError):
        return "somebody at the command line"


def _request(requests: Iterable[PullRequest], what: str) -> PullRequest | None:
    number = _NUMBER.fullmatch(what.strip())
    for request in requests:
        stream = request.record.stream if request.record else None
        if (number and request.number == int(number[1])) or what in (request.branch, stream):
            return request
    if number:
        raise UsageError(f"there is no open request {what}")
    return None


def _images(request: PullRequest) -> set[str]:
    return {canonical(image) for _, image, _, _ in request.record.targets} if request.record else set()


def _image(text: str) -> str:
    try:
        reference = ImageRef.parse(text)
    except BadReference as error:
        raise UsageError(f"{text!r} is neither a request nor an image: {error}") from None
    if reference.tag is not None or reference.digest is not None:
        raise UsageError(f"{text!r} names a version: leave it out, or use `tagboat skip`")
    return reference.canonical


def _fits(text: str, image: str) -> bool:
    """Whether a text means an image: its name in any spelling, or the end of it after a slash."""
    return canonical(text) == image or image.endswith(f"/{text}")


def _standing(seen: Seen, image: str, text: str) -> str:
    """The image of that name that stands in the repository."""
    there = {canonical(one.image) for view in seen.views for one in view.occurrences}
    if image in there:
        return image
    found = sorted(one for one in there if one.endswith(f"/{text}"))
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{text!r} is several images: {', '.join(found)}")
    hint = did_you_mean(image, there)
    raise UsageError(f"{image} does not stand in this repository" + (f": {hint}" if hint else ""))
