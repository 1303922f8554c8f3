"""Files that CI definitions run: Makefiles, and scripts where CI scripts usually stand."""

from __future__ import annotations

import re

_SUPPORT = re.compile(
    r"(?:[^/]+/)?(?:GNUm|M|m)akefile|(?:J|j)ustfile|Taskfile\.ya?ml"
    r"|[^/]+\.sh|(?:(?:.*/)?(?:\.?ci|\.?build|scripts?|hack|tools|bin|\.github|\.gitlab|\.buildkite|\.circleci)/)(?:[^/]+/)*[^/]+\.(?:sh|bash)"
)


def is_support(path: str) -> bool:
    """Whether a file at this path may be a script of a CI definition."""
    return _SUPPORT.fullmatch(path) is not None
