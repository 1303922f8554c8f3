"""Kustomize: the entries of `images`, inline patches, the values of inlined charts."""

from __future__ import annotations

import pytest

from tests.rules.formats.told import DIGEST, found, told, unread

HEAD = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nimages:\n"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("{name: web, newTag: v1}", ["4 web:v1"]),
        ("{name: web, newName: acme.io/web, newTag: v1}", ["4 acme.io/web:v1"]),
        ("name: web\n    newTag: 1.10", ["4-5 web:1.10"]),
        ("newTag: '1.10'\n    newName: acme.io/web\n    name: web", ["5-4 acme.io/web:1.10"]),
        (f"name: web\n    digest: {DIGEST}", ["4-5 web@D"]),
        (f"name: web\n    newTag: v1\n    digest: {DIGEST}", ["4-5 web:v1@D"]),
        ("{name: web, newName: acme.io/web}", ["4 acme.io/web"]),
        ("{name: web, newName: 'acme.io/web:v1'}", ["4 acme.io/web:v1"]),
        ("{name: 'localhost:5000/web', newTag: v1}", ["4 localhost:5000/web:v1"]),
        ("{name: web}", []),
        ("{name: web, newTag: ''}", []),
        ("{name: web, newTag: ~}", []),
        ("{newTag: v1}", []),
        ("{name: web, newTag: {a: b}}", []),
        ("{name: 'web:1', newTag: v2}", []),  # matches nothing
        ("{name: web, digest: 'sha256:25a0d4'}", []),
        ("{name: web, newTag: '${TAG}'}", ["4 web:${TAG}?"]),
        ("web", []),
        ("[]", []),
    ],
)
def test_an_entry(entry: str, expected: list[str]) -> None:
    assert told("kustomization.yaml", f"{HEAD}  - {entry}\n") == expected


@pytest.mark.parametrize(
    ("path", "head"),
    [
        ("a/kustomization.yaml", ""),
        ("a/kustomization.yml", ""),
        ("a/Kustomization", ""),
        ("a/kustomization.yaml", "kind: Kustomization\n"),
        ("a/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1beta1\n"),
        ("a/prod.yaml", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"),
        ("a/part.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"),
    ],
)
def test_the_files_of_kustomize(path: str, head: str) -> None:
    (one,) = found(path, head + "images: [{name: web, newTag: v1}]\n")
    assert (one.format, one.tag) == ("kustomize", "v1")


@pytest.mark.parametrize("path", ["a/other.yaml", "a/Kustomization.md", "a/mykustomization.yaml"])
def test_other_files_need_a_kind(path: str) -> None:
    assert told(path, "images: [{name: web, newTag: v1}]\n") == []


@pytest.mark.parametrize("key", ["patches", "patchesJson6902"])
def test_inline_json_patches(key: str) -> None:
    text = f"{key}:\n  - patch: |-\n      - op: replace\n        path: /spec/image\n        value: acme/web:1\n"
    assert told("kustomization.yaml", text) == ["5 acme/web:1"]


def test_inline_strategic_patches_have_their_places_in_the_file() -> None:
    text = """\
# é
patches:
  - patch: |2

         apiVersion: v1
         kind: Pod
         metadata: {name: é}

         spec: {containers: [{image: "web:1"}]}   # tagboat: ignore
patchesStrategicMerge:
  - |-
    apiVersion: v1
    kind: Pod
    spec: {containers: [{image: web:2}]}
    ---
    apiVersion: v1
    kind: Pod
    spec: {containers: [{image: web:3}]}
  - other.yaml
"""
    for ends in ("\n", "\r\n"):
        rows = found("kustomization.yaml", text.replace("\n", ends))
        assert [(one.line, one.tag, one.directive) for one in rows] == [
            (9, "1", "tagboat: ignore"),
            (14, "2", None),
            (18, "3", None),
        ]


def test_folded_and_quoted_patches_are_left() -> None:
    for style in (">", '"\\\n     '):
        text = f"patches:\n  - patch: {style}\n      [{{op: add, path: /image, value: web:1}}]\n"
        assert told("kustomization.yaml", text if style == ">" else text[:-1] + '"\n') == []


def test_a_patch_that_does_not_parse_is_told_with_its_line() -> None:
    text = "images: [{name: web, newTag: v1}]\npatches:\n  - patch: |\n      a: b\n      - image\n"
    trouble = unread("kustomization.yaml", text)
    assert trouble is not None
    assert (trouble.line, trouble.skipped) == (5, False)


def test_values_of_inlined_charts() -> None:
    text = "helmCharts:\n  - name: web\n    version: 1.2.3\n    valuesInline:\n      image: {repository: acme/web, tag: v1}\n"
    assert told("kustomization.yaml", text) == ["5 acme/web:v1"]
    text = "helmCharts: [{valuesInline: {images: {web: {repository: acme/web, tag: v1}}}}]\n"
    assert told("kustomization.yaml", text) == ["1 acme/web:v1"]


def test_the_marker_on_either_line() -> None:
    for text in (
        "images:\n  - name: web  # tagboat: ignore\n    newTag: v1\n",
        "images:\n  - name: web\n    newTag: v1  # tagboat: ignore\n",
    ):
        (one,) = found("kustomization.yaml", text)
        assert one.directive == "tagboat: ignore"
