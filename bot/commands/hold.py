"""`tagboat hold REPOSITORY WHAT [--path FILE] [--reason TEXT]`: no update of an image until somebody says `resume`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bot.commands.said import Said, keep


def hold(
    repository: str,
    what: str,
    /,
    *,
    path: str = "",
    reason: str = "",
    app: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Hold an image: it is not updated, and its open request is left as it is, until `tagboat resume`.

    Parameters
    ----------
    repository
        The repository's name, as in `app.yaml`.
    what
        An image, or one of the open requests by number (`!7`), branch or stream.
    path
        Only in this file.
    reason
        Why; it is shown wherever the hold is.
    app
        The server's settings; `app.yaml` in the current folder unless given.
    json
        One JSON object for each image and file.
    """
    return asyncio.run(keep(Said("held", repository, what, path, reason), app, json=json))
