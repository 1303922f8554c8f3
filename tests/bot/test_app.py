"""The composition: rows become hosts, hosts repositories, and none of them stops another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.app import FORGES, App, Row, clones, is_named
from bot.forges.base import Denied, ForgeKind, Repository
from bot.reading.looking import Terms
from bot.settings import GitSettings, MissingSecret, parse
from bot.terminal import UsageError
from tests.bot.memory_forge import MemoryForge


class Port:
    """A host with these repositories, or with this trouble."""

    kind: ForgeKind = "git"

    def __init__(self, *found: Repository | Exception) -> None:
        self.found = found
        self.closed = False

    async def repositories(self) -> Sequence[Repository]:
        for one in self.found:
            if isinstance(one, Exception):
                raise one
        return [one for one in self.found if isinstance(one, Repository)]

    async def close(self) -> None:
        self.closed = True


class Broken(MemoryForge):
    async def look(self, bases: Sequence[str] = ()) -> None:  # type: ignore[override]
        raise KeyError("nobody thought of this")


async def app(folder: Path, *ports: Port, more: str = "") -> App:
    opened = await App.open(parse(f"state: sqlite://\n{more}".encode(), None, folder, {}))
    opened.rows = tuple(Row(GitSettings(f"row {at}"), port) for at, port in enumerate(ports))
    return opened


def forge(name: str, kind: type[MemoryForge] = MemoryForge) -> MemoryForge:
    return kind({"a.yaml": b"a: 1\n"}, name=name)


async def test_neither_a_row_nor_a_repository_stops_another(tmp_path: Path) -> None:
    ports = [
        Port(Repository(forge("acme/one")), Repository(forge("acme/broken", Broken)), Repository(forge("acme/two"))),
        Port(Denied("the token is not accepted")),
        Port(ValueError("a payload of another world")),
    ]
    async with await app(tmp_path, *ports) as opened:
        reports = {report.repository: report async for report in opened.run_all()}
    assert {name: report.failed for name, report in reports.items()} == {
        "acme/one": False, "acme/two": False, "acme/broken": True, "row 1": True, "row 2": True,
    }  # fmt: skip
    assert [note.reason for note in reports["acme/broken"].notes] == ["a defect in Tagboat: KeyError (the log says more)"]
    assert [note.reason for note in reports["row 1"].notes] == ["the token is not accepted"]
    assert all(port.closed for port in ports)


async def test_only_those_that_are_named(tmp_path: Path) -> None:
    port = Port(Repository(forge("acme/one")), Repository(forge("acme/two")))
    async with await app(tmp_path, port) as opened:
        assert [report.repository async for report in opened.run_all(["acme/two"])] == ["acme/two"]
        missing = [report async for report in opened.run_all(["acme/three"])]
    assert [(report.repository, report.failed) for report in missing] == [("acme/three", True)]


@pytest.mark.parametrize(
    ("said", "named", "expected"),
    [
        ("", True, True),
        ("", False, False),
        ("repositories_without_file: propose\n", False, True),
        ("repositories_without_file: ignore\n", True, False),
    ],
)
async def test_a_repository_without_the_file(tmp_path: Path, said: str, named: bool, expected: bool) -> None:
    """Proposals where the operator named it, nothing where it was only found; the settings may say otherwise."""
    async with await app(tmp_path, Port(Repository(forge("acme/one"), named=named)), more=said) as opened:
        ((berth,), troubles) = await opened.berths()
        assert troubles == []
        assert berth.terms == Terms(opened.settings.defaults, opened.settings.limits, expected)
        (report,) = [report async for report in opened.run_all()]
    assert [note.reason for note in report.notes] == ([] if expected else ["no .tagboat.yaml on the default branch"])


@pytest.mark.parametrize(
    ("state", "folder"),
    [
        ("sqlite:///data/tagboat.db", "data/clones"),
        ("sqlite:////var/lib/tagboat/x.db", "/var/lib/tagboat/clones"),
        ("postgresql://tagboat@db/tagboat", "data/clones"),
        ("sqlite://", "data/clones"),
    ],
)
def test_clones_stand_beside_the_state(tmp_path: Path, state: str, folder: str) -> None:
    settings = parse(f"state: {state}\n".encode(), None, tmp_path, {})
    assert clones(settings) == tmp_path / folder


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("forges: [{kind: git, url: 'ext::sh'}]\n", UsageError),
        ("forges: [{kind: git, url: 'https://x.example/a', username: u, password: {env: NOT_SET}}]\n", MissingSecret),
    ],
)
async def test_a_row_that_cannot_be_opened_is_wrong_usage(tmp_path: Path, text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await App.open(parse(f"state: sqlite://\n{text}".encode(), None, tmp_path, {}))


@pytest.mark.parametrize("kind", FORGES)
async def test_every_kind_of_forge_can_be_opened(tmp_path: Path, kind: str) -> None:
    key = {"git": "url: /srv/x.git", "github": "token: {env: TOKEN}", "gitlab": "token: {env: TOKEN}"}[kind]
    settings = parse(f"state: sqlite://\nforges: [{{kind: {kind}, {key}}}]\n".encode(), None, tmp_path, {"TOKEN": "t"})
    async with await App.open(settings) as opened:
        assert [row.host.kind for row in opened.rows] == [kind]


@pytest.mark.parametrize(
    ("full", "name", "expected"),
    [
        ("acme/gitops", "acme/gitops", True),
        ("acme/gitops", "gitops", True),
        ("acme/gitops", "ops", False),
        ("file:///srv/git/gitops.git", "gitops", True),
        ("file:///srv/git/gitops.git", "git/gitops.git", True),
        ("acme/gitops", "acme", False),
    ],
)
def test_what_a_typed_name_means(full: str, name: str, expected: bool) -> None:
    assert is_named(full, name) is expected
