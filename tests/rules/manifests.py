"""Random manifests, built of pieces of which some are tags and digests: what an edit has to make of them is known beforehand."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import strategies as st

SHA = "sha256:"


@dataclass(frozen=True, slots=True)
class Piece:
    """A tag, a digest or its hex digits, and the image it belongs to; `alone` is a plain scalar by itself."""

    image: int
    kind: str
    text: str
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Manifest:
    """A file in pieces: text that stays, and the pieces that an edit may change."""

    path: str
    format: str
    pieces: tuple[str | Piece, ...]
    mark: bool

    @property
    def images(self) -> int:
        return len({piece.image for piece in self.pieces if isinstance(piece, Piece)})

    def data(self) -> bytes:
        """The file."""
        text = "".join(piece if isinstance(piece, str) else piece.text for piece in self.pieces)
        return (b"\xef\xbb\xbf" if self.mark else b"") + text.encode()

    def with_texts(self, texts: dict[tuple[int, str], str]) -> Manifest:
        """The same with other tags (`(image, "tag")`) and digests."""
        return replace(
            self,
            pieces=tuple(
                replace(piece, text=texts.get((piece.image, piece.kind), piece.text)) if isinstance(piece, Piece) else piece
                for piece in self.pieces
            ),
        )


TAGS = st.one_of(
    st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}", fullmatch=True),
    st.from_regex(r"v?[0-9]{1,3}(\.[0-9]{1,3}){0,3}(-(rc|alpine)[0-9]?)?", fullmatch=True),
    st.sampled_from(
        ["1.10", "1e3", "0x1F", "0o17", "1_000", "true", "No", "null", "2024-01-02", "007", "12e45", "_1", "1.", "y"]
    ),
)
HEX = st.one_of(st.from_regex(r"[0-9a-f]{64}", fullmatch=True), st.sampled_from(["1" * 64, "1" * 30 + "e" + "2" * 33, "0" * 64]))
NAMES = st.sampled_from(["web", "acme/web", "ghcr.io/acme/web", "localhost:5000/web", "registry.example.com:443/a/b-c_d/e"])
WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\x85\ufeff"), max_size=20
)
QUOTES = st.sampled_from(["", "'", '"'])


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    """A file of one of the formats, with one to five images in many ways of writing."""
    kind = draw(st.sampled_from(sorted(_KINDS)))
    path, head, entry = _KINDS[kind]
    lines: list[list[str | Piece]] = [[one] for one in head]
    for image in range(draw(st.integers(1, 5))):
        lines += draw(st.lists(st.builds(lambda words: ["# " + words], WORDS), max_size=2))
        lines += entry(draw, image)
    pieces: list[str | Piece] = []
    last = draw(st.booleans())
    for number, line in enumerate(lines):
        end = draw(st.sampled_from(["\n", "\r\n"]))
        pieces += [*line, "" if last and number == len(lines) - 1 else end]
    return Manifest(path, kind, tuple(pieces), draw(st.booleans()))


def _reference(draw: st.DrawFn, image: int) -> list[str | Piece]:
    """A reference in one scalar, of which at least the tag or the digest is there."""
    pieces: list[str | Piece] = [draw(NAMES)]
    tag, digest = draw(st.sampled_from([(True, False), (False, True), (True, True)]))
    if tag:
        pieces += [":", Piece(image, "tag", draw(TAGS))]
    if digest:
        pieces += ["@", Piece(image, "digest", SHA + draw(HEX))]
    return pieces


def _tag(draw: st.DrawFn, image: int, quote: str) -> Piece:
    """A tag in a key of its own; without quotes `null` would be none."""
    return Piece(image, "tag", draw(TAGS.filter(lambda tag: bool(quote) or tag.lower() != "null")), alone=not quote)


def _comment(draw: st.DrawFn) -> str:
    return draw(st.sampled_from(["", " ", "\t# a", "  # tagboat: ignore"])) or ""


def _pod(draw: st.DrawFn, image: int) -> list[list[str | Piece]]:
    quote, reference = draw(QUOTES), _reference(draw, image)
    name = f'"{image} é"'
    match draw(st.integers(0, 4)):
        case 0:
            return [[f"    - name: {name}"], [f"      image: {quote}", *reference, quote, _comment(draw)]]
        case 1:
            return [[f"    - {{name: {name}, image: {quote}", *reference, quote, ", tty: true}", _comment(draw)]]
        case 2:
            return [[f"    - {{'name': {name}, \"image\":{quote or chr(34)}", *reference, quote or '"', "}"]]
        case 3:
            return [["    - image: >-"], ["        ", *reference], [f"      name: {name}"]]
        case _:
            return [[f"    - image: &image{image} {quote}", *reference, quote], [f"    - image: *image{image}"]]


def _entry(draw: st.DrawFn, image: int) -> list[list[str | Piece]]:
    quote = draw(QUOTES)
    tag = ["    newTag: ", quote, _tag(draw, image, quote), quote, _comment(draw)]
    name: list[str | Piece] = [f"    name: {draw(NAMES)}"]
    rest = [tag]
    if draw(st.booleans()):
        rest.append([f"    digest: {quote}", Piece(image, "digest", SHA + draw(HEX)), quote])
    lines = draw(st.permutations([name, *rest]))
    return [["  -" + str(lines[0][0])[3:], *lines[0][1:]], *lines[1:]]


def _values(draw: st.DrawFn, image: int) -> list[list[str | Piece]]:
    quote, name = draw(QUOTES), draw(NAMES)
    tag = _tag(draw, image, quote)
    match draw(st.integers(0, 4)):
        case 0:
            return [[f"a{image}: {{image: {quote}", *_reference(draw, image), quote, "}"]]
        case 1:
            return [[f"a{image}:"], ["  image:"], [f"    repository: {name}"], [f"    tag: {quote}", tag, quote, _comment(draw)]]
        case 2:
            digest = Piece(image, "digest", SHA + draw(HEX))
            return [[f"a{image}: {{image: {{tag: {quote}", tag, quote, ', digest: "', digest, f'", repository: "{name}"}}}}']]
        case 3:
            digits = draw(QUOTES)
            sha = Piece(image, "hex", draw(HEX), alone=not digits)
            return [[f"a{image}:"], [" image:"], [f"  repository: {name}"], ["  tag: 'v1'"], [f"  sha: {digits}", sha, digits]]
        case _:
            return [
                [f"a{image}:"],
                [f"  image: {name}"],
                [f"  imageTag: &tag{image} {quote}", tag, quote],
                [f"  same: *tag{image}"],
            ]


def _service(draw: st.DrawFn, image: int) -> list[list[str | Piece]]:
    quote, name = draw(QUOTES), draw(NAMES)
    match draw(st.integers(0, 2)):
        case 0:
            return [[f"  s{image}:"], [f"    image: {quote}", *_reference(draw, image), quote, _comment(draw)]]
        case 1:
            variable = ["${TAG:-", Piece(image, "tag", draw(TAGS)), "}"]
            return [[f"  s{image}:"], [f"    image: {quote}${{R:-acme.io}}/web:", *variable, quote]]
        case _:
            return [[f'  s{image}: {{image: "${{A-{name}:${{B:-', Piece(image, "tag", draw(TAGS)), '}}"}']]


_KINDS = {
    "kubernetes": ("pod.yaml", ["apiVersion: v1", "kind: Pod", 'metadata: {name: "🚢"}', "spec:", "  containers:"], _pod),
    "kustomize": ("kustomization.yaml", ["images:"], _entry),
    "helm-values": ("values.yaml", ["# é", "text: '日本'"], _values),
    "compose": ("compose.yaml", ["name: shop", "services:"], _service),
}
