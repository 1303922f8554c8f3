"""What a file format answers: where images stand in a file, to the byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from rules.edits import Span


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An image as it stands in a file. Lines count from 1; spans are byte offsets into the file, end exclusive.

    `image` is the name as written or assembled (registry and repository joined), without tag and digest.
    `tag_span` is None where no tag stands or where its text is not one piece of the file (then it cannot be edited).
    `scalar` says how the tag stands in YAML: "whole" where the tag is a plain scalar by itself (`tag: 1.10`: a new value
    that YAML would read as a number needs quotes), "part" elsewhere (quoted, or inside a longer scalar).
    `directive` is the text of a marker comment on the same line (`# tagboat: …`, Flux's `# {"$imagepolicy": …}`), if any.
    `unresolved` says why the reference is not known in full (a variable, a template); such an image is listed, never edited.
    """

    file: str
    line: int
    format: str
    image: str
    tag: str | None = None
    digest: str | None = None
    tag_line: int | None = None
    tag_span: Span | None = None
    digest_span: Span | None = None
    scalar: Literal["whole", "part"] = "part"
    directive: str | None = None
    unresolved: str | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that could not be read; nothing of it is used. `line` counts from 1.

    `skipped` tells a file that is passed over with a note (a Helm template) from one that ought to be readable.
    """

    file: str
    line: int | None
    reason: str
    skipped: bool = False


class ManifestFormat(Protocol):
    """One file format; a module serves as the object.

    `claims` looks at the path and cheaply at the bytes and says whether the file is of this format.
    `find` reads it; it raises `rules.yamls.YamlError` (or the like) with a line where the file does not parse.
    """

    NAME: str
    VERSION: int  # raised when `find` answers differently for the same bytes: parsed files are cached under it

    def claims(self, path: str, data: bytes) -> bool: ...

    def find(self, path: str, data: bytes) -> Iterator[Occurrence]: ...
