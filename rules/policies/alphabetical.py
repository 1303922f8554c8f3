"""alphabetical: the last tag (or with `order: desc` the first) in the order of bytes.

    - match: {images: ["harbor.example.com/team/*"]}
      policy: alphabetical
      tags: '^RELEASE\\.'              # RELEASE.2026-01-02T03-04-05Z

Upper case comes before lower case, and `1.10` before `1.9`. With `extract` the extracted text is ordered; of two tags with the
same text the first in byte order is taken. The kind of update is read from the tags where both are versions of one shape
(`1.9.0` to `2.0.0` is a major), else it is `build`.
"""

from __future__ import annotations

from rules.policies import ordered
from rules.policies.base import Choice, Need, Question

KEYS = frozenset({"order", "tags", "extract", "ignore", "max_step"})


def choose(question: Question) -> Choice | Need:
    """The last or first tag. Raises BadPattern or BadGlob where a key cannot be read."""
    # Python orders text by code points, which is the order of its bytes in UTF-8.
    return ordered.choose(question, str, "unmatched", versions=True)
