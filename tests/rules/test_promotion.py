"""The places that others follow, what a follower is told of them, and that nothing replaces what soaks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from rules.config.values import Config
from rules.policies.base import Follow, Stood
from rules.promotion import undisturbed, upstream, watched
from rules.updates import Outcome, Stay, Trouble, Update
from tests.rules.small_world import DIGEST, NOW, OTHER, choice, occurrences, rule, update

WEB, HOUR = "docker.io/acme/web", timedelta(hours=1)


def follow(paths: str, path: str, hours: float = 24, **more: Any) -> Any:
    made = rule(paths=[paths], policy="follow", **more)
    return type(made)(made.match, {**made.choosing, "follow": Follow(path, hours * HOUR)}, made.proposing, made.landing)


STAGES = Config(rules=(follow("staging/**", "dev/**"), follow("prod/**", "staging/**", 48)))
FILES = {
    "dev/a.yaml": "image: acme/web:1.4.1\nimage: acme/db:7.0.0\n",
    "staging/a.yaml": "image: docker.io/acme/web:1.4.0\n",
    "prod/a.yaml": "image: acme/web:1.3.0\nimage: acme/api:2.0.0\n",
    "other/a.yaml": "image: acme/web:1.0.0\n",
}


@pytest.mark.parametrize(
    ("sentence", "files", "config", "expected"),
    [
        (
            "each stage is watched for the one behind it",
            FILES,
            STAGES,
            [("dev/a.yaml", WEB, "1.4.1"), ("staging/a.yaml", WEB, "1.4.0")],
        ),
        ("nobody follows", FILES, Config(), []),
        ("nobody who follows has the image", {k: v for k, v in FILES.items() if k[0] in "do"}, STAGES, []),
        (
            "two tags in one file are none",
            {"dev/a.yaml": "image: acme/web:1.4.1\nimage: acme/web:1.4.0\n", "staging/a.yaml": "image: acme/web:1.0.0\n"},
            STAGES,
            [("dev/a.yaml", WEB, "")],
        ),
        (
            "the same tag twice is one",
            {"dev/a.yaml": "image: acme/web:1.4.1\n" * 2, "staging/a.yaml": "image: acme/web:1.0.0\n"},
            STAGES,
            [("dev/a.yaml", WEB, "1.4.1")],
        ),
        (
            "a digest belongs to it",
            {"dev/a.yaml": f"image: acme/web:1.4.1@{DIGEST}\n", "staging/a.yaml": "image: acme/web:1.0.0\n"},
            STAGES,
            [("dev/a.yaml", WEB, f"1.4.1@{DIGEST}")],
        ),
    ],
)
def test_what_is_watched(sentence: str, files: dict[str, str], config: Config, expected: list[tuple[str, str, str]]) -> None:
    assert [(one.path, one.image, one.text) for one in watched(occurrences(files), config)] == expected


STOOD = [
    Stood("dev/a.yaml", WEB, "1.4.1", NOW - 2 * HOUR),
    Stood("dev/b.yaml", "docker.io/acme/db", "7.0.0", NOW),
    Stood("staging/a.yaml", WEB, "1.4.0", NOW - 9 * HOUR),
]


@pytest.mark.parametrize(
    ("path", "image", "expected"),
    [
        ("staging/a.yaml", "acme/web", ["dev/a.yaml"]),
        ("staging/a.yaml", "docker.io/acme/web", ["dev/a.yaml"]),
        ("staging/a.yaml", "acme/api", []),
        ("prod/a.yaml", "acme/web", ["staging/a.yaml"]),
        ("dev/a.yaml", "acme/web", []),
    ],
)
def test_what_a_follower_is_told(path: str, image: str, expected: list[str]) -> None:
    assert [one.path for one in upstream(STAGES.choosing(image, path), image, STOOD)] == expected


def moving(line: str = "image: acme/web:1.4.1", new: str = "1.4.2", file: str = "dev/a.yaml") -> Update:
    return update(line, new, file=file)


def behind(line: str = "image: acme/web:1.4.0", file: str = "staging/a.yaml") -> Outcome:
    (place,) = occurrences({file: line})
    return Stay(place, "1.4.1 soaks", choice(place.tag, []))


@pytest.mark.parametrize(
    ("sentence", "update_", "others", "since", "waits"),
    [
        ("staging lacks what stands in dev", moving(), [behind()], 2, True),
        ("it has soaked", moving(), [behind()], 24, False),
        ("staging has it", moving(), [behind("image: acme/web:1.4.1")], 2, False),
        ("staging has something newer", moving(), [behind("image: acme/web:1.5.0")], 2, False),
        ("nobody follows this image", moving(), [behind("image: acme/api:1.0.0")], 2, False),
        ("nobody follows at all", moving(), [], 2, False),
        ("staging is told to be left alone", moving(), [Trouble("staging/a.yaml", 1, "acme/web", "odd")], 2, False),
        ("its follower is about to move itself", moving(), [moving("image: acme/web:1.3.0", "1.4.0", "staging/a.yaml")], 2, True),
        (
            "only the digest differs",
            moving(f"image: acme/web:1.4.1@{DIGEST}", f"1.4.2@{DIGEST}"),
            [behind(f"image: acme/web:1.4.1@{OTHER}")],
            2,
            True,
        ),
        ("the next major waits as well", moving(new="2.0.0"), [behind()], 2, True),
        ("another file of dev", moving(file="dev/z.yaml"), [behind()], 2, False),
    ],
)
def test_nothing_replaces_what_soaks(sentence: str, update_: Update, others: list[Outcome], since: float, waits: bool) -> None:
    stood = [Stood("dev/a.yaml", WEB, str(update_.current), NOW - since * HOUR)]
    found = undisturbed([update_, *others], stood, STAGES, NOW)
    assert isinstance(found[0], Stay) is waits
    assert found[1:] == others or isinstance(found[1], Update)
    if isinstance(found[0], Stay):
        assert found[0].held == update_
        assert found[0].wake == NOW + (24 - since) * HOUR
        assert found[0].reason == f"{update_.current} soaks here for staging/a.yaml until 2026-03-03 10:00 UTC"


def test_since_when_nobody_knows_it_stops_nobody() -> None:
    (found, _) = undisturbed([moving(), behind()], [Stood("dev/a.yaml", WEB, "1.4.1")], STAGES, NOW)
    assert isinstance(found, Update)
