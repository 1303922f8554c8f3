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
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
        topic: Topic = "alarm" if stay.alarm else "hold"
        key = _key(topic, report.repository, canonical(place.image), place.file)
        yield Subject(key, topic, report.repository, f"{place.image} in {place.file} is on hold: {stay.reason}")


def subjects_of_row(address: str, said: Iterable[str]) -> Iterator[Subject]:
    """What there is to tell of a row of `forges`: that it cannot be asked, that its token soon runs out."""
    for words in said:
        # A date or a number of days in a sentence changes; what it is about does not.
        yield Subject(_key("alarm", address, "".join(one for one in words if not one.isdigit())), "alarm", address, words)


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
        # A pass that could not look does not know that something is over.
        await self._tell(report.repository, subjects(report), knows_ends=bool(report.places) or not report.failed)

    async def tell_of_row(self, address: str, said: Iterable[str]) -> None:
        """The same of a row of `forges` and all that there is to say of it; nothing: all is well."""
        if self._notices:
            await self._tell(address, subjects_of_row(address, said), knows_ends=True)

    async def _tell(self, repository: str, found: Iterable[Subject], *, knows_ends: bool) -> None:
        wanted = {one.key: one for one in found}
        told = await self._notebook.told(repository)
        for key, subject in wanted.items():
            if told.get(key) != subject.text and await self._send(subject, "changed" if key in told else "began"):
                await self._notebook.tell(repository, key, subject.text, self._now())
        if not knows_ends:
            return
        for key in told.keys() - wanted.keys():
            topic: Topic = "hold" if key.startswith("hold|") else "alarm"
            if await self._send(Subject(key, topic, repository, told[key]), "over"):
                await self._notebook.untell(repository, key)

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
