"""A folder on this machine: what is found, read and written, and what nobody can plant there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from bot.reading.checkout import FILE_LIMIT, Checkout, Unreadable
from bot.terminal import UsageError


def everything(path: str) -> bool:
    return True


def test_paths_are_as_git_writes_them(tmp_path: Path) -> None:
    for name in ("b.yaml", "a/c.yaml", "a/b/d.yaml", ".git/config", "a/.git/config", "e.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list(Checkout.at(tmp_path).paths(lambda path: path.endswith(".yaml"))) == ["a/b/d.yaml", "a/c.yaml", "b.yaml"]


def test_one_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x")
    checkout = Checkout.at(tmp_path / "a.txt")
    assert list(checkout.paths(lambda path: False)) == ["a.txt"]
    assert checkout.read("a.txt") == b"x"


@pytest.mark.parametrize("name", ["nothing", "nothing/here", "a\0b", "x" * 5000])
def test_neither_file_nor_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        Checkout.at(tmp_path / name)


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    checkout = Checkout.at(tmp_path)
    with pytest.raises(Unreadable, match="No such file"):
        checkout.read("gone.yaml")
    (tmp_path / "large.yaml").write_bytes(b"a" * FILE_LIMIT)
    assert len(checkout.read("large.yaml")) == FILE_LIMIT
    (tmp_path / "large.yaml").write_bytes(b"a" * (FILE_LIMIT + 1))
    with pytest.raises(Unreadable, match="larger than 8 MiB"):
        checkout.read("large.yaml")
    (tmp_path / "folder").mkdir()
    with pytest.raises(Unreadable, match="directory"):
        checkout.read("folder")


def test_a_file_that_became_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s")
    (tmp_path / "a.yaml").symlink_to(tmp_path / "secret")
    with pytest.raises(Unreadable):
        Checkout.at(tmp_path).read("a.yaml")


def test_the_one_file_that_a_person_names_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_bytes(b"old")
    (tmp_path / "link.yaml").symlink_to("real.yaml")
    checkout = Checkout.at(tmp_path / "link.yaml")
    assert checkout.read("link.yaml") == b"old"
    checkout.write("link.yaml", b"new")
    assert (tmp_path / "link.yaml").is_symlink()
    assert (tmp_path / "real.yaml").read_bytes() == b"new"


@pytest.mark.parametrize("mode", [0o644, 0o755, 0o600])
def test_writing_keeps_the_mode_and_leaves_nothing_behind(tmp_path: Path, mode: int) -> None:
    (tmp_path / "a.yaml").write_bytes(b"old")
    (tmp_path / "a.yaml").chmod(mode)
    Checkout.at(tmp_path).write("a.yaml", b"new")
    assert (tmp_path / "a.yaml").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "a.yaml").stat().st_mode) == mode
    assert os.listdir(tmp_path) == ["a.yaml"]


def test_a_failed_write_leaves_all_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match=r"."):
        Checkout.at(tmp_path).write("a", b"new")
    with pytest.raises(OSError, match=r"."):
        Checkout.at(tmp_path).write("gone.yaml", b"new")
    assert os.listdir(tmp_path) == ["a"]


def test_a_planted_link_is_not_written_through(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "a.yaml").write_bytes(b"old")
    for name in (".a.yaml.tagboat", ".tagboat-", "a.yaml.tmp"):
        (folder / name).symlink_to(outside)
    Checkout.at(folder).write("a.yaml", b"new")
    assert outside.read_bytes() == b"mine"
    assert (folder / "a.yaml").read_bytes() == b"new"
