"""none: the image is left alone.

- match: {images: ["postgres"]}
  policy: none
"""

from __future__ import annotations

from rules.policies.base import Choice, Question
from rules.policies.settling import left

KEYS = frozenset[str]()


def choose(question: Question) -> Choice:
    """Nothing."""
    return left(question, "none")
