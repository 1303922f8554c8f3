"""The HTTP side: who asks, what is counted, what goes wrong, and which handler answers."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlencode

from aiohttp import web

from tests.servers.gitlab import code, people, requests
from tests.servers.gitlab.merging import Refused
from tests.servers.gitlab.rules import Dropped, Rule, Truncated
from tests.servers.gitlab.state import Project, Token, User
from tests.servers.gitlab.world import World

Handler = Callable[["Call"], Any]


@dataclass(slots=True)
class Call:
    """A request as a handler sees it."""

    server: GitLabServer
    method: str
    path: str
    args: tuple[str, ...]
    query: dict[str, str]
    lists: dict[str, list[str]]
    body: dict[str, Any]
    token: Token
    project_: Project | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def user(self) -> User:
        return self.token.user

    @property
    def project(self) -> Project:
        assert self.project_ is not None
        return self.project_

    def need(self, level: int) -> None:
        """Raises 403 where the user's role is less; nothing is written in an archived project."""
        if self.project.archived or self.project.level(self.user) < level:
            raise Refused(403, "403 Forbidden")

    def knows(self, body: str = "", query: str = "") -> None:
        """Note parameters that GitLab does not have: it would ignore them."""
        for name in self.body.keys() - set(body.split()):
            self.server.complaints.append(f"{self.method} {self.path}: {name!r} in the body")
        for name in self.query.keys() - {*query.split(), "page", "per_page", "page_token", "pagination"}:
            self.server.complaints.append(f"{self.method} {self.path}: {name!r} in the query")

    def page(self, rows: list[Any]) -> list[Any]:
        """One page of a list, with the headers that lead on."""
        size = min(int(self.query.get("per_page") or 20), 100)
        start = 0
        if self.query.get("pagination") == "keyset":
            token = self.query.get("page_token")
            start = int(token) if token else 0
            if start + size < len(rows):
                onward = urlencode(self.query | {"page_token": str(start + size)})
                self.headers["Link"] = f'<http://gitlab.internal:8080/api/v4{self.path}?{onward}>; rel="next"'
        else:
            number = int(self.query.get("page") or 1)
            start = size * (number - 1)
            self.headers |= {"X-Page": str(number), "X-Per-Page": str(size), "X-Total": str(len(rows))}
            self.headers["X-Next-Page"] = str(number + 1) if start + size < len(rows) else ""
        return rows[start : start + size]


class GitLabServer(World):
    """Listens on a free port of the loopback address."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.rules: list[Rule] = []
        self.log: list[str] = []
        self.complaints: list[str] = []
        self.busy = self.busiest = 0
        self.delay = 0.0
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []
        for module in (people, code, requests):
            for method, pattern, handler in module.ROUTES:
                expression = re.sub(r":\w+", "([^/]+)", pattern)
                self._routes.append((method, re.compile(f"{expression}\\Z"), handler))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def counted(self) -> Counter[str]:
        return Counter(self.log)

    def forget(self) -> None:
        """Start counting anew."""
        self.log.clear()

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/{tail:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            return await self._answer(request)
        except Dropped:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        finally:
            self.busy -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        raw = request.raw_path.partition("?")[0]
        if not raw.startswith("/api/v4/"):
            return web.json_response({"error": "404 Not Found"}, status=404)
        path = raw.removeprefix("/api/v4").rstrip("/")
        secret = request.headers.get("PRIVATE-TOKEN") or request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.log.append(f"{request.method} {unquote(path)}")
        body = await request.read()
        if self.delay:
            await asyncio.sleep(self.delay)
        if (early := await self._rules(request.method, path, secret, after=False)) is not None:
            return early
        answer = self._handle(request, path, secret, body)
        try:
            late = await self._rules(request.method, path, secret, after=True)
        except Truncated:
            return await self._half(request, answer)
        return late if late is not None else answer

    async def _rules(self, method: str, path: str, token: str, *, after: bool) -> web.StreamResponse | None:
        for rule in list(self.rules):
            if rule.after == after and rule.fits(method, unquote(path), token):
                answer = await rule.carry_out()
                if answer is not None:
                    return answer
        return None

    async def _half(self, request: web.Request, answer: web.Response) -> web.StreamResponse:
        data = bytes(answer.body or b"")  # type: ignore[arg-type]
        response = web.StreamResponse(status=answer.status, headers={"Content-Length": str(len(data))})
        response.content_type = "application/json"
        await response.prepare(request)
        await response.write(data[: len(data) // 2])
        raise Dropped

    def _handle(self, request: web.Request, path: str, secret: str, body: bytes) -> web.Response:
        token = self.tokens.get(secret)
        today = self.time.now().date()
        if token is None or token.revoked or (token.expires_at is not None and token.expires_at <= today):
            return web.json_response({"message": "401 Unauthorized"}, status=401)
        if "api" not in token.scopes and (request.method not in ("GET", "HEAD") or "read_api" not in token.scopes):
            return web.json_response({"error": "insufficient_scope", "scope": "api"}, status=403)
        call = Call(self, request.method, path, (), {}, {}, {}, token)
        call.lists = {key: request.query.getall(key) for key in request.query}
        call.query = {key: values[-1] for key, values in call.lists.items()}
        try:
            call.body = json.loads(body) if body and body != b"null" else {}
            return self._dispatch(call)
        except Moved as moved:
            return web.Response(status=301, headers={"Location": f"{self.url}/api/v4{moved.path}?{request.query_string}"})
        except Refused as refused:
            return web.json_response({"message": refused.message}, status=refused.status)

    def _dispatch(self, call: Call) -> web.Response:
        method = "GET" if call.method == "HEAD" else call.method
        for wanted, pattern, handler in self._routes:
            found = pattern.match(call.path)
            if found is None or wanted != method:
                continue
            call.args = tuple(map(unquote, found.groups()))
            if call.path.startswith("/projects/"):
                call.project_, call.args = self._find(call, call.args[0]), call.args[1:]
            outcome = handler(call)
            if isinstance(outcome, web.Response):
                return outcome
            status = 201 if method == "POST" else 200
            return web.json_response(outcome, status=status, headers=call.headers)
        self.complaints.append(f"there is no {call.method} {call.path}")
        raise Refused(404, "404 Not Found")

    def _find(self, call: Call, key: str) -> Project:
        for project in self.projects.values():
            if project.removed or project.level(call.user) == 0:
                continue
            if key in (str(project.id), project.path):
                return project
            if key in project.old_paths and call.method in ("GET", "HEAD"):
                raise Moved(re.sub(r"\A/projects/[^/]+", f"/projects/{project.id}", call.path))
        raise Refused(404, "404 Project Not Found")


class Moved(Exception):
    """The project has another path."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def token_json(token: Token, today: date) -> dict[str, Any]:
    expired = token.expires_at is not None and token.expires_at <= today
    return {
        "id": 1,
        "name": token.name,
        "revoked": token.revoked,
        "scopes": list(token.scopes),
        "user_id": token.user.id,
        "active": not (token.revoked or expired),
        "expires_at": token.expires_at.isoformat() if token.expires_at else None,
    }
