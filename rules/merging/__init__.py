"""Whether a request may land now: facts and a rule become Merge, Update, Wait, Block or Skip, each with its reason."""

from __future__ import annotations

from rules.merging.values import (
    Block,
    Check,
    Merge,
    MergeDecision,
    Method,
    Protection,
    Readiness,
    RequiredCheck,
    Review,
    Skip,
    UpdateBranch,
    Wait,
)

__all__ = [
    "Block",
    "Check",
    "Merge",
    "MergeDecision",
    "Method",
    "Protection",
    "Readiness",
    "RequiredCheck",
    "Review",
    "Skip",
    "UpdateBranch",
    "Wait",
]
