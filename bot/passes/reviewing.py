"""A person's request that changes `.tagboat.yaml` is told what is wrong in it, or what it would change.

The file is read and judged, and never applied: what counts is the one on the default branch.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import structlog

from bot.forges.base import Forge, ForgeError, ProposedSettings
from bot.passes.previewing import Previewer
from bot.reading.looking import Terms
from bot.report import Report
from rules.config import FILE, Config, ConfigError, load

_log = structlog.get_logger(__name__)


@runtime_checkable
class Reviewing(Protocol):
    """A forge that can tell a request what is wrong in the configuration that it proposes."""

    @property
    def may_review(self) -> bool: ...

    async def proposed_settings(self) -> list[ProposedSettings]: ...

    async def judge_settings(self, proposed: ProposedSettings, findings: list[str], effect: list[str] | None = None) -> None: ...


async def review(forge: Forge, terms: Terms, report: Report, previewer: Previewer | None = None) -> None:
    """Judge what is proposed since the last pass. Without a previewer nothing is known of what it would change."""
    if not isinstance(forge, Reviewing):
        return
    try:
        for proposed in await forge.proposed_settings():
            read = _read(proposed.data, terms)
            if isinstance(read, Config):
                await forge.judge_settings(proposed, [], await _effect(read, previewer))
            else:
                await forge.judge_settings(proposed, read)
    except ForgeError as error:
        report.add("trouble", "", f"a request that changes {FILE} could not be judged: {error}")


def awaited(forge: Forge) -> bool:
    """Whether something may have been proposed since the last pass, by what the last look told."""
    return isinstance(forge, Reviewing) and forge.may_review


def _read(data: bytes, terms: Terms) -> Config | list[str]:
    """The configuration that is proposed, or what is wrong in it."""
    try:
        return load(data, file=FILE, defaults=terms.defaults, limits=terms.limits)
    except ConfigError as error:
        return [str(finding) for finding in error.findings]


async def _effect(config: Config, previewer: Previewer | None) -> list[str] | None:
    """What it would change; None where that cannot be said. Whatever goes wrong here is no trouble of the pass."""
    if previewer is None:
        return None
    try:
        return await previewer.lines(config)
    except Exception:
        _log.exception("no preview")
        return None
