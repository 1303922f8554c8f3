"""`batch: true`: what may share a commit does, and what changes the same file never does."""

from __future__ import annotations

from typing import Any

import pytest

from rules.batches import batched
from rules.config.values import Config
from rules.plan import Push, Terms, pushes
from rules.titles import DEFAULT
from tests.rules.small_world import NOW, World, rule


def due(*rules: Any, **files: str) -> list[Push]:
    """What is due: each file with its images, all of which have a 1.0.1."""
    here = World({f"{name}.yaml": text for name, text in files.items()}, {}, Config(rules=(rule(delivery="push"), *rules)))
    here.tags = {f"acme/{name}": ["1.0.1", "1.1.0"] if name == "db" else ["1.0.1"] for name in ("web", "api", "db")}
    return [one for one in pushes([here.wishes()], Terms(NOW)) if isinstance(one, Push)]


WEB, API, DB = "image: acme/web:1.0.0\n", "image: acme/api:1.0.0\n", "image: acme/db:1.0.0\n"
BATCH = rule(batch=True)
ANY = "*"


def told(found: list[Push]) -> list[tuple[str, list[str]]]:
    return [(one.proposal.title, [file.path for file in one.proposal.files]) for one in found]


@pytest.mark.parametrize(
    ("sentence", "pushes_", "expected"),
    [
        ("nobody asked", due(a=WEB, b=API), [("Update acme/api from 1.0.0 to 1.0.1", ["b.yaml"]), (ANY, ["a.yaml"])]),
        ("two images in two files", due(BATCH, a=WEB, b=API), [("Update 2 images from 1.0.0 to 1.0.1", ["a.yaml", "b.yaml"])]),
        ("to versions of their own", due(BATCH, a=WEB, b=DB), [("Update 2 images", ["a.yaml", "b.yaml"])]),
        ("two images in one file", due(BATCH, a=WEB + API), [(ANY, ["a.yaml"]), (ANY, ["a.yaml"])]),
        ("only one of them asked", due(rule(["acme/web"], batch=True), a=WEB, b=API), [(ANY, ["b.yaml"]), (ANY, ["a.yaml"])]),
        (
            "the third goes with whom it can",
            due(BATCH, a=WEB + API, c=DB),
            [("Update 2 images", ["a.yaml", "c.yaml"]), (ANY, ["a.yaml"])],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_shares_a_commit(sentence: str, pushes_: list[Push], expected: list[tuple[str, list[str]]]) -> None:
    found = told(batched(pushes_, lambda one: one.stream.base, DEFAULT))
    assert [(title if title == ANY else mine, files) for (mine, files), (title, _) in zip(found, expected, strict=True)] == [
        (title, files) for title, files in expected
    ]


def test_a_commit_names_all_that_is_in_it() -> None:
    (one,) = batched(due(BATCH, a=WEB, b=API), lambda one: one.stream.base, DEFAULT)
    assert "Tagboat-Image: docker.io/acme/api\nTagboat-Image: docker.io/acme/web" in one.proposal.message.body
    assert one.proposal.is_push


def test_what_is_marked_in_another_way_goes_alone() -> None:
    every = due(BATCH, a=WEB, b=API)
    assert len(batched(every, lambda one: one.stream.subject, DEFAULT)) == 2
    assert len(batched(every, lambda one: None, DEFAULT)) == 2
