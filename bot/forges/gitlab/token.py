"""What the token is and may do, in plain words, and an alarm before it runs out.

GitLab answers 403 or 404 to whatever a token may not do, and says no more. So after such an answer the token's own record
(`GET /personal_access_tokens/self`, which project and group access tokens have as well) and the role in the project are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

from bot.forges.base import ForgeError
from bot.forges.gitlab.people import DEVELOPER, Us, role_of
from bot.forges.gitlab.wire import Wire

Json = Mapping[str, Any]
TokenKind = Literal["project", "group", "service account", "personal"]

WARN_BEFORE = timedelta(days=14)
_PARTS = {"repository_access_level": "the repository is", "merge_requests_access_level": "merge requests are"}
_ROLES = {
    0: "none",
    5: "Minimal Access",
    10: "Guest",
    15: "Planner",
    20: "Reporter",
    30: "Developer",
    40: "Maintainer",
    50: "Owner",
}


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """A token by its own record. `expires` is the first day on which it does not work; None: not known, or never."""

    name: str
    scopes: frozenset[str]
    expires: date | None
    active: bool = True

    @classmethod
    def of(cls, record: Json) -> TokenFacts:
        expires = record.get("expires_at")
        return cls(
            str(record.get("name") or ""),
            frozenset(map(str, record.get("scopes") or ())),
            date.fromisoformat(str(expires)[:10]) if expires else None,
            record.get("active") is not False and record.get("revoked") is not True,
        )


def kind_of(us: Us) -> TokenKind:
    """What kind of token has such a user. The users of bot tokens have names of a fixed form."""
    if us.bot or us.login.startswith(("project_", "group_")):
        if us.login.startswith("project_"):
            return "project"
        if us.login.startswith("group_"):
            return "group"
    return "service account" if us.login.startswith("service_account") else "personal"


async def facts(wire: Wire) -> TokenFacts | None:
    """The token's own record; None where this GitLab does not give it."""
    try:
        return TokenFacts.of((await wire.ask("get", "/personal_access_tokens/self")).json())
    except (ForgeError, ValueError):
        return None


async def lacking(wire: Wire, project: Json, status: int) -> str | None:
    """What the token or the project lacks for what GitLab has just refused; None: nothing that can be seen."""
    for key, what in _PARTS.items():
        if project.get(key) == "disabled":
            return f"{what} switched off in this project ({status})"
    role = role_of(project)
    if role is not None and role < DEVELOPER:
        return f"the token's role in this project is {_role(role)}, and Tagboat needs Developer, or Maintainer to land ({status})"
    token = await facts(wire)
    if token is not None and token.scopes and "api" not in token.scopes:
        return f"the token has the scope {', '.join(sorted(token.scopes))}, and Tagboat needs `api` ({status})"
    return None


def alarm(us: Us, token: TokenFacts, today: date) -> str | None:
    """The sentence for people where the token soon runs out, from two weeks before."""
    if token.expires is None or token.expires - today > WARN_BEFORE:
        return None
    named = f"the {kind_of(us)} access token {token.name!r}".replace(" ''", "")
    left = (token.expires - today).days
    when = "has expired" if left <= 0 else f"expires in {left} day{'s' if left > 1 else ''}"
    return f"{named} {when} (on {token.expires}): rotate it in GitLab and put the new one where app.yaml says"


def _role(level: int) -> str:
    return _ROLES.get(level, f"level {level}")
