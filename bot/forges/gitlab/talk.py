"""The one note on each request, what people wrote there, and the dashboard issue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cachetools import LRUCache

from bot.forges.base import Comment, Denied, ForgeError, Standing
from bot.forges.gitlab.notes import Note, harmless
from bot.forges.gitlab.people import People
from bot.forges.gitlab.requests import Table, moment
from bot.forges.gitlab.session import Declined
from bot.forges.gitlab.wire import Lane
from rules.requests import PullRequest

Json = Mapping[str, Any]

FAULT_POINTS = ("note:made", "dashboard:made")

_NEVER = datetime(1, 1, 1, tzinfo=UTC)
_ISSUE = "<!-- tagboat: dashboard -->"
_TITLE = "Tagboat: image updates"


@dataclass(frozen=True, slots=True)
class _Mine:
    """Our note on a request as it stands. `id` None: there is none."""

    id: int | None
    note: Note


Settle = Callable[[int, Table], Awaitable[None]]


class Talker:
    """Notes and comments of one project. `settle` reads a request again after a note of ours."""

    def __init__(self, lane: Lane, people: People, table: Table, settle: Settle, fault: Callable[[str], None]) -> None:
        self._lane = lane
        self._people = people
        self._table = table
        self._settle = settle
        self._fault = fault
        self._mine: LRUCache[int, _Mine] = LRUCache(maxsize=500)
        self._heard: LRUCache[int, tuple[tuple[int | None, str | None], list[Json]]] = LRUCache(maxsize=200)
        self._doubted: set[int] = set()
        self._issue: tuple[int, str] | None = None

    async def say(self, request: PullRequest, text: str) -> int | None:
        """Put a text into the first part of our note; how many notes that added, None where nothing was to change."""
        mine = await self._find(request)
        return await self._write(request, mine, mine.note.saying(text))

    async def comment(self, request: PullRequest, text: str) -> None:
        """The same, on a request that stays."""
        if (added := await self.say(request, text)) is not None:
            await self._settled(request.number, added)

    async def show(self, request: PullRequest, standing: Standing) -> None:
        """Put how the request stands into the second part."""
        mine = await self._find(request)
        if (added := await self._write(request, mine, mine.note.showing(standing))) is not None:
            await self._settled(request.number, added)

    async def _settled(self, number: int, added: int) -> None:
        """A note of ours is no news: neither about how the request stands nor of what people said."""
        before, heard = self._state(number), self._heard.get(number)
        try:
            await self._settle(number, self._table)
        except ForgeError:  # then the next look reads it all again
            return
        count, _ = after = self._state(number)
        if heard is not None and heard[0] == before and count == (before[0] or 0) + added:
            mine, us = self._mine[number], await self._people.us()
            ours = {"id": mine.id, "author": {"id": us.id}, "body": str(mine.note)}
            self._heard[number] = (after, [*(one for one in heard[1] if one.get("id") != mine.id), ours])

    async def _find(self, request: PullRequest) -> _Mine:
        """Our note on a request, looked for once."""
        if request.number not in self._mine:
            mine, us = _Mine(None, Note()), await self._people.us()
            doubted = request.number in self._doubted
            for one in await (self._notes if doubted else self._heard_of)(request.number):
                note = Note.read(str(one.get("body") or ""))
                if note is not None and (one.get("author") or {}).get("id") == us.id:
                    mine = _Mine(int(one["id"]), note)
                    break
            self._mine[request.number] = mine
        return self._mine[request.number]

    async def _write(self, request: PullRequest, mine: _Mine, note: Note) -> int | None:
        if note == mine.note:
            return None
        tail = f"/merge_requests/{request.number}/notes"
        number = mine.id
        # Until it is known how this ends, it is not known how the note stands, or whether there is one.
        self._mine.pop(request.number, None)
        self._doubted.add(request.number)
        if number is not None:
            try:
                await self._lane.put(f"{tail}/{number}", {"body": str(note)})
            except Declined as declined:
                if declined.status != 404:  # somebody removed it
                    raise
                number = None
        added = int(number is None)
        if number is None:
            number = int((await self._lane.post(tail, {"body": str(note)}))["id"])
        self._doubted.discard(request.number)
        self._fault("note:made")
        self._mine[request.number] = _Mine(number, note)
        return added

    async def comments(self, request: PullRequest, since: datetime | None) -> Sequence[Comment]:
        """What people wrote after a moment, oldest first."""
        us = await self._people.us()
        found = [
            one
            for one in await self._heard_of(request.number)
            if not one.get("system")
            and (one.get("author") or {}).get("id") not in (None, us.id)
            and (moment(one.get("created_at")) or _NEVER) > (since or _NEVER)
        ]
        found.sort(key=lambda one: (str(one.get("created_at")), one.get("id") or 0))
        return [await self._comment(request.number, one) for one in found]

    async def _comment(self, number: int, note: Json) -> Comment:
        author, at = note["author"], moment(note.get("created_at"))
        return Comment(
            id=str(note["id"]),
            number=number,
            author=str(author.get("username") or ""),
            text=str(note.get("body") or ""),
            at=at or _NEVER,
            may_write=await self._people.may_write(self._lane, int(author["id"])),
        )

    async def _heard_of(self, number: int) -> list[Json]:
        """The notes on a request, read again where its listing says that some are new."""
        state = self._state(number)
        if state[0] == 0:
            self._heard[number] = (state, [])
        kept = self._heard.get(number)
        if kept is not None and kept[0] == state and None not in state:
            return kept[1]
        notes = await self._notes(number)
        self._heard[number] = (state, notes)
        return notes

    def _state(self, number: int) -> tuple[int | None, str | None]:
        """How many notes a request has and when it last changed, by its newest listing."""
        row = self._table.rows.get(number) or {}
        return row.get("user_notes_count"), row.get("updated_at")

    async def _notes(self, number: int) -> list[Json]:
        return await self._lane.all(f"/merge_requests/{number}/notes", sort="asc", order_by="created_at")

    async def dashboard(self, text: str) -> None:
        """Our issue, made or edited in place. One that a person closed stays closed."""
        body = f"{harmless(text).strip()}\n\n{_ISSUE}"
        try:
            await self._dashboard(body)
        except Declined as declined:
            if declined.status in (403, 404):
                raise Denied("issues are switched off in this project, or the token may not write them") from None
            raise

    async def _dashboard(self, body: str) -> None:
        if self._issue is None:
            us = await self._people.us()
            rows = await self._lane.get("/issues", author_id=us.id, search=_TITLE, **{"in": "title"}, per_page=100)
            mine = [row for row in rows if _ISSUE in str(row.get("description") or "")]
            mine = [row for row in mine if (row.get("author") or {}).get("id") == us.id]
            if mine:
                oldest = min(mine, key=lambda row: int(row["iid"]))
                self._issue = (int(oldest["iid"]), str(oldest.get("description") or "").strip())
        if self._issue is None:
            row = await self._lane.post("/issues", {"title": _TITLE, "description": body})
            self._fault("dashboard:made")
        elif self._issue[1] == body:
            return
        else:
            row = await self._lane.put(f"/issues/{self._issue[0]}", {"description": body})
        self._issue = (int(row["iid"]), body)
