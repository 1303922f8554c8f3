"""What one process read of a forge, the next does not ask for again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.forges.base import Entry
from bot.reading.looking import Memory
from bot.state.contents import Contents
from bot.state.ledger import Ledger

TREE = {
    "envs/dev/app.yaml": Entry("a" * 40, "100644", 7),
    "run.sh": Entry("b" * 40, "100755"),
    "\udcff.yaml": Entry("c" * 40, "100644", 0),
}


class Forge:
    """A forge that counts what it is asked for."""

    def __init__(self, kind: str = "github") -> None:
        self.kind = kind
        self.asked: list[str] = []

    async def tree(self, commit: str) -> Mapping[str, Entry]:
        self.asked.append(commit)
        return TREE

    async def blobs(self, oids: Collection[str]) -> Mapping[str, bytes]:
        self.asked += sorted(oids)
        return {oid: f"image: {oid}\n".encode() for oid in oids}


@pytest_asyncio.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    found = await Ledger.open(f"sqlite:///{tmp_path}/tagboat.db")
    yield found
    await found.close()


async def _read(forge: Any, memory: Memory) -> tuple[Mapping[str, Entry], dict[str, bytes]]:
    return await memory.tree(forge, "1" * 40), await memory.contents(forge, ["a" * 40, "b" * 40])


async def test_a_second_process_asks_for_nothing(ledger: Ledger) -> None:
    first, second = Forge(), Forge()
    before = await _read(first, Memory(kept=Contents(ledger)))
    assert first.asked == ["1" * 40, "a" * 40, "b" * 40]
    assert await _read(second, Memory(kept=Contents(ledger))) == before
    assert second.asked == []


async def test_only_what_is_new_is_asked_for(ledger: Ledger) -> None:
    await _read(Forge(), Memory(kept=Contents(ledger)))
    forge = Forge()
    found = await Memory(kept=Contents(ledger)).contents(forge, ["a" * 40, "d" * 40])  # type: ignore[arg-type]
    assert forge.asked == ["d" * 40]
    assert set(found) == {"a" * 40, "d" * 40}


async def test_plain_git_has_its_clone(ledger: Ledger) -> None:
    for _ in range(2):
        forge = Forge("git")
        await _read(forge, Memory(kept=Contents(ledger)))
        assert len(forge.asked) == 3


async def test_a_large_blob_is_read_again(ledger: Ledger) -> None:
    contents = Contents(ledger)
    await contents.keep_blobs({"a" * 40: b"x" * (256 * 1024 + 1), "b" * 40: b"small"})
    assert await contents.blobs(["a" * 40, "b" * 40]) == {"b" * 40: b"small"}


def _spoil(folder: Path) -> None:
    for path in folder.glob("tagboat.db*"):
        path.write_bytes(b"this is no database" * 200)


async def test_a_ledger_that_fails_costs_requests_and_nothing_else(
    ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await _read(Forge(), Memory(kept=Contents(ledger)))
    _spoil(tmp_path)
    forge = Forge()
    tree, blobs = await _read(forge, Memory(kept=Contents(ledger)))
    assert tree == TREE
    assert len(blobs) == 2
