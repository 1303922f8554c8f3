"""Image references by the distribution grammar, and what they are called in full."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.images import BadReference, ImageRef, canonical, is_digest, is_tag

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "name", "tag", "digest"),
    [
        ("nginx", "nginx", None, None),
        ("nginx:1.25", "nginx", "1.25", None),
        ("acme/web", "acme/web", None, None),
        ("ghcr.io/acme/web:v1.2.3", "ghcr.io/acme/web", "v1.2.3", None),
        ("localhost:5000/web", "localhost:5000/web", None, None),
        ("localhost:5000/web:1.2", "localhost:5000/web", "1.2", None),
        ("10.0.0.1:30000/web:1", "10.0.0.1:30000/web", "1", None),
        ("[::1]:5000/web:1", "[::1]:5000/web", "1", None),
        ("[2001:db8::7]/acme/web", "[2001:db8::7]/acme/web", None, None),
        (f"acme/web@{DIGEST}", "acme/web", None, DIGEST),
        (f"acme/web:1.2@{DIGEST}", "acme/web", "1.2", DIGEST),
        ("HARBOR.example.com/team/web:1", "HARBOR.example.com/team/web", "1", None),
        ("a/b/c/d/e:latest", "a/b/c/d/e", "latest", None),
        ("a__b/c---d/e.f/g_h", "a__b/c---d/e.f/g_h", None, None),
        ("web:_underscore", "web", "_underscore", None),
        ("web:" + "t" * 128, "web", "t" * 128, None),
        ("web@sha512+b64u:" + "a" * 32, "web", None, "sha512+b64u:" + "a" * 32),
    ],
)
def test_a_reference_is_read(text: str, name: str, tag: str | None, digest: str | None) -> None:
    assert ImageRef.parse(text) == ImageRef(name, tag, digest)
    assert str(ImageRef.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("Acme/Web", "lower case"),
        ("acme/Web:1", "lower case"),
        ("https://ghcr.io/acme/web", "scheme"),
        (" web", "white space"),
        ("web:1 # no", "white space"),
        ("web:1\n", "white space"),
        ("web:", "not an image reference"),
        ("web:-1", "not an image reference"),
        ("web:1.2:3", "not an image reference"),
        ("web:" + "t" * 129, "not an image reference"),
        ("web@sha256:abc", "not an image reference"),
        ("web@", "not an image reference"),
        ("/web", "not an image reference"),
        ("web/", "not an image reference"),
        ("a//b", "not an image reference"),
        ("-web", "not an image reference"),
        ("a..b", "not an image reference"),
        ("a___b", "not an image reference"),
        ("alpine:invalid!", "not an image reference"),
        ("[::1/web", "not an image reference"),
        ("web:é", "not an image reference"),
        ("w" * 256, "longer than"),
    ],
)
def test_what_is_no_reference_says_why(text: str, why: str) -> None:
    with pytest.raises(BadReference, match=why):
        ImageRef.parse(text)


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("nginx", "docker.io/library/nginx"),
        ("library/nginx", "docker.io/library/nginx"),
        ("acme/web", "docker.io/acme/web"),
        ("docker.io/nginx", "docker.io/library/nginx"),
        ("index.docker.io/acme/web", "docker.io/acme/web"),
        ("registry-1.docker.io/library/nginx", "docker.io/library/nginx"),
        ("localhost/web", "localhost/web"),
        ("localhost:5000/web", "localhost:5000/web"),
        ("Harbor.Example.com/team/web", "harbor.example.com/team/web"),
        ("ghcr.io/acme/web", "ghcr.io/acme/web"),
        ("acme.web/api", "acme.web/api"),
    ],
)
def test_every_spelling_of_an_image_has_one_full_name(name: str, full: str) -> None:
    ref = ImageRef.parse(name)
    assert ref.canonical == canonical(name) == f"{ref.registry}/{ref.repository}" == full


@pytest.mark.parametrize("text", ["latest", "1", "1.10", "_", "a-b_c.D", "x" * 128])
def test_a_tag(text: str) -> None:
    assert is_tag(text)


@pytest.mark.parametrize("text", ["", "-a", ".a", "a b", "a:b", "a/b", "a@b", "é", "x" * 129, "a\n"])
def test_no_tag(text: str) -> None:
    assert not is_tag(text)


def test_digests() -> None:
    assert is_digest(DIGEST)
    assert not any(map(is_digest, ["", "sha256:", "sha256:" + "a" * 31, "sha256:" + "g" * 64, DIGEST + "\n", f"@{DIGEST}"]))


ALNUM = st.text("abcxyz019", min_size=1, max_size=6)
COMPONENT = st.builds(
    lambda first, rest: first + "".join(rest),
    ALNUM,
    st.lists(st.builds("{}{}".format, st.sampled_from([".", "_", "__", "-", "---"]), ALNUM), max_size=2),
)
LABEL = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,5}[a-zA-Z0-9])?", fullmatch=True)
HOST = st.one_of(
    st.lists(LABEL, min_size=2, max_size=3).map(".".join),
    st.just("localhost"),
    st.from_regex(r"\[[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,7}\]", fullmatch=True),
)
PORT = st.one_of(st.just(""), st.integers(1, 65535).map(":{}".format))
NAME = st.builds(
    lambda host, path: host + "/".join(path),
    st.one_of(st.just(""), st.builds("{}{}/".format, HOST, PORT)),
    st.lists(COMPONENT, min_size=1, max_size=4),
)
TAG = st.one_of(st.none(), st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}", fullmatch=True))
DIGESTS = st.one_of(st.none(), st.from_regex(r"(sha256|sha512|blake3|a\.b-c\+d_e):[0-9a-fA-F]{32,128}", fullmatch=True))


@given(NAME, TAG, DIGESTS)
def test_what_is_printed_is_read_back(name: str, tag: str | None, digest: str | None) -> None:
    ref = ImageRef(name, tag, digest)
    assert ImageRef.parse(str(ref)) == ref
    assert ImageRef.parse(ref.canonical).canonical == ref.canonical


@given(st.text("aA0:/@._-[] \n", max_size=30))
def test_any_text_is_read_exactly_or_refused(text: str) -> None:
    with suppress(BadReference):
        assert str(ImageRef.parse(text)) == text
