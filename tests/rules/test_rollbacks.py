"""Going back after a landing: whose report counts, what it comes to, and what is held then."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rules import freezes
from rules.automerge import Automerge
from rules.commands import TakeBack
from rules.config.values import Config, Landing, Limits
from rules.holds import Hold, gate
from rules.messages import why
from rules.plan import Leave, Open, Terms, plan
from rules.proposals import propose
from rules.records import Record
from rules.requests import PullRequest
from rules.rollbacks import WATCH, Asked, Health, Reports, back, held
from rules.updates import ROLLBACK, Outcome, Stay, Trouble, Update
from tests.rules.small_world import DIGEST, NOW, OTHER, World, occurrences, rule

WEB, HOUR = "docker.io/acme/web", timedelta(hours=1)
PROPOSE, AUTO = Config(rules=(rule(rollback="propose"),)), Config(rules=(rule(rollback="auto"),))


def landed(old: str = "1.4.1", new: str = "1.4.2", ago: timedelta = HOUR, file: str = "app.yaml", **what: Any) -> PullRequest:
    record = Record("main|docker.io/acme/web|rule|", "f", ((file, "acme/web", old, new),))
    return replace(PullRequest(7, "b", "main", "t", "", "h", "merged", ended_at=NOW - ago, record=record), **what)


def health(image: str = "acme/web:1.4.2", place: str = "", *, well: bool = False, ago: timedelta = HOUR / 2) -> Health:
    return Health(image, place, well, "CrashLoopBackOff", NOW - ago)


def stays(tag: str = "1.4.2") -> list[Outcome]:
    return [Stay(place, "nothing newer") for place in occurrences({"app.yaml": f"image: acme/web:{tag}"})]


@pytest.mark.parametrize(
    ("sentence", "healths", "requests", "config", "goes_back"),
    [
        ("it was reported unhealthy", [health()], [landed()], PROPOSE, True),
        ("in this very place", [health(place="app.yaml")], [landed()], PROPOSE, True),
        ("under another spelling", [health("docker.io/acme/web:1.4.2")], [landed()], PROPOSE, True),
        ("with its digest too", [health(f"acme/web:1.4.2@{DIGEST}")], [landed()], PROPOSE, True),
        ("no rule asks for it", [health()], [landed()], Config(), False),
        ("in another place", [health(place="other.yaml")], [landed()], PROPOSE, False),
        ("another image", [health("acme/api:1.4.2")], [landed()], PROPOSE, False),
        ("another tag than stands there", [health("acme/web:1.4.3")], [landed()], PROPOSE, False),
        ("no image at all", [health("::")], [landed()], PROPOSE, False),
        ("it is healthy", [health(well=True)], [landed()], PROPOSE, False),
        ("it is healthy again", [health(), health(well=True, ago=HOUR / 4)], [landed()], PROPOSE, False),
        ("it was healthy before", [health(well=True), health(ago=HOUR / 4)], [landed()], PROPOSE, True),
        ("in any order", [health(ago=HOUR / 4), health(well=True)], [landed()], PROPOSE, True),
        ("the report is older than the landing", [health(ago=2 * HOUR)], [landed()], PROPOSE, False),
        ("long after the landing", [health()], [landed(ago=WATCH + HOUR)], PROPOSE, False),
        ("a person wrote it, nothing landed", [health()], [], PROPOSE, False),
        ("it landed on another branch", [health()], [landed(base="next")], PROPOSE, False),
        ("it was only proposed", [health()], [landed(state="open")], PROPOSE, False),
        ("something else landed since", [health()], [landed(), landed("1.4.2", "1.4.3", HOUR / 4)], PROPOSE, False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whose_report_counts(
    sentence: str, healths: list[Health], requests: list[PullRequest], config: Config, goes_back: bool
) -> None:
    (found,) = back(stays(), requests, "main", Reports(tuple(healths)), config)
    assert isinstance(found, Update) is goes_back
    if isinstance(found, Update):
        assert (str(found.target), found.kind, found.policy) == ("1.4.1", "patch", ROLLBACK)
        assert why(found).endswith("was reported unhealthy: CrashLoopBackOff")


def asked(version: str = "1.4.2", path: str = "app.yaml") -> Reports:
    return Reports(asked=(Asked(TakeBack(WEB, path, version, "it pages us"), "ann", NOW),))


@pytest.mark.parametrize(
    ("reports", "goes_back"), [(asked(), True), (asked(path=""), True), (asked("1.4.1"), False), (asked(path="b.yaml"), False)]
)
def test_a_person_asks_for_it_whatever_the_rule_says(reports: Reports, goes_back: bool) -> None:
    (found,) = back(stays(), [landed(ago=30 * WATCH)], "main", reports, Config())
    assert isinstance(found, Update) is goes_back
    assert not goes_back or why(found) == "ann asked for it: it pages us"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "old", "new", "target"),
    [
        (f"acme/web:1.4.2@{OTHER}", f"1.4.1@{DIGEST}", f"1.4.2@{OTHER}", f"1.4.1@{DIGEST}"),
        (f"acme/web:1.4@{OTHER}", f"1.4@{DIGEST}", f"1.4@{OTHER}", f"1.4@{DIGEST}"),
        (f"acme/web@{OTHER}", f"@{DIGEST}", f"@{OTHER}", f"@{DIGEST}"),
        (f"acme/web:1.4@{OTHER}", "1.4", f"1.4@{OTHER}", None),  # a pin cannot be taken off again
    ],
)
def test_digests_go_back_too(line: str, old: str, new: str, target: str | None) -> None:
    (place,) = occurrences({"app.yaml": f"image: {line}"})
    reports = Reports(asked=(Asked(TakeBack(WEB, "", new, ""), "ann", NOW),))
    (found,) = back([Stay(place, "x")], [landed(old, new)], "main", reports, Config())
    assert (str(found.target) if isinstance(found, Update) else None) == target


def test_whatever_is_newer_waits_for_it_and_trouble_stays_trouble() -> None:
    here = world(PROPOSE)
    here.tags["acme/web"] = ["1.4.1", "1.4.2", "1.4.3", "2.0.0"]
    trouble = Trouble("x.yaml", None, "", "odd")
    outcomes = [trouble, *here.outcomes()]
    assert len(outcomes) == 3
    found = back(outcomes, here.requests, "main", Reports((health(ago=timedelta(0)),)), PROPOSE)
    assert found[0] == trouble
    assert [str(one.target) for one in found[1:] if isinstance(one, Update)] == ["1.4.1"]


def test_what_the_registry_no_longer_has_is_not_gone_back_to() -> None:
    here = world(PROPOSE)
    here.tags["acme/web"] = ["1.4.2", "1.4.3"]
    (found,) = back(here.outcomes(), here.requests, "main", Reports((health(ago=timedelta(0)),)), PROPOSE)
    assert isinstance(found, Stay)
    assert found.reason.startswith("it should go back to 1.4.1, which its registry no longer has")


def test_the_version_is_held_until_somebody_says_resume() -> None:
    places = occurrences({"app.yaml": "image: acme/web:1.4.2", "b.yaml": "image: acme/web:1.4.0"})
    reports = Reports((health(),), asked().asked)
    assert [(one.path, one.version) for one in held(reports, places, PROPOSE)] == [
        ("app.yaml", "1.4.2"), ("b.yaml", "1.4.2"), ("app.yaml", "1.4.2"),
    ]  # fmt: skip
    assert [one.reason for one in held(reports, places, Config())] == ["ann took 1.4.2 back: it pages us"]
    assert held(replace(reports, resumed={(WEB, ""): NOW}), places, PROPOSE) == []


# -- the request that goes back


def world(config: Config) -> World:
    """A place where 1.4.2 landed an hour ago."""
    return World({"app.yaml": "image: acme/web:1.4.2\n"}, {"acme/web": ["1.4.1", "1.4.2"]}, config, [landed()])


def wishes(here: World, reports: Reports) -> Any:
    holds: list[Hold] = held(reports, occurrences(here.files), here.config)
    return propose(back(gate(here.outcomes(), holds, "main"), here.requests, "main", reports, here.config), here.ground())


UNWELL = Reports((health(ago=timedelta(0)),))


@pytest.mark.parametrize(
    ("config", "lands"),
    [
        (PROPOSE, False),
        (AUTO, True),
        (Config(rules=(rule(rollback="auto", automerge=Landing(Automerge(method="merge", min_pr_age=HOUR))),)), True),
        (Config(rules=AUTO.rules, limits=Limits(paths_never=("app.yaml",))), False),
    ],
)
def test_it_has_a_request_of_its_own_and_lands_as_the_rule_says(config: Config, lands: bool) -> None:
    (found,) = wishes(world(config), UNWELL).proposals
    assert found.title == "Roll back acme/web from 1.4.2 to 1.4.1"
    assert found.stream.is_rollback
    assert (found.automerge is not None) is lands
    assert found.automerge is None or found.automerge.min_pr_age == timedelta(0)
    assert [file.data for file in found.files] == [b"image: acme/web:1.4.1\n"]
    assert "Why `1.4.1`: 1.4.2 was reported unhealthy: CrashLoopBackOff (policy `rollback`)." in found.body


def test_neither_a_freeze_nor_a_schedule_keeps_it_from_being_opened() -> None:
    here = world(PROPOSE)
    freeze = freezes.read("2026-03-01", "2026-03-09")
    assert isinstance(plan([wishes(here, UNWELL)], here.requests, Terms(NOW + HOUR, freezes=(freeze,)))[0], Open)


def test_once_it_landed_the_version_does_not_come_back() -> None:
    here = world(AUTO)
    here.carry_out(plan([wishes(here, UNWELL)], here.requests, Terms(NOW)))
    here.merge(here.open()[0])
    here.pass_time(HOUR)
    found = wishes(here, UNWELL)
    assert found.proposals == ()
    assert [one.reason for one in found.withheld] == ["1.4.2 was reported unhealthy: CrashLoopBackOff"]
    here.tags["acme/web"] = ["1.4.1", "1.4.2", "1.4.3"]  # a repaired one does
    assert [str(one.updates[0].target) for one in wishes(here, UNWELL).proposals] == ["1.4.3"]


def test_closed_by_a_person_it_is_not_opened_again() -> None:
    here = world(PROPOSE)
    here.carry_out(plan([wishes(here, UNWELL)], here.requests, Terms(NOW)))
    here.change(here.open()[0], state="closed", ended_at=NOW)
    assert isinstance(plan([wishes(here, UNWELL)], here.requests, Terms(NOW + HOUR))[0], Leave)
