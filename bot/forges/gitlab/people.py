"""Who we are on a GitLab, which commits are ours, and what others may do.

A commit is taken for ours by its author, its committer and its trailers. All three can be imitated: so this tells whether a
branch is left to a person, and never whether it may land (before that the change itself is compared).
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.forges.base import Denied
from bot.forges.gitlab.session import Declined
from bot.forges.gitlab.wire import Lane, Wire, plainly

Json = Mapping[str, Any]

DEVELOPER = 30
MAINTAINER = 40
_TRAILER = re.compile(r"^Tagboat-Update: ", re.MULTILINE)
_REMEMBERED = 600.0


@dataclass(slots=True)
class Us:
    """The user behind the token. `names` and `emails` are those by which our commits are signed; `learned` are the committers
    that GitLab put under commits that we just made (a GitLab that signs web commits puts its own name there)."""

    id: int
    login: str
    bot: bool
    names: frozenset[str]
    emails: frozenset[str]
    learned: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, user: Json) -> Us:
        """By the answer of `GET /user`."""
        names = {str(user[key]) for key in ("name", "username") if user.get(key)}
        emails = {str(user[key]).lower() for key in ("email", "commit_email", "public_email") if user.get(key)}
        return cls(int(user["id"]), str(user["username"]), bool(user.get("bot")), frozenset(names), frozenset(emails))

    def learn(self, commit: Json) -> None:
        """Take in how GitLab wrote a commit that we have just made."""
        if commit.get("committer_email"):
            self.learned.add(str(commit["committer_email"]).lower())

    def is_author(self, commit: Json, also: Collection[str] = ()) -> bool:
        """Whether we wrote a commit, whoever put it where it stands. `also` are e-mail addresses under which we write."""
        return _marked(commit) and self._is(commit, "author", also)

    def made(self, commit: Json, also: Collection[str] = ()) -> bool:
        """Whether a commit is as we left it: one that a person amended or rebased has that person as its committer."""
        if not self.is_author(commit, also):
            return False
        email = str(commit.get("committer_email") or "").lower()
        signed_by_gitlab = commit.get("committer_name") == "GitLab" and email.startswith("noreply@")
        return not email or email in self.learned or signed_by_gitlab or self._is(commit, "committer")

    def _is(self, commit: Json, role: str, also: Collection[str] = ()) -> bool:
        email = str(commit.get(f"{role}_email") or "").lower()
        return email in self.emails or email in also or str(commit.get(f"{role}_name") or "") in self.names


def _marked(commit: Json) -> bool:
    return _TRAILER.search(str(commit.get("message") or "")) is not None


class People:
    """The users of one GitLab, each looked up once in a while."""

    def __init__(self, wire: Wire, now: Callable[[], float] = time.monotonic) -> None:
        self._wire = wire
        self._now = now
        self._us: Us | None = None
        self._turn = asyncio.Lock()
        self._ids: dict[str, tuple[float, int | None]] = {}
        self._levels: dict[tuple[str, int], tuple[float, int]] = {}

    async def us(self) -> Us:
        """The token's own user, asked for once."""
        async with self._turn:
            if self._us is None:
                try:
                    self._us = Us.of((await self._wire.ask("get", "/user")).json())
                except Declined as declined:
                    raise plainly(self._wire.url, declined) from None
                except (KeyError, TypeError, ValueError):
                    raise Denied(f"{self._wire.url}: what answers there is no GitLab") from None
            return self._us

    async def ids(self, names: Sequence[str]) -> list[int]:
        """The numbers of users by name; those that do not exist are left out."""
        found = [await self._id(name) for name in dict.fromkeys(names)]
        return [one for one in found if one is not None]

    async def _id(self, name: str) -> int | None:
        kept = self._ids.get(name.lower())
        if kept is None or self._now() - kept[0] > _REMEMBERED:
            rows = (await self._wire.ask("get", "/users", {"username": name})).json()
            mine = [row for row in rows if str(row.get("username") or "").lower() == name.lower()]
            kept = self._ids[name.lower()] = (self._now(), int(mine[0]["id"]) if mine else None)
        return kept[1]

    async def may_write(self, lane: Lane, user: int) -> bool:
        """Whether a user may push to the project: a Developer or more, by whatever way. Not known counts as no."""
        key = (str(lane.key), user)
        kept = self._levels.get(key)
        if kept is None or self._now() - kept[0] > _REMEMBERED:
            member = await lane.find(f"/members/all/{user}")
            active = member is not None and str(member.get("state") or "active") == "active"
            kept = self._levels[key] = (self._now(), int((member or {}).get("access_level") or 0) if active else 0)
        return kept[1] >= DEVELOPER


def role_of(project: Json) -> int | None:
    """Our own access level, by the project's answer; None where it does not say."""
    rights = project.get("permissions")
    if not isinstance(rights, Mapping):
        return None
    levels = [(rights.get(kind) or {}).get("access_level") for kind in ("project_access", "group_access")]
    return max((int(level) for level in levels if level is not None), default=0)
