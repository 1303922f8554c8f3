"""Questions in short, for the tables of policies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from rules.policies import choose, words
from rules.policies.base import Candidate, Choice, Choosing, Need, Question

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def question(
    current: str | None, listed: str | Iterable[str], known: Mapping[str, Candidate] | None = None, /, **choosing: Any
) -> Question:
    """A question about tags (in one text, a space between them); platforms do not matter unless the rule says so."""
    listing = tuple(listed.split()) if isinstance(listed, str) else tuple(listed)
    return Question(Choosing(**{"platforms": "any"} | choosing), current, listing, NOW, known=known or {})


def answer(
    current: str | None, listed: str | Iterable[str], known: Mapping[str, Candidate] | None = None, /, **choosing: Any
) -> Choice:
    """The choice, where no further fact is needed."""
    found = choose(question(current, listed, known, **choosing))
    assert isinstance(found, Choice), found
    return found


def chosen(current: str | None, listed: str | Iterable[str], /, **choosing: Any) -> str | None:
    """The tag that is chosen."""
    return answer(current, listed, **choosing).chosen


def lacks(
    current: str | None, listed: str | Iterable[str], known: Mapping[str, Candidate] | None = None, /, **choosing: Any
) -> Need:
    """The facts that are needed."""
    found = choose(question(current, listed, known, **choosing))
    assert isinstance(found, Need), found
    return found


def verdicts(choice: Choice) -> dict[str, str]:
    """What became of each candidate."""
    return {judged.tag: judged.verdict.value for judged in choice.candidates}


def reasons(choice: Choice) -> dict[str, str]:
    """Why, for each candidate, in words."""
    return {judged.tag: words.of_candidate(judged) for judged in choice.candidates}
