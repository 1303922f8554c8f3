"""Configurations by chance: `files()` are right by the grammar, as Python data; `yaml` writes such data as a person could."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from rules.titles import FIELDS

WORDS = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789._-", min_size=1, max_size=12)
GLOBS = st.sampled_from(["**", "envs/dev/**", "*", "a/*.yaml", "{a,b}/c", "x?y", "[a-z]*", "harbor.example.com/team/*", "nginx"])
DURATIONS = st.sampled_from(["0", "1s", "90m", "12h", "3d", "1w2d", "1h30m"])
REGEXPS = st.sampled_from([r"^main-[0-9a-f]+-(?P<ts>\d+)$", "^v", ".*", r"\d+", "(a|b)+"])
WINDOWS = st.sampled_from(
    [
        "Mon-Fri 08:00-17:00 Europe/Zurich",
        "weekends",
        "daily 22:00-06:00 UTC",
        {"days": ["mon", "tue"], "from": "22:00", "to": "04:00"},
    ]
)
WHEN = WINDOWS | st.lists(WINDOWS, min_size=1, max_size=3)
KINDS = st.lists(st.sampled_from(["major", "minor", "patch", "build", "digest", "pin"]), max_size=6)
PLATFORMS = st.lists(st.sampled_from(["linux/amd64", "linux/arm64", "linux/arm/v7"]), max_size=3)
NAMES = st.lists(WORDS, max_size=3)
COUNTS = st.integers(0, 999_999)
FLAGS = st.booleans()

AUTOMERGE: dict[str, st.SearchStrategy[Any]] = {
    "automerge": FLAGS,
    "update_types": KINDS,
    "require_label": WORDS | st.none(),
    "disable_label": WORDS | st.none(),
    "blocking_labels": NAMES,
    "blocking_title": REGEXPS | st.none(),
    "only_own_prs": FLAGS,
    "method": st.sampled_from(["merge", "squash", "rebase", "fast-forward"]),
    "require_protection": FLAGS,
    "extra_required_checks": NAMES,
    "all_checks": FLAGS,
    "neutral_is_success": FLAGS,
    "no_checks": st.sampled_from(["wait", "merge", "block"]),
    "min_approvals": COUNTS,
    "block_on_review_requests": FLAGS,
    "update_branch": st.sampled_from(["if_required", "always", "never"]),
    "update_before_checks": FLAGS,
    "update_even_if_failing": FLAGS,
    "on_conflict": st.sampled_from(["regenerate", "block"]),
    "on_human_edit": st.sampled_from(["block", "skip", "merge"]),
    "min_release_age": DURATIONS,
    "unknown_age": st.sampled_from(["wait", "block", "merge"]),
    "min_pr_age": DURATIONS,
    "schedule": WHEN | st.none(),
    "require_signature": FLAGS,
    "platforms": PLATFORMS,
    "on_digest_drift": st.sampled_from(["refresh", "block"]),
    "max_attempts": st.integers(1, 1000),
    "native": st.booleans(),
}
RULE: dict[str, st.SearchStrategy[Any]] = {
    "order": st.sampled_from(["asc", "desc"]),
    "ignore": st.lists(GLOBS, max_size=3),
    "variant": st.sampled_from(["keep", "any"]),
    "prereleases": FLAGS,
    "max_step": st.sampled_from(["patch", "minor", "major"]),
    "min_age": DURATIONS,
    "platforms": st.sampled_from(["auto", "any"]) | PLATFORMS,
    "pin": FLAGS,
    "tags": REGEXPS,
    "group": WORDS,
    "lockstep": FLAGS,
    "schedule": WHEN,
    "labels": NAMES,
    "reviewers": NAMES,
    "assignees": NAMES,
    "delivery": st.sampled_from(["request", "push"]),
    "batch": FLAGS,
    "priority": st.integers(-999_999, 999_999),
    "automerge": FLAGS | st.fixed_dictionaries({}, optional=AUTOMERGE),
    "rollback": st.sampled_from(["none", "propose", "auto"]),
}
MATCH = st.fixed_dictionaries(
    {}, optional={"images": st.lists(GLOBS, max_size=3), "paths": st.lists(GLOBS, max_size=3), "updates": KINDS}
)
# What a policy has to say of its keys is tried elsewhere: here each policy stands with keys that suit it.
POLICIES = st.sampled_from(
    [
        {"policy": "auto"},
        {"policy": "semver", "range": "^1.4"},
        {"range": ">=1.0.0 <2.0.0"},
        {"policy": "newest"},
        {"policy": "digest"},
        {"policy": "none"},
        {"policy": "alphabetical", "order": "desc"},
        {"policy": "numerical", "tags": r"^main-(?P<n>\d+)$", "extract": "$n"},
        {"policy": "follow", "follow": {"from": "envs/dev/**", "soak": "24h"}},
    ]
)
RULES = st.builds(
    lambda match, policy, rest: {**match, **rest, **policy},
    st.fixed_dictionaries({}, optional={"match": MATCH}),
    POLICIES,
    st.fixed_dictionaries({}, optional=RULE),
)
FREEZES = st.fixed_dictionaries(
    {"from": st.sampled_from(["2026-12-20", "2026-06-30 18:00"])},
    optional={"to": st.sampled_from(["2027-01-05", "2027-07-01 06:00"]), "except_label": WORDS, "tz": st.just("Europe/Zurich")},
)
TITLES = st.lists(st.sampled_from([*(f"{{{name}}}" for name in FIELDS), " ", "chore: ", "{{", "}}"]), min_size=1, max_size=6).map(
    lambda parts: "bump " + "".join(parts)
)
FILES = st.fixed_dictionaries(
    {},
    optional={
        "version": st.just(1),
        "files": st.fixed_dictionaries({}, optional={"include": st.lists(GLOBS), "exclude": st.lists(GLOBS)}),
        "rules": st.lists(RULES, max_size=4),
        "freeze": st.lists(FREEZES, max_size=2),
        "loop": st.fixed_dictionaries({}, optional={"max": st.integers(1, 100)}),
        "dashboard_issue": FLAGS,
        "commits": st.fixed_dictionaries(
            {},
            optional={
                "title": TITLES,
                "marker": st.sampled_from(["auto", "none", "skip-ci:", "[ci skip]", "[skip ci]"]),
                "author": st.fixed_dictionaries({"name": WORDS, "email": WORDS}),
                "signoff": FLAGS,
            },
        ),
        "base_branches": st.lists(st.sampled_from(["main", "release/1.0", "feature/a-b"]), max_size=3),
        "pull_requests": st.fixed_dictionaries(
            {}, optional={"limit": COUNTS, "hourly": COUNTS, "branch_prefix": st.sampled_from(["tagboat/", "bot-", "a/b/"])}
        ),
    },
)


def yaml(data: Any) -> bytes:
    """The data as flow YAML, each text in quotes."""
    return json.dumps(data, ensure_ascii=False).encode()
