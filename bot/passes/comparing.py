"""Before a request lands, its change is made anew from the base and held against what its branch really changes.

Title, body, labels and the hidden line of a request can be written by anybody who may edit it, so nothing of it counts here: the
files that the branch changes, from which content to which, have to be those of the proposal that this pass made.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bot.forges.base import Change
from bot.forges.git.objects import blob_id
from rules.proposals import Proposal


@dataclass(frozen=True, slots=True)
class Outdated:
    """The base says something else in these files by now: the branch has to be written anew."""

    reason: str


@dataclass(frozen=True, slots=True)
class Foreign:
    """The branch changes something that is not ours: a person lands it or nobody."""

    reason: str


def compare(proposal: Proposal, changes: Iterable[Change], object_format: str) -> Outdated | Foreign | None:
    """What the branch has that the proposal has not, or the other way round; None: the two are the same."""
    there = {change.path: change for change in changes}
    wished = {file.path: file for file in proposal.files}
    if extra := sorted(there.keys() - wished.keys()):
        return Foreign(f"its branch changes {extra[0]}, which is not part of the update")
    if absent := sorted(wished.keys() - there.keys()):
        return Foreign(f"its branch does not change {absent[0]}, which is part of the update")
    outdated: Outdated | None = None
    for path, file in sorted(wished.items()):
        change = there[path]
        if change.old_oid != file.old_oid:
            outdated = outdated or Outdated(f"{path} has changed on the base since the branch was written")
        elif change.new_oid != blob_id(file.data, object_format) or file.mode != change.new_mode:
            return Foreign(f"its branch has something else in {path} than the update writes")
    return outdated
