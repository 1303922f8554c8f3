"""What is remembered between looks: as much as there are repositories, however often they move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.forges.base import Entry
from bot.reading.looking import Memory, Terms, look
from tests.bot.memory_forge import MemoryForge

POD = b"apiVersion: v1\nkind: Pod\nspec: {containers: [{image: web:1}]}\n"


@dataclass
class Listed(MemoryForge):
    """A forge that notes which commits were listed."""

    listed: list[str] = field(default_factory=list)

    async def tree(self, commit: str) -> Mapping[str, Entry]:
        self.listed.append(commit)
        return await super().tree(commit)


async def test_a_hundred_moves_leave_one_tree_and_one_view() -> None:
    memory, forge = Memory(), Listed({"pod.yaml": POD})
    for moves in range(1, 101):
        forge.moves = moves
        for _ in range(2):
            await look(forge, memory, Terms())
    assert len(forge.listed) == 100, "a head that stays is not listed again"
    assert list(memory.trees) == [f"{100:040x}"]
    assert [head for _, head, _ in memory.views] == [f"{100:040x}"]
    assert len(memory.stood_on) == 2


async def test_what_another_repository_stands_on_stays() -> None:
    memory = Memory()
    one, other = (Listed({"pod.yaml": POD}, name=name) for name in ("acme/one", "acme/other"))
    for forge in (one, other):
        await look(forge, memory, Terms())
    one.moves = 2
    await look(one, memory, Terms())
    await look(other, memory, Terms())
    assert (len(one.listed), len(other.listed)) == (2, 0), "what one listed serves the other, also after it moved on"
    assert len(memory.trees) == len(memory.views) == 2
    other.moves = 2
    await look(other, memory, Terms())
    assert not other.listed
    assert len(memory.trees) == len(memory.views) == 1


async def test_a_manifest_that_starts_pipelines_is_a_definition_also_where_it_was_read_before() -> None:
    memory, forge = Memory(), Listed({"pod.yaml": POD, "hears.yaml": b"kind: EventListener\n"})
    for moves in (1, 2):
        forge.moves = moves
        forge.files["pod.yaml"] = POD + b"# %d\n" % moves
        (view,) = (await look(forge, memory, Terms())).views
        assert list(view.definitions) == ["hears.yaml"]
