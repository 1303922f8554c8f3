"""What is wished against what is there: every stream exactly one answer, and nothing left to do the second time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import freezes, schedules
from rules.config.values import Commits, Config, PullRequests
from rules.holds import Hold, gate
from rules.plan import Action, Close, Leave, Open, PullRequest, Push, Refresh, Terms, apart, plan, pushes
from rules.proposals import Stream, Wishes, propose, split
from rules.requests import SETTLING
from rules.streams import apart_from
from rules.updates import Trouble
from tests.rules.small_world import NOW, World, rule

HOUR = timedelta(hours=1)


def world(**files: str) -> World:
    """One image at 1.4.1, with 1.4.2 in its registry."""
    return World({"web.yaml": "image: acme/web:1.4.1\n"} | files, {"acme/web": ["1.4.1", "1.4.2"]})


def opened(**files: str) -> World:
    """The same, with the request for it open since a day."""
    here = world(**files)
    here.carry_out(planned(here))
    here.pass_time(timedelta(days=1))
    return here


def planned(here: World, **terms: Any) -> list[Action]:
    return plan([here.wishes()], here.requests, Terms(here.now, **terms))


def told(actions: list[Action]) -> list[tuple[str, str]]:
    """Each action in short."""
    return [(type(one).__name__, getattr(one, "reason", "")) for one in actions]


def newer(here: World) -> None:
    here.tags["acme/web"] = ["1.4.1", "1.4.2", "1.4.3"]


def by_hand(tag: str) -> Callable[[World], None]:
    def write(here: World) -> None:
        here.files["web.yaml"] = f"image: acme/web:{tag}\n"

    return write


def person(**what: Any) -> Callable[[World], None]:
    def change(here: World) -> None:
        here.change(here.requests[0], **what)

    return change


def closed_by_a_person(here: World) -> None:
    here.change(here.requests[0], state="closed", ended_at=here.now)


def gone(here: World) -> None:
    del here.files["web.yaml"]


def unread(here: World) -> None:
    here.tags["acme/web"] = None


def moved_in_its_file(here: World) -> None:
    here.files["web.yaml"] = "# a comment\nimage: acme/web:1.4.0\n"


def ignored(here: World) -> None:
    here.files["web.yaml"] = "image: acme/web:1.4.1  # tagboat: ignore\n"


def into_a_group(here: World) -> None:
    here.files["api.yaml"] = "image: acme/api:2.0.0\n"
    here.tags["acme/api"] = ["2.0.0", "2.1.0"]
    here.config = Config(rules=(rule(group="platform"),))


def relabelled(here: World) -> None:
    here.config = Config(rules=(rule(labels=("images",)),))


def retitled(here: World) -> None:
    here.config = Config(commits=Commits(title="bump {image} to {new}"))


def frozen(here: World) -> None:
    here.config = Config(freezes=(freezes.read("2026-03-01", "2026-03-09"),))


PERSON = "a person pushed to its branch, so it is left alone"
ROWS: list[tuple[str, list[Callable[[World], None]], list[tuple[str, str]]]] = [
    ("nothing happened", [], [("Leave", "up to date")]),
    # the registry
    ("a newer tag came", [newer], [("Refresh", "now 1.4.3")]),
    ("its registry is down", [unread], [("Leave", "left as it is: acme/web could not be looked at (the registry is down)")]),
    # a person at the files
    ("a person wrote the new tag", [by_hand("1.4.2")], [("Close", "web.yaml says 1.4.2 already")]),
    ("a person wrote an older tag", [by_hand("1.4.0")], [("Refresh", "its places changed on the base")]),
    ("lines moved and another tag stands", [moved_in_its_file], [("Refresh", "its places changed on the base")]),
    ("its file is gone", [gone], [("Close", "acme/web no longer stands in web.yaml")]),
    ("its line says ignore", [ignored], [("Close", "acme/web in web.yaml: a comment beside it says to ignore it")]),
    # a person at the request
    ("a person pushed", [person(edited_by_person=True)], [("Leave", PERSON)]),
    ("a person pushed, then a newer tag came", [person(edited_by_person=True), newer], [("Leave", PERSON)]),
    (
        "a person pushed and wrote the new tag on the base as well",
        [person(edited_by_person=True), by_hand("1.4.2")],
        [("Leave", f"nothing is left to update, but {PERSON}")],
    ),
    ("a person put WIP", [person(title="WIP: Update acme/web from 1.4.1 to 1.4.2")], [("Leave", "up to date")]),
    ("a person put a label", [person(labels=frozenset({"mine"}))], [("Leave", "up to date")]),
    (
        "a person closed it",
        [closed_by_a_person],
        [("Leave", "a person closed request 1 for the same; a newer version will be proposed")],
    ),
    ("a person closed it, then a newer tag came", [closed_by_a_person, newer], [("Open", "")]),
    ("a person wrote over its body", [person(body="Mine", record=None)], [("Refresh", "now 1.4.2")]),
    (
        "a person turned it to another branch",
        [person(base="next")],
        [("Open", ""), ("Leave", "the branch next is not looked at")],
    ),
    # the rules
    ("a rule brought labels", [relabelled], [("Refresh", "its words changed")]),
    ("the titles changed", [retitled], [("Refresh", "its words changed")]),
    (
        "a rule put it into a group",
        [into_a_group],
        [("Close", "acme/web in web.yaml is in another request now: Update platform: 2 images"), ("Open", "")],
    ),
]


@pytest.mark.parametrize(("happened", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_what_becomes_of_an_open_request(happened: list[Callable[[World], None]], expected: list[tuple[str, str]]) -> None:
    here = opened()
    for step in happened:
        step(here)
    assert told(planned(here)) == expected


@pytest.mark.parametrize("happened", [newer, by_hand("1.4.0"), by_hand("1.4.2"), gone, into_a_group, retitled, relabelled])
def test_what_was_carried_out_is_not_asked_for_again(happened: Callable[[World], None]) -> None:
    here = opened()
    happened(here)
    here.carry_out(planned(here))
    assert all(isinstance(action, Leave) for action in planned(here))


def test_a_newer_tag_keeps_number_and_branch_and_what_a_person_made_of_the_title() -> None:
    here = opened()
    here.change(here.requests[0], title="WIP: Update acme/web from 1.4.1 to 1.4.2")
    newer(here)
    (refresh,) = planned(here)
    assert isinstance(refresh, Refresh)
    assert (refresh.request.number, refresh.rewrite) == (1, True)
    assert refresh.proposal.branch == refresh.request.branch
    assert refresh.proposal.title == "WIP: Update acme/web from 1.4.1 to 1.4.3"


def test_words_alone_do_not_write_the_branch_anew() -> None:
    here = opened()
    retitled(here)
    (refresh,) = planned(here)
    assert isinstance(refresh, Refresh)
    assert not refresh.rewrite
    assert refresh.proposal.title == "bump acme/web to 1.4.2"


def test_a_new_branch_prefix_leaves_the_open_request_on_its_branch() -> None:
    here = opened()
    here.config = Config(pull_requests=PullRequests(branch_prefix="bots/"))
    assert told(planned(here)) == [("Leave", "up to date")]


def test_two_requests_for_one_stream_become_one() -> None:
    here = opened()
    here.requests.append(replace(here.requests[0], number=2, branch=f"other-{here.requests[0].branch[-8:]}"))
    actions = planned(here)
    assert told(actions) == [("Close", "request 1 is for the same"), ("Leave", "up to date")]
    assert [action.request.number for action in actions if isinstance(action, Close)] == [2]


def test_a_request_whose_hidden_line_was_forged_is_another_streams_by_its_branch_alone() -> None:
    """Whoever writes our line into a branch of his own does not get it refreshed, and ours is not closed for it."""
    here = opened()
    mine = here.requests[0]
    here.requests.append(replace(mine, number=2, branch="feature-x"))
    actions = planned(here)
    assert [(type(one).__name__, one.request.number) for one in actions if one.request] == [("Close", 2), ("Leave", 1)]  # type: ignore[union-attr]


# -- what could not be read


@pytest.mark.parametrize(
    ("trouble", "stays"),
    [
        (Trouble("web.yaml", 1, "acme/web", "x", base="main"), True),
        (Trouble("web.yaml", None, "", "does not parse", base="main"), True),
        (Trouble("", None, "", "the branch cannot be read", base="main"), True),
        (Trouble("", None, "", "nothing can be read"), True),
        (Trouble("", None, "", "the branch cannot be read", base="next"), False),
        (Trouble("other.yaml", None, "", "does not parse", base="main"), False),
        (Trouble("web.yaml", 1, "acme/api", "x", base="main"), False),
    ],
)
def test_an_unread_place_closes_nothing(trouble: Trouble, stays: bool) -> None:
    here = opened()
    (action,) = plan([Wishes("main", troubles=(trouble,))], here.requests, Terms(here.now))
    assert isinstance(action, Leave if stays else Close)


def test_a_request_that_does_not_tell_its_places_stays_while_anything_is_unread() -> None:
    here = opened()
    here.change(here.requests[0], record=None)
    trouble = Trouble("elsewhere.yaml", None, "", "does not parse", base="main")
    assert told(plan([Wishes("main", troubles=(trouble,))], here.requests, Terms(here.now)))[0][0] == "Leave"
    assert told(plan([Wishes("main")], here.requests, Terms(here.now))) == [("Close", "nothing is left to update")]


def test_a_branch_that_was_not_looked_at_keeps_its_requests() -> None:
    here = opened()
    assert told(plan([], here.requests, Terms(here.now))) == [("Leave", "the branch main is not looked at")]


# -- what people closed


def refused(*news: str, **what: Any) -> World:
    """A world in which a person closed the request for these targets of one image in as many files."""
    here = World({f"{at}.yaml": "image: acme/web:1.4.1\n" for at in range(len(news))}, {"acme/web": [*news]})
    here.carry_out(planned(here))
    here.change(here.requests[0], state="closed", ended_at=here.now, **what)
    return here


def test_a_refused_group_is_refused_member_by_member() -> None:
    here = opened()
    into_a_group(here)
    here.carry_out(planned(here))
    (group,) = here.open()
    here.change(group, state="closed", ended_at=here.now)
    assert told(planned(here))[0][1].startswith("a person closed request 2 for the same")
    here.config = Config()  # out of the group, each member is still the version that was refused
    assert {kind for kind, _ in told(planned(here))} == {"Leave"}
    here.tags["acme/api"] = ["2.0.0", "2.2.0"]  # and a newer version of one is proposed
    assert sorted(kind for kind, _ in told(planned(here))) == ["Leave", "Open"]


def test_a_refused_digest_is_that_digest_only() -> None:
    here = World({"web.yaml": f"image: acme/web:1.4.1@sha256:{'1' * 64}\n"}, {"acme/web": ["1.4.1"]})
    here.digests = {"1.4.1": f"sha256:{'2' * 64}"}
    here.carry_out(planned(here))
    here.change(here.requests[0], state="closed", ended_at=here.now)
    assert told(planned(here))[0][0] == "Leave"
    here.digests = {"1.4.1": f"sha256:{'3' * 64}"}
    assert told(planned(here)) == [("Open", "")]


@pytest.mark.parametrize(
    ("what", "resumed", "opens"),
    [
        ({}, {}, False),
        ({"closed_by_us": True}, {}, True),
        ({"base": "next"}, {}, True),
        ({}, {("docker.io/acme/web", ""): NOW + HOUR}, True),
        ({}, {("docker.io/acme/web", "0.yaml"): NOW + HOUR}, True),
        ({}, {("docker.io/acme/web", ""): NOW - HOUR}, False),  # said before it was closed
        ({}, {("docker.io/acme/web", "1.yaml"): NOW + HOUR}, False),
        ({}, {("docker.io/acme/api", ""): NOW + HOUR}, False),
        ({"record": None}, {}, False),  # by its title
        ({"record": None, "title": "Something else"}, {}, True),
    ],
)
def test_a_closed_request_means_not_this_version(what: dict[str, Any], resumed: Any, opens: bool) -> None:
    here = refused("1.4.2", **what)
    (action,) = planned(here, resumed=resumed)
    assert isinstance(action, Open if opens else Leave)


def test_a_landing_of_a_moment_ago_is_not_proposed_again() -> None:
    """The base was read before it landed."""
    here = opened()
    here.change(here.requests[0], state="merged", ended_at=here.now)
    (action,) = planned(here)
    assert isinstance(action, Leave)
    assert (action.reason, action.wake) == (
        "request 1 has just landed, and its base was read before that",
        here.now + SETTLING,
    )
    here.pass_time(SETTLING)
    assert told(planned(here)) == [("Open", "")]


# -- limits, schedules, freezes


def many(count: int) -> World:
    return World(
        {f"{at}.yaml": f"image: acme/app{at}:1.0.0\n" for at in range(count)}, {f"acme/app{at}": ["1.0.1"] for at in range(count)}
    )


def subjects(actions: list[Action]) -> list[str]:
    return [one.proposal.stream.subject.rpartition("/")[2] for one in actions if isinstance(one, Open)]


@pytest.mark.parametrize(
    ("terms", "count", "reason"),
    [
        ({}, 5, ""),
        ({"limit": 2}, 2, "2 requests are open, and pull_requests.limit is 2"),
        ({"hourly": 3}, 3, "3 requests were opened within an hour, and pull_requests.hourly is 3"),
        ({"limit": 4, "hourly": 1}, 1, "1 request was opened within an hour, and pull_requests.hourly is 1"),
        ({"limit": 0}, 0, "0 requests are open, and pull_requests.limit is 0"),
        ({"hourly": 0}, 0, "0 requests were opened within an hour, and pull_requests.hourly is 0"),
        ({"hourly": 3, "opened": (NOW - HOUR / 2, NOW - HOUR / 3)}, 1, "pull_requests.hourly is 3"),
        ({"hourly": 3, "opened": (NOW - HOUR, NOW - 2 * HOUR)}, 3, "pull_requests.hourly is 3"),
    ],
)
def test_limits(terms: dict[str, Any], count: int, reason: str) -> None:
    actions = planned(many(5), **terms)
    assert len(subjects(actions)) == count
    assert all(reason in one.reason for one in actions if isinstance(one, Leave))


def test_what_is_closed_makes_room_at_once() -> None:
    here = many(3)
    here.carry_out(planned(here, limit=1))
    del here.files["0.yaml"]
    assert [kind for kind, _ in told(planned(here, limit=1))] == ["Close", "Open", "Leave"]


def test_an_hour_after_the_first_there_is_room_again() -> None:
    here = many(3)
    here.carry_out(planned(here, hourly=2))
    here.pass_time(HOUR / 2)
    (left,) = (one for one in planned(here, hourly=2) if isinstance(one, Leave) and one.wake)
    assert left.wake == NOW + HOUR
    here.pass_time(HOUR / 2)
    assert len(subjects(planned(here, hourly=2))) == 1


def test_the_higher_priority_goes_first_then_what_waits_longest_then_the_name() -> None:
    here = many(4)
    here.config = Config(rules=(rule(images=["acme/app3"], priority=5),))
    since = {one.stream.key: NOW - HOUR for one in here.wishes().proposals if one.stream.subject.endswith("app2")}
    assert subjects(planned(here, since=since)) == ["app3", "app2", "app0", "app1"]
    assert subjects(planned(here, since=since, limit=2)) == ["app3", "app2"]


OFFICE = schedules.read("Mon-Fri 08:00-17:00 Europe/Zurich")
NIGHT = schedules.read("Mon-Fri 22:00-02:00 UTC")


@pytest.mark.parametrize(
    ("config", "kind", "reason", "wake"),
    [
        (Config(rules=(rule(schedule=OFFICE),)), "Open", "", None),  # a Monday, noon
        (Config(rules=(rule(schedule=NIGHT),)), "Leave", "outside its schedule (", NOW + timedelta(hours=10)),
        (Config(freezes=(freezes.read("2026-03-01", "2026-03-09"),)), "Leave", "frozen: ", "2026-03-10T00:00:00+00:00"),
        (Config(freezes=(freezes.read("2026-03-03", "2026-03-09"),)), "Open", "", None),
        (Config(freezes=(freezes.read("2026-03-01", "2026-03-09", except_label="urgent"),)), "Leave", "frozen: ", ...),
        (
            Config(rules=(rule(labels=("urgent",)),), freezes=(freezes.read("2026-03-01", "2026-03-09", except_label="urgent"),)),
            "Open",
            "",
            None,
        ),
    ],
)
def test_schedules_and_freezes_hold_new_requests_back(config: Config, kind: str, reason: str, wake: Any) -> None:
    here = world()
    here.config = config
    (action,) = plan([here.wishes()], [], Terms(here.now, freezes=config.freezes))
    assert type(action).__name__ == kind
    if isinstance(action, Leave):
        assert action.reason.startswith(reason)
        found = action.wake.isoformat() if isinstance(wake, str) and action.wake else action.wake
        assert wake in (found, ...)


def test_a_freeze_holds_the_branch_back_and_lets_a_label_on_the_request_through() -> None:
    here = opened()
    newer(here)
    freeze = freezes.read("2026-03-01", "2026-03-09", except_label="urgent")
    assert told(planned(here, freezes=(freeze,)))[0][0] == "Leave"
    here.change(here.requests[0], labels=frozenset({"urgent"}))
    assert told(planned(here, freezes=(freeze,))) == [("Refresh", "now 1.4.3")]


def test_a_freeze_closes_and_leaves_as_always() -> None:
    here = opened()
    freeze = freezes.read("2026-03-01", "2026-03-09")
    assert told(planned(here, freezes=(freeze,))) == [("Leave", "up to date")]
    gone(here)
    assert told(planned(here, freezes=(freeze,)))[0][0] == "Close"


# -- straight to the branch


def test_what_goes_straight_to_the_branch_is_no_request() -> None:
    here = world()
    here.config = Config(rules=(rule(delivery="push"),))
    assert planned(here) == []
    assert [type(one) for one in pushes([here.wishes()], Terms(here.now))] == [Push]
    here.config = Config(rules=(rule(delivery="push", schedule=NIGHT),))
    (left,) = pushes([here.wishes()], Terms(here.now))
    assert isinstance(left, Leave)
    assert left.wake == NOW + timedelta(hours=10)


def test_a_rule_that_turns_to_push_closes_the_request() -> None:
    here = opened()
    here.config = Config(rules=(rule(delivery="push"),))
    assert told(planned(here)) == [
        ("Close", "acme/web in web.yaml is in another request now: Update acme/web from 1.4.1 to 1.4.2")
    ]


# -- withheld


def test_a_withheld_stream_leaves_its_open_request_as_it_is() -> None:
    here = opened(**{"api.yaml": "image: acme/api:1.4.1\n"})
    here.tags["acme/api"] = ["1.4.2"]
    here.config = Config(rules=(rule(group="platform", lockstep=True),))
    here.carry_out(planned(here))
    (group,) = here.open()
    here.tags["acme/api"] = ["1.4.1"]
    actions = planned(here)
    assert told(actions)[0][0] == "Leave"
    assert "lockstep: " in told(actions)[0][1]
    assert isinstance(actions[0], Leave)
    assert actions[0].request == group


@pytest.mark.parametrize(
    ("version", "kind"),
    [("1.4.2", "Close"), ("1.4.3", "Leave"), ("", "Leave")],
)
def test_only_a_request_for_the_very_version_that_is_refused_is_closed(version: str, kind: str) -> None:
    """1.4.3 came since, and is what would be proposed now where 1.4.3 itself is refused."""
    here = opened()
    if version == "1.4.3":
        newer(here)
    outcomes = gate(here.outcomes(), [Hold("acme/web", version=version, reason="skipped by ann")], "main")
    actions = plan([propose(outcomes, here.ground())], here.requests, Terms(here.now))
    assert told(actions) == [(kind, "skipped by ann")]
    here.change(here.requests[0], edited_by_person=True)
    actions = plan([propose(outcomes, here.ground())], here.requests, Terms(here.now))
    assert told(actions) == [("Leave", "skipped by ann")]


# -- groups that split


def test_a_split_group_stays_split_while_the_red_member_has_a_request() -> None:
    here = opened()
    into_a_group(here)
    here.carry_out(planned(here))
    (group,) = here.wishes().proposals
    good, red = split(group, ["acme/api"], here.ground())[0]
    here.carry_out([Refresh(here.open()[0], good, True, "split"), Open(red)])
    assert apart(here.requests) == {apart_from("group:platform", "acme/api")}
    wishes = [_apart(here)]
    assert {kind for kind, _ in told(plan(wishes, here.requests, Terms(here.now)))} == {"Leave"}
    here.change(here.open()[1], state="closed", closed_by_us=True)
    assert apart(here.requests) == frozenset()


def _apart(here: World) -> Wishes:
    return propose(here.outcomes(), here.ground(apart(here.requests)))


# -- properties

EVENTS = [newer, unread, gone, ignored, into_a_group, retitled, by_hand("1.4.0"), by_hand("1.4.2"), closed_by_a_person, frozen]


@settings(max_examples=120, deadline=None)
@given(st.randoms(use_true_random=False), st.lists(st.sampled_from(range(len(EVENTS))), max_size=4))
def test_every_stream_and_every_open_request_has_exactly_one_answer(chance: Random, happened: list[int]) -> None:
    here = opened(**{"b.yaml": "image: acme/web:1.4.1\n"})
    for at in happened:
        if not (EVENTS[at] is gone and "web.yaml" not in here.files):
            EVENTS[at](here)
    chance.shuffle(here.requests)
    actions = planned(here)
    answered: list[PullRequest] = [one.request for one in actions if not isinstance(one, Open) and one.request]
    assert sorted(one.number for one in answered) == sorted(one.number for one in here.open())
    streams = [_stream(one) for one in actions if not isinstance(one, Close)]
    assert len(streams) == len(set(streams))
    here.carry_out(actions)
    assert all(isinstance(one, Leave) for one in planned(here)), "planned again, nothing is left to do"


def _stream(action: Action) -> str:
    match action:
        case Open(proposal) | Refresh(proposal=proposal):
            return proposal.stream.key
        case Leave(stream):
            return stream
        case Close(request):
            raise AssertionError(request)


def test_streams_with_equal_keys_are_one() -> None:
    assert Stream("main", "a", "rule").mark == Stream("main", "a", "rule", None).mark
