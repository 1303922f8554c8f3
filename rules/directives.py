"""Directives: what a comment beside an image says of that one place.

    image: acme/web:1.4.2   # tagboat: ignore
    image: acme/web:1.4.2   # tagboat: ignore until the database is migrated
    image: acme/web:1.4.2   # tagboat: semver ^1.4
    image: acme/web:main-7  # tagboat: numerical desc
    image: acme/web:1.4.2   # {"$imagepolicy": "flux-system:web"}

A policy in a directive takes the place of the rule's `policy`, `range` and `order`; all other keys of the rules still hold.
A Flux marker stands for the ImagePolicy of that name. A directive that cannot be understood is reported, and its place is left
as it is: guessing could write what nobody asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from rules.findings import did_you_mean, one_of
from rules.policies import ranges
from rules.policies.base import Choosing

_OURS = re.compile(r"#*\s*tagboat:\s*(.*)", re.DOTALL)
_FLUX = re.compile(r"""#*\s*(\{.*"\$imagepolicy".*\})""", re.DOTALL)
_ORDERED = frozenset({"alphabetical", "numerical"})
_BARE = frozenset({"auto", "newest", "digest"})
_WORDS = ("ignore", "semver", *sorted(_ORDERED), *sorted(_BARE))


class BadDirective(ValueError):
    """The comment is meant for Tagboat and cannot be understood; the message says what was probably meant."""


@dataclass(frozen=True, slots=True)
class Ignore:
    """The place is to be left alone; `why` is what stands behind the word, if anything does."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """The place has a policy of its own."""

    name: str
    argument: str = ""

    def over(self, choosing: Choosing) -> Choosing:
        """The rules' keys with this policy put in."""
        return replace(
            choosing,
            policy=self.name,
            range=self.argument if self.name == "semver" and self.argument else None,
            order="desc" if self.argument == "desc" else "asc",
            follow=None,
        )


@dataclass(frozen=True, slots=True)
class FluxMarker:
    """Flux's marker: the `namespace:name` of an ImagePolicy."""

    policy: str


Directive = Ignore | Policy | FluxMarker


def read(comment: str | None) -> Directive | None:
    """What a comment says; None where it is for somebody else. Raises BadDirective."""
    text = (comment or "").strip()
    if match := _OURS.match(text):
        return _ours(match[1].strip())
    if match := _FLUX.match(text):
        return _flux(match[1])
    return None


def _ours(text: str) -> Directive:
    word, _, rest = " ".join(text.split()).partition(" ")
    if word == "ignore":
        return Ignore(rest)
    if word == "semver":
        try:
            return Policy(word, ranges.read(rest).text if rest else "")
        except ranges.BadRange as error:
            raise BadDirective(f"`tagboat: {text[:60]}` is not understood: {error}") from None
    if word in _ORDERED and rest in ("", "asc", "desc"):
        return Policy(word, rest)
    if word in _BARE and not rest:
        return Policy(word)
    if word in _ORDERED | _BARE:
        takes = "asc or desc" if word in _ORDERED else "nothing"
        raise BadDirective(f"`tagboat: {word}` takes {takes}, not {rest[:60]!r}")
    hint = did_you_mean(word, _WORDS) or f"write {one_of(_WORDS)}"
    raise BadDirective(f"`tagboat: {text[:60]}` is not understood: {hint}")


def _flux(text: str) -> Directive | None:
    try:
        found = json.loads(text)
        name = found.get("$imagepolicy") if isinstance(found, Mapping) else None
    except (ValueError, RecursionError):
        raise BadDirective(f"Flux's marker {text[:80]!r} is not JSON") from None
    if not isinstance(name, str):
        raise BadDirective(f"Flux's marker {text[:80]!r} names no ImagePolicy")
    # `ns:name`, or with the part of the image that stands there: `ns:name:tag`, `ns:name:name`, `ns:name:digest`.
    return FluxMarker(":".join(name.split(":")[:2]))
