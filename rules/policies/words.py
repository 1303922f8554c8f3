"""Reasons in words: what a policy's codes say, made only when somebody reads them.

    of_choice(choice)       it is the highest version in ^1.4
    of_candidate(judged)    1.5.0-rc.1 … it is a pre-release, and ^1.4 names none

A sentence is plain text, with tags and patterns as they are: whoever shows it escapes it.
"""

from __future__ import annotations

from rules.policies.base import Choice, Judged
from rules.tags import Form, read

_CHOICES = {
    # something is chosen
    "newest": "it is the newest",
    "newest-alike": "it is the newest {detail}",
    "highest": "it is the highest version in {detail}",
    "order-last": "it is the last in order",
    "order-first": "it is the first in order",
    "time-newest": "it was pushed last",
    "hash-newest": "it is the commit hash that was pushed last",
    "digest-digest": "{detail} points to a new digest",
    "digest-pin": "this is the digest that {detail} points to",
    "moved": "its tag points to a new digest",
    "follow-soaked": "it has stood in {detail}",
    # nothing is
    "follow-nothing": "the policy follow needs `follow: {{from: …}}`",
    "follow-nowhere": "the image stands nowhere in {detail}",
    "follow-mixed": "several tags stand in {detail}, and none of them has soaked everywhere",
    "follow-same": "what stands here is what has soaked in {detail}",
    "follow-older": "what has soaked is {detail}, which is behind what stands here",
    "follow-untagged": "no tag stands in {detail}, only a digest",
    "follow-gone": "what has soaked is {detail}, and the registry no longer has it",
    "nothing-newer": "nothing newer is there",
    "nothing-newer-alike": "nothing newer of its kind ({detail}) is there",
    "nothing-higher": "nothing higher in {detail} is there",
    "nothing-in-range": "no tag is a version in {detail}",
    "current-outside": "what stands there lies outside of {detail}, and nothing in it is higher",
    "nothing-competes": "there is no tag to choose from",
    "nothing-beyond-last": "nothing comes after {detail}",
    "nothing-beyond-first": "nothing comes before {detail}",
    "time-none-later": "nothing is known to have been pushed after {detail}",
    "hash-none-later": "no commit hash is known to have been pushed after {detail}",
    "time-unknown": "nobody tells when {detail} was pushed, so nothing can be said to be newer",
    "hash-unknown": "{detail} is a commit hash, and the registry does not tell when it was pushed: there is nothing to order by",
    "digest-same": "{detail} points to the digest that stands there",
    "digest-unknown": "the digest of {detail} could not be read",
    "no-tag": "no tag stands there",
    "current-unmatched": "what stands there does not match {detail}, so nothing of it can be ordered",
    "moving": "{detail} is a name that moves, and names have no successor; pin it to its digest to follow it",
    "none": "a rule leaves it alone (policy: none)",
    "no-policy": "there is no policy {detail}",
    "bad-key": "{detail}",
    "follow-soaking": "{detail}",
    "follow-unknown": "nobody knows since when {detail}",
    "held-too-young": "{tag} is not {detail} old yet",
    "held-age-unknown": "nobody tells how old {tag} is, and the rule wants {detail}",
    "held-platforms-missing": "{tag} is not there for {detail}",
    "held-platforms-unknown": "the platforms of {tag} could not be read",
}

_FORMS = {
    Form.VERSION: "a version",
    Form.DATE: "a date or serial number",
    Form.BUILD: "a build",
    Form.HASH: "a commit hash",
    Form.MOVING: "a name",
}
_CANDIDATES = {
    "follow-standing": "it stands in {detail}, and is not taken from there (yet)",
    "follow-elsewhere": "it does not stand in {detail}",
    "artefact": "it is a signature or attestation, not an image",
    "ignored": "it matches {detail} under `ignore`",
    "unmatched": "it does not match {detail}",
    "current": "it stands there now",
    "same-version": "it is the same version as {detail}",
    "older-than-current": "it is older than {detail}",
    "older": "something newer is taken",
    "not-beyond-current": "it comes before {detail} in order",
    "not-later": "it was not pushed after {detail}",
    "pushed-earlier": "something that was pushed later is taken",
    "no-version": "it is not a version",
    "no-number": "it is not a number",
    "other-variant": "it is another variant than {detail}",
    "other-precision": "it has not as many numbers as {detail}",
    "unlike": "it is not of the same shape as {detail}",
    "out-of-range": "it is outside of {detail}",
    "prerelease": "it is a pre-release, and {detail} names none",
    "prerelease-auto": "it is a pre-release, and no such pre-release stands there",
    "step": "the step is larger than `max_step: {detail}`",
    "next-major": "it is of the next major, which has a request of its own",
    "too-young": "it is not {detail} old yet",
    "age-unknown": "nobody tells how old it is, and the rule wants {detail}",
    "time-unknown": "nobody tells when it was pushed",
    "platforms-missing": "it is not there for {detail}",
    "platforms-unknown": "its platforms could not be read",
    "other-tag": "only the digest of {detail} is followed",
}

HELD = frozenset(code for code in _CHOICES if code.startswith("held-"))  # the best tag may not be taken, or not yet


def of_choice(choice: Choice) -> str:
    """Why a tag was chosen, or why none was."""
    if choice.code.startswith("held-"):
        tag, _, detail = choice.detail.partition(" ")
        return _CHOICES[choice.code].format(tag=tag, detail=detail)
    return _said(_CHOICES, choice.code, choice.detail)


def of_candidate(judged: Judged) -> str:
    """What became of a candidate, and by what."""
    if judged.code == "unlike" and "\n" in judged.detail:
        return _unlike(*judged.detail.split("\n", 1))
    if judged.code in _CANDIDATES:
        return _said(_CANDIDATES, judged.code, judged.detail)
    return _said(_CHOICES, judged.code, judged.detail)


def _said(table: dict[str, str], code: str, detail: str) -> str:
    """A code that is not known stands for itself: a reason may be odd, never missing."""
    if code not in table:
        return f"{code} {detail}".strip()
    return table[code].format(detail=detail)


def _unlike(here: str, there: str) -> str:
    """Why a tag cannot be compared with the one that stands there."""
    one, other = read(here), read(there)
    if other.form is Form.MOVING:
        return "it is a name that moves"
    if other.form is not one.form:
        return f"it is {_FORMS[other.form]}, and {_FORMS[one.form]} stands there"
    if other.prefix != one.prefix:
        return f"it does not begin as {here} does"
    if other.precision != one.precision:
        return f"it has not as many numbers as {here}"
    if other.variant != one.variant:
        return f"it is another variant than {here}"
    return f"it is not of the same shape as {here}"
