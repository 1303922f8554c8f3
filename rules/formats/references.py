"""Image references in YAML, as one scalar or split over the keys of a mapping: what the YAML formats share.

    image: ghcr.io/acme/web:1.2.3@sha256:…        one scalar; so may any key that ends in `Image`, with a tag or a digest

    image:                                        split: `repository`, or `name` below `image`,
      registry: ghcr.io                           or an `image` beside a `tag`;
      repository: acme/web                        a digest in `digest`, as hex in `sha`, or behind the tag
      tag: 1.2.3

What is found is held against the grammar: a word that is no reference is no image. A word alone (`image: web`) is one only in a
list of containers; elsewhere it may be a disk, a picture or the name of a build.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from rules.edits import Span
from rules.formats.base import Occurrence
from rules.images import BadReference, ImageRef, is_digest, is_tag
from rules.yamls import FLUX_MARKER, Source, items, text, walk

_COMMENT = re.compile(r"\s#\s*(?=tagboat:|\{)")
_VARIABLE = re.compile(r"\$\{[^{}]*\}?|\$\([^()]*\)?|\$[A-Za-z_]\w*|\{\{.*?\}\}|\{%.*?%\}|<%.*?%>")
_LITERAL = re.compile(r"[a-z0-9]")  # an image that is nothing but variables is named elsewhere
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".svg", ".ico", ".webp", ".iso", ".img", ".qcow2", ".vmdk", ".tar", ".gz")
LENGTH_LIMIT = 1024  # characters of a reference: a name, a tag and a digest are shorter
_LINE_LIMIT = 1024  # characters behind a value in which a marker is looked for: a file may be one line of megabytes
_COMPONENT = re.compile(r"[a-z0-9._-]+\Z")  # the last part of a name, without a tag
_HEX = re.compile(r"[0-9a-f]{64}\Z")
_ALGORITHMS = ("sha256:", "sha384:", "sha512:", "blake3:")  # a digest alone; by the grammar it would be an image with a tag
_IMAGE_KEYS = ("Image", "_image", "-image")
_TAG_KEYS = ("ImageTag", "imageTag", "image_tag")


Place = Callable[[int, int], int | None]


@dataclass(frozen=True, slots=True)
class Parts:
    """The scalars that an image is split over; `registry` and `names` are joined by slashes."""

    registry: ScalarNode | None
    names: tuple[ScalarNode, ...]
    tag: ScalarNode | None = None
    digest: ScalarNode | None = None


@dataclass(slots=True)
class Finder:
    """Finds the images of one document; each place comes once, however many aliases and merge keys lead to it."""

    path: str
    format: str
    source: Source
    seen: set[tuple[int, ...]] = field(default_factory=set)

    def everywhere(self, root: Node, skip: frozenset[str] = frozenset()) -> Iterator[Occurrence]:
        """Every image in the mappings from a node down, save below the keys of `skip`."""
        for parent, mapping in walk(root, skip):
            yield from self.mapping(parent, mapping)
            if self.source.marked:
                yield from self._marked(mapping)

    def mapping(self, parent: str, mapping: MappingNode) -> Iterator[Occurrence]:
        """The images whose keys stand in this one mapping; `parent` is the key that holds it."""
        if not _is_image(parent) and not any(_tells(key.value) for key, _ in mapping.value):
            return
        scalars: dict[str, ScalarNode] = {}
        for key, value in items(mapping):
            if isinstance(value, ScalarNode):
                scalars[key.value] = value
        taken: set[str] = set()
        for keys, parts in _split(parent, scalars):
            taken |= keys
            if found := self.split(parts):
                yield found
        for name, node in scalars.items():
            if name not in taken and (found := self._alone(parent, name, node)):
                yield found

    def _alone(self, parent: str, key: str, node: ScalarNode) -> Occurrence | None:
        """The image in one scalar, if it may be one by its key."""
        if not text(node):
            return None
        if key == "image" or (key == "reference" and parent == "image"):
            return self.scalar(node, bare=parent.endswith("ontainers"))
        if key.endswith(_IMAGE_KEYS) or key == "imageName" or (key == "name" and parent == "image"):
            return self.scalar(node, tagged=True)
        if parent == "images" and "/" in node.value:
            return self.scalar(node, tagged=True)
        return None

    def scalar(self, node: ScalarNode, *, bare: bool = False, tagged: bool = False) -> Occurrence | None:
        """The image in one scalar. A word alone counts if `bare`; without tag and digest nothing counts if `tagged`."""
        return self.reference(node, _value(node), None, bare=bare, tagged=tagged)

    def reference(
        self, node: ScalarNode, value: str, place: Place | None, *, bare: bool = False, tagged: bool = False
    ) -> Occurrence | None:
        """The image that a scalar stands for, `value` being what its text means.

        `place` tells where in the scalar a part of the value begins, None where it does not stand there in one piece; without it
        the value is the text itself.
        """
        if (id(node),) in self.seen or len(value) > LENGTH_LIMIT or value.startswith(_ALGORITHMS):
            return None
        try:
            ref = ImageRef.parse(value)
        except BadReference:
            return None if tagged else self._unresolved(node, value, node)
        if not ref.tag and not ref.digest and (tagged or not (bare or "/" in ref.name) or ref.name.endswith(_PICTURES)):
            return None
        self.seen.add((id(node),))
        begin = self.source.begin(node)
        spans: list[Span | None] = []
        for part, start in ((ref.tag, len(ref.name) + 1), (ref.digest, len(value) - len(ref.digest or ""))):
            at = place(start, start + len(part)) if place and part else start
            spans.append(None if at is None else self._span(begin, at, part))
        line = self._line(node)
        return Occurrence(
            file=self.path,
            line=line,
            format=self.format,
            image=ref.name,
            tag=ref.tag,
            digest=ref.digest,
            tag_line=line if ref.tag or ref.digest else None,
            tag_span=spans[0],
            digest_span=spans[1],
            directive=self.directive(node),
        )

    def split(self, parts: Parts) -> Occurrence | None:
        """The image that several scalars make together."""
        if parts.registry is None and len(parts.names) == 1 and not (parts.tag or parts.digest):
            return self.scalar(parts.names[0], bare=True)
        nodes = [node for node in (parts.tag, parts.digest, parts.registry, *parts.names) if node]
        if (place := tuple(map(id, nodes))) in self.seen:
            return None
        last, tag, digest = _pieces(parts)
        names = [*(_value(node) for node in (parts.registry, *parts.names[:-1]) if node), last]
        name = "/".join(part.strip("/") for part in names)
        written = name + (f":{tag.text}" if tag else "") + (f"@{digest.prefix}{digest.text}" if digest else "")
        if len(written) > LENGTH_LIMIT:
            return None
        where = tag or digest
        try:
            ref = ImageRef.parse(written)
        except BadReference:
            return self._unresolved(parts.names[0], written, where.node if where else parts.names[0])
        if ref.name != name:  # a registry or a folder with a tag of its own
            return None
        self.seen.add(place)
        digest_span = self._span(self.source.begin(digest.node), digest.at, digest.text) if digest else None
        return Occurrence(
            file=self.path,
            line=self._line(parts.names[0]),
            format=self.format,
            image=name,
            tag=ref.tag,
            digest=ref.digest,
            tag_line=self._line(where.node) if where else None,
            tag_span=self._span(self.source.begin(tag.node), tag.at, tag.text) if tag else None,
            digest_span=None if digest and digest.prefix else digest_span,
            sha_span=digest_span if digest and digest.prefix else None,
            scalar="whole" if tag and not tag.node.style and tag.text == tag.node.value else "part",
            directive=self.directive(*nodes),
        )

    def directive(self, *nodes: ScalarNode) -> str | None:
        """The marker comment on the line of the first of these nodes that has one."""
        for node in nodes:
            # The end mark of a block scalar is after its text; nothing but text stands beside that.
            if node.style not in ("|", ">") and (comment := self._comment(node.end_mark.index)):
                return comment
        return None

    def _comment(self, index: int) -> str | None:
        if not self.source.marked:
            return None
        rest = self.source.rest_of_line(index, _LINE_LIMIT)
        for match in _COMMENT.finditer(rest) if "#" in rest else ():
            comment = rest[match.end() :]
            if comment.startswith("tagboat:"):
                return comment.rstrip()
            if FLUX_MARKER in comment and "}" in comment:
                return comment[: comment.rindex("}") + 1]
        return None

    def _marked(self, mapping: MappingNode) -> Iterator[Occurrence]:
        """Images under any other key, where a marker says that they are images."""
        for _, node in mapping.value:
            for value in [node] if node.__class__ is ScalarNode else [one for one in node.value if one.__class__ is ScalarNode]:
                if self.directive(value) and (found := self.scalar(value, tagged=True)):
                    yield found

    def _unresolved(self, node: ScalarNode, written: str, tag: ScalarNode) -> Occurrence | None:
        variable = _VARIABLE.search(written)
        place = (id(node), id(tag))
        if variable is None or not _LITERAL.search(_VARIABLE.sub("", written)) or "\n" in written or place in self.seen:
            return None
        self.seen.add(place)
        name, _, last = written.rpartition(":")
        known = bool(name) and is_tag(last)
        return Occurrence(
            file=self.path,
            line=self._line(node),
            format=self.format,
            image=name if known else written,
            tag=last if known else None,
            tag_line=self._line(tag),
            directive=self.directive(tag, node),
            unresolved=f"{variable[0]} is not known here",
        )

    def _line(self, node: ScalarNode) -> int:
        start = self.source.begin(node)
        return self.source.line(node.start_mark.index if start is None else start)

    def _span(self, begin: int | None, at: int, text: str | None) -> Span | None:
        if begin is None or text is None:
            return None
        return Span(self.source.offset(begin + at), self.source.offset(begin + at + len(text)))


class _Piece(NamedTuple):
    """A text in a scalar, `at` so many characters from its begin; `prefix` is what the file leaves out before it."""

    node: ScalarNode
    at: int
    text: str
    prefix: str = ""


def _pieces(parts: Parts) -> tuple[str, _Piece | None, _Piece | None]:
    """The last name without tag and digest, and where those stand: in keys of their own, one in the other's, or in the name."""
    last, tag, digest = _value(parts.names[-1]), None, None
    if parts.tag:
        value = _value(parts.tag)
        before, at, behind = value.partition("@")
        if is_digest(value):
            digest = _Piece(parts.tag, 0, value)
        else:
            tag = _Piece(parts.tag, 0, before) if before else None
            digest = _Piece(parts.tag, len(before) + 1, behind) if at else None
    elif (ref := _reference(parts.names[-1])) and (ref.tag or ref.digest):
        tag = _Piece(parts.names[-1], len(ref.name) + 1, ref.tag) if ref.tag else None
        digest = _Piece(parts.names[-1], len(last) - len(ref.digest), ref.digest) if ref.digest else None
        last = ref.name
    if digest is None and parts.digest:
        value = _value(parts.digest)
        # Some charts have the hex digits alone, and write the algorithm themselves.
        digest = _Piece(parts.digest, 0, value, "sha256:" if _HEX.match(value) else "")
    return last, tag, digest


def _split(parent: str, scalars: Mapping[str, ScalarNode]) -> Iterator[tuple[set[str], Parts]]:
    """The split images of a mapping, each with the keys that make no image by themselves."""
    filled = {key: node for key, node in scalars.items() if text(node)}
    get = filled.get
    registry, repository, image, tag = get("registry"), get("repository"), get("image"), get("tag")
    digest = get("digest") or get("sha") or get("sha256")
    if repository and "://" not in repository.value:
        if image and (tag or get("version")) and _COMPONENT.match(image.value):
            yield {"image"}, Parts(registry, (repository, image), tag or get("version"), digest)
        elif not tag and _is_image(parent) and (version := get("version")):
            yield set(), Parts(registry, (repository,), version, digest)
        elif "tag" in scalars or digest or registry or _is_image(parent):
            yield set(), Parts(registry, (repository,), tag, digest)
    elif image and (tag or digest) and _is_reference(image, tagged=not tag):
        registry = registry or get("hub")
        # Istio's charts leave `hub` empty to say that it is set elsewhere.
        if registry or "hub" not in scalars or "/" in image.value:
            yield {"image"}, Parts(registry, (image,), tag, digest)
    elif (name := get("name")) and _is_image(parent) and (tag or digest):
        yield {"name"}, Parts(registry, (name,), tag, digest)
    for key in filled:
        if key.endswith(_TAG_KEYS):
            before = key.removesuffix("Tag").removesuffix("_tag")
            for rest in ("Repository", "_repository", "Name", "_name", ""):
                if (name := get(before + rest)) and _is_reference(name):
                    yield {before + rest}, Parts(get(f"{before}Registry") or get(f"{before}_registry"), (name,), filled[key])
                    break


def _tells(key: object) -> bool:
    """Whether a mapping with this key can hold an image."""
    return isinstance(key, str) and ("mage" in key or key in ("repository", "<<"))


def _is_image(key: str) -> bool:
    return key.lower().endswith(("image", "images"))


def _is_reference(node: ScalarNode, *, tagged: bool = False) -> bool:
    """Whether the scalar is an image without digest, and without a tag unless `tagged`."""
    ref = _reference(node)
    if ref is None:
        return len(node.value) <= LENGTH_LIMIT and _VARIABLE.search(node.value) is not None
    return not ref.digest and (tagged or not ref.tag)


def _reference(node: ScalarNode) -> ImageRef | None:
    value = _value(node)
    try:
        return ImageRef.parse(value) if len(value) <= LENGTH_LIMIT else None
    except BadReference:
        return None


def _value(node: ScalarNode) -> str:
    return node.value.rstrip("\n") if node.style in ("|", ">") else str(node.value)
