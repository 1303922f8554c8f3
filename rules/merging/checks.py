"""What CI says. A check passes, fails or is pending; one that was never heard of is absent, and absent is not passed.

Required is what the base branch requires and what the rule adds (`extra_required_checks`). With `all_checks`, and where nothing
at all is required, every reported check counts. GitLab's pipeline of the head commit is a check like the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import TYPE_CHECKING

from rules.merging.facts import Facts, named, rewrite
from rules.merging.values import Block, Check, MergeDecision, RequiredCheck, Wait

if TYPE_CHECKING:
    from rules.automerge import Automerge


class Outcome(IntEnum):
    """Of several, the smallest counts."""

    FAILED = 1
    PENDING = 2
    PASSED = 3


_CONCLUSIONS = {
    "success": Outcome.PASSED,
    "skipped": Outcome.PASSED,  # a job that a condition left out
    "neutral": Outcome.PASSED,
    "failure": Outcome.FAILED,
    "error": Outcome.FAILED,
    "cancelled": Outcome.FAILED,
    "timed_out": Outcome.FAILED,
    "action_required": Outcome.FAILED,
    "startup_failure": Outcome.FAILED,
    "stale": Outcome.FAILED,  # GitHub gave it up after 14 days; nothing will finish it
}
_OWN_STATUS = "tagboat"  # the first part of the name of a status that we write without being an App
_PIPELINE = {"success": Outcome.PASSED, "failed": Outcome.FAILED, "canceled": Outcome.FAILED}
# GitHub lists Travis' two statuses under one name in its settings.
_TRAVIS = "continuous-integration/travis-ci"
# What GitHub, GitLab and the CI systems around them read in a commit's message as "do not run".
_CI = r"(?:ci|actions|travis(?:[ -]?ci)?|azurepipelines|azpipelines|azp|tkn)"
_SKIP_TOKEN = re.compile(
    rf"\[\s*(?:(?:skip|no)[ _-]*{_CI}|{_CI}[ _-]*skip)\s*\]|\*\*\*NO_CI\*\*\*|^skip-checks:\s*true\s*$",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Tally:
    """The checks that count, by name. `none` is true where there is nothing to go by at all."""

    failed: tuple[str, ...]
    pending: tuple[str, ...]
    absent: tuple[str, ...]
    none: bool

    @property
    def passed(self) -> bool:
        return not (self.failed or self.pending or self.absent or self.none)


def tally(facts: Facts, rule: Automerge) -> Tally:
    """Count the checks that matter under this rule."""
    reported = newest(check for check in facts.readiness.checks if not is_own(check, facts.login))
    required = (*facts.readiness.protection.required_checks, *(RequiredCheck(name) for name in rule.extra_required_checks))
    found: dict[str, Outcome | None] = {}
    for wanted in required:
        outcomes = [outcome(check, rule) for check in reported if _meets(check, wanted)]
        label = f"{wanted.name} (of {wanted.app})" if wanted.app else wanted.name
        found[label] = min(outcomes, default=None)
    if rule.all_checks or not required:
        for check in reported:
            result = outcome(check, rule)
            found[check.name] = min(result, found.get(check.name) or result)
    pipeline = facts.readiness.pipeline
    if pipeline is not None or facts.readiness.protection.pipelines_must_succeed:
        found[f"the pipeline ({pipeline})" if pipeline else "the pipeline"] = _pipeline(facts)
    return Tally(
        failed=tuple(name for name, result in found.items() if result is Outcome.FAILED),
        pending=tuple(name for name, result in found.items() if result is Outcome.PENDING),
        absent=tuple(name for name, result in found.items() if result is None),
        none=not found,
    )


def none_failed(facts: Facts, rule: Automerge) -> MergeDecision | None:
    """A failed check calls for a person; where the rule says so, a branch that is behind is brought up to date first."""
    counted = tally(facts, rule)
    if counted.none and rule.no_checks == "block":
        return Block("no check at all has reported, and the rule blocks then (no_checks)")
    if not counted.failed:
        return None
    reason = f"failed: {named(counted.failed)}"
    behind = (facts.readiness.behind_by or 0) > 0 or facts.readiness.merge_state == "BEHIND"
    if rule.update_even_if_failing and behind and rule.update_branch != "never" and not facts.readiness.protection.merge_queue:
        return rewrite(facts, f"{reason}, and the branch is behind its base")
    return Block(reason)


def all_reported(facts: Facts, rule: Automerge) -> MergeDecision | None:
    counted = tally(facts, rule)
    skipped = _SKIP_TOKEN.search(facts.readiness.head_message)
    nothing = counted.none and rule.no_checks != "merge"
    if (counted.absent or nothing) and skipped:
        missing = named(counted.absent) or "any check"
        return Block(
            f"the head commit says {skipped[0].strip()!r}, so {missing} may never report: a new commit without it is needed"
        )
    if counted.pending:
        return Wait(f"not finished: {named(counted.pending)}")
    if counted.absent:
        return Wait(f"not reported yet: {named(counted.absent)}")
    return Wait("no check at all has reported, and none is not green (no_checks)") if nothing else None


def is_own(check: Check, login: str) -> bool:
    """Whether a check is ours: it never counts, neither for nor against."""
    slug = login.removesuffix("[bot]")
    if check.app is not None:
        return check.app in (slug, login)
    return check.kind == "status" and check.name.partition("/")[0] in (slug, _OWN_STATUS)


def outcome(check: Check, rule: Automerge) -> Outcome:
    """What one check says. A word that is not known is pending: it never passes."""
    status, conclusion = check.status.lower(), (check.conclusion or "").lower()
    if check.kind == "status" and status in _CONCLUSIONS:
        status, conclusion = "completed", conclusion or status
        if _CONCLUSIONS[check.status.lower()] is Outcome.FAILED:
            return Outcome.FAILED
    if status != "completed":
        return Outcome.PENDING
    if conclusion == "neutral" and not rule.neutral_is_success:
        return Outcome.FAILED
    return _CONCLUSIONS.get(conclusion, Outcome.PENDING)


def newest(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Of the runs of one check (same name, kind and app) the newest by time; those without an order are all kept.

    A list's order says nothing: GitHub sorts reruns differently from one query to the next.
    """
    kept: dict[tuple[str, str, str | None], list[Check]] = {}
    for check in checks:
        kept.setdefault((check.name, check.kind, check.app), []).append(check)
    return tuple(check for runs in kept.values() for check in _last(runs))


def _last(runs: list[Check]) -> Iterator[Check]:
    timed = [run.at for run in runs if run.at is not None]
    latest = max(timed, default=datetime.max.replace(tzinfo=UTC))
    return (run for run in runs if run.at is None or run.at == latest)


def _meets(check: Check, wanted: RequiredCheck) -> bool:
    if wanted.app is not None and check.app != wanted.app:
        return False
    names = {wanted.name}
    if wanted.name == _TRAVIS:
        names |= {f"{_TRAVIS}/pr", f"{_TRAVIS}/push"}
    return check.name in names


def _pipeline(facts: Facts) -> Outcome | None:
    """The outcome of the head's pipeline; None: there is none."""
    status = facts.readiness.pipeline
    if status is None:
        return None
    if status == "skipped":
        return Outcome.PASSED if facts.readiness.protection.skipped_pipeline_is_success else Outcome.FAILED
    return _PIPELINE.get(status, Outcome.PENDING)
