"""`tagboat schema`: what it prints is a schema of draft 2020-12 that takes the right files and refuses the wrong ones."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from bot.cli import run
from rules.config import ConfigError, load
from tests.rules.config.writing import yaml


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert run(["schema"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    found: dict[str, Any] = json.loads(captured.out)
    return found


def test_it_is_a_schema_of_its_draft(printed: dict[str, Any]) -> None:
    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(printed)


def test_every_mapping_is_closed_and_every_key_described(printed: dict[str, Any]) -> None:
    for definition in (printed, *printed["$defs"].values()):
        assert definition["additionalProperties"] is False, definition["title"]
        assert [key for key, value in definition["properties"].items() if not value.get("description")] == []
        assert [key for key, value in definition["properties"].items() if value.get("default", ...) is None] == []


DESIGN = {
    "version": 1,
    "files": {"include": ["**"], "exclude": ["**/testdata/**"]},
    "rules": [
        {
            "match": {"images": ["harbor.example.com/team/*"], "paths": ["envs/dev/**"], "updates": ["patch", "minor", "pin"]},
            "policy": "numerical",
            "order": "asc",
            "tags": r"^main-[0-9a-f]+-(?P<ts>\d+)$",
            "extract": "$ts",
            "ignore": ["*-rc*"],
            "variant": "keep",
            "prereleases": False,
            "max_step": "major",
            "min_age": "3d",
            "platforms": "auto",
            "pin": False,
            "group": "platform",
            "lockstep": False,
            "schedule": "Mon-Fri 08:00-17:00 Europe/Zurich",
            "labels": ["images"],
            "reviewers": ["octocat"],
            "assignees": [],
            "delivery": "request",
            "batch": False,
            "priority": 0,
            "automerge": True,
            "rollback": "none",
        },
        {"policy": "semver", "range": "^1.4", "automerge": {"method": "squash", "min_pr_age": "1h", "schedule": ["weekends"]}},
        {"policy": "follow", "follow": {"from": "envs/dev/**", "soak": "24h"}, "platforms": ["linux/amd64"], "automerge": False},
    ],
    "freeze": [{"from": "2026-12-20", "to": "2027-01-05", "except_label": "urgent"}],
    "loop": {"max": 3},
    "dashboard_issue": False,
    "commits": {"title": "{action} {image} from {old} to {new}", "marker": "auto", "author": {"name": "a", "email": "b"}},
    "base_branches": ["main"],
    "pull_requests": {"limit": 10, "hourly": 4, "branch_prefix": "tagboat/"},
}


@pytest.mark.parametrize(
    "file",
    [
        {},
        DESIGN,
        {"version": "1"},
        {"rules": [{"range": 1.4, "labels": [2024]}]},
        {"rules": [{"min_age": 0, "schedule": {"days": "mon-fri", "from": "8:00", "to": "17:00", "tz": "UTC"}}]},
        {"rules": [{"automerge": None, "policy": None}]},
    ],
)
def test_right_files_fit(printed: dict[str, Any], file: dict[str, Any]) -> None:
    jsonschema_rs.validate(printed, file)
    load(yaml(file))


@pytest.mark.parametrize(
    "file",
    [
        [],
        {"rulez": []},
        {"version": 2},
        {"rules": {}},
        {"rules": [{"polcy": "auto"}]},
        {"rules": [{"policy": "latest"}]},
        {"rules": [{"match": {"updates": ["path"]}, "pin": True}]},
        {"rules": [{"match": {"images": "web"}, "pin": True}]},
        {"rules": [{"automerge": {"metod": "squash"}}]},
        {"rules": [{"automerge": "maybe"}]},
        {"rules": [{"min_age": "soon"}]},
        {"rules": [{"min_age": "3"}]},
        {"rules": [{"platforms": "linux"}]},
        {"rules": [{"group": ""}]},
        {"rules": [{"follow": {"soak": "1h"}}]},
        {"rules": [{"schedule": []}]},
        {"rules": [{"schedule": {"day": "mon"}}]},
        {"loop": {"max": 0}},
        {"loop": {"max": 101}},
        {"pull_requests": {"limit": -1}},
        {"commits": {"author": {"name": "me"}}},
        {"freeze": [{"until": "2026-12-20"}]},
    ],
)
def test_wrong_files_do_not(printed: dict[str, Any], file: Any) -> None:
    assert not jsonschema_rs.is_valid(printed, file)
    with pytest.raises(ConfigError):
        load(yaml(file))


def test_nothing_else_is_asked_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "extra"]) == 2
    assert capsys.readouterr().out == ""
