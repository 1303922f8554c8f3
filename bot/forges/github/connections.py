"""The connections to one GitHub, and what comes over them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import IO

import aiohttp
from yarl import URL

from bot.forges.base import Denied, Unreachable
from bot.registries.base import RegistryError
from bot.registries.wire import proxy_of, tls_context

_BODY_LIMIT = 128 * 1024 * 1024


class Connections:
    """The one session of a host, with its limits of time. Proxies and certificates come from the environment, logins never do."""

    def __init__(self, *, connect: float = 10, silence: float = 30, total: float = 120) -> None:
        self._timeout = aiohttp.ClientTimeout(total=total, sock_connect=connect, sock_read=silence)
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def send(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request, without following redirects."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar())
        try:
            proxy = proxy_of(url.scheme, url.host or "", url.port or 0)
            tls = tls_context() if url.scheme == "https" else True
        except RegistryError as error:
            raise Denied(str(error)) from None
        async with self._session.request(
            method,
            url,
            headers={**headers, **proxy.headers} if proxy and url.scheme == "http" else headers,
            data=body,
            allow_redirects=False,
            proxy=proxy.url if proxy else None,
            proxy_headers=proxy.headers if proxy else None,
            ssl=tls,
        ) as response:
            yield response

    async def close(self) -> None:
        """Close them."""
        if self._session is not None:
            await self._session.close()


async def read_body(response: aiohttp.ClientResponse) -> bytes:
    """The whole body, up to a limit."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > _BODY_LIMIT:
            response.close()
            raise Unreachable("GitHub sends more than can be read at once")
        parts.append(part)
    return b"".join(parts)


async def copy_body(response: aiohttp.ClientResponse, into: IO[bytes], limit: int) -> None:
    """The body into a file, up to a limit."""
    size = 0
    async for part in response.content.iter_chunked(256 * 1024):
        size += len(part)
        if size > limit:
            raise Unreachable(f"the archive is larger than {limit // 2**20} MiB")
        await asyncio.to_thread(into.write, part)
