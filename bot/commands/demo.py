"""`tagboat demo [--once]`: the whole thing on embedded parts. It needs Python and git, and no network."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.terminal import DONE, FAILED


def demo(*, once: bool = False) -> int:
    """Show the main job on an embedded registry and a bare repository. On a terminal it stays up to play with.

    Parameters
    ----------
    once
        End by itself, as it does where the output is no terminal; exit 1 if a step did not happen.
    """
    from bot import logs

    logs.configure()
    return asyncio.run(_demo(stay=not once and sys.stdout.isatty() and sys.stdin.isatty()))


async def _demo(*, stay: bool) -> int:
    from bot.app import App
    from bot.demo.screen import Screen
    from bot.demo.story import Story
    from bot.demo.world import World
    from bot.settings import load

    screen = Screen()
    with TemporaryDirectory(prefix="tagboat-demo-") as folder:
        world = World(Path(folder))
        await world.start()
        try:
            screen.title(f"Tagboat: a registry at {world.registry.host}, a bare repository at {world.bare}")
            async with await App.open(load(world.settings, {})) as app:
                story = Story(world, app, screen)
                await story.tell()
                if stay:
                    await _play(story)
        finally:
            await world.stop()
    return FAILED if screen.failed else DONE


async def _play(story: object) -> None:
    """Wait for keys: each line is one command."""
    from bot.demo.story import Story

    assert isinstance(story, Story)
    world, screen = story.world, story.screen
    screen.step("It stays up. Type b for a build, m to merge as a person does, p for a pass, q to end")
    screen.lines((f"tagboat check {world.checkout} --app {world.settings}", f"git -C {world.bare} log --oneline main"))
    while True:
        line = await asyncio.to_thread(sys.stdin.readline)
        match line.strip().lower():
            case "b":
                await story.build()
            case "m":
                await story.land()
            case "p":
                await story.run()
            case "q" | "quit":
                return
            case "" if not line:
                return
            case _:
                screen.lines(("b build   m merge   p pass   q quit",))
