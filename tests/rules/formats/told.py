"""What a scan finds, in short: rows that can be read in a table."""

from __future__ import annotations

from rules.formats import scan
from rules.formats.base import Occurrence, Unread

DIGEST = "sha256:" + "0123456789abcdef" * 4
OTHER = "sha256:" + "fedcba9876543210" * 4
HEX = DIGEST.removeprefix("sha256:")


def found(path: str, text: str | bytes) -> list[Occurrence]:
    """The images of a file that can be read; their spans hold what they say."""
    data = text if isinstance(text, bytes) else text.encode()
    occurrences, unread = scan(path, data)
    assert unread is None, unread
    for one in occurrences:
        for span, said in ((one.tag_span, one.tag), (one.digest_span, one.digest)):
            assert span is None or data[slice(*span)].decode() == said
    return occurrences


def told(path: str, text: str | bytes) -> list[str]:
    """`LINE image[:tag][@digest]` for each image; `LINE-TAGLINE` where those differ, `?` behind what is not known in full."""
    return [_row(one) for one in found(path, text)]


def unread(path: str, text: str | bytes) -> Unread | None:
    """What the scan says of a file that it does not read."""
    occurrences, trouble = scan(path, text if isinstance(text, bytes) else text.encode())
    assert not (occurrences and trouble)
    return trouble


def _row(one: Occurrence) -> str:
    lines = str(one.line) if one.tag_line in (None, one.line) else f"{one.line}-{one.tag_line}"
    tag = f":{one.tag}" if one.tag else ""
    digest = f"@{one.digest.replace(DIGEST, 'D')}" if one.digest else ""
    return f"{lines} {one.image}{tag}{digest}{'?' if one.unresolved else ''}"
