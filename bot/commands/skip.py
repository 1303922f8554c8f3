"""`tagboat skip REPOSITORY WHAT [VERSION] [--path FILE]`: not this version of an image; a newer one will be proposed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bot.commands.said import Said, keep


def skip(
    repository: str,
    what: str,
    version: str = "",
    /,
    *,
    path: str = "",
    reason: str = "",
    app: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Skip a version of an image: it is not proposed, and an open request for it is closed. A newer version will be proposed.

    Parameters
    ----------
    repository
        The repository's name, as in `app.yaml`.
    what
        An image, or one of the open requests by number (`!7`), branch or stream.
    version
        The tag to skip; what the request wants, unless given.
    path
        Only in this file.
    reason
        Why; it is shown wherever the version is left out.
    app
        The server's settings; `app.yaml` in the current folder unless given.
    json
        One JSON object for each image and file.
    """
    return asyncio.run(keep(Said("skipped", repository, what, path, reason, version), app, json=json))
