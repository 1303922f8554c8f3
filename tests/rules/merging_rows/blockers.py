"""What must keep a request from landing, said once more and apart from the code: predicates over facts and rule as JSON.

Written from the agreed table and from what GitHub and GitLab document of their own values.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

Json = dict[str, Any]
Predicate = Callable[[Json, Json], object]

ORDER = ["pin", "digest", "build", "patch", "minor", "major"]
OPEN_SCHEDULES: list[Any] = [None, "Tue 11:00-13:00", {"days": ["mon"], "from": "13:00", "to": "12:30", "tz": "UTC"}]
SHUT_SCHEDULES: list[Any] = ["Mon", "Tue 13:00-14:00", {"days": ["tue"], "from": "12:30", "to": "11:00", "tz": "UTC"}]
GREEN = {"success", "skipped"}


def moment(text: str | None) -> datetime | None:
    return text and datetime.fromisoformat(text)


def kind(f: Json) -> str | None:
    kinds = [f["update"]["type"], *f["update"]["members"]]
    return None if any(k not in ORDER for k in kinds) else max(kinds, key=ORDER.index)


def latest(f: Json) -> list[Json]:
    """The checks that are not ours and not outdated by a later run of the same check."""
    found = [c for c in f["checks"] if c["app"] != "tagboat"]
    return [c for c in found if not any(same(c, o) and o["at"] > c["at"] for o in found)]


def same(one: Json, other: Json) -> bool:
    return all(one[key] == other[key] for key in ("name", "kind", "app"))


def green(check: Json, r: Json) -> bool:
    if check["status"] != "completed":
        return False
    return check["conclusion"] in GREEN or (check["conclusion"] == "neutral" and r["neutral_is_success"])


def fits(check: Json, wanted: Json) -> bool:
    return check["name"] == wanted["name"] and wanted.get("app") in (None, check["app"])


def required(f: Json, r: Json) -> list[Json]:
    return [*f["protection"]["required_checks"], *({"name": name} for name in r["extra_required_checks"])]


def opinions(f: Json) -> dict[str, str]:
    """The newest opinion of everybody who may write."""
    found = [v for v in f["reviews"] if v["permission"] in ("write", "admin") and v["state"] != "COMMENTED"]
    return {v["user"]: v["state"] for v in sorted(found, key=lambda v: v["at"])}


def approvals(f: Json) -> int:
    return sum(state == "APPROVED" for user, state in opinions(f).items() if user != f["pr"]["author"])


def too_young(f: Json, r: Json) -> bool:
    wanted = timedelta(days=r["min_release_age_days"])
    update = f["update"]
    trusted = update["published_source"] == "registry" and update["published_at"]
    since = moment(trusted or update["first_seen"])
    if not wanted:
        return False
    now = moment(f["now"])
    return r["unknown_age"] != "merge" if since is None else now - since < wanted


def request_too_young(f: Json, r: Json) -> bool:
    wanted, opened = timedelta(hours=r["min_pr_age_hours"]), moment(f["pr"]["created_at"])
    return bool(wanted) and (opened is None or moment(f["now"]) - opened < wanted)


def outdated(f: Json) -> bool:
    head = f["pr"]["head_sha"]
    return f["pipeline"] is not None and f["pipeline"].get("sha", head) != head


def stays_behind(f: Json, r: Json) -> bool:
    wanted = f["protection"]["strict"] or r["update_branch"] == "always" or r["method"] == "fast-forward"
    return wanted and not f["protection"]["merge_queue"] and f["branch"]["behind_by"] != 0


def github(f: Json) -> bool:
    return f["platform"] == "github"


def state_allows(f: Json) -> bool:
    return f["merge_state"] in ("CLEAN", "HAS_HOOKS", "UNSTABLE") or (
        f["merge_state"] == "BEHIND" and f["protection"]["merge_queue"]
    )


BLOCKING: dict[str, Predicate] = {
    "not open": lambda f, r: f["pr"]["state"] != "open",
    "rule off": lambda f, r: not r["automerge"],
    "disabled": lambda f, r: r["disable_label"] in f["pr"]["labels"],
    "label missing": lambda f, r: r["require_label"] and r["require_label"] not in f["pr"]["labels"],
    "blocking label": lambda f, r: set(r["blocking_labels"]) & set(f["pr"]["labels"]),
    "title": lambda f, r: r["blocking_title"] and re.search(r["blocking_title"], f["pr"]["title"]),
    "draft": lambda f, r: f["pr"]["draft"] is not False,
    "fork": lambda f, r: f["pr"]["from_fork"] is not False,
    "somebody else's": lambda f, r: r["only_own_prs"] and f["pr"]["author"] != "tagboat[bot]",
    "kind": lambda f, r: kind(f) not in r["update_types"],
    "protection unknown": lambda f, r: None in f["protection"].values(),
    "unprotected": lambda f, r: r["require_protection"] and not f["protection"]["present"],
    "method": lambda f, r: r["method"] not in f["protection"]["allowed_methods"],
    "unsigned rebase": lambda f, r: f["protection"]["signed_commits"] and r["method"] == "rebase",
    "may not push": lambda f, r: not f["protection"]["bot_may_push"],
    "tries used up": lambda f, r: f["attempts"]["failed"] >= r["max_attempts"],
    "just refused": lambda f, r: f["attempts"]["last_http"] is not None,
    "not mergeable for GitHub": lambda f, r: github(f) and f["mergeable"] != "MERGEABLE",
    "GitHub's merge state": lambda f, r: github(f) and not state_allows(f),
    "not mergeable for GitLab": lambda f, r: f["platform"] == "gitlab" and f["detailed_merge_status"] != "mergeable",
    "held": lambda f, r: f["update"]["held"] is not False,
    "target gone": lambda f, r: f["update"]["target_exists"] is not True,
    "tag moved": lambda f, r: f["update"]["digest_changed_since_open"] is not False,
    "human commit": lambda f, r: f["branch"]["edited_by_human"] and r["on_human_edit"] != "merge",
    "human commit unknown": lambda f, r: f["branch"]["edited_by_human"] is None,
    "conflict": lambda f, r: f["branch"]["conflict"],
    "conflict unknown": lambda f, r: f["platform"] == "git" and f["branch"]["conflict"] is None,
    "bad signature": lambda f, r: f["update"]["signature"] == "invalid",
    "signature wanted": lambda f, r: r["require_signature"] and f["update"]["signature"] != "valid",
    "review decision": lambda f, r: f["review_decision"] not in (None, "APPROVED"),
    "changes wanted": lambda f, r: "CHANGES_REQUESTED" in opinions(f).values(),
    "approvals of the rule": lambda f, r: approvals(f) < r["min_approvals"],
    "approvals of the base": lambda f, r: (
        f["review_decision"] != "APPROVED" and approvals(f) < (f["protection"]["required_approvals"] or 0)
    ),
    "code owner": lambda f, r: github(f) and f["protection"]["code_owner_review"] and f["review_decision"] != "APPROVED",
    "review asked for": lambda f, r: r["block_on_review_requests"] and f["review_requests"],
    "conversations": lambda f, r: f["protection"]["conversation_resolution"] and f["unresolved_threads"] != 0,
    "required check absent": lambda f, r: any(not any(fits(c, w) for c in latest(f)) for w in required(f, r)),
    "required check not green": lambda f, r: any(fits(c, w) and not green(c, r) for w in required(f, r) for c in latest(f)),
    "some check not green": lambda f, r: (r["all_checks"] or not required(f, r)) and not all(green(c, r) for c in latest(f)),
    "no check": lambda f, r: r["no_checks"] != "merge" and not latest(f) and f["pipeline"] is None,
    "pipeline wanted": lambda f, r: f["protection"]["pipelines_must_succeed"] and f["pipeline"] is None,
    "pipeline not green": lambda f, r: (
        f["pipeline"]
        and f["pipeline"]["status"] != "success"
        and not (f["pipeline"]["status"] == "skipped" and f["protection"]["skipped_pipeline_is_success"])
    ),
    "pipeline of another commit": lambda f, r: f["protection"]["pipelines_must_succeed"] and outdated(f),
    "behind": stays_behind,
    "freeze": lambda f, r: f["freeze"] is not False,
    "in the queue": lambda f, r: f["queue"]["in_merge_queue"] is not False,
    "too young": too_young,
    "request too young": request_too_young,
    "platforms": lambda f, r: set(r["platforms"]) - set(f["update"]["platforms"] or []),
    "schedule": lambda f, r: r["schedule"] in SHUT_SCHEDULES,
}
