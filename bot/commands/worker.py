"""`tagboat worker [--app app.yaml]`: one more worker on PostgreSQL, without doors. It stops and reloads as `serve` does.

Any number of them, on any number of machines, share the passes with the servers. They need the same `app.yaml` and secrets.
"""

from __future__ import annotations

from pathlib import Path

from bot.commands.serve import run


def worker(*, app: Path | None = None) -> int:
    """Share the work until told to stop.

    Parameters
    ----------
    app
        The server's settings; `app.yaml` in the current folder unless given. Its `state` has to be a PostgreSQL.
    """
    return run(app, doors=False)
