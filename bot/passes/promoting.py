"""What policy `follow` has to know: since when which tag stands in the places that are followed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.reading.looking import View
from bot.state import standings
from bot.state.ledger import Ledger
from rules.config import Config
from rules.policies.base import Stood
from rules.promotion import watched


async def stood(ledger: Ledger | None, repository: str, view: View, config: Config, now: datetime) -> Sequence[Stood]:
    """The history of each place that others follow; without a ledger only what stands there, since nobody knows when.

    Of a file that could not be read nothing is known: its clocks run on, and nothing is promoted past it. May raise LedgerError.
    """
    places = watched(view.occurrences, config)
    unread = frozenset(one.file for one in view.unread)
    if ledger is None or not (places or unread):
        return places
    return await standings.note(ledger, repository, view.base, places, now, unread=unread)
