"""One HTTP request to a registry, its token service or its store, done with care. All registry traffic goes through here.

* The address rule holds for every hop (see `addresses`); redirects are followed by hand, never from https to http, and what
  authorises a request stays with the host that it was meant for.
* Bodies are read up to a limit. Broken connections, cut-off bodies, 429 and 5xx are tried again (see `limits`).
* Proxies come from `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`; further certificate authorities from `SSL_CERT_FILE`,
  `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`. Logins from `.netrc` are never used, which is why the session itself is not told
  to trust the environment.
* Errors are RegistryErrors in plain words, with the host and without query strings, headers or bodies.
"""

from __future__ import annotations

import os
import ssl
import urllib.request
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from bot.registries.addresses import AddressRule, CheckedResolver, is_this_machine
from bot.registries.base import RegistryError
from bot.registries.limits import TOO_MANY, Clock, Host, Limits, Quota, is_worth_another_try, quota, retry_after
from bot.state.allowances import Allowances

RequestKind = Literal["listings", "manifests", "blobs", "tokens", "api"]

_HOPS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AGENT = "tagboat"
_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back in the end. `url` is where from: after a redirect not where it was asked."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    url: URL


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and the headers with which it is asked."""

    url: URL
    headers: Mapping[str, str]


class _Again(Exception):
    """An attempt failed in a way that may pass. `wait` is what the host asked for, in seconds."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.wait = wait


class Wire:
    """The sessions, limits and counters that all registries of a pool share. Use it inside one event loop; `close` it."""

    def __init__(
        self, rule: AddressRule, limits: Limits | None = None, clock: Clock | None = None, allowances: Allowances | None = None
    ) -> None:
        self.allowances = allowances
        self.rule = rule
        self.limits = limits or Limits()
        self.clock = clock or Clock()
        self.requests: Counter[tuple[str, RequestKind]] = Counter()
        self.quotas: dict[str, Quota] = {}
        self._hosts: dict[str, Host] = {}
        self._direct: aiohttp.ClientSession | None = None
        self._proxied: aiohttp.ClientSession | None = None

    async def fetch(
        self,
        method: str,
        url: URL,
        kind: RequestKind,
        *,
        limit: int,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask, following redirects. Any status below 500 but 429 is an answer; the rest raises RegistryError."""
        sent = dict(headers or {})
        for _ in range(_HOPS + 1):
            answer = await self._insist(method, url, kind, limit, sent, form)
            target = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or target is None:
                return answer
            onward = _hop(url, target)
            if onward.origin() != url.origin():
                sent.pop("Authorization", None)
                if form is not None:
                    raise RegistryError(f"{host_of(url)} sends a login on to {host_of(onward)}; it was not followed")
            url = onward
        raise RegistryError(f"{host_of(url)} redirects more than {_HOPS} times")

    def known(self) -> Mapping[str, Quota]:
        """What hosts say is left of our pulls, as this process or another one heard last."""
        heard = ((place, host.heard()) for place, host in self._hosts.items())
        return self.quotas | {place: found for place, found in heard if found is not None}

    async def close(self) -> None:
        """Close the connections."""
        for session in (self._direct, self._proxied):
            if session is not None:
                await session.close()

    async def _insist(
        self, method: str, url: URL, kind: RequestKind, limit: int, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> Answer:
        """One hop, with as many attempts as the limits allow."""
        place = host_of(url)
        proxy = proxy_of(url.scheme, url.host or "", url.port or 0)
        self.rule.check(url, by_proxy=proxy is not None)
        host = self._hosts.get(place)
        if host is None:
            host = self._hosts[place] = Host(place, self.limits, self.clock, self.allowances)
        counts = method == "GET" and kind == "manifests"
        allowed = self.known().get(place) if counts else None
        if allowed is not None and (objection := allowed.objection(place, self.clock.wall())) is not None:
            raise RegistryError(objection)
        # A request keeps its turn through all its attempts: a host that is down is found out by the first few.
        async with host:
            for attempt in range(self.limits.attempts):
                await host.ready()
                self.requests[place, kind] += 1
                try:
                    answer = await self._once(method, url, proxy, limit, headers, form)
                    host.worked()
                    return answer
                except _Again as trouble:
                    failure = trouble
                if failure.wait is not None:
                    host.throttled(failure.wait)
                elif attempt + 1 < self.limits.attempts:
                    await self.clock.sleep(host.pause(attempt))
            raise host.failed(RegistryError(failure.message))

    async def _once(
        self, method: str, url: URL, proxy: Proxy | None, limit: int, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> Answer:
        session = self._session(proxied=proxy is not None)
        place = host_of(url)
        try:
            async with session.request(
                method,
                url,
                # Only a tunnel has headers of its own; a proxy for plain http reads them from the request.
                headers={**headers, **proxy.headers} if proxy and url.scheme == "http" else headers,
                data=form,
                allow_redirects=False,
                proxy=proxy.url if proxy else None,
                proxy_headers=proxy.headers if proxy else None,
                ssl=tls_context() if url.scheme == "https" else True,
            ) as response:
                body = await _read(response, limit, place)
                self._note(place, response)
                return Answer(response.status, response.headers, body, url)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _described(error, place, self.limits) from error

    def _note(self, place: str, response: aiohttp.ClientResponse) -> None:
        if "ratelimit-limit" in response.headers:
            found = quota(response.headers, self.clock.wall())
            if found is not None:
                self.quotas[place] = found
                self._hosts[place].told(found)
        if is_worth_another_try(response.status):
            wait = retry_after(response.headers, self.clock.wall())
            said = "too many requests (429)" if response.status == TOO_MANY else f"status {response.status}"
            raise _Again(f"{place} answers with {said}", wait)

    def _session(self, *, proxied: bool) -> aiohttp.ClientSession:
        # The proxy's own address is the operator's word, so its sessions look names up without the rule.
        session = self._proxied if proxied else self._direct
        if session is None:
            resolver = None if proxied else CheckedResolver(self.rule)
            limits = self.limits
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=resolver, limit=0, keepalive_timeout=30),
                timeout=aiohttp.ClientTimeout(
                    total=limits.total_timeout, sock_connect=limits.connect_timeout, sock_read=limits.read_timeout
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": _AGENT},
            )
            if proxied:
                self._proxied = session
            else:
                self._direct = session
        return session


async def _read(response: aiohttp.ClientResponse, limit: int, place: str) -> bytes:
    """The body, as it is after decompression, up to a limit."""
    length = response.content_length
    if length is not None and "Content-Encoding" not in response.headers and length <= limit:
        return await response.read()
    parts: list[bytes] = []
    size = 0 if response.method == "HEAD" else length or 0
    if size <= limit:
        size = 0
        async for part in response.content.iter_any():
            size += len(part)
            parts.append(part)
            if size > limit:
                break
    if size > limit:
        response.close()
        raise RegistryError(f"{place} sends more than {limit // 1024} KiB where far less is expected; it was not read")
    return b"".join(parts)


def _described(error: Exception, place: str, limits: Limits) -> Exception:
    """A failure of the connection in plain words; _Again where another attempt may help."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return RegistryError(f"{place}: no trusted TLS connection ({_reason(error)})")
        case aiohttp.ClientConnectorDNSError():
            return _Again(f"{place}: the name cannot be looked up")
        case aiohttp.ConnectionTimeoutError():
            return _Again(f"{place} cannot be reached: no connection within {limits.connect_timeout:g} s")
        case aiohttp.ClientProxyConnectionError():
            return _Again(f"{place} cannot be reached: the proxy does not take connections")
        case aiohttp.ClientHttpProxyError():
            return RegistryError(f"{place} cannot be reached: the proxy answers with status {error.status}")
        case aiohttp.ClientConnectorError():
            return _Again(f"{place} cannot be reached: {_reason(error)}")
        case TimeoutError():
            return _Again(f"{place} did not answer in time ({limits.read_timeout:g} s of silence or {limits.total_timeout:g} s)")
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError():
            return _Again(f"{place} broke off in the middle of an answer")
        case aiohttp.ClientResponseError():
            return RegistryError(f"{place} answers with something that is not HTTP")
        case aiohttp.InvalidURL():
            return RegistryError(f"{place} is not a host that can be asked")
        case _:
            return _Again(f"{place}: the connection failed ({type(error).__name__})")


def _reason(error: aiohttp.ClientConnectorError) -> str:
    inner = error.os_error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return inner.verify_message
    if isinstance(inner, ssl.SSLError) and inner.reason:
        plain = "it speaks no TLS; plain http needs `insecure: true` in its row of app.yaml"
        return plain if inner.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST") else inner.reason.lower().replace("_", " ")
    return (os.strerror(inner.errno) if inner.errno and inner.errno > 0 else None) or inner.strerror or type(inner).__name__


def _hop(origin: URL, location: str) -> URL:
    """Where a redirect leads. Raises RegistryError where it must not be followed."""
    try:
        target = origin.join(URL(location))
    except ValueError:
        raise RegistryError(f"{host_of(origin)} redirects to something that is not a URL") from None
    if target.scheme not in ("http", "https") or not target.host or target.user is not None:
        raise RegistryError(f"{host_of(origin)} redirects to something that is not a plain web address")
    if origin.scheme == "https" and target.scheme == "http":
        raise RegistryError(f"{host_of(origin)} redirects to unencrypted http at {host_of(target)}; it was not followed")
    return target


def host_of(url: URL) -> str:
    """The host of a URL and its port, unless that is the usual one."""
    host = url.raw_host or "?"
    host = f"[{host}]" if ":" in host else host
    return host if url.is_default_port() else f"{host}:{url.port}"


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """The machine's certificate authorities and those that the environment adds. Built at the first https request."""
    context = ssl.create_default_context()
    for variable in _CA_VARIABLES:
        path = os.environ.get(variable)
        if not path:
            continue
        try:
            context.load_verify_locations(**{"capath" if os.path.isdir(path) else "cafile": path})
        except OSError as error:
            raise RegistryError(f"{variable} names {path}, which cannot be used: {error.strerror or error}") from error
    return context


@lru_cache(maxsize=4096)
def proxy_of(scheme: str, host: str, port: int) -> Proxy | None:
    """The proxy for a host by the environment; None: connect directly, as always to this machine itself."""
    if is_this_machine(host):
        return None
    found = urllib.request.getproxies()
    address = found.get(scheme)
    if not address or urllib.request.proxy_bypass(f"{host}:{port}"):
        return None
    try:
        url = URL(address if "://" in address else f"http://{address}")
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise RegistryError(f"{scheme.upper()}_PROXY is not the address of an http proxy")
    headers = {}
    if url.user:
        headers["Proxy-Authorization"] = aiohttp.encode_basic_auth(url.user, url.password or "")
    return Proxy(url.with_user(None), headers)


def forget_environment() -> None:
    """Read proxies and certificate authorities from the environment again (after it changed; tests)."""
    proxy_of.cache_clear()
    tls_context.cache_clear()
