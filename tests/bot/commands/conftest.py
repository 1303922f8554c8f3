"""What the tests of commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.registries.limits import Limits
from tests.bot.commands.desk import Desk

QUICK = Limits(first_pause=0.001, read_timeout=0.3, total_timeout=1, connect_timeout=0.5, longest_wait=2)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Desk:
    """A desk in the current folder, where nobody waits long for a registry."""
    monkeypatch.chdir(tmp_path)
    for command in ("bot.reading.checking", "bot.commands.explain"):
        monkeypatch.setattr(f"{command}.LIMITS", QUICK)
    return Desk(tmp_path, capsysbinary)
