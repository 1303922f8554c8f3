"""Telling people of alarms and holds: a message when a subject begins, when what is said of it changes, and when it is over.

    notify:
      - {kind: slack, url: {env: SLACK_URL}, on: [alarm, hold]}
      - {kind: webhook, url: {env: HOOK_URL}}

Slack, Teams and Mattermost get `{"text": …}`, a webhook all of it as JSON. Nothing is said twice, not even after a restart. What
cannot be delivered is logged and tried again after the next pass over its repository.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import aiohttp
import structlog

from bot.report import Report
from bot.settings.values import Notice, Topic
from bot.state.notebook import Notebook
from rules.images import canonical
from rules.messages.escaping import clean

log = structlog.get_logger(__name__)

State = Literal["began", "changed", "over"]
_SECONDS = 10
_WORDS: Mapping[State, str] = {"began": "", "changed": "", "over": "Over: "}


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that people are told of, once. `key` is the same for as long as it lasts."""

    key: str
    topic: Topic
    repository: str
    text: str


def subjects(report: Report) -> Iterator[Subject]:
    """What the last pass over a repository gives reason to tell."""
    for note in report.of("trouble"):
        where = f"{note.where}: " if note.where else ""
        title = f"{note.title}: " if note.title else ""
        key = _key("alarm", report.repository, note.where, note.title)
        yield Subject(key, "alarm", report.repository, f"{where}{title}{note.reason}")
    for stay in (stay for wish in report.wishes for stay in wish.stays if stay.held is not None):
        place = stay.occurrence
        key = _key("hold", report.repository, canonical(place.image), place.file)
        yield Subject(key, "hold", report.repository, f"{place.image} in {place.file} is on hold: {stay.reason}")


def _key(*parts: str) -> str:
    """Short enough to be kept, the same for the same parts."""
    text = clean("|".join(parts), 100_000)
    return text if len(text) <= 900 else f"{text[:800]}|{hashlib.sha256(text.encode()).hexdigest()}"


class Messenger:
    """Delivers to everybody in `notify`. Its methods never raise for a receiver that fails."""

    def __init__(self, notices: Sequence[Notice], notebook: Notebook, now: Any) -> None:
        self._notices = notices
        self._notebook = notebook
        self._now = now
        self._session: aiohttp.ClientSession | None = None

    async def tell(self, report: Report) -> None:
        """Compare what there is to tell with what was told, and tell the difference."""
        if not self._notices:
            return
        wanted = {one.key: one for one in subjects(report)}
        told = await self._notebook.told(report.repository)
        for key, subject in wanted.items():
            if told.get(key) != subject.text and await self._send(subject, "changed" if key in told else "began"):
                await self._notebook.tell(report.repository, key, subject.text, self._now())
        # A pass that could not look does not know that something is over.
        if report.failed and not report.places:
            return
        for key in told.keys() - wanted.keys():
            topic: Topic = "hold" if key.startswith("hold|") else "alarm"
            if await self._send(Subject(key, topic, report.repository, told[key]), "over"):
                await self._notebook.untell(report.repository, key)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _send(self, subject: Subject, state: State) -> bool:
        """Whether everybody who wants to know has it."""
        wanting = [notice for notice in self._notices if subject.topic in notice.on]
        results = await asyncio.gather(*(self._post(notice, subject, state) for notice in wanting))
        return all(results)

    async def _post(self, notice: Notice, subject: Subject, state: State) -> bool:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=_SECONDS)
            self._session = aiohttp.ClientSession(timeout=timeout, trust_env=True)
        try:
            payload = body(notice.kind, subject, state, self._now())
            async with self._session.post(notice.url.reveal(), json=payload, allow_redirects=False) as answer:
                if answer.status < 300:
                    return True
                log.warning("notice not taken", kind=notice.kind, status=answer.status)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            # Neither the address nor the error's own words: both may hold the secret of the address.
            log.warning("notice not delivered", kind=notice.kind, why=type(error).__name__)
        return False


def body(kind: str, subject: Subject, state: State, now: datetime) -> dict[str, Any]:
    """What a receiver of this kind is sent."""
    text = clean(f"{_WORDS[state]}{subject.text}", 1000)
    if kind == "webhook":
        return {
            "subject": subject.key,
            "topic": subject.topic,
            "state": state,
            "repository": subject.repository,
            "text": text,
            "at": now.isoformat(),
        }
    # `&`, `<` and `>` are what the three read as markup: `<!channel>` would call everybody.
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "@\u2060")
    return {"text": f"[{subject.repository}] {safe}"}
