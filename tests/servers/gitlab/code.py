"""The repository: branches, commits, trees, files, archives, comparisons; and pipelines."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.servers.gitlab.merging import GITLAB, Refused
from tests.servers.gitlab.state import DEVELOPER, Project, User

if TYPE_CHECKING:
    from tests.servers.gitlab.server import Call


def _commit_of(call: Call, ref: str) -> str:
    found = call.project.repo.commit_id(ref)
    if found is None:
        raise Refused(404, "404 Commit Not Found")
    return found


def _may_push(project: Project, user: User, branch: str) -> bool:
    return project.level(user) >= project.protected.get(branch, (DEVELOPER, DEVELOPER))[0]


def branch_json(project: Project, user: User, name: str) -> dict[str, Any]:
    head = project.repo.head(name)
    if head is None:
        raise Refused(404, "404 Branch Not Found")
    main = project.repo.head(project.settings["default_branch"] or "main")
    return {
        "name": name,
        "commit": project.repo.info(head),
        "merged": name != "main" and main is not None and project.repo.contains(head, main),
        "protected": name in project.protected,
        "default": name == project.settings["default_branch"],
        "can_push": _may_push(project, user, name),
        "developers_can_push": False,
        "developers_can_merge": False,
    }


def branch(call: Call) -> Any:
    return branch_json(call.project, call.user, call.args[0])


def new_branch(call: Call) -> Any:
    call.knows(body="branch ref")
    call.need(DEVELOPER)
    name = call.body["branch"]
    if call.project.repo.head(name):
        raise Refused(400, "Branch already exists")
    call.server.moved(call.project, call.user, name, _commit_of(call, call.body["ref"]))
    return branch_json(call.project, call.user, name)


def delete_branch(call: Call) -> Any:
    call.need(DEVELOPER)
    name = call.args[0]
    if call.project.repo.head(name) is None:
        raise Refused(404, "404 Branch Not Found")
    if name in call.project.protected:
        raise Refused(403, "403 Forbidden")
    call.server.moved(call.project, call.user, name, None)
    return web.Response(status=204)


def tree(call: Call) -> Any:
    call.knows(query="ref recursive path")
    entries = call.project.repo.tree(_commit_of(call, call.query["ref"]))
    rows = [
        {"id": oid, "name": path.rpartition("/")[2], "type": kind, "path": path, "mode": mode}
        for path, (mode, kind, oid) in entries.items()
        if call.query.get("recursive") == "true" or "/" not in path
    ]
    return call.page(rows)


def raw_blob(call: Call) -> Any:
    return web.Response(body=call.project.repo.blob(call.args[0]), content_type="text/plain")


def archive(call: Call) -> Any:
    call.knows(query="sha path include_lfs_blobs")
    commit = _commit_of(call, call.query["sha"])
    data = call.project.repo.archive(commit, f"{call.project.path.rpartition('/')[2]}-{commit}-{commit}")
    return web.Response(body=data, content_type="application/octet-stream")


def file(call: Call) -> Any:
    call.knows(query="ref")
    commit = _commit_of(call, call.query["ref"])
    entry = call.project.repo.tree(commit).get(call.args[0])
    if entry is None or entry[1] != "blob":
        raise Refused(404, "404 File Not Found")
    mode, _, oid = entry
    data = call.project.repo.blob(oid)
    headers = {
        "X-Gitlab-Blob-Id": oid,
        "X-Gitlab-Commit-Id": commit,
        "X-Gitlab-Execute-Filemode": "true" if mode == "100755" else "false",
        "X-Gitlab-Last-Commit-Id": call.project.repo.log("-1", commit, "--", call.args[0])[0],
        "X-Gitlab-Size": str(len(data)),
    }
    call.headers |= headers
    return {"file_path": call.args[0], "blob_id": oid, "content": base64.b64encode(data).decode()}


def compare(call: Call) -> Any:
    call.knows(query="from to straight")
    repo = call.project.repo
    one, other = _commit_of(call, call.query["from"]), _commit_of(call, call.query["to"])
    if call.query.get("straight") != "true":
        one = repo.merge_base(one, other) or one
    return {"diffs": repo.diff(one, other), "compare_timeout": False, "compare_same_ref": one == other}


def merge_base(call: Call) -> Any:
    one, other = (_commit_of(call, ref) for ref in call.lists["refs[]"])
    found = call.project.repo.merge_base(one, other)
    if found is None:
        raise Refused(404, "404 Merge Base Not Found")
    return call.project.repo.info(found)


def commits(call: Call) -> Any:
    call.knows(query="ref_name path since until")
    args = [f"--since={call.query['since']}"] if "since" in call.query else []
    paths = ["--", call.query["path"]] if "path" in call.query else []
    repo = call.project.repo
    return call.page([repo.info(one) for one in repo.log(*args, _commit_of(call, call.query["ref_name"]), *paths)])


def commit(call: Call) -> Any:
    return call.project.repo.info(_commit_of(call, call.args[0]))


def new_commit(call: Call) -> Any:
    """A commit with actions, as Commits::CreateService takes it."""
    call.knows(body="branch commit_message start_branch start_sha actions author_name author_email force stats")
    call.need(DEVELOPER)
    project, repo, body = call.project, call.project.repo, call.body
    name, force = body["branch"], bool(body.get("force"))
    if not _may_push(project, call.user, name):
        raise Refused(403, "You are not allowed to push into this branch")
    start = body.get("start_sha") or body.get("start_branch")
    there = repo.head(name)
    if start and there and not force:
        raise Refused(400, f"A branch called '{name}' already exists. Switch to that branch in order to make changes")
    parent = repo.commit_id(start) if start else there
    if parent is None:
        wrong = f"Cannot find start_sha '{start}'" if start else "You can only create or edit files when you are on a branch"
        raise Refused(400, wrong)
    files = dict(_act(call, parent, action) for action in body["actions"])
    author = call.user.who
    if body.get("author_email"):
        author = type(author)(body.get("author_name") or author.name, body["author_email"])
    made = repo.commit(body["commit_message"], [parent], author, GITLAB if project.signs else call.user.who, files)
    call.server.moved(project, call.user, name, made)
    return repo.info(made)


def _act(call: Call, parent: str, action: dict[str, Any]) -> tuple[str, tuple[str, str] | None]:
    for name in action.keys() - {"action", "file_path", "content", "encoding", "last_commit_id"}:
        call.server.complaints.append(f"an action with {name!r}")
    repo, path = call.project.repo, action["file_path"]
    entry = repo.tree(parent).get(path)
    if action["action"] != "create" and entry is None:
        raise Refused(400, "A file with this name doesn't exist")
    last = action.get("last_commit_id")
    if last and repo.log("-1", parent, "--", path)[0] != last:
        raise Refused(400, f"The file has changed since you started editing it: {path}")
    if action["action"] == "delete":
        return path, None
    text = action["content"]
    data = base64.b64decode(text) if action.get("encoding") == "base64" else text.encode()
    return path, (entry[0] if entry else "100644", repo.store(data))


def pipelines(call: Call) -> Any:
    call.knows(query="order_by sort sha ref source status updated_after")
    rows = sorted(call.project.pipelines, key=lambda one: one.updated_at, reverse=True)
    return call.page([one.brief(call.project.id) for one in rows])


def pipeline(call: Call) -> Any:
    for one in call.project.pipelines:
        if str(one.id) == call.args[0]:
            return one.brief(call.project.id) | {"user": one.user.brief()}
    raise Refused(404, "404 Not found")


ROUTES = [
    ("GET", "/projects/:id/repository/branches/:branch", branch),
    ("POST", "/projects/:id/repository/branches", new_branch),
    ("DELETE", "/projects/:id/repository/branches/:branch", delete_branch),
    ("GET", "/projects/:id/repository/tree", tree),
    ("GET", "/projects/:id/repository/blobs/:oid/raw", raw_blob),
    ("GET", "/projects/:id/repository/archive.tar.gz", archive),
    ("GET", "/projects/:id/repository/files/:path", file),
    ("GET", "/projects/:id/repository/compare", compare),
    ("GET", "/projects/:id/repository/merge_base", merge_base),
    ("GET", "/projects/:id/repository/commits", commits),
    ("POST", "/projects/:id/repository/commits", new_commit),
    ("GET", "/projects/:id/repository/commits/:sha", commit),
    ("GET", "/projects/:id/pipelines", pipelines),
    ("GET", "/projects/:id/pipelines/:pipeline", pipeline),
]
