"""What GitHub and GitLab send: the webhook of an event, as far as filters of CI systems look at it.

    of(Push("gitlab", "main", (Commit("Update shop"),)))        Sent("Push Hook", {"object_kind": "push", …})

A value that is not known stands as `ANY` in the payload: a filter that looks at it has no answer. Commits come oldest first from
both; GitLab sends the newest twenty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rules.ci.base import Commit, Event, Push, Request

ANY = "\u0000unknown"
"""Stands for a text that is not known; no real payload holds a NUL."""

_ZERO = "0" * 40
_BEFORE, _HEAD = "b" * 40, "a" * 40
_GITLAB_COMMITS = 20


@dataclass(frozen=True, slots=True)
class Sent:
    """A webhook: the value of `X-GitHub-Event` or `X-Gitlab-Event`, and the body."""

    event: str
    body: dict[str, Any]


def of(event: Event) -> Sent:
    """The webhook that the forge sends for an event."""
    if event.forge == "github":
        return Sent("push", _github_push(event)) if isinstance(event, Push) else Sent("pull_request", _github_request(event))
    return (
        Sent("Push Hook", _gitlab_push(event)) if isinstance(event, Push) else Sent("Merge Request Hook", _gitlab_request(event))
    )


def _sha(index: int, count: int) -> str:
    return _HEAD if index == count - 1 else f"{index + 1:040x}"


def _author() -> dict[str, Any]:
    return {"name": ANY, "email": ANY, "username": ANY}


def _github_commit(commit: Commit, sha: str) -> dict[str, Any]:
    return {
        "id": sha,
        "tree_id": ANY,
        "distinct": True,
        "message": commit.message,
        "timestamp": ANY,
        "url": ANY,
        "author": _author(),
        "committer": _author(),
        "added": [],
        "removed": [],
        "modified": list(commit.paths),
    }


def _owner_and_name(repository: str | None) -> tuple[str, str, str]:
    owner, _, name = (repository or "").rpartition("/")
    return (owner or ANY, name or ANY, repository or ANY)


def _github_repository(repository: str | None, base: str) -> dict[str, Any]:
    owner, name, full = _owner_and_name(repository)
    return {
        "id": ANY,
        "name": name,
        "full_name": full,
        "owner": {"login": owner, "name": owner},
        "default_branch": base,
        "master_branch": base,
        "private": ANY,
        "html_url": f"https://github.com/{full}" if repository else ANY,
        "clone_url": f"https://github.com/{full}.git" if repository else ANY,
        "ssh_url": f"git@github.com:{full}.git" if repository else ANY,
        "url": ANY,
    }


def _github_push(push: Push) -> dict[str, Any]:
    commits = [_github_commit(commit, _sha(index, len(push.commits))) for index, commit in enumerate(push.commits)]
    return {
        "ref": f"refs/heads/{push.branch}",
        "before": _ZERO if push.created else _BEFORE,
        "after": _HEAD,
        "created": push.created,
        "deleted": False,
        "forced": False,
        "base_ref": None,
        "compare": ANY,
        "commits": commits,
        "head_commit": commits[-1] if commits else None,
        "repository": _github_repository(push.repository, push.base),
        "pusher": {"name": ANY, "email": ANY},
        "sender": {"login": ANY, "type": "Bot"},
    }


def _github_request(request: Request) -> dict[str, Any]:
    repository = _github_repository(request.repository, request.base)
    merged = request.action == "merged"
    return {
        "action": "closed" if merged else "opened",
        "number": ANY,
        "pull_request": {
            "number": ANY,
            "state": "closed" if merged else "open",
            "title": request.title,
            "body": request.body,
            "merged": merged,
            "draft": False,
            "user": {"login": ANY, "type": "Bot"},
            "labels": [],
            "head": {"ref": request.branch, "sha": _HEAD, "repo": repository},
            "base": {"ref": request.base, "sha": _BEFORE, "repo": repository},
            "merge_commit_sha": _HEAD if merged else None,
        },
        "repository": repository,
        "sender": {"login": ANY, "type": "Bot"},
    }


def _gitlab_project(repository: str | None, base: str) -> dict[str, Any]:
    owner, name, full = _owner_and_name(repository)
    return {
        "id": ANY,
        "name": name,
        "namespace": owner,
        "path_with_namespace": full,
        "default_branch": base,
        "visibility_level": ANY,
        "web_url": ANY,
        "homepage": ANY,
        "url": ANY,
        "ssh_url": ANY,
        "http_url": ANY,
        "git_ssh_url": ANY,
        "git_http_url": ANY,
    }


def _gitlab_push(push: Push) -> dict[str, Any]:
    commits = [
        {
            "id": _sha(index, len(push.commits)),
            "message": commit.message,
            "title": commit.title,
            "timestamp": ANY,
            "url": ANY,
            "author": {"name": ANY, "email": ANY},
            "added": [],
            "modified": list(commit.paths),
            "removed": [],
        }
        for index, commit in enumerate(push.commits)
    ]
    return {
        "object_kind": "push",
        "event_name": "push",
        "before": _ZERO if push.created else _BEFORE,
        "after": _HEAD,
        "ref": f"refs/heads/{push.branch}",
        "ref_protected": ANY,
        "checkout_sha": _HEAD,
        "message": None,
        "user_id": ANY,
        "user_name": ANY,
        "user_username": ANY,
        "user_email": ANY,
        "project_id": ANY,
        "project": _gitlab_project(push.repository, push.base),
        "repository": {"name": _owner_and_name(push.repository)[1], "url": ANY, "homepage": ANY},
        "commits": commits[-_GITLAB_COMMITS:],
        "total_commits_count": len(commits),
    }


def _gitlab_request(request: Request) -> dict[str, Any]:
    merged = request.action == "merged"
    project = _gitlab_project(request.repository, request.base)
    return {
        "object_kind": "merge_request",
        "event_type": "merge_request",
        "user": {"name": ANY, "username": ANY, "email": ANY},
        "project": project,
        "repository": {"name": project["name"], "url": ANY, "homepage": ANY},
        "object_attributes": {
            "iid": ANY,
            "title": request.title,
            "description": request.body,
            "source_branch": request.branch,
            "target_branch": request.base,
            "state": "merged" if merged else "opened",
            "action": "merge" if merged else "open",
            "draft": False,
            "merge_status": ANY,
            "last_commit": {"id": _HEAD, "message": request.head.message, "title": request.head.title},
            "source": project,
            "target": project,
        },
        "labels": [],
    }
