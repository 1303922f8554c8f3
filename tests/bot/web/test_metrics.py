"""Every figure has its row in the docs, and every row its figure."""

from __future__ import annotations

import re
from pathlib import Path

from bot.registries.pool import Registries
from bot.web.metrics import Metrics

DOCS = Path(__file__).parents[3] / "docs" / "server.md"


async def test_the_table_of_figures_is_complete() -> None:
    async with Registries() as registries:
        text = Metrics(registries).text().decode()
    there = {name for name in re.findall(r"^# TYPE (\S+)", text, re.MULTILINE) if not name.endswith("_created")}
    told = set(re.findall(r"^\| `(tagboat_\w+)", DOCS.read_text(), re.MULTILINE))
    assert told == there
