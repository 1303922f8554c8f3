"""REST of pull requests, issues and check runs."""

from __future__ import annotations

from datetime import datetime

from aiohttp import web

from tests.servers.github import payloads_requests as payloads
from tests.servers.github.rest_base import Answer, Base
from tests.servers.github.world import CheckRun, Comment, Issue, Pull, Repo, Viewer


class Requests(Base):
    """The handlers of what is said and decided about changes."""

    # -- pull requests

    async def make_pull(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, wish = self._writable(request, viewer, "pull_requests"), await request.json()
        head, base = repo.head(wish["head"]), repo.head(wish["base"])
        if head is None or base is None:
            field = "head" if head is None else "base"
            raise Answer(422, "Validation Failed", errors=[{"resource": "PullRequest", "field": field, "code": "invalid"}])
        for other in repo.pulls.values():
            if (other.state, other.head, other.base) == ("OPEN", wish["head"], wish["base"]):
                text = f"A pull request already exists for {repo.owner}:{wish['head']}."
                raise Answer(422, "Validation Failed", errors=[{"resource": "PullRequest", "code": "custom", "message": text}])
        if not repo.git.count(base, head):
            text = f"No commits between {wish['base']} and {wish['head']}"
            raise Answer(422, "Validation Failed", errors=[{"resource": "PullRequest", "code": "custom", "message": text}])
        pull = self.add_pull(repo, viewer.account.login, wish["head"], wish["base"], wish["title"], wish.get("body") or "")
        return web.json_response(payloads.pull(self, repo, pull), status=201)

    def add_pull(self, repo: Repo, login: str, head: str, base: str, title: str, body: str = "", head_repo: str = "") -> Pull:
        number, now = max([*repo.pulls, *repo.issues], default=0) + 1, self.world.now()
        pull = Pull(
            id=next(self.world.ids),
            number=number,
            title=title,
            body=body,
            author=self.world.account(login),
            base=base,
            head=head,
            head_repo=head_repo or repo.full_name,
            head_oid=repo.head(head) or "0" * 40,
            created=now,
            updated=now,
        )
        repo.pulls[number] = pull
        return pull

    async def pull(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo = self._repo(request, viewer)
        return web.json_response(payloads.pull(self, repo, self._pull(repo, request)))

    async def edit_pull(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, wish = self._writable(request, viewer, "pull_requests"), await request.json()
        pull = self._pull(repo, request)
        pull.title, pull.body = wish.get("title", pull.title), wish.get("body", pull.body)
        pull.updated = self.world.now()
        if wish.get("state") == "closed" and pull.state == "OPEN":
            self.world.close(repo, pull.number, viewer.account.login)
        return web.json_response(payloads.pull(self, repo, pull))

    async def merge(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, wish = self._writable(request, viewer), await request.json()
        pull = self._pull(repo, request)
        method = wish.get("merge_method", "merge")
        if pull.state != "OPEN":
            raise Answer(405, "Pull Request is not mergeable")
        if wish.get("sha") not in (None, pull.head_oid):
            raise Answer(409, "Head branch was modified. Review and try the merge again.")
        if method not in repo.methods:
            raise Answer(405, f"{method.capitalize()} merges are not allowed on this repository.")
        state = self.world.merge_state(repo, pull)
        if self.world.has_queue(repo, pull.base):
            raise Answer(405, "Changes must be made through the merge queue")
        if state in ("BLOCKED", "BEHIND", "DIRTY"):
            raise Answer(
                405, "Pull Request is not mergeable" if state == "DIRTY" else f"Repository rule violations found ({state})"
            )
        new = self.world.land(repo, pull, method, wish.get("commit_title"), wish.get("commit_message"), viewer.account)
        if new is None:
            raise Answer(409, "Base branch was modified. Review and try the merge again.")
        return web.json_response({"sha": new, "merged": True, "message": "Pull Request successfully merged"})

    async def reviewers(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, wish = self._writable(request, viewer, "pull_requests"), await request.json()
        pull = self._pull(repo, request)
        users, teams = wish.get("reviewers") or [], wish.get("team_reviewers") or []
        if any(user not in repo.permissions for user in users) or any(team not in repo.teams for team in teams):
            raise Answer(422, "Reviews may only be requested from collaborators. One or more of those you specified is not.")
        pull.reviewers |= set(users)
        pull.teams |= set(teams)
        return web.json_response(payloads.pull_simple(self, repo, pull), status=201)

    # -- issues

    async def issues(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, creator = self._repo(request, viewer), request.query.get("creator")
        rows = [payloads.issue(self, repo, one) for one in repo.issues.values() if creator in (None, one.author.login)]
        return self._page(request, rows)

    async def make_issue(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, wish = self._writable(request, viewer, "issues"), await request.json()
        number = max([*repo.pulls, *repo.issues], default=0) + 1
        repo.issues[number] = Issue(number, wish["title"], wish.get("body") or "", viewer.account)
        return web.json_response(payloads.issue(self, repo, repo.issues[number]), status=201)

    async def edit_issue(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, wish = self._writable(request, viewer, "issues"), await request.json()
        issue = repo.issues[int(request.match_info["number"])]
        issue.body = wish.get("body", issue.body)
        return web.json_response(payloads.issue(self, repo, issue))

    async def labels(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, wish = self._writable(request, viewer, "issues"), await request.json()
        pull = self._pull(repo, request)
        pull.labels |= set(wish["labels"])
        repo.labels |= pull.labels
        return web.json_response([payloads.label(self, repo, name) for name in sorted(pull.labels)])

    async def assignees(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, wish = self._writable(request, viewer, "issues"), await request.json()
        pull = self._pull(repo, request)
        pull.assignees |= {name for name in wish["assignees"] if name in repo.permissions}
        return web.json_response(payloads.issue_of(self, repo, pull), status=201)

    async def comments(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo = self._repo(request, viewer)
        since = datetime.fromisoformat(request.query["since"]) if "since" in request.query else None
        found = [one for one in self._pull(repo, request).comments if since is None or one.updated >= since]
        return self._page(request, [payloads.comment(self, repo, one) for one in found])

    async def make_comment(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, wish = self._writable(request, viewer, "issues"), await request.json()
        made = self.world.say(repo, self._pull(repo, request).number, viewer.account.login, wish["body"])
        return web.json_response(payloads.comment(self, repo, made), status=201)

    async def edit_comment(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, wish = self._writable(request, viewer, "issues"), await request.json()
        for comment in self._every_comment(repo):
            if comment.id == int(request.match_info["id"]):
                comment.body, comment.updated = wish["body"], self.world.now()
                return web.json_response(payloads.comment(self, repo, comment))
        raise Answer(404, "Not Found")

    @staticmethod
    def _every_comment(repo: Repo) -> list[Comment]:
        return [comment for pull in repo.pulls.values() for comment in pull.comments]

    # -- check runs

    async def checks(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, name = self._repo(request, viewer), request.query.get("check_name")
        runs = [run for run in repo.checks.get(request.match_info["ref"], ()) if name in (None, run.name)]
        rows = [payloads.check_run(self, repo, run) for run in runs]
        return web.json_response({"total_count": len(rows), "check_runs": rows})

    async def make_check(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, wish = self._writable(request, viewer, "checks"), await request.json()
        run = CheckRun(
            id=next(self.world.ids),
            name=wish["name"],
            sha=wish["head_sha"],
            status=wish.get("status", "queued"),
            conclusion=wish.get("conclusion"),
            app=viewer.app_slug or "",
            started=self.world.now(),
            external_id=wish.get("external_id", ""),
            output=wish.get("output") or {},
        )
        repo.checks.setdefault(run.sha, []).append(run)
        self.world.settle(repo)
        return web.json_response(payloads.check_run(self, repo, run), status=201)

    async def edit_check(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, wish = self._writable(request, viewer, "checks"), await request.json()
        for runs in repo.checks.values():
            for run in runs:
                if run.id == int(request.match_info["id"]):
                    run.conclusion, run.external_id = wish.get("conclusion"), wish.get("external_id", run.external_id)
                    run.output = wish.get("output") or run.output
                    return web.json_response(payloads.check_run(self, repo, run))
        raise Answer(404, "Not Found")
