"""Every request to GitHub goes through here: signed, paced, counted, tried again where that is safe, errors in plain words.

    wire = Wire("https://api.github.com", TokenAuth(token), connections)
    await wire.get("/repos/acme/gitops/pulls/7")
    await wire.write("POST", "/repos/acme/gitops/git/refs", {"ref": …, "sha": …})
    data, troubles = await wire.query(DOCUMENT, owner="acme", name="gitops")

One Wire serves one installation or token; its budget and its ETag cache are its own. gidgethub makes the requests and reads the
answers; its one door to the network (`_request`) is ours, so that GraphQL passes it too.

| what happened                        | what is done                                                    | else           |
|--------------------------------------|-----------------------------------------------------------------|----------------|
| 401                                  | one more try with a new token                                   | Denied         |
| 403 or 429 for a limit               | wait, if it is short                                            | Limited        |
| 5xx, time-out, broken or cut answer  | two more tries, for what reads or may be said twice (`again`)   | Unreachable    |
| 404, 403                             |                                                                 | Denied         |
| 409, 422, errors of a mutation       |                                                                 | Refusal        |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import IO, Any

import aiohttp
import gidgethub
from cachetools import LRUCache
from gidgethub import abc as gidgethub_abc
from yarl import URL

from bot.forges.base import Unreachable
from bot.forges.github.answers import (
    Broken,
    Forbidden,
    Trouble,
    described,
    is_limit,
    refused,
    shown,
    trouble_of,
    unreachable,
    words_of,
)
from bot.forges.github.auth import Auth, graphql_endpoint
from bot.forges.github.connections import Connections, copy_body, read_body
from bot.forges.github.limits import Budget

ATTEMPTS = 3
_VERSION = "2022-11-28"
_HOPS = 3
_ETAGS = 256
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(slots=True)
class _Call:
    """What is known of the request that is on its way."""

    write: bool
    again: bool
    graphql: bool = False


_CALL: ContextVar[_Call] = ContextVar("github call")


class _Api(gidgethub_abc.GitHubAPI):
    """gidgethub over our own door."""

    def __init__(self, wire: Wire, base_url: str, cache: LRUCache[str, Any] | None) -> None:
        super().__init__("tagboat", base_url=base_url, cache=cache)
        self._wire = wire

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        return await self._wire.send(method, URL(url, encoded=True), headers, body)

    async def sleep(self, seconds: float) -> None:
        await self._wire.budget.clock.sleep(seconds)


class Wire:
    """One installation's or token's way to GitHub. `requests` counts what was sent: by REST method, `query`, `mutation`."""

    def __init__(
        self, base_url: str, auth: Auth, connections: Connections, *, budget: Budget | None = None, attempts: int = ATTEMPTS
    ) -> None:
        self.budget = budget or Budget()
        self.requests: Counter[str] = Counter()
        self._auth = auth
        self._connections = connections
        self._attempts = attempts
        self._endpoint = graphql_endpoint(base_url)
        self._origin = URL(base_url).origin()
        self._plain = _Api(self, base_url, None)
        # gidgethub knows what it kept by URL alone: so never share it between tokens.
        self._kept = _Api(self, base_url, LRUCache(maxsize=_ETAGS))

    def writing(self, key: str, count: int) -> AbstractAsyncContextManager[None]:
        """Set so many writes aside (see `limits`)."""
        return self.budget.writing(key, count)

    async def get(self, path: str, *, kept: bool = False) -> Any:
        """Read one thing. `kept`: with its ETag, so that what did not change costs nothing of the allowance."""
        with _told(_Call(write=False, again=True)):
            return (await self._rest("GET", path, b"", kept=kept))[0]

    async def pages(self, path: str, *, under: str | None = None, limit: int = 50) -> AsyncIterator[Any]:
        """The items of a list, page after page; `under` is the key that holds them, where an object does."""
        following: str | None = path
        for _ in range(limit):
            if following is None:
                return
            with _told(_Call(write=False, again=True)):
                data, following = await self._rest("GET", following, b"")
            rows = data[under] if under else data
            if not isinstance(rows, list):
                raise Unreachable(f"GitHub's answer to {shown(path)} is no list")
            for item in rows:
                yield item

    async def write(self, method: str, path: str, data: Any = b"", *, again: bool = False) -> Any:
        """Change something. `again`: said twice it is done once, so a lost answer is no reason to stop."""
        with _told(_Call(write=True, again=again)):
            return (await self._rest(method, path, data))[0]

    async def query(self, document: str, **variables: Any) -> tuple[Mapping[str, Any], list[Trouble]]:
        """Ask GraphQL: what it gave, and what it could not give."""
        with _told(_Call(write=False, again=True, graphql=True)):
            return await self._ask(document, variables)

    async def mutate(self, document: str, *, again: bool = False, **variables: Any) -> Mapping[str, Any]:
        """Change something by GraphQL. Raises Refusal where it was not done."""
        with _told(_Call(write=True, again=again, graphql=True)):
            data, troubles = await self._ask(document, variables)
        if troubles:
            raise refused(troubles[0])
        return data

    async def download(self, path: str, into: IO[bytes], limit: int) -> None:
        """Read something large into a file, from wherever GitHub sends us for it (without our token, if that is elsewhere)."""
        url = URL(f"{self._plain.base_url.rstrip('/')}{path}", encoded=True)
        headers = {"User-Agent": "tagboat", "Accept": "application/vnd.github+json"}
        for _ in range(_HOPS + 1):
            known = await self._signature() if url.origin() == self._origin else {}
            async with self.budget.asking(graphql=False, write=False):
                self.requests["GET"] += 1
                try:
                    async with self._connections.send("GET", url, headers | known, None) as response:
                        if response.status in _REDIRECTS:
                            url = url.join(URL(response.headers.get("Location", ""), encoded=True))
                            continue
                        if response.status != 200:
                            raise Unreachable(f"GitHub answers a download with {response.status}")
                        await copy_body(response, into, limit)
                        return
                except (TimeoutError, aiohttp.ClientError, OSError) as error:
                    raise unreachable(error) from None
        raise Unreachable("GitHub redirects a download too often")

    # -- how it is done

    async def _rest(self, method: str, path: str, data: Any, *, kept: bool = False) -> tuple[Any, str | None]:
        api = self._kept if kept else self._plain
        try:
            found, more, _ = await api._make_request(method, path, None, data, gidgethub.sansio.accept_format())
        except gidgethub.HTTPException as error:
            raise described(error, method, path) from None
        except (ValueError, LookupError):
            raise Unreachable(f"GitHub's answer to {method} {shown(path)} cannot be read") from None
        return found, more

    async def _ask(self, document: str, variables: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[Trouble]]:
        try:
            return await self._plain.graphql(document, endpoint=self._endpoint, **variables) or {}, []
        except gidgethub.QueryError as error:
            found = [trouble_of(one) for one in error.response.get("errors") or ()]
            return error.response.get("data") or {}, found
        except gidgethub.BadGraphQLRequest as error:
            status = int(error.status_code)
            raise Forbidden(f"GitHub does not allow GraphQL ({status}): {words_of(str(error))}", status) from None
        except gidgethub.GitHubBroken as error:
            raise Broken(f"GitHub has trouble of its own ({int(error.status_code)})", int(error.status_code)) from None
        except (gidgethub.GraphQLException, ValueError, LookupError, TypeError):
            raise Unreachable("GitHub's GraphQL answer cannot be read") from None

    async def send(self, method: str, url: URL, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """One request with all its attempts; what gidgethub calls."""
        call = _CALL.get()
        renewed = False
        attempt = 0
        while True:
            attempt += 1
            sent = {**headers, "x-github-api-version": _VERSION, **await self._signature()}
            wait = min(2.0 ** (attempt - 2), 8.0) * (1 + self.budget.clock.jitter()) / 2
            try:
                answer = await self._once(call, method, url, sent, body)
            except Unreachable:
                if not call.again or attempt >= self._attempts:
                    raise
                await self.budget.clock.sleep(wait)
                continue
            status, told, data = answer
            if status == 401 and not renewed and self._auth.refused():
                renewed = True
                continue
            limited = is_limit(status, told, data, graphql=call.graphql)
            pause = self.budget.told(status, told, limited=limited)
            if pause is not None:
                # It was not done, so it may be said again whatever it is.
                if attempt >= self._attempts or pause > self.budget.pace.longest_wait:
                    raise self.budget.limited(pause)
                await self.budget.clock.sleep(pause)
            elif status >= 500 and call.again and attempt < self._attempts:
                await self.budget.clock.sleep(wait)
            else:
                return answer

    async def _signature(self) -> dict[str, str]:
        said = await self._auth.header()
        return {"authorization": said} if said is not None else {}

    async def _once(
        self, call: _Call, method: str, url: URL, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        kind = ("mutation" if call.write else "query") if call.graphql else method
        async with self.budget.asking(graphql=call.graphql, write=call.write):
            for _ in range(_HOPS + 1):
                self.requests[kind] += 1
                try:
                    async with self._connections.send(method, url, headers, body or None) as response:
                        data = await read_body(response)
                        told = {name.lower(): value for name, value in response.headers.items()}
                        status = response.status
                except (TimeoutError, aiohttp.ClientError, OSError) as error:
                    raise unreachable(error) from None
                # A repository that was renamed answers with where it is now; whoever follows must not turn POST into GET.
                onward = _onward(url, status, told, method)
                if onward is None:
                    return status, told, data
                url = onward
        raise Unreachable("GitHub redirects too often")


class _told:  # noqa: N801 - reads as a word where it is used
    """Let the door know what the request is that comes through it."""

    def __init__(self, call: _Call) -> None:
        self._call = call

    def __enter__(self) -> None:
        self._mark = _CALL.set(self._call)

    def __exit__(self, *_: object) -> None:
        _CALL.reset(self._mark)


def _onward(url: URL, status: int, headers: Mapping[str, str], method: str) -> URL | None:
    """Where a redirect leads; None: it is none, or one that is not followed (elsewhere, or with another method)."""
    location = headers.get("location")
    if status not in _REDIRECTS or location is None or (status in (302, 303) and method != "GET"):
        return None
    target = url.join(URL(location, encoded=True))
    return target if target.origin() == url.origin() else None
