"""GitHub's REST, as much of it as Tagboat asks for. Payloads have the fields that GitHub's schema requires; a judge looks on."""

from __future__ import annotations

import base64
from datetime import timedelta

from aiohttp import web

from tests.servers.github import payloads
from tests.servers.github.rest_base import Answer, Handler
from tests.servers.github.rest_requests import Requests
from tests.servers.github.world import Viewer


class Rest(Requests):
    """All handlers: here those of accounts, git and branches."""

    def routes(self) -> list[tuple[str, str, Handler]]:
        repo = "/repos/{owner}/{repo}"
        return [
            ("GET", "/user", self.user),
            ("GET", "/user/repos", self.user_repos),
            ("GET", "/app/installations", self.installations),
            ("POST", "/app/installations/{id}/access_tokens", self.access_token),
            ("POST", "/app-manifests/{code}/conversions", self.conversion),
            ("GET", "/installation/repositories", self.installation_repos),
            ("GET", f"{repo}/installation", self.repo_installation),
            ("GET", repo, self.repository),
            ("GET", f"{repo}/git/trees/{{sha}}", self.tree),
            ("POST", f"{repo}/git/trees", self.make_tree),
            ("GET", f"{repo}/git/blobs/{{sha}}", self.blob),
            ("POST", f"{repo}/git/blobs", self.make_blob),
            ("GET", f"{repo}/git/commits/{{sha}}", self.commit),
            ("POST", f"{repo}/git/commits", self.make_commit),
            ("POST", f"{repo}/git/refs", self.make_ref),
            ("DELETE", f"{repo}/git/refs/{{ref:.+}}", self.delete_ref),
            ("GET", f"{repo}/tarball/{{ref}}", self.tarball),
            ("GET", f"{repo}/compare/{{basehead}}", self.compare),
            ("GET", f"{repo}/rules/branches/{{branch}}", self.rules),
            ("GET", f"{repo}/branches/{{branch}}/protection", self.protection),
            ("POST", f"{repo}/pulls", self.make_pull),
            ("GET", f"{repo}/pulls/{{number}}", self.pull),
            ("PATCH", f"{repo}/pulls/{{number}}", self.edit_pull),
            ("PUT", f"{repo}/pulls/{{number}}/merge", self.merge),
            ("POST", f"{repo}/pulls/{{number}}/requested_reviewers", self.reviewers),
            ("GET", f"{repo}/issues", self.issues),
            ("POST", f"{repo}/issues", self.make_issue),
            ("PATCH", f"{repo}/issues/{{number}}", self.edit_issue),
            ("POST", f"{repo}/issues/{{number}}/labels", self.labels),
            ("POST", f"{repo}/issues/{{number}}/assignees", self.assignees),
            ("GET", f"{repo}/issues/{{number}}/comments", self.comments),
            ("POST", f"{repo}/issues/{{number}}/comments", self.make_comment),
            ("PATCH", f"{repo}/issues/comments/{{id}}", self.edit_comment),
            ("GET", f"{repo}/commits/{{ref}}/check-runs", self.checks),
            ("POST", f"{repo}/check-runs", self.make_check),
            ("PATCH", f"{repo}/check-runs/{{id}}", self.edit_check),
            ("GET", f"{repo}/collaborators/{{user}}/permission", self.permission),
        ]

    # -- who

    async def user(self, request: web.Request, viewer: Viewer) -> web.Response:
        if viewer.installation is not None:
            raise Answer(403, "Resource not accessible by integration")
        counts = {"public_repos": 0, "public_gists": 0, "followers": 0, "following": 0}
        words = dict.fromkeys(("name", "company", "location", "email", "hireable", "bio", "blog"))
        times = {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
        return web.json_response(payloads.user(self, viewer.account) | counts | words | times)

    async def user_repos(self, request: web.Request, viewer: Viewer) -> web.Response:
        if viewer.installation is not None:
            raise Answer(403, "Resource not accessible by integration")
        return self._page(request, [payloads.repository(self, repo, viewer) for repo in self.world.repos.values()])

    async def installations(self, request: web.Request, viewer: Viewer) -> web.Response:
        return self._page(request, [payloads.installation(self, row) for row in self.world.installations.values()])

    async def access_token(self, request: web.Request, viewer: Viewer) -> web.Response:
        row = self.world.installations.get(int(request.match_info["id"]))
        if row is None:
            raise Answer(404, "Not Found")
        number = next(self.world.ids)
        token, ends = f"ghs_{number}", self.world.now() + timedelta(hours=1)
        account = self.world.account(f"{row['app_slug']}[bot]", "Bot")
        names = frozenset(row["repositories"]) if row.get("repositories") is not None else None
        self.world.viewers[token] = Viewer(account, row["id"], row["app_slug"], row["permissions"], ends, names)
        return web.json_response(
            {
                "token": token,
                "expires_at": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "permissions": row["permissions"],
                "repository_selection": "all",
            },
            status=201,
        )

    async def conversion(self, request: web.Request, viewer: Viewer) -> web.Response:
        found = self.world.conversions.pop(request.match_info["code"], None)
        if found is None:
            raise Answer(404, "Not Found")
        return web.json_response(payloads.app(self, found), status=201)

    async def installation_repos(self, request: web.Request, viewer: Viewer) -> web.Response:
        if viewer.installation is None:
            raise Answer(403, "You must authenticate with an installation access token in order to list repositories.")
        seen = [repo for repo in self.world.repos.values() if self._visible(repo, viewer)]
        rows = [payloads.repository(self, repo, viewer) for repo in seen]
        return self._page(request, rows, under="repositories")

    async def repo_installation(self, request: web.Request, viewer: Viewer) -> web.Response:
        name = f"{request.match_info['owner']}/{request.match_info['repo']}"
        for row in self.world.installations.values():
            if self.world.find(name) and (row.get("repositories") is None or name in row["repositories"]):
                return web.json_response(payloads.installation(self, row))
        raise Answer(404, "Not Found")

    async def repository(self, request: web.Request, viewer: Viewer) -> web.Response:
        return web.json_response(payloads.full_repository(self, self._repo(request, viewer), viewer))

    async def permission(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, user = self._repo(request, viewer), request.match_info["user"]
        if user not in self.world.accounts:
            raise Answer(404, "Not Found")
        level = repo.permissions.get(user, "read")
        return web.json_response({"permission": level, "role_name": level, "user": None})

    # -- git

    async def tree(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, sha = self._repo(request, viewer), request.match_info["sha"]
        oid = repo.git.resolve(f"{sha}^{{tree}}")
        if oid is None:
            raise Answer(404, "Not Found")
        recursive = bool(request.query.get("recursive"))
        rows = repo.git.list_tree(oid, recursive)
        limit = self.tree_limit
        answer = payloads.tree(self, repo, oid, rows[:limit] if recursive else rows)
        answer["truncated"] = recursive and len(rows) > limit
        return web.json_response(answer)

    tree_limit = 100_000

    async def make_tree(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, wish = self._writable(request, viewer), await request.json()
        rows = []
        for row in wish["tree"]:
            oid = row.get("sha") or repo.git.write_blob(row["content"].encode())
            rows.append((row["path"], row["mode"], oid))
        oid = repo.git.write_tree(wish.get("base_tree"), rows, self.world.folder / "index")
        return web.json_response(
            payloads.tree(self, repo, oid, repo.git.list_tree(oid, False)) | {"truncated": False}, status=201
        )

    async def blob(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, sha = self._repo(request, viewer), request.match_info["sha"]
        if repo.git.kind(sha) != "blob":
            raise Answer(404, "Not Found")
        return web.json_response(payloads.blob(self, repo, sha, repo.git.blob(sha)))

    async def make_blob(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, wish = self._writable(request, viewer), await request.json()
        data = base64.b64decode(wish["content"]) if wish.get("encoding") == "base64" else wish["content"].encode()
        oid = repo.git.write_blob(data)
        return web.json_response({"sha": oid, "url": f"{self.base()}/repos/{repo.full_name}/git/blobs/{oid}"}, status=201)

    async def commit(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, sha = self._repo(request, viewer), request.match_info["sha"]
        if repo.git.kind(sha) != "commit":
            raise Answer(404, "Not Found")
        return web.json_response(payloads.commit(self, repo, sha))

    async def make_commit(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, wish = self._writable(request, viewer), await request.json()
        author = wish.get("author")
        person = (author["name"], author["email"]) if author else viewer.account.person
        oid = repo.git.write_commit(wish["tree"], wish["parents"], wish["message"], person, person)
        return web.json_response(payloads.commit(self, repo, oid), status=201)

    async def make_ref(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, wish = self._writable(request, viewer), await request.json()
        if repo.git.kind(wish["sha"]) != "commit":
            raise Answer(422, "Object does not exist")
        if repo.git.resolve(wish["ref"]):
            raise Answer(422, "Reference already exists")
        if not repo.git.set_ref(wish["ref"], wish["sha"], "0" * 40):
            raise Answer(422, "Reference update failed")
        return web.json_response(payloads.ref(self, repo, wish["ref"], wish["sha"]), status=201)

    async def delete_ref(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, ref = self._writable(request, viewer), f"refs/{request.match_info['ref']}"
        if repo.git.resolve(ref) is None or ref.removeprefix("refs/heads/") in repo.locked_branches:
            raise Answer(422, "Reference does not exist")
        repo.git.delete_ref(ref)
        self.world.sync(repo, viewer.account)
        return web.Response(status=204)

    async def tarball(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo, ref = self._repo(request, viewer), request.match_info["ref"]
        if "away" not in request.query:
            raise web.HTTPFound(f"{self.base()}/repos/{repo.full_name}/tarball/{ref}?away=1")
        data = repo.git.archive(ref, f"{repo.owner}-{repo.name}-{ref[:7]}")
        return web.Response(body=data, content_type="application/x-gzip")

    async def compare(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo = self._repo(request, viewer)
        base, head = request.match_info["basehead"].split("...")
        one, other = repo.git.resolve(base), repo.git.resolve(head)
        common = one and other and repo.git.merge_base(one, other)
        if not one or not other or not common:
            raise Answer(404, "Not Found")
        return web.json_response(payloads.comparison(self, repo, one, other, common))

    # -- what a branch demands

    async def rules(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo = self._repo(request, viewer)
        return web.json_response([payloads.rule(rule) for rule in repo.rules.get(request.match_info["branch"], ())])

    async def protection(self, request: web.Request, viewer: Viewer) -> web.Response:
        repo = self._repo(request, viewer)
        if not viewer.may("administration"):
            raise Answer(403, "Resource not accessible by integration")
        classic = repo.classic.get(request.match_info["branch"])
        if classic is None:
            raise Answer(404, "Branch not protected")
        return web.json_response(payloads.protection(classic))
