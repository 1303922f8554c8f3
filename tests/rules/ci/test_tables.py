"""Expressions and paths as Sensors use them: what govaluate and gjson themselves answered, once, stands in the tables."""

import json
from pathlib import Path
from typing import Any

import pytest

from rules.ci import gjson, govaluate

TABLES = Path(__file__).parent / "tables"


def _table(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((TABLES / name).read_text())
    return found


EXPRESSIONS, PATHS = _table("govaluate.json"), _table("gjson.json")


def test_the_tables_are_large_enough() -> None:
    assert len(EXPRESSIONS["rows"]) >= 60
    assert len(PATHS["rows"]) >= 50


@pytest.mark.parametrize("row", EXPRESSIONS["rows"], ids=[row["expr"] for row in EXPRESSIONS["rows"]])
def test_an_expression_answers_as_govaluate_does(row: dict[str, Any]) -> None:
    if row.get("error"):
        with pytest.raises((govaluate.BadExpression, govaluate.Failed)):
            govaluate.evaluate(row["expr"], EXPRESSIONS["parameters"])
    else:
        assert govaluate.evaluate(row["expr"], EXPRESSIONS["parameters"]) == row["result"]


@pytest.mark.parametrize("row", PATHS["rows"], ids=[row["path"] for row in PATHS["rows"]])
def test_a_path_leads_where_gjson_says(row: dict[str, Any]) -> None:
    found = gjson.get(PATHS["document"], row["path"])
    assert (found is not None) == row["exists"]
    if found is not None:
        assert found.value == row["value"]
        if not isinstance(found.value, dict | list):
            assert found.text == row["text"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('who == "x"', govaluate.UNKNOWN),
        ('who == "x" && msg =~ "nothing"', False),
        ('msg =~ "Update" || who == "x"', True),
        ('who == "x" || msg =~ "Update"', True),
        ('who == "x" && msg =~ "Update"', govaluate.UNKNOWN),
    ],
)
def test_an_unknown_parameter_is_unknown_unless_the_other_side_decides(expression: str, expected: object) -> None:
    assert govaluate.evaluate(expression, {"who": govaluate.UNKNOWN, "msg": "Update web"}) is expected
