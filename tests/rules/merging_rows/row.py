"""A row of a table of merge decisions, and short ways to write the facts in it."""

from __future__ import annotations

from typing import Any, NamedTuple

Json = dict[str, Any]


class Row(NamedTuple):
    """What differs from a request that lands, the answer, and a piece of its reason."""

    id: str
    expect: str
    says: str
    facts: Json | None = None
    rule: Json | None = None


def run(conclusion: str | None = "success", name: str = "ci/test", *, app: str | None = "github-actions", **more: Any) -> Json:
    """A check run on the head; without a conclusion it still runs."""
    status = "completed" if conclusion else "in_progress"
    return {"name": name, "kind": "check_run", "app": app, "status": status, "conclusion": conclusion, "at": AT["11"]} | more


def status(state: str, name: str = "ci/test", **more: Any) -> Json:
    """A commit status on the head."""
    return {"name": name, "kind": "status", "app": None, "status": state, "conclusion": None, "at": AT["11"]} | more


def review(user: str, state: str, permission: str | None = "write", at: str = "09") -> Json:
    return {"user": user, "state": state, "permission": permission, "at": AT[at]}


def checks(*found: Json, required: tuple[Any, ...] | None = None, state: str = "CLEAN") -> Json:
    facts: Json = {"checks": list(found), "merge_state": state}
    return facts if required is None else facts | {"protection": {"required_checks": list(required)}}


def gitlab(detailed: str | None = "mergeable", pipeline: str | None = "success", *, must: bool = True, **more: Any) -> Json:
    """A merge request on GitLab, with the pipeline of its head."""
    protection = {"required_checks": [], "pipelines_must_succeed": must} | more.pop("protection", {})
    return {
        "platform": "gitlab",
        "mergeable": None,
        "merge_state": None,
        "detailed_merge_status": detailed,
        "checks": [],
        "pipeline": pipeline and {"status": pipeline},
        "protection": protection,
    } | more


def git(**more: Any) -> Json:
    """A request on plain git."""
    protection = {"present": False, "required_checks": []} | more.pop("protection", {})
    return {"platform": "git", "mergeable": None, "merge_state": None, "checks": [], "protection": protection} | more


def window(days: str, start: str, end: str, tz: str = "UTC") -> Json:
    return {"schedule": {"days": days.split(), "from": start, "to": end, "tz": tz}}


def age(published: str | None = None, seen: str | None = None, source: str | None = "registry") -> Json:
    return {"update": {"published_at": published, "first_seen": seen, "published_source": source}}


AT = {hour: f"2026-03-10T{hour}:00:00Z" for hour in ("09", "10", "11", "13")}
NEW, OLD = "2026-03-09T12:00:00Z", "2026-02-01T00:00:00Z"  # a day old, and more than a month
BEHIND = {"branch": {"behind_by": 2}}
STRICT = {"protection": {"strict": True}, "branch": {"behind_by": 2}, "merge_state": "BEHIND"}
CONFLICT = {"mergeable": "CONFLICTING", "merge_state": "DIRTY", "branch": {"conflict": True}}
ONE_APPROVAL = {"protection": {"required_approvals": 1}}
TWO_APPROVALS = {"protection": {"required_approvals": 2}}
THREE_DAYS = {"min_release_age_days": 3}
