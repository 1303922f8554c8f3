"""Reading cases of `tagboat decide`: what is refused, and where the defaults come from."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rules.automerge import Automerge
from rules.decide_table import BadCase, read
from rules.decide_table.models import RuleModel


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("nonsense", "not JSON"),
        ("[]", "object"),
        ('{"facts": {}', "not JSON"),
        ('{"facts": {"pr": {"title": "\\ud800"}}}', "not JSON"),
        ('{"fact": {}}', "fact: unknown key; did you mean 'facts'?"),
        ('{"facts": {"pr": {"labls": []}}}', "facts.pr.labls: unknown key; did you mean 'labels'?"),
        ('{"facts": {"update": {"frm": "1"}}}', "facts.update.frm: unknown key; did you mean 'from'?"),
        ('{"rule": {"min_approval": 1}}', "did you mean 'min_approvals'?"),
        ('{"facts": {"platform": "gitea"}}', "facts.platform"),
        ('{"facts": {"pr": {"draft": "no"}}}', "facts.pr.draft: Input should be a valid boolean"),
        ('{"facts": {"pr": {"draft": 0}}}', "facts.pr.draft"),
        ('{"facts": {"pr": {"labels": "ship"}}}', "facts.pr.labels"),
        ('{"facts": {"pr": null}}', "facts.pr"),
        ('{"facts": {"branch": {"behind_by": -1}}}', "facts.branch.behind_by"),
        ('{"facts": {"branch": {"behind_by": 1.5}}}', "facts.branch.behind_by"),
        ('{"facts": {"checks": [{"kind": "status"}]}}', "facts.checks.0.name"),
        ('{"facts": {"checks": [{"name": "x", "kind": "vibe"}]}}', "facts.checks.0.kind"),
        ('{"facts": {"now": "2026-03-10T12:00:00"}}', "facts.now: Input should have timezone info"),
        ('{"facts": {"now": 1773144000}}', "facts.now"),
        ('{"facts": {"freeze": {"until": 3}}}', "facts.freeze.until"),
        ('{"facts": {"freeze": {"til": "2026-01-01"}}}', "facts.freeze.til: unknown key"),
        ('{"facts": {"freeze": {"to": "soon"}}}', "not a schedule or freeze"),
        ('{"rule": {"method": "teleport"}}', "rule.method"),
        ('{"rule": {"on_conflict": "pray"}}', "rule.on_conflict"),
        ('{"rule": {"update_types": ["tiny"]}}', "rule.update_types.0"),
        ('{"rule": {"automerge": "true"}}', "rule.automerge"),
        ('{"rule": {"schedule": "whenever"}}', "not a schedule"),
        ('{"rule": {"schedule": {"tz": "Mars/Base", "days": ["mon"]}}}', "not a time zone"),
        ('{"rule": {"min_age": "3"}}', "min_age: 3 has no unit"),
        ('{"rule": {"min_release_age_days": "3"}}', "min_release_age_days has to be a number of days"),
        ('{"rule": {"min_release_age_days": true}}', "min_release_age_days has to be a number"),
        ('{"rule": {"min_pr_age_hours": -1}}', "min_pr_age_hours has to be a number of hours"),
        ('{"rule": {"min_pr_age_hours": 1e300}}', "min_pr_age_hours has to be a number of hours"),
        ('{"rule": {"min_age": "3d", "min_release_age_days": 3}}', "say the same"),
    ],
)
def test_what_is_refused(line: str, says: str) -> None:
    with pytest.raises(BadCase) as refusal:
        read(line)
    assert says in str(refusal.value)


def test_every_fault_is_named() -> None:
    with pytest.raises(BadCase) as refusal:
        read('{"facts": {"pr": {"draft": 1, "tite": ""}}, "rule": {"x": 1}}')
    assert [place in str(refusal.value) for place in ("facts.pr.draft", "facts.pr.tite", "rule.x")] == [True, True, True]


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(BadCase):
        read(b'{"facts": {"pr": {"title": "\xff"}}}')


def test_the_rule_has_the_keys_and_the_defaults_of_the_configuration() -> None:
    assert set(RuleModel.model_fields) == {field.name for field in fields(Automerge)}
    assert read("{}").rule == Automerge()


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, (False, "merge")),
        ({"require_protection": True}, (True, "merge")),
        ({"no_checks": "wait"}, (False, "wait")),
    ],
)
def test_plain_git_has_defaults_of_its_own(rule: dict[str, Any], expected: tuple[bool, str]) -> None:
    found = read(json.dumps({"facts": {"platform": "git"}, "rule": rule})).rule
    assert (found.require_protection, found.no_checks) == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"min_release_age_days": 3}, timedelta(days=3)),
        ({"min_release_age_days": 0.5}, timedelta(hours=12)),
        ({"min_age": "3d"}, timedelta(days=3)),
        ({"min_release_age": "1h30m"}, timedelta(minutes=90)),
        ({"min_age": 0}, timedelta(0)),
    ],
)
def test_ages_in_either_way(rule: dict[str, Any], expected: timedelta) -> None:
    assert read(json.dumps({"rule": rule})).rule.min_release_age == expected


def test_the_defaults_are_those_of_the_agreed_table(shared: Path) -> None:
    """Its defaults written out are the same case as nothing written at all."""
    defaults = json.loads((shared / "cases" / "merging.json").read_text())["defaults"]
    written, silent = read(json.dumps(defaults)), read("{}")
    assert written.facts == silent.facts
    assert written.rule == silent.rule
