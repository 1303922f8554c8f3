"""What a clone remembers between looks: what was read lately, and no more."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from bot.forges.git.address import Address
from bot.forges.git.cli import Access, Git
from bot.forges.git.clone import Clone


class Counting(Clone):
    """A clone whose objects come from nowhere; `asked` are those that were read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Git(Address.parse(folder.as_uri()), folder / "clone", folder / "home", Access()), folder)
        self.asked: list[str] = []

    async def objects(self, oids: Collection[str]) -> dict[str, bytes]:
        self.asked += oids
        return {oid: oid.encode() for oid in oids}


@pytest.mark.parametrize("at_once", [1, 7, 500])
async def test_small_objects_are_remembered_while_they_are_used(tmp_path: Path, at_once: int) -> None:
    clone = Counting(tmp_path)
    oids = [f"{number:040x}" for number in range(3000)]
    for start in range(0, len(oids), at_once):
        wanted = [*oids[start : start + at_once], oids[0]]
        assert await clone.small(wanted) == {oid: oid.encode() for oid in wanted}
    assert clone.asked == oids, "each was read once, and what is asked for each time was never forgotten"
    assert len(clone._known) <= max(50, 3 * (at_once + 1)), "what is kept follows what is asked for at once"
    clone.asked.clear()
    await clone.small(oids[1:2])
    assert clone.asked == oids[1:2], "what nobody asked for any more is read again"
