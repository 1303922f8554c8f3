"""Bodies: what a person reads in a request, and that it cannot be made to do anything."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from rules.automerge import Automerge
from rules.config.values import Config, Landing
from rules.formats.base import Occurrence
from rules.merging import Condition
from rules.messages.body import LIMIT, body
from rules.policies.base import Choice, Judged, Verdict
from rules.proposals import Proposal
from rules.records import record_of, written_of
from rules.schedules import read
from rules.streams import PERSON, Stream
from rules.updates import Stay, Target, Update
from tests.rules.messages.hostile import TEXT
from tests.rules.messages.reading import dangers
from tests.rules.small_world import World, rule, update

CONDITIONS = (
    Condition("open", True, "it is open"),
    Condition("checks", None, "not finished: ci/test"),
    Condition("hold", False, "labelled 'stop'"),
)


def proposal(*rules: Any, images: int = 1, **files: str) -> Proposal:
    """The one proposal of a small world."""
    standing = {f"envs/dev/{at}.yaml": f"image: acme/app{at}:1.4.1\n" for at in range(images)} | files
    here = World(standing, {f"acme/app{at}": ["1.4.0", "1.4.2"] for at in range(images)}, Config(rules=tuple(rules)))
    (found,) = here.wishes().proposals
    return found


def test_a_body_in_full() -> None:
    automerge = Landing(Automerge(min_pr_age=timedelta(hours=1), schedule=read("Mon-Fri 08:00-17:00 Europe/Zurich")))
    found = body(proposal(rule(automerge=automerge)), CONDITIONS)
    *words, line, rest = found.split("\n")
    assert (rest, line[:14]) == ("", "<!-- tagboat: ")
    assert "\n".join(words) == (
        "**`acme/app0`** from `1.4.1` to `1.4.2` (patch)\n\n"
        "- `envs/dev/0.yaml`, line 1\n\n"
        "Why `1.4.2`: it is the newest (policy `auto`).\n"
        "1 other tag: 1 older.\n"
        "- `1.4.0`: something newer is taken\n\n"
        "**Lands by rule** (squash, open for 1h, within Mon-Fri 08:00-17:00 Europe/Zurich), once every condition holds.\n\n"
        "- ✅ it is open\n- ⏳ not finished: ci/test\n- ❌ labelled 'stop'\n\n"
        "Close it to skip this version. Push to its branch, and Tagboat leaves it to you.\n"
    )


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ([], "**A person lands it.**"),
        ([rule(automerge=Landing(Automerge()))], "**Lands by rule** (squash), once every condition holds."),
        ([rule(automerge=Landing(Automerge(update_types=("major",))))], "**A person lands it.**"),
    ],
)
def test_it_says_how_it_lands(rules: list[Any], says: str) -> None:
    assert says in body(proposal(*rules))


def test_a_group_says_what_of_each_image() -> None:
    found = body(proposal(rule(group="all"), images=3))
    assert found.startswith("3 images in 3 files.\n\n**`acme/app0`** from `1.4.1` to `1.4.2` (patch)")
    assert found.count("Why `1.4.2`") == 3


def test_places_that_stand_at_different_tags_say_so_each() -> None:
    here = World({"a.yaml": "image: acme/app0:1.4.1\n", "b.yaml": "image: acme/app0:1.4.0\n"}, {"acme/app0": ["1.4.2"]})
    (one,) = here.wishes().proposals
    assert "- `a.yaml`, line 1: from `1.4.1` to `1.4.2` (patch)\n- `b.yaml`, line 1: from `1.4.0`" in body(one)


def test_what_is_held_back_is_said() -> None:
    one = proposal()
    held = Stay(one.updates[0].occurrence, "held by ann: *not* on friday")
    found = body(replace(one, left_out=(held,) * 7))
    assert "Left out:\n- `envs/dev/0.yaml`, `acme/app0`: held by ann: \\*not\\* on friday\n" in found
    assert "- and 2 more" in found


def test_the_hidden_line_tells_what_the_request_is_for() -> None:
    one = proposal()
    record, written = record_of(body(one)), written_of(body(one))
    assert record is not None
    assert (record.stream, record.fingerprint) == (one.stream.key, one.fingerprint)
    assert record.targets == (("envs/dev/0.yaml", "acme/app0", "1.4.1", "1.4.2"),)
    assert written is not None
    assert written.title == one.title


@pytest.mark.parametrize(
    ("change", "written_anew"),
    [
        (lambda one: one, False),
        (lambda one: replace(one, title="Other"), True),
        (lambda one: replace(one, labels=("x",)), True),
        (lambda one: replace(one, reviewers=("ann",)), True),
        (lambda one: replace(one, automerge=Automerge(), stream=replace(one.stream, landing="rule")), True),
        (lambda one: replace(one, priority=9), False),
        (lambda one: replace(one, batch=True), False),
    ],
)
def test_it_is_written_anew_where_words_or_people_differ(change: Any, written_anew: bool) -> None:
    one = proposal()
    assert (written_of(body(change(one))) != written_of(body(one))) is written_anew


def test_a_condition_that_tells_its_age_does_not_write_the_body_anew_every_minute() -> None:
    def words(*conditions: Condition) -> object:
        return written_of(body(proposal(rule(automerge=Landing(Automerge()))), conditions))

    assert words(Condition("request age", None, "opened 3m ago")) == words(Condition("request age", None, "opened 4m ago"))
    assert words(Condition("request age", None, "opened 59m ago")) != words(Condition("request age", True, "it is old enough"))


@pytest.mark.parametrize(("images", "rows"), [(400, 1), (1, 4000), (60, 60)])
def test_the_largest_body_fits_every_forge_and_keeps_its_line(images: int, rows: int) -> None:
    text = {f"envs/dev/more{at}.yaml": f"image: acme/app0:1.4.1  # {'x' * 80}\n" for at in range(rows)}
    one = proposal(rule(group="all"), images=images, **text)
    found = body(one, [replace(CONDITIONS[1], name=str(at), text="waits " * 40) for at in range(25)])
    assert len(found) <= LIMIT
    record = record_of(found)
    assert record is not None
    assert record.fingerprint == one.fingerprint


def odd_proposal(tag: str, file: str, reason: str, group: str) -> Proposal:
    """A proposal with text from outside wherever such text can stand."""
    place = Occurrence(file, 3, "test", f"acme/{tag}", tag, None, 3)
    choice = Choice(tag, None, "odd", reason, candidates=(Judged(tag, Verdict.OLDER, reason, reason),))
    one = Update(place, Target(tag, None), None, reason, choice)
    stream = Stream("main", f"group:{group}", PERSON)
    return replace(
        proposal(), stream=stream, title=tag, updates=(one, replace(one, target=Target(reason))), left_out=(Stay(place, reason),)
    )


@settings(max_examples=200, deadline=None)
@given(TEXT, TEXT, TEXT, TEXT)
def test_no_text_from_outside_does_anything(tag: str, file: str, reason: str, group: str) -> None:
    found = body(odd_proposal(tag, file, reason, group), [Condition("checks", None, reason)])
    *lines, hidden, end = found.split("\n")
    assert end == ""
    for line in lines:
        ours = re.sub(r"^\*\*(A person lands it\.|Lands by rule|)(?=\*\*)|^- ", "", line).replace("**", "")
        assert dangers(ours) == [], line
        assert not line.startswith(("/", "#", ">", "|", "    ", "\t", "```", "---", "***", "<"))
    assert hidden.startswith("<!-- tagboat: {")
    assert hidden.index("-->") == len(hidden) - 3
    assert len(found) <= LIMIT


def test_a_reason_in_the_body_is_the_sentence_that_explain_gives() -> None:
    one = update()
    assert "Why `1.4.2`: it is the newest (policy `auto`)." in body(replace(proposal(), updates=(one,)))
