"""What a changed configuration would do, in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from rules.automerge import Automerge
from rules.config.values import Config, Landing
from rules.messages import preview as module
from rules.messages.preview import preview
from rules.proposals import Wishes
from rules.updates import Stay, Trouble
from tests.rules.messages.hostile import TEXT
from tests.rules.messages.reading import dangers
from tests.rules.small_world import World, rule, update

FILES = {"dev/web.yaml": "image: acme/web:1.4.1\n", "prod/db.yaml": "image: acme/db:1.4.1\n"}
TAGS = {"acme/web": ["1.4.1", "1.4.2"], "acme/db": ["1.4.1", "1.4.2"]}
LANDS = rule(automerge=Landing(Automerge()))


def wishes(*rules: Any) -> Wishes:
    return World(FILES, TAGS, Config(rules=tuple(rules))).wishes()


NOTHING = Wishes("main")
NONE = rule(policy="none")


@pytest.mark.parametrize(
    ("now", "then", "expected"),
    [
        ([wishes()], [wishes()], []),
        ([wishes()], [wishes(LANDS)], ["would change: Update acme/db", "it lands by rule, where now a person lands it"]),
        ([wishes(LANDS)], [wishes()], ["a person lands it, where now it lands by rule"]),
        ([wishes()], [wishes(rule(labels=("deps",)))], ["labels: `deps`"]),
        ([wishes()], [wishes(rule(group="all"))], ["it would be in the group all", "its places are in another request"]),
        ([wishes(NONE)], [wishes()], ["would be opened: Update acme/web", "(a person lands it)"]),
        (
            [wishes()],
            [wishes(NONE)],
            ["would be closed: Update acme/web", "left alone: `acme/web` in `dev/web.yaml`: a rule"],
        ),
        ([wishes()], [NOTHING], ["would be closed", "its places are not looked at any more"]),
    ],
)
def test_differences(now: list[Wishes], then: list[Wishes], expected: list[str]) -> None:
    lines = preview(now, then)
    assert bool(lines) == bool(expected)
    for words in expected:
        assert any(words in line for line in lines), lines


def test_of_what_was_not_read_nothing_else_is_said() -> None:
    found = wishes()
    trouble = Trouble("dev/web.yaml", 1, "acme/web", "acme/web was not looked at yet")
    (db,) = [one for one in found.proposals if one.stream.subject.endswith("db")]
    then = replace(found, proposals=(db,), troubles=(trouble,))
    assert preview([found], [then], {"docker.io/acme/web"}) == ["- not looked at yet: `acme/web` in `dev/web.yaml`"]


def test_there_are_only_so_many_lines() -> None:
    place = update().occurrence
    stays = tuple(Stay(replace(place, file=f"{at}.yaml"), "x" * 5000) for at in range(60))
    lines = preview([NOTHING], [Wishes("main", stays=stays)])
    assert (len(lines), lines[-1]) == (51, "- and 10 more")
    assert sum(map(len, lines)) < 60_000


@given(TEXT, TEXT, TEXT)
def test_no_text_from_outside_does_anything(one: str, two: str, three: str) -> None:
    place = replace(update().occurrence, file=one, image=two)
    (proposal,) = World({"a.yaml": "image: acme/web:1.4.1\n"}, TAGS).wishes().proposals
    hostile = replace(proposal, title=one, labels=(two, three))
    then = Wishes("main", (hostile,), stays=(Stay(place, three),))
    for now in (NOTHING, Wishes("main", (proposal,))):
        for lines in (preview([now], [then]), preview([then], [now])):
            for line in lines:
                assert "\n" not in line
                assert dangers(line.removeprefix("- ")) == []


def test_many_requests_are_compared_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    places = module._places
    monkeypatch.setattr(module, "_places", lambda one: asked.append("") or places(one))
    images = [f"acme/web{at}" for at in range(60)]
    files = {f"{image}.yaml": f"image: {image}:1.4.1\n" for image in images}
    tags = {image: ["1.4.1", "1.4.2"] for image in images}
    now, then = (World(files, tags, Config(rules=rules)).wishes() for rules in ((), (LANDS,)))
    assert len(preview([now], [then], limit=100)) == 60
    assert len(asked) <= 4 * len(images)
