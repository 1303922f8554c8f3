"""Skip tokens: which text in which message keeps a CI system from starting.

token_start(SKIP, event)         what a token in the event's messages does to a system

What takes the power from every token at once, whatever system reads it, is in `rules.defusing`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import re2

from rules.ci.base import Commit, Event, Push, Skip, Start
from rules.defusing import defuse as defuse
from rules.defusing import may_contain_marker as may_contain_marker


class BadPattern(ValueError):
    """The text is no regular expression that RE2 reads."""


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Any:
    """A regular expression of RE2. Raises BadPattern."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        raise BadPattern(str(error)) from None


def has_token(skip: Skip, text: str) -> bool:
    """Whether the system reads its token in this text."""
    return compiled(skip.pattern).search(text[: skip.limit]) is not None


def may_have_token(skip: Skip, text: str) -> bool:
    """Whether the system reads its token in this text, or may."""
    return has_token(skip, text) or (bool(skip.maybe) and compiled(skip.maybe).search(text) is not None)


def token_start(skip: Skip | None, event: Event) -> Start | None:
    """What a token in the event's messages does: a `Start` that says no (or unknown, where it is in doubt), or None: no token."""
    if skip is None:
        return None
    where = _place(skip, event, has_token)
    if where is not None and not skip.doubt:
        return Start("no", f"{where} has a skip token", by="token")
    where = where or _place(skip, event, may_have_token)
    doubt = skip.doubt or "it is not confirmed that this spelling is read"
    return Start("unknown", f"{where} has a skip token, but {doubt}", by="token") if where else None


def _place(skip: Skip, event: Event, has: Callable[[Skip, str], bool]) -> str | None:
    if isinstance(event, Push):
        if not event.commits or skip.push == "none":
            return None
        read: tuple[Commit, ...] = event.commits if skip.push == "all" else (event.head,)
        found = all(has(skip, commit.message) for commit in read)
        return ("every commit of the push" if skip.push == "all" else "the newest commit") if found else None
    texts = {"head": event.head.message, "title": event.title, "body": event.body}
    names = {"head": "the request's newest commit", "title": "the request's title", "body": "the request's description"}
    return next((names[part] for part in sorted(skip.request) if has(skip, texts[part])), None)
