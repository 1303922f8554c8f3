"""A small real OCI registry, in memory, on loopback: for the demo, for tests and for benchmarks.

It speaks the distribution protocol as far as registries are read and pushed to: `skopeo copy` works both ways. Every request
is counted, and `on_push` hears of every tag that is pushed over the protocol.

    async with DemoRegistry() as registry:
        await registry.put_image("acme/web", "1.0.0")
        print(registry.host)          # 127.0.0.1:41234
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from bisect import bisect_right
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import quote

from aiohttp import web

from rules.images import DIGEST, TAG

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_ROUTE = re.compile(r"/v2/(?P<name>[a-z0-9._/-]+)/(?P<what>tags|manifests|blobs)/(?P<rest>.+)")
_LARGEST = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Push:
    """A tag that was pushed."""

    repository: str
    tag: str
    digest: str


@dataclass(slots=True)
class _Repository:
    tags: dict[str, str] = field(default_factory=dict)
    ordered: list[str] | None = None  # the same tags in order, until one comes or goes
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # digest -> media type, bytes


class DemoRegistry:
    """One registry on a free port of the loopback address."""

    def __init__(self, on_push: Callable[[Push], Awaitable[None]] | None = None) -> None:
        self.on_push = on_push
        self.requests: Counter[str] = Counter()
        self.port = 0
        self._repositories: dict[str, _Repository] = {}
        self._blobs: dict[str, bytes] = {}
        self._uploads: dict[str, bytearray] = {}
        self._runner: web.AppRunner | None = None

    @property
    def host(self) -> str:
        """What stands before the first slash of an image's name."""
        return f"127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        """Listen on a port; 0 takes a free one."""
        app = web.Application(client_max_size=_LARGEST)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening; what was pushed stays."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    async def put_image(
        self,
        repository: str,
        tag: str | None,
        *,
        platforms: Iterable[str] = ("linux/amd64",),
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        created: str = "2026-01-01T00:00:00Z",
        layers: Iterable[bytes] = (),
        attested: bool = False,
    ) -> str:
        """Put an image there as a push would, without the hook; its digest. Several platforms make an index, and so does
        `attested`, which adds what BuildKit adds: a manifest for the platform `unknown/unknown`."""
        where = self._repositories.setdefault(repository, _Repository())
        named = list(platforms)
        contents = list(layers) or [f"{repository}:{tag}".encode()]
        made = [(name, self._manifest(where, name, labels or {}, annotations or {}, created, contents)) for name in named]
        if attested:
            made.append(("unknown/unknown", self._manifest(where, "unknown/unknown", {}, {}, created, [b"attestation"])))
        if len(made) == 1:
            digest = made[0][1]
        else:
            entries = [
                {"mediaType": _MANIFEST, "digest": one, "size": len(where.manifests[one][1]), "platform": _platform(name)}
                for name, one in made
            ]
            index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries, "annotations": dict(annotations or {})}
            digest = self._keep(where, _INDEX, _json(index))
        if tag is not None:
            self._point(where, tag, digest)
        return digest

    async def put_tags(self, repository: str, tags: Iterable[str]) -> str:
        """Make many tags of one small image; its digest."""
        digest = await self.put_image(repository, None)
        where = self._repositories[repository]
        where.tags |= dict.fromkeys(tags, digest)
        where.ordered = None
        return digest

    def tags(self, repository: str) -> dict[str, str]:
        """Tags and their digests."""
        found = self._repositories.get(repository)
        return dict(found.tags) if found else {}

    def delete_tag(self, repository: str, tag: str) -> None:
        """Take a tag away. Raises KeyError where there is none."""
        where = self._repositories[repository]
        del where.tags[tag]
        where.ordered = None

    def _manifest(
        self,
        where: _Repository,
        platform: str,
        labels: Mapping[str, str],
        annotations: Mapping[str, str],
        created: str,
        layers: Iterable[bytes],
    ) -> str:
        config = self._blob(_json({**_platform(platform), "created": created, "config": {"Labels": dict(labels)}}))
        parts = [(self._blob(layer), len(layer)) for layer in layers]
        document = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": {"mediaType": _CONFIG, "digest": config, "size": len(self._blobs[config])},
            "layers": [{"mediaType": _LAYER, "digest": digest, "size": size} for digest, size in parts],
            "annotations": dict(annotations),
        }
        return self._keep(where, _MANIFEST, _json(document))

    def _blob(self, content: bytes) -> str:
        digest = _digest(content)
        self._blobs[digest] = content
        return digest

    def _keep(self, where: _Repository, media_type: str, body: bytes) -> str:
        digest = _digest(body)
        where.manifests[digest] = (media_type, body)
        return digest

    def _point(self, where: _Repository, tag: str, digest: str) -> None:
        if tag not in where.tags:
            where.ordered = None
        where.tags[tag] = digest

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.path in ("/v2", "/v2/"):
            return web.json_response({}, headers={"Docker-Distribution-API-Version": "registry/2.0"})
        match = _ROUTE.fullmatch(request.path)
        if match is None:
            return _error(404, "NAME_INVALID")
        name, what, rest = match["name"], match["what"], match["rest"]
        self.requests[f"{request.method} {what}"] += 1
        if what == "tags" and rest == "list" and request.method == "GET":
            return self._list(name, request)
        if what == "manifests":
            return await self._manifests(name, rest, request)
        if what == "blobs" and rest.startswith("uploads"):
            return await self._upload(name, rest.removeprefix("uploads").strip("/"), request)
        if what == "blobs" and request.method in ("GET", "HEAD"):
            content = self._blobs.get(rest)
            return _error(404, "BLOB_UNKNOWN") if content is None else _found(content, "application/octet-stream", rest)
        return _error(405, "UNSUPPORTED")

    async def _manifests(self, name: str, reference: str, request: web.Request) -> web.Response:
        match request.method:
            case "PUT":
                return await self._put_manifest(name, reference, request)
            case "GET" | "HEAD":
                return self._get_manifest(name, reference)
            case "DELETE":
                return self._delete_manifest(name, reference)
            case _:
                return _error(405, "UNSUPPORTED")

    def _list(self, name: str, request: web.Request) -> web.Response:
        where = self._repositories.get(name)
        if where is None:
            return _error(404, "NAME_UNKNOWN")
        if where.ordered is None:
            where.ordered = sorted(where.tags)
        asked, last = request.query.get("n"), request.query.get("last")
        if asked is not None and not asked.isdecimal():
            return _error(400, "PAGINATION_NUMBER_INVALID")
        start = bisect_right(where.ordered, last) if last is not None else 0
        page = where.ordered[start : start + int(asked)] if asked else where.ordered[start:]
        headers = {}
        if page and start + len(page) < len(where.ordered):
            headers["Link"] = f'</v2/{name}/tags/list?n={asked}&last={quote(page[-1])}>; rel="next"'
        return web.Response(body=_json({"name": name, "tags": page}), content_type="application/json", headers=headers)

    def _get_manifest(self, name: str, reference: str) -> web.Response:
        where = self._repositories.get(name)
        if where is None:
            return _error(404, "NAME_UNKNOWN")
        digest = where.tags.get(reference, reference)
        if digest not in where.manifests:
            return _error(404, "MANIFEST_UNKNOWN")
        media_type, body = where.manifests[digest]
        return _found(body, media_type, digest)

    def _delete_manifest(self, name: str, reference: str) -> web.Response:
        where = self._repositories.get(name)
        if where is None or (reference not in where.manifests and reference not in where.tags):
            return _error(404, "MANIFEST_UNKNOWN")
        where.manifests.pop(reference, None)
        where.tags = {tag: digest for tag, digest in where.tags.items() if reference not in (tag, digest)}
        where.ordered = None
        return web.Response(status=202)

    async def _put_manifest(self, name: str, reference: str, request: web.Request) -> web.Response:
        body = await request.read()
        digest = _digest(body)
        is_tag = re.fullmatch(TAG, reference) is not None
        if not is_tag and reference != digest:
            return _error(400, "DIGEST_INVALID")
        try:
            media_type: str = json.loads(body).get("mediaType") or request.content_type
        except (ValueError, AttributeError):
            return _error(400, "MANIFEST_INVALID")
        where = self._repositories.setdefault(name, _Repository())
        self._keep(where, media_type, body)
        if is_tag:
            self._point(where, reference, digest)
            if self.on_push is not None:
                await self.on_push(Push(name, reference, digest))
        return web.Response(status=201, headers={"Location": f"/v2/{name}/manifests/{digest}", "Docker-Content-Digest": digest})

    async def _upload(self, name: str, upload: str, request: web.Request) -> web.Response:
        """The three steps of pushing a blob: POST begins, PATCH adds, PUT ends with the digest (POST may do all at once)."""
        if request.method == "POST":
            upload = uuid.uuid4().hex
            self._uploads[upload] = bytearray()
        content = self._uploads.get(upload)
        if content is None:
            return _error(404, "BLOB_UPLOAD_UNKNOWN")
        content += await request.read()
        digest = request.query.get("digest")
        if digest is None or request.method == "PATCH":
            headers = {"Location": f"/v2/{name}/blobs/uploads/{upload}", "Docker-Upload-UUID": upload}
            return web.Response(status=202, headers=headers | {"Range": f"0-{max(0, len(content) - 1)}"})
        del self._uploads[upload]
        if not re.fullmatch(DIGEST, digest) or _digest(bytes(content)) != digest:
            return _error(400, "DIGEST_INVALID")
        self._blob(bytes(content))
        return web.Response(status=201, headers={"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": digest})


def _found(body: bytes, media_type: str, digest: str) -> web.Response:
    return web.Response(body=body, content_type=media_type, headers={"Docker-Content-Digest": digest})


def _error(status: int, code: str) -> web.Response:
    return web.json_response({"errors": [{"code": code, "message": code.replace("_", " ").lower()}]}, status=status)


def _platform(name: str) -> dict[str, str]:
    return dict(zip(("os", "architecture", "variant"), name.split("/"), strict=False))


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
