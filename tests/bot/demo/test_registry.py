"""The embedded registry, tried with skopeo and with raw requests."""

from __future__ import annotations

import asyncio
import hashlib
import json

import aiohttp
import pytest

from bot.demo.registry import DemoRegistry, Push
from tests.servers.docker_registry import need_skopeo

INSECURE = ("--src-tls-verify=false", "--dest-tls-verify=false")


async def skopeo(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec("skopeo", *arguments, stdout=-1, stderr=-1)
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_skopeo_lists_inspects_and_copies() -> None:
    need_skopeo()
    pushes: list[Push] = []

    async def heard(push: Push) -> None:
        pushes.append(push)

    async with DemoRegistry(on_push=heard) as source, DemoRegistry(on_push=heard) as target:
        digest = await source.put_image("acme/web", "1.0.0", platforms=("linux/amd64", "linux/arm64"), labels={"team": "a"})
        listed = json.loads(await skopeo("list-tags", "--tls-verify=false", f"docker://{source.host}/acme/web"))
        assert listed["Tags"] == ["1.0.0"]
        inspect = ("inspect", "--override-arch=arm64", "--tls-verify=false")
        found = json.loads(await skopeo(*inspect, f"docker://{source.host}/acme/web:1.0.0"))
        assert (found["Architecture"], found["Labels"], found["Digest"]) == ("arm64", {"team": "a"}, digest)
        copy = ("copy", "--all", "--preserve-digests", *INSECURE)
        await skopeo(*copy, f"docker://{source.host}/acme/web:1.0.0", f"docker://{target.host}/copied/web:2")
        assert pushes == [Push("copied/web", "2", digest)]
        assert target.tags("copied/web") == {"2": digest}
        await skopeo("delete", "--tls-verify=false", f"docker://{target.host}/copied/web@{digest}")
        assert target.tags("copied/web") == {}


async def test_pages() -> None:
    async with DemoRegistry() as registry, aiohttp.ClientSession(f"http://{registry.host}") as session:
        await registry.put_tags("acme/web", [f"1.{n}" for n in range(5)])
        path, pages = "/v2/acme/web/tags/list?n=2", []
        while path:
            async with session.get(path) as answer:
                pages.append((await answer.json())["tags"])
                path = answer.headers.get("Link", "").partition(">")[0].lstrip("<")
        assert pages == [["1.0", "1.1"], ["1.2", "1.3"], ["1.4"]]
        await registry.put_image("acme/web", "1.10")
        registry.delete_tag("acme/web", "1.0")
        async with session.get("/v2/acme/web/tags/list") as answer:
            assert (await answer.json())["tags"] == ["1.1", "1.10", "1.2", "1.3", "1.4"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v2/", b"", 200, None),
        ("GET", "/v2/acme/none/tags/list", b"", 404, "NAME_UNKNOWN"),
        ("GET", "/v2/acme/web/tags/list?n=x", b"", 400, "PAGINATION_NUMBER_INVALID"),
        ("GET", "/v2/acme/web/manifests/none", b"", 404, "MANIFEST_UNKNOWN"),
        ("GET", "/v2/acme/web/blobs/sha256:none", b"", 404, "BLOB_UNKNOWN"),
        ("PUT", "/v2/acme/web/manifests/1", b"no json", 400, "MANIFEST_INVALID"),
        ("PUT", "/v2/acme/web/manifests/sha256:" + "a" * 64, b"{}", 400, "DIGEST_INVALID"),
        ("POST", "/v2/acme/web/blobs/uploads/?digest=sha256:" + "a" * 64, b"x", 400, "DIGEST_INVALID"),
        ("PATCH", "/v2/acme/web/blobs/uploads/none", b"x", 404, "BLOB_UPLOAD_UNKNOWN"),
        ("GET", "/v2/UPPER/tags/list", b"", 404, "NAME_INVALID"),
        ("POST", "/v2/acme/web/tags/list", b"", 405, "UNSUPPORTED"),
        ("GET", "/", b"", 404, "NAME_INVALID"),
    ],
)
async def test_answers(method: str, path: str, body: bytes, status: int, code: str | None) -> None:
    async with DemoRegistry() as registry, aiohttp.ClientSession(f"http://{registry.host}") as session:
        await registry.put_tags("acme/web", ["1.0"])
        async with session.request(method, path, data=body) as answer:
            assert answer.status == status
            if code is not None:
                assert (await answer.json())["errors"][0]["code"] == code


async def test_a_blob_in_pieces() -> None:
    content = b"abc" * 1000
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    async with DemoRegistry() as registry, aiohttp.ClientSession(f"http://{registry.host}") as session:
        async with session.post("/v2/acme/web/blobs/uploads/") as answer:
            place = answer.headers["Location"]
        for piece in (content[:1000], content[1000:]):
            async with session.patch(place, data=piece) as answer:
                assert answer.status == 202
        async with session.put(f"{place}?digest={digest}") as answer:
            assert answer.status == 201
        async with session.get(f"/v2/acme/web/blobs/{digest}") as answer:
            assert await answer.read() == content


async def test_it_starts_again_on_its_port_with_what_it_had() -> None:
    registry = DemoRegistry()
    await registry.start()
    await registry.put_tags("acme/web", ["1.0"])
    port = registry.port
    await registry.stop()
    await registry.start(port)
    assert registry.port == port
    assert list(registry.tags("acme/web")) == ["1.0"]
    await registry.stop()
