"""Proxies, certificate authorities, limits: what one request is held to."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import ipaddress
import ssl
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from yarl import URL

from bot.registries import addresses
from bot.registries.addresses import AddressRule
from bot.registries.base import NotListed, RegistryError
from bot.registries.limits import Limits
from bot.registries.pool import Registries, RegistryAccess
from bot.registries.wire import Wire, forget_environment
from tests.servers.faults import Asked, FaultServer, reply, tags
from tests.servers.names import Names

QUICK = Limits(attempts=1, connect_timeout=1, read_timeout=1)


async def test_a_proxy_is_used_and_gets_its_own_login(environment: pytest.MonkeyPatch) -> None:
    async with FaultServer(tags("1.0")) as proxy:
        environment.setenv("HTTP_PROXY", f"http://bob:hush@{proxy.host}")
        async with Registries([RegistryAccess("registry.example", insecure=True)], limits=QUICK) as registries:
            assert await registries.tags("registry.example/acme/web") == ("1.0",)
        assert proxy.targets == ["GET http://registry.example/v2/acme/web/tags/list?n=1000"]
        assert proxy.asked[0].headers["proxy-authorization"] == "Basic Ym9iOmh1c2g="
        assert "authorization" not in proxy.asked[0].headers


async def test_https_goes_through_a_tunnel(environment: pytest.MonkeyPatch) -> None:
    async with FaultServer(reply(403)) as proxy:
        environment.setenv("HTTPS_PROXY", f"http://bob:hush@{proxy.host}")
        async with Registries(limits=QUICK) as registries:
            with pytest.raises(RegistryError, match="the proxy answers with status 403") as caught:
                await registries.tags("registry.example/acme/web")
        assert proxy.targets == ["CONNECT registry.example:443"]
        assert proxy.asked[0].headers["proxy-authorization"] == "Basic Ym9iOmh1c2g="
        assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("exceptions", "host"),
    [
        ("", "127.0.0.1"),  # this machine is never asked through a proxy
        ("corp.example", "harbor.corp.example"),
        ("*", "harbor.corp.example"),
    ],
)
async def test_no_proxy_is_honoured(environment: pytest.MonkeyPatch, exceptions: str, host: str) -> None:
    names = Names({"harbor.corp.example": [["127.0.0.1"]]})
    environment.setattr(addresses, "ThreadedResolver", lambda loop: names)
    async with FaultServer(tags("proxied")) as proxy, FaultServer(tags("direct")) as server:
        environment.setenv("HTTP_PROXY", f"http://{proxy.host}")
        environment.setenv("NO_PROXY", exceptions)
        place = f"{host}:{server.port}"
        async with Registries([RegistryAccess(place, insecure=True)], limits=QUICK) as registries:
            assert await registries.tags(f"{place}/acme/web") == ("direct",)
        assert proxy.asked == []


@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "localhost", "vault", "vault.internal", "x.svc.cluster.local"])
async def test_a_proxy_is_not_asked_for_inner_hosts(environment: pytest.MonkeyPatch, host: str) -> None:
    async with FaultServer(tags("1.0")) as proxy:
        environment.setenv("HTTP_PROXY", f"http://{proxy.host}")
        environment.setenv("HTTPS_PROXY", f"http://{proxy.host}")
        wire = Wire(AddressRule(), QUICK)
        for scheme in ("http", "https"):
            with pytest.raises(NotListed, match="is not a public address"):
                await wire.fetch("GET", URL(f"{scheme}://{host}/"), "listings", limit=100)
        await wire.close()
        assert proxy.asked == []


async def test_a_proxy_that_is_down(environment: pytest.MonkeyPatch) -> None:
    async with FaultServer(b"") as proxy:
        environment.setenv("HTTPS_PROXY", f"http://bob:hush@{proxy.host}")
    async with Registries(limits=QUICK) as registries:
        with pytest.raises(RegistryError, match=r"registry.example cannot be reached: the proxy does not take connections"):
            await registries.tags("registry.example/acme/web")


async def test_a_proxy_that_is_none(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1080")
    async with Registries(limits=QUICK) as registries:
        with pytest.raises(RegistryError, match="HTTPS_PROXY is not the address of an http proxy"):
            await registries.tags("registry.example/acme/web")


async def test_logins_in_netrc_are_not_used(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login bob password hush\n")
    environment.setenv("HOME", str(tmp_path))
    environment.setenv("NETRC", str(tmp_path / ".netrc"))
    async with FaultServer(tags("1.0")) as server:
        async with Registries([RegistryAccess(server.host, insecure=True)], limits=QUICK) as registries:
            await registries.tags(f"{server.host}/acme/web")
        assert "authorization" not in server.asked[0].headers


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
async def test_an_authority_from_the_environment(environment: pytest.MonkeyPatch, tmp_path: Path, variable: str) -> None:
    authority, tls = _certificates(tmp_path)
    async with FaultServer(tags("1.0"), tls=tls) as server:
        async with Registries([RegistryAccess(server.host)], limits=QUICK) as registries:
            with pytest.raises(RegistryError, match="no trusted TLS connection"):
                await registries.tags(f"{server.host}/acme/web")
        environment.setenv(variable, str(authority))
        forget_environment()
        async with Registries([RegistryAccess(server.host)], limits=QUICK) as registries:
            assert await registries.tags(f"{server.host}/acme/web") == ("1.0",)


async def test_plain_http_where_tls_is_expected() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, Registries([RegistryAccess(host)], limits=QUICK) as registries:
        with pytest.raises(RegistryError, match=r"\(it speaks no TLS; plain http needs `insecure: true`"):
            await registries.tags(f"{host}/acme/web")


async def test_an_authority_that_is_not_there(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    async with FaultServer(b"") as server, Registries([RegistryAccess(server.host)], limits=QUICK) as registries:
        with pytest.raises(RegistryError, match=r"REQUESTS_CA_BUNDLE names .*missing.pem, which cannot be used: No such file"):
            await registries.tags(f"{server.host}/acme/web")


async def test_https_is_not_left_for_http(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority, tls = _certificates(tmp_path)
    environment.setenv("SSL_CERT_FILE", str(authority))
    async with FaultServer(tags("1.0")) as plain:
        onward = reply(307, headers={"Location": f"http://{plain.host}/"})
        async with FaultServer(onward, tls=tls) as server, Registries([RegistryAccess(server.host)], limits=QUICK) as registries:
            with pytest.raises(RegistryError, match=f"redirects to unencrypted http at {plain.host}"):
                await registries.tags(f"{server.host}/acme/web")
        assert plain.asked == []


async def test_a_host_is_asked_by_so_many_at_once() -> None:
    now = most = 0

    async def busy(asked: Asked) -> bytes:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        return tags("1.0")

    async with FaultServer(busy) as server:
        access = RegistryAccess(server.host, insecure=True)
        async with Registries([access], limits=Limits(connections=4)) as registries:
            await asyncio.gather(*(registries.tags(f"{server.host}/acme/i{n}") for n in range(30)))
    assert most == 4


async def test_a_host_is_asked_so_often_a_second() -> None:
    async with FaultServer(tags("1.0")) as server:
        access = RegistryAccess(server.host, insecure=True)
        async with Registries([access], limits=Limits(per_second=10)) as registries:
            started = time.monotonic()
            await asyncio.gather(*(registries.tags(f"{server.host}/acme/i{n}") for n in range(15)))
            assert time.monotonic() - started > 0.3


async def test_what_docker_hub_says_of_our_quota() -> None:
    said = {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600"}
    async with (
        FaultServer(reply(200, b'{"tags": ["1"]}', said)) as server,
        Registries([RegistryAccess(server.host, insecure=True)], limits=QUICK) as registries,
    ):
        await registries.tags(f"{server.host}/acme/web")
        quota = registries.quotas[server.host]
        assert (quota.limit, quota.remaining, quota.window) == (100, 76, 21600)


@pytest.mark.parametrize(("left", "read"), [(6, True), (5, False), (0, False)])
async def test_the_last_pulls_are_left_to_who_deploys(left: int, read: bool) -> None:
    said = {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": f"{left};w=21600"}
    manifest = b'{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}'
    digest = "sha256:" + hashlib.sha256(manifest).hexdigest()
    kind = {"Content-Type": "application/vnd.oci.image.index.v1+json", "Docker-Content-Digest": digest}

    def hub(asked: Asked) -> bytes:
        if "/tags/list" in asked.target:
            return reply(200, b'{"tags": ["1"]}', said)
        return reply(200, manifest, said | kind)

    async with (
        FaultServer(hub) as server,
        Registries([RegistryAccess(server.host, insecure=True)], limits=QUICK) as registries,
    ):
        image = f"{server.host}/acme/web"
        await registries.tags(image)
        assert await registries.digest(image, "1") == digest
        if read:
            assert await registries.describe(image, "1") is not None
        else:
            with pytest.raises(RegistryError, match=f"has {left} of 100 pulls left: they are left to who deploys, until 20"):
                await registries.describe(image, "1")
        assert await registries.tags(image, no_older_than=float("inf")) == ("1",), "listings are no pulls"
        assert (f"GET /v2/acme/web/manifests/{digest}" in server.targets) is read


def _certificates(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that vouches for itself: the file to trust, and the server's side."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "public.pem", folder / "private.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    encoding = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private.write_bytes(key.private_bytes(*encoding))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return public, context
