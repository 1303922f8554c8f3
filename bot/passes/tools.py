"""What passes share: registries, ledger, memory, the clock, and how far they may go."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from bot.reading.choosing import Listings
from bot.reading.looking import Memory
from bot.state.ledger import Ledger

Mode = Literal["observe", "propose", "merge"]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Tools:
    """`mode` observe: say what would be done; propose: never land; merge: all of it. `sleep` is how a pass waits for a forge that
    is computing. `fault` is called at each fault point (`bot.passes.acting.FAULT_POINTS`): there tests pull the plug."""

    listings: Listings
    ledger: Ledger | None = None
    memory: Memory = field(default_factory=Memory)
    mode: Mode = "merge"
    clock: Callable[[], datetime] = _now
    fault: Callable[[str], None] = lambda point: None
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
