"""`tagboat images [PATH] [--json]`: every image reference in a checkout.

$ tagboat images envs
ghcr.io/acme/shop  1.4.2    dev/shop.yaml:12  kubernetes
$ tagboat images envs/dev/shop.yaml --json
{"file": "shop.yaml", "line": 12, "tag_line": 12, "format": "kubernetes", "image": "ghcr.io/acme/shop", "tag": "1.4.2", …}
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from bot.reading.checkout import Checkout, Unreadable
from bot.terminal import DONE, FAILED, complain, plain, progress, say_json, table
from rules.formats import is_manifest, scan
from rules.formats.base import Occurrence, Unread


def images(path: Path = Path(), /, *, json: Annotated[bool, Parameter(negative=())] = False) -> int:
    """List every image reference in a folder or file. What could not be read is named on standard error (exit 1).

    Parameters
    ----------
    path
        A folder, or one file.
    json
        One JSON object a line, with byte offsets of tag and digest.
    """
    found, unread = read_all(Checkout.at(path))
    if json:
        for occurrence in found:
            say_json(as_row(occurrence))
    else:
        table(
            ("image", "tag", "digest", "where", "format"),
            ((o.image, o.tag, _short(o.digest), f"{o.file}:{o.line}", o.format) for o in found),
            styles={"tag": "cyan", "where": "dim", "format": "dim"},
        )
    return report_unread(unread)


def read_all(checkout: Checkout) -> tuple[list[Occurrence], list[Unread]]:
    """Every occurrence of a checkout, in order of file and place, and what could not be read."""
    found: list[Occurrence] = []
    unread: list[Unread] = []
    paths = list(checkout.paths(is_manifest, lambda path, reason: unread.append(Unread(path, None, reason))))
    with progress("reading") as advance:
        for done, path in enumerate(paths):
            try:
                occurrences, trouble = scan(path, checkout.read(path))
            except Unreadable as error:
                occurrences, trouble = [], Unread(path, None, str(error))
            found += occurrences
            unread += [trouble] if trouble else []
            advance(done + 1, len(paths))
    return found, unread


def report_unread(unread: list[Unread]) -> int:
    """Name what could not be read; the exit status that this calls for."""
    for trouble in unread:
        complain(f"{plain(trouble.file)}{f':{trouble.line}' if trouble.line else ''}: {trouble.reason}")
    return FAILED if any(not trouble.skipped for trouble in unread) else DONE


def as_row(occurrence: Occurrence) -> dict[str, Any]:
    """An occurrence as the JSON line that scripts read: byte offsets, end exclusive, null where absent."""
    tag, digest = occurrence.tag_span, occurrence.digest_span
    return {
        "file": occurrence.file,
        "line": occurrence.line,
        "tag_line": occurrence.tag_line,
        "format": occurrence.format,
        "image": occurrence.image,
        "tag": occurrence.tag,
        "digest": occurrence.digest,
        "tag_start": tag.start if tag else None,
        "tag_end": tag.end if tag else None,
        "digest_start": digest.start if digest else None,
        "digest_end": digest.end if digest else None,
    }


def _short(digest: str | None) -> str | None:
    return digest[:19] + "…" if digest else None
