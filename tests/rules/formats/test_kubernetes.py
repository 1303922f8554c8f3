"""Kubernetes: images at any depth of manifests, custom resources and patches."""

from __future__ import annotations

import json

import pytest

from tests.rules.formats.told import DIGEST, HEX, found, told

POD = "apiVersion: v1\nkind: Pod\nspec:\n"
CUSTOM = "apiVersion: acme.io/v1\nkind: Shop\nspec:\n"


def pod(container: str) -> str:
    return f"{POD}  containers:\n    - {container}\n"


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ("image: nginx:1.25", ["5 nginx:1.25"]),
        ("image: 'nginx:1.25'", ["5 nginx:1.25"]),
        ('image: "nginx:1.25"  # why', ["5 nginx:1.25"]),
        ('{"name":"a","image":"nginx:1.25"}', ["5 nginx:1.25"]),
        ("{name: a, image: nginx:1.25, tty: true}", ["5 nginx:1.25"]),
        ("image: nginx", ["5 nginx"]),
        ("image: localhost:5000/web", ["5 localhost:5000/web"]),
        ("image: localhost:5000/web:1", ["5 localhost:5000/web:1"]),
        (f"image: web@{DIGEST}", ["5 web@D"]),
        (f"image: web:1@{DIGEST}", ["5 web:1@D"]),
        ("image: !!str web:1", ["5 web:1"]),
        ("image: &a web:1", ["5 web:1"]),
        ("image: &a !!str web:1", ["5 web:1"]),
        ("image:\n        web:1", ["6 web:1"]),
        ("image: |-\n        web:1", ["6 web:1"]),
        ("image: >\n        web:1\n", ["6 web:1"]),
        ("? image\n      : web:1", ["6 web:1"]),
        ("image: web:1.2#3", []),
        ("image: Web:1", []),
        ("image: 'web:'", []),
        ("image: web:0123456789abcdef0123456789abcdef01234567", ["5 web:0123456789abcdef0123456789abcdef01234567"]),
        (f"image: {DIGEST}", []),
        ("image: ''", []),
        ("image:", []),
        ("image: ~", []),
        ("image: null", []),
        ("image: 'null'", ["5 null"]),
        ("image: {}", []),
        ("image: []", []),
        ("image: https://acme.io/web:1", []),
        ("image: web:$(TAG)", ["5 web:$(TAG)?"]),
        ("image: web:1.2-${SUFFIX}", ["5 web:1.2-${SUFFIX}?"]),
        ("image: ${REGISTRY}/web:1.2", ["5 ${REGISTRY}/web:1.2?"]),
        ("image: '{{ .Values.image }}'", []),
        ("image: '{{ registry }}/web:1'", ["5 {{ registry }}/web:1?"]),
        ("image: $(params.image)", []),
        ('image: "web:\\x31"', ["5 web:1"]),
        (f"image: web:{'1' * 128}", [f"5 web:{'1' * 128}"]),
        (f"image: web:{'1' * 129}", []),
        (f"image: {'a/' * 600}web:1", []),
    ],
)
def test_the_image_of_a_container(container: str, expected: list[str]) -> None:
    assert told("pod.yaml", pod(container)) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("  image: web:1", ["4 web:1"]),
        ("  image: acme/web", ["4 acme/web"]),
        ("  image: web", []),  # a word alone is an image only in a list of containers
        ("  exporterImage: acme/exporter:1", ["4 acme/exporter:1"]),
        ("  exporterImage: acme/exporter", []),  # without a tag it may be anything
        ("  exporter_image: acme/exporter:1", ["4 acme/exporter:1"]),
        ("  exporter-image: acme/exporter:1", ["4 acme/exporter:1"]),
        ("  imageName: acme/db:16", ["4 acme/db:16"]),
        ("  image: {repository: acme/web, tag: '1'}", ["4 acme/web:1"]),
        ("  image:\n    tag: v1\n    repository: acme/web", ["6-5 acme/web:v1"]),
        ("  webImage: {registry: acme.io, repository: web, tag: v1}", ["4 acme.io/web:v1"]),
        ("  image: {repository: acme/web, version: v1}", ["4 acme/web:v1"]),
        ("  driver: {repository: nvcr.io/acme, image: driver, version: '550'}", ["4 nvcr.io/acme/driver:550"]),
        (f"  image: {{repository: acme/web, tag: v1, sha: {HEX}}}", ["4 acme/web:v1@D"]),
        ("  image: {name: acme/web, tag: v1}", ["4 acme/web:v1"]),
        ("  image: {name: 'acme/web:v1'}", ["4 acme/web:v1"]),
        ("  containers: {web: {image: acme/web:v1}}", ["4 acme/web:v1"]),
        ("  source: {repository: 'https://acme.io/web', tag: v1}", []),
        ("  background: {image: pictures/sky.png}", []),
        ("  disk: {image: fedora.qcow2}", []),
    ],
)
def test_custom_resources(spec: str, expected: list[str]) -> None:
    assert told("shop.yaml", CUSTOM + spec + "\n") == expected


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("- op: replace\n  path: /spec/containers/0/image\n  value: web:1", ["3 web:1"]),
        ("- {op: add, path: /spec/image, value: web}", ["1 web"]),
        ("- op: add\n  path: /spec/containers/-\n  value: {name: a, image: web:1}", ["3 web:1"]),
        ("- op: replace\n  path: /spec/replicas\n  value: 3", []),
        ("- op: replace\n  path: /metadata/annotations/image.note\n  value: web:1", []),
        ("- image: web:1", []),
    ],
)
def test_json_patches(document: str, expected: list[str]) -> None:
    assert told("patch.yaml", document + "\n") == expected


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: Pod\nmetadata:\n  annotations: {image: 'acme/web:1', sidecarImage: 'acme/web:1'}\n",
        "apiVersion: v1\nkind: Pod\nmetadata:\n  labels: {image: 'acme/web:1'}\n",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec:\n  openAPIV3Schema: {image: 'acme/web:1'}\n",
        "apiVersion: a/v1\nkind: ImageUpdater\nspec: {images: [{imageName: 'acme/web:1.x'}]}\n",
        "apiVersion: v1\nkind: Pod\n# image: acme/web:1\n",
        "apiVersion: v1\nkind: ConfigMap\ndata: {text: 'image: acme/web:1'}\n",
    ],
    ids=["annotations", "labels", "schemas", "what is about images", "comments", "texts"],
)
def test_what_names_no_image_that_runs(text: str) -> None:
    assert told("other.yaml", text) == []


def test_an_alias_counts_once_at_its_anchor() -> None:
    text = f"{POD}  containers:\n    - &one {{name: a, image: &image web:1}}\n    - *one\n    - {{name: b, image: *image}}\n"
    assert told("pod.yaml", text) == ["5 web:1"]


def test_merge_keys_are_followed() -> None:
    text = f"{CUSTOM}  a: &a {{image: {{repository: acme/web, tag: v1}}}}\n  b: {{<<: *a}}\n"
    assert told("shop.yaml", text) == ["4 acme/web:v1"]
    text = f"{CUSTOM}  image: &a {{repository: acme/web, tag: v1}}\n  next: {{image: {{<<: *a, tag: v2}}}}\n"
    assert told("shop.yaml", text) == ["4 acme/web:v1", "4-5 acme/web:v2"]


def test_of_equal_keys_the_last_counts() -> None:
    assert told("pod.yaml", pod("image: web:1\n      image: web:2")) == ["6 web:2"]


def test_lists_and_several_documents() -> None:
    inner = "{apiVersion: v1, kind: Pod, spec: {containers: [{image: web:1}]}}"
    text = f"---\n# nothing\n---\napiVersion: v1\nkind: List\nitems:\n  - {inner}\n...\n---\n{inner}\n"
    assert told("all.yaml", text) == ["7 web:1", "10 web:1"]


@pytest.mark.parametrize("indent", [None, 2, "\t"], ids=["one line", "spaces", "tabs"])
def test_json(indent: int | str | None) -> None:
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "🚢/é"}, "spec": {"containers": [{"image": "web:1.2"}]}}
    text = json.dumps(manifest, indent=indent)
    (one,) = found("pod.json", text)
    assert (one.format, one.image, one.tag) == ("kubernetes", "web", "1.2")


@pytest.mark.parametrize(
    "text",
    ['{"name": "web", "repository": "acme/web", "image": "acme/web:1"', '{"compilerOptions": {}, // image\n}', "[image"],
    ids=["cut off", "with comments", "no JSON"],
)
def test_json_of_other_kinds_is_nobodys_business(text: str) -> None:
    assert told("package.json", text) == []


def test_a_marker_makes_an_image_of_any_key() -> None:
    text = f"{CUSTOM}  runs: acme/web:1  # tagboat: semver ^1\n  other: acme/web:1\n  list: [acme/api:2]  # tagboat: ignore\n"
    assert told("shop.yaml", text) == ["4 acme/web:1", "6 acme/api:2"]


@pytest.mark.parametrize(
    ("line", "directive"),
    [
        ("image: web:1 # tagboat: ignore", "tagboat: ignore"),
        ("image: web:1 #tagboat: ignore this  ", "tagboat: ignore this"),
        ("image: web:1\t# tagboat: semver ^1", "tagboat: semver ^1"),
        ('image: web:1 # {"$imagepolicy": "flux-system:web"}', '{"$imagepolicy": "flux-system:web"}'),
        ('image: web:1 # {"$imagepolicy": "a:b:tag"} of flux', '{"$imagepolicy": "a:b:tag"}'),
        ("{name: a, image: web:1, tty: true} # tagboat: ignore", "tagboat: ignore"),
        ("image: web:1 # why # tagboat: ignore", "tagboat: ignore"),
        ("image: web:1 # see tagboat: ignore", None),
        ('image: web:1 # {"else": 1}', None),
        ("image: web:1\n      # tagboat: ignore", None),
        (f"image: web:1 #{'-' * 5000} # tagboat: ignore", None),
    ],
)
def test_the_marker_on_the_line(line: str, directive: str | None) -> None:
    (one,) = found("pod.yaml", pod(line))
    assert one.directive == directive
    (one,) = found("pod.yaml", pod(line).replace("\n", "\r\n"))
    assert one.directive == directive
