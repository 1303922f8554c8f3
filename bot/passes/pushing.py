"""`delivery: push`: commits straight onto the base branch, without a request, one for each stream or together (`batch: true`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.forges.base import ForgeError, Moved
from bot.passes.acting import Hands, rows
from bot.passes.marking import Marker
from bot.passes.tools import Mode
from bot.report import Kind
from rules.batches import batched
from rules.loops import Marking, Refusal
from rules.messages import landing
from rules.proposals import Proposal
from rules.requests import Push

_HELD_BACK: Mapping[Mode, tuple[Kind, str]] = {
    "observe": ("would", "push"),
    "propose": ("left", "nothing is pushed with `mode: propose`"),
}


async def push(
    hands: Hands, pushes: Sequence[Push], heads: Mapping[str, str], markers: Mapping[str, Marker], mode: Mode, template: str
) -> bool:
    """Commit what is due; whether anything was, so that the repository has to be looked at again.

    A commit goes on top of the one before where the two change different files; the others are made anew from the new head.
    """
    tips, touched, moved = dict(heads), set[tuple[str, str]](), False

    def alike(proposal: Proposal) -> tuple[str, Marking] | None:
        marking = markers[proposal.stream.base].landing(proposal, "push")
        return None if isinstance(marking, Refusal) else (proposal.stream.base, replace(marking, reason=""))

    due = (one for one in pushes if one.proposal.stream.key not in hands.failed)
    for proposal in (one.proposal for one in batched(due, alike, template)):
        base = proposal.stream.base
        mine = {(base, file.path) for file in proposal.files}
        if mine & touched:
            continue
        marking = markers[base].landing(proposal, "push")
        if isinstance(marking, Refusal):
            hands.report.add("blocked", proposal.stream.subject, f"{marking.reason}; {marking.fix}", title=proposal.title)
            continue
        message = landing(proposal.message, marking)
        if mode != "merge":
            if mode == "observe":
                hands.report.add("would", proposal.stream.subject, "push", title=message.headline)
            else:
                hands.report.add(
                    "left", proposal.stream.subject, f"nothing is pushed with `mode: {mode}`", title=message.headline
                )
            continue
        hands.fault("before push")
        try:
            commit = await hands.forge.push(proposal, tips[base], message)
        except ForgeError as error:
            hands.failed.add(proposal.stream.key)
            kind: Kind = "left" if isinstance(error, Moved) else "trouble"
            hands.report.add(kind, proposal.stream.subject, str(error), title=message.headline)
            continue
        hands.fault("after push")
        tips[base], moved = commit, True
        touched |= mine
        hands.report.add("pushed", commit[:12], marking.reason, title=message.headline)
        # The targets serve to notice when a person takes the commit back.
        detail = {"title": message.headline, "commit": commit, "base": base, "targets": rows(proposal)}
        await hands.remember("pushed", proposal.stream.subject, detail)
    return moved
