"""Logging in to a registry: nothing, Basic, or a Bearer token from the service that the registry names.

The registry answers 401 and names its token service (`realm`). Credentials are sent to it only if it is

* the registry itself,
* one of the services built in here (Docker Hub's, GitLab's, …), or
* listed under `auth_hosts` for this registry in `app.yaml`,

over https; over http only if the registry is `insecure` and the service has the same host. Otherwise a hostile or hijacked
registry could have them sent anywhere. Without credentials a token may be fetched from any public service.

Tokens live in memory until shortly before they expire; one request at a time is made for each.
Source: the token authentication specification of the distribution project.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from bot.registries.addresses import AddressRule, host_and_port
from bot.registries.base import Credentials, NotListed, RegistryError
from bot.registries.challenges import Challenge, parse
from bot.registries.wire import Answer, Wire

# Token services that stand elsewhere than their registry, by the registry's host as it is asked.
REALMS: Mapping[str, frozenset[str]] = {
    "registry-1.docker.io": frozenset({"https://auth.docker.io/token"}),
    "registry.gitlab.com": frozenset({"https://gitlab.com/jwt/auth"}),
    "registry.digitalocean.com": frozenset({"https://api.digitalocean.com/v2/registry/auth"}),
}

_DEFAULT_LIFE = 60.0  # seconds; what the specification says for a token without `expires_in`
_MARGIN = 10.0  # seconds before its end from which a token is no longer used
_TOKEN_LIMIT = 256 * 1024
_IS_TOKEN = re.compile(r"[\x21-\x7e]{1,65536}\Z")


@dataclass(frozen=True, slots=True)
class _Token:
    header: str
    until: float


@dataclass(frozen=True, slots=True)
class _Service:
    realm: URL
    name: str | None


class Login:
    """How one host is asked with one set of credentials (or none)."""

    def __init__(
        self, wire: Wire, host: str, base: URL, credentials: Credentials | None, auth_hosts: Sequence[str] = (), *, insecure: bool
    ) -> None:
        self._wire = wire
        self._host = host
        self._base = base
        self._credentials = credentials
        self._auth_hosts = AddressRule(host_and_port(name, default=443) for name in auth_hosts)
        self._insecure = insecure
        self._service: _Service | None = None
        self._fixed: str | None = None
        self._tokens: dict[tuple[_Service, str], _Token] = {}
        self._locks: dict[tuple[_Service, str], asyncio.Lock] = {}
        self._refused: str | None = None

    async def header(self, repository: str) -> str | None:
        """The Authorization header to send with a request about a repository; None before a login has worked."""
        if self._fixed is not None:
            return self._fixed
        if self._service is None:
            return None
        return await self._token(self._service, repository)

    async def answer(self, refused: Answer, repository: str, sent: str | None) -> str | None:
        """What to send instead after a 401; None where there is nothing better than what was `sent`.

        Raises RegistryError where the token service cannot be asked or refuses.
        """
        found = {c.scheme: c for c in reversed(parse(refused.headers.getall("WWW-Authenticate", [])))}
        if "bearer" in found and self._service_of(found["bearer"]) is not None:
            header = await self._by_bearer(found["bearer"], repository, sent)
        elif "basic" in found or "bearer" in found:
            header = self._by_credentials(found)
        else:
            header = None
        return None if header == sent else header

    def _by_credentials(self, found: Mapping[str, Challenge]) -> str | None:
        mine = self._credentials
        if mine is None or mine.password is None:
            return None
        if mine.username is None:
            self._fixed = f"Bearer {mine.password}"
        elif "basic" in found:
            self._fixed = _basic(mine.username, mine.password)
        return self._fixed

    async def _by_bearer(self, challenge: Challenge, repository: str, sent: str | None) -> str | None:
        mine = self._credentials
        if mine is not None and mine.username is None and mine.password is not None:
            return self._by_credentials({})
        service = self._service_of(challenge)
        assert service is not None
        known = self._tokens.get((service, _scope(repository)))
        if known is not None and known.header == sent:
            # It was refused although it has not expired: revoked, or the service's key changed. One fresh one is tried.
            del self._tokens[service, _scope(repository)]
        header = await self._token(service, repository)
        self._service = service  # only now: one that does not answer must not stand in the way of what is public
        return header

    def _service_of(self, challenge: Challenge) -> _Service | None:
        try:
            realm = URL(challenge.parameters.get("realm", ""))
        except ValueError:
            return None
        if realm.scheme not in ("http", "https") or not realm.host:
            return None
        return _Service(realm, challenge.parameters.get("service"))

    async def _token(self, service: _Service, repository: str) -> str:
        key = (service, _scope(repository))
        known = self._tokens.get(key)
        if known is not None and known.until > self._wire.clock.monotonic():
            return known.header
        async with self._locks.setdefault(key, asyncio.Lock()):
            known = self._tokens.get(key)
            if known is None or known.until <= self._wire.clock.monotonic():
                known = self._tokens[key] = await self._fetch(service, repository)
        self._locks.pop(key, None)
        return known.header

    async def _fetch(self, service: _Service, repository: str) -> _Token:
        if self._refused is not None:
            # Some services lock out an address that goes on trying with a wrong password.
            raise RegistryError(self._refused)
        asked_at = self._wire.clock.monotonic()
        asked = {"service": service.name} if service.name else {}
        asked["scope"] = _scope(repository)
        realm, mine = service.realm, self._credentials
        if realm.user is not None:
            raise RegistryError(f"{self._host} names a token service with a login in its address; it was not asked")
        if realm.scheme == "http" and not (self._insecure and realm.host == self._base.host):
            raise RegistryError(f"{self._host} sends logins to {realm.host} over unencrypted http; nothing was sent")
        if mine is not None:
            self._hold_to_trusted(realm)
        if mine is not None and mine.identity_token is not None:
            form = asked | {"grant_type": "refresh_token", "client_id": "tagboat", "refresh_token": mine.identity_token}
            answer = await self._wire.fetch("POST", realm, "tokens", limit=_TOKEN_LIMIT, form=form)
        else:
            headers = {}
            if mine is not None and mine.username is not None:
                headers["Authorization"] = _basic(mine.username, mine.password or "")
            answer = await self._wire.fetch("GET", _with_query(realm, asked), "tokens", limit=_TOKEN_LIMIT, headers=headers)
        return self._read(answer, asked_at, repository)

    def _hold_to_trusted(self, realm: URL) -> None:
        """Raises NotListed where credentials must not go to a token service."""
        plain = realm.with_query(None).with_fragment(None)
        port = realm.port or 0
        if realm.origin() == self._base.origin() or str(plain) in REALMS.get(self._host, ()):
            return
        if not self._auth_hosts.is_listed(realm.host or "", port):
            raise NotListed(
                f"{self._host} sends logins to {realm.host}:{port}, which is not listed under its `auth_hosts`; nothing was sent"
            )

    def _read(self, answer: Answer, asked_at: float, repository: str) -> _Token:
        service = answer.url.host
        if answer.status in (401, 403):
            if self._credentials is None:
                raise RegistryError(f"{self._host} lets nobody read {repository} without a login")
            message = f"{self._host}: the token service at {service} refuses the credentials ({answer.status})"
            if answer.status == 401:
                self._refused = message
            raise RegistryError(message)
        if answer.status != 200:
            raise RegistryError(f"{self._host}: the token service at {service} answers with status {answer.status}")
        try:
            data = json.loads(answer.body)
            token = data.get("token") or data.get("access_token")
            life = data.get("expires_in")
        except (ValueError, AttributeError, RecursionError):
            token = life = None
        if not isinstance(token, str) or not _IS_TOKEN.match(token):
            raise RegistryError(f"{self._host}: the token service at {service} sent no token")
        seconds = float(life) if isinstance(life, int | float) and 0 < life < 10**7 else _DEFAULT_LIFE
        return _Token(f"Bearer {token}", asked_at + seconds - min(_MARGIN, seconds / 4))


def _scope(repository: str) -> str:
    return f"repository:{repository}:pull"


def _basic(username: str, password: str) -> str:
    try:
        return aiohttp.encode_basic_auth(username, password)
    except ValueError:
        raise RegistryError("a user name for Basic logins must not have a colon in it") from None


def _with_query(realm: URL, asked: Mapping[str, str]) -> URL:
    query = realm.raw_query_string
    added = urlencode(asked)
    return URL(f"{realm.with_query(None).with_fragment(None)}?{query}{'&' if query else ''}{added}", encoded=True)
