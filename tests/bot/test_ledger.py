"""The ledger on SQLite: what is remembered, across a restart and between two writers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from bot.ledger import Attempts, Event, Hold, Ledger, LedgerError

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SHOP = "registry.example/shop"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/state/tagboat.db"


async def test_a_tag_is_first_seen_once_and_for_ever(url: str) -> None:
    ledger = await Ledger.open(url)
    assert await ledger.first_seen(SHOP, [("1.0", None)], NOON) == {"1.0": NOON}
    await ledger.close()
    ledger = await Ledger.open(url)
    later = NOON + timedelta(days=2)
    assert await ledger.first_seen(SHOP, [("1.0", None), ("1.1", None)], later) == {"1.0": NOON, "1.1": later}
    await ledger.close()


async def test_a_moved_tag_is_seen_anew_under_its_new_digest(url: str) -> None:
    ledger = await Ledger.open(url)
    await ledger.first_seen(SHOP, [("1.0", "sha256:a")], NOON)
    later = NOON + timedelta(hours=1)
    assert await ledger.first_seen(SHOP, [("1.0", "sha256:b")], later) == {"1.0": later}
    await ledger.close()


async def test_thousands_of_tags_are_seen_in_one_go(url: str) -> None:
    ledger = await Ledger.open(url)
    tags = [(f"1.{n}", None) for n in range(5000)]
    assert len(await ledger.first_seen(SHOP, tags, NOON)) == 5000
    assert set((await ledger.first_seen(SHOP, tags, NOON + timedelta(days=1))).values()) == {NOON}
    await ledger.close()


async def test_two_ledgers_on_one_file_agree_on_the_first_sight(url: str) -> None:
    one, two = await Ledger.open(url), await Ledger.open(url)
    await one.first_seen(SHOP, [("1.0", None)], NOON)
    assert await two.first_seen(SHOP, [("1.0", None)], NOON + timedelta(hours=1)) == {"1.0": NOON}
    await one.close()
    await two.close()


async def test_a_hold_stands_until_it_is_lifted(url: str) -> None:
    ledger = await Ledger.open(url)
    hold = Hold("acme/gitops", SHOP, "envs/prod/shop.yaml", "", "fire on deck", "ann", NOON)
    await ledger.hold(hold)
    await ledger.hold(hold)
    assert await ledger.holds("acme/gitops") == [hold]
    assert await ledger.holds("acme/other") == []
    assert await ledger.resume("acme/gitops", SHOP) == 1
    assert await ledger.holds("acme/gitops") == []
    await ledger.close()


async def test_a_resume_is_remembered_for_one_place_and_for_all(url: str) -> None:
    ledger = await Ledger.open(url)
    await ledger.resume("acme/gitops", SHOP, at=NOON)
    await ledger.resume("acme/gitops", SHOP, "prod/app.yaml", at=NOON)
    later = NOON + timedelta(hours=1)
    await ledger.resume("acme/gitops", SHOP, "prod/app.yaml", at=later)
    assert await ledger.resumed("acme/gitops") == {(SHOP, ""): NOON, (SHOP, "prod/app.yaml"): later}
    assert await ledger.resumed("acme/other") == {}
    await ledger.close()


async def test_refused_landings_are_counted_for_one_head(url: str) -> None:
    ledger = await Ledger.open(url)
    await ledger.refused("acme/gitops", 7, "aaa", 405, NOON)
    await ledger.refused("acme/gitops", 7, "aaa", 500, NOON + timedelta(minutes=1))
    assert await ledger.attempts("acme/gitops", 7, "aaa") == Attempts(2, 500, NOON + timedelta(minutes=1))
    assert await ledger.attempts("acme/gitops", 7, "bbb") == Attempts()
    await ledger.close()


async def test_history_comes_newest_first_and_can_be_trimmed(url: str) -> None:
    ledger = await Ledger.open(url)
    old = Event(NOON, "acme/gitops", "opened", SHOP, {"number": 1, "reason": "ünïcode"})
    new = Event(NOON + timedelta(days=1), "acme/gitops", "landed", SHOP, {"number": 1})
    await ledger.record(old, new)
    assert await ledger.history() == [new, old]
    assert await ledger.history(kinds=["opened"], limit=5) == [old]
    assert await ledger.forget(NOON + timedelta(hours=1)) == 1
    assert await ledger.history("acme/gitops") == [new]
    await ledger.close()


async def test_a_ledger_from_the_future_is_refused(url: str) -> None:
    await (await Ledger.open(url)).close()
    with create_engine(url).begin() as connection:
        connection.execute(text("UPDATE tagboat SET version = 99"))
    with pytest.raises(LedgerError, match="version 99"):
        await Ledger.open(url)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("mysql://u:hunter2@db/x", "not supported"),
        ("sqlite:////proc/nowhere/x.db", "cannot open"),
    ],
)
async def test_a_ledger_that_cannot_be_opened_says_so_without_its_password(bad: str, words: str) -> None:
    with pytest.raises(LedgerError, match=words) as caught:
        await Ledger.open(bad)
    assert "hunter2" not in str(caught.value)
