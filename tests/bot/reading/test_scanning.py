"""A file is parsed once for each path and content."""

from __future__ import annotations

from bot.reading.scanning import Scanner

POD = b"apiVersion: v1\nkind: Pod\nspec: {containers: [{image: web:1}]}\n"


def test_the_same_content_is_loaded_once() -> None:
    scanner, loads = Scanner(), []

    def load() -> bytes:
        loads.append(1)
        return POD

    assert scanner.known("pod.yaml", "1") is None
    first = scanner.read("pod.yaml", "1", load)
    assert [one.tag for one in first.occurrences] == ["1"]
    assert scanner.read("pod.yaml", "1", load) is first
    assert scanner.known("pod.yaml", "1") is first
    assert len(loads) == 1


def test_another_content_or_another_path_is_read_anew() -> None:
    scanner = Scanner()
    scanner.read("pod.yaml", "1", lambda: POD)
    assert [one.tag for one in scanner.read("pod.yaml", "2", lambda: POD.replace(b"web:1", b"web:2")).occurrences] == ["2"]
    assert [one.file for one in scanner.read("b/pod.yaml", "1", lambda: POD).occurrences] == ["b/pod.yaml"]
    assert scanner.read("compose.yaml", "3", lambda: b"services: {a: {image: web:1}}").occurrences[0].format == "compose"
    assert scanner.read("values.yaml", "3", lambda: b"services: {a: {image: web:1}}").occurrences[0].format == "compose"


def test_what_could_not_be_read_is_remembered_too() -> None:
    scanner = Scanner()
    broken = scanner.read("pod.yaml", "1", lambda: POD + b"a: [")
    assert broken.occurrences == ()
    assert broken.unread is not None
    assert scanner.read("pod.yaml", "1", lambda: POD) is broken
