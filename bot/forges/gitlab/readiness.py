"""A merge request's readiness on GitLab, from REST. What GitLab does not say, or says of another commit, is handed on as unknown.

Read are the merge request by itself (`GET …/merge_requests/:iid`, with `include_diverged_commits_count` and
`include_rebase_in_progress`; lists leave out the pipeline and may be stale), its `/approvals`, `/pipelines` and `/reviewers`, the
project, and the target branch (`GET …/repository/branches/:branch`), which says whether it is protected.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rules.merging import Method, Protection, Readiness, Review

Json = Mapping[str, Any]

# While GitLab looks, what it says of conflicts is what it found the last time.
_LOOKING = frozenset({"unchecked", "checking", "preparing"})
# What GitLab said before it went into detail: of conflicts only, so all else is for us to see, and for the merge call to refuse.
_BEFORE_15_6 = {
    "can_be_merged": "mergeable",
    "cannot_be_merged": "conflict",
    "unchecked": "unchecked",
    "checking": "checking",
    "cannot_be_merged_recheck": "checking",
    "cannot_be_merged_rechecking": "checking",
}
_WAITED_FOR = frozenset({"unreviewed", "review_started"})


@dataclass(frozen=True, slots=True)
class Answers:
    """GitLab's answers about one merge request. None: it was not asked, or did not answer. Without `pipelines` the request's own
    `head_pipeline` counts.

    `parents` has the parents of commits that pipelines ran on, as far as they were read: a merged-results pipeline runs on a
    commit that GitLab made of the head and the target, and only its parents tell of which head.
    """

    request: Json
    approvals: Json | None = None
    pipelines: Sequence[Json] | None = None
    reviewers: Sequence[Json] | None = None
    head_message: str = ""
    on_train: bool | None = False
    parents: Mapping[str, Sequence[str]] = field(default_factory=dict)


def protection(project: Json, branch: Json | None) -> Protection:
    """What the project and its target branch (None: could not be read) demand. Approvals belong to the single request."""
    fast_forward, semi_linear = (project.get("merge_method") == name for name in ("ff", "rebase_merge"))
    return Protection(
        present=bool((branch or {}).get("protected")),
        known=branch is not None and "merge_method" in project,
        strict=fast_forward or semi_linear,
        conversation_resolution=bool(project.get("only_allow_merge_if_all_discussions_are_resolved")),
        merge_queue=bool(project.get("merge_trains_enabled")),
        allowed_methods=_methods("fast-forward" if fast_forward else "merge", str(project.get("squash_option") or "default_off")),
        pipelines_must_succeed=bool(project.get("only_allow_merge_if_pipeline_succeeds")),
        skipped_pipeline_is_success=bool(project.get("allow_merge_on_skipped_pipeline")),
    )


def readiness(answers: Answers, base: Protection) -> Readiness:
    """The readiness of a merge request, onto a branch that demands `base`."""
    request, approvals = answers.request, answers.approvals or {}
    status = request.get("detailed_merge_status") or _BEFORE_15_6.get(str(request.get("merge_status")))
    can_merge = (request.get("user") or {}).get("can_merge")
    pipelines_read = answers.pipelines is not None or "head_pipeline" in request
    required = approvals.get("approvals_required") or 0
    return Readiness(
        head_message=answers.head_message,
        author=_username(request.get("author")),
        behind_by=request.get("diverged_commits_count"),
        conflict=None if status in _LOOKING else request.get("has_conflicts"),
        protection=replace(base, required_approvals=required, bot_may_push=can_merge is not False),
        from_fork=_from_fork(request),
        detailed_merge_status="rebase_in_progress" if request.get("rebase_in_progress") else status,
        pipeline=_pipeline(answers, base),
        review_decision=_decision(approvals, required),
        reviews=tuple(_reviews(approvals, answers.reviewers or ())),
        review_requests=tuple(_asked(answers)),
        unresolved_threads=_open_threads(request.get("blocking_discussions_resolved")),
        in_merge_queue=answers.on_train,
        auto_merge=(auto := bool(request.get("merge_when_pipeline_succeeds"))),
        # Until it is merged, this is who asked for that.
        auto_merge_by=_username(request.get("merge_user")) if auto else "",
        complete=pipelines_read and answers.approvals is not None and can_merge is not None,
    )


def _methods(plain: Method, squash: str) -> tuple[Method, ...]:
    """GitLab squashes never, always, or as the request says."""
    return {"never": (plain,), "always": ("squash",)}.get(squash, (plain, "squash"))


def _pipeline(answers: Answers, base: Protection) -> str | None:
    """The status of the pipeline that decides: the newest one for the request on its head, else the newest one for its branch.

    One that ran on a merged result of a head that cannot be told counts only where GitLab itself vouches for it.
    """
    request = answers.request
    own = request.get("head_pipeline")
    found = answers.pipelines if answers.pipelines is not None else [own] if own else []
    fitting = [pipeline for pipeline in found if _on_head(pipeline, answers) is not False]
    if not fitting:
        return None
    decides = max(fitting, key=lambda pipeline: (pipeline.get("source") == "merge_request_event", pipeline.get("id") or 0))
    vouched = base.pipelines_must_succeed and request.get("detailed_merge_status") == "mergeable"
    if _on_head(decides, answers) or vouched:
        return str(decides.get("status") or "unknown")
    return "unverified"


def _on_head(pipeline: Json, answers: Answers) -> bool | None:
    """Whether a pipeline ran on the head; None: cannot be told. Those of a merge train are not the request's own."""
    head, ref = answers.request.get("sha"), str(pipeline.get("ref") or "")
    if not head or ref.endswith("/train"):
        return False
    if pipeline.get("sha") == head:
        return True
    if not (ref.startswith("refs/merge-requests/") and ref.endswith("/merge")):
        return False
    parents = answers.parents.get(str(pipeline.get("sha")))
    return None if parents is None else head in parents


def _decision(approvals: Json, required: int) -> str | None:
    """What GitLab counted, in GitHub's words. `approvals_left` knows who may approve what; the number of approvals does not."""
    if approvals.get("approvals_left"):
        return "REVIEW_REQUIRED"
    return "APPROVED" if required and approvals.get("approvals_left") == 0 else None


def _reviews(approvals: Json, reviewers: Sequence[Json]) -> Iterator[Review]:
    for approval in approvals.get("approved_by") or ():
        yield Review(_username(approval.get("user")), "APPROVED", "write")
    for reviewer in reviewers:
        if reviewer.get("state") == "requested_changes":
            yield Review(_username(reviewer.get("user")), "CHANGES_REQUESTED", "write")


def _asked(answers: Answers) -> Iterator[str]:
    """Who was asked for a review and has not given it."""
    if answers.reviewers is not None:
        yield from (_username(one.get("user")) for one in answers.reviewers if one.get("state") in _WAITED_FOR)
        return
    done = {_username(approval.get("user")) for approval in (answers.approvals or {}).get("approved_by") or ()}
    yield from (name for one in answers.request.get("reviewers") or () if (name := _username(one)) not in done)


def _open_threads(resolved: object) -> int | None:
    """GitLab tells only whether there are any."""
    return 0 if resolved is True else 1 if resolved is False else None


def _from_fork(request: Json) -> bool | None:
    """A source project that was removed is none of ours."""
    if "source_project_id" not in request or not request.get("target_project_id"):
        return None
    return bool(request["source_project_id"] != request["target_project_id"])


def _username(user: Json | None) -> str:
    return str((user or {}).get("username") or "")
