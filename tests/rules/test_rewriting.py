"""Edits with proof: only tags and digests change, what is read again is what was wished, twice is once, the rest is refused."""

from __future__ import annotations

from contextlib import suppress
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from rules.formats import scan
from rules.formats.base import Occurrence
from rules.rewriting import Unprovable, reads_as_string, rewrite
from rules.updates import Target
from tests.rules.manifests import HEX, TAGS, Manifest, Piece, manifests

DIGEST = "sha256:" + "0123456789abcdef" * 4
OTHER = "sha256:" + "fedcba9876543210" * 4
VALUES = "charts/web/values.yaml"


def occurrences(path: str, data: bytes) -> list[Occurrence]:
    found, unread = scan(path, data)
    assert unread is None, unread
    return found


def moved(text: str, *targets: Target | None, path: str = VALUES) -> str:
    """The file with these targets for its images, in order; None leaves one as it is."""
    found = occurrences(path, text.encode())
    wishes = {one: target for one, target in zip(found, targets, strict=True) if target}
    return rewrite(path, text.encode(), wishes).decode()


@pytest.mark.parametrize(
    ("before", "target", "after"),
    [
        ("image: acme/web:1.4", Target("1.5"), "image: acme/web:1.5"),
        ("image: acme/web:1.4", Target("1.4"), "image: acme/web:1.4"),
        (f"image: acme/web:1.4@{DIGEST}", Target("1.5", OTHER), f"image: acme/web:1.5@{OTHER}"),
        (f"image: acme/web@{DIGEST}", Target(None, OTHER), f"image: acme/web@{OTHER}"),
        ("image: acme/web:1.4", Target("1.5", DIGEST), f"image: acme/web:1.5@{DIGEST}"),
        ("image: acme/web:1.4", Target("1.4", DIGEST), f"image: acme/web:1.4@{DIGEST}"),
        ("image: 'acme/web:1.4' # c", Target("2", DIGEST), f"image: 'acme/web:2@{DIGEST}' # c"),
        ("{image: acme/web:1.4, a: b}", Target("2", DIGEST), f"{{image: acme/web:2@{DIGEST}, a: b}}"),
        # quotes where YAML would read something else than a string
        ("image: {repository: acme/web, tag: v1}", Target("v2"), "image: {repository: acme/web, tag: v2}"),
        ("image: {repository: acme/web, tag: v1}", Target("1.10"), 'image: {repository: acme/web, tag: "1.10"}'),
        ("image: {repository: 'acme/web', tag: v1}", Target("1.10"), "image: {repository: 'acme/web', tag: '1.10'}"),
        ("image: {tag: v1, repository: 'acme/web'}", Target("1.10"), "image: {tag: '1.10', repository: 'acme/web'}"),
        ("image: {repository: acme/web, tag: 1.4}", Target("v1"), "image: {repository: acme/web, tag: v1}"),
        ("image: {repository: acme/web, tag: '1.4'}", Target("1.10"), "image: {repository: acme/web, tag: '1.10'}"),
        ("image:\n  repository: acme/web\n  tag: 1.4 # c", Target("1.5"), 'image:\n  repository: acme/web\n  tag: "1.5" # c'),
        ("image:\n  repository: acme/web\n  tag: |\n    1.4", Target("1.5"), "image:\n  repository: acme/web\n  tag: |\n    1.5"),
        ("image: {repository: acme/web, tag: &t 1.4}", Target("1.5"), 'image: {repository: acme/web, tag: &t "1.5"}'),
        ("image: {repository: acme/web, tag: !!str 1.4}", Target("1.5"), 'image: {repository: acme/web, tag: !!str "1.5"}'),
        (f"image: {{repository: a/b, tag: 1.4@{DIGEST}}}", Target("1.5", OTHER), f"image: {{repository: a/b, tag: 1.5@{OTHER}}}"),
        # hex digits alone
        (
            f"image: {{repository: a/b, tag: v1, sha: {DIGEST[7:]}}}",
            Target("v2", OTHER),
            f"image: {{repository: a/b, tag: v2, sha: {OTHER[7:]}}}",
        ),
        (
            f"image: {{repository: a/b, tag: v1, sha: {DIGEST[7:]}}}",
            Target("v1", "sha256:" + "1" * 64),
            f'image: {{repository: a/b, tag: v1, sha: "{"1" * 64}"}}',
        ),
    ],
)  # fmt: skip
def test_what_is_written(before: str, target: Target, after: str) -> None:
    assert moved(before, target) == after
    assert moved(after, target) == after


@pytest.mark.parametrize(
    ("text", "targets", "line", "reason"),
    [
        ("image: acme/web:1", [Target("1 2")], 1, "not a tag"),
        ("image: acme/web:1", [Target("")], 1, "not a tag"),
        ("image: acme/web:1", [Target("é")], 1, "not a tag"),
        ("image: acme/web:1", [Target("a\nb: c")], 1, "not a tag"),
        ("image: acme/web:1", [Target("2", "sha256:1")], 1, "not a digest"),
        ("image: acme/web:1", [Target(None, DIGEST)], 1, "cannot be added or taken away"),
        (f"image: acme/web@{DIGEST}", [Target("1", OTHER)], 1, "cannot be added or taken away"),
        ("image: {repository: acme/web, tag: ''}", [Target("1")], 1, "cannot be added or taken away"),
        (f"image: acme/web:1@{DIGEST}", [Target("2")], 1, "a digest stands there"),
        ("a: b\nimage:\n  repository: acme/web\n  tag: v1", [Target("v1", DIGEST)], 4, "a key of its own"),
        ('image: {repository: acme/web, "tag":v1}', [Target("v1", DIGEST)], 1, "a key of its own"),
        ("image: '{{ r }}/web:1'", [Target("2")], 1, "not known in full"),
        ('image: "acme/web:\\x31"', [Target("2")], 1, "not written in one piece"),
        (f'image: "acme/web@\\x73{DIGEST[1:]}"', [Target(None, OTHER)], 1, "not written in one piece"),
        (f"image: {{repository: a/b, tag: v1, sha: {DIGEST[7:]}}}", [Target("v1", "sha512:" + "1" * 128)], 1, "in one piece"),
        # one tag for two images
        (
            "a: &t 1\nx: {image: {repository: a/x, tag: &v v1}}\ny: {image: {repository: a/y, tag: *v}}",
            [Target("v2"), None],
            2,
            "a/y has its tag from the same place",
        ),
        (
            "x: {image: {repository: a/x, tag: &v v1}}\ny: {image: {repository: a/y, tag: *v}}",
            [Target("v2"), Target("v3")],
            None,
            "contradict each other",
        ),
    ],
)  # fmt: skip
def test_what_is_refused_by_name(text: str, targets: list[Target | None], line: int | None, reason: str) -> None:
    with pytest.raises(Unprovable, match=reason) as caught:
        moved(text + "\n", *targets)
    assert (caught.value.file, caught.value.line) == (VALUES, line)
    assert str(caught.value).startswith(VALUES + ":")


def test_a_number_in_json_becomes_a_text() -> None:
    text = '{"apiVersion":"a/v1","kind":"Web","image":{"repository":"acme/web","tag":1}}'
    assert moved(text, Target("v2"), path="web.json") == text.replace('"tag":1', '"tag":"v2"')


def test_a_tag_in_pieces_is_refused() -> None:
    with pytest.raises(Unprovable, match="one piece"):
        moved("services: {a: {image: 'web:${A:-1}-alpine'}}", Target("2-alpine"), path="compose.yaml")


def test_two_images_with_one_tag_move_together() -> None:
    text = "x: {image: {repository: a/x, tag: &v v1}}\ny: {image: {repository: a/y, tag: *v}}\n"
    assert moved(text, Target("v2"), Target("v2")) == text.replace("v1", "v2")


def test_an_image_that_does_not_stand_there_is_refused() -> None:
    (one,) = occurrences(VALUES, b"image: acme/web:1\n")
    for data in (b"image: acme/web:2\n", b"\nimage: acme/web:1\n", b"image: acme/api:1\n", b""):
        with pytest.raises(Unprovable, match="does not stand there"):
            rewrite(VALUES, data, {one: Target("3")})


def test_a_file_that_does_not_parse_is_refused() -> None:
    (one,) = occurrences(VALUES, b"image: acme/web:1\n")
    with pytest.raises(Unprovable, match="could not be read") as caught:
        rewrite(VALUES, b"image: acme/web:1\na: [\n", {one: Target("2")})
    assert caught.value.line == 3


def test_an_edit_that_breaks_the_limits_is_refused() -> None:
    data = b"image: acme/web:1 # " + b"-" * (4 * 2**20 - 30)
    (one,) = occurrences(VALUES, data)
    with pytest.raises(Unprovable, match="larger than"):
        rewrite(VALUES, data, {one: Target("1" * 100)})


STRINGS = [
    "v1",
    "1.2.3",
    "main-3f2a9c1",
    "3f2a9c1",
    "1.2-alpine",
    "latest",
    "release-2024",
    "e3",
    "v1.10",
    "2024.01.02",
    "1a",
    "nul",
]
OTHERS = [
    "1",
    "1.10",
    "0755",
    "1_000",
    "1e3",
    "1E3",
    "0x1f",
    "0b1",
    "0o17",
    "true",
    "False",
    "yes",
    "NO",
    "on",
    "off",
    "y",
    "N",
    "null",
    "2024-01-02",
]
# fmt: on


@pytest.mark.parametrize("text", STRINGS)
def test_strings(text: str) -> None:
    assert reads_as_string(text)


@pytest.mark.parametrize("text", ["", "~", ".5", ".inf", "-1", "12:30:45", *OTHERS])
def test_what_some_reader_takes_for_something_else(text: str) -> None:
    assert not reads_as_string(text)


@pytest.mark.parametrize("version", [(1, 1), (1, 2)])
@settings(max_examples=300)
@given(tag=TAGS)
def test_what_reads_as_a_string_is_one_to_yaml(version: tuple[int, int], tag: str) -> None:
    reader = YAML(typ="safe", pure=True)
    reader.version = version
    if reads_as_string(tag):
        assert reader.load(StringIO(f"a: {tag}\n")) == {"a": tag}


def targets(manifest: Manifest, found: list[Occurrence], texts: dict[tuple[int, str], str]) -> dict[Occurrence, Target]:
    """What is wished for each occurrence: the texts of the image that the manifest says stands there."""
    order: list[int] = []
    for piece in manifest.pieces:
        if isinstance(piece, Piece) and piece.image not in order:
            order.append(piece.image)
    assert len(found) == len(order)
    wishes = {}
    for image, one in zip(order, found, strict=True):
        digest = texts.get((image, "digest")) or ((hex_ := texts.get((image, "hex"))) and f"sha256:{hex_}")
        wishes[one] = Target(texts.get((image, "tag"), one.tag), digest or one.digest)
    return wishes


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_random_manifests_and_random_tags(data: st.DataObject) -> None:
    manifest = data.draw(manifests())
    new: dict[tuple[int, str], str] = {}
    written: dict[tuple[int, str], str] = {}
    before = manifest.data()
    for piece in manifest.pieces:
        if isinstance(piece, Piece):
            text = data.draw({"tag": TAGS, "digest": HEX.map("sha256:{}".format), "hex": HEX}[piece.kind])
            new[piece.image, piece.kind] = text
            same = text == piece.text
            written[piece.image, piece.kind] = text if same or not piece.alone or reads_as_string(text) else f'"{text}"'
    found = occurrences(manifest.path, before)
    assert {one.format for one in found} == {manifest.format}
    wishes = targets(manifest, found, new)
    after = rewrite(manifest.path, before, wishes)

    # Only the bytes of tags and digests differ; quotes are of either kind.
    expected = manifest.with_texts(written).data()
    assert after.replace(b"'", b'"') == expected.replace(b"'", b'"')
    # Read again it says what was wished, and wishing it again changes nothing.
    now = occurrences(manifest.path, after)
    assert [Target(one.tag, one.digest) for one in now] == list(wishes.values())
    assert rewrite(manifest.path, after, {one: Target(one.tag, one.digest) for one in now}) == after
    # Any part of the wishes can be had alone.
    some = {one: target for one, target in wishes.items() if data.draw(st.booleans())}
    between = rewrite(manifest.path, before, some)
    rest = [one for one, old in zip(occurrences(manifest.path, between), found, strict=True) if old not in some]
    assert [(one.image, one.tag, one.digest) for one in rest] == [
        (old.image, old.tag, old.digest) for old in found if old not in some
    ]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_nothing_but_a_refusal_is_ever_raised(data: st.DataObject) -> None:
    """Files that are cut, doubled and littered; wishes of any text."""
    manifest = data.draw(manifests())
    whole = manifest.data()
    first, second = sorted((data.draw(st.integers(0, len(whole))), data.draw(st.integers(0, len(whole)))))
    litter = data.draw(
        st.sampled_from([b"", b"\xff", b"\t", b"'", b"{{ x }}", b"\n---\n", b": ", b"#", b"\r", b"- ", b"*a", b"&a "])
    )
    broken = whole[:first] + litter + whole[data.draw(st.sampled_from([first, second])) :]
    found, unread = scan(manifest.path, broken)
    assert not (found and unread)
    texts = st.one_of(st.none(), TAGS, HEX.map("sha256:{}".format), st.text(max_size=5))
    wishes = {one: Target(data.draw(texts), data.draw(texts)) for one in found}
    with suppress(Unprovable):
        after = rewrite(manifest.path, broken, wishes)
        for one, target in zip(occurrences(manifest.path, after), wishes.values(), strict=True):
            assert (one.tag, one.digest or target.digest) == (target.tag, target.digest or one.digest)
