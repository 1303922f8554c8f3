"""Whether a request may land now: facts and a rule become Merge, Update, Wait, Block or Skip, each with its reason.

    decide(facts, rule)        Wait("not finished: ci/test")
    conditions(facts, rule)    every condition, met or not, for people

`Facts` is what a forge told (`Readiness`), the request, its updates and the moment; `rules.automerge.Automerge` is the rule.
One table (`deciding.STEPS`) holds all conditions in their order; the modules beside it judge them by topic.
"""

from __future__ import annotations

from rules.automerge import Method
from rules.merging.deciding import conditions, decide
from rules.merging.facts import Attempts, Facts, Platform, RequestFacts, UpdateFacts, facts_of
from rules.merging.values import (
    UNREAD,
    Block,
    Check,
    Condition,
    Merge,
    MergeDecision,
    Protection,
    Readiness,
    RequiredCheck,
    Review,
    Skip,
    UpdateBranch,
    Wait,
)

__all__ = [
    "UNREAD",
    "Attempts",
    "Block",
    "Check",
    "Condition",
    "Facts",
    "Merge",
    "MergeDecision",
    "Method",
    "Platform",
    "Protection",
    "Readiness",
    "RequestFacts",
    "RequiredCheck",
    "Review",
    "Skip",
    "UpdateBranch",
    "UpdateFacts",
    "Wait",
    "conditions",
    "decide",
    "facts_of",
]
