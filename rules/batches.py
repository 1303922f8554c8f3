"""`batch: true`: what goes straight to a branch, and changes other files, goes there in one commit.

- match: {paths: ["envs/dev/**"]}
  delivery: push
  batch: true          # one commit, and so one rollout, for all images that are due
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace

from rules import messages
from rules.proposals import Proposal, fingerprint
from rules.requests import Push
from rules.streams import Stream


def batched(pushes: Iterable[Push], alike: Callable[[Proposal], Hashable | None], template: str) -> list[Push]:
    """The pushes, those that may go together put together, at the place of the first of them.

    `alike` gives the same value for those that may share a commit (their base, their marker), None for one that has to go alone.
    Two that change the same file never go together: the second is made from the first's result, in the next round.
    """
    found: list[list[Proposal]] = []
    for proposal in (one.proposal for one in pushes):
        kind = alike(proposal) if proposal.batch else None
        files = {file.path for file in proposal.files}
        home = next((batch for batch in found if kind is not None and _takes(batch, kind, files, alike)), None)
        if home is None:
            found.append([proposal])
        else:
            home.append(proposal)
    return [Push(_together(batch, template)) for batch in found]


def _takes(batch: list[Proposal], kind: Hashable, files: set[str], alike: Callable[[Proposal], Hashable | None]) -> bool:
    there = {file.path for one in batch for file in one.files}
    return batch[0].batch and alike(batch[0]) == kind and not files & there


def _together(batch: list[Proposal], template: str) -> Proposal:
    if len(batch) == 1:
        return batch[0]
    first, updates = batch[0], tuple(update for one in batch for update in one.updates)
    title = messages.title(updates, template, base=first.stream.base)
    subject = "+".join(sorted({one.stream.subject for one in batch}))
    return replace(
        first,
        stream=Stream(first.stream.base, subject, first.stream.landing),
        title=title,
        message=messages.commit(updates, title),
        files=tuple(sorted((file for one in batch for file in one.files), key=lambda file: file.path)),
        updates=updates,
        fingerprint=fingerprint(updates),
    )
