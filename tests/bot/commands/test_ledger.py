"""`tagboat ledger backup|migrate`, and what is lost when a ledger is lost."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.app import App
from bot.cli import run
from bot.demo.world import World
from bot.settings import load
from bot.state import orders, standings
from bot.state.copying import copy
from bot.state.ledger import Event, Hold, Ledger, LedgerError
from rules.policies.base import Stood

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SHOP = "registry.example/shop"
HOLD = Hold("acme/gitops", SHOP, "envs/prod/shop.yaml", "", "fire on deck", "ann", NOON)
EVENTS = [Event(NOON + timedelta(hours=at), "acme/gitops", "opened", f"!{at}", {"title": "Ü"}) for at in range(1200)]


async def fill(ledger: Ledger) -> None:
    await ledger.first_seen(SHOP, [("1.0", None), ("1.1", "sha256:a")], NOON)
    await ledger.hold(HOLD)
    await ledger.resume("acme/gitops", "other", at=NOON)
    await ledger.refused("acme/gitops", 7, "abc", 405, NOON)
    await ledger.record(*EVENTS)
    await ledger.keep_manifest("sha256:a", "{}")
    await standings.note(ledger, "acme/gitops", "main", [Stood("dev/a.yaml", SHOP, "1.0")], NOON)
    await orders.allow(ledger, "acme/gitops", 7, "f00d", "ann", NOON)


async def check(ledger: Ledger) -> None:
    later = NOON + timedelta(days=30)
    assert await ledger.first_seen(SHOP, [("1.0", None), ("1.1", "sha256:a")], later) == {"1.0": NOON, "1.1": NOON}
    assert await ledger.holds("acme/gitops") == [HOLD]
    assert await ledger.resumed("acme/gitops") == {("other", ""): NOON}
    assert (await ledger.attempts("acme/gitops", 7, "abc")).failed == 1
    assert await ledger.history(limit=5000) == EVENTS[::-1]
    assert await ledger.manifest("sha256:a") == "{}"
    (stood,) = await standings.note(ledger, "acme/gitops", "main", [Stood("dev/a.yaml", SHOP, "1.0")], later)
    assert stood.since == NOON
    assert await orders.allowed(ledger, "acme/gitops") == {(7, "f00d"): "ann"}
    # It goes on: new rows take new numbers.
    await ledger.record(Event(later, "acme/gitops", "closed", "!1", {}))
    assert (await ledger.history(limit=1))[0].kind == "closed"


@pytest.mark.parametrize("there", ["sqlite", "postgresql"])
@pytest.mark.parametrize("here", ["sqlite", "postgresql"])
def test_a_copy_holds_everything_and_goes_into_an_empty_ledger_of_either_kind(
    here: str,
    there: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    server = request.getfixturevalue("server") if "postgresql" in (here, there) else None
    urls = [
        server.database() if kind == "postgresql" else f"sqlite:///{tmp_path}/{at}.db" for at, kind in enumerate((here, there))
    ]

    async def with_ledger(url: str, act: object) -> None:
        ledger = await Ledger.open(url)
        assert callable(act)
        await act(ledger)
        await ledger.close()

    (tmp_path / "app.yaml").write_text("state: {env: STATE}\n")
    asyncio.run(with_ledger(urls[0], fill))
    monkeypatch.setenv("STATE", urls[0])
    assert run(["ledger", "backup", "copy.db"]) == 0
    assert "1200 history" in capfd.readouterr().out
    assert (tmp_path / "copy.db").stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.db"]
    assert run(["ledger", "backup", "copy.db"]) == 1
    assert "there already" in capfd.readouterr().err
    monkeypatch.setenv("STATE", urls[1])
    assert run(["ledger", "migrate", "--from", "copy.db"]) == 0
    asyncio.run(with_ledger(urls[1], check))
    assert run(["ledger", "migrate", "--from", "copy.db"]) == 1
    assert "only an empty one" in capfd.readouterr().err
    assert run(["ledger", "migrate", "--from", "nowhere.db"]) == 1
    assert run(["ledger", "migrate"]) == 0


async def test_a_copy_that_fails_leaves_no_file(tmp_path: Path) -> None:
    from sqlalchemy import text

    ledger = await Ledger.open(f"sqlite:///{tmp_path}/l.db")
    await standings.note(ledger, "a", "main", [], NOON)
    async with ledger.writing() as connection:
        await connection.execute(text("DROP TABLE standings"))
    with pytest.raises(LedgerError):
        await copy(ledger, tmp_path / "copy.db")
    await ledger.close()
    assert not any("copy" in name for name in os.listdir(tmp_path))


async def test_a_lost_ledger_costs_first_sights_asked_for_holds_and_history_and_no_request(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.start()
    image = f"{world.registry.host}/harbour/gateway"

    async def look() -> tuple[list[str], list[str], int, int]:
        async with await App.open(load(world.settings, {})) as app:
            ((berth,), _) = await app.berths()
            report = await app.one(berth)
            assert not report.failed, list(report.of("trouble"))
            titles = [f"!{one.number} {one.title}" for one in (await berth.forge.look()).requests if one.state == "open"]
            kinds = [note.kind for note in report.notes]
            return titles, kinds, len(await app.ledger.holds(berth.name)), len(await app.ledger.history())

    await look()
    async with await App.open(load(world.settings, {})) as app:
        ((berth,), _) = await app.berths()
        await app.ledger.hold(Hold(berth.name, image, "", "", "not now", "ann", datetime.now(UTC)))
    before, _, holds, history = await look()
    assert (holds, history > 0) == (1, True)
    for file in (tmp_path / "data").glob("tagboat.db*"):
        file.unlink()
    after, kinds, holds, history = await look()
    # The hold is gone, so what it held back is in the request again; the request itself is the same one.
    assert [title.split()[0] for title in after] == [title.split()[0] for title in before]
    assert "opened" not in kinds
    assert holds == 0
    assert await look() == (after, [kind for kind in kinds if kind not in ("refreshed", "landed")], 0, history)
    await world.stop()
