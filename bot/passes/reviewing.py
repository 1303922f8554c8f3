"""A person's request that changes `.tagboat.yaml` is told what is wrong in it, where the forge has a place for that.

The file is read and judged, and never applied: what counts is the one on the default branch.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from bot.forges.base import Forge, ForgeError, ProposedSettings
from bot.reading.looking import Terms
from bot.report import Report
from rules.config import FILE, ConfigError, load


@runtime_checkable
class Reviewing(Protocol):
    """A forge that can tell a request what is wrong in the configuration that it proposes."""

    async def proposed_settings(self) -> list[ProposedSettings]: ...

    async def judge_settings(self, proposed: ProposedSettings, findings: list[str]) -> None: ...


async def review(forge: Forge, terms: Terms, report: Report) -> None:
    """Judge what is proposed since the last pass."""
    if not isinstance(forge, Reviewing):
        return
    try:
        for proposed in await forge.proposed_settings():
            await forge.judge_settings(proposed, _wrong(proposed.data, terms))
    except ForgeError as error:
        report.add("trouble", "", f"a request that changes {FILE} could not be judged: {error}")


def _wrong(data: bytes, terms: Terms) -> list[str]:
    try:
        load(data, file=FILE, defaults=terms.defaults, limits=terms.limits)
    except ConfigError as error:
        return [str(finding) for finding in error.findings]
    return []
