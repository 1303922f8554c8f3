"""Whether the credentials in `app.yaml` are any good: each forge is asked for its repositories, each registry for one image.

    async for problem in problems(settings, ["harbor.example.com/team/web"]):
        print(problem)      "harbor.example.com: the credentials were refused (401)"

Nothing is written, there or here: the ledger is one of its own that is thrown away.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path

from bot.app import App
from bot.registries.base import RegistryError
from bot.settings import Secret, Settings
from rules.images import ImageRef

_PATIENCE = 60.0  # seconds, for all of one forge or one registry


async def problems(settings: Settings, images: Iterable[str]) -> AsyncIterator[str]:
    """What is wrong with the credentials, one sentence each. `images` are those that a checkout names."""
    with tempfile.TemporaryDirectory() as folder:
        apart = replace(settings, state=Secret(f"sqlite:///{Path(folder) / 'doctor.db'}"))
        async with await App.open(apart) as app:
            try:
                _, troubles = await asyncio.wait_for(app.berths(), _PATIENCE)
            except TimeoutError:
                yield "the forges did not answer in time"
                troubles = []
            for report in (*troubles, *app.alarms()):
                for note in report.notes:
                    yield f"{report.repository}: {note.reason}"
            for host, image in _one_each(settings, images).items():
                try:
                    await asyncio.wait_for(app.registries.tags(image), _PATIENCE)
                except RegistryError as error:
                    yield f"{host}: {error}"
                except TimeoutError:
                    yield f"{host}: it did not answer in time"


async def required_checks(settings: Settings, repository: str, base: str) -> frozenset[str]:
    """The checks that a base branch demands, where the settings know the repository and it can be read; else none."""
    with tempfile.TemporaryDirectory() as folder:
        apart = replace(settings, state=Secret(f"sqlite:///{Path(folder) / 'doctor.db'}"))
        async with await App.open(apart) as app:
            berths, _ = await app.berths()
            for berth in berths:
                if berth.name.lower() == repository.lower():
                    look = await berth.forge.look([base])
                    protection = look.project.protections.get(base)
                    return frozenset(check.name for check in protection.required_checks) if protection else frozenset()
    return frozenset()


def _one_each(settings: Settings, images: Iterable[str]) -> dict[str, str]:
    """One image for each registry that the settings list."""
    listed = {row.host for row in settings.registries}
    found: dict[str, str] = {}
    for image in images:
        host = ImageRef(image).registry
        if host in listed:
            found.setdefault(host, image)
    return found
