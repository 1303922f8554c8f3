"""Comment commands: what is one, who may, and what each comes to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import schedules
from rules.automerge import Automerge, by_word
from rules.commands import (
    LIMIT,
    Again,
    Allow,
    Command,
    Deed,
    Hold,
    Keep,
    Land,
    Lift,
    Resume,
    Rewrite,
    Rollback,
    Skip,
    TakeBack,
    Unclear,
    Why,
    answer,
    read,
)
from rules.records import Record
from tests.rules.messages.hostile import TEXT
from tests.rules.messages.reading import dangers


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("@tagboat why", [Why()]),
        ("@tagboat why?", [Why()]),
        ("@Tagboat Why", [Why()]),
        ("  @tagboat: refresh", [Again()]),
        ("@tagboat, rebase", [Again()]),
        ("@tagboat[bot] hold", [Hold()]),
        ("@tagboat hold until   friday", [Hold("until friday")]),
        ("@tagboat resume", [Resume()]),
        ("@tagboat skip this version", [Skip()]),
        ("@tagboat skip", [Skip()]),
        ("@tagboat merge", [Land()]),
        ("@tagboat rollback it pages us", [Rollback("it pages us")]),
        ("Thanks!\r\n\r\n@tagboat merge\r\n", [Land()]),
        ("@tagboat hold\n@tagboat why\n@tagboat hold", [Hold(), Why()]),
        # not understood
        ("@tagboat merge it now please", [Unclear("merge it now please", "")]),
        ("@tagboat mrege", [Unclear("mrege", "did you mean 'merge'?")]),
        ("@tagboat skip the tests", [Unclear("skip the tests", "")]),
        ("@tagboat", [Unclear("", "")]),
        # none
        ("", []),
        ("tagboat merge", []),
        ("I asked @tagboat merge", []),
        ("@tagboats merge", []),
        ("@tagboat-staging merge", []),
        ("@somebody merge", []),
        ("> @tagboat merge", []),
        ("    @tagboat merge", []),
        ("\t@tagboat merge", []),
        ("```\n@tagboat merge\n```", []),
        ("~~~\n@tagboat merge", []),
        ("```\nx\n```\n@tagboat merge", [Land()]),
        ("`@tagboat merge`", []),
        ("<!-- @tagboat merge -->", []),
        ("- @tagboat merge", []),
    ],
)
def test_what_a_comment_says(text: str, commands: list[Command]) -> None:
    assert [Unclear(one.word, "") if isinstance(one, Unclear) else one for one in read(text)] == [
        Unclear(one.word, "") if isinstance(one, Unclear) else one for one in commands
    ]
    for found, expected in zip(read(text), commands, strict=True):
        assert not isinstance(expected, Unclear) or (isinstance(found, Unclear) and expected.hint in found.hint)


def test_we_are_called_by_our_own_names() -> None:
    assert read("@acme-boat merge", ("acme-boat[bot]", "tagboat")) == [Land()]
    assert read("@tagboat merge", ("acme-boat[bot]", "tagboat")) == [Land()]
    assert read("@tagboat merge", ("acme-boat[bot]",)) == []
    assert read("@ merge", ("",)) == []


def test_not_more_than_a_few_of_a_comment_are_heard() -> None:
    assert len(read("\n".join(f"@tagboat hold {at}" for at in range(50)))) == LIMIT


WEB, API = "docker.io/acme/web", "docker.io/acme/api"
RECORD = Record(
    "main|group:x|person|", "f1", (("a.yaml", "acme/web", "1.4.1", "1.4.2"), ("b.yaml", "acme/api", "2.0.0", "2.1.0"))
)


@pytest.mark.parametrize(
    ("command", "deeds", "says"),
    [
        (Why(), [], ""),
        (Again(), [Rewrite(7)], "written anew"),
        (Hold("friday"), [Keep(WEB, "a.yaml", "", "friday"), Keep(API, "b.yaml", "", "friday")], "@tagboat resume"),
        (Resume(), [Lift(WEB, "a.yaml"), Lift(API, "b.yaml")], "lifted"),
        (Skip(), [Keep(WEB, "a.yaml", "1.4.2", ""), Keep(API, "b.yaml", "2.1.0", "")], "a newer one will be proposed"),
        (Land(), [Allow(7, "f1")], "as soon as its checks and reviews allow"),
        (Rollback("x"), [TakeBack(WEB, "a.yaml", "1.4.1", "x"), TakeBack(API, "b.yaml", "2.0.0", "x")], "goes back"),
    ],
)
def test_what_each_comes_to(command: Command, deeds: list[Deed], says: str) -> None:
    found = answer(command, 7, RECORD, may_write=True)
    assert list(found.deeds) == deeds
    assert says in found.sentence
    assert not found.refused


@pytest.mark.parametrize("command", [Again(), Hold(), Resume(), Skip(), Land(), Rollback()])
def test_who_may_not_write_may_only_ask_why(command: Command) -> None:
    found = answer(command, 7, RECORD, may_write=False)
    assert found.deeds == ()
    assert found.refused
    assert not answer(Why(), 7, RECORD, may_write=False).refused


def test_a_persons_commits_are_not_written_over() -> None:
    found = answer(Again(), 7, RECORD, may_write=True, edited=True)
    assert (found.deeds, found.refused) == ((), True)


@pytest.mark.parametrize("record", [None, Record("s", "f")])
def test_a_request_that_does_not_say_what_it_is_for_takes_no_word(record: Record | None) -> None:
    for command in (Hold(), Resume(), Skip(), Land(), Rollback()):
        assert answer(command, 7, record, may_write=True).refused


@given(TEXT)
def test_an_answer_to_hostile_text_does_nothing(text: str) -> None:
    for command in read(f"@tagboat {text}"):
        found = answer(command, 7, RECORD, may_write=True).sentence
        assert dangers(found.replace("`@tagboat resume`", "")) == []


@given(st.text())
def test_any_comment_is_read(text: str) -> None:
    for command in read(text) + read(f"@tagboat {text}"):
        assert answer(command, 1, RECORD, may_write=True).sentence or isinstance(command, Why)


def test_a_persons_word_lifts_time_and_kind_and_nothing_else() -> None:
    rule = Automerge(
        method="merge", update_types=("patch",), require_label="go", min_release_age=timedelta(days=3), all_checks=True,
        min_pr_age=timedelta(hours=1), schedule=schedules.read("Mon"), min_approvals=2, extra_required_checks=("scan",),
        blocking_labels=("stop",),
    )  # fmt: skip
    found = by_word(rule)
    assert found.covers("major")
    assert not found.covers(None)
    assert (found.require_label, found.min_release_age, found.min_pr_age, found.schedule) == (
        None,
        timedelta(0),
        timedelta(0),
        None,
    )
    kept = (
        "method",
        "min_approvals",
        "extra_required_checks",
        "blocking_labels",
        "all_checks",
        "require_protection",
        "no_checks",
    )
    assert all(getattr(found, key) == getattr(rule, key) for key in kept)
    assert by_word(None) == replace(by_word(Automerge()), require_protection=False, no_checks="merge")
    assert by_word(None, require_protection=True).require_protection
    assert [by_word(None, allowed).method for allowed in ((), ("rebase", "merge"), ("fast-forward",))] == [
        "squash", "merge", "fast-forward",
    ]  # fmt: skip
