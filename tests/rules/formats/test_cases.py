"""Every format is tried by files: `tests/cases/<format>/<case>/` holds a file before and after, `leave/` what stays as it is.

A case is found by being there: its folder's name is the format's, and its files' endings are kept. The file after says what was
wished: each image that reads otherwise there gets that tag and digest, and then the bytes have to be those of the file after.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rules.formats import FORMATS, scan
from rules.formats.base import Occurrence
from rules.rewriting import rewrite
from rules.updates import Target

CASES = Path(__file__).parents[2] / "cases"
PAIRS = sorted(path for path in CASES.glob("*/*/before*"))
LEFT = sorted(path for path in CASES.glob("*/leave/*"))
# Where a file of the format usually stands, for those that are known by their name.
PLACES = {
    "compose": "shop/compose.yaml",
    "helm-values": "charts/shop/values.yaml",
    "kubernetes": "envs/prod/shop.yaml",
    "kustomize": "envs/prod/kustomization.yaml",
}


def place(file: Path) -> str:
    """The path at which a case's file is said to stand: the format's usual one, with the file's own ending."""
    usual = PLACES.get(file.parents[1].name, "shop.yaml")
    return usual if file.suffix in ("", ".yaml") else usual.rpartition(".")[0] + file.suffix


def occurrences(path: str, data: bytes) -> list[Occurrence]:
    found, unread = scan(path, data)
    assert unread is None, unread
    return found


def wishes(before: list[Occurrence], after: list[Occurrence]) -> Mapping[Occurrence, Target]:
    assert [(one.image, one.line) for one in before] == [(one.image, one.line) for one in after]
    return {
        old: Target(new.tag, new.digest)
        for old, new in zip(before, after, strict=True)
        if (old.tag, old.digest) != (new.tag, new.digest)
    }


@pytest.mark.parametrize("file", PAIRS, ids=lambda file: f"{file.parents[1].name}/{file.parent.name}")
def test_a_case(file: Path) -> None:
    path, data = place(file), file.read_bytes()
    after = file.with_name("after" + file.suffix).read_bytes()
    found = occurrences(path, data)
    assert {one.format for one in found} == {file.parents[1].name}
    for one in found:
        assert one.tag_span is None or data[slice(*one.tag_span)].decode() == one.tag
        assert one.digest_span is None or data[slice(*one.digest_span)].decode() == one.digest
    wished = wishes(found, occurrences(path, after))
    assert wished, "nothing differs after"
    assert rewrite(path, data, wished) == after
    assert rewrite(path, after, wishes(occurrences(path, after), occurrences(path, after))) == after


@pytest.mark.parametrize("file", LEFT, ids=lambda file: f"{file.parents[1].name}/{file.name}")
def test_left_as_it_is(file: Path) -> None:
    """Nothing in it has a tag or a digest that could be changed."""
    found = occurrences(place(file), file.read_bytes())
    assert [one for one in found if (one.tag_span or one.digest_span or one.sha_span) and not one.unresolved] == []


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_cases(name: str) -> None:
    assert any(file.parents[1].name == name for file in PAIRS)
    assert any(file.parents[1].name == name for file in LEFT)


def test_every_case_is_one_of_a_format() -> None:
    assert {file.parents[1].name for file in (*PAIRS, *LEFT)} <= set(FORMATS)
    assert all(file.with_name("after" + file.suffix).is_file() for file in PAIRS)
