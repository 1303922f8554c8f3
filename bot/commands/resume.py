"""`tagboat resume REPOSITORY WHAT [--path FILE]`: lift every hold and skip on an image, and what people said by reverting it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bot.commands.said import Said, keep


def resume(
    repository: str,
    what: str,
    /,
    *,
    path: str = "",
    app: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Lift the holds and skips on an image: also those that were found because somebody reverted or closed it.

    Parameters
    ----------
    repository
        The repository's name, as in `app.yaml`.
    what
        An image, or one of the open requests by number (`!7`), branch or stream.
    path
        Only in this file.
    app
        The server's settings; `app.yaml` in the current folder unless given.
    json
        One JSON object for each image and file.
    """
    return asyncio.run(keep(Said("resumed", repository, what, path), app, json=json))
