"""What a changed `.tagboat.yaml` would do: two sets of wishes, compared in words.

    preview(now, then, unread)
        - would be opened: Update web from 1\\.4\\.0 to 1\\.5\\.0 (a person lands it)
        - would change: Update api from 2\\.0\\.0 to 2\\.1\\.0: it lands by rule, where now a person lands it
        - would be closed: Update db from 15 to 16: a rule leaves it alone (policy: none)
        - left alone: `acme/cache` in `dev/cache.yaml`: a rule leaves it alone (policy: none)
        - not looked at yet: `acme/new` in `dev/new.yaml`

Nothing that differs gives no line. Every line is Markdown that is safe to show, and there are only so many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from rules.images import canonical
from rules.messages.escaping import code, prose
from rules.streams import PERSON, PUSH
from rules.updates import Update

if TYPE_CHECKING:  # proposals are worded by these modules
    from rules.proposals import Proposal, Wishes

LINES = 50
_PIECE = 120  # characters of one piece of text
_CHARACTERS = 30_000  # of all lines; a check run of GitHub takes 65535
_Place = tuple[str, str, int, str]  # base, file, line, image


def preview(now: Sequence[Wishes], then: Sequence[Wishes], unread: Collection[str] = (), limit: int = LINES) -> list[str]:
    """What `then` has that `now` has not, as lines of Markdown: at most `limit`, and one that counts the others.

    `unread` are images (canonical names) of which something was not read that the new rules want to know: where such a place
    stays as it is, nothing is claimed of it but that.
    """
    lines = list(dict.fromkeys(f"- {line}" for line in _lines(now, then, frozenset(unread))))
    shown: list[str] = []
    for line in lines[:limit]:
        if sum(map(len, shown)) + len(line) > _CHARACTERS:
            break
        shown.append(line)
    more = len(lines) - len(shown)
    return [*shown, f"- and {more} more"] if more else shown


def _lines(now: Sequence[Wishes], then: Sequence[Wishes], unread: frozenset[str]) -> Iterator[str]:
    before, after = _proposals(now), _proposals(then)
    gone = dict(before)
    dim = {place for place in _reasons(then) if canonical(place[3]) in unread}
    ranks = {key: at for at, key in enumerate(before)}
    holders: dict[_Place, list[str]] = {}
    for key, one in before.items():
        for place in _places(one):
            holders.setdefault(place, []).append(key)
    taken: set[_Place] = set()
    for key, one in after.items():
        here = _places(one)
        taken |= here
        # The request for the same places is the one to compare with, whatever it is called.
        shared = Counter(each for place in here for each in holders.get(place, ()) if each in gone)
        alike = {*shared, key} & gone.keys()
        twin = min(alike, key=lambda each: (-shared[each], each != key, ranks[each]), default=None)
        old = gone.pop(twin) if twin is not None else None
        words = _differences(old, one) if old is not None else []
        doubt = "; not all of what decides it was looked at yet" if unread & {place[3] for place in _named(one)} else ""
        if old is None:
            yield f"would be opened: {_title(one)} ({_how(one)}){doubt}"
        elif words:
            yield f"would change: {_title(old)}: {', '.join(words)}{doubt}"
    standing = {one.stream.key: one.reason for wish in then for one in wish.withheld}
    reasons = _reasons(then)
    for key, one in gone.items():
        places = _places(one)
        if places & dim:
            continue  # told below: nothing is known of it
        if key in standing:
            yield f"would be left as it is: {_title(one)}: {_text(standing[key])}"
        else:
            usual = "its places are in another request" if places & taken else "its places are not looked at any more"
            why = next((reasons[place] for place in sorted(places) if place in reasons), usual)
            yield f"would be closed: {_title(one)}: {_text(why)}"
    yield from _stays(now, reasons, dim)


def _stays(now: Sequence[Wishes], reasons: dict[_Place, str], dim: Collection[_Place]) -> Iterator[str]:
    """The places that would stay as they are for another reason than now."""
    known = _reasons(now)
    for place, reason in reasons.items():
        base, file, _, image = place
        if known.get(place) == reason:
            continue
        where = " in ".join(code(one, _PIECE) for one in (image, file or base) if one)
        if place in dim:
            yield f"not looked at yet: {where}"
        else:
            yield f"left alone: {where}: {_text(reason)}"


def _differences(old: Proposal, new: Proposal) -> list[str]:
    """What is not the same of a request, or of two that are for the same places."""
    found: list[str] = []
    if new.title != old.title:
        found.append(f"its title would be {_title(new)}")
    if new.stream.group != old.stream.group:
        group = f"in the group {_text(new.stream.group)}" if new.stream.group else "in no group"
        found.append(f"it would be {group}")
    if _how(new) != _how(old):
        found.append(f"{_how(new)}, where now {_how(old)}")
    elif new.automerge != old.automerge:
        found.append("it lands by a rule with other conditions")
    if new.fingerprint != old.fingerprint and new.title == old.title:
        found.append("it would write other versions or places")
    for name in ("labels", "reviewers", "assignees"):
        wanted: tuple[str, ...] = getattr(new, name)
        if set(wanted) != set(getattr(old, name)):
            found.append(f"{name}: {', '.join(code(one, _PIECE) for one in wanted[:10]) or 'none'}")
    if new.schedules != old.schedules:
        found.append("its schedule")
    if new.priority != old.priority:
        found.append(f"priority {new.priority} instead of {old.priority}")
    return found


def _how(one: Proposal) -> str:
    if one.stream.landing == PUSH:
        return "it is pushed straight to the branch"
    return "a person lands it" if one.stream.landing == PERSON or one.automerge is None else "it lands by rule"


def _proposals(wishes: Sequence[Wishes]) -> dict[str, Proposal]:
    return {one.stream.key: one for wish in wishes for one in wish.proposals}


def _named(one: Proposal) -> set[_Place]:
    return {_place(one.stream.base, update, canonical(update.occurrence.image)) for update in one.updates}


def _places(one: Proposal) -> set[_Place]:
    return {_place(one.stream.base, update, update.occurrence.image) for update in one.updates}


def _place(base: str, update: Update, image: str) -> _Place:
    return base, update.occurrence.file, update.occurrence.line, image


def _reasons(wishes: Sequence[Wishes]) -> dict[_Place, str]:
    """Why each place that gets nothing gets nothing."""
    found: dict[_Place, str] = {}
    for wish in wishes:
        for stay in wish.stays:
            found[wish.base, stay.occurrence.file, stay.occurrence.line, stay.occurrence.image] = stay.reason
        for trouble in wish.troubles:
            found[wish.base, trouble.file, trouble.line or 0, trouble.image] = trouble.reason
    return found


def _title(one: Proposal) -> str:
    return _text(one.title)


def _text(text: str) -> str:
    return prose(text, _PIECE)
