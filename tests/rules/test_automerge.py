"""The automerge rule: its keys and defaults are those of the table of merge decisions, and those of `.tagboat.yaml`."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

from rules.automerge import GIT_DEFAULTS, UPDATE_TYPES, Automerge
from rules.config import load, schema
from rules.config.rule_model import AutomergeModel
from rules.decide_table.models import RuleModel
from rules.policies.base import UpdateKind

# What the table and the file name otherwise: the table counts ages in days and hours, the file takes a second name of one.
KEYS = {field.name for field in dataclasses.fields(Automerge)}


def test_the_keys_of_the_file_are_those_of_the_rule() -> None:
    assert set(AutomergeModel.model_fields) - {"min_age"} == KEYS
    assert set(RuleModel.model_fields) == KEYS


def test_its_defaults_are_those_of_the_rule() -> None:
    landing = load(b"rules: [{automerge: {}}]").landing("web", "a.yaml", "patch")
    assert landing == Automerge()
    shown = schema()["$defs"]["AutomergeModel"]["properties"]
    for field in dataclasses.fields(Automerge):
        default = shown[field.name].get("default")
        if field.name not in ("update_types", "min_release_age", "min_pr_age"):  # null or 0 there: described in words
            assert (list(field.default) if isinstance(field.default, tuple) else field.default) == default, field.name


def test_they_are_those_of_the_shared_table(shared: Path) -> None:
    defaults: dict[str, Any] = json.loads((shared / "cases" / "merging.json").read_text())["defaults"]["rule"]
    ages = {
        "min_release_age": timedelta(days=defaults.pop("min_release_age_days")),
        "min_pr_age": timedelta(hours=defaults.pop("min_pr_age_hours")),
    }
    said = {name: tuple(value) if isinstance(value, list) else value for name, value in (defaults | ages).items()}
    # `native` decides nothing: it says who lands what would land.
    assert said | {"native": False} == dataclasses.asdict(Automerge())


@pytest.mark.parametrize("kind", get_args(UpdateKind))
def test_a_major_has_to_be_named(kind: UpdateKind) -> None:
    assert Automerge().covers(kind) is (kind != "major")
    assert Automerge(update_types=("major",)).covers(kind) is (kind == "major")
    assert not Automerge(automerge=False, update_types=(*UPDATE_TYPES, "major")).covers(kind)


def test_a_kind_that_is_not_known_never_lands_by_rule() -> None:
    assert not Automerge(update_types=(*UPDATE_TYPES, "major")).covers(None)


def test_plain_git_has_neither_protection_nor_checks() -> None:
    assert dict(GIT_DEFAULTS) == {"require_protection": False, "no_checks": "merge"}
    assert GIT_DEFAULTS.keys() <= KEYS
