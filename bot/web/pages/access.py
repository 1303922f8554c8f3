"""Who may read the pages, and who may act.

With a `dashboard_token` in the settings: whoever has logged in with it. Without one: whoever sits at this machine may read, and
nobody may act. A session is a random number with a signature; a form carries a second one over it, which no other site knows.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets

from aiohttp import web

from bot.serving.service import Service
from bot.web.senders.base import same

COOKIE = "tagboat"
_DAY = 86400
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
        self._local = is_loopback(settings.listen[0])
        self._secure = settings.public_url.startswith("https://")
        self._key = secrets.token_bytes(32)

    @property
    def can_log_in(self) -> bool:
        """Whether there is a token to log in with."""
        return bool(self._token)

    def may_read(self, request: web.Request) -> bool:
        """Whether a request may see the pages."""
        return self._session(request) is not None if self._token else self._local

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
        session, _, signature = request.cookies.get(COOKIE, "").rpartition(".")
        return session if self._token and session and same(signature, self._sign("session", session)) else None

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.new(self._key, f"{purpose}:{text}".encode(), hashlib.sha256).hexdigest()


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


ACCESS: web.AppKey[Access] = web.AppKey("access", Access)
