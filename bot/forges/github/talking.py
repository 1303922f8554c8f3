"""What is said on GitHub beside a request's own words: our one comment, what people answer, a check run, a dashboard issue."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import structlog
from cachetools import TTLCache

from bot.forges.base import OWN_CHECK, Comment, Denied, ForgeError, Limited, Standing, Unreachable
from bot.forges.github.answers import Forbidden, Missing, Refusal, quoted
from bot.forges.github.place import Json, Known, Place
from bot.forges.github.readiness import login
from bot.forges.github.requests import COMMENT_LINE
from bot.forges.github.wire import Wire
from rules.messages import prose
from rules.requests import PullRequest

DASHBOARD_LINE = "<!-- tagboat dashboard -->"
DASHBOARD_TITLE = "Image updates by Tagboat"
_SIGNS = {True: "✅", False: "❌", None: "⏳"}
_CALLS_SOMEBODY = re.compile(r"(?:^|\s)@\w", re.MULTILINE)
_WRITERS = frozenset({"admin", "maintain", "write"})
_REMEMBERED = 600.0  # seconds for which a person's right to write is not asked for again
_UNHEARD = 3600.0  # seconds for which no check run is tried where GitHub took none

log = structlog.get_logger(__name__)


class Talker:
    """Speaks and listens on the requests of one place. `is_app`: check runs can be written, which a plain token cannot."""

    def __init__(self, wire: Wire, place: Place, is_app: bool, fault: Callable[[str], None]) -> None:
        self._wire = wire
        self._place = place
        self._is_app = is_app
        self._fault = fault
        self._writers: TTLCache[str, bool] = TTLCache(1000, _REMEMBERED, timer=wire.budget.clock.monotonic)
        self._dashboard: tuple[int, str] | None = None
        self._unheard_until = 0.0

    # -- comments

    async def comment(self, request: PullRequest, text: str) -> None:
        rest, number = self._place.rest, request.number
        body = f"{text.rstrip()}\n\n{COMMENT_LINE}"
        known = self._place.known.get(number)
        ours = known.ours if known else None
        if ours is None and (known is None or known.comments is None):
            ours = await self._find(number)
        if ours is not None and _same(ours[1], body):
            return
        async with self._wire.writing(f"{self._place.path} comment {number}", 1):
            if ours is not None:
                await self._wire.write("PATCH", f"{rest}/issues/comments/{ours[0]}", {"body": body}, again=True)
                self._remember(number, ours[0], body)
            else:
                self._remember(number, await self._post(number, body), body)
            self._fault("comment:written")

    async def _post(self, number: int, body: str) -> str:
        try:
            made = await self._wire.write("POST", f"{self._place.rest}/issues/{number}/comments", {"body": body})
        except Unreachable:
            # The answer may have been lost, and the comment not.
            found = await self._find(number)
            if found is None:
                raise
            return found[0]
        return str(made["id"])

    async def _find(self, number: int) -> tuple[str, str] | None:
        async for one in self._wire.pages(f"{self._place.rest}/issues/{number}/comments?per_page=100"):
            if _author(one) == self._place.us.login and COMMENT_LINE in str(one.get("body") or ""):
                return str(one["id"]), str(one["body"])
        return None

    def _remember(self, number: int, id: str, body: str) -> None:  # noqa: A002
        known = self._place.known.get(number)
        if known is not None:
            self._place.known[number] = replace(known, ours=(id, body))

    async def comments(self, request: PullRequest, since: datetime | None) -> Sequence[Comment]:
        known = self._place.known.get(request.number)
        told = known.comments if known is not None and known.comments is not None else await self._read(request.number, since)
        fresh = [one for one in told if (since is None or one.at > since) and not self._is_ours(one)]
        return [replace(one, may_write=await self._may_write(one)) for one in sorted(fresh, key=lambda one: one.at)]

    async def _read(self, number: int, since: datetime | None) -> list[Comment]:
        after = f"&since={since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if since else ""
        path = f"{self._place.rest}/issues/{number}/comments?per_page=100{after}"
        return [
            Comment(str(one["id"]), number, _author(one), str(one.get("body") or ""), datetime.fromisoformat(one["created_at"]))
            async for one in self._wire.pages(path)
        ]

    def _is_ours(self, comment: Comment) -> bool:
        """A login that a person uses too may well say something of its own."""
        mine = comment.author == self._place.us.login
        return mine and (self._place.us.is_bot or COMMENT_LINE in comment.text)

    async def _may_write(self, comment: Comment) -> bool:
        """Only asked for those who call somebody: nothing else can be a command."""
        author = comment.author
        if not author or not _CALLS_SOMEBODY.search(comment.text):
            return False
        if author not in self._writers:
            try:
                found = await self._wire.get(f"{self._place.rest}/collaborators/{quoted(author)}/permission")
                self._writers[author] = found.get("permission") in _WRITERS
            except Denied:
                self._writers[author] = False
        return self._writers[author]

    # -- the check run

    async def show(self, request: PullRequest, standing: Standing) -> None:
        clock = self._wire.budget.clock
        if not self._is_app or request.state != "open" or clock.monotonic() < self._unheard_until:
            return
        title = prose(f"{standing.decision}: {standing.reason}")[:250]
        lines = [f"- {_SIGNS[condition.met]} {prose(condition.text)}" for condition in standing.conditions]
        summary = "\n".join(lines) or title
        # Concluded at once, and never a failure: a check that runs would make the request unstable, and this one judges nobody.
        conclusion = "success" if standing.decision == "merge" else "neutral"
        digest = hashlib.sha256(f"{title}\n{summary}\n{conclusion}".encode()).hexdigest()[:20]
        known = self._place.known.get(request.number)
        there = known.check if known is not None and known.head == request.head else None
        if there is not None and there[1] == digest:
            return
        words = {
            "name": OWN_CHECK,
            "status": "completed",
            "conclusion": conclusion,
            "external_id": digest,
            "output": {"title": title, "summary": summary[:60_000]},
        }
        path = f"{self._place.rest}/check-runs"
        try:
            async with self._wire.writing(f"{self._place.path} show {request.number}", 1):
                if there is not None:
                    await self._wire.write("PATCH", f"{path}/{there[0]}", words, again=True)
                    number = there[0]
                else:
                    number = int((await self._wire.write("POST", path, words | {"head_sha": request.head}))["id"])
                self._fault("show:written")
        except (Forbidden, Missing, Refusal) as error:
            # Nothing hangs on it: without the right to write checks, everything else is done all the same.
            log.warning("no check run is written", repository=self._place.path, why=str(error))
            self._unheard_until = clock.monotonic() + _UNHEARD
            return
        fresh = known if known is not None and known.head == request.head else Known("", request.head)
        self._place.known[request.number] = replace(fresh, check=(number, digest))

    # -- the dashboard

    async def dashboard(self, text: str) -> None:
        body = f"{text.rstrip()}\n\n{DASHBOARD_LINE}"
        if self._dashboard is not None and _same(self._dashboard[1], body):
            return
        rest = self._place.rest
        there = self._dashboard and self._dashboard[0]
        if there is None:
            found = await self._issue()
            if found is not None and (found.get("state") == "closed" or _same(str(found.get("body")), body)):
                # A person who closes it does not want it; so it is not opened again.
                self._dashboard = (int(found["number"]), body)
                return
            there = int(found["number"]) if found else None
        async with self._wire.writing(f"{self._place.path} dashboard", 1):
            if there is not None:
                await self._wire.write("PATCH", f"{rest}/issues/{there}", {"body": body}, again=True)
            else:
                there = await self._make_issue(body)
        self._dashboard = (there, body)

    async def _make_issue(self, body: str) -> int:
        try:
            made = await self._wire.write("POST", f"{self._place.rest}/issues", {"title": DASHBOARD_TITLE, "body": body})
        except Unreachable:
            found = await self._issue()
            if found is None:
                raise
            return int(found["number"])
        return int(made["number"])

    async def _issue(self) -> Json | None:
        """Our dashboard, the newest one."""
        path = f"{self._place.rest}/issues?state=all&per_page=100&creator={quoted(self._place.us.login)}"
        try:
            async for one in self._wire.pages(path, limit=5):
                if "pull_request" not in one and _author(one) == self._place.us.login and DASHBOARD_LINE in str(one.get("body")):
                    return one  # type: ignore[no-any-return]
        except (Limited, Unreachable):
            raise
        except ForgeError as error:
            raise Denied(f"{self._place.path}: its issues cannot be read: {error}") from None
        return None


def _author(one: Json) -> str:
    """A login of REST, where an App's has its `[bot]` already."""
    user = one.get("user") or {}
    return login({"login": user.get("login"), "__typename": user.get("type")})


def _same(there: str, wish: str) -> bool:
    return there.replace("\r\n", "\n").strip() == wish.strip()
