"""REST's objects, from the world's."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.servers.github.world import Account, Repo, Viewer

if TYPE_CHECKING:
    from tests.servers.github.rest import Rest

Json = dict[str, Any]


def moment(at: datetime | None) -> str | None:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


def user(rest: Rest, account: Account) -> Json:
    api = f"{rest.base()}/users/{account.login}"
    links = ("followers", "following", "gists", "starred", "subscriptions", "organizations", "repos", "events", "received_events")
    return {
        "login": account.login,
        "id": account.id,
        "node_id": f"U_{account.id}",
        "avatar_url": f"{rest.base()}/avatars/{account.id}",
        "gravatar_id": "",
        "url": api,
        "html_url": f"{rest.base()}/{account.login}",
        **{f"{link}_url": f"{api}/{link}" for link in links},
        "type": account.kind,
        "site_admin": False,
    }


_URLS = (
    "archive", "assignees", "blobs", "branches", "collaborators", "comments", "commits", "compare", "contents",
    "contributors", "deployments", "downloads", "events", "forks", "git_commits", "git_refs", "git_tags", "hooks",
    "issue_comment", "issue_events", "issues", "keys", "labels", "languages", "merges", "milestones", "notifications",
    "pulls", "releases", "stargazers", "statuses", "subscribers", "subscription", "tags", "teams", "trees",
)  # fmt: skip


def minimal_repository(rest: Rest, repo: Repo) -> Json:
    api = f"{rest.base()}/repos/{repo.full_name}"
    return {
        "id": repo.id,
        "node_id": repo.node,
        "name": repo.name,
        "full_name": repo.full_name,
        "owner": user(rest, rest.world.account(repo.owner)),
        "private": True,
        "html_url": f"{rest.base()}/{repo.full_name}",
        "description": None,
        "fork": repo.fork,
        "url": api,
        **{f"{name}_url": f"{api}/{name}" for name in _URLS},
        "archived": repo.archived,
        "disabled": False,
        "default_branch": repo.default,
    }


def repository(rest: Rest, repo: Repo, viewer: Viewer) -> Json:
    """As lists have it."""
    url = f"{rest.base()}/{repo.full_name}"
    return minimal_repository(rest, repo) | {
        "git_url": f"git:{url}",
        "ssh_url": f"git@{url}",
        "clone_url": f"{url}.git",
        "svn_url": url,
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "license": None,
        "forks": 0,
        "forks_count": 0,
        "stargazers_count": 0,
        "watchers": 0,
        "watchers_count": 0,
        "size": 1,
        "open_issues": 0,
        "open_issues_count": 0,
        "has_issues": True,
        "has_projects": True,
        "has_wiki": True,
        "has_pages": False,
        "has_downloads": True,
        "visibility": "private",
        "pushed_at": "2026-01-01T00:00:00Z",
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "permissions": {"admin": False, "push": repo.permissions.get(viewer.account.login, "write") != "read", "pull": True},
    }


def full_repository(rest: Rest, repo: Repo, viewer: Viewer) -> Json:
    return repository(rest, repo, viewer) | {
        "has_discussions": False,
        "network_count": 0,
        "subscribers_count": 0,
        "allow_merge_commit": "merge" in repo.methods,
        "allow_squash_merge": "squash" in repo.methods,
        "allow_rebase_merge": "rebase" in repo.methods,
    }


def installation(rest: Rest, row: Json) -> Json:
    return {
        "id": row["id"],
        "account": user(rest, rest.world.account(row.get("account", "acme"), "Organization")),
        "repository_selection": "selected" if row.get("repositories") is not None else "all",
        "access_tokens_url": f"{rest.base()}/app/installations/{row['id']}/access_tokens",
        "repositories_url": f"{rest.base()}/installation/repositories",
        "html_url": f"{rest.base()}/installations/{row['id']}",
        "app_id": row["app_id"],
        "app_slug": row["app_slug"],
        "target_id": 1,
        "target_type": "Organization",
        "permissions": row["permissions"],
        "events": [],
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "single_file_name": None,
        "suspended_by": None,
        "suspended_at": row.get("suspended_at"),
    }


def app(rest: Rest, row: Json) -> Json:
    return {
        "id": row["id"],
        "slug": row["slug"],
        "node_id": f"A_{row['id']}",
        "owner": user(rest, rest.world.account("acme", "Organization")),
        "name": row["slug"],
        "description": None,
        "external_url": "https://tagboat.example.com",
        "html_url": f"{rest.base()}/apps/{row['slug']}",
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "permissions": {"contents": "write"},
        "events": ["push"],
        "client_id": "Iv1.1",
        "client_secret": row["client_secret"],
        "webhook_secret": row["webhook_secret"],
        "pem": row["pem"],
    }


def tree(rest: Rest, repo: Repo, oid: str, rows: list[tuple[str, str, str, int | None, str]]) -> Json:
    api = f"{rest.base()}/repos/{repo.full_name}/git"
    found = []
    for mode, kind, sha, size, path in rows:
        entry: Json = {"path": path, "mode": mode, "type": kind, "sha": sha}
        if kind != "commit":
            entry["url"] = f"{api}/{kind}s/{sha}"
        if kind == "blob":
            entry["size"] = size
        found.append(entry)
    return {"sha": oid, "url": f"{api}/trees/{oid}", "tree": found}


def blob(rest: Rest, repo: Repo, oid: str, data: bytes) -> Json:
    return {
        "sha": oid,
        "node_id": f"B_{oid}",
        "size": len(data),
        "url": f"{rest.base()}/repos/{repo.full_name}/git/blobs/{oid}",
        "content": base64.encodebytes(data).decode(),
        "encoding": "base64",
    }


def commit(rest: Rest, repo: Repo, oid: str) -> Json:
    info, api = repo.git.commit(oid), f"{rest.base()}/repos/{repo.full_name}/git"
    person = {"name": info.author[0], "email": info.author[1], "date": info.committed}
    return {
        "sha": oid,
        "node_id": f"C_{oid}",
        "url": f"{api}/commits/{oid}",
        "html_url": f"{rest.base()}/{repo.full_name}/commit/{oid}",
        "author": person,
        "committer": person,
        "message": info.message,
        "tree": {"sha": info.tree, "url": f"{api}/trees/{info.tree}"},
        "parents": [{"sha": parent, "url": f"{api}/commits/{parent}", "html_url": api} for parent in info.parents],
        "verification": {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None},
    }


def long_commit(rest: Rest, repo: Repo, oid: str) -> Json:
    inner, api = commit(rest, repo, oid), f"{rest.base()}/repos/{repo.full_name}"
    return {
        "sha": oid,
        "node_id": f"C_{oid}",
        "url": f"{api}/commits/{oid}",
        "html_url": inner["html_url"],
        "comments_url": f"{api}/commits/{oid}/comments",
        "commit": {
            "url": inner["url"],
            "author": inner["author"],
            "committer": inner["committer"],
            "message": inner["message"],
            "comment_count": 0,
            "tree": inner["tree"],
        },
        "author": None,
        "committer": None,
        "parents": inner["parents"],
    }


def comparison(rest: Rest, repo: Repo, base: str, head: str, common: str) -> Json:
    api, pages = f"{rest.base()}/repos/{repo.full_name}", f"{rest.base()}/{repo.full_name}"
    ahead, behind = repo.git.count(base, head), repo.git.count(head, base)
    return {
        "url": f"{api}/compare/{base}...{head}",
        "html_url": f"{pages}/compare",
        "permalink_url": f"{pages}/compare",
        "diff_url": f"{pages}/compare.diff",
        "patch_url": f"{pages}/compare.patch",
        "base_commit": long_commit(rest, repo, base),
        "merge_base_commit": long_commit(rest, repo, common),
        "status": "diverged" if ahead and behind else "ahead" if ahead else "behind",
        "ahead_by": ahead,
        "behind_by": behind,
        "total_commits": ahead,
        "commits": [long_commit(rest, repo, oid) for oid in repo.git.log("--max-count=1", f"{base}..{head}")],
        "files": [],
    }


def ref(rest: Rest, repo: Repo, name: str, oid: str) -> Json:
    api = f"{rest.base()}/repos/{repo.full_name}/git"
    return {
        "ref": name,
        "node_id": f"REF_{oid}",
        "url": f"{api}/{name}",
        "object": {"type": "commit", "sha": oid, "url": f"{api}/commits/{oid}"},
    }


def rule(one: Json) -> Json:
    """A rule of GraphQL as REST writes it."""
    parameters = one.get("parameters")
    found: Json = {
        "type": one["type"].lower(),
        "ruleset_source_type": "Repository",
        "ruleset_source": "acme/gitops",
        "ruleset_id": 1,
    }
    if one["type"] == "REQUIRED_STATUS_CHECKS" and parameters:
        found["parameters"] = {
            "required_status_checks": [
                {"context": check["context"]} | ({"integration_id": check["integrationId"]} if check.get("integrationId") else {})
                for check in parameters["requiredStatusChecks"]
            ],
            "strict_required_status_checks_policy": parameters["strictRequiredStatusChecksPolicy"],
        }
    return found


def protection(classic: Json) -> Json:
    found: Json = {"url": "https://example.com", "lock_branch": {"enabled": bool(classic.get("lockBranch"))}}
    if classic.get("requiresStatusChecks"):
        names = [check["context"] for check in classic.get("requiredStatusChecks") or ()]
        found["required_status_checks"] = {
            "url": "https://example.com",
            "contexts_url": "https://example.com",
            "strict": bool(classic.get("requiresStrictStatusChecks")),
            "contexts": names,
            "checks": [{"context": name, "app_id": None} for name in names],
        }
    return found
