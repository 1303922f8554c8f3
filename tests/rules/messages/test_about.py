"""What the registry tells of an image before and after, and that a label makes nothing of its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given

from rules.messages.about import About, about, comparison
from rules.messages.body import body
from rules.records import written_of
from rules.updates import Update
from tests.rules.messages.hostile import TEXT
from tests.rules.messages.reading import dangers
from tests.rules.small_world import World

OLD = About(frozenset({"linux/amd64", "linux/arm64"}), 40_900_000, None, "3f2a9c1", "https://github.com/acme/shop")
NEW = About(
    frozenset({"linux/amd64"}), 41_234_567, datetime(2026, 3, 1, 12, tzinfo=UTC), "8d0be77", "https://github.com/acme/shop.git"
)
GROUPS = "https://gitlab.com/a/b/c"
LINK = "https://github.com/acme/shop/compare/3f2a9c1...8d0be77"


def test_everything_that_can_be_told() -> None:
    assert about(OLD, NEW) == [
        "Pushed 2026-03-01 12:00 UTC. Size 41.2 MB (was 40.9 MB). Platforms linux/amd64. No longer there: linux/arm64.",
        f"What changed: {LINK}",
    ]
    assert about(About(), About()) == []
    assert about(About(), About(size=900)) == ["Size 900 B."]
    assert about(replace(OLD, size=41_234_000), replace(NEW, source=None, platforms=None, pushed_at=None)) == ["Size 41.2 MB."]


@pytest.mark.parametrize(
    ("old", "new", "link"),
    [
        ({}, {}, LINK),
        ({"source": None}, {}, LINK),
        ({}, {"source": "git+https://github.com/acme/shop"}, LINK),
        ({}, {"source": "https://github.com/acme/shop/"}, LINK),
        ({"source": GROUPS}, {"source": GROUPS}, f"{GROUPS}/-/compare/3f2a9c1...8d0be77"),
        ({}, {"revision": None}, None),
        ({"revision": None}, {}, None),
        ({}, {"revision": "3f2a9c1"}, None),
        ({}, {"revision": "main"}, None),
        ({}, {"revision": "8d0be77) [x](http://evil"}, None),
        ({}, {"source": None}, None),
        ({}, {"source": "https://evil.example/acme/shop"}, None),
        ({}, {"source": "http://github.com/acme/shop"}, None),
        ({}, {"source": "https://github.com@evil.example/acme/shop"}, None),
        ({}, {"source": "https://github.com/acme/other"}, None),
        ({"source": None}, {"source": "https://github.com/acme/.."}, None),
        ({"source": None}, {"source": "https://github.com/acme"}, None),
    ],
)  # fmt: skip
def test_the_comparison(old: dict[str, str | None], new: dict[str, str | None], link: str | None) -> None:
    assert comparison(replace(OLD, **old), replace(NEW, **new)) == link  # type: ignore[arg-type]


@given(TEXT, TEXT, TEXT)
def test_no_label_and_no_platform_does_anything(revision: str, source: str, platform: str) -> None:
    odd = About(frozenset({platform}), 1, None, revision, source)
    for line in about(replace(odd, revision="aaaaaaa", platforms=frozenset({"x"})), odd):
        assert dangers(line) == []


def test_a_body_with_it_and_one_without_are_for_the_same_words() -> None:
    here = World({"a.yaml": "image: acme/web:1.4.1\n"}, {"acme/web": ["1.4.2"]})
    (one,) = here.wishes().proposals
    (update,) = one.updates
    assert isinstance(update, Update)
    told = body(one, known={("docker.io/acme/web", "1.4.1", "1.4.2"): (OLD, NEW)})
    facts = "Pushed 2026-03-01 12:00 UTC. Size 41.2 MB (was 40.9 MB). Platforms linux/amd64. No longer there: linux/arm64."
    assert f"\n\n{facts}\nWhat changed: {LINK}\n\nWhy " in told
    assert written_of(told) == written_of(body(one))
    assert body(one, known={}) == body(one)
