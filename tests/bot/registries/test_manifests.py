"""What manifests and config blobs say, sound and unsound."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.registries import manifests
from bot.registries.manifests import BadManifest, Facts, is_genuine, platform

D = "sha256:" + "a" * 64
INDEX, IMAGE = manifests.INDEX_TYPES[0], manifests.MANIFEST_TYPES[0]


def entry(digest: str, os: str, architecture: str, variant: str = "") -> dict[str, Any]:
    return {"digest": digest, "platform": {"os": os, "architecture": architecture, "variant": variant}}


@pytest.mark.parametrize(
    ("os", "architecture", "variant", "expected"),
    [
        ("linux", "amd64", "", "linux/amd64"),
        ("linux", "arm64", "v8", "linux/arm64"),
        ("linux", "arm64", "", "linux/arm64"),
        ("unknown", "unknown", "", None),
        ("", "amd64", "", None),
        ("linux", "", "", None),
    ],
)
def test_platforms_have_one_spelling(os: str, architecture: str, variant: str, expected: str | None) -> None:
    assert platform({"os": os, "architecture": architecture, "variant": variant}) == expected


def test_an_index_lists_platforms_and_leaves_attestations_out() -> None:
    entries = [entry(D, "linux", "amd64"), entry("sha256:b", "linux", "arm64", "v8"), entry("sha256:c", "unknown", "unknown")]
    body = json.dumps({"manifests": [*entries, {"digest": "sha256:d"}], "annotations": {"a": "1", "b": 2}}).encode()
    facts = manifests.read(D, f"{INDEX}; charset=utf-8", body)
    assert (facts.is_index, facts.config) == (True, None)
    assert facts.platforms == {"linux/amd64": D, "linux/arm64": "sha256:b"}
    assert facts.labels == {"a": "1"}


def test_an_image_is_completed_by_its_config_and_annotations_win() -> None:
    layers = [{"size": 10}, {"size": 32}, {"size": "many"}, "no layer"]
    body = {"config": {"digest": "sha256:c"}, "layers": layers, "annotations": {"revision": "from the build"}}
    facts = manifests.read(D, IMAGE, json.dumps(body).encode())
    assert (facts.config, facts.size) == ("sha256:c", 42)
    labels = {"revision": "from the base image", "team": "a"}
    config = {"os": "linux", "architecture": "amd64", "created": "2026-01-02T03:04:05.123456789Z", "config": {"Labels": labels}}
    described = manifests.with_config(facts, json.dumps(config).encode()).described()
    assert described.platforms == {"linux/amd64"}
    assert described.labels == {"revision": "from the build", "team": "a"}
    assert described.created_at is not None
    assert described.created_at.isoformat().startswith("2026-01-02T03:04:05.123456")


@pytest.mark.parametrize("created", ["yesterday", None, 5, "", "99999-01-01T00:00:00Z"])
def test_a_time_that_is_none_is_left_out(created: object) -> None:
    facts = manifests.with_config(Facts(D, {}), json.dumps({"os": "linux", "architecture": "amd64", "created": created}).encode())
    assert facts.described().created_at is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no JSON"),
        (b"<html>", "no JSON"),
        (b"[]", "no JSON object"),
        (b"{}", "no manifest of an image"),
        (b'{"schemaVersion": 1, "fsLayers": []}', "schema 1"),
        (b'{"config": {}, "layers": []}', "no manifest of an image"),
        (b'{"manifests": {}, "mediaType": "application/vnd.oci.image.index.v1+json"}', "without manifests"),
        (b'{"manifests": [{}]}', "no digest"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_what_is_no_manifest(body: bytes, words: str) -> None:
    with pytest.raises(BadManifest, match=words):
        manifests.read(D, "text/html", body)


@pytest.mark.parametrize(
    "config", [b"{}", b'{"config": null}', b'{"config": {"Labels": null}}', b'{"config": {"Labels": ["x"]}}']
)
def test_an_artifact_that_is_no_image_has_no_platform(config: bytes) -> None:
    assert manifests.with_config(Facts(D, {}), config).platforms == {}


def test_labels_are_bounded() -> None:
    labels = {f"l{n}": "x" for n in range(1000)} | {"long": "x" * 5000}
    facts = manifests.with_config(Facts(D, {}), json.dumps({"config": {"Labels": labels}}).encode())
    assert len(facts.labels) == 200


TEXTS = st.text(max_size=10)


@given(
    TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=3), st.dictionaries(TEXTS, TEXTS, max_size=3), st.none() | TEXTS, st.booleans()
)
def test_what_is_kept_is_found_again(
    digest: str, platforms: dict[str, str], labels: dict[str, str], created: str | None, is_index: bool
) -> None:
    facts = Facts(digest, platforms, labels, created, 7, is_index)
    assert Facts.load(facts.dump()) == facts


def test_what_another_version_kept_is_not_used() -> None:
    assert Facts.load('{"v": 0, "platforms": []}') is None
    assert Facts.load("[]") is None


@pytest.mark.parametrize(("algorithm", "genuine"), [("sha256", True), ("sha512", True), ("sha384", True), ("md5", False)])
def test_bytes_are_held_to_their_digest(algorithm: str, genuine: bool) -> None:
    digest = f"{algorithm}:{hashlib.new(algorithm, b'x').hexdigest()}"
    assert is_genuine(digest, b"x") is genuine
    assert not is_genuine(digest, b"y")
