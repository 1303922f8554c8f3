"""Every word that a person reads in a request, a commit or a comment.

    title, body              of the request
    commit, landing          the message of the branch commit, and of the commit that lands
    closing, left_to_you     what is said beside a request
    why, why_not             one sentence for each place and each candidate, the same everywhere

Text from outside goes through `escaping` on its way: it cannot format, link, call anybody, or keep a CI from running.
"""

from __future__ import annotations

from rules.messages.body import body
from rules.messages.commits import Message, commit, landing, on_branch, signed
from rules.messages.escaping import clean, code, plain, prose
from rules.messages.headlines import name, short, title
from rules.messages.notes import closing, held, left_to_you, split
from rules.messages.reasons import counts, nearest, why, why_not

__all__ = [
    "Message",
    "body",
    "clean",
    "closing",
    "code",
    "commit",
    "counts",
    "held",
    "landing",
    "left_to_you",
    "name",
    "nearest",
    "on_branch",
    "plain",
    "prose",
    "short",
    "signed",
    "split",
    "title",
    "why",
    "why_not",
]
