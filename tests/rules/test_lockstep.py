"""Lockstep: all members of a group go to one version, or none of them moves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.config.values import Config
from rules.lockstep import out_of_step
from rules.streams import PERSON, Stream, member
from rules.updates import Stay, Trouble, Update
from tests.rules.small_world import occurrences, rule, update

CONFIG = Config(rules=(rule(images=["acme/*"], group="platform", lockstep=True), rule(images=["acme/free"], lockstep=False)))
STREAM = Stream("main", "group:platform", PERSON)


def to(image: str, new: str) -> Update:
    return update(f"image: acme/{image}:1.0.0", new)


def stays(image: str, tag: str, reason: str = "nothing newer") -> Stay:
    (place,) = occurrences({"b.yaml": f"image: acme/{image}:{tag}"})
    return Stay(place, reason)


def trouble(image: str, file: str = "b.yaml") -> Trouble:
    return Trouble(file, 1, image, "the registry is down")


@pytest.mark.parametrize(
    ("sentence", "moving", "others", "reason"),
    [
        ("alone", [to("web", "1.4.0")], [], None),
        ("both to the same", [to("web", "1.4.0"), to("api", "1.4.0")], [], None),
        ("both to the same, spelled in another way", [to("web", "1.4.0"), to("api", "v1.4.0")], [], None),
        ("both to the same, of two variants", [to("web", "1.4.0"), to("api", "1.4.0-alpine")], [], None),
        ("to two versions", [to("web", "1.4.0"), to("api", "1.4.1")], [], "docker.io/acme/api would go to 1.4.1"),
        ("a pre-release is another version", [to("web", "1.4.0"), to("api", "1.4.0-rc.1")], [], "would go to 1.4.0-rc.1"),
        ("one is there already", [to("web", "1.4.0")], [stays("api", "1.4.0")], None),
        ("one is there already, with a variant", [to("web", "1.4.0")], [stays("api", "1.4.0-alpine")], None),
        ("one has nothing newer", [to("web", "1.4.0")], [stays("api", "1.3.0")], "acme/api stays at 1.3.0"),
        ("one is ahead", [to("web", "1.4.0")], [stays("api", "1.5.0")], "acme/api stays at 1.5.0"),
        ("another place of the same image", [to("web", "1.4.0")], [stays("web", "1.3.0")], "acme/web stays at 1.3.0"),
        ("one could not be looked at", [to("web", "1.4.0")], [trouble("acme/api")], "acme/api in b.yaml could not be looked at"),
        ("an image of another group", [to("web", "1.4.0")], [stays("free", "0.1.0")], None),
        ("an image of another group in trouble", [to("web", "1.4.0")], [trouble("acme/free")], None),
        ("an image of nobody", [to("web", "1.4.0")], [trouble("other/api")], None),
        ("a file of which nothing is known", [to("web", "1.4.0")], [trouble("")], None),
    ],
)
def test_in_step_or_not(sentence: str, moving: list[Update], others: list[Stay | Trouble], reason: str | None) -> None:
    members = [member(one, CONFIG, "github") for one in moving]
    found = out_of_step(STREAM, members, others, CONFIG)
    assert (found is None) is (reason is None)
    assert (reason or "") in (found or "")


def test_the_reason_of_the_one_that_stays_is_said() -> None:
    members = [member(to("web", "1.4.0"), CONFIG, "github")]
    found = out_of_step(STREAM, members, [stays("api", "1.3.0", "1.4.0 is not 3d old yet")], CONFIG)
    assert found == "lockstep: acme/api stays at 1.3.0, and the others would go to 1.4.0 (1.4.0 is not 3d old yet)"


def test_groups_by_folder_are_told_apart() -> None:
    config = Config(rules=(rule(group="path:envs/*", lockstep=True),))
    dev = replace(STREAM, subject="group:envs/dev")
    members = [member(update(file="envs/dev/a.yaml"), config, "github")]
    (place,) = occurrences({"envs/prod/a.yaml": "image: acme/api:1.0.0"})
    assert out_of_step(dev, members, [Stay(place, "nothing newer")], config) is None
    (place,) = occurrences({"envs/dev/b.yaml": "image: acme/api:1.0.0"})
    assert out_of_step(dev, members, [Stay(place, "nothing newer")], config)
