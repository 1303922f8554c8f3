"""One row of `forges` that is a GitHub: its installations or its token, and the repositories that these reach.

    {kind: github, app: {id: 1, private_key: {file: key.pem}}}                    every repository that the App is installed on
    {kind: github, token: {env: GITHUB_TOKEN}, repositories: ["acme/gitops"]}     just this one

Forks and archived repositories are left out of what is found; a named one that is one of these says so when it is looked at.
Each installation has its own token, limits and memory of what was read: nothing of it is shared with another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from yarl import URL

from bot.forges.base import Denied, ForgeError, ForgeKind, Repository, Unreachable, Usage
from bot.forges.github.answers import Forbidden, Missing, quoted
from bot.forges.github.auth import AppAuth, Auth, InstallationAuth, Refusing, TokenAuth
from bot.forges.github.connections import Connections
from bot.forges.github.forge import GitHubForge
from bot.forges.github.limits import Budget, Pace
from bot.forges.github.wire import Wire
from bot.registries.limits import Clock
from bot.settings.values import GitHubSettings
from bot.state.allowances import Allowances, Left, fingerprint

log = structlog.get_logger(__name__)


class GitHubHost:
    """Knows the repositories of one GitHub. `allowances` are what several processes share, if they do; `clock` and `pace` are for
    tests; `fault` is handed to the forges."""

    kind: ForgeKind = "github"

    def __init__(
        self,
        settings: GitHubSettings,
        *,
        connections: Connections | None = None,
        pace: Pace | None = None,
        clock: Clock | None = None,
        allowances: Allowances | None = None,
        fault: Callable[[str], None] = lambda point: None,
    ) -> None:
        self.settings = settings
        self._connections = connections or Connections()
        self._pace = pace or Pace()
        self._clock = clock or Clock()
        self._allowances = allowances
        self._fault = fault
        self._wires: dict[object, Wire] = {}
        self._forges: dict[object, GitHubForge] = {}

    async def repositories(self) -> Sequence[Repository]:
        """Those that are named, or all that can be seen. The same forges at every call."""
        try:
            return await self._repositories()
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Unreachable(f"GitHub's answer has not the form that it should ({type(error).__name__})") from error

    async def _repositories(self) -> Sequence[Repository]:
        named = self.settings.repositories
        if self.settings.app is None:
            wire = self._by_token()
            if named:
                return [Repository(self._forge(name.casefold(), name, wire), named=True) for name in named]
            return await self._visible(wire)
        if named:
            return [Repository(await self._installed(name), named=True) for name in named]
        return await self._everywhere()

    @property
    def requests(self) -> int:
        """How many requests were sent so far."""
        return sum(self.usage.requests.values())

    @property
    def usage(self) -> Usage:
        """What was sent by all logins together; of what is left for each, the least."""
        sent: Counter[str] = Counter()
        left: dict[str, Left] = {}
        for wire in self._wires.values():
            sent.update(wire.requests)
            for kind, one in wire.budget.known().items():
                left[kind] = min(left.get(kind, one), one, key=lambda found: found.remaining)
        return Usage(URL(self.settings.url).authority, sent, left)

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.close()

    # -- a token

    def _by_token(self) -> Wire:
        if self.settings.token is None:
            raise Denied("neither an App nor a token is set for this GitHub")
        return self._wire("token", TokenAuth(self.settings.token.reveal()))

    async def _visible(self, wire: Wire) -> list[Repository]:
        try:
            rows = [
                row async for row in wire.pages("/user/repos?per_page=100&affiliation=owner,collaborator,organization_member")
            ]
        except (Forbidden, Missing):
            # A workflow's token belongs to an installation, and to no user.
            rows = [row async for row in wire.pages("/installation/repositories?per_page=100", under="repositories")]
        return [
            Repository(self._discovered(row, wire), named=False)
            for row in rows
            if _wanted(row) and (row.get("permissions") or {}).get("push", True)
        ]

    # -- an App

    async def _everywhere(self) -> list[Repository]:
        """The repositories of every installation; one that cannot be read is left for the next time, with a warning."""
        found: list[Repository] = []
        failed: list[ForgeError] = []
        installations = [row async for row in self._app().pages("/app/installations?per_page=100")]
        for row in installations:
            if row.get("suspended_at"):
                continue
            try:
                wire = self._installation(int(row["id"]))
                repositories = [one async for one in wire.pages("/installation/repositories?per_page=100", under="repositories")]
            except ForgeError as error:
                log.warning("installation not read", installation=row.get("id"), why=str(error))
                failed.append(error)
                continue
            login = _login(row)
            found += [Repository(self._discovered(one, wire, login), named=False) for one in repositories if _wanted(one)]
        if failed and not found:
            raise failed[0]
        return found

    async def _installed(self, name: str) -> GitHubForge:
        """The forge of a named repository, by the installation that has it."""
        known = self._forges.get(name.casefold())
        if known is not None:
            return known
        try:
            row = await self._app().get(f"/repos/{quoted(name)}/installation")
        except Missing:
            # Not kept: it may be installed there by the next time.
            reason = f"the App is not installed on {name}, or there is no such repository"
            return GitHubForge(name, self._new_wire(Refusing(reason)), is_app=True)
        return self._forge(name.casefold(), name, self._installation(int(row["id"])), login=_login(row))

    def _app(self) -> Wire:
        app = self.settings.app
        assert app is not None
        return self._wire("app", AppAuth(app.id, app.private_key.reveal(), self._clock.monotonic))

    def _installation(self, number: int) -> Wire:
        async def ask() -> Any:
            return await self._app().write("POST", f"/app/installations/{number}/access_tokens", {}, again=True)

        return self._wire(number, InstallationAuth(ask, self._clock.wall))

    # -- what is kept

    def _wire(self, key: object, auth: Auth) -> Wire:
        if key not in self._wires:
            self._wires[key] = self._new_wire(auth, key)
        return self._wires[key]

    def _new_wire(self, auth: Auth, key: object = None) -> Wire:
        app, token = self.settings.app, self.settings.token
        who = f"app {app.id} {key}" if app is not None else "token"
        mark = fingerprint("github", self.settings.url, who, secret=token.reveal() if token and app is None else "")
        budget = Budget(self._pace, self._clock, self._allowances if key is not None else None, mark)
        return Wire(self.settings.url, auth, self._connections, budget=budget)

    def _discovered(self, row: Any, wire: Wire, login: str = "") -> GitHubForge:
        """By its number, so that it stays the same when it is renamed."""
        forge = self._forge(
            int(row["id"]), str(row["full_name"]), wire, default=row.get("default_branch"), seen=True, login=login
        )
        forge.renamed(str(row["full_name"]))
        return forge

    def _forge(
        self, key: object, name: str, wire: Wire, *, default: str | None = None, seen: bool = False, login: str = ""
    ) -> GitHubForge:
        forge = self._forges.get(key)
        if forge is None or forge.wire is not wire:
            is_app = self.settings.app is not None
            forge = GitHubForge(name, wire, is_app=is_app, login=login, default=default or "main", seen=seen, fault=self._fault)
            self._forges[key] = forge
        return forge


def _wanted(row: Any) -> bool:
    return not (row.get("fork") or row.get("archived") or row.get("disabled"))


def _login(installation: Any) -> str:
    """The App's own login, by one of its installations."""
    slug = installation.get("app_slug")
    return f"{slug}[bot]" if slug else ""
