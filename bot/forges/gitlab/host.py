"""One GitLab of `app.yaml`: which projects there are, and how long its token still works.

Projects are those that are named, or else all that the token is a member of as a Developer or more. Archived projects, forks, and
those that are about to be removed are left out. One list of a hundred projects brings their settings too, so that a look at
each of them need not ask for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import structlog

from bot.forges.base import Denied, ForgeKind, Repository, Usage
from bot.forges.gitlab.forge import GitLabForge
from bot.forges.gitlab.people import DEVELOPER, People
from bot.forges.gitlab.reading import Archives
from bot.forges.gitlab.session import Declined
from bot.forges.gitlab.token import alarm, facts
from bot.forges.gitlab.wire import Limits, Wire, plainly
from bot.registries.limits import Clock
from bot.settings.values import GitLabSettings
from bot.state.allowances import Allowances

Json = Mapping[str, Any]

_LOOK_AT_TOKEN_EVERY = timedelta(hours=6)

log = structlog.get_logger(__name__)


class GitLabHost:
    """A row of `forges`. `alarms` are sentences that a person has to see, as of the last look at the token.

    The token's secret is read here: raises MissingSecret where there is none."""

    kind: ForgeKind = "gitlab"

    def __init__(
        self,
        settings: GitLabSettings,
        *,
        limits: Limits | None = None,
        clock: Clock | None = None,
        allowances: Allowances | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        fault: Callable[[str], None] = lambda point: None,
    ) -> None:
        if settings.token is None:
            raise Denied(f"{settings.url}: no token is set for this GitLab")
        self.wire = Wire(settings.url, settings.token.reveal(), limits, clock, allowances)
        self.alarms: tuple[str, ...] = ()
        self._names = settings.projects
        self._people = People(self.wire)
        self._archives = Archives(self.wire)
        self._now = now
        self._fault = fault
        self._forges: dict[str | int, GitLabForge] = {}
        self._token_read_at: datetime | None = None

    async def repositories(self) -> Sequence[Repository]:
        """The projects that are named, else those that the token is a member of."""
        await self._look_at_token()
        if self._names:
            return [Repository(self._forge(name, name)) for name in dict.fromkeys(self._names)]
        try:
            rows = await self._members_of()
        except Declined as declined:
            raise plainly(self.wire.url, declined) from None
        kept = {int(row["id"]): row for row in rows if _wanted(row)}
        for gone in self._forges.keys() - kept.keys():
            del self._forges[gone]
        found: list[Repository] = []
        for number, row in kept.items():
            forge = self._forge(number, str(row["path_with_namespace"]))
            if "merge_method" in row:  # a whole answer, not a short one
                forge.told(row)
            found.append(Repository(forge, named=False))
        return found

    @property
    def usage(self) -> Usage:
        """What was sent, by method, and what is left."""
        sent: Counter[str] = Counter()
        for kind, count in self.wire.requests.items():
            sent[kind.partition(" ")[0]] += count
        return Usage(urlsplit(self.wire.url).netloc.rpartition("@")[2], sent, self.wire.known())

    async def close(self) -> None:
        """Give back threads and connections."""
        await self.wire.close()

    def _forge(self, key: str | int, path: str) -> GitLabForge:
        if key not in self._forges:
            self._forges[key] = GitLabForge(path.strip("/"), self.wire, self._people, self._archives, fault=self._fault)
        return self._forges[key]

    async def _members_of(self) -> list[Json]:
        query = {
            "membership": "true",
            "archived": "false",
            "min_access_level": DEVELOPER,
            "order_by": "id",
            "sort": "asc",
            "pagination": "keyset",
        }
        return [row async for page in self.wire.pages("/projects", query) for row in page]

    async def _look_at_token(self) -> None:
        now = self._now()
        if self._token_read_at is not None and now - self._token_read_at < _LOOK_AT_TOKEN_EVERY:
            return
        us, token = await self._people.us(), await facts(self.wire)
        self._token_read_at = now
        said = alarm(us, token, now.date()) if token is not None else None
        self.alarms = (said,) if said else ()
        for one in self.alarms:
            log.warning("a token runs out", forge=self.wire.url, alarm=one)


def _wanted(project: Json) -> bool:
    """Whether a project that was found is to be looked at."""
    ends = project.get("marked_for_deletion_on") or project.get("marked_for_deletion_at")
    return not (project.get("archived") or project.get("forked_from_project") or ends or project.get("empty_repo"))
