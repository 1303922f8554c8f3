"""Filter patterns of branches and paths, as GitHub Actions reads them: `*` within a part, `**` across, `?`, `+`, `[…]`, `!`.

chosen("releases/10", ("releases/**", "!releases/**-alpha"))      True
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from rules.ci.tokens import BadPattern, compiled


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> Any:
    out: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if pattern.startswith("**/", at):
            out.append("(?:.*/)?")
            at += 3
            continue
        if pattern.startswith("**", at):
            out.append(".*")
            at += 2
            continue
        if char == "*":
            out.append("[^/]*")
        elif char == "[" and "]" in pattern[at:]:
            end = pattern.index("]", at)
            inside = pattern[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            out.append(f"[{inside}]" if inside else re.escape("[]"))
            at = end
        elif char in "?+" and out:
            out.append(char)
        elif char == "\\" and at + 1 < len(pattern):
            at += 1
            out.append(re.escape(pattern[at]))
        else:
            out.append(re.escape(char))
        at += 1
    try:
        return compiled("(?s)" + "".join(out))
    except BadPattern:
        return compiled(re.escape("".join(char for char in pattern if not "\ud800" <= char <= "\udfff")))


def fits(name: str, pattern: str) -> bool:
    """Whether one pattern fits the whole name. RE2 judges: a pattern may be anybody's."""
    try:
        return _compiled(pattern).fullmatch(name) is not None
    except UnicodeEncodeError:
        return False


def chosen(name: str, patterns: Iterable[str]) -> bool:
    """Whether a list of patterns takes the name: in order, a later `!pattern` takes it out again."""
    taken = False
    for pattern in patterns:
        out = pattern.startswith("!")
        if taken == out and fits(name, pattern[1:] if out else pattern):
            taken = not out
    return taken


def any_chosen(names: Sequence[str], patterns: Sequence[str]) -> bool:
    """`paths`: one file that is taken is enough."""
    return any(chosen(name, patterns) for name in names)


def all_ignored(names: Sequence[str], patterns: Sequence[str]) -> bool:
    """`paths-ignore`: every file has to be ignored. A push without files is not ignored."""
    return bool(names) and all(chosen(name, patterns) for name in names)
