"""Stand-ins for what neighbours are writing right now. Not committed; goes away as each lands."""

from __future__ import annotations

import re

from rules.policies.base import Choice, Judged


class words:  # noqa: N801
    @staticmethod
    def of_choice(choice: Choice) -> str:
        return f"{choice.code} {choice.detail}".strip()

    @staticmethod
    def of_candidate(judged: Judged) -> str:
        return f"{judged.code} {judged.detail}".strip()


def _numbers(tag: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", tag)))


def same_version(one: str, other: str) -> bool:
    return _numbers(one) == _numbers(other)


def major_of(tag: str) -> int | None:
    return (_numbers(tag) or (None,))[0]


def older(one: str, other: str) -> bool | None:
    return _numbers(one) < _numbers(other) if _numbers(one) and _numbers(other) else None
