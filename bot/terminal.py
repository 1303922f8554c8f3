"""What a command prints: tables in colour on a terminal, plain lines in a pipe, JSON lines when asked for; errors in one line.

`rich` is loaded only where a terminal is there to enjoy it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

DONE, FAILED, USAGE, NOTHING = 0, 1, 2, 3

_CONTROL = {code: None for code in (*range(32), *range(127, 160)) if code not in (9,)}


class UsageError(Exception):
    """Wrong usage, option value, config or policy: said in one line (or one line a finding), exit status 2."""


class Advance(Protocol):
    """Tells a progress bar how far the work is."""

    def __call__(self, done: int, total: int) -> None: ...


def plain(text: object) -> str:
    """Text from outside, without control characters: a file name or tag must not drive the reader's terminal."""
    return str(text).translate(_CONTROL)


def complain(message: str) -> None:
    """An error or note for a person, on standard error."""
    for line in message.splitlines() or [""]:
        print(f"tagboat: {plain(line)}", file=sys.stderr)  # noqa: T201


def say(text: str = "") -> None:
    """A line of plain output."""
    sys.stdout.write(plain(text) + "\n")


def say_json(row: Mapping[str, Any]) -> None:
    """One JSON line."""
    sys.stdout.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, styles: Mapping[str, str] | None = None) -> None:
    """Rows under a heading: a coloured table on a terminal, else fields with a tab between them and no heading."""
    if not sys.stdout.isatty():
        for row in rows:
            say("\t".join("" if value is None else plain(value).replace("\t", " ") for value in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, header_style="dim", pad_edge=False)
    for column in columns:
        drawn.add_column(column, style=(styles or {}).get(column, ""), overflow="fold")
    for row in rows:
        drawn.add_row(*(Text("" if value is None else plain(value)) for value in row))
    Console().print(drawn)


@contextmanager
def progress(label: str) -> Iterator[Advance]:
    """A progress bar on standard error for long work; nothing at all where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
