"""Helm values: images in one scalar or split over keys, wherever they stand; and which files are taken for values."""

from __future__ import annotations

import pytest

from tests.rules.formats.told import DIGEST, HEX, OTHER, found, told


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # in one scalar
        ("image: acme/web:1", ["1 acme/web:1"]),
        ("image: acme/web", ["1 acme/web"]),
        ("image: web", []),
        ("image: {}", []),
        ("image: 12", []),
        ("a: {b: [{c: {image: 'acme/web:1'}}]}", ["1 acme/web:1"]),
        ("sidecarImage: acme/web:1", ["1 acme/web:1"]),
        ("images: {web: 'acme/web:1', db: {repository: acme/db, tag: 16}}", ["1 acme/web:1", "1 acme/db:16"]),
        ("extraContainers: [{name: a, image: busybox}]", ["1 busybox"]),
        # split
        ("image: {repository: acme/web, tag: v1}", ["1 acme/web:v1"]),
        ("image:\n  repository: acme/web\n  tag: 1.10", ["2-3 acme/web:1.10"]),
        ("image:\n  tag: 1.10\n  repository: acme/web", ["3-2 acme/web:1.10"]),
        ("image: {registry: acme.io, repository: web, tag: v1}", ["1 acme.io/web:v1"]),
        ("image: {registry: acme.io/, repository: /web, tag: v1}", ["1 acme.io/web:v1"]),
        ("image: {registry: '', repository: acme/web, tag: v1}", ["1 acme/web:v1"]),
        ("image: {registry: 'localhost:5000', repository: web, tag: v1}", ["1 localhost:5000/web:v1"]),
        ("image: {registry: acme.io, name: web, tag: v1}", ["1 acme.io/web:v1"]),
        ("image: {registry: acme.io, image: web, tag: v1}", ["1 acme.io/web:v1"]),
        ("web: {image: acme/web, tag: v1}", ["1 acme/web:v1"]),
        ("web: {image: acme/web, imageTag: v1}", ["1 acme/web:v1"]),
        ("web: {imageRepository: acme/web, imageTag: v1}", ["1 acme/web:v1"]),
        ("web: {imageName: acme/web, imageTag: v1}", ["1 acme/web:v1"]),
        ("web: {image_repository: acme/web, image_tag: v1}", ["1 acme/web:v1"]),
        ("web: {jobImageRepository: acme/job, jobImageTag: v1, jobImageRegistry: acme.io}", ["1 acme.io/acme/job:v1"]),
        ("web: {repository: acme/web, tag: v1}", ["1 acme/web:v1"]),
        ("image: {registry: acme.io, repository: 'web:v1'}", ["1 acme.io/web:v1"]),
        ("image: {repository: 'acme/web:v1'}", ["1 acme/web:v1"]),
        ("image: {registry: acme.io, repository: '/web:v1'}", []),
        ("image: {hub: acme.io, image: pilot, tag: v1}", ["1 acme.io/pilot:v1"]),
        ("image: {hub: '', image: pilot, tag: v1}", []),
        ("image: {repository: acme.io/team, image: web, tag: v1}", ["1 acme.io/team/web:v1"]),
        ("image: {repository: acme.io/team, image: web, version: v1}", ["1 acme.io/team/web:v1"]),
        ("web: {repository: acme/web, tag: v1, image: 'acme/other:v2'}", ["1 acme/web:v1", "1 acme/other:v2"]),
        # empty tags and tags that look like something else
        ("image: {repository: acme/web, tag: ''}  # the chart's version", ["1 acme/web"]),
        ("image: {repository: acme/web, tag: }", ["1 acme/web"]),
        ("image: {repository: acme/web, tag: null}", ["1 acme/web"]),
        ("image: {repository: acme/web, tag: ~}", ["1 acme/web"]),
        ("image: {repository: acme/web}", ["1 acme/web"]),
        ("image: {repository: acme/web, tag: 'null'}", ["1 acme/web:null"]),
        ("image: {repository: acme/web, tag: 1e3}", ["1 acme/web:1e3"]),
        ("image: {repository: acme/web, tag: true}", ["1 acme/web:true"]),
        ("image: {repository: acme/web, tag: 20240102}", ["1 acme/web:20240102"]),
        ("image: {repository: acme/web, tag: 'v1 '}", []),
        ("image: {repository: acme/web, tag: {from: here}}", ["1 acme/web"]),
        # digests
        (f"image: {{repository: acme/web, digest: {DIGEST}}}", ["1 acme/web@D"]),
        (f"image: {{repository: acme/web, tag: v1, digest: {DIGEST}}}", ["1 acme/web:v1@D"]),
        ("image: {repository: acme/web, tag: v1, digest: ''}", ["1 acme/web:v1"]),
        (f"image: {{repository: acme/web, tag: v1, sha: {HEX}}}", ["1 acme/web:v1@D"]),
        (f"image: {{repository: acme/web, tag: v1, sha256: {HEX}}}", ["1 acme/web:v1@D"]),
        (f"image: {{repository: acme/web, tag: v1, sha: {DIGEST}}}", ["1 acme/web:v1@D"]),
        (f"image: {{repository: acme/web, tag: v1, digest: {HEX}}}", ["1 acme/web:v1@D"]),
        (f"image: {{repository: acme/web, tag: v1, digest: {HEX[:12]}}}", []),
        (f"image: {{repository: acme/web, tag: 'v1@{DIGEST}'}}", ["1 acme/web:v1@D"]),
        (f"image: {{repository: acme/web, tag: '{DIGEST}'}}", ["1 acme/web@D"]),
        (f"web: {{image: 'acme/web:v1', digest: '{DIGEST}'}}", ["1 acme/web:v1@D"]),
        # what is no image, and what is not known
        ("git: {repository: 'https://acme.io/web.git', tag: v1}", []),
        ("git: {repository: 'https://${HOST}/web.git', tag: v1}", []),
        ("chart: {repository: 'oci://acme.io/charts', tag: v1}", []),
        ("service: {tag: v1, port: 80}", []),
        ("image: {tag: v1}", []),
        ("image: {repository: '{{ .Values.registry }}/web', tag: v1}", ["1 {{ .Values.registry }}/web:v1?"]),
        ("image: {repository: acme/web, tag: '${TAG}'}", ["1 acme/web:${TAG}?"]),
        ("global: {imageRegistry: acme.io, image: {tag: v1}}", []),
        ("background: {image: sky/blue.png}", []),
        ("notes: |\n  image: acme/web:1", []),
    ],
)
def test_values(values: str, expected: list[str]) -> None:
    assert told("charts/web/values.yaml", values + "\n") == expected


def test_anchors_and_merge_keys() -> None:
    text = """\
defaults: &image
  registry: acme.io
  repository: web
  tag: &tag 1.4
web: {image: *image}
same: {image: {<<: *image, pullPolicy: Always}}
next: {image: {<<: *image, tag: '1.5'}}
other: {image: {repository: acme/other, tag: *tag}}
"""
    assert told("values.yaml", text) == ["3-4 acme.io/web:1.4", "3-7 acme.io/web:1.5", "8-4 acme/other:1.4"]


@pytest.mark.parametrize(
    ("path", "text", "taken"),
    [
        ("values.yaml", "image: acme/web", True),
        ("a/values-prod.yml", "image: acme/web", True),
        ("a/prod.values.yaml", "image: acme/web", True),
        ("values/prod.yaml", "image: acme/web", True),
        ("helm-values/prod.yaml", "image: acme/web", True),
        ("a/prod.yaml", "image: acme/web:1", True),  # by an image with a tag
        ("a/prod.yaml", "image: acme/web", False),
        ("a/prod.yaml", "web: {image: {repository: acme/web, tag: v1}}", True),
        ("a/prod.yaml", "services: {web: {image: {repository: acme/web, tag: v1}}}\nreplicas: 1", True),
        ("a/ci.yml", "image: acme/web:1\nservices: ['acme/db:1']", False),
        (".github/release.yaml", "image: acme/web:1", False),
        (".drone.yml", "image: acme/web:1", False),
        ("ci.yaml", "steps: [{image: 'acme/web:1'}]", False),
        ("ci.yaml", "build: {stage: test, image: 'acme/web:1'}", False),
        ("bitbucket-pipelines.yml", "image: acme/web:1\npipelines: {}", False),
        ("a/web_test.yaml", "suite: web\ntests: [{set: {image: 'acme/web:1'}}]", False),
        ("helmfile.yaml", "releases: [{values: [{image: 'acme/web:1'}]}]", False),
        ("list.yaml", "- image: acme/web:1", False),
        ("values.json", '{"image": "acme/web:1"}', False),
        ("values.txt", "image: acme/web:1", False),
    ],
)
def test_which_files_are_values(path: str, text: str, taken: bool) -> None:
    assert bool(told(path, text + "\n")) is taken


def test_hex_digits_have_a_span_of_their_own() -> None:
    (one,) = found("values.yaml", f"image: {{repository: acme/web, tag: v1, sha: {HEX}}}\n")
    assert one.digest == DIGEST
    assert one.digest_span is None
    assert one.sha_span == (44, 44 + 64)


@pytest.mark.parametrize(
    ("tag", "scalar"),
    [
        ("1.4", "whole"),
        ("'1.4'", "part"),
        ('"1.4"', "part"),
        ("!!str 1.4", "whole"),
        (f"1.4@{OTHER}", "part"),
        ("|\n  1.4", "part"),
    ],
)
def test_a_tag_by_itself_may_need_quotes(tag: str, scalar: str) -> None:
    (one,) = found("values.yaml", f"image:\n repository: acme/web\n tag: {tag}\n")
    assert (one.tag, one.scalar) == ("1.4", scalar)
