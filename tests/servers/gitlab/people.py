"""Users, the token's own record, projects, members, events, issues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.servers.gitlab.merging import Refused
from tests.servers.gitlab.state import DEVELOPER, Issue, Project

if TYPE_CHECKING:
    from tests.servers.gitlab.server import Call


def user(call: Call) -> Any:
    me = call.user
    return me.brief() | {"email": me.email, "commit_email": me.email, "public_email": "", "bot": me.bot}


def users(call: Call) -> Any:
    call.knows(query="username search")
    name = call.query.get("username", "").lower()
    return [one.brief() for one in call.server.users.values() if one.username.lower() == name]


def own_token(call: Call) -> Any:
    from tests.servers.gitlab.server import token_json

    return token_json(call.token, call.server.time.now().date())


def project_json(project: Project, level: int) -> dict[str, Any]:
    return project.settings | {
        "id": project.id,
        "path_with_namespace": project.path,
        "web_url": f"https://gitlab.example.com/{project.path}",
        "archived": project.archived,
        "forked_from_project": {"id": 9999} if project.fork else None,
        "empty_repo": project.settings["default_branch"] is None,
        "marked_for_deletion_on": None,
        "jobs_enabled": True,
        "permissions": {"project_access": {"access_level": level}, "group_access": None},
    }


def projects(call: Call) -> Any:
    call.knows(query="membership archived min_access_level order_by sort simple")
    least = int(call.query.get("min_access_level", 0))
    rows = []
    for project in call.server.projects.values():
        level = project.level(call.user)
        if project.removed or not level or level < least or (call.query.get("archived") == "false" and project.archived):
            continue
        rows.append(project_json(project, level))
    return call.page(rows)


def project(call: Call) -> Any:
    return project_json(call.project, call.project.level(call.user))


def member(call: Call) -> Any:
    number = int(call.args[0])
    if number not in call.project.members:
        raise Refused(404, "404 Not found")
    one = call.project.users[number]
    return one.brief() | {"access_level": call.project.members[number]}


def events(call: Call) -> Any:
    call.knows(query="action after before sort target_type")
    told = call.project.events[: len(call.project.events) - call.project.silent]
    call.project.silent = max(0, call.project.silent - 1)
    return call.page(list(reversed(told)))


def issues(call: Call) -> Any:
    call.knows(query="author_id search in state")
    if not call.project.issues_enabled:
        raise Refused(404, "404 Not found")
    wanted = call.query.get("search", "").lower()
    rows = [
        _issue(one)
        for one in call.project.issues
        if wanted in one.title.lower() and str(one.author.id) == call.query.get("author_id", str(one.author.id))
    ]
    return call.page(list(reversed(rows)))


def new_issue(call: Call) -> Any:
    call.knows(body="title description labels")
    call.need(DEVELOPER)
    if not call.project.issues_enabled:
        raise Refused(404, "404 Not found")
    one = Issue(len(call.project.issues) + 1, call.user, call.body["title"], call.body.get("description", ""))
    call.project.issues.append(one)
    return _issue(one)


def edit_issue(call: Call) -> Any:
    call.knows(body="title description state_event")
    call.need(DEVELOPER)
    one = call.project.issues[int(call.args[0]) - 1]
    one.description = call.body.get("description", one.description)
    return _issue(one)


def _issue(one: Issue) -> dict[str, Any]:
    return {"iid": one.iid, "title": one.title, "description": one.description, "state": one.state, "author": one.author.brief()}


ROUTES = [
    ("GET", "/user", user),
    ("GET", "/users", users),
    ("GET", "/personal_access_tokens/self", own_token),
    ("GET", "/projects", projects),
    ("GET", "/projects/:id", project),
    ("GET", "/projects/:id/members/all/:user", member),
    ("GET", "/projects/:id/events", events),
    ("GET", "/projects/:id/issues", issues),
    ("POST", "/projects/:id/issues", new_issue),
    ("PUT", "/projects/:id/issues/:iid", edit_issue),
]
