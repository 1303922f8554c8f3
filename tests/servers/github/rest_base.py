"""What the handlers of REST share: answers, redirects, who may see and write what, pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tests.servers.github.world import Pull, Repo, Viewer, World


class Answer(Exception):
    """An answer that is not the usual one."""

    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"message": message, "documentation_url": "https://docs.github.com/rest", **more}


class Redirect(Exception):
    def __init__(self, status: int, location: str) -> None:
        super().__init__(location)
        self.status = status
        self.location = location


Handler = Callable[[web.Request, Viewer], Awaitable[web.StreamResponse]]


class Base:
    """The world behind REST. `base` gives the server's own address."""

    def __init__(self, world: World, base: Callable[[], str]) -> None:
        self.world = world
        self.base = base

    # -- how it is done

    def _repo(self, request: web.Request, viewer: Viewer) -> Repo:
        name = f"{request.match_info['owner']}/{request.match_info['repo']}"
        repo = self.world.find(name)
        if repo is None or not self._visible(repo, viewer):
            raise Answer(404, "Not Found")
        if repo.full_name.lower() != name.lower():
            status = 301 if request.method == "GET" else 307
            rest = request.path.removeprefix(f"/repos/{name}")
            where = f"{self.base()}/repos/{repo.full_name}{rest}"
            raise Redirect(status, f"{where}?{request.query_string}" if request.query_string else where)
        return repo

    def _writable(self, request: web.Request, viewer: Viewer, permission: str = "contents") -> Repo:
        repo = self._repo(request, viewer)
        if repo.archived:
            raise Answer(403, "Repository was archived so is read-only.")
        if not viewer.may(permission, "write"):
            raise Answer(403, "Resource not accessible by integration")
        return repo

    @staticmethod
    def _visible(repo: Repo, viewer: Viewer) -> bool:
        return viewer.repositories is None or repo.full_name in viewer.repositories

    @staticmethod
    def _pull(repo: Repo, request: web.Request) -> Pull:
        pull = repo.pulls.get(int(request.match_info["number"]))
        if pull is None:
            raise Answer(404, "Not Found")
        return pull

    def _page(self, request: web.Request, rows: list[Any], under: str | None = None) -> web.Response:
        size, page = int(request.query.get("per_page", 30)), int(request.query.get("page", 1))
        some = rows[(page - 1) * size : page * size]
        answer = web.json_response({"total_count": len(rows), under: some} if under else some)
        if page * size < len(rows):
            query = "&".join(f"{key}={value}" for key, value in request.query.items() if key != "page")
            answer.headers["Link"] = f'<{self.base()}{request.path}?{query}&page={page + 1}>; rel="next"'
        return answer
