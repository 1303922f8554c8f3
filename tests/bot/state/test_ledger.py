"""The ledger on SQLite and on PostgreSQL: what is remembered, across a restart and between two writers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from bot.state import tables
from bot.state.ledger import Attempts, Event, Hold, Ledger, LedgerError

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SHOP = "registry.example/shop"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state/tagboat.db"
    return str(request.getfixturevalue("database"))


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


def set_version(url: str, version: int) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE tagboat SET version = {version}"))
    engine.dispose()


async def test_an_older_ledger_is_brought_to_this_version_step_by_step_and_keeps_what_it_knows(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = await Ledger.open(url)
    await ledger.first_seen(SHOP, [("1.0", None)], NOON)
    await ledger.close()
    steps = {
        tables.VERSION + 1: ["ALTER TABLE holds ADD COLUMN colour VARCHAR(20)"],
        tables.VERSION + 2: ["UPDATE holds SET colour = 'red'", "ALTER TABLE holds ADD COLUMN size INTEGER"],
    }
    monkeypatch.setattr(tables, "STEPS", steps)
    monkeypatch.setattr(tables, "VERSION", tables.VERSION + 2)
    for _ in range(2):
        ledger = await Ledger.open(url)
        assert await ledger.first_seen(SHOP, [("1.0", None)], NOON + timedelta(days=1)) == {"1.0": NOON}
        async with ledger.reading() as connection:
            assert (await connection.execute(text("SELECT colour, size FROM holds"))).all() == []
            assert (await connection.execute(text("SELECT version FROM tagboat"))).scalars().all() == [tables.VERSION]
        await ledger.close()


async def test_a_step_that_fails_leaves_the_ledger_as_it_was(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await (await Ledger.open(url)).close()
    with monkeypatch.context() as later:
        later.setattr(tables, "STEPS", {tables.VERSION + 1: ["ALTER TABLE holds ADD COLUMN colour VARCHAR(20)", "nonsense"]})
        later.setattr(tables, "VERSION", tables.VERSION + 1)
        with pytest.raises(LedgerError, match="cannot open the ledger"):
            await Ledger.open(url)
    ledger = await Ledger.open(url)
    async with ledger.reading() as connection:
        assert (await connection.execute(text("SELECT version FROM tagboat"))).scalars().all() == [tables.VERSION]
        with pytest.raises(SQLAlchemyError):
            await connection.execute(text("SELECT colour FROM holds"))
    await ledger.close()


async def test_four_that_open_a_new_ledger_at_once_make_it_once(url: str) -> None:
    ledgers = await asyncio.gather(*(Ledger.open(url) for _ in range(4)))
    await asyncio.gather(*(one.first_seen(SHOP, [("1.0", None), ("1.1", None)], NOON) for one in ledgers))
    for one in ledgers:
        await one.close()


async def test_what_is_too_long_or_no_text_is_kept_as_far_as_it_goes(url: str) -> None:
    ledger = await Ledger.open(url)
    odd = "envs/\udcff\0" + "x" * 3000
    await ledger.record(Event(NOON, odd, "held", odd, {"reason": odd}))
    await ledger.hold(Hold("acme/gitops", SHOP, odd, "", odd, odd, NOON))
    (held,) = await ledger.holds("acme/gitops")
    assert held.path.startswith("envs/\\udcffxxx")
    assert await ledger.resume("acme/gitops", SHOP, odd) == 1
    (event,) = await ledger.history()
    assert event.kind == "held"
    await ledger.close()


async def test_a_database_that_goes_away_is_an_error_of_the_ledger(url: str) -> None:
    ledger = await Ledger.open(url)
    async with ledger.writing() as connection:
        await connection.execute(text("DROP TABLE holds"))
    for broken in (ledger.holds("acme/gitops"), ledger.hold(Hold("a", SHOP, "", "", "", "", NOON))):
        with pytest.raises(LedgerError):
            await broken
    await ledger.close()


async def test_a_ledger_from_the_future_is_refused(url: str) -> None:
    await (await Ledger.open(url)).close()
    set_version(url, 99)
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
