"""What the registry tells of an image that stands there and of the next one: a few facts for whoever reviews the change.

    Pushed 2026-03-01 12:00 UTC. Size 41.2 MB (was 40.9 MB). Platforms linux/amd64, linux/arm64.
    What changed: https://github.com/acme/shop/compare/3f2a9c1...8d0be77

Labels are written by whoever built the image: a link is made only to the comparison of two commits in one repository on a
well-known host, and whatever else a label says is not shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from rules.messages.escaping import prose

_REPOSITORY = re.compile(r"(?:git\+)?https://(?P<host>github\.com|gitlab\.com|codeberg\.org)/(?P<path>[\w.-]+(?:/[\w.-]+)+)")
_REVISION = re.compile(r"[0-9a-f]{7,64}")
_COMPARE = {"github.com": "/compare/", "gitlab.com": "/-/compare/", "codeberg.org": "/compare/"}
_SHOWN = 8  # platforms


@dataclass(frozen=True, slots=True)
class About:
    """What is known of one image; None where it is not. `size` is in bytes; `revision` and `source` are its labels."""

    platforms: frozenset[str] | None = None
    size: int | None = None
    pushed_at: datetime | None = None
    revision: str | None = None
    source: str | None = None


def about(old: About, new: About) -> list[str]:
    """The facts as lines of Markdown; none where nothing is known."""
    facts = [*_pushed(new), *_size(old, new), *_platforms(old, new)]
    lines = [" ".join(facts)] if facts else []
    link = comparison(old, new)
    return [*lines, *([f"What changed: {link}"] if link else [])]


def comparison(old: About, new: About) -> str | None:
    """The page that compares the commits that the two images were built from, where their labels tell."""
    if old.revision is None or new.revision is None or old.revision == new.revision:
        return None
    if not (_REVISION.fullmatch(old.revision) and _REVISION.fullmatch(new.revision)):
        return None
    mine, theirs = (_REPOSITORY.fullmatch((one.source or "").removesuffix("/").removesuffix(".git")) for one in (new, old))
    if mine is None or (theirs is not None and theirs.groups() != mine.groups()):
        return None
    if any(part in (".", "..") for part in mine["path"].split("/")):
        return None
    return f"https://{mine['host']}/{mine['path']}{_COMPARE[mine['host']]}{old.revision}...{new.revision}"


def _pushed(new: About) -> Iterator[str]:
    if new.pushed_at is not None:
        yield f"Pushed {new.pushed_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC."


def _size(old: About, new: About) -> Iterator[str]:
    if new.size:
        was = f" (was {_bytes(old.size)})" if old.size and _bytes(old.size) != _bytes(new.size) else ""
        yield f"Size {_bytes(new.size)}{was}."


def _platforms(old: About, new: About) -> Iterator[str]:
    if not new.platforms:
        return
    names = sorted(new.platforms)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    yield f"Platforms {prose(', '.join(names[:_SHOWN]))}{more}."
    if lost := sorted((old.platforms or frozenset()) - new.platforms):
        yield f"No longer there: {prose(', '.join(lost[:_SHOWN]))}."


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
