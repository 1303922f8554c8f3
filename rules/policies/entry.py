"""Who competes, by the rule's own keys, and what of a tag is ordered.

    tags: '^main-[0-9a-f]+-(?P<ts>\\d+)$'     only tags that match; RE2, anywhere in the tag unless anchored
    extract: '$ts'                           `$1`, `$name`, `${name}` of the groups; `$$` is a dollar
    ignore: ["*-rc*"]                        globs, over the whole tag

Signatures and other artefacts that registries list among the tags (`sha256-<digest>`, `*.sig`) never compete.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import re2

from rules import globs
from rules.policies.base import Choosing

_ARTEFACT = re.compile(r"sha(?:256-[0-9a-f]{64}|512-[0-9a-f]{128})(?:\..*)?|.*\.sig", re.DOTALL)
_MEMORY = 2 << 20  # bytes that a regular expression may take
_REFERENCE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})")
_LOOK = re.compile(r"\(\?(?:=|!|<=|<!)|\\[1-9]|\(\?P=")


class BadPattern(ValueError):
    """The regular expression or template cannot be read; the message says why."""


class Entry:
    """The keys `tags`, `extract` and `ignore` of a rule, ready to be asked. Raises BadPattern or globs.BadGlob."""

    def __init__(self, choosing: Choosing) -> None:
        self.pattern = choosing.tags
        self.extract = choosing.extract or None
        self.ignore = choosing.ignore
        self._search = compiled(choosing.tags).search if choosing.tags else None
        for glob in choosing.ignore:
            globs.check(glob)

    def texts(self, tags: Sequence[str]) -> dict[str, str]:
        """The tags that compete, each once, with what of it is ordered."""
        if self._search is None and not self.ignore:
            listing = "\n".join(tags)
            if "sha" in listing or ".sig" in listing:
                tags = [tag for tag in tags if not _is_artefact(tag)]
            return dict(zip(tags, tags, strict=True))
        found: dict[str, str] = {}
        for tag in tags:
            if not _is_artefact(tag) and not globs.matches_any(self.ignore, tag) and (text := self.text(tag)) is not None:
                found[tag] = text
        return found

    def text(self, tag: str) -> str | None:
        """What of a tag is ordered; None where `tags` does not match it."""
        if self._search is None:
            return tag
        try:
            match = self._search(tag)
        except UnicodeEncodeError:  # half a character: no tag that a registry takes
            return None
        if match is None:
            return None
        return tag if self.extract is None else expand(self.extract, match)

    def refusal(self, tag: str) -> tuple[str, str] | None:
        """Why a tag does not compete, as a code with its detail; None: it does."""
        if _is_artefact(tag):
            return "artefact", ""
        for glob in self.ignore:
            if globs.matches(glob, tag):
                return "ignored", glob
        return ("unmatched", self.pattern or "") if self.text(tag) is None else None


def expand(template: str, match: Any) -> str:
    """A template filled in from a match, as Go's `Regexp.Expand` does it: a group that is not there is empty."""

    def value(reference: re.Match[str]) -> str:
        dollar, bare, braced = reference.groups()
        return "$" if dollar else _group(match, bare or braced)

    return _REFERENCE.sub(value, template)


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Any:
    """A regular expression of RE2. Raises BadPattern."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        return re2.compile(pattern, options)
    except UnicodeEncodeError:
        raise BadPattern("it holds half a character") from None
    except re2.error as error:
        said = error.args[0].decode("utf-8", "replace") if error.args and isinstance(error.args[0], bytes) else str(error)
        raise BadPattern(f"{_shown(pattern)} is not a regular expression of RE2: {said}{_hint(pattern)}") from None


def unknown_groups(pattern: str, template: str) -> list[str]:
    """The groups that a template names and the pattern does not have. Raises BadPattern."""
    expression = compiled(pattern)
    names = set(expression.groupindex)
    found = [bare or braced for dollar, bare, braced in _REFERENCE.findall(template) if not dollar]
    return [name for name in found if not (int(name) <= expression.groups if _is_number(name) else name in names)]


def _group(match: Any, name: str) -> str:
    key: int | str = int(name) if _is_number(name) else name
    try:
        return match.group(key) or ""
    except (IndexError, KeyError):
        return ""


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal() and (name == "0" or name[0] != "0") and len(name) < 9


def _is_artefact(tag: str) -> bool:
    return (tag.startswith("sha") or tag.endswith(".sig")) and _ARTEFACT.fullmatch(tag) is not None


def _hint(pattern: str) -> str:
    return "; RE2 has no look-around and no back-references" if _LOOK.search(pattern) else ""


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")
