"""Every figure has its row in the docs, and every row its figure."""

from __future__ import annotations

import re
from pathlib import Path

from bot.forges.base import Standing, Usage
from bot.registries.pool import Registries
from bot.serving.metrics import Metrics
from bot.state.allowances import Left
from rules.merging import Condition

DOCS = Path(__file__).parents[3] / "docs" / "server.md"


async def test_the_table_of_figures_is_complete() -> None:
    async with Registries() as registries:
        text = Metrics(registries).text().decode()
    there = {name for name in re.findall(r"^# TYPE (\S+)", text, re.MULTILINE) if not name.endswith("_created")}
    told = set(re.findall(r"^\| `(tagboat_\w+)", DOCS.read_text(), re.MULTILINE))
    assert told == there


def test_forges_of_one_host_count_together_and_the_least_that_is_left_is_told() -> None:
    rows = [
        Usage("api.github.com", {"GET": 3, "query": 1}, {"core": Left(5000, 4000, 60.0, 0.0)}),
        Usage("api.github.com", {"GET": 2}, {"core": Left(5000, 70, 60.0, 0.0)}),
        Usage("gitlab.com", {"POST": 1}, {}),
    ]
    text = Metrics(forges=lambda: rows).text().decode()
    assert 'tagboat_forge_requests_total{host="api.github.com",kind="GET"} 5.0' in text
    assert 'tagboat_forge_requests_total{host="gitlab.com",kind="POST"} 1.0' in text
    assert 'tagboat_forge_quota{host="api.github.com",kind="core"} 70.0' in text
    assert 'tagboat_forge_quota{host="gitlab.com"' not in text


def test_waits_are_told_by_condition_and_by_no_other_names() -> None:
    unmet = (
        Condition("checks", None, ""),
        Condition("reviews", False, ""),
        Condition("open", True, ""),
        Condition("odd", None, ""),
    )
    metrics = Metrics()
    metrics.keeping([Standing("wait", "", unmet), Standing("wait", "", unmet[:1])])
    found = dict(re.findall(r'tagboat_waiting_conditions\{condition="([^"]+)"\} (\S+)', metrics.text().decode()))
    assert (found["checks"], found["reviews"], found["open"], found["other"]) == ("2.0", "1.0", "0.0", "1.0")
    assert "odd" not in found
    metrics.keeping([])
    assert 'condition="checks"} 0.0' in metrics.text().decode()
    assert 'condition="other"} 0.0' in metrics.text().decode()
