"""The pages on configuration say what the models say, and their examples are right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.settings import parse
from rules.config import load, schema
from tests.docs.reference import BLOCK, DOCS, PAGES, PARTS, page

FENCE = re.compile(r"^```yaml\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", PAGES)
def test_the_tables_are_those_of_the_models(name: str) -> None:
    text = (DOCS / name).read_text()
    assert page(text) == text, "python -m tests.docs.reference writes them anew"


def test_every_table_stands_on_a_page() -> None:
    named = [match["name"] for name in PAGES for match in BLOCK.finditer((DOCS / name).read_text())]
    assert sorted(named) == sorted(PARTS)


def test_every_key_of_the_schema_is_on_the_page() -> None:
    text = (DOCS / "configuration.md").read_text()
    made = schema()
    keys = {key for part in (made, *made["$defs"].values()) for key in part["properties"]}
    assert [key for key in sorted(keys) if f"| `{key}` |" not in text] == []


@pytest.mark.parametrize("example", FENCE.findall((DOCS / "configuration.md").read_text()))
def test_the_examples_of_a_repositorys_file_load(example: str) -> None:
    assert load(example.encode()).notes == ()


@pytest.mark.parametrize("example", FENCE.findall((DOCS / "settings.md").read_text()))
def test_the_examples_of_settings_can_be_used(example: str, tmp_path: Path) -> None:
    assert parse(example.encode(), None, tmp_path, {}).folder == tmp_path


def test_the_findings_on_the_page_are_what_is_said() -> None:
    text = (DOCS / "configuration.md").read_text()
    shown = re.findall(r"^\.tagboat\.yaml:\d+: .*$", text, re.MULTILINE)
    wrong = b"version: 1\nrules:\n  - {pin: true, max-step: minor,\n     min_age: 3}\n\n\nautomerge: true\n"
    with pytest.raises(Exception, match="unknown key") as caught:
        load(wrong)
    assert sorted(str(caught.value).splitlines()) == sorted(shown)
