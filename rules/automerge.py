"""The automerge rule: under which conditions a request lands without a person.

    automerge: {method: squash, min_pr_age: 1h, schedule: "Mon-Fri 08:00-17:00 Europe/Zurich"}

`automerge: true` is the rule with every key at its default. `tagboat decide` takes the same keys.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

from rules.policies.base import UpdateKind
from rules.schedules import Schedule

Method = Literal["merge", "squash", "rebase", "fast-forward"]
UPDATE_TYPES: tuple[UpdateKind, ...] = ("patch", "minor", "digest", "build", "pin")
# Plain git has no protection, no checks and no reviews: there these keys have other defaults.
GIT_DEFAULTS: Mapping[str, Any] = {"require_protection": False, "no_checks": "merge"}

_PREFERRED: tuple[Method, ...] = ("squash", "merge", "rebase", "fast-forward")


@dataclass(frozen=True, slots=True)
class Automerge:
    """The rule by which a request lands; the comments say what a value does.

    `min_release_age` counts from the tag's push or first sight, `min_pr_age` from the opening of the request.
    `schedule` None: at any time. `blocking_title` is a regular expression in RE2's grammar, looked for anywhere in the title;
    None: no title blocks.
    """

    automerge: bool = True  # False: never lands by rule
    update_types: tuple[UpdateKind, ...] = UPDATE_TYPES  # a major has to be named
    require_label: str | None = None  # only requests with this label
    disable_label: str | None = "tagboat:disabled"  # never requests with this label
    blocking_labels: tuple[str, ...] = ()
    blocking_title: str | None = "^(WIP|Draft)"
    only_own_prs: bool = True
    method: Method = "squash"
    require_protection: bool = True  # only onto a protected base
    extra_required_checks: tuple[str, ...] = ()  # beyond those that the base requires
    all_checks: bool = False  # every check has to pass, required or not
    neutral_is_success: bool = True
    no_checks: Literal["wait", "merge", "block"] = "wait"  # when there is no check at all
    min_approvals: int = 0  # beyond what the base requires
    block_on_review_requests: bool = False
    update_branch: Literal["if_required", "always", "never"] = "if_required"
    update_before_checks: bool = True
    update_even_if_failing: bool = False
    on_conflict: Literal["regenerate", "block"] = "regenerate"
    on_human_edit: Literal["block", "skip", "merge"] = "block"  # merge: as it is, its branch is never written over
    min_release_age: timedelta = timedelta(0)
    unknown_age: Literal["wait", "block", "merge"] = "wait"
    min_pr_age: timedelta = timedelta(0)
    schedule: Schedule | None = None
    require_signature: bool = False
    platforms: tuple[str, ...] = ()  # that the new image has to serve
    on_digest_drift: Literal["refresh", "block"] = "refresh"  # the tag points elsewhere than when the request was written
    max_attempts: int = 5  # landings that the forge may refuse
    native: bool = False  # the forge's own auto-merge may land it, where nothing but the forge's own demands is missing

    def covers(self, kind: UpdateKind | None) -> bool:
        """Whether an update of this kind may land by the rule; one of unknown kind never."""
        return self.automerge and kind is not None and kind in self.update_types


def preferred(allowed: Collection[Method]) -> Method:
    """The method where none is named: `squash` where that is allowed, or where nothing is."""
    return next((one for one in _PREFERRED if one in allowed), _PREFERRED[0])


def timeless(rule: Automerge) -> Automerge:
    """The rule without its conditions of time and kind: for what goes back (`rollback: auto`), and for a person's word."""
    return replace(
        rule,
        automerge=True,
        update_types=(*UPDATE_TYPES, "major"),
        require_label=None,
        min_release_age=timedelta(0),
        min_pr_age=timedelta(0),
        schedule=None,
    )


def by_word(rule: Automerge | None, allowed: Sequence[Method] = (), *, require_protection: bool = False) -> Automerge:
    """The rule under which a request lands by a person's word (`merge`). Where a person lands it anyway, it lands in a way that
    the repository allows, and neither protection (unless the operator requires it) nor checks have to be there; those that are
    there count."""
    if rule is not None:
        return timeless(rule)
    return timeless(Automerge(method=preferred(allowed), require_protection=require_protection, no_checks="merge"))
