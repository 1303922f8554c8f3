"""Lists of paths and words, short enough for a sentence or a filter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_FEW = 4
_MANY = 12


def covering(paths: Sequence[str]) -> tuple[str, ...]:
    """Patterns that cover these files: the files where they are few, else the folders they stand in."""
    names = sorted(dict.fromkeys(paths))
    if len(names) <= _FEW:
        return tuple(names)
    folders = {name.rpartition("/")[0] for name in names}
    if "" in folders or len(folders) > _MANY:
        tops = {name.partition("/")[0] + "/**" if "/" in name else name for name in names}
        return tuple(sorted(tops))
    kept = {folder for folder in folders if not any(folder.startswith(f"{other}/") for other in folders)}
    return tuple(f"{folder}/**" for folder in sorted(kept))


def listed(words: Iterable[str], quote: str = "") -> str:
    """`a, b and c`; of many only the first."""
    names = [f"{quote}{word}{quote}" for word in words]
    if len(names) > _FEW:
        names = [*names[:_FEW], f"{len(names) - _FEW} more"]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else "nothing"
