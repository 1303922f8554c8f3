"""As much of a Harbor as Tagboat talks to: the registry behind a token service, and the artifacts of API v2.0.

A manifest that is read is a pull, and `pulls` has it. Names are taken only as Harbor takes them: a slash encoded twice.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from bot.demo.registry import DemoRegistry

ROBOT, SECRET = "robot$team+tagboat", "robot-secret"
_TOKEN = "a-token-for-the-registry-only"


class HarborServer(DemoRegistry):
    """A Harbor for ROBOT alone. `may_use_api`: whether the robot has more rights than to pull."""

    def __init__(self) -> None:
        super().__init__()
        self.may_use_api = True
        self.pushed_at: dict[tuple[str, str], datetime] = {}
        self.pulls: list[str] = []
        self.api_requests: list[str] = []

    async def push(self, repository: str, tag: str, at: datetime, **image: Any) -> str:
        """Put an image there, pushed at a moment; its digest."""
        self.pushed_at[repository, tag] = at
        return await self.put_image(repository, tag, **image)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/service/token":
            return web.json_response({"token": _TOKEN}) if self._is_robot(request) else web.json_response({}, status=401)
        if request.raw_path.startswith("/api/v2.0/"):
            return self._api(request)
        if request.headers.get("Authorization") != f"Bearer {_TOKEN}":
            challenge = f'Bearer realm="http://{self.host}/service/token",service="harbor-registry"'
            return web.json_response({}, status=401, headers={"WWW-Authenticate": challenge})
        if request.method == "GET" and "/manifests/" in request.path:
            self.pulls.append(request.path)
        return await super()._serve(request)

    def _is_robot(self, request: web.Request) -> bool:
        expected = base64.b64encode(f"{ROBOT}:{SECRET}".encode()).decode()
        return request.headers.get("Authorization") == f"Basic {expected}"

    def _api(self, request: web.Request) -> web.Response:
        self.api_requests.append(request.raw_path)
        if not self._is_robot(request):
            return web.json_response({"errors": [{"code": "UNAUTHORIZED"}]}, status=401)
        if not self.may_use_api:
            return web.json_response({"errors": [{"code": "FORBIDDEN"}]}, status=403)
        parts = request.raw_path.partition("?")[0].removeprefix("/api/v2.0/").split("/")
        if len(parts) not in (5, 6) or (parts[0], parts[2], parts[4]) != ("projects", "repositories", "artifacts"):
            return web.json_response({"errors": [{"code": "NOT_FOUND"}]}, status=404)
        repository = f"{parts[1]}/{unquote(unquote(parts[3]))}"
        tags = self.tags(repository)
        if len(parts) == 6:
            digest = tags.get(parts[5], parts[5])
            if digest not in self._repositories[repository].manifests:
                return web.json_response({"errors": [{"code": "NOT_FOUND"}]}, status=404)
            return web.json_response(self._artifact(repository, digest, request))
        assert request.query["q"] == "tags=*"
        digests = sorted(set(tags.values()), key=lambda digest: self._newest(repository, digest), reverse=True)
        size, page = int(request.query["page_size"]), int(request.query["page"])
        shown = digests[size * (page - 1) : size * page]
        return web.json_response([self._artifact(repository, digest, request) for digest in shown])

    def _newest(self, repository: str, digest: str) -> datetime:
        never = datetime(1, 1, 1, tzinfo=UTC)
        return max(self.pushed_at.get((repository, t), never) for t, d in self.tags(repository).items() if d == digest)

    def _artifact(self, repository: str, digest: str, request: web.Request) -> dict[str, Any]:
        manifest = json.loads(self._repositories[repository].manifests[digest][1])
        found: dict[str, Any] = {
            "digest": digest,
            "type": "IMAGE",
            "size": 123,
            "annotations": manifest.get("annotations") or None,
        }
        if "manifests" in manifest:
            found["references"] = [{"child_digest": m["digest"], "platform": m["platform"]} for m in manifest["manifests"]]
        else:
            config = json.loads(self._blobs[manifest["config"]["digest"]])
            found["extra_attrs"] = {key: config.get(key) for key in ("architecture", "os", "created", "config")}
            found["references"] = None
        if request.query.get("with_tag") == "true":
            times = {t: self.pushed_at.get((repository, t)) for t, d in self.tags(repository).items() if d == digest}
            found["tags"] = [
                {"name": tag, "push_time": at.isoformat().replace("+00:00", "Z") if at else "0001-01-01T00:00:00.000Z"}
                for tag, at in times.items()
            ]
        return found
