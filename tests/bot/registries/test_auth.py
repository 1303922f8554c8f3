"""Logging in by token, to a real registry that checks the tokens, and to services that must not be trusted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from bot.registries.base import Credentials, NotListed, RegistryError
from bot.registries.limits import Clock, Limits
from bot.registries.pool import Registries, RegistryAccess
from bot.registries.wire import Answer
from tests.servers.docker_registry import need_docker_registry
from tests.servers.faults import Asked, FaultServer, challenge, reply, tags
from tests.servers.token_service import registry_with_tokens

ANN = Credentials("ann", "sesame")
QUICK = Limits(first_pause=0.001)


class Moment:
    """A clock that stands still until it is told the time."""

    def __init__(self) -> None:
        self.now = 1000.0

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.now)


async def test_anyone_reads_what_is_public(tmp_path: Path) -> None:
    need_docker_registry()
    async with registry_with_tokens(tmp_path) as (registry, service):
        access = RegistryAccess(registry.host, insecure=True, auth_hosts=(service.host,))
        async with Registries([access], limits=QUICK) as registries:
            assert await registries.tags(f"{registry.host}/public/web") == ("1.0.0",)
            with pytest.raises(RegistryError, match="wants a login for secret/web, and none is configured"):
                await registries.tags(f"{registry.host}/secret/web")
        assert service.asked[0] == "GET repository:public/web:pull"


async def test_a_login_reads_all_with_one_token_a_repository(tmp_path: Path) -> None:
    need_docker_registry()
    async with registry_with_tokens(tmp_path) as (registry, service):
        access = RegistryAccess(registry.host, insecure=True, credentials=ANN, auth_hosts=(service.host,))
        async with Registries([access], limits=QUICK) as registries:
            images = [f"{registry.host}/{name}" for name in ("public/web", "secret/web", "secret/api")]
            assert await asyncio.gather(*map(registries.tags, images)) == [("1.0.0",)] * 3
            found = await asyncio.gather(*(registries.describe(image, "1.0.0") for image in images))
            assert all(each is not None for each in found)
            assert sorted(service.asked) == sorted(f"GET repository:{image.split('/', 1)[1]}:pull ann" for image in images)
            # One 401 in all: whoever comes after the first brings a token along.
            assert registries.requests[registry.host, "listings"] == 4


async def test_an_identity_token_is_exchanged(tmp_path: Path) -> None:
    need_docker_registry()
    async with registry_with_tokens(tmp_path) as (registry, service):
        credentials = Credentials(identity_token=service.identity_token)
        access = RegistryAccess(registry.host, insecure=True, credentials=credentials, auth_hosts=(service.host,))
        async with Registries([access], limits=QUICK) as registries:
            assert await registries.tags(f"{registry.host}/secret/web") == ("1.0.0",)
        assert service.asked == ["POST repository:secret/web:pull refresh_token"]


async def test_a_token_is_used_until_it_expires_and_no_longer(tmp_path: Path) -> None:
    need_docker_registry()
    moment = Moment()
    async with registry_with_tokens(tmp_path) as (registry, service):
        access = RegistryAccess(registry.host, insecure=True, credentials=ANN, auth_hosts=(service.host,))
        async with Registries([access], limits=QUICK, clock=moment.clock()) as registries:
            for seconds, tokens in ((0, 1), (250, 1), (289, 1), (290, 2), (500, 2), (1000, 3)):
                moment.now = 1000.0 + seconds
                registries.forget()
                await registries.tags(f"{registry.host}/secret/web")
                assert len(service.asked) == tokens, f"after {seconds} s"


async def test_a_token_that_is_refused_early_is_fetched_once_more(tmp_path: Path) -> None:
    need_docker_registry()
    async with registry_with_tokens(tmp_path) as (registry, service):
        access = RegistryAccess(registry.host, insecure=True, credentials=ANN, auth_hosts=(service.host,))
        # The service gives tokens that are over already; the registry says so, whatever `expires_in` says.
        service.life = -120
        async with Registries([access], limits=QUICK) as registries:
            with pytest.raises(RegistryError, match="refuses the credentials"):
                await registries.tags(f"{registry.host}/secret/web")
            service.life = 300
            registries.forget()
            assert await registries.tags(f"{registry.host}/secret/web") == ("1.0.0",)
            assert len(service.asked) == 2


async def test_a_wrong_password_is_tried_once(tmp_path: Path) -> None:
    need_docker_registry()
    async with registry_with_tokens(tmp_path) as (registry, service):
        wrong = Credentials("ann", "open-says-me")
        access = RegistryAccess(registry.host, insecure=True, credentials=wrong, auth_hosts=(service.host,))
        async with Registries([access], limits=QUICK) as registries:
            images = [f"{registry.host}/secret/{n}" for n in range(10)]
            found = await asyncio.gather(*map(registries.tags, images), return_exceptions=True)
            assert all("the token service at 127.0.0.1 refuses the credentials (401)" in str(each) for each in found)
            assert "open-says-me" not in str(found)
        assert len(service.asked) == 1


@pytest.mark.parametrize(
    ("realm", "words"),
    [
        ("https://auth.evil.example/token", "sends logins to auth.evil.example:443, which is not listed under its `auth_hosts`"),
        ("https://auth.docker.io/token", "sends logins to auth.docker.io:443, which is not listed"),
        ("http://auth.evil.example/token", "sends logins to auth.evil.example over unencrypted http"),
        ("http://127.0.0.1:9/token", "sends logins to 127.0.0.1:9, which is not listed"),
        ("http://169.254.169.254/token", "over unencrypted http"),
        ("https://ann:pw@auth.evil.example/token", "a token service with a login in its address"),
    ],
)
async def test_credentials_go_to_no_stranger(realm: str, words: str) -> None:
    async with FaultServer(challenge(f'Bearer realm="{realm}",service="x"')) as server:
        access = RegistryAccess(server.host, insecure=True, credentials=ANN)
        async with Registries([access], limits=QUICK) as registries:
            with pytest.raises(RegistryError, match=words):
                await registries.tags(f"{server.host}/acme/web")
            assert registries.requests.total() == 1


async def test_an_anonymous_token_is_fetched_from_public_places_only() -> None:
    async with (
        FaultServer(reply(200, b'{"token": "t"}')) as inner,
        FaultServer(challenge(f'Bearer realm="http://{inner.host}/token"')) as server,
        Registries([RegistryAccess(server.host, insecure=True)], limits=QUICK) as registries,
    ):
        with pytest.raises(NotListed, match=f"{inner.host} is not a public address"):
            await registries.tags(f"{server.host}/acme/web")
        assert inner.asked == []


async def test_a_token_service_that_cannot_be_asked_is_in_nobodys_way() -> None:
    def act(asked: Asked) -> bytes:
        return challenge('Bearer realm="http://127.0.0.1:1/token"') if "/closed/" in asked.target else tags("1.0.0")

    async with FaultServer(act) as server, Registries([RegistryAccess(server.host, insecure=True)], limits=QUICK) as registries:
        with pytest.raises(NotListed):
            await registries.tags(f"{server.host}/closed")
        assert await registries.tags(f"{server.host}/public") == ("1.0.0",)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(200, b"{}"), "sent no token"),
        (reply(200, b"[]"), "sent no token"),
        (reply(200, b"<html>"), "sent no token"),
        (reply(200, b'{"token": "a\\r\\nX-Evil: 1"}'), "sent no token"),
        (reply(200, b'{"token": ""}'), "sent no token"),
        (reply(403), r"refuses the credentials \(403\)"),
        (reply(404), "answers with status 404"),
        (reply(500), "answers with status 500"),
        (reply(429, headers={"Retry-After": "900"}), "allows no more requests until"),
        (reply(200, b"x" * 300_000), "sends more than 256 KiB"),
    ],
)
async def test_a_token_service_in_trouble(answer: bytes, words: str) -> None:
    def act(asked: Asked) -> bytes:
        return answer if asked.target.startswith("/token") else challenge(f'Bearer realm="http://{server.host}/token"')

    async with FaultServer(act) as server:
        access = RegistryAccess(server.host, insecure=True, credentials=ANN)
        async with Registries([access], limits=QUICK) as registries:
            with pytest.raises(RegistryError, match=words) as caught:
                await registries.tags(f"{server.host}/acme/web")
    assert "sesame" not in str(caught.value)
    assert "scope" not in str(caught.value)


@pytest.mark.parametrize(
    ("offered", "credentials", "sent"),
    [
        ('Bearer realm="{realm}",Basic realm="x"', ANN, "Bearer given"),
        ('Basic realm="x", Bearer realm="{realm}"', ANN, "Bearer given"),
        ('Bearer realm="no url",Basic realm="x"', ANN, "Basic YW5uOnNlc2FtZQ=="),
        ("basic", ANN, "Basic YW5uOnNlc2FtZQ=="),
        ('Bearer realm="{realm}"', Credentials(None, "as-it-stands"), "Bearer as-it-stands"),
        ('Bearer realm="no url"', Credentials(None, "as-it-stands"), "Bearer as-it-stands"),
        ('Bearer realm="{realm}"', None, "Bearer given"),
        ('BEARER Realm="{realm}" , Service = x', ANN, "Bearer given"),
    ],
)
async def test_the_way_in(offered: str, credentials: Credentials | None, sent: str) -> None:
    def act(asked: Asked) -> bytes:
        if asked.target.startswith("/token"):
            return reply(200, b'{"access_token": "given", "expires_in": "soon"}')
        if asked.headers.get("authorization") == sent:
            return tags("1.0")
        return challenge(offered.format(realm=f"http://{server.host}/token"))

    async with FaultServer(act) as server:
        access = RegistryAccess(server.host, insecure=True, credentials=credentials)
        async with Registries([access], limits=QUICK) as registries:
            assert await registries.tags(f"{server.host}/acme/web") == ("1.0",)


async def test_what_a_token_request_says() -> None:
    def act(asked: Asked) -> bytes:
        if asked.target.startswith("/token"):
            return reply(200, b'{"token": "given"}')
        if "authorization" in asked.headers:
            return tags("1.0")
        return challenge(
            f'Bearer realm="http://{server.host}/token?account=a%20b",service="the registry",scope="registry:catalog:*"'
        )

    async with FaultServer(act) as server:
        access = RegistryAccess(server.host, insecure=True, credentials=ANN)
        async with Registries([access], limits=QUICK) as registries:
            await registries.tags(f"{server.host}/acme/web")
        target = "/token?account=a%20b&service=the+registry&scope=repository%3Aacme%2Fweb%3Apull"
        assert server.targets[1] == f"GET {target}"
        assert server.asked[1].headers["authorization"] == "Basic YW5uOnNlc2FtZQ=="


@pytest.mark.parametrize(
    ("host", "realm", "asked"),
    [
        ("docker.io", "https://auth.docker.io/token", True),
        ("docker.io", "https://auth.docker.io/token/../evil", False),
        ("docker.io", "https://auth.docker.io.evil.example/token", False),
        ("docker.io", "https://gitlab.com/jwt/auth", False),
        ("registry.gitlab.com", "https://gitlab.com/jwt/auth", True),
        ("registry.gitlab.com", "https://gitlab.com/acme/evil", False),
        ("ghcr.io", "https://ghcr.io/token", True),
        ("ghcr.io", "https://ghcr.io:8443/token", False),
        ("ghcr.io", "http://ghcr.io/token", False),
        ("harbor.example.com", "https://login.example.com/token", True),
        ("harbor.example.com", "https://login.example.com:444/token", False),
    ],
)
async def test_the_services_that_are_trusted(host: str, realm: str, asked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[str] = []

    async def fetch(wire: object, method: str, url: URL, kind: str, *, headers: dict[str, str], **rest: object) -> Answer:
        if kind == "tokens":
            requests.append(f"{url.with_query(None)} {headers['Authorization']}")
            return Answer(200, CIMultiDictProxy(CIMultiDict()), b'{"token": "t"}', url)
        challenge = CIMultiDict({"WWW-Authenticate": f'Bearer realm="{realm}",service="x"'})
        return Answer(200 if "Authorization" in headers else 401, CIMultiDictProxy(challenge), b'{"tags": ["1"]}', url)

    monkeypatch.setattr("bot.registries.wire.Wire.fetch", fetch)
    async with Registries([RegistryAccess(host, credentials=ANN, auth_hosts=("login.example.com",))]) as registries:
        if asked:
            assert await registries.tags(f"{host}/acme/web") == ("1",)
            assert requests == [f"{realm} Basic YW5uOnNlc2FtZQ=="]
        else:
            with pytest.raises(RegistryError, match="nothing was sent"):
                await registries.tags(f"{host}/acme/web")
            assert requests == []


def test_credentials_do_not_show() -> None:
    shown = repr(replace(ANN, identity_token="i-am-ann")) + repr(RegistryAccess("h.example", credentials=ANN))
    assert "sesame" not in shown
    assert "i-am-ann" not in shown
