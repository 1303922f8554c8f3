"""Versions as the policy `semver` reads them: loosely, as Masterminds/semver does.

    1.2.3   v1.2.3   1.2   1   2025.07.03   1.2.3-rc.1   1.2.3-rc.1+build

A version is a key, a tuple that sorts as semver orders versions: `(1, 2, 3, 1, ())` for a release, and for a pre-release
`(1, 2, 3, 0, ((1, "rc"), (0, 1)))`: numbers come before words, fewer identifiers before more. Build metadata says nothing.
"""

from __future__ import annotations

import re

Key = tuple[int, int, int, int, tuple[tuple[int, int | str], ...]]

_VERSION = re.compile(
    r"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_LIMIT = 256  # characters: a registry takes 128
_WORDS = 2**64  # a number that does not fit into 64 bits makes no version there


def read(text: str) -> Key | None:
    """The key of a version; None where the text is none."""
    found = _VERSION.fullmatch(text) if len(text) <= _LIMIT else None
    if found is None:
        return None
    major, minor, patch, pre = found.groups()
    numbers = int(major), int(minor or 0), int(patch or 0)
    if len(text) > 19 and max(numbers) >= _WORDS:
        return None
    if pre is None:
        return (*numbers, 1, ())
    identifiers = prerelease(pre)
    return None if identifiers is None else (*numbers, 0, identifiers)


def prerelease(text: str) -> tuple[tuple[int, int | str], ...] | None:
    """The key of a pre-release's identifiers; None where one of them is a number that begins with a zero."""
    found: list[tuple[int, int | str]] = []
    for identifier in text.split("."):
        if not identifier.isdecimal():
            found.append((1, identifier))
        elif identifier != "0" and identifier[0] == "0":
            return None
        else:
            found.append((0, int(identifier)))
    return tuple(found)


def precision(text: str) -> int:
    """How many numbers a version has: 3 for `1.2.3-rc.1`, 2 for `v1.2`."""
    return text.partition("-")[0].partition("+")[0].count(".") + 1


def is_prerelease(key: Key) -> bool:
    """Whether the version is a pre-release."""
    return key[3] == 0
