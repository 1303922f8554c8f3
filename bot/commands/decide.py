"""`tagboat decide [--json] < facts`: tries a merge rule, as `choose` tries a policy.

One JSON object a line, `{"facts": …, "rule": …}`; what is left out stands as for a request that lands (see docs/merging.md).
"""

from __future__ import annotations

import sys
from typing import Any, assert_never

from bot.terminal import DONE, USAGE, complain, say, say_json
from rules import decide_table
from rules.merging import Block, Merge, MergeDecision, Skip, UpdateBranch, Wait, conditions
from rules.merging import decide as decide_merge


def decide(*, json: bool = False) -> int:
    """Try merge rules on facts from standard input: merge, wait, update, block or skip, and why.

    A line that cannot be read is named on standard error (exit 2); the others are answered all the same.

    Parameters
    ----------
    json
        One JSON object a line, with every condition and whether it is met.
    """
    status = DONE
    for number, line in enumerate(sys.stdin.buffer, start=1):
        if not line.strip():
            continue
        try:
            case = decide_table.read(line)
        except decide_table.BadCase as error:
            complain(f"line {number}: {error}")
            status = USAGE
            continue
        decision = decide_merge(case.facts, case.rule)
        if json:
            say_json(_row(case, decision))
        else:
            say(f"{word(decision)}: {decision.reason}" + (f" ({case.id})" if case.id is not None else ""))
        sys.stdout.flush()
    return status


def word(decision: MergeDecision) -> str:
    """The one word for a decision."""
    match decision:
        case Merge():
            return "merge"
        case UpdateBranch():
            return "update"
        case Wait():
            return "wait"
        case Block():
            return "block"
        case Skip():
            return "skip"
        case _:
            assert_never(decision)


def _row(case: decide_table.Case, decision: MergeDecision) -> dict[str, Any]:
    """The answer as JSON. `wake` is when the clock alone changes it; a condition's `met` is null where time will tell."""
    row: dict[str, Any] = {} if case.id is None else {"id": case.id}
    row |= {"decision": word(decision), "reason": decision.reason}
    if isinstance(decision, Wait) and decision.wake is not None:
        row["wake"] = decision.wake.isoformat()
    listed = conditions(case.facts, case.rule)
    return row | {"conditions": [{"name": one.name, "met": one.met, "text": one.text} for one in listed]}
