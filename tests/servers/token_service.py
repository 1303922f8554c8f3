"""A token service such as registries send their clients to, and a real docker-registry that trusts it.

The tokens are JSON Web Tokens that the registry checks itself: signature, audience, time and access.
"""

from __future__ import annotations

import base64
import datetime
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import jwt
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.servers.docker_registry import DockerRegistry

SERVICE, ISSUER = "the test registry", "the test issuer"


class TokenService:
    """Gives tokens on `/token`: to read `public/*` to anyone, everything to `user`."""

    def __init__(self, folder: Path, user: str = "ann", password: str = "sesame") -> None:
        self.user, self.password = user, password
        self.identity_token = "an-identity-token-of-ann"
        self.life = 300  # seconds
        self.asked: list[str] = []  # "METHOD scope user"
        self.bundle = folder / "issuer.pem"
        self.port = 0
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _certificate(self._key)
        self.bundle.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        self._runner: web.AppRunner | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def realm(self) -> str:
        return f"http://{self.host}/token"

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/token", self._by_password)
        app.router.add_post("/token", self._by_identity)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def token(self, scope: str, *, everything: bool) -> str:
        """A token for a scope `repository:name:pull`, narrowed to what may be read."""
        kind, name, _ = scope.split(":")
        allowed = everything or name.startswith("public/")
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": self.user,
            "aud": SERVICE,
            "exp": now + self.life,
            "nbf": now - 10,
            "iat": now,
            "jti": uuid.uuid4().hex,
            "access": [{"type": kind, "name": name, "actions": ["pull"]}] if allowed else [],
        }
        der = self._certificate.public_bytes(serialization.Encoding.DER)
        return jwt.encode(claims, self._key, "ES256", headers={"x5c": [base64.b64encode(der).decode()]})

    async def _by_password(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "").removeprefix("Basic ")
        user, _, password = base64.b64decode(given).decode().partition(":")
        self.asked.append(f"GET {request.query['scope']} {user}".strip())
        if user and (user, password) != (self.user, self.password):
            return web.json_response({"details": "incorrect username or password"}, status=401)
        return web.json_response({"token": self.token(request.query["scope"], everything=bool(user)), "expires_in": self.life})

    async def _by_identity(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.asked.append(f"POST {form['scope']} {form['grant_type']}")
        if form["refresh_token"] != self.identity_token:
            return web.json_response({"details": "no"}, status=401)
        return web.json_response({"access_token": self.token(str(form["scope"]), everything=True)})


@asynccontextmanager
async def registry_with_tokens(folder: Path) -> AsyncIterator[tuple[DockerRegistry, TokenService]]:
    """A docker-registry that sends its clients to the token service; what is pushed before is there."""
    async with TokenService(folder) as service:
        with DockerRegistry(folder) as open_to_all:
            for repository in ("public/web", "secret/web", "secret/api"):
                open_to_all.push(repository, "1.0.0")
        auth = {"token": {"realm": service.realm, "service": SERVICE, "issuer": ISSUER, "rootcertbundle": str(service.bundle)}}
        with DockerRegistry(folder, auth=auth) as registry:
            yield registry, service


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")])
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
