"""python-gitlab's blocking side: one HTTP exchange, made in a thread, read to its end and judged.

python-gitlab is synchronous and patient: without care a request may hang for ever, sleep until a rate limit is over, be sent
twice, or follow a redirect to another host with the token in its hands. So here it makes exactly one request with time-outs,
reads the body up to a limit and a deadline, follows redirects on its own server only, and keeps no cookies. Whether to ask again
is for `wire` to decide.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import gitlab
import requests
import urllib3.exceptions
from gitlab.exceptions import GitlabError, RedirectError
from requests.adapters import HTTPAdapter

from bot.forges.base import Denied, ForgeError, Unreachable
from bot.registries.addresses import is_this_machine
from bot.registries.base import RegistryError
from bot.registries.wire import tls_context

_CHUNK = 64 * 1024
_WORDS = 300


class Declined(ForgeError):
    """GitLab answered with a status that is no success: its number, and its words for a person."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"{words or 'no reason given'} ({status})")
        self.status = status
        self.words = words


class Trouble(Exception):
    """An exchange failed in a way that may pass. `reached` is False where GitLab cannot have begun to act on it; `wait` is for
    how many seconds it asked us to stay away; `limited` that it was a rate limit, `slow` a time-out."""

    def __init__(
        self, message: str, *, reached: bool = True, wait: float | None = None, limited: bool = False, slow: bool = False
    ) -> None:
        super().__init__(message)
        self.slow = slow
        self.reached = reached
        self.wait = wait
        self.limited = limited


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON. Raises Unreachable where it is none: then it is not GitLab that answered, or not all of it."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise Unreachable("GitLab's answer could not be read: it is cut off, or no JSON") from None


class Session:
    """The connections to one GitLab with one token. Its methods block: call them in a thread of a pool of `size`."""

    def __init__(self, url: str, token: str, *, size: int, connect: float, read: float, total: float) -> None:
        self.url = base_of(url)
        self._token = token
        self._total = total
        self._http = _Http(self.url, size)
        self._gitlab = gitlab.Gitlab(
            self.url,
            private_token=token or None,
            timeout=(connect, read),  # type: ignore[arg-type]  # requests takes a pair
            session=self._http,
            retry_transient_errors=False,
            keep_base_url=True,
            user_agent="tagboat",
        )

    def exchange(self, method: str, path: str, query: Mapping[str, Any], body: Mapping[str, Any] | None, limit: int) -> Answer:
        """One request and its answer. Raises Declined, Trouble or Denied."""
        self._http.last.headers = {}
        deadline = time.monotonic() + self._total
        try:
            response = self._gitlab.http_request(
                method,
                path,
                query_data=dict(query),
                post_data=None if body is None else dict(body),
                streamed=True,
                obey_rate_limit=False,
                retry_transient_errors=False,
            )
            with response:
                return Answer(response.status_code, _lower(response.headers), _read(response, limit, deadline))
        except RedirectError:
            raise Denied("GitLab moved this to another address, and a change is not sent on: name the new one") from None
        except GitlabError as error:
            raise self._judge(error) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _broken(error) from None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _judge(self, error: GitlabError) -> Exception:
        status, headers = int(error.response_code or 0), self._http.last.headers
        words = _words(error.error_message)
        # A proxy in between may throw back what it was sent.
        words = words.replace(self._token, "***") if self._token else words
        if status == 429:
            return Trouble("GitLab asks for fewer requests (429)", reached=False, wait=_pause(headers), limited=True)
        if status >= 500 or status == 408:
            return Trouble(f"GitLab has trouble of its own ({status})", wait=_pause(headers))
        if status == 409 and "resource lock" in words.lower():
            return Trouble("GitLab is busy with the same thing (409)", reached=False)
        return Declined(status, words)


class _Last(threading.local):
    """The headers of the thread's last answer, which python-gitlab's errors leave out."""

    headers: Mapping[str, str] = {}


class _Http(requests.Session):
    def __init__(self, url: str, size: int) -> None:
        super().__init__()
        self.last = _Last()
        self._origin = _origin(url)
        self.trust_env = False  # no logins from .netrc; proxies and certificates are set here
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        scheme, host = urlsplit(url).scheme, urlsplit(url).hostname or ""
        if not is_this_machine(host) and not urllib.request.proxy_bypass(urlsplit(url).netloc.rpartition("@")[2]):
            self.proxies.update(urllib.request.getproxies())
        adapter = _Adapter(size, secure=scheme == "https")
        for prefix in ("https://", "http://"):
            self.mount(prefix, adapter)

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Called at each redirect: the token goes nowhere else."""
        if _origin(prepared_request.url or "") != self._origin:
            raise requests.TooManyRedirects("GitLab leads to another server; that was not followed")

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        response = super().send(request, **options)
        self.last.headers = _lower(response.headers)
        return response


class _Adapter(HTTPAdapter):
    """As many kept connections as there are threads, and the certificates that the environment adds."""

    def __init__(self, size: int, *, secure: bool) -> None:
        try:
            self._context = tls_context() if secure else None
        except RegistryError as error:  # a file of certificates that the environment names
            raise Denied(str(error)) from None
        super().__init__(pool_connections=4, pool_maxsize=size, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options, ssl_context=self._context)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return super().proxy_manager_for(proxy, **options, ssl_context=self._context)


def base_of(url: str) -> str:
    """The address of a GitLab as people see it, without a slash at its end and without `/api/v4`."""
    return url.rstrip("/").removesuffix("/api/v4").rstrip("/")


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _read(response: requests.Response, limit: int, deadline: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    # What is there by now, not a chunk that is full: else a server that drips holds the thread.
    while part := response.raw.read1(_CHUNK, decode_content=True):
        parts.append(part)
        size += len(part)
        if size > limit:
            raise Denied(f"GitLab's answer is larger than {limit // 2**20} MiB")
        if time.monotonic() > deadline:
            raise Trouble("GitLab did not finish its answer in time", slow=True)
    return b"".join(parts)


def _pause(headers: Mapping[str, str]) -> float | None:
    """For how many seconds GitLab wants to be left alone, where it says so."""
    after, reset = headers.get("retry-after", "").strip(), headers.get("ratelimit-reset", "").strip()
    if after.isdecimal():
        return float(after[:9])
    if reset.isdecimal():
        return max(0.0, float(reset[:12]) - time.time())
    return None


def _words(message: Any) -> str:
    """GitLab's reason on one line; it comes as text, a list, or lists by field."""
    if isinstance(message, bytes):
        message = message.decode("utf-8", "replace")
    if isinstance(message, str) and message.lstrip()[:1] in ("<", "{"):
        return ""  # a page for browsers
    if isinstance(message, Mapping):
        message = "; ".join(f"{key} {_words(value)}".strip() for key, value in message.items())
    elif isinstance(message, list):
        message = ", ".join(_words(one) for one in message)
    return " ".join(str(message or "").split())[:_WORDS]


def _broken(error: Exception) -> Exception:
    """What a failed connection means."""
    said = str(error)
    match error:
        case requests.TooManyRedirects():
            return Denied(said if "not followed" in said else "GitLab redirects in a circle")
        case requests.exceptions.SSLError():
            return Denied("GitLab's certificate is not trusted")
        case requests.exceptions.InvalidURL() | requests.exceptions.MissingSchema() | requests.exceptions.InvalidSchema():
            return Denied("the address of GitLab is none")
        case requests.exceptions.ConnectTimeout():
            return Trouble("GitLab does not answer", reached=False)
        case requests.exceptions.ProxyError():
            return Trouble("GitLab cannot be reached: the proxy does not take connections", reached=False)
        case requests.exceptions.Timeout():
            return Trouble("GitLab did not answer in time", slow=True)
        case requests.exceptions.ConnectionError() if "NewConnectionError" in said or "NameResolutionError" in said:
            why = "its name is not known" if "NameResolution" in said else "it takes no connection"
            return Trouble(f"GitLab cannot be reached: {why}", reached=False)
        case _:
            return Trouble("the connection to GitLab broke")
