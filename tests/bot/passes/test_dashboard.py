"""The dashboard issue is kept by passes, where the repository wants one, and is edited only when something changed."""

from __future__ import annotations

import pytest

from tests.bot.passes.small import HOST, Small, pod

RULES = "dashboard_issue: true\nrules: [{match: {paths: ['a.yaml']}, min_age: 3d}]\n"
FILES = {".tagboat.yaml": RULES, "a.yaml": pod("web:1.4.1"), "b.yaml": pod("web:1.4.1"), "c.yaml": pod("gone:1.0.0")}


async def test_what_stands_in_it_and_when_it_is_edited() -> None:
    here = await Small.of(FILES, {"web": ["1.4.1", "1.4.2"]})
    await here.run()
    text = here.forge.issue
    assert f"- #1 Update {HOST}/web from 1.4.1 to 1.4.2 in b.yaml: a person lands it" in text
    assert "`a.yaml:7`" in text
    assert "is not 3d old yet (until 2026-03-05 12:00 UTC)" in text
    assert "`c.yaml:" in text
    writes = list(here.forge.writes)
    here.later(hours=2)
    await here.run()
    assert here.forge.writes == writes
    here.later(days=3)
    await here.run()
    assert "`a.yaml:7`" not in here.forge.issue


@pytest.mark.parametrize("rules", ["", "dashboard_issue: false\n"])
async def test_nobody_gets_one_who_did_not_ask(rules: str) -> None:
    here = await Small.of(FILES | {".tagboat.yaml": rules}, {"web": ["1.4.1", "1.4.2"]})
    await here.run()
    assert here.forge.issue == ""


async def test_observing_writes_none() -> None:
    here = await Small.of(FILES, {"web": ["1.4.1", "1.4.2"]})
    here.mode = "observe"
    await here.run()
    assert here.forge.issue == ""
