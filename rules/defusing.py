"""Take the power of skip tokens from quoted text.

defuse("notes: [skip ci]")       "notes: [\\u2060skip ci]": reads the same, no CI sees it
"""

from __future__ import annotations

import re

# Every dialect at once, wider than any CI reads it: text from outside never needs such a thing. The character that is put in
# is WORD JOINER, invisible and without a break. CI systems: see `rules.ci.SYSTEMS`.
_WORDS = (
    r"(?:ci|no|skip|actions|travis|travis[ -]?ci|tkn|azurepipelines|azpipelines|azp|vela|appveyor|drone|buildkite|circleci"
    r"|woodpecker)"
)
_TOKEN = re.compile(
    rf"\[(?=[ \t]*(?:(?:skip|no)[ _-]*{_WORDS}|{_WORDS}[ _-]*skip)[ \t]*\])"
    r"|\*\*(?=\*NO_CI\*\*\*)"
    r"|skip(?=-checks[ \t]*:)"
    r"|skip(?=-ci\b)|ci(?=-skip\b)|--skip(?=-ci|ci)|skip(?=[_ -]?ci\b)|ci(?=[_ -]?skip\b)|no(?=[_-]ci\b)",
    re.IGNORECASE,
)
_BREAK = "\u2060"


def may_contain_marker(text: str) -> bool:
    """Whether the text has something that some CI could read as "do not run"."""
    return _TOKEN.search(text) is not None


def defuse(text: str) -> str:
    """The text with every skip token broken by an invisible character. Done twice is done once."""
    # A break can make an end of what was the middle of a word: `ciskipci`.
    while (broken := _TOKEN.sub(lambda match: match[0] + _BREAK, text)) != text:
        text = broken
    return text
