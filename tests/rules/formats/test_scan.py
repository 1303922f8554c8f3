"""A file is read whole or not at all: which format reads which document, what is passed over, what is told as broken."""

from __future__ import annotations

import pytest

from rules.formats import FORMATS, is_manifest, scan
from rules.formats.paths import is_hidden
from tests.rules.formats.told import found, told, unread

POD = "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: web:1}]}\n"


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("a/b.yaml", True),
        ("b.yml", True),
        ("Kustomization", True),
        ("a/Kustomization", True),
        ("pod.json", True),
        ("a.YAML", False),
        ("yaml", False),
        ("a/notes.md", False),
        ("a/b.yaml.tmpl", False),
        ("a/b.yaml/c", False),
    ],
)
def test_which_paths_are_looked_at(path: str, wanted: bool) -> None:
    assert is_manifest(path) is wanted


def test_documents_of_several_formats_stand_in_one_file() -> None:
    kustomize = "kind: Kustomization\napiVersion: kustomize.config.k8s.io/v1\nimages: [{name: web, newTag: '3'}]\n"
    text = "---\n".join([POD, "services: {a: {image: web:2}}\n", kustomize, "image: web:4\n"])
    assert [(one.format, one.tag) for one in found("all.yaml", text)] == [
        ("kubernetes", "1"),
        ("compose", "2"),
        ("kustomize", "3"),
        ("helm-values", "4"),
    ]


@pytest.mark.parametrize(
    ("data", "line", "reason"),
    [
        (b"image: web:1\n\tb: c\n", 2, "not read as YAML"),
        (b"image: web:1\na: [\n", 3, "not read as YAML"),
        (b"image: web:1\n---\na: 'b\n", 4, "not read as YAML"),
        (b"image: web:1\nb: *nobody\n", 2, "undefined alias"),
        (b"image: web:1\na: caf\xe9\n", 2, "not UTF-8"),
        ("\ufeffimage: web:1\n".encode("utf-16-le"), None, "UTF-16"),
        (b"image: web:1\nb: \x07\n", 2, "not text"),
        (b"image: web:1\n" + b"a: " + b"[" * 200 + b"]" * 200, 2, "deeper than 100"),
        (b"image: web:1\n" + b"- a\n" * 100, 2, "not read as YAML"),
        (b"image: " + b"a" * 4 * 2**20, None, "larger than 4 MiB"),
    ],
    ids=[
        "a tab", "unclosed", "a later document", "an alias of nothing", "Windows-1252", "UTF-16", "control characters", "deep",
        "a list in a mapping", "large",
    ],
)  # fmt: skip
def test_what_does_not_parse_is_told_with_its_line(data: bytes, line: int | None, reason: str) -> None:
    for path in ("values.yaml", "compose.yaml", "kustomization.yaml"):
        trouble = unread(path, data)
        assert trouble is not None
        assert (trouble.file, trouble.line, trouble.skipped) == (path, line, False)
        assert reason in trouble.reason


@pytest.mark.parametrize("start", ["image: [", "image: &a x\nb: &a ["], ids=["at once", "with an anchor set anew"])
def test_many_nodes_are_refused(start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rules.composing.NODE_LIMIT", 1000)
    assert told("values.yaml", start + "a," * 900 + "]\n") == []
    trouble = unread("values.yaml", start + "a," * 1100 + "]\n")
    assert trouble is not None
    assert trouble.reason == "not read as YAML: more than 1000 nodes"


@pytest.mark.parametrize(
    ("path", "text", "template"),
    [
        ("a/templates/web.yaml", 'image: "{{ .Values.image }}:{{ .Values.tag }}"\n{{- if .x }}\n', True),
        ("web.yaml", "image: {{ .Values.image }}:1\n", True),
        ("web.yaml", "{% if a %}\nimage: web:1\n{% endif %}\n", True),
        ("web.yaml", "image: {{ registry }}/web:1\n", True),
        ("web.yaml", "{{- if .a }}\nimage: web:1\n", True),
        ("a/templates/web.yaml", "image: web:1\n\ta: b\n", False),  # no template in it
        ("web.yaml", "image: web:1\nargs: '{{workflow.name}}'\nother: x\na: [\n", False),
        ("web.yaml", "image: web:1\na: [\n", False),
    ],
)
def test_templates_are_passed_over_and_said_so(path: str, text: str, template: bool) -> None:
    trouble = unread(path, text)
    assert trouble is not None
    assert trouble.skipped is template
    assert ("template" in trouble.reason) is template


def test_nothing_of_a_broken_file_is_used() -> None:
    assert scan("pod.yaml", (POD + "---\na: [\n").encode())[0] == []


@pytest.mark.parametrize(
    "text", ["", "---\n", "# image\n", "image\n", "- image\n", "'image: web:1'\n", "--- |\n  image: web:1\n"]
)
def test_files_without_mappings_hold_nothing(text: str) -> None:
    for path in ("values.yaml", "compose.yaml", "kustomization.yaml", "pod.yaml"):
        assert told(path, text) == []


def test_a_file_without_a_hint_is_not_parsed() -> None:
    assert scan("values.yaml", b"a: [") == ([], None)
    assert scan("values.yaml", b"a: [ # image")[1] is not None


def test_bombs_of_aliases_and_merges_cost_nothing() -> None:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30))
    assert told("values.yaml", f"image: acme/web:1\na0: &a0 {{image: acme/in:1}}\n{levels}") == ["1 acme/web:1", "2 acme/in:1"]
    merges = "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 5))
    assert told("values.yaml", f"a0: &a0 {{image: acme/in:1}}\n{merges}") == ["1 acme/in:1"]


def test_merges_of_many_keys_are_refused() -> None:
    keys = ", ".join(f"k{n}: 1" for n in range(3000))
    text = f"a: &a {{image: acme/web:1, {keys}}}\nb:\n" + "  - {<<: *a}\n" * 100
    trouble = unread("values.yaml", text)
    assert trouble is not None
    assert "merge keys" in trouble.reason


def test_cycles_end() -> None:
    assert told("values.yaml", "a: &a\n  image: acme/web:1\n  self: *a\n  <<: *a\n") == ["2 acme/web:1"]


@pytest.mark.parametrize(
    ("path", "hidden"), [("a/b.yaml", False), (".a/b.yaml", True), ("a/.b.yaml", True), ("a.b/c.yaml", False)]
)
def test_hidden_paths(path: str, hidden: bool) -> None:
    assert is_hidden(path) is hidden


def test_the_table_is_by_name() -> None:
    assert all(name == one.NAME for name, one in FORMATS.items())
    assert all(isinstance(one.VERSION, int) for one in FORMATS.values())
