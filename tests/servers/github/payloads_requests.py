"""REST's pull requests, issues and check runs, from the world's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.servers.github.payloads import Json, full_repository, moment, user
from tests.servers.github.world import Account, CheckRun, Comment, Issue, Pull, Repo

if TYPE_CHECKING:
    from tests.servers.github.rest import Rest


def label(rest: Rest, repo: Repo, name: str) -> Json:
    url = f"{rest.base()}/repos/{repo.full_name}/labels/{name}"
    return {"id": 1, "node_id": "L_1", "url": url, "name": name, "description": "", "color": "ededed", "default": False}


def _side(rest: Rest, repo: Repo, branch: str, oid: str) -> Json:
    owner = rest.world.account(repo.owner)
    viewer = next(iter(rest.world.viewers.values()))
    return {
        "label": f"{repo.owner}:{branch}",
        "ref": branch,
        "sha": oid,
        "user": user(rest, owner),
        "repo": full_repository(rest, repo, viewer),
    }


def pull_simple(rest: Rest, repo: Repo, pull: Pull) -> Json:
    api, page = f"{rest.base()}/repos/{repo.full_name}", f"{rest.base()}/{repo.full_name}/pull/{pull.number}"
    mine = f"{api}/pulls/{pull.number}"
    names = (
        "html", "diff", "patch", "issue", "commits", "review_comments", "review_comment", "comments", "statuses"
    )  # fmt: skip
    links = ("comments", "commits", "statuses", "html", "issue", "review_comments", "review_comment", "self")
    return {
        "url": mine,
        "id": pull.id,
        "node_id": pull.node,
        **{f"{name}_url": f"{api}/{name}/{pull.number}" for name in names},
        "html_url": page,
        "number": pull.number,
        "state": "open" if pull.state == "OPEN" else "closed",
        "locked": False,
        "title": pull.title,
        "user": user(rest, pull.author),
        "body": pull.body,
        "labels": [label(rest, repo, name) for name in sorted(pull.labels)],
        "milestone": None,
        "active_lock_reason": None,
        "created_at": moment(pull.created),
        "updated_at": moment(pull.updated),
        "closed_at": moment(pull.closed_at),
        "merged_at": moment(pull.merged_at),
        "merge_commit_sha": pull.merge_commit,
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [user(rest, rest.world.account(name)) for name in sorted(pull.reviewers)],
        "requested_teams": [],
        "head": _side(rest, repo, pull.head, pull.head_oid),
        "base": _side(rest, repo, pull.base, repo.head(pull.base) or "0" * 40),
        "_links": {name: {"href": f"{mine}/{name}"} for name in links},
        "author_association": "CONTRIBUTOR",
        "auto_merge": None,
        "draft": pull.draft,
    }


def pull(rest: Rest, repo: Repo, one: Pull) -> Json:
    return pull_simple(rest, repo, one) | {
        "merged": one.state == "MERGED",
        "mergeable": {"MERGEABLE": True, "CONFLICTING": False}.get(rest.world.mergeable(repo, one)),
        "mergeable_state": rest.world.merge_state(repo, one).lower(),
        "merged_by": user(rest, one.merged_by) if one.merged_by else None,
        "comments": len(one.comments),
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": 1,
        "additions": 1,
        "deletions": 1,
        "changed_files": 1,
    }


def _issue(rest: Rest, repo: Repo, number: int, title: str, body: str, author: Account, state: str) -> Json:
    api = f"{rest.base()}/repos/{repo.full_name}"
    mine = f"{api}/issues/{number}"
    return {
        "id": number,
        "node_id": f"I_{number}",
        "url": mine,
        "repository_url": api,
        "labels_url": f"{mine}/labels",
        "comments_url": f"{mine}/comments",
        "events_url": f"{mine}/events",
        "html_url": f"{rest.base()}/{repo.full_name}/issues/{number}",
        "number": number,
        "state": state,
        "title": title,
        "body": body,
        "user": user(rest, author),
        "labels": [],
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "locked": False,
        "comments": 0,
        "closed_at": None,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "author_association": "CONTRIBUTOR",
    }


def issue(rest: Rest, repo: Repo, one: Issue) -> Json:
    return _issue(rest, repo, one.number, one.title, one.body, one.author, one.state)


def issue_of(rest: Rest, repo: Repo, pull: Pull) -> Json:
    """A pull request as an issue."""
    url = f"{rest.base()}/repos/{repo.full_name}/pulls/{pull.number}"
    links = {"url": url, "html_url": url, "diff_url": url, "patch_url": url}
    return _issue(rest, repo, pull.number, pull.title, pull.body, pull.author, "open") | {"pull_request": links}


def comment(rest: Rest, repo: Repo, one: Comment) -> Json:
    api = f"{rest.base()}/repos/{repo.full_name}/issues"
    return {
        "id": one.id,
        "node_id": f"IC_{one.id}",
        "url": f"{api}/comments/{one.id}",
        "html_url": f"{api}#issuecomment-{one.id}",
        "issue_url": f"{api}/1",
        "body": one.body,
        "user": user(rest, one.author),
        "created_at": moment(one.created),
        "updated_at": moment(one.updated),
        "author_association": "CONTRIBUTOR",
    }


def _app(rest: Rest, slug: str) -> Json:
    return {
        "id": 1,
        "slug": slug,
        "node_id": "A_1",
        "owner": user(rest, rest.world.account("acme", "Organization")),
        "name": slug,
        "description": None,
        "external_url": "https://tagboat.example.com",
        "html_url": f"{rest.base()}/apps/{slug}",
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "permissions": {},
        "events": [],
    }


def check_run(rest: Rest, repo: Repo, run: CheckRun) -> Json:
    url = f"{rest.base()}/repos/{repo.full_name}/check-runs/{run.id}"
    output = {"title": None, "summary": None, "text": None, "annotations_count": 0, "annotations_url": f"{url}/annotations"}
    return {
        "id": run.id,
        "head_sha": run.sha,
        "node_id": f"CR_{run.id}",
        "external_id": run.external_id,
        "url": url,
        "html_url": url,
        "details_url": url,
        "status": run.status,
        "conclusion": run.conclusion,
        "started_at": moment(run.started),
        "completed_at": moment(run.started) if run.conclusion else None,
        "output": output | run.output,
        "name": run.name,
        "check_suite": {"id": 1},
        "app": _app(rest, run.app),
        "pull_requests": [],
    }
