"""`tagboat check [PATH] [--app app.yaml] [--json] [--diff] [--write] [--exit-code] [--major]`: what would change, now.

$ tagboat check
envs/dev/app.yaml:12  acme/web  1.4.1  1.4.2  patch  auto  newest of the same precision, prefix and variant
$ tagboat check --write          changes the files: tags and digests, and not a byte more
"""

from __future__ import annotations

import asyncio
import difflib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from bot.reading.checking import Local, complaints, edited, failed, names_majors, to_write
from bot.reading.checkout import Unreadable
from bot.terminal import DONE, FAILED, NOTHING, UsageError, coloured, complain, say_json, table
from rules.formats.base import Occurrence
from rules.messages import why
from rules.updates import Target, Update

_FLAG = Parameter(negative=())
_COLUMNS = ("where", "image", "current", "next", "update", "policy", "reason")
_COLOURS = {b"+": "green", b"-": "red", b"@": "cyan"}
_STYLES = {"where": "dim", "current": "yellow", "next": "bold green", "update": "cyan", "policy": "dim", "reason": "dim"}


def check(
    path: Path = Path(),
    /,
    *,
    app: Path | None = None,
    json: Annotated[bool, _FLAG] = False,
    diff: Annotated[bool, _FLAG] = False,
    write: Annotated[bool, _FLAG] = False,
    exit_code: Annotated[bool, _FLAG] = False,
    major: Annotated[bool, _FLAG] = False,
) -> int:
    """Say what would change in a checkout, now. What cannot be looked at is named on standard error (exit 1); the rest is done.

    Parameters
    ----------
    path
        A folder with a checkout, or one file.
    app
        The server's settings, for its registries; `app.yaml` in the current folder unless given.
    json
        One JSON object a line, for each possible update.
    diff
        The changes as a unified diff instead of a table.
    write
        Change the files: tags and digests, and not a byte more.
    exit_code
        Exit with 3 where there are updates.
    major
        Write the next major too, where there is one.
    """
    if json and diff:
        raise UsageError("--json and --diff are two forms of one output: choose one of them")
    local = Local.at(path, app)
    outcomes = asyncio.run(local.outcomes())
    updates = sorted((one for one in outcomes if isinstance(one, Update)), key=_place)
    if json:
        for update in updates:
            say_json(as_row(update, local))
    elif not diff:
        table(_COLUMNS, (_cells(as_row(update, local)) for update in updates), styles=_STYLES)
    problems = [*map(str, local.config.notes), *complaints(outcomes, local.shown)]
    trouble = failed(outcomes)
    if write or diff:
        wishes = to_write(updates, lambda update: major or names_majors(local.config, update))
        refused = [*_apply(local, wishes, diff=diff, write=write)]
        trouble, problems = trouble or bool(refused), [*problems, *refused]
    sys.stdout.flush()
    for problem in problems:
        complain(problem)
    return FAILED if trouble else NOTHING if exit_code and updates else DONE


def as_row(update: Update, local: Local) -> dict[str, Any]:
    """An update as the JSON line that scripts read; `update` is null where its kind could not be told."""
    place = update.occurrence
    return {
        "file": local.shown(place.file),
        "line": place.line,
        "image": place.image,
        "current": str(update.current),
        "next": str(update.target),
        "update": update.kind,
        "policy": update.policy,
        "reason": why(update),
    }


def _cells(row: Mapping[str, Any]) -> Sequence[object]:
    return (f"{row['file']}:{row['line']}", *(row[key] for key in _COLUMNS[1:]))


def _place(update: Update) -> tuple[Any, ...]:
    place = update.occurrence
    return place.file, place.line, place.tag_span or (), place.image, update.kind == "major"


def _apply(local: Local, wishes: Mapping[str, Mapping[Occurrence, Target]], *, diff: bool, write: bool) -> Iterator[str]:
    """Show and write the edits, file by file; yields what was refused or could not be done."""
    for path, targets in sorted(wishes.items()):
        name = local.shown(path)
        try:
            before = local.checkout.read(name)
            after, refused = edited(path, before, targets)
            yield from (f"{local.shown(str(error))} (not changed)" for error in refused)
            if diff:
                _show(name, before, after)
            if write and after != before:
                local.checkout.write(name, after)
        except (Unreadable, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            yield f"{name}: {reason} (not changed)"


def _show(path: str, before: bytes, after: bytes) -> None:
    """The difference as `git diff` shows it: on a terminal in colours, elsewhere with its bytes as they are."""
    name = path.encode("utf-8", "surrogateescape")
    lines = difflib.diff_bytes(difflib.unified_diff, _lines(before), _lines(after), b"a/" + name, b"b/" + name, lineterm=b"\n")
    if sys.stdout.isatty():
        coloured((line.decode("utf-8", "replace"), _COLOURS.get(line[:1], "")) for line in lines)
        return
    sys.stdout.flush()
    for line in lines:
        sys.stdout.buffer.write(line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n")
    sys.stdout.buffer.flush()


def _lines(data: bytes) -> list[bytes]:
    # Only a line feed ends a line, as for git: `splitlines` would also break at a lone carriage return.
    parts = data.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
