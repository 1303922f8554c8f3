"""Why: one sentence for each place, the same in the request, in `explain`, in `why` and on the dashboard.

The sentences are plain text, with tags and names as they are: whoever shows one escapes it for where it stands.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from rules.policies import words
from rules.policies.base import Choice, Judged, Verdict
from rules.updates import ROLLBACK, Stay, Trouble, Update

_NEAREST = (Verdict.WAITING, Verdict.REFUSED, Verdict.OLDER, Verdict.FILTERED)


def why(outcome: Update | Stay | Trouble) -> str:
    """Why a place moves to its target, or why it does not move."""
    if not isinstance(outcome, Update):
        return outcome.reason
    choice, tag = outcome.choice, outcome.target.tag
    if outcome.policy == ROLLBACK:
        return choice.detail
    if choice.major is not None and tag == choice.major and tag != choice.chosen:
        return f"{tag} is the next major, which has a request of its own"
    if choice.chosen is None and outcome.kind == "pin":
        return f"the rule wants a digest beside the tag, and this is what {tag} points to"
    if choice.chosen is None and outcome.kind == "digest":
        return f"{tag} points to another image than when its digest was written"
    return words.of_choice(choice)


def why_not(judged: Judged) -> str:
    """What became of a candidate, and by what."""
    return words.of_candidate(judged)


def counts(choice: Choice) -> str:
    """`41 tags: 30 older, 8 filtered, 2 waiting`; empty where no other tag was looked at."""
    lost = Counter(judged.verdict.value for judged in choice.candidates if judged.verdict is not Verdict.CHOSEN)
    total = lost.total()
    if not total:
        return ""
    parts = (f"{count} {verdict}" for verdict, count in lost.most_common())
    return f"{total} other tag{'s' if total > 1 else ''}: {', '.join(parts)}"


def nearest(choice: Choice, count: int = 3) -> Sequence[Judged]:
    """The candidates that lost and came nearest: those that would have won but for an age or a platform, then the newest."""
    lost = [judged for judged in choice.candidates if judged.verdict in _NEAREST and judged.tag != choice.major]
    lost.sort(key=lambda judged: _natural(judged.tag), reverse=True)
    lost.sort(key=lambda judged: (_NEAREST.index(judged.verdict), -_shared(judged.tag, choice.chosen or "")))
    return lost[:count]


def _shared(one: str, other: str) -> int:
    """How many characters two tags begin alike with."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _natural(tag: str) -> list[str | int]:
    """For an order in which 1.10 comes after 1.9."""
    return [int(part) if at % 2 else part for at, part in enumerate(re.split(r"([0-9]+)", tag))]
