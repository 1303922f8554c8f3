"""Who may read the pages, and who may act.

With a `dashboard_token` in the settings: whoever has logged in with it. With a `trusted_proxy`: whoever it names, on its own
connections. With neither: whoever sits at this machine may read (not who comes through a proxy that says so), and nobody may act.
A session is a random number with a signature, or the name that the proxy gives; a form carries a signature over it, which no
other site knows.

Who is known by an address of this machine has to ask for a name of this machine too. A site elsewhere can have its own name lead
here, and then a browser on this machine would read the pages for it.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import unicodedata
from urllib.parse import urlsplit

from aiohttp import web

from bot.serving.service import Service
from bot.web.senders.base import same

COOKIE = "tagboat"
_DAY = 86400
_NAME = 100  # characters of a person's name
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::\d{1,5})?\Z")
_HANDED_ON = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Access:
    """The door of one server. Sessions end when it does: the key for their signatures is made at its start."""

    def __init__(self, service: Service) -> None:
        settings = service.app.settings
        self._token = settings.dashboard_token.reveal() if settings.dashboard_token else ""
        self._proxy = settings.trusted_proxy
        self._local = is_loopback(settings.listen[0])
        self._hosts = {settings.listen[0].lower(), (urlsplit(settings.public_url).hostname or "").lower()} - {""}
        self._secure = settings.public_url.startswith("https://")
        self._key = secrets.token_bytes(32)

    @property
    def can_log_in(self) -> bool:
        """Whether there is a token to log in with."""
        return bool(self._token)

    @property
    def knows_people(self) -> bool:
        """Whether anybody can be logged in at all, by a token or by the proxy."""
        return bool(self._token) or self._proxy is not None

    def may_read(self, request: web.Request) -> bool:
        """Whether a request may see the pages."""
        if self.knows_people:
            return self._session(request) is not None
        return self._local and self._asks_for_us(request) and not any(name in request.headers for name in _HANDED_ON)

    def why_not(self, request: web.Request) -> str:
        """Why a request may not see the pages and cannot log in either, in a sentence for the person who sent it."""
        peer = _address(request.remote or "")
        by_address = peer is not None and peer.is_loopback and (self._local or self._proxy is not None)
        if by_address and not self._asks_for_us(request):
            return "The dashboard is not shown under this name: it is none of this machine, and not that of `server.public_url`."
        if self._proxy is not None:
            return f"The dashboard is shown to those whom the proxy of `server.trusted_proxy` names in {self._proxy.header}."
        return "The dashboard is shown on this machine only, as long as `server.dashboard_token` is not set."

    def person(self, request: web.Request) -> str:
        """Who sent a request, as the trusted proxy says; empty where it says nothing, or the request is not from there."""
        if self._proxy is None:
            return ""
        peer, said = _address(request.remote or ""), request.headers.getall(self._proxy.header, [])
        if peer is None or len(said) != 1 or not any(peer in network for network in self._proxy.networks):
            return ""
        return _cleaned(said[0]) if not peer.is_loopback or self._asks_for_us(request) else ""

    def may_act(self, request: web.Request) -> bool:
        """Whether a request comes from somebody who has logged in."""
        return self._session(request) is not None

    def form_key(self, request: web.Request) -> str:
        """What a form of this session has to carry; empty without a session."""
        session = self._session(request)
        return self._sign("form", session) if session else ""

    def is_own_form(self, request: web.Request, key: str) -> bool:
        """Whether a form was made by us for this session."""
        return same(self.form_key(request), key)

    def log_in(self, response: web.Response, token: str) -> bool:
        """Begin a session where the token is right."""
        if not same(token, self._token):
            return False
        session = secrets.token_urlsafe(24)
        response.set_cookie(
            COOKIE,
            f"{session}.{self._sign('session', session)}",
            max_age=_DAY,
            httponly=True,
            samesite="Lax",  # a strict one would not come along when GitHub leads back to /setup
            secure=self._secure,
            path="/",
        )
        return True

    def _session(self, request: web.Request) -> str | None:
        if person := self.person(request):
            return f"proxy:{person}"
        session, _, signature = request.cookies.get(COOKIE, "").rpartition(".")
        return session if self._token and session and same(signature, self._sign("session", session)) else None

    def _asks_for_us(self, request: web.Request) -> bool:
        """Whether the one name that a request asks for is this machine's, or one of those in the settings."""
        said = request.headers.getall("Host", [])
        match = _HOST.match(said[0]) if len(said) == 1 else None
        return match is not None and (is_loopback(match[1].lower()) or match[1].strip("[]").lower() in self._hosts)

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.new(self._key, f"{purpose}:{text}".encode(), hashlib.sha256).hexdigest()


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _address(peer: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address of a connection; one of IPv4 that comes through IPv6 is itself."""
    try:
        found = ipaddress.ip_address(peer)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found


def _cleaned(name: str) -> str:
    """A name of one line that shows what it is: nothing invisible, nothing that turns the text around."""
    shown = "".join(char if unicodedata.category(char)[0] != "C" else " " for char in name)
    return " ".join(shown.split())[:_NAME].rstrip()


ACCESS: web.AppKey[Access] = web.AppKey("access", Access)
