"""`tagboat choose [--policy P] … [--current TAG] [--json] < tags`: tries a policy on tags from standard input.

One tag a line, with the time at which it was pushed and its digest where they matter, tabs between them:

    1.4.1    2026-01-02T03:04:05Z    sha256:…
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from bot.terminal import DONE, NOTHING, UsageError, complain, say, say_json
from rules import durations
from rules.findings import did_you_mean, one_of
from rules.policies import POLICIES, complaints, words
from rules.policies import choose as choose_tag
from rules.policies.base import Candidate, Choice, Choosing, Need, Question

_Text = Annotated[str, Parameter(allow_leading_hyphen=True)]
_DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,}")


def choose(
    *,
    policy: str | None = None,
    range: _Text | None = None,  # noqa: A002
    order: Literal["asc", "desc"] = "asc",
    tags: _Text | None = None,
    extract: _Text | None = None,
    ignore: Annotated[list[str] | None, Parameter(negative="", allow_leading_hyphen=True)] = None,
    variant: Literal["keep", "any"] = "keep",
    prereleases: bool = False,
    max_step: Literal["patch", "minor", "major"] = "major",
    min_age: str | None = None,
    current: _Text | None = None,
    json: bool = False,
) -> int:
    """Try a policy on tags from standard input, one a line: TAG, and where they matter its time (RFC 3339) and digest.

    Prints the tag that is chosen. Where there is nothing (better) to choose, it says why on standard error (exit 3).

    Parameters
    ----------
    policy
        auto, semver, alphabetical, numerical, newest, digest or none. Left out: auto, or semver where a range is given.
    range
        The versions that are allowed, such as ^1.4.
    order
        alphabetical, numerical: asc takes the last or largest.
    tags
        Only tags that match this regular expression (RE2) compete.
    extract
        What of the tag is ordered: $1, $name or ${name} of the groups in --tags.
    ignore
        A glob of tags that never compete; may be given several times.
    variant
        keep: a tag with -alpine stays with -alpine.
    prereleases
        Let pre-releases compete.
    max_step
        The largest step.
    min_age
        How old a tag has to be, such as 3d; one without a time is never old enough.
    current
        The tag that stands there now (TAG or TAG@DIGEST).
    json
        One JSON object, with every candidate, its verdict and the reason.
    """
    name = policy if policy is not None else "semver" if range is not None else "auto"
    said: dict[str, Any] = {"policy": name, "range": range, "tags": tags, "extract": extract, "ignore": tuple(ignore or ())}
    _check(said)
    choosing = Choosing(
        **said, order=order, variant=variant, prereleases=prereleases, max_step=max_step, min_age=_age(min_age), platforms="any"
    )
    tag, _, digest = (current or "").strip().partition("@")
    known = read(sys.stdin.buffer)
    question = Question(choosing, tag or None, tuple(known), datetime.now(UTC), current_digest=digest or None, known=known)
    choice = _answer(question)
    if choice.chosen is None and question.current_digest is not None and name != "none":
        # As in a file: what stands there at a digest follows its tag, where nothing newer is to be had.
        pinned = _answer(replace(question, choosing=replace(choosing, policy="digest")))
        choice = pinned if pinned.chosen is not None else choice
    if json:
        candidates = [
            {"tag": judged.tag, "verdict": judged.verdict.value, "reason": words.of_candidate(judged)}
            for judged in choice.candidates
        ]
        say_json({"chosen": choice.chosen, "candidates": candidates})
    elif choice.chosen is not None:
        say(choice.chosen)
    else:
        apart = f"; {choice.major} is the next major" if choice.major is not None else ""
        complain(f"nothing to choose: {words.of_choice(choice)}{apart}")
    return DONE if choice.chosen is not None else NOTHING


def read(lines: Iterable[bytes]) -> dict[str, Candidate]:
    """The tags of a listing with what is known of them, each once. Raises UsageError for a line that cannot be read."""
    found: dict[str, Candidate] = {}
    for number, line in enumerate(lines, start=1):
        text = line.decode("utf-8", "replace").removeprefix("\ufeff" if number == 1 else "").strip("\r\n")
        tag, *columns = (column.strip() for column in text.split("\t"))
        if not tag:
            if any(columns):
                raise UsageError(f"line {number}: no tag stands in the first column")
            continue
        try:
            facts = _facts(tag, columns)
        except ValueError as error:
            raise UsageError(f"line {number}: {error}") from None
        before = found.get(tag, facts)
        found[tag] = replace(before, digest=before.digest or facts.digest, pushed_at=before.pushed_at or facts.pushed_at)
    return found


def _facts(tag: str, columns: list[str]) -> Candidate:
    if len(columns) > 2:
        raise ValueError(f"{tag[:60]!r} is followed by {len(columns)} columns; there are a time and a digest")
    if len(columns) == 1 and _DIGEST.fullmatch(columns[0]):
        columns = ["", columns[0]]
    time, digest = (*columns, "", "")[:2]
    if digest and not _DIGEST.fullmatch(digest):
        raise ValueError(f"{digest[:80]!r} is not a digest such as sha256:1f3a…")
    return Candidate(tag, digest or None, _time(time) if time else None)


def _time(text: str) -> datetime:
    # A leap second is a time in RFC 3339, and none in Python.
    wanted = text.upper().replace(":60", ":59")
    try:
        time = datetime.fromisoformat(wanted)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise ValueError(f"{text[:60]!r} is not a time of RFC 3339 such as 2026-01-02T03:04:05Z")
    return time


def _check(said: dict[str, Any]) -> None:
    """Raises UsageError with all that is wrong in the options."""
    name = said["policy"]
    wrong: list[str] = []
    if name not in POLICIES or name == "follow":
        usable = [policy for policy in POLICIES if policy != "follow"]
        hint = "it takes what stands in other files: see `tagboat check`" if name == "follow" else ""
        wrong.append(
            f"--policy: {name!r} cannot be tried on a list of tags ({hint or did_you_mean(name, usable) or one_of(usable)})"
        )
        said = {key: value for key, value in said.items() if key != "policy"}
    for complaint in complaints({key: value for key, value in said.items() if value is not None}):
        hint = f" ({complaint.suggestion})" if complaint.suggestion else ""
        wrong.append(f"--{complaint.key}: {complaint.message}{hint}")
    if said["extract"] is not None and said["tags"] is None:
        wrong.append("--extract: there are no groups to take: give a regular expression with --tags")
    if wrong:
        raise UsageError("\n".join(wrong))


def _age(text: str | None) -> timedelta:
    try:
        return durations.parse(text) if text is not None else timedelta(0)
    except durations.BadDuration as error:
        raise UsageError(f"--min-age: {error}") from None


def _answer(question: Question) -> Choice:
    """The policy's answer; what was not given cannot be had."""
    found = choose_tag(question)
    while isinstance(found, Need):
        asked = {*found.ages, *found.digests, *found.platforms}
        question = replace(question, unknown=question.unknown | asked)
        found = choose_tag(question)
    return found
