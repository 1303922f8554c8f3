"""How requests to GitHub are signed: by a plain token, as the App itself (a JWT), or as one of its installations.

    {kind: github, url: "https://api.github.com", app: {id: 1, private_key: {file: key.pem}}}
    {kind: github, url: "https://github.example.com/api/v3", token: {env: GITHUB_TOKEN}}

An installation's token lives for an hour; a new one is asked for five minutes before it ends, or when GitHub no longer takes it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from gidgethub.apps import get_jwt

from bot.forges.base import Denied, ForgeError

_LIFE = 9 * 60
_AHEAD = 5 * 60
_USUAL = 60 * 60


class Auth(Protocol):
    """Gives the `Authorization` of each request."""

    async def header(self) -> str | None:
        """None: the request goes unsigned."""
        ...

    def refused(self) -> bool:
        """GitHub answered 401: whether another try, with something new, makes sense."""
        ...


def graphql_endpoint(url: str) -> str:
    """Where GraphQL is, by the address of REST: `<url>/graphql`, on an Enterprise Server `…/api/graphql` beside `…/api/v3`."""
    plain = url.rstrip("/")
    return f"{plain.removesuffix('/v3')}/graphql" if plain.endswith("/api/v3") else f"{plain}/graphql"


def web_address(url: str) -> str:
    """Where people see GitHub, by the address of REST."""
    plain = url.rstrip("/").removesuffix("/api/v3")
    return "https://github.com" if plain == "https://api.github.com" else plain


@dataclass(frozen=True, slots=True)
class TokenAuth:
    """A token that a person or a workflow gave."""

    token: str = field(repr=False)

    async def header(self) -> str:
        return f"Bearer {self.token}"

    def refused(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class NoAuth:
    """Nobody in particular: registering the App is asked for without a token."""

    async def header(self) -> str | None:
        return None

    def refused(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Refusing:
    """A repository for which there is nothing to sign with, and why."""

    reason: str

    async def header(self) -> str | None:
        raise Denied(self.reason)

    def refused(self) -> bool:
        return False


@dataclass(slots=True)
class AppAuth:
    """The App itself: it may list its installations and ask for their tokens, and little else."""

    app_id: str
    private_key: str = field(repr=False)
    monotonic: Callable[[], float] = time.monotonic
    _jwt: str | None = field(default=None, init=False, repr=False)
    _until: float = field(default=0.0, init=False)

    async def header(self) -> str:
        now = self.monotonic()
        if self._jwt is None or now >= self._until:
            try:
                # It backdates the JWT by a minute, for clocks that differ.
                self._jwt = get_jwt(app_id=self.app_id, private_key=self.private_key, expiration=_LIFE)
            except Exception:  # whatever the key's parser says may hold the key
                raise Denied("the App's private key cannot be used: it has to be the PEM file that GitHub gave") from None
            self._until = now + _LIFE - 2 * 60
        return f"Bearer {self._jwt}"

    def refused(self) -> bool:
        fresh, self._jwt = self._jwt, None
        return fresh is not None


Ask = Callable[[], Awaitable[Mapping[str, Any]]]


@dataclass(slots=True)
class InstallationAuth:
    """One installation. `ask` posts for a token and gives GitHub's answer (`token`, `expires_at`)."""

    ask: Ask
    wall: Callable[[], float] = time.time
    _token: str | None = field(default=None, init=False, repr=False)
    _until: float = field(default=0.0, init=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def header(self) -> str:
        async with self._lock:
            if self._token is None or self.wall() >= self._until:
                answer = await self.ask()
                try:
                    self._token = str(answer["token"])
                    until = datetime.fromisoformat(answer["expires_at"]).timestamp() - _AHEAD
                except (KeyError, TypeError, ValueError):
                    raise ForgeError("GitHub gave something that is no installation token") from None
                # Where the clocks differ by that much, GitHub's word (an hour, and 401 before that) is better than ours.
                self._until = until if until > self.wall() else self.wall() + _USUAL - _AHEAD
            return f"Bearer {self._token}"

    def refused(self) -> bool:
        held, self._token = self._token, None
        return held is not None
