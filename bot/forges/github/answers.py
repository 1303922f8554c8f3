"""GitHub's answers and failures in plain words: which of our errors each of them is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
import gidgethub

from bot.forges.base import Denied, ForgeError, Limited, Unreachable


class Refusal(ForgeError):
    """GitHub understood and said no: `status` of the answer (200 for GraphQL), and the kind of its error where it gave one."""

    def __init__(self, message: str, status: int, kind: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


class Missing(Denied):
    """404: it is not there, or may not be seen."""


class Forbidden(Denied):
    """401 or 403."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Broken(Unreachable):
    """A 5xx answer."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error in a GraphQL answer, which may be one of many and leave the rest as it is."""

    kind: str
    message: str
    path: tuple[str | int, ...] = ()


def is_limit(status: int, headers: Mapping[str, str], body: bytes, *, graphql: bool) -> bool:
    """Whether an answer is a refusal because of a limit."""
    if status == 429:
        return True
    if status == 403:
        words = body[:2000].lower()
        return (
            "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0" or b"rate limit" in words or b"abuse" in words
        )
    # GraphQL's own allowance being used up is told with 200.
    if graphql and status == 200 and b'"RATE_LIMITED"' in body and b'"errors"' in body:
        return any(trouble_of(one).kind == "RATE_LIMITED" for one in _errors(body))
    return False


def _errors(body: bytes) -> list[Any]:
    try:
        found = json.loads(body)
        return list(found.get("errors") or ()) if isinstance(found, dict) else []
    except ValueError:
        return []


def trouble_of(error: Any) -> Trouble:
    """One of the `errors` of a GraphQL answer."""
    said = error if isinstance(error, Mapping) else {}
    kind = said.get("type") or (said.get("extensions") or {}).get("code") or ""
    return Trouble(str(kind), words_of(str(said.get("message") or "it gives no reason")), tuple(said.get("path") or ()))


def refused(trouble: Trouble) -> ForgeError:
    """The error for a mutation that was not done."""
    match trouble.kind:
        case "FORBIDDEN" | "INSUFFICIENT_SCOPES":
            return Forbidden(f"GitHub does not allow it: {trouble.message}", 403)
        case "NOT_FOUND":
            return Missing(f"GitHub does not find it: {trouble.message}")
        case _:
            return Refusal(trouble.message, 200, trouble.kind)


def described(error: gidgethub.HTTPException, method: str, path: str) -> ForgeError:
    """The error for an answer of REST."""
    status, words, what = int(error.status_code), words_of(str(error)), f"{method} {shown(path)}"
    match status:
        case 401:
            return Forbidden(f"GitHub does not accept the credentials ({what})", status)
        case 403:
            return Forbidden(f"GitHub does not allow it ({what}): {words}", status)
        case 404 | 410 | 451:
            return Missing(f"GitHub does not find it, or these credentials may not see it ({what})")
        case 429:
            return Limited(f"GitHub asks for fewer requests ({what})")
        case _ if status >= 500:
            return Broken(f"GitHub has trouble of its own ({status} at {what})", status)
        case _:
            return Refusal(words, status)


def unreachable(error: Exception) -> ForgeError:
    """The error for a connection that failed."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return Denied("GitHub's certificate is not trusted")
        case TimeoutError():
            return Unreachable("GitHub did not answer in time")
        case aiohttp.ClientConnectorError():
            return Unreachable("GitHub cannot be reached")
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError():
            return Unreachable("GitHub broke off in the middle of an answer")
        case _:
            return Unreachable(f"the connection to GitHub failed ({type(error).__name__})")


def words_of(text: str) -> str:
    """Somebody else's words, short enough for a line."""
    return " ".join(text.split())[:300]


def shown(path: str) -> str:
    """A path without its query."""
    return path.partition("?")[0]


def quoted(name: str) -> str:
    """A branch name or a path as part of a URL."""
    return quote(name.encode("utf-8", "surrogateescape"), safe="/")
