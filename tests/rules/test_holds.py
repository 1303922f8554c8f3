"""Holds: asked for, by closing a request, and by going back behind what landed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from rules.holds import Hold, gate, rejected, reverted
from rules.records import Record
from rules.requests import SETTLING, PullRequest
from rules.updates import Outcome, Stay, Trouble, Update, unread
from tests.rules.small_world import DIGEST, NOW, OTHER, occurrences, update

WEB, DAY = "docker.io/acme/web", timedelta(days=1)
Targets = tuple[tuple[str, str, str, str], ...]


def request(*targets: tuple[str, str, str, str], number: int = 7, **what: Any) -> PullRequest:
    """A request for these places that landed yesterday, unless said otherwise."""
    record = Record("main|docker.io/acme/web|rule|", "f", targets)
    found = PullRequest(number, "b", "main", "t", "", "h", "merged", ended_at=NOW - DAY, record=record)
    return replace(found, **what)


# -- what a hold stops


@pytest.mark.parametrize(
    ("hold", "line", "new", "stops"),
    [
        # everywhere, or in one place
        (Hold("acme/web"), "image: acme/web:1.4.1", "1.4.2", True),
        (Hold("acme/web"), "image: docker.io/acme/web:1.4.1", "1.4.2", True),
        (Hold("acme/web"), "image: acme/api:1.4.1", "1.4.2", False),
        (Hold("acme/web", "app.yaml"), "image: acme/web:1.4.1", "1.4.2", True),
        (Hold("acme/web", "other.yaml"), "image: acme/web:1.4.1", "1.4.2", False),
        (Hold("acme/web", base="main"), "image: acme/web:1.4.1", "1.4.2", True),
        (Hold("acme/web", base="next"), "image: acme/web:1.4.1", "1.4.2", False),
        # one version
        (Hold("acme/web", version="1.4.2"), "image: acme/web:1.4.1", "1.4.2", True),
        (Hold("acme/web", version="1.4.2"), "image: acme/web:1.4.1", "1.4.3", False),
        (Hold("acme/web", version="1.4.2"), f"image: acme/web:1.4.1@{DIGEST}", f"1.4.2@{OTHER}", True),
        (Hold("acme/web", version=f"1.4.1@{OTHER}"), f"image: acme/web:1.4.1@{DIGEST}", f"1.4.1@{OTHER}", True),
        (Hold("acme/web", version=f"1.4.1@{'sha256:' + '3' * 64}"), f"image: acme/web:1.4.1@{DIGEST}", f"1.4.1@{OTHER}", False),
        # what was taken back, and what is newer
        (Hold("acme/web", below="1.4.2"), "image: acme/web:1.4.1", "1.4.2", True),
        (Hold("acme/web", below="1.4.2"), "image: acme/web:1.4.1", "1.5.0", True),
        (Hold("acme/web", below="1.4.2"), "image: acme/web:1.4.1", "2.0.0", False),
        (Hold("acme/web", below="main-1f2e3d4-7"), "image: acme/web:main-0f2e3d4-6", "main-aaaaaaa-8", True),
        (Hold("acme/web", below="20260101"), "image: acme/web:20251231", "20260301", True),
    ],
)
def test_what_a_hold_stops(hold: Hold, line: str, new: str, stops: bool) -> None:
    wanted = update(line, new)
    assert hold.holds(wanted, "main") is stops
    (found,) = gate([wanted], [hold], "main")
    assert isinstance(found, Stay) is stops
    if isinstance(found, Stay):
        assert found.held == wanted
        assert found.reason


def test_a_hold_leaves_everything_else_in_its_place_and_order() -> None:
    one, other = update(), update("image: acme/api:1.0.0", "1.0.1")
    outcomes: list[Outcome] = [other, Trouble("x.yaml", None, "", "odd"), one, Stay(other.occurrence, "nothing newer")]
    assert gate(outcomes, [], "main") == outcomes
    found = gate(outcomes, [Hold("acme/web", reason="held by ann: not on friday")], "main")
    assert [type(outcome) for outcome in found] == [Update, Trouble, Stay, Stay]
    assert getattr(found[2], "reason", "") == "held by ann: not on friday"


# -- closed by a person


@pytest.mark.parametrize(
    ("what", "resumed", "versions"),
    [
        ({"state": "closed"}, {}, ["1.4.2"]),
        ({"state": "closed", "closed_by_us": True}, {}, []),
        ({"state": "open"}, {}, []),
        ({"state": "merged"}, {}, []),
        ({"state": "closed", "record": None}, {}, []),
        ({"state": "closed"}, {(WEB, ""): NOW}, []),
        ({"state": "closed"}, {(WEB, "app.yaml"): NOW}, []),
        ({"state": "closed"}, {(WEB, ""): NOW - 2 * DAY}, ["1.4.2"]),
    ],
)
def test_what_a_person_closed_is_a_version_that_is_skipped(what: dict[str, Any], resumed: Any, versions: list[str]) -> None:
    found = rejected([request(("app.yaml", "acme/web", "1.4.1", "1.4.2"), **what)], resumed)
    assert [hold.version for hold in found] == versions
    assert all(hold.reason == "request 7 for 1.4.2 was closed by a person" for hold in found)


def test_a_closed_group_skips_each_of_its_versions_in_its_own_place() -> None:
    group = request(("a.yaml", "acme/web", "1.4.1", "1.4.2"), ("b.yaml", "acme/api", "2.0.0", f"2.0.0@{DIGEST}"), state="closed")
    assert [(hold.image, hold.path, hold.version) for hold in rejected([group])] == [
        (WEB, "a.yaml", "1.4.2"),
        ("docker.io/acme/api", "b.yaml", f"2.0.0@{DIGEST}"),
    ]


# -- taken back

MOVED = ("app.yaml", "acme/web", "1.4.1", "1.4.2")


def standing(*tags: str, file: str = "app.yaml", image: str = "acme/web") -> list[Outcome]:
    """What stands there, each place staying as it is."""
    text = "".join(f"image: {image}:{tag}\n" for tag in tags)
    return [Stay(place, "nothing newer") for place in occurrences({file: text})]


LATER = request(("app.yaml", "acme/web", "1.4.2", "1.4.3"), number=8, ended_at=NOW - DAY / 2)
DIGESTS = ("app.yaml", "acme/web", f"1.4.1@{DIGEST}", f"1.4.1@{OTHER}")
BUILDS = ("app.yaml", "acme/web", "main-1f2e3d4-41", "main-2f2e3d4-42")
TWICE = (MOVED, MOVED)


@pytest.mark.parametrize(
    ("sentence", "requests", "stands", "held"),
    [
        ("it stands as it landed", [request(MOVED)], standing("1.4.2"), None),
        ("what stood before stands there again", [request(MOVED)], standing("1.4.1"), "1.4.1"),
        ("a still older one was written", [request(MOVED)], standing("1.3.0"), "1.3.0"),
        ("something newer was written by hand", [request(MOVED)], standing("1.4.9"), None),
        ("something that is no version was written", [request(MOVED)], standing("latest"), None),
        ("the image is gone", [request(MOVED)], [], None),
        ("another image stands there", [request(MOVED)], standing("1.4.1", image="acme/api"), None),
        ("it stands in another file", [request(MOVED)], standing("1.4.1", file="other.yaml"), None),
        ("another spelling of the image", [request(MOVED)], standing("1.4.1", image="docker.io/acme/web"), "1.4.1"),
        # of several landings the newest counts
        ("two landings, the last stands", [request(MOVED), LATER], standing("1.4.3"), None),
        ("two landings, the last was taken back", [request(MOVED), LATER], standing("1.4.2"), "1.4.2"),
        ("two landings in any order", [LATER, request(MOVED)], standing("1.4.2"), "1.4.2"),
        # several places of one file
        ("two places, both stand", [request(*TWICE)], standing("1.4.2", "1.4.2"), None),
        ("two places, one was taken back", [request(*TWICE)], standing("1.4.2", "1.4.1"), "1.4.1"),
        ("a further place was always at the old one", [request(MOVED)], standing("1.4.2", "1.4.1"), None),
        # builds and digests
        ("a build was taken back", [request(BUILDS)], standing("main-1f2e3d4-41"), "main-1f2e3d4-41"),
        ("a newer build stands there", [request(BUILDS)], standing("main-3f2e3d4-43"), None),
        ("a digest was taken back", [request(DIGESTS)], standing(f"1.4.1@{DIGEST}"), f"1.4.1@{DIGEST}"),
        ("another digest was written", [request(DIGESTS)], standing(f"1.4.1@sha256:{'3' * 64}"), None),
        # what does not count
        ("it was closed, not landed", [request(MOVED, state="closed")], standing("1.4.1"), None),
        ("it landed on another branch", [request(MOVED, base="next")], standing("1.4.1"), None),
        ("it does not tell its places", [request(record=None)], standing("1.4.1"), None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_landing_that_a_person_took_back_is_a_hold(
    sentence: str, requests: list[PullRequest], stands: list[Outcome], held: str | None
) -> None:
    found = reverted(requests, stands, "main", NOW)
    assert [hold.reason.rpartition(" ")[2] for hold in found] == ([held] if held else [])
    for hold in found:
        assert (hold.image, hold.path, hold.base, hold.version) == (WEB, "app.yaml", "main", "")
        assert f"landed with request {max(one.number for one in requests)}, and a person went back to" in hold.reason


@pytest.mark.parametrize(
    ("ago", "holds"), [(timedelta(0), 0), (SETTLING - timedelta(seconds=1), 0), (SETTLING, 1), (timedelta(days=300), 1)]
)
def test_right_after_a_landing_nothing_is_concluded(ago: timedelta, holds: int) -> None:
    """The base may have been read before it landed."""
    assert len(reverted([request(MOVED, ended_at=NOW - ago)], standing("1.4.1"), "main", NOW)) == holds


@pytest.mark.parametrize(
    ("key", "at", "holds"),
    [
        ((WEB, ""), NOW, 0),
        ((WEB, "app.yaml"), NOW - DAY, 0),
        ((WEB, "app.yaml"), NOW - 2 * DAY, 1),
        ((WEB, "other.yaml"), NOW, 1),
        (("docker.io/acme/api", ""), NOW, 1),
    ],
)
def test_resume_ends_it(key: tuple[str, str], at: datetime, holds: int) -> None:
    assert len(reverted([request(MOVED)], standing("1.4.1"), "main", NOW, {key: at})) == holds


def test_of_a_place_in_trouble_nothing_is_concluded() -> None:
    stands = standing("1.4.1")
    assert len(reverted([request(MOVED)], stands, "main", NOW)) == 1
    for trouble in (Trouble("app.yaml", None, "", "does not parse"), Trouble("app.yaml", 3, "acme/web", "the registry is down")):
        assert reverted([request(MOVED)], [*stands, trouble], "main", NOW) == []
    assert len(reverted([request(MOVED)], [*stands, *unread([])], "main", NOW)) == 1


def test_an_open_update_counts_as_what_stands_there() -> None:
    assert len(reverted([request(MOVED)], [update("image: acme/web:1.4.1", "1.4.2")], "main", NOW)) == 1
    assert reverted([request(MOVED)], [update("image: acme/web:1.4.2", "1.4.3")], "main", NOW) == []


def test_a_held_place_holds_all_minors_and_lets_the_next_major_through() -> None:
    (hold,) = reverted([request(MOVED)], standing("1.4.1"), "main", NOW)
    stopped = [isinstance(one, Stay) for one in gate([update(new=tag) for tag in ("1.4.2", "1.9.0", "2.0.0")], [hold], "main")]
    assert stopped == [True, True, False]
