"""What people did to our branches, read from where the branches stand.

the branch is gone, its change is not in the base     closed
the branch, or its change, is in the base             merged
the branch of a closed request is there again         reopened
the branch has no commit of its own any more          closed, as if it were gone
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from bot.forges.git import history
from bot.forges.git.address import branch_ref
from bot.forges.git.clone import Clone
from bot.forges.git.history import Relation
from bot.forges.git.objects import Person, read_commit
from bot.forges.git.records import RequestRecord
from rules.merging import Method, Protection, Readiness
from rules.plan import PullRequest

METHODS: tuple[Method, ...] = ("merge", "squash", "fast-forward")

Heads = Mapping[str, str]


class People:
    """Compares records with the refs of a listing (`refs`: full names to commits). Comparisons of two commits are remembered
    while each look asks for them."""

    def __init__(self, clone: Clone, us: Person, now: Callable[[], datetime]) -> None:
        self._clone = clone
        self._us = us
        self._now = now
        self._relations: dict[tuple[str, str], Relation] = {}
        self._before: dict[tuple[str, str], Relation] = {}

    def look(self) -> None:
        """A look begins: what neither it nor the one before asked for is forgotten."""
        self._before, self._relations = self._relations, {}

    async def relation(self, record: RequestRecord, head: str, base: str, refs: Heads) -> Relation:
        """How a commit stands to a commit of the base."""
        if (head, base) not in self._relations:
            before = self._before.get((head, base))
            self._relations[head, base] = before or await self._compare(record, head, base, refs)
        return self._relations[head, base]

    async def _compare(self, record: RequestRecord, head: str, base: str, refs: Heads) -> Relation:
        if head != base:
            mine = read_commit((await self._clone.small([head]))[head])
            if mine.parents == (base,):
                # As we leave a branch. A clone that is cut off right here could not tell; the commit itself does.
                return Relation(base, behind=0, conflict=False, adds=True, merged_tree=mine.tree)
        tips = {ref: refs[ref] for ref in (branch_ref(record.branch), branch_ref(record.base)) if ref in refs}
        return await history.relation(self._clone, head, base, tips)

    async def outcome(self, record: RequestRecord, refs: Heads) -> tuple[RequestRecord, Relation | None]:
        """The record after what people did, and how its branch stands to the base where it is open (None: cannot be told)."""
        head, base = refs.get(branch_ref(record.branch)), refs.get(branch_ref(record.base))
        if record.state == "closed":
            if head in (None, record.left) or base is None or (await self.relation(record, head, base, refs)).contained:
                return record, None
            record = replace(record, state="open", closed_by_us=False, reason=None, ended_at=None)
        if base is None:
            return record, None
        if head is None:
            return self._ended(record, await self._landed_unseen(record, base, refs), "the branch was deleted"), None
        relation = await self.relation(record, head, base, refs)
        if relation.contained:
            whole = head == record.head or await history.stands(self._clone, record.files, base)
            landed = await history.landing_commit(self._clone, record.files, head, base) if whole else None
            return self._ended(record, landed, "the branch was emptied"), relation
        if relation.adds is False:
            landed = await history.landing_commit(self._clone, record.files, None, base)
            return self._ended(record, landed, ""), relation
        return record, relation

    async def _landed_unseen(self, record: RequestRecord, base: str, refs: Heads) -> str | None:
        """The commit by which a branch that is gone landed; None where it did not."""
        if base == record.onto:
            return None
        there = await history.require(self._clone, record.head)
        relation = await self.relation(record, record.head, base, refs) if there else Relation(None)
        if relation.contained:
            return await history.landing_commit(self._clone, record.files, record.head, base)
        if relation.adds is False or await history.stands(self._clone, record.files, base):
            return await history.landing_commit(self._clone, record.files, None, base)
        return None

    def _ended(self, record: RequestRecord, landed: str | None, reason: str) -> RequestRecord:
        if landed is not None:
            return replace(record, state="merged", landed=landed, ended_at=self._now())
        return replace(record, state="closed", reason=reason, ended_at=self._now())

    async def request(self, record: RequestRecord, refs: Heads, relation: Relation | None) -> PullRequest:
        """The request of a record; an open one has its readiness, where `relation` is known."""
        head = refs.get(branch_ref(record.branch))
        if record.state != "open" or head is None:
            return record.request()
        if relation is None:
            return record.request(head)
        facts = read_commit((await self._clone.small([head]))[head])
        protection = Protection(allowed_methods=METHODS)
        # Whoever pushed to its branch: the request itself is one of ours, since its record is.
        return record.request(head, Readiness(facts.message, self._us.name, relation.behind, relation.conflict, protection))
