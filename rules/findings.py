"""Findings: what is wrong in a file that a person wrote, where, and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `line` is from 1 (None: not known), `path` like `rules[0].range`, `suggestion` may be empty."""

    file: str
    line: int | None
    path: str
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        subject = f"{self.path}: " if self.path else ""
        return f"{place}: {subject}{self.message}" + (f" ({self.suggestion})" if self.suggestion else "")


class Broken(Exception):
    """A file cannot be used; `findings` has everything that is wrong in it, by line."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(sorted(findings, key=lambda finding: (finding.file, finding.line or 0)))
        super().__init__("\n".join(map(str, self.findings)))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?` for the nearest known word, empty where none is near."""
    words = list(known)
    near = difflib.get_close_matches(word.lower().replace("-", "_"), words, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""


def one_of(words: Iterable[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    names = list(words)
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""
