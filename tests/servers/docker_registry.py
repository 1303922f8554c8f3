"""Debian's `docker-registry`, the distribution project's own server, on a free port of the loopback address.

A folder of tests that uses the fixtures names them in its `conftest.py`:

    from tests.servers.docker_registry import docker_registry as docker_registry
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from rules.images import is_tag

# The password is `sesame`; bcrypt is the only hash that the registry takes.
USER, PASSWORD = "ann", "sesame"
_HTPASSWD = "ann:$2b$04$SqFemcibmL.raPw6IfJR1u3KyXbyKPEsEUZrrzaCAPiFnCJK1ZL1O"


class DockerRegistry:
    """A running registry. `with_login`: it wants USER and PASSWORD; `auth` is that part of its configuration."""

    def __init__(self, folder: Path, *, with_login: bool = False, auth: dict[str, Any] | None = None) -> None:
        self.folder = folder
        self.with_login = with_login
        self._auth = auth
        self._process: subprocess.Popen[bytes] | None = None
        self.host = ""

    def __enter__(self) -> Self:
        for _ in range(5):  # another process may take the port between our look and its start
            if self._start():
                return self
        raise RuntimeError(f"docker-registry does not start: {(self.folder / 'log').read_text()[-2000:]}")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server; what was pushed stays in the folder."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def push(self, repository: str, tag: str, *, labels: dict[str, str] | None = None, architecture: str = "amd64") -> str:
        """Push a small image with raw requests; its digest."""
        about = {"os": "linux", "architecture": architecture, "created": "2026-01-02T03:04:05Z"}
        config = _json(about | {"config": {"Labels": labels or {}}})
        layer = f"{repository}:{tag}".encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": self._blob(repository, config) | {"mediaType": "application/vnd.docker.container.image.v1+json"},
            "layers": [self._blob(repository, layer) | {"mediaType": "application/vnd.docker.image.rootfs.diff.tar"}],
        }
        return self.push_manifest(repository, tag, _json(manifest), str(manifest["mediaType"]))

    def push_manifest(self, repository: str, reference: str, body: bytes, media_type: str) -> str:
        """Push the bytes of a manifest; their digest."""
        headers = {"Content-Type": media_type}
        with self._ask("PUT", f"/v2/{repository}/manifests/{reference}", body, headers) as answer:
            return str(answer.headers["Docker-Content-Digest"])

    def make_tags(self, repository: str, tags: Iterable[str]) -> None:
        """Make many tags of one image without a request for each: a tag is a link in a folder."""
        digest = self.push(repository, "first")
        tagged = self.folder / "data/docker/registry/v2/repositories" / repository / "_manifests/tags"
        for tag in tags:
            assert is_tag(tag)
            (tagged / tag / "current").mkdir(parents=True, exist_ok=True)
            (tagged / tag / "current/link").write_text(digest)
        shutil.rmtree(tagged / "first")

    def _start(self) -> bool:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{probe.getsockname()[1]}"
        config: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}, "delete": {"enabled": True}},
            "http": {"addr": self.host},
        }
        if self.with_login:
            (self.folder / "htpasswd").write_text(_HTPASSWD)
            self._auth = {"htpasswd": {"realm": "the test registry", "path": str(self.folder / "htpasswd")}}
        if self._auth is not None:
            config["auth"] = self._auth
        (self.folder / "config.yml").write_bytes(_json(config))  # JSON is YAML
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["docker-registry", "serve", str(self.folder / "config.yml")], stdout=log, stderr=log
            )
        for _ in range(200):
            if self._process.poll() is not None:
                return False
            try:
                with self._ask("GET", "/v2/"):
                    return True
            except urllib.error.HTTPError:
                return True  # it wants a login that is not ours to give
            except OSError:
                time.sleep(0.025)
        self._process.kill()
        return False

    def _blob(self, repository: str, content: bytes) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        with self._ask("POST", f"/v2/{repository}/blobs/uploads/") as answer:
            place = answer.headers["Location"].removeprefix(f"http://{self.host}")
        with self._ask("PUT", f"{place}&digest={digest}", content, {"Content-Type": "application/octet-stream"}):
            return {"digest": digest, "size": len(content)}

    def _ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
        request = urllib.request.Request(f"http://{self.host}{path}", body, headers or {}, method=method)
        if self.with_login:
            request.add_header("Authorization", "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode())
        # No proxy from the environment stands between a test and its own server.
        return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10)


@pytest.fixture(scope="session")
def docker_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """One registry for all tests of a run: each uses repositories of its own."""
    need_docker_registry()
    with DockerRegistry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture(scope="session")
def docker_registry_with_login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """The same, for those who know USER and PASSWORD."""
    need_docker_registry()
    with DockerRegistry(tmp_path_factory.mktemp("registry"), with_login=True) as registry:
        yield registry


def need_docker_registry() -> None:
    """Skip the test where there is no docker-registry to run."""
    if shutil.which("docker-registry") is None:
        pytest.skip("docker-registry is not installed")


def need_skopeo() -> None:
    """Skip the test where there is no skopeo to run."""
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed")


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
