"""`tagboat images`: what stands in a folder, as a table, in a pipe, as JSON lines; what could not be read is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.cli import run

KEYS = ["file", "line", "tag_line", "format", "image", "tag", "digest", "tag_start", "tag_end", "digest_start", "digest_end"]
DIGEST = "sha256:" + "0123456789abcdef" * 4
POD = b"apiVersion: v1\nkind: Pod\nspec: {containers: [{image: web:1}]}\n"

Said = tuple[int, list[str], list[str]]
Run = Callable[..., Said]


@pytest.fixture
def images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command on a folder of these files; its exit status, output lines and error lines."""

    def call(files: dict[str, bytes], *arguments: str, path: str = "") -> Said:
        for name, data in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(data)
        status = run(["images", str(tmp_path / path), *arguments])
        captured = capsys.readouterr()
        return status, captured.out.splitlines(), captured.err.splitlines()

    return call


def rows(said: Said) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said[1]]


def test_a_row_has_every_key_in_order_and_null_where_there_is_nothing(images: Run) -> None:
    said = images({"a/values.yaml": f"x: é\nimage: acme/web\napi: {{image: 'acme/api:1@{DIGEST}'}}\n".encode()}, "--json")
    assert said[0] == 0
    assert said[2] == []
    assert [list(row) for row in rows(said)] == [KEYS, KEYS]
    first, second = rows(said)
    assert first == dict.fromkeys(KEYS) | {"file": "a/values.yaml", "line": 2, "format": "helm-values", "image": "acme/web"}
    assert second == {
        "file": "a/values.yaml",
        "line": 3,
        "tag_line": 3,
        "format": "helm-values",
        "image": "acme/api",
        "tag": "1",
        "digest": DIGEST,
        "tag_start": 45,
        "tag_end": 46,
        "digest_start": 47,
        "digest_end": 47 + 71,
    }


def test_lines_and_bytes_are_those_of_the_file(images: Run, tmp_path: Path) -> None:
    data = '\ufeff# é\r\nimage:\r\n  tag: "1.2"\r\n  registry: acme.io\r\n  repository: web\r\n'.encode()
    (row,) = rows(images({"values.yaml": data}, "--json"))
    assert (row["line"], row["tag_line"], row["image"], row["tag"]) == (5, 3, "acme.io/web", "1.2")
    assert data[row["tag_start"] : row["tag_end"]] == b"1.2"


def test_files_come_in_order_and_places_within_them(images: Run) -> None:
    files = dict.fromkeys(("b/values.yaml", "a/values.yaml", "values.yaml"), b"image: a/b:1\nsidecar: {image: 'a/c:2'}\n")
    found = [(row["file"], row["line"]) for row in rows(images(files, "--json"))]
    assert found == [(name, line) for name in ("a/values.yaml", "b/values.yaml", "values.yaml") for line in (1, 2)]


def test_a_broken_file_is_named_and_the_rest_is_listed(images: Run) -> None:
    broken = {"a.yaml": b"image: x/y:1\nb: [\n", "latin.yaml": b"# caf\xe9\nimage: x/y:1\n", "z.yaml": POD}
    status, lines, errors = images(broken, "--json")
    assert status == 1
    assert [json.loads(line)["file"] for line in lines] == ["z.yaml"]
    assert [error.partition(": not")[0] for error in errors] == ["tagboat: a.yaml:3", "tagboat: latin.yaml:1"]


def test_a_template_is_named_and_is_no_failure(images: Run) -> None:
    status, lines, errors = images(
        {"chart/templates/web.yaml": b"{{- if .Values.a }}\nimage: x/y:1\n{{- end }}\n", "z.yaml": POD}
    )
    assert (status, len(lines)) == (0, 1)
    assert errors == ["tagboat: chart/templates/web.yaml:1: a Helm template, which is not YAML by itself"]


def test_in_a_pipe_fields_stand_between_tabs(images: Run) -> None:
    files = {"pod.yaml": POD, "values.yaml": f"image: a/b@{DIGEST}\n".encode()}
    assert images(files)[1] == ["web\t1\t\tpod.yaml:3\tkubernetes", "a/b\t\tsha256:0123456789ab…\tvalues.yaml:1\thelm-values"]


def test_nothing_to_say_prints_nothing(images: Run) -> None:
    assert images({"README.md": b"image: a/b:1\n"}) == (0, [], [])
    assert images({"README.md": b"image: a/b:1\n"}, "--json") == (0, [], [])


def test_one_file_as_the_path(images: Run) -> None:
    said = images({"a/pod.yaml": POD, "a/other.yaml": POD}, "--json", path="a/pod.yaml")
    assert [(row["file"], row["image"]) for row in rows(said)] == [("pod.yaml", "web")]


def test_a_path_that_is_not_there_is_wrong_usage(images: Run) -> None:
    status, lines, errors = images({}, path="nowhere")
    assert (status, lines) == (2, [])
    assert "no such file or folder" in errors[0]


def test_an_unknown_option_is_wrong_usage(images: Run) -> None:
    assert images({}, "--yaml")[0] == 2


def test_links_are_not_followed(images: Run, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (outside / "pod.yaml").write_bytes(POD)
    (tmp_path / "folder").symlink_to(outside)
    (tmp_path / "file.yaml").symlink_to(outside / "pod.yaml")
    (tmp_path / "dangling.yaml").symlink_to(outside / "nothing.yaml")
    (tmp_path / "self").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.yaml")
    said = images({"here.yaml": POD}, "--json")
    assert ([row["file"] for row in rows(said)], said[0], said[2]) == (["here.yaml"], 0, [])


def test_what_tools_keep_is_not_walked(images: Run) -> None:
    files = {f"{name}/pod.yaml": POD for name in (".git", "node_modules", ".venv", ".github")}
    assert [row["file"] for row in rows(images(files, "--json"))] == [".github/pod.yaml"]


def test_a_folder_that_cannot_be_listed_is_named(images: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def scandir(folder: str) -> Any:
        if folder.endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr("os.scandir", scandir)
    status, lines, errors = images({"locked/pod.yaml": POD, "pod.yaml": POD}, "--json")
    assert (status, len(lines), errors) == (1, 1, ["tagboat: locked/: Permission denied"])


NAMES = [
    b"\x1b[31mred.yaml",
    "c1\x9b31m.yaml".encode(),
    b"line\nbreak.yaml",
    b"tab\t.yaml",
    "turn\u202e.yaml".encode(),
    b"\xff.yaml",
]


@pytest.mark.parametrize("broken", [False, True])
def test_names_do_not_drive_the_terminal(tmp_path: Path, broken: bool) -> None:
    """Over a real pipe: neither text nor JSON holds a control character or bytes that are no text; JSON says the true name."""
    for name in NAMES:
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_bytes(POD + b"a: [" if broken else POD)
    for arguments in ([], ["--json"]):
        command = [sys.executable, "-m", "bot", "images", str(tmp_path), *arguments]
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
        assert done.returncode == (1 if broken else 0), done.stderr
        said = (done.stdout + done.stderr).decode()
        assert all(char == "\n" or char == "\t" or char.isprintable() or (arguments and char == "\u202e") for char in said), said
        assert len(said.splitlines()) == len(NAMES)
        if arguments and not broken:
            told = {os.fsencode(json.loads(line)["file"]) for line in said.splitlines()}
            assert told == set(NAMES)


def test_any_encoding_of_the_terminal_will_do(tmp_path: Path) -> None:
    (tmp_path / "é.yaml").write_bytes(POD)
    for arguments in ([], ["--json"]):
        done = subprocess.run(
            [sys.executable, "-m", "bot", "images", str(tmp_path), *arguments],
            capture_output=True,
            check=False,
            timeout=60,
            env=os.environ | {"PYTHONIOENCODING": "ascii"},
        )
        assert done.returncode == 0, done.stderr
        assert not arguments or json.loads(done.stdout)["file"] == "é.yaml"
