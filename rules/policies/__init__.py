"""Policies: which tag is next. One file each, one row in the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from rules import globs
from rules.findings import did_you_mean, one_of
from rules.policies import alphabetical, auto, digest, follow, newest, none, numerical, ranges, semver
from rules.policies.base import Choice, Need, Question
from rules.policies.entry import BadPattern, compiled, unknown_groups
from rules.policies.settling import left


class Policy(Protocol):
    """A policy: a module with one function, and the names of the keys (of those that say which tag is next) that it reads."""

    KEYS: frozenset[str]

    def choose(self, question: Question, /) -> Choice | Need: ...


POLICIES: dict[str, Policy] = {
    "auto": auto,
    "semver": semver,
    "alphabetical": alphabetical,
    "numerical": numerical,
    "newest": newest,
    "digest": digest,
    "follow": follow,
    "none": none,
}


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a policy objects to in a rule: the key, what is wrong with it, and what was probably meant."""

    key: str
    message: str
    suggestion: str = ""


def choose(question: Question) -> Choice | Need:
    """Which tag is next, or the facts that are missing to say so. Keys that cannot be read choose nothing, and say why."""
    policy = POLICIES.get(question.choosing.policy)
    if policy is None:
        return left(question, "no-policy", question.choosing.policy)
    try:
        return policy.choose(question)
    except (ranges.BadRange, BadPattern, globs.BadGlob) as error:
        return left(question, "bad-key", str(error))


def complaints(said: Mapping[str, Any]) -> Iterator[Complaint]:
    """What is wrong with the keys that one rule sets (those of `Choosing`); other rules may set the others. A key that the
    rule's policy does not read is no fault: a later rule may set another policy."""
    name = said.get("policy")
    if name is not None and name not in POLICIES:
        yield Complaint(
            "policy", f"there is no policy {name!r}", did_you_mean(str(name), POLICIES) or f"write {one_of(POLICIES)}"
        )
    if isinstance(text := said.get("range"), str):
        try:
            ranges.read(text)
        except ranges.BadRange as error:
            yield Complaint("range", str(error))
    yield from _texts(said)


def _texts(said: Mapping[str, Any]) -> Iterator[Complaint]:
    tags, extract = said.get("tags"), said.get("extract")
    for pattern in said.get("ignore") or ():
        try:
            globs.check(pattern)
        except globs.BadGlob as error:
            yield Complaint("ignore", str(error))
    if not isinstance(tags, str):
        return
    try:
        compiled(tags)
        unknown = unknown_groups(tags, extract) if isinstance(extract, str) else []
    except BadPattern as error:
        yield Complaint("tags", str(error))
        return
    for name in unknown:
        yield Complaint("extract", f"there is no group {name!r} in `tags`", _meant(name))


def _meant(name: str) -> str:
    digits = name[: len(name) - len(name.lstrip("0123456789"))]
    return f"write ${{{digits}}}{name[len(digits) :]} for group {digits} and what follows it" if digits and digits != name else ""
