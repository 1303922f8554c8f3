"""Merge requests: listed, made, edited, talked about, approved, merged, put on the train."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.servers.gitlab.merging import ACTIVE, Refused
from tests.servers.gitlab.state import DEVELOPER, Merge, User

if TYPE_CHECKING:
    from tests.servers.gitlab.server import Call

_COMMAND = re.compile(r"^/(?:merge|close|approve|reopen|label|assign|draft|ready|rebase)\b[^\n]*\n?", re.MULTILINE)


def _find(call: Call) -> Merge:
    found = call.project.merges.get(int(call.args[0]))
    if found is None:
        raise Refused(404, "404 Not found")
    return found


def _json(call: Call, merge: Merge, *, single: bool = False) -> dict[str, Any]:
    project, server = call.project, call.server
    head = project.repo.head(merge.source) if merge.state == "opened" else merge.head
    if merge.stale_left and merge.state == "opened":
        head, merge.stale_left = merge.stale, merge.stale_left - 1
    found: dict[str, Any] = {
        "id": merge.id,
        "iid": merge.iid,
        "project_id": project.id,
        "title": merge.title,
        "description": merge.description,
        "state": merge.state,
        "source_branch": merge.source,
        "target_branch": merge.target,
        "source_project_id": project.id,
        "target_project_id": project.id,
        "author": merge.author.brief(),
        "assignees": [one.brief() for one in merge.assignees],
        "reviewers": [one.brief() for one in merge.reviewers],
        "labels": list(merge.labels),
        "draft": bool(re.match(r"\s*draft:", merge.title, re.IGNORECASE)),
        "sha": head,
        "merge_commit_sha": merge.merge_commit,
        "squash_commit_sha": merge.squash_commit,
        "created_at": merge.created_at,
        "updated_at": merge.updated_at,
        "merged_at": merge.merged_at,
        "merge_user": merge.merge_user.brief() if merge.merge_user else None,
        "closed_at": merge.closed_at,
        "closed_by": merge.closed_by.brief() if merge.closed_by else None,
        "user_notes_count": sum(not note.system for note in merge.notes),
        "merge_when_pipeline_succeeds": merge.auto is not None or merge.car in ("idle", "fresh"),
        "detailed_merge_status": server.detailed(project, merge),
        "has_conflicts": merge.state == "opened" and server.conflicts(project, merge),
        "blocking_discussions_resolved": server.blocking_resolved(merge),
        "should_remove_source_branch": None,
        "force_remove_source_branch": merge.remove_source,
        "squash": merge.squash,
        "web_url": f"https://gitlab.example.com/{project.path}/-/merge_requests/{merge.iid}",
    }
    if not single:
        return found
    last = server.head_pipeline(project, merge) if merge.state == "opened" else None
    found["head_pipeline"] = last.brief(project.id) | {"user": last.user.brief()} if last else None
    found["user"] = {"can_merge": _may_merge(call, merge)}
    found["rebase_in_progress"] = False
    if call.query.get("include_diverged_commits_count") == "true":
        found["diverged_commits_count"] = server.diverged(project, merge)
    return found


def _may_merge(call: Call, merge: Merge) -> bool:
    return call.project.level(call.user) >= call.project.protected.get(merge.target, (DEVELOPER, DEVELOPER))[1]


def listed(call: Call) -> Any:
    call.knows(query="state author_id order_by sort with_merge_status_recheck source_branch updated_after scope")
    rows = list(call.project.merges.values())
    if (state := call.query.get("state", "all")) != "all":
        rows = [one for one in rows if one.state == state]
    if "author_id" in call.query:
        rows = [one for one in rows if str(one.author.id) == call.query["author_id"]]
    if "source_branch" in call.query:
        rows = [one for one in rows if one.source == call.query["source_branch"]]
    rows.sort(key=lambda one: one.updated_at, reverse=True)
    return [_json(call, one) for one in call.page(rows)]


def create(call: Call) -> Any:
    call.knows(body="source_branch target_branch title description labels assignee_ids reviewer_ids remove_source_branch squash")
    call.need(DEVELOPER)
    project, body = call.project, call.body
    source, target = body["source_branch"], body["target_branch"]
    for other in project.merges.values():
        if (other.state, other.source, other.target) == ("opened", source, target):
            raise Refused(409, [f"Another open merge request already exists for this source branch: !{other.iid}"])
    if project.repo.head(source) is None or project.repo.head(target) is None:
        raise Refused(400, {"base": ["The source branch does not exist"]})
    at = call.server.time.text()
    number = len(project.merges) + 1
    fork = project.repo.merge_base(source, target) or ""
    merge = Merge(1000 + number, number, call.user, source, target, body["title"], "", at, at, fork=fork)
    project.merges[number] = merge
    _edit(call, merge)
    merge.remove_source = bool(body.get("remove_source_branch"))
    call.server.opened(project, merge)
    return _json(call, merge, single=True)


def single(call: Call) -> Any:
    call.knows(query="include_diverged_commits_count include_rebase_in_progress render_html")
    merge = _find(call)
    found = _json(call, merge, single=True)
    merge.looking = max(0, merge.looking - 1)
    return found


def update(call: Call) -> Any:
    call.knows(body="title description state_event add_labels remove_labels reviewer_ids assignee_ids labels")
    call.need(DEVELOPER)
    merge = _find(call)
    _edit(call, merge)
    event = call.body.get("state_event")
    if event == "close" and merge.state == "opened":
        call.server.close(call.project, merge, call.user)
    elif event == "reopen" and merge.state == "closed":
        merge.state = "opened"
    return _json(call, merge, single=True)


def _edit(call: Call, merge: Merge) -> None:
    body = call.body
    merge.title = body.get("title", merge.title)
    if len(merge.title) > 255:
        raise Refused(400, {"title": ["is too long (maximum is 255 characters)"]})
    if "description" in body:
        merge.description = _without_commands(call, merge, body["description"] or "")
    for key in ("labels", "add_labels"):
        merge.labels += [name for name in str(body.get(key) or "").split(",") if name and name not in merge.labels]
    gone = str(body.get("remove_labels") or "").split(",")
    merge.labels = [name for name in merge.labels if name not in gone]
    if "reviewer_ids" in body:
        merge.reviewers = _users(call, body["reviewer_ids"])
    if "assignee_ids" in body:
        merge.assignees = _users(call, body["assignee_ids"])
    merge.updated_at = call.server.time.text()


def _users(call: Call, ids: list[int]) -> list[User]:
    return [call.server.users[number] for number in ids]


def _without_commands(call: Call, merge: Merge, text: str) -> str:
    """Quick actions are carried out and taken away; a test wants none to be."""
    for command in _COMMAND.findall(text.replace("\r", "")):
        call.server.complaints.append(f"a quick action on !{merge.iid}: {command.strip()}")
    return _COMMAND.sub("", text.replace("\r", ""))


def commits(call: Call) -> Any:
    merge, repo = _find(call), call.project.repo
    head = repo.head(merge.source)
    target = repo.head(merge.target)
    return call.page([repo.info(one) for one in repo.log(f"{target}..{head}")] if head and target else [])


def request_pipelines(call: Call) -> Any:
    merge, project = _find(call), call.project
    rows = [
        one.brief(project.id)
        for one in reversed(project.pipelines)
        if one.ref.startswith(f"refs/merge-requests/{merge.iid}/") or one.ref == merge.source
    ]
    return call.page(rows)


def reviewers(call: Call) -> Any:
    merge = _find(call)
    return [{"user": one.brief(), "state": merge.review_states.get(one.id, "unreviewed")} for one in merge.reviewers]


def approvals(call: Call) -> Any:
    merge, required = _find(call), call.project.approvals_required
    given = [{"user": one.brief()} for one in merge.approved_by]
    left = max(0, required - len(given))
    return {"approved": left == 0, "approvals_required": required, "approvals_left": left, "approved_by": given}


def notes(call: Call) -> Any:
    call.knows(query="sort order_by activity_filter")
    rows = sorted(_find(call).notes, key=lambda note: note.id, reverse=call.query.get("sort", "desc") == "desc")
    return call.page([note.json() for note in rows])


def new_note(call: Call) -> Any:
    call.knows(body="body internal created_at")
    call.need(10)
    merge = _find(call)
    text = _without_commands(call, merge, call.body["body"])
    return call.server.note(merge, call.user, text).json()


def edit_note(call: Call) -> Any:
    call.knows(body="body")
    call.need(10)
    merge = _find(call)
    for note in merge.notes:
        if str(note.id) == call.args[1]:
            note.body = _without_commands(call, merge, call.body["body"])
            note.updated_at = merge.updated_at = call.server.time.text()
            return note.json()
    raise Refused(404, "404 Not found")


def merge_now(call: Call) -> Any:
    """The merge call, with its own statuses for each kind of no."""
    call.knows(
        body="sha squash should_remove_source_branch merge_commit_message squash_commit_message auto_merge "
        "merge_when_pipeline_succeeds skip_merge_train"
    )
    call.need(DEVELOPER)
    merge, project, server, body = _find(call), call.project, call.server, call.body
    if not _may_merge(call, merge):
        raise Refused(401, "401 Unauthorized")
    if merge.shy:
        merge.shy -= 1
        raise Refused(405, "405 Method Not Allowed")
    head = project.repo.head(merge.source)
    status = server.detailed(project, merge)
    auto = body.get("auto_merge") or body.get("merge_when_pipeline_succeeds")
    last = server.head_pipeline(project, merge)
    waits = bool(auto) and last is not None and last.status in ACTIVE and status in ("mergeable", "ci_still_running")
    if merge.state != "opened" or (status != "mergeable" and not waits):
        raise Refused(405, "405 Method Not Allowed")
    if body.get("sha") and body["sha"] != head:
        raise Refused(409, "SHA does not match HEAD of source branch")
    if body.get("squash") and project.settings["squash_option"] == "never":
        raise Refused(422, "This project does not allow squashing commits when merge requests are accepted.")
    if "should_remove_source_branch" in body:
        merge.remove_source = bool(body["should_remove_source_branch"])
    if waits:
        merge.auto = dict(body) | {"user": call.user}
        merge.updated_at = server.time.text()
    else:
        server.accept(project, merge, call.user, body)
    return _json(call, merge, single=True)


def cancel(call: Call) -> Any:
    """Take auto-merge off. GitLab answers 201 with what its service said, also where there was nothing to cancel."""
    call.knows()
    call.need(DEVELOPER)
    merge = _find(call)
    if merge.state != "opened" or merge.auto is None:
        no = {"message": "Can't cancel the automatic merge", "status": "error", "http_status": 406}
        return web.json_response(no, status=201)
    merge.auto = None
    call.server.note(merge, call.user, "canceled the automatic merge", system=True)
    return web.json_response({"status": "success"}, status=201)


def board(call: Call) -> Any:
    call.knows(body="sha squash auto_merge when_pipeline_succeeds")
    call.need(DEVELOPER)
    merge, project, body = _find(call), call.project, call.body
    if not project.settings["merge_trains_enabled"]:
        raise Refused(403, "403 Forbidden")
    if body.get("sha") and body["sha"] != project.repo.head(merge.source):
        raise Refused(409, "SHA does not match HEAD of source branch")
    if merge.car or not _may_merge(call, merge) or call.server.detailed(project, merge) != "mergeable":
        raise Refused(400, "Failed to create merge train for this merge request.")
    merge.car, merge.squash = "fresh", bool(body.get("squash"))
    merge.updated_at = call.server.time.text()
    return web.json_response([_car(call, merge)], status=201)


def car(call: Call) -> Any:
    merge = _find(call)
    if merge.car is None:
        raise Refused(404, "404 Not Found")
    return _car(call, merge)


def _car(call: Call, merge: Merge) -> dict[str, Any]:
    return {"id": merge.id, "merge_request": {"iid": merge.iid}, "status": merge.car, "target_branch": merge.target}


_MERGE = "/projects/:id/merge_requests/:iid"

ROUTES = [
    ("GET", "/projects/:id/merge_requests", listed),
    ("POST", "/projects/:id/merge_requests", create),
    ("GET", _MERGE, single),
    ("PUT", _MERGE, update),
    ("GET", f"{_MERGE}/commits", commits),
    ("GET", f"{_MERGE}/pipelines", request_pipelines),
    ("GET", f"{_MERGE}/reviewers", reviewers),
    ("GET", f"{_MERGE}/approvals", approvals),
    ("GET", f"{_MERGE}/notes", notes),
    ("POST", f"{_MERGE}/notes", new_note),
    ("PUT", f"{_MERGE}/notes/:note", edit_note),
    ("PUT", f"{_MERGE}/merge", merge_now),
    ("POST", f"{_MERGE}/cancel_merge_when_pipeline_succeeds", cancel),
    ("GET", "/projects/:id/merge_trains/merge_requests/:iid", car),
    ("POST", "/projects/:id/merge_trains/merge_requests/:iid", board),
]
