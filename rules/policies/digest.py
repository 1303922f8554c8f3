"""digest: the tag stays, and its digest is followed.

    - match: {images: ["docker.io/library/nginx"]}
      policy: digest           # nginx:stable becomes nginx:stable@sha256:…, and that moves when `stable` does

The first digest beside a tag is an update of kind `pin`, the next ones are of kind `digest`. With `min_age` the new content has
to be that old, not the tag. What the tag points to has to serve every platform that is served now.
"""

from __future__ import annotations

from dataclasses import replace

from rules.policies.base import Candidate, Choice, Need, Question, UpdateKind, Verdict
from rules.policies.settling import Entrant, Field, Ruling, left, settle

KEYS = frozenset[str]()


def choose(question: Question) -> Choice | Need:
    """The same tag with the digest that it points to now."""
    tag = question.current_tag
    if tag is None:
        return left(question, "no-tag")
    digest = question.known.get(tag, Candidate(tag)).digest
    if digest is None:
        return left(question, "digest-unknown", tag) if tag in question.unknown else Need(digests=(tag,))
    moved = digest != question.current_digest
    kind: UpdateKind = "digest" if question.current_digest is not None else "pin"
    entrants = [Entrant(tag, kind)] if moved else []
    answer = settle(question, Field(entrants, (f"digest-{kind}", tag), ("digest-same", tag), lambda one: _judge(one, tag)))
    if isinstance(answer, Need):
        return replace(answer, again=None)  # the digest has to be put in then too
    return replace(answer, digest=digest) if answer.chosen is not None else answer


def _judge(tag: str, current: str) -> Ruling:
    return (Verdict.OLDER, "current", tag) if tag == current else (Verdict.FILTERED, "other-tag", current)
