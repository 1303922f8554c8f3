"""Tags: what a tag says by its text, and which others can be compared with it.

    1.25.3-alpine3.18           version    numbers 1.25.3, variant -alpine3.18
    v2   8-jdk17   jdk17        version    one number each, which is a major
    1.2.3-rc.1   3.13.0b2       version    a pre-release
    1.2.3-debian-12-r5          version    revision 5 of the variant -debian-12-r
    20260102   2026.01.02       date       ordered, and never mixed with versions
    main-3f2a9c1-41             build      number 41, fixed text main-, a commit hash that is not compared
    3f2a9c1   sha-3f2a9c1       hash       nothing in it can be ordered
    latest   stable   main      moving     a name

Two tags can be compared where they are of the same form, their fixed texts (prefix and variant) are the same, and they have as
many numbers: `1.25` is not older than `1.25.3`, and `1.2.3` not older than `1.3.0-alpine`. What is not known to be a counter is
fixed text, so an unknown suffix is kept as it stands and never counted up.
"""

from __future__ import annotations

from rules.tags.likeness import like
from rules.tags.reading import among, read
from rules.tags.values import HASH, NUMBER, RELEASE, Form, Key, Tag

__all__ = ["HASH", "NUMBER", "RELEASE", "Form", "Key", "Tag", "among", "major_of", "older", "plain", "read", "same_version"]


def same_version(one: str, other: str) -> bool:
    """Whether two tags are the same version in different spellings: `1.4.0`, `v1.4.0`, `1.4` and `1.4.0-alpine` are."""
    if one == other:
        return True
    first, second = read(one), read(other)
    if first.form is not second.form or not first.is_ordered:
        return False
    if first.form is Form.BUILD:
        return first.shape == second.shape and first.key == second.key and first.hashes == second.hashes
    return _padded(first) == _padded(second) and first.pre == second.pre


def major_of(text: str) -> int | None:
    """The first number of a version; None where the tag is none."""
    tag = read(text)
    return tag.numbers[0] if tag.form is Form.VERSION else None


def older(one: str, other: str) -> bool | None:
    """Whether the first tag is older than the second; None where the two cannot be compared. Of two versions of the same
    precision the numbers decide, whatever their variants."""
    first, second = read(one), read(other)
    for tag, against, sign in ((first, other, 1), (second, one, -1)):
        key = like(tag).key(against) if tag.is_ordered else None
        if key is not None:
            return tag.key < key if sign > 0 else key < tag.key
    if not (first.form is second.form is Form.VERSION and first.precision == second.precision):
        return None
    mine, theirs = (first.numbers, first.pre), (second.numbers, second.pre)
    return mine < theirs if mine != theirs else None


def _padded(tag: Tag) -> tuple[int, ...]:
    return (*tag.numbers, 0, 0, 0)[:4]


def plain(template: str) -> str:
    """Fixed text for a person, its counters and hashes as dots."""
    return template.replace(NUMBER, "…").replace(HASH, "…")
