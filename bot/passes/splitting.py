"""A group that turned out red is taken apart, so that its good part can land and its bad part says which it is.

Checks tell of a group as a whole. So a few of its members, those of the largest step first, get requests of their own, whose
checks speak for one image each; the rest stays together in the request of the group, and is checked again. Were the red ones not
among them, the next few go. A member comes back into its group when its own request has ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bot.forges.base import Forge, ForgeError
from bot.passes.acting import Hands
from bot.passes.deciding import Decided
from bot.passes.landing import Verdict
from bot.reading.looking import Memory
from rules import messages
from rules.images import canonical
from rules.merging import Block
from rules.plan import Open, Refresh
from rules.proposals import Ground, Proposal, Source, split
from rules.rewriting import rewrite
from rules.updates import KIND_ORDER

AT_ONCE = 5
"""Members that are taken out of a red group at a time."""


async def split_red(hands: Hands, forge: Forge, memory: Memory, decided: Decided, verdicts: Iterable[Verdict]) -> None:
    """Take apart the groups whose checks failed, and say so on their requests."""
    for verdict in verdicts:
        if not is_red(verdict):
            continue
        request, proposal = verdict.candidate.request, verdict.candidate.proposal
        red = suspects(proposal)
        made, _ = split(proposal, red, await _ground(forge, memory, decided, proposal))
        if len(made) < 2:  # nothing can be set apart
            continue
        marker = decided.markers[request.base]
        good, *apart = (replace(one, message=messages.on_branch(one.message, marker.branch(one))) for one in made)
        good = replace(good, branch=request.branch)
        names = sorted({messages.name(one.updates[0].occurrence.image) for one in apart})
        reason = f"its checks failed, and {', '.join(names)} {'is' if len(names) == 1 else 'are'} set apart"
        # First the others: killed in between, the next pass leaves them out of the group.
        written = await hands.carry_out([*map(Open, apart), Refresh(request, good, True, reason)], decided.heads)
        if good.stream.key in written:
            try:
                await forge.comment(request, messages.split(names, len(_images(good))))
            except ForgeError as error:
                hands.report.add("trouble", f"!{request.number}", f"it could not be commented on: {error}")


def is_red(verdict: Verdict) -> bool:
    """Whether nothing but failed checks keeps a group from landing."""
    missing = [one for one in verdict.conditions if one.met is not True]
    failed = [one for one in missing if one.met is False]
    mine = verdict.candidate
    several = mine.proposal.stream.group is not None and len(_images(mine.proposal)) > 1
    only_checks = [one.name for one in failed] == ["checks"]
    return isinstance(verdict.decision, Block) and several and only_checks and not mine.request.edited_by_person


def suspects(proposal: Proposal) -> list[str]:
    """The images to take out of a red group: those of the largest step first, never all of them."""
    steps: dict[str, int] = {}
    for update in proposal.updates:
        step = KIND_ORDER.index(update.kind) if update.kind else len(KIND_ORDER)
        image = canonical(update.occurrence.image)
        steps[image] = max(step, steps.get(image, -1))
    ranked = sorted(steps, key=lambda image: (-steps[image], image))
    return ranked[: min(AT_ONCE, len(ranked) - 1)]


def _images(proposal: Proposal) -> set[str]:
    return {canonical(update.occurrence.image) for update in proposal.updates}


async def _ground(forge: Forge, memory: Memory, decided: Decided, proposal: Proposal) -> Ground:
    """What the parts are made from: the files of the whole, as they stand on the base."""
    contents = await memory.contents(forge, {file.old_oid for file in proposal.files})
    files = {file.path: Source(file.mode, file.old_oid, contents[file.old_oid]) for file in proposal.files}
    return Ground(proposal.stream.base, files, decided.seen.config, rewrite, forge.kind)
