"""Text from outside, made harmless: tags, file paths, group names, logins, and what a registry said.

    plain("fix @ann [skip ci]")      for titles and commit messages: nobody is called, nothing is linked, no CI stops
    code("`rm`")                     for Markdown: as it is, in a code span that it cannot leave
    prose("<b>*1*</b> #2")           for Markdown: as it is, between other words

Each of them gives one line without invisible characters, save those that are put in here: a mention, a reference or a skip
token is broken by a WORD JOINER, so that it reads the same and does nothing. Each is for text as it came, so once is enough.
"""

from __future__ import annotations

import re
import unicodedata

from rules.defusing import defuse

LIMIT = 300  # characters of one piece of text
_JOINER = "\u2060"
_INVISIBLE = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_BLANK = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")  # letters by name, nothing to the eye
# `@user`, `#12`, `!12`, `&epic`, `~label`, `%milestone`, `$snippet`, `^alert`: GitHub's references and GitLab's.
_REFERENCE = re.compile(r"([@#!&~%$^])(?=[\w\"])")
# Wherever they stand: forges link `_https://x` as well.
_WORDY = re.compile(r"(GH)(?=-\d)|(https?:|ftp:)(?=//)|(www)(?=\.)", re.IGNORECASE)
_MARKDOWN = re.compile(r"([\\`*_\[\]~|$])")
_LEADING = re.compile(r"\A(\d+(?=[.)](?:\s|\Z))|(?=[-+=#]))([-+=#.)])")  # what makes a list, a heading or a rule of a line
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_TICKS = re.compile(r"`+")


def clean(text: str, limit: int = LIMIT) -> str:
    """One line of visible characters. What cannot be seen, or turns the direction of writing, is spelled out as `U+202E`."""
    shown = "".join(map(_visible, " ".join(text.split())))
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def plain(text: str, limit: int = LIMIT) -> str:
    """For places where nothing is formatted but forges and CI systems read along: titles, commit messages, status lines."""
    return _harmless(clean(text, limit))


def code(text: str, limit: int = LIMIT) -> str:
    """A Markdown code span. Mentions and references mean nothing in one, skip tokens do."""
    inside = defuse(clean(text, limit)) or " "
    fence = "`" * (max((len(run) for run in _TICKS.findall(inside)), default=0) + 1)
    space = " " if inside[0] in "` " or inside[-1] in "` " else ""
    return f"{fence}{space}{inside}{space}{fence}"


def prose(text: str, limit: int = LIMIT) -> str:
    """Markdown in the middle of a line that shows the text as it is."""
    escaped = _LEADING.sub(r"\1\\\2", _MARKDOWN.sub(r"\\\1", _harmless(clean(text, limit))))
    return "".join(_HTML.get(char, char) for char in escaped)


def _harmless(text: str) -> str:
    text = _REFERENCE.sub(rf"\1{_JOINER}", text)
    text = _WORDY.sub(lambda match: match[0] + _JOINER, text)
    return defuse(text)


def _visible(char: str) -> str:
    return f"U+{ord(char):04X}" if unicodedata.category(char) in _INVISIBLE or char in _BLANK else char
