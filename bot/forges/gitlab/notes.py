"""What Tagboat says beside a merge request: one note, edited in place, of two parts.

    the comment     what happened and why (`Forge.comment`, and the reason for closing)
    the standing    how the request stands, condition by condition (`Forge.show`)

Each part stands between hidden lines of its own, so that writing one leaves the other as it is. No commit status is posted: one
of ours could satisfy "Pipelines must succeed", or create a pipeline that never ends.

Whatever we write into a description or a note is read by GitLab for quick actions: a line that begins with a slash is broken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from bot.forges.base import Standing
from rules.messages import prose

_JOINER = "\u2060"
_SLASH = re.compile(r"^(?=[^\S\n]*/)", re.MULTILINE)
_COMMENT = "<!-- tagboat: comment -->"
_STANDING = "<!-- tagboat: standing -->"
_END = "<!-- tagboat: end -->"
_SIGNS = {True: "✅", False: "❌", None: "⏳"}


@dataclass(frozen=True, slots=True)
class Note:
    """Our note. An empty part is left out."""

    comment: str = ""
    standing: str = ""

    def __str__(self) -> str:
        parts = [(_COMMENT, self.comment), (_STANDING, self.standing)]
        return "\n\n".join([*(f"{mark}\n\n{part.strip()}" for mark, part in parts if part.strip()), _END])

    @classmethod
    def read(cls, text: str) -> Note | None:
        """A note of ours as it stands; None: it is none."""
        if _END not in text:
            return None
        before, _, standing = text.replace("\r", "").partition(_STANDING)
        _, _, comment = before.partition(_COMMENT)
        return cls(*(part.partition(_END)[0].strip() for part in (comment, standing)))

    def saying(self, comment: str) -> Note:
        return replace(self, comment=harmless(comment).strip())

    def showing(self, standing: Standing) -> Note:
        return replace(self, standing=harmless(told(standing)).strip())


def told(standing: Standing) -> str:
    """How a request stands, for people."""
    lines = [f"**{prose(standing.decision)}**: {prose(standing.reason)}"]
    if standing.conditions:
        lines += ["", *(f"- {_SIGNS[one.met]} {prose(one.text)}" for one in standing.conditions)]
    return "\n".join(lines)


def harmless(text: str) -> str:
    """The text without a quick action: a line that begins with a slash gets an invisible character before it."""
    return _SLASH.sub(_JOINER, text.replace("\r\n", "\n").replace("\r", "\n"))
