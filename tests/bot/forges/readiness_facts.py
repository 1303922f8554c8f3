"""From a forge's answer to a decision: the rest of the facts, good throughout, so that the readiness alone decides."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bot.commands.decide import word
from rules.automerge import Automerge
from rules.merging import Facts, Platform, Readiness, RequestFacts, UpdateFacts, decide

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def decision(platform: Platform, readiness: Readiness, login: str) -> tuple[str, str]:
    """The one word and the reason."""
    request = RequestFacts("open", "Update shop", created_at=NOW)
    facts = Facts(platform, NOW, request, readiness, (UpdateFacts("acme/shop", "patch"),), login=login)
    answer = decide(facts, Automerge())
    return word(answer), answer.reason


def changed(payload: Any, changes: Mapping[str, Any]) -> Any:
    """A copy of a payload with other values under dotted places; a number is a place in a list, ... takes the key away."""
    copy = clone(payload)
    for place, value in changes.items():
        *path, last = (int(part) if part.isdecimal() else part for part in place.split("."))
        at = copy
        for part in path:
            at = at[part]
        if value is ...:
            del at[last]
        else:
            at[last] = clone(value)
    return copy


def clone(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: clone(inner) for key, inner in value.items()}
    return [clone(inner) for inner in value] if isinstance(value, list) else value
