"""`tagboat decide`: a line in, a line out."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from bot.commands.decide import decide
from tests.rules.merging_rows.table import VARIANTS


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> object:
    """Runs the command on lines of text; its exit status, output lines and error lines."""

    def run(text: str | bytes, *, as_json: bool = False) -> tuple[int, list[str], list[str]]:
        data = text.encode() if isinstance(text, str) else text
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        status = decide(json=as_json)
        captured = capsys.readouterr()
        return status, captured.out.splitlines(), captured.err.splitlines()

    return run


def test_says_the_word_and_why(ask) -> None:
    assert ask('{}\n\n{"facts": {"pr": {"draft": true}}}\n') == (0, ["merge: every condition holds", "block: it is a draft"], [])


def test_keeps_the_id(ask) -> None:
    status, lines, _ = ask('{"id": "first"}\n{"id": 2}\n')
    assert (status, lines) == (0, ["merge: every condition holds (first)", "merge: every condition holds (2)"])
    assert [json.loads(line)["id"] for line in ask('{"id": "first"}\n{"id": 2}\n', as_json=True)[1]] == ["first", 2]


def test_a_bad_line_is_named_and_the_rest_is_answered(ask) -> None:
    status, lines, errors = ask('{}\nnonsense\n{"facts": {"prr": {}}}\n{}\n')
    assert (status, lines) == (2, ["merge: every condition holds"] * 2)
    assert errors[0].startswith("tagboat: line 2: not JSON")
    assert errors[1] == "tagboat: line 3: facts.prr: unknown key; did you mean 'pr'?"


def test_bytes_that_are_no_text_are_named(ask) -> None:
    status, lines, errors = ask(b"\xff\xfe\n{}\n")
    assert (status, len(lines), len(errors)) == (2, 1, 1)


def test_nothing_in_nothing_out(ask) -> None:
    assert ask("") == (0, [], [])


def test_json_has_decision_reason_and_conditions(ask) -> None:
    [line] = ask('{"facts": {"checks": []}, "rule": {"min_approvals": 1}}', as_json=True)[1]
    answer = json.loads(line)
    assert (answer["decision"], answer["reason"]) == ("block", "1 approval is needed, and there are none")
    assert {one["name"]: one["met"] for one in answer["conditions"] if one["met"] is not True} == {
        "reviews": False,
        "checks": None,
    }


def test_json_says_when_the_clock_ends_a_wait(ask) -> None:
    [line] = ask('{"rule": {"min_pr_age_hours": 30}}', as_json=True)[1]
    assert json.loads(line)["wake"] == "2026-03-10T18:00:00+00:00"


def test_text_from_outside_does_not_drive_the_terminal(ask) -> None:
    [line] = ask(json.dumps({"facts": {"pr": {"author": "\x1b[31mann"}}}))[1]
    assert "\x1b" not in line


def test_the_agreed_table(ask, shared: Path) -> None:
    rows = json.loads((shared / "cases" / "merging.json").read_text())["cases"]
    status, lines, errors = ask("\n".join(json.dumps(row) for row in rows), as_json=True)
    assert (status, errors) == (0, [])
    answers = [json.loads(line)["decision"] for line in lines]
    wrong = [
        (row["id"], answer)
        for row, answer in zip(rows, answers, strict=True)
        if answer not in (row["expect"], *row.get("also_ok", ()))
    ]
    assert wrong == []


def test_our_own_table(ask) -> None:
    text = "\n".join(json.dumps({"id": row.id, "facts": row.facts or {}, "rule": row.rule or {}}) for row in VARIANTS)
    status, lines, errors = ask(text)
    assert (status, errors) == (0, [])
    assert [line.partition(":")[0] for line in lines] == [row.expect for row in VARIANTS]
