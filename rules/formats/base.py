"""What a file format answers: where images stand in a file, to the byte."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

from ruamel.yaml.nodes import Node

from rules.edits import Span
from rules.yamls import Source


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An image as it stands in a file. Lines count from 1; spans are byte offsets into the file, end exclusive.

    `image` is the name as written or assembled (registry and repository joined), without tag and digest.
    `tag_span` is None where no tag stands or where its text is not one piece of the file (then it cannot be edited).
    `scalar` says how the tag stands in YAML: "whole" where the tag is a plain scalar by itself (`tag: 1.10`: a new value
    that YAML would read as a number needs quotes), "part" elsewhere (quoted, or inside a longer scalar).
    `sha_span` is where the digest's hex digits stand without their algorithm (`sha:` of some charts); then `digest_span` is None.
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
    sha_span: Span | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that could not be read; nothing of it is used. `line` counts from 1.

    `skipped` tells a file that is passed over with a note (a Helm template) from one that ought to be readable.
    """

    file: str
    line: int | None
    reason: str
    skipped: bool = False


class File:
    """A file to be read: its path in the repository, its bytes, and (parsed once, when a format first asks) its YAML."""

    def __init__(self, path: str, data: bytes) -> None:
        self.path = path
        self.data = data

    @property
    def name(self) -> str:
        """The path without its folders."""
        return self.path.rpartition("/")[2]

    @cached_property
    def source(self) -> Source:
        """The file as YAML. Raises YamlError."""
        return Source(self.data)


class ManifestFormat(Protocol):
    """One file format; a module serves as the object.

    A YAML file is offered document by document, any other file as a whole (`document` None); the first format in the table
    that claims it reads it. So a file may hold documents of several formats, and is parsed once for all of them.
    """

    NAME: str
    VERSION: int  # raised when `find` answers differently for the same bytes: parsed files are cached under it
    HINT: re.Pattern[bytes]  # a file without a match holds nothing of this format; asked before the file is parsed

    def wants(self, path: str) -> bool:
        """Whether a file with this path can be of this format; asked before its bytes are read."""

    def claims(self, file: File, document: Node | None) -> bool:
        """Whether the document is of this format."""

    def find(self, file: File, document: Node | None) -> Iterator[Occurrence]:
        """Every image in the document, in order. Raises YamlError where it does not parse."""
