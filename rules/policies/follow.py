"""follow: the tag that has stood elsewhere for long enough, in dev say, on its way to staging and prod.

    - match: {paths: ["envs/staging/**"]}
      policy: follow
      follow: {from: "envs/dev/**", soak: 24h}   # takes what has stood in dev for a day
    - match: {paths: ["envs/prod/**"]}
      policy: follow
      follow: {from: "envs/staging/**", soak: 3d}

A tag has soaked where it stood in every place of the image that is followed, without a break, for `soak`. What a place went back
from, to an older tag or to one that stood there before, has not: a rollback upstream stops the promotion. Of several that have
soaked the one that came last is taken, even where something newer stands upstream by now and has yet to soak. It never goes back
behind what stands here. Where both places name a digest, the digest is taken over with the tag.

The clock of a place starts when Tagboat first sees the tag stand there, and the ledger keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rules import durations
from rules.policies.base import Choice, Follow, Need, Question, Stood, UpdateKind, Verdict
from rules.policies.kinds import of_step
from rules.policies.settling import Entrant, Field, Ruling, left, settle
from rules.tags import Form, older, read

KEYS = frozenset({"follow"})


@dataclass(frozen=True, slots=True)
class Soak:
    """How the tags of the places that are followed stand: `ripe` are those that have soaked, the one that came last first.

    `standing` is what stands in all of them now (None: not the same in all), `until` when that will have soaked, if it has not.
    """

    ripe: tuple[str, ...] = ()
    standing: str | None = None
    until: datetime | None = None


def soak(upstream: Iterable[Stood], wanted: timedelta, now: datetime) -> Soak:
    """What has soaked in every place, and what is about to."""
    histories = _histories(upstream)
    if not histories:
        return Soak()
    ripe = [dict(_ripe(history, wanted, now)) for history in histories]
    common = {text: max(one[text] for one in ripe) for text in ripe[0] if all(text in one for one in ripe)}
    standing = {history[-1].text for history in histories}
    text = standing.pop() if len(standing) == 1 else ""
    since = [history[-1].since for history in histories]
    known = [moment for moment in since if moment is not None]
    until = max(known) + wanted if len(known) == len(since) else None
    return Soak(tuple(sorted(common, key=lambda one: (common[one], one), reverse=True)), text or None, until)


def choose(question: Question) -> Choice | Need:
    """What has soaked in the places that are followed, if it is not older than what stands here."""
    follow = question.choosing.follow
    if follow is None:
        return left(question, "follow-nothing")
    if not question.upstream:
        return left(question, "follow-nowhere", follow.path)
    found = soak(question.upstream, follow.soak, question.now)
    best = found.ripe[0] if found.ripe else None
    reason = None if best is None else _refusal(best, question, follow)
    if best is None or reason is not None:
        code, detail, wake = _nothing(found, question, follow, reason)
        return replace(_nothing_taken(question, code, detail), wake=wake)
    return _take(best, question, follow)


def _nothing_taken(question: Question, code: str, detail: str) -> Choice:
    """Nothing is taken; each tag of the listing says what it is instead."""
    answer = settle(question, Field((), (code, detail), (code, detail), lambda tag: _judge(tag, question)))
    assert isinstance(answer, Choice)  # with nobody to look at, nothing has to be asked
    return answer


def _take(best: str, question: Question, follow: Follow) -> Choice | Need:
    tag, _, digest = best.partition("@")
    same = tag == question.current_tag
    kind: UpdateKind | None = "digest" if same else _kind(question.current_tag, tag)
    won = ("follow-soaked", f"{follow.path} for {durations.text(follow.soak)}" if follow.soak else follow.path)
    answer = settle(question, Field([Entrant(tag, kind)], won, ("nothing-newer", ""), lambda one: _judge(one, question)))
    if isinstance(answer, Need):
        return replace(answer, again=None)  # the digest has to be put in then too
    wants = bool(digest) and (question.current_digest is not None or question.choosing.pin)
    return replace(answer, digest=digest) if wants and answer.chosen is not None else answer


def _refusal(best: str, question: Question, follow: Follow) -> tuple[str, str] | None:
    """Why what has soaked is not taken; None: it is."""
    tag, _, digest = best.partition("@")
    here = question.current_tag or ""
    if not tag:
        return "follow-untagged", follow.path
    if tag == here:
        moved = bool(digest) and question.current_digest is not None and digest != question.current_digest
        current = f"{here}@{question.current_digest}"
        return None if moved and not _before(best, current, question.upstream) else ("follow-same", follow.path)
    if tag not in question.tags:
        return "follow-gone", tag
    if not _goes_back(best, here, question.upstream):
        return None
    return "follow-older", tag


def _nothing(found: Soak, question: Question, follow: Follow, reason: tuple[str, str] | None) -> tuple[str, str, datetime | None]:
    """Why nothing is taken, and until when: what soaks now is told first, since it is what comes next."""
    soaking = found.standing is not None and found.standing not in found.ripe and not _is_here(found.standing, question)
    if found.standing is None and reason is None:
        return "follow-mixed", follow.path, None
    if soaking and found.until is None:
        return "follow-unknown", f"{found.standing} has stood in {follow.path}", None
    if soaking and found.until is not None and found.until > question.now:
        return "follow-soaking", f"{found.standing} soaks in {follow.path} until {found.until:%Y-%m-%d %H:%M} UTC", found.until
    return (*(reason or ("follow-same", follow.path)), None)


def _is_here(text: str, question: Question) -> bool:
    tag, _, digest = text.partition("@")
    return tag == question.current_tag and question.current_digest in (None, digest)


def _histories(upstream: Iterable[Stood]) -> list[list[Stood]]:
    """What stood in each place, in order; places in which nothing stands any more are none."""
    by_place: dict[str, list[Stood]] = {}
    for one in upstream:
        by_place.setdefault(one.path, []).append(one)
    for history in by_place.values():
        history.sort(key=lambda one: (one.until is None, one.since.timestamp() if one.since else 0))
    return [history for _, history in sorted(by_place.items()) if history[-1].until is None]


def _ripe(history: Sequence[Stood], wanted: timedelta, now: datetime) -> Iterator[tuple[str, datetime]]:
    """The texts that stood there for long enough, with the moment at which each came; not those that were taken back."""
    for at, one in enumerate(history):
        if not one.text or any(later.text and _goes_back(later.text, one.text, history) for later in history[at + 1 :]):
            continue
        if wanted <= timedelta(0) and one.until is None:
            yield one.text, one.since or now
        elif one.since is not None and (one.until or now) - one.since >= wanted:
            yield one.text, one.since


def _goes_back(new: str, old: str, history: Iterable[Stood]) -> bool:
    """Whether one text is behind another: an older version, or where that cannot be told, one that stood there before it."""
    if new == old:
        return False
    mine, theirs = new.partition("@")[0], old.partition("@")[0]
    told = older(mine, theirs) if mine != theirs else None
    return _before(new, old, history) if told is None else told


def _before(new: str, old: str, history: Iterable[Stood]) -> bool:
    first: dict[str, float] = {}
    for one in history:
        moment = one.since.timestamp() if one.since else 0.0
        first[one.text] = min(moment, first.get(one.text, moment))
    olds = [moment for text, moment in first.items() if text == old or text.partition("@")[0] == old]
    return new in first and bool(olds) and first[new] < min(olds)


def _kind(here: str | None, tag: str) -> UpdateKind | None:
    """How far the step is. Of two tags that nothing in them compares it cannot be told, save of hashes: they are builds."""
    mine, theirs = read(here or ""), read(tag)
    if mine.comparable(theirs):
        return of_step(mine, theirs.key)
    return "build" if mine.form is theirs.form is Form.HASH else None


def _judge(tag: str, question: Question) -> Ruling:
    if tag == question.current_tag:
        return Verdict.OLDER, "current", tag
    follow = question.choosing.follow
    path = follow.path if follow else ""
    if any(one.until is None and one.text.partition("@")[0] == tag for one in question.upstream):
        return Verdict.WAITING, "follow-standing", path
    return Verdict.FILTERED, "follow-elsewhere", path
