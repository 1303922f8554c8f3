"""GitLab and plain git."""

from __future__ import annotations

from tests.rules.merging_rows.row import Row, git, gitlab, review, status

GITLAB = [
    *(
        Row(f"GitLab {word}", answer, word, gitlab(word))
        for word, answer in (
            ("unchecked", "wait"),
            ("checking", "wait"),
            ("preparing", "wait"),
            ("approvals_syncing", "wait"),
            ("merge_time", "wait"),
            ("ci_still_running", "wait"),
            ("ci_must_pass", "wait"),
            ("status_checks_must_pass", "wait"),
            ("security_policy_pipeline_check", "wait"),
            ("draft_status", "block"),
            ("not_approved", "block"),
            ("requested_changes", "block"),
            ("discussions_not_resolved", "block"),
            ("jira_association_missing", "block"),
            ("merge_request_blocked", "block"),
            ("security_policy_violations", "block"),
            ("locked_paths", "block"),
            ("locked_lfs_files", "block"),
            ("title_regex", "block"),
            ("not_open", "skip"),
        )
    ),
    Row("GitLab conflict", "update", "conflicts", gitlab("conflict")),
    Row("GitLab conflict left to a person", "block", "on_conflict", gitlab("conflict"), {"on_conflict": "block"}),
    Row("GitLab commits_status", "update", "no branch", gitlab("commits_status")),
    Row("GitLab commits_status, human commit", "block", "person", gitlab("commits_status", branch={"edited_by_human": True})),
    Row("GitLab need_rebase, updates forbidden", "block", "update_branch", gitlab("need_rebase"), {"update_branch": "never"}),
    Row("GitLab need_rebase, pipeline runs", "update", "rebased", gitlab("need_rebase", "running")),
    Row(
        "GitLab need_rebase, checks first",
        "wait",
        "not finished",
        gitlab("need_rebase", "running"),
        {"update_before_checks": False},
    ),
    Row("GitLab need_rebase, pipeline failed", "block", "failed", gitlab("need_rebase", "failed")),
    Row("GitLab need_rebase, frozen", "wait", "frozen", gitlab("need_rebase", freeze=True)),
    Row("GitLab checks, and it is a draft", "wait", "checking", gitlab("checking", pr={"draft": True})),
    Row("GitLab waits for a time, pipeline runs", "wait", "set time", gitlab("merge_time", "running")),
    Row("GitLab says nothing", "wait", "does not say", gitlab(None)),
    Row("GitLab mergeable, merge state left over", "wait", "blocked", gitlab(merge_state="BLOCKED")),
    *(
        Row(f"pipeline {word}", "wait", word, gitlab("mergeable", word))
        for word in (
            "created",
            "waiting_for_resource",
            "preparing",
            "pending",
            "running",
            "scheduled",
            "manual",
            "canceling",
            "dreaming",
        )
    ),
    *(Row(f"pipeline {word}", "block", word, gitlab("mergeable", word)) for word in ("failed", "canceled", "skipped")),
    *(
        Row(f"pipeline {word}, not demanded", answer, word, gitlab("mergeable", word, must=False))
        for word, answer in (
            ("failed", "block"),
            ("canceled", "block"),
            ("skipped", "block"),
            ("running", "wait"),
        )
    ),
    Row(
        "pipeline skipped counts as success",
        "merge",
        "",
        gitlab("mergeable", "skipped", protection={"skipped_pipeline_is_success": True}),
    ),
    Row(
        "pipeline failed though skipped ones count",
        "block",
        "failed",
        gitlab("mergeable", "failed", protection={"skipped_pipeline_is_success": True}),
    ),
    Row("no pipeline where one is demanded", "wait", "not reported yet", gitlab("mergeable", None)),
    Row("no pipeline after a token", "block", "head commit", gitlab("ci_must_pass", None, pr={"head_message": "bump [skip-ci]"})),
    Row("no pipeline, none demanded", "wait", "no check", gitlab("mergeable", None, must=False)),
    Row("no pipeline, none demanded, rule content", "merge", "", gitlab("mergeable", None, must=False), {"no_checks": "merge"}),
    Row("pipeline green, none demanded", "merge", "", gitlab("mergeable", "success", must=False)),
    Row(
        "pipeline of an older commit",
        "wait",
        "not reported yet",
        gitlab(pipeline=None) | {"pipeline": {"status": "success", "sha": "0ld"}},
    ),
    Row(
        "pipeline of an older commit, GitHub's word",
        "wait",
        "not reported yet",
        gitlab(pipeline=None) | {"pipeline": {"status": "success", "head_sha": "0ld"}},
    ),
    Row("pipeline of the head", "merge", "", gitlab(pipeline=None) | {"pipeline": {"status": "success", "sha": "aaa111"}}),
    Row("pipeline status not known", "wait", "not finished", gitlab(pipeline=None) | {"pipeline": {"status": None}}),
    Row("GitLab unprotected", "block", "not protected", gitlab(protection={"present": False})),
    Row("GitLab approval missing by facts", "block", "approval", gitlab(protection={"required_approvals": 1})),
    Row("GitLab approved", "merge", "", gitlab(protection={"required_approvals": 1}, reviews=[review("ann", "approved")])),
    Row("GitLab train", "merge", "", gitlab(protection={"merge_queue": True})),
    Row(
        "GitLab fast-forward project, behind",
        "update",
        "behind",
        gitlab(protection={"allowed_methods": ["fast-forward"]}, branch={"behind_by": 1}),
        {"method": "fast-forward"},
    ),
    Row("GitLab bot without the suffix", "merge", "", gitlab(pr={"author": "tagboat"})),
    Row("GitLab mergeable but a draft by facts", "block", "draft", gitlab(pr={"draft": True})),
    Row("GitLab mergeable but a red external status", "block", "failed", gitlab(checks=[status("failure", "scan")])),
]

GIT = [
    Row("git", "merge", "", git()),
    Row("git, protection wanted", "block", "not protected", git(), {"require_protection": True}),
    Row("git, checks waited for", "wait", "no check", git(), {"no_checks": "wait"}),
    Row("git, conflict", "update", "conflicts", git(branch={"conflict": True})),
    Row("git, conflict not known", "wait", "conflicts", git(branch={"conflict": None})),
    Row("git, human commit", "block", "person", git(branch={"edited_by_human": True})),
    Row("git, behind", "merge", "", git(branch={"behind_by": 3})),
    Row(
        "git, fast-forward and behind",
        "update",
        "fast-forwarded",
        git(branch={"behind_by": 3}, protection={"allowed_methods": ["fast-forward"]}),
        {"method": "fast-forward"},
    ),
    Row("git, approvals wanted", "block", "approval", git(), {"min_approvals": 1}),
    Row("git, request young", "wait", "was opened", git(), {"min_pr_age": "2d"}),
    Row("git, named check wanted", "wait", "not reported yet: scan", git(), {"extra_required_checks": ["scan"]}),
]
