"""The clock of soaking: it starts when a tag is first seen to stand in a place, and anew after each break."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.state import standings
from bot.state.ledger import Ledger
from rules.policies.base import Stood

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WEB = "docker.io/acme/web"


def at(text: str, path: str = "dev/a.yaml", image: str = WEB) -> Stood:
    return Stood(path, image, text)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/l.db" if request.param == "sqlite" else str(request.getfixturevalue("database"))


async def test_what_stands_there_and_what_stood_before(url: str) -> None:
    ledger = await Ledger.open(url)
    seen = [("1.4.0", 0), ("1.4.0", 1), ("1.4.1", 2), ("1.4.1", 3), ("1.4.0", 4)]
    for text, hours in seen:
        found = await standings.note(ledger, "r", "main", [at(text)], NOON + hours * HOUR)
    assert [(one.text, one.since, one.until) for one in found] == [
        ("1.4.0", NOON, NOON + 2 * HOUR),
        ("1.4.1", NOON + 2 * HOUR, NOON + 4 * HOUR),
        ("1.4.0", NOON + 4 * HOUR, None),
    ]
    await ledger.close()
    again = await Ledger.open(url)
    assert (await standings.note(again, "r", "main", [at("1.4.0")], NOON + 9 * HOUR))[-1].since == NOON + 4 * HOUR
    await again.close()


async def test_places_bases_and_repositories_are_apart() -> None:
    ledger = await Ledger.open("sqlite://")
    for repository, base in (("r", "main"), ("r", "next"), ("s", "main")):
        await standings.note(ledger, repository, base, [at(base), at("1", "dev/b.yaml"), at("2", image="x")], NOON)
    found = await standings.note(ledger, "r", "main", [at("main"), at("9", "dev/b.yaml")], NOON + HOUR)
    assert [(one.path, one.text, one.since) for one in found] == [
        ("dev/a.yaml", "main", NOON),
        ("dev/b.yaml", "1", NOON),
        ("dev/b.yaml", "9", NOON + HOUR),
    ]
    await ledger.close()


async def test_a_place_that_went_away_starts_anew() -> None:
    ledger = await Ledger.open("sqlite://")
    await standings.note(ledger, "r", "main", [at("1")], NOON)
    assert await standings.note(ledger, "r", "main", [], NOON + HOUR) == []
    found = await standings.note(ledger, "r", "main", [at("1")], NOON + 2 * HOUR)
    assert [(one.since, one.until) for one in found] == [(NOON, NOON + HOUR), (NOON + 2 * HOUR, None)]
    await ledger.close()


async def test_a_clock_that_goes_back_and_two_tags_at_one_moment_break_nothing() -> None:
    ledger = await Ledger.open("sqlite://")
    for text, moment in (("1", NOON), ("2", NOON), ("3", NOON - HOUR)):
        found = await standings.note(ledger, "r", "main", [at(text)], moment)
    assert found[-1].text == "3"
    assert sum(one.until is None for one in found) == 1
    await ledger.close()


async def test_what_ended_long_ago_is_forgotten() -> None:
    ledger = await Ledger.open("sqlite://")
    for text, days in (("1", 0), ("2", 1), ("3", 300)):
        found = await standings.note(ledger, "r", "main", [at(text)], NOON + timedelta(days=days))
    assert [one.text for one in found] == ["2", "3"]
    await ledger.close()


async def test_of_a_file_that_cannot_be_read_the_clock_runs_on_and_nothing_soaked() -> None:
    ledger = await Ledger.open("sqlite://")
    await standings.note(ledger, "r", "main", [at("1"), at("1", "dev/b.yaml")], NOON)
    odd = await standings.note(ledger, "r", "main", [at("1")], NOON + HOUR, unread={"dev/b.yaml", "dev/c.yaml"})
    assert [(one.path, one.text, one.since) for one in odd] == [("dev/a.yaml", "1", NOON), ("dev/b.yaml", "", None)]
    found = await standings.note(ledger, "r", "main", [at("1"), at("1", "dev/b.yaml")], NOON + 2 * HOUR)
    assert {one.since for one in found} == {NOON}
    await ledger.close()
