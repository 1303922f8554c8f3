"""People's pull requests that change `.tagboat.yaml`: what is wrong in the new file is said there, before it counts.

Nothing of such a file is ever applied: rules are read from the default branch alone. Requests from forks are not looked at. The
check run is concluded at once, and is no part of what lands requests of Tagboat's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from bot.forges.base import OWN_SETTINGS, Denied, ForgeError, Limited, ProposedSettings, Unreachable
from bot.forges.github import queries
from bot.forges.github.place import Place, whole
from bot.forges.github.reading import Reader
from bot.forges.github.wire import Wire
from rules.messages import prose

FILE = ".tagboat.yaml"
_AT_ONCE = 50
_SHOWN = 50
_LARGEST = 1024 * 1024


class Reviewer:
    """Finds them and answers. A plain token writes no check runs, so it looks at none."""

    def __init__(self, wire: Wire, place: Place, reader: Reader, is_app: bool) -> None:
        self._wire = wire
        self._place = place
        self._reader = reader
        self._is_app = is_app
        self._seen: dict[int, str] = {}

    @property
    def fresh(self) -> list[tuple[int, str]]:
        """The requests of people, by number, that stand at heads which were not looked at yet."""
        place = self._place
        others = {number: head for number, (head, base) in place.others.items() if base == place.default}
        self._seen = {number: head for number, head in self._seen.items() if number in others}
        fresh = [(number, head) for number, head in sorted(others.items()) if self._seen.get(number) != head]
        return fresh if self._is_app else []

    async def proposed(self) -> list[ProposedSettings]:
        place, fresh = self._place, self.fresh
        found: list[ProposedSettings] = []
        for start in range(0, len(fresh), _AT_ONCE):
            some = fresh[start : start + _AT_ONCE]
            variables = {f"f{at}": f"{head}:{FILE}" for at, (_, head) in enumerate(some)}
            data, _ = await self._wire.query(queries.settings(len(some)), **variables, **place.names)
            answer = data.get("repository") or {}
            for at, (number, head) in enumerate(some):
                blob = answer.get(f"f{at}") or {}
                oid = str(blob.get("oid") or "")
                if oid and oid != place.settings and (blob.get("byteSize") or 0) <= _LARGEST:
                    text = whole(blob)
                    text = (await self._reader.blobs([oid]))[oid] if text is None else text
                    found.append(ProposedSettings(number, head, text))
                else:
                    self._seen[number] = head
        return found

    async def judge(self, proposed: ProposedSettings, findings: Sequence[str], effect: Sequence[str] | None = None) -> None:
        """Say it; what could not be said for now is proposed again by the next look."""
        try:
            await self._say(proposed, findings, effect)
        except (Unreachable, Limited):
            raise
        except ForgeError:
            self._seen[proposed.number] = proposed.head
            raise
        self._seen[proposed.number] = proposed.head

    async def _say(self, proposed: ProposedSettings, findings: Sequence[str], effect: Sequence[str] | None) -> None:
        rest = self._place.rest
        if findings:
            title = f"{len(findings)} thing{'s' if len(findings) > 1 else ''} to mend in {FILE}"
            lines = [f"- {prose(one)}" for one in findings[:_SHOWN]]
            lines += [f"- and {len(findings) - _SHOWN} more"] if len(findings) > _SHOWN else []
        else:
            title, lines = f"{FILE} can be read", ["It counts once it is on the default branch.", *_effect(effect)]
        summary = "\n".join(lines)
        digest = hashlib.sha256(f"{title}\n{summary}".encode()).hexdigest()[:20]
        words = {
            "name": OWN_SETTINGS,
            "status": "completed",
            "conclusion": "failure" if findings else "success",
            "external_id": digest,
            "output": {"title": title, "summary": summary},
        }
        # After a restart nobody remembers whether it was said.
        name = OWN_SETTINGS.replace(" ", "%20")
        listed = await self._wire.get(f"{rest}/commits/{proposed.head}/check-runs?check_name={name}&per_page=100")
        us = self._place.us.login.removesuffix("[bot]")
        mine = [run for run in listed.get("check_runs") or () if (run.get("app") or {}).get("slug") == us]
        if any(run.get("external_id") == digest for run in mine):
            return
        try:
            async with self._wire.writing(f"{self._place.path} settings {proposed.number}", 1):
                if mine:
                    await self._wire.write("PATCH", f"{rest}/check-runs/{mine[0]['id']}", words, again=True)
                else:
                    await self._wire.write("POST", f"{rest}/check-runs", words | {"head_sha": proposed.head})
        except Denied:
            return  # the App may not write checks: the file is judged once it lands


def _effect(effect: Sequence[str] | None) -> list[str]:
    if effect is None:
        return []
    if not effect:
        return ["", "It changes nothing of what is proposed now."]
    return ["", "What the next pass would do otherwise than by the rules that count now, as far as was read:", "", *effect]
