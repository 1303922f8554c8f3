"""What a command prints: tables in colour on a terminal, plain lines in a pipe, JSON lines when asked for; errors in one line.

`rich` is loaded only where a terminal is there to enjoy it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

DONE, FAILED, USAGE, NOTHING = 0, 1, 2, 3

# Control characters, and those that turn the direction of writing, go; bytes of a file name that are no text are shown as such.
_CONTROL: dict[int, str | None] = {code: None for code in (*range(32), *range(127, 160)) if code != 9}
_CONTROL |= dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))
_CONTROL |= {0xDC00 + byte: f"\\x{byte:02x}" for byte in range(128, 256)}
_NOT_IN_JSON = re.compile("[\x7f-\x9f\ud800-\udfff]")  # what JSON would allow, and a terminal or a text file would not


class UsageError(Exception):
    """Wrong usage, option value, config or policy: said in one line (or one line a finding), exit status 2."""


class Advance(Protocol):
    """Tells a progress bar how far the work is."""

    def __call__(self, done: int, total: int) -> None: ...


def nothing_listed(file: object) -> str:
    """What to say where the server's settings name no repository; `file` is None where there is no file of settings."""
    if file is None:
        return "there is no app.yaml in this folder: `--app` says where it is, docs/settings.md what stands in it"
    return f"{file}: no `forges` are listed, so there is nothing to do"


def plain(text: object) -> str:
    """Text from outside, without control characters: a file name or tag must not drive the reader's terminal."""
    return str(text).translate(_CONTROL)


def complain(message: str) -> None:
    """An error or note for a person, on standard error."""
    for line in message.splitlines() or [""]:
        print(f"tagboat: {plain(line)}", file=sys.stderr)  # noqa: T201


def say(text: str = "") -> None:
    """A line of plain output."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(plain(text).encode(encoding, "backslashreplace").decode(encoding) + "\n")


def say_json(row: Mapping[str, Any]) -> None:
    """One JSON line."""
    line = json.dumps(row, ensure_ascii=(sys.stdout.encoding or "utf-8").lower() != "utf-8", default=str)
    sys.stdout.write(_NOT_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", line) + "\n")


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


def coloured(lines: Iterable[tuple[str, str]]) -> None:
    """Lines with a style each, for a terminal."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for line, style in lines:
        console.print(Text(plain(line), style=style), soft_wrap=True)


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
