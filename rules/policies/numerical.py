"""numerical: the largest number (or with `order: desc` the smallest).

    - match: {images: ["harbor.example.com/team/*"]}
      policy: numerical
      tags: '^main-[0-9a-f]+-(?P<build>\\d+)$'
      extract: '$build'

Numbers may have a sign, decimals and an exponent. They are compared exactly, however long they are. A tag that is no number is
passed over and says so; the others are judged all the same. `inf`, `nan` and hexadecimal numbers are none, nor is `1234e56`,
which is the beginning of a commit hash.
"""

from __future__ import annotations

import re
from decimal import Decimal

from rules.policies import ordered
from rules.policies.base import Choice, Need, Question

KEYS = frozenset({"order", "tags", "extract", "ignore"})
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_HASH = re.compile(r"(?=.*[a-f])[0-9a-f]{7,}")


def choose(question: Question) -> Choice | Need:
    """The largest or smallest number. Raises BadPattern or BadGlob where a key cannot be read."""
    return ordered.choose(question, number, "no-number", versions=False)


def number(text: str) -> Decimal | None:
    """The number that a text is; None where it is none."""
    return Decimal(text) if _NUMBER.fullmatch(text) and not _HASH.fullmatch(text) else None
