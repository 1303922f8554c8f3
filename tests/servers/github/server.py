"""A GitHub on a free port of this machine: real git behind REST and GraphQL, with tokens, limits, and troubles by script.

async with GitHubServer(folder) as server:
    repo = server.world.repo("acme/gitops")
    server.world.token("secret", "tagboat-user")
    …                           # a client talks to server.url
    server.asked                # ["Look", "POST /repos/{owner}/{repo}/git/refs", "Commit", …]

Refs are read from git at every request: a person who pushes is seen at once.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import jwt
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.servers.github.graph import Graph
from tests.servers.github.rest import Rest
from tests.servers.github.rest_base import Answer, Handler, Redirect
from tests.servers.github.world import Repo, Viewer, World

PERMISSIONS = {"contents": "write", "pull_requests": "write", "issues": "write", "checks": "write", "administration": "read"}
Kind = Literal["status", "hang", "cut", "drop"]


@dataclass
class Fault:
    """Trouble for the next `times` requests whose name holds `on`. `after`: the request takes effect first, and then its answer
    is lost."""

    on: str
    kind: Kind = "status"
    status: int = 502
    after: bool = False
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=lambda: {"message": "Server Error"})


@cache
def _key() -> rsa.RSAPrivateKey:
    """One App's key for all servers of a process: making one takes a while."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class GitHubServer:
    """`judge` is called with each exchange of REST: method, route, the request's JSON, the answer's status and JSON."""

    def __init__(self, folder: Path, clock: Callable[[], datetime] | None = None) -> None:
        self.world = World(folder, clock)
        self.rest = Rest(self.world, lambda: self.url)
        self.faults: list[Fault] = []
        self.asked: list[str] = []
        self.judge: Callable[[str, str, Any, int, Any], None] | None = None
        self.documents: set[str] = set()
        self.remaining: dict[str, tuple[int, datetime]] = {}  # of a token: what is left, until when
        self.enterprise = False
        self.url = ""
        self._key = _key()
        self._app_id = "1"
        self._runner: web.AppRunner | None = None

    @property
    def private_key(self) -> str:
        """The App's key in PEM."""
        form = serialization.PrivateFormat.TraditionalOpenSSL
        return self._key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()

    def install(self, number: int = 11, repositories: list[str] | None = None, slug: str = "tagboat", **more: Any) -> None:
        """Install the App; None: on every repository."""
        row = {"id": number, "app_id": 1, "app_slug": slug, "permissions": dict(PERMISSIONS), "repositories": repositories}
        self.world.installations[number] = row | more

    def fail(self, on: str, kind: Kind = "status", **more: Any) -> None:
        self.faults.append(Fault(on, kind, **more))

    def take(self) -> list[str]:
        """What was asked since the last time."""
        asked, self.asked = self.asked, []
        return asked

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=128 * 1024 * 1024)
        for prefix in ("", "/api/v3"):
            for method, path, handler in self.rest.routes():
                app.router.add_route(method, f"{prefix}{path}", self._rest(method, path, handler))
        app.router.add_post("/graphql", self._graphql)
        app.router.add_post("/api/graphql", self._graphql)
        app.router.add_route("*", "/{rest:.*}", self._unknown)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    # -- requests

    def _rest(self, method: str, path: str, handler: Handler) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.StreamResponse:
            name = f"{method} {path}"
            return await self._with_faults(request, name, lambda: self._answer(request, path, handler))

        return handle

    async def _answer(self, request: web.Request, path: str, handler: Handler) -> web.StreamResponse:
        try:
            viewer = self._viewer(request, app=path.startswith("/app") or path.endswith("/installation"))
            self._count(request)
            if "owner" in request.match_info:
                repo = self.world.find(f"{request.match_info['owner']}/{request.match_info['repo']}")
                self._see(repo)
            response = await handler(request, viewer)
        except Answer as answer:
            response = web.json_response(answer.body, status=answer.status)
        except Redirect as redirect:
            return web.json_response({"message": "Moved"}, status=redirect.status, headers={"Location": redirect.location})
        except web.HTTPFound as found:
            return web.Response(status=302, headers={"Location": found.location})
        if (
            self.judge is not None
            and isinstance(response, web.Response)
            and (response.status == 204 or response.content_type == "application/json")
        ):
            said = json.loads(await request.text() or "null") if request.can_read_body else None
            self.judge(request.method, path, said, response.status, json.loads(response.text or "null"))
        return self._tagged(request, response)

    def _tagged(self, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        token = self._token(request)
        if token in self.remaining:
            left, reset = self.remaining[token]
            response.headers["X-RateLimit-Limit"] = "5000"
            response.headers["X-RateLimit-Remaining"] = str(left)
            response.headers["X-RateLimit-Reset"] = str(int(reset.timestamp()))
            response.headers["X-RateLimit-Resource"] = "graphql" if request.path.endswith("/graphql") else "core"
        if request.method == "GET" and isinstance(response, web.Response) and response.status == 200 and response.body:
            etag = f'"{hash(bytes(response.body)) & 0xFFFFFFFFFFFF:x}"'  # type: ignore[arg-type]
            if request.headers.get("If-None-Match") == etag:
                return web.Response(status=304, headers={"ETag": etag})
            response.headers["ETag"] = etag
        return response

    async def _graphql(self, request: web.Request) -> web.StreamResponse:
        wish = await request.json()
        query = str(wish["query"])
        self.documents.add(query)
        match = re.search(r"(?:query|mutation) (\w+)", query)
        name = match[1] if match else "?"

        async def answer() -> web.StreamResponse:
            try:
                viewer = self._viewer(request, app=False)
                self._count(request)
            except Answer as problem:
                return web.json_response(problem.body, status=problem.status)
            for repo in list(self.world.repos.values()):
                self._see(repo)
            found = Graph(self.world, viewer, self.url).answer(query, wish.get("variables") or {})
            return self._tagged(request, web.json_response(found))

        return await self._with_faults(request, name, answer)

    async def _unknown(self, request: web.Request) -> web.Response:
        self.asked.append(f"?? {request.method} {request.path}")
        return web.json_response({"message": "Not Found"}, status=404)

    def _see(self, repo: Repo | None) -> None:
        """Take in what people pushed meanwhile."""
        if repo is not None:
            self.world.sync(repo, self.world.account("ada"))

    # -- who may

    @staticmethod
    def _token(request: web.Request) -> str:
        return request.headers.get("Authorization", "").partition(" ")[2]

    def _viewer(self, request: web.Request, app: bool) -> Viewer:
        token = self._token(request)
        if request.path.startswith("/app-manifests"):
            return Viewer(self.world.account("nobody"))
        if app:
            try:
                claims = jwt.decode(token, self._key.public_key(), algorithms=["RS256"], options={"verify_iat": False})
            except jwt.InvalidTokenError:
                raise Answer(401, "A JSON web token could not be decoded") from None
            if str(claims["iss"]) != self._app_id or claims["exp"] - claims["iat"] > 600:
                raise Answer(401, "'Issuer' claim ('iss') must be an Integer")
            return Viewer(self.world.account("tagboat[bot]", "Bot"))
        viewer = self.world.viewers.get(token)
        if viewer is None or (viewer.expires is not None and viewer.expires <= self.world.now()):
            raise Answer(401, "Bad credentials")
        return viewer

    def _count(self, request: web.Request) -> None:
        token = self._token(request)
        if token not in self.remaining:
            return
        left, reset = self.remaining[token]
        if left <= 0 and self.world.now() < reset:
            if request.path.endswith("/graphql"):
                raise Spent
            raise Answer(403, "API rate limit exceeded for installation.")
        if left <= 0:
            left, reset = 5000, self.world.now() + timedelta(hours=1)
        self.remaining[token] = (left - 1, reset)

    # -- troubles

    async def _with_faults(self, request: web.Request, name: str, answer: Callable[[], Any]) -> web.StreamResponse:
        self.asked.append(name)
        fault = next((one for one in self.faults if one.on in name), None)
        try:
            if fault is None:
                found: web.StreamResponse = await answer()
                return found
            fault.times -= 1
            if fault.times <= 0:
                self.faults.remove(fault)
            response = await answer() if fault.after else None
        except Spent:
            body = {"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}
            return self._tagged(request, web.json_response(body))
        match fault.kind:
            case "status":
                return web.json_response(fault.body, status=fault.status, headers=fault.headers)
            case "hang":
                await asyncio.sleep(30)
                return web.Response(status=504)
            case "drop":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case "cut":
                whole = bytes(response.body) if isinstance(response, web.Response) and response.body else b'{"data": {"a": 1}}'  # type: ignore[arg-type]
                stream = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(whole))})
                await stream.prepare(request)
                await stream.write(whole[: len(whole) // 2])
                assert request.transport is not None
                request.transport.close()
                return stream


class Spent(Exception):
    """GraphQL's own way of saying that the allowance is used up."""
