"""Compose: services and extensions, defaults of variables, what is built, and which files are Compose's."""

from __future__ import annotations

import pytest

from tests.rules.formats.told import DIGEST, found, told


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("{image: web}", ["2 web"]),
        ("{image: web:1}", ["2 web:1"]),
        ("{image: 'web:1'}", ["2 web:1"]),
        ("{image: 'localhost:5000/web:1'}", ["2 localhost:5000/web:1"]),
        (f"{{image: 'web:1@{DIGEST}'}}", ["2 web:1@D"]),
        (f"{{image: 'web@{DIGEST}'}}", ["2 web@D"]),
        ("{image: acme/web:1, build: .}", []),
        ("{image: acme/web:1, build: {context: .}}", []),
        ("{build: .}", []),
        ("{image: ''}", []),
        ("{image: ~}", []),
        ("{image: {a: b}}", []),
        ("", []),
        ("[web:1]", []),
        # variables
        ("{image: 'web:${TAG:-1.2}'}", ["2 web:1.2"]),
        ("{image: 'web:${TAG-1.2}'}", ["2 web:1.2"]),
        ("{image: '${REGISTRY:-acme.io}/web:${TAG:-1.2}'}", ["2 acme.io/web:1.2"]),
        ("{image: '${REGISTRY:-acme.io/}web:1.2'}", ["2 acme.io/web:1.2"]),
        ("{image: '${REGISTRY-}web:1.2'}", ["2 web:1.2"]),
        ("{image: '${IMAGE:-acme/web:1.2}'}", ["2 acme/web:1.2"]),
        ("{image: 'web:${A:-${B:-1.2}}'}", ["2 web:1.2"]),
        ("{image: 'web:${TAG:-1.2}-alpine'}", ["2 web:1.2-alpine"]),
        ("{image: 'web:${TAG}'}", ["2 web:${TAG}?"]),
        ("{image: 'web:$TAG'}", ["2 web:$TAG?"]),
        ("{image: 'web:${TAG:?is missing}'}", ["2 web:${TAG:?is missing}?"]),
        ("{image: 'web:${TAG:+1.2}'}", ["2 web:${TAG:+1.2}?"]),
        ("{image: '${REGISTRY}/web:1.2'}", ["2 ${REGISTRY}/web:1.2?"]),
        ("{image: '${IMAGE}'}", []),
        ("{image: 'web:${TAG:-}'}", []),
        (f"{{image: 'web:{'${A:-1}' * 300}'}}", []),
    ],
)
def test_a_service(service: str, expected: list[str]) -> None:
    assert told("compose.yaml", f"services:\n  one: {service}\n") == expected


@pytest.mark.parametrize(
    ("image", "piece"),
    [
        ("web:${TAG:-1.2}", "1.2"),
        ("${REGISTRY:-acme.io}/web:1.2", "1.2"),
        ("web:${A:-${B:-1.2}}", "1.2"),
        ("web:${TAG:-1.2}-alpine", None),
        ("web:1.${MINOR:-2}", None),
        ("web:${A:-1}${B:-2}", None),
    ],
)
def test_a_tag_in_several_pieces_has_no_place(image: str, piece: str | None) -> None:
    text = f"services: {{one: {{image: '{image}'}}}}\n"
    (one,) = found("compose.yaml", text)
    assert (one.tag_span and text[slice(*one.tag_span)]) == piece


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("compose.yml", "services: {a: {image: web:1}}", ["1 web:1"]),
        ("docker-compose.prod.yaml", "services: {a: {image: web:1}}", ["1 web:1"]),
        ("prod.compose.yaml", "services: {a: {image: web:1}}", ["1 web:1"]),
        ("docker-stack.yml", "services: {a: {image: web:1}}", ["1 web:1"]),
        ("compose-common.yaml", "x-web: {image: web:1}", ["1 web:1"]),
        ("docker-compose.yml", "web: {image: web:1}\ndb: {image: db:1, volumes: [a]}", ["1 web:1", "2 db:1"]),
        ("docker-compose.yml", "services: {build: {image: web:1}, image: {image: db:1}}", ["1 web:1", "1 db:1"]),
        ("app.yaml", "version: '3'\nservices: {a: {image: web:1}}", ["2 web:1"]),
        ("app.yaml", "x-a: &a {image: 'web:1'}\nservices: {a: *a}\nvolumes: {}", ["1 web:1"]),
        ("app.yaml", "services: {a: {port: 80}}", []),
        ("app.yaml", "services: [{image: 'web:1'}]", []),
    ],
)
def test_which_files_are_compose(path: str, text: str, expected: list[str]) -> None:
    assert told(path, text + "\n") == expected
    assert all(one.format == "compose" for one in found(path, text + "\n"))


def test_extensions_at_any_depth_count_once() -> None:
    text = """\
x-base: &base
  deep: [{image: acme/list:1}]
  image: acme/base:1
x-built: &built {build: .}
services:
  one: {<<: *base}
  two: {<<: *base, image: acme/two:1}
  three: {<<: [*built], image: acme/three:1}
"""
    assert told("compose.yaml", text) == ["3 acme/base:1", "2 acme/list:1", "7 acme/two:1"]
