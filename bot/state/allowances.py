"""What is allowed towards a host, and what is left of it: windows, pauses and quotas, kept for all who ask with one login.

    grant = await allowances.take(key, "content", 3, (Span(480, 3600.0),), within=60.0)
    if not grant.taken:
        raise budget.limited(grant.wait)      # come back then
    await clock.sleep(grant.wait)             # the place is ours from that moment on

Whoever takes is told the moment from which it may go, and that moment is reserved: nobody polls. A reservation is a moment and
nothing else, so that of a process that was killed ends by itself when its span is over. `Own` is for one process;
`bot.state.sharing` does the same for several, in PostgreSQL.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import time
from bisect import bisect_right, insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

GRAIN = 0.001  # seconds: a sum of floats may end just before the moment that it should be


@dataclass(frozen=True, slots=True)
class Span:
    """At most `limit` of something within any `seconds`."""

    limit: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Grant:
    """`taken`: it may be done in `wait` seconds. Else nothing was taken, and in `wait` seconds it is worth asking again. `at` is
    the moment by the clock of whoever keeps the windows, for giving back."""

    wait: float
    taken: bool
    at: float


@dataclass(frozen=True, slots=True)
class Left:
    """What a host said of our allowance: `remaining` of `limit`. `seconds`: its window, or the time until all of it is back;
    `noted` when it was said, in seconds since 1970."""

    limit: int | None
    remaining: int
    seconds: float | None
    noted: float


class Allowances(Protocol):
    """`key` names a host and who asks it, without a secret (see `fingerprint`); `kind` what of it: `content`, `core`. No method
    raises: where the windows cannot be reached, a part of what is allowed is given out, and that is logged."""

    async def take(
        self, key: str, kind: str, amount: int, spans: Sequence[Span], *, within: float = math.inf, ahead: int = 0
    ) -> Grant:
        """Reserve the first moment at which so much fits into all spans, after everything that was taken before. Where it is
        further away than `within` seconds nothing is reserved, and the wait is for `ahead` more in front."""
        ...

    async def give_back(self, key: str, kind: str, grant: Grant, amount: int) -> None:
        """What was taken and is not needed."""
        ...

    def pause(self, key: str, kind: str, seconds: float) -> None:
        """Nobody asks for so long: the host said so."""
        ...

    def paused(self, key: str, kind: str) -> float:
        """For how many seconds nobody asks, as far as is known; 0: one may."""
        ...

    def note(self, key: str, kind: str, left: Left) -> None:
        """What the host says is left."""
        ...

    def left(self, key: str) -> Mapping[str, Left]:
        """What it said last, by kind."""
        ...

    def sharers(self, key: str) -> int:
        """How many processes asked with this key a moment ago, this one included."""
        ...

    async def fresh(self, key: str) -> None:
        """Have what others noted, at most a second late. Costs a question to the database a second at most, however many ask."""
        ...


def earliest(taken: Sequence[float], now: float, amount: int, spans: Sequence[Span], ahead: int = 0) -> float:
    """The first moment from `now` on at which `amount` fits behind what was `taken` (in order) and `ahead` more."""
    at = max(now, taken[-1]) if taken else now
    for span in spans:
        # So many have to be out of the span by then; what is further ahead than all that is known waits for the last of them.
        over = len(taken) - span.limit + amount + ahead
        if over > 0 and taken:
            at = max(at, taken[min(over, len(taken)) - 1] + span.seconds + GRAIN)
    return at


@dataclass(slots=True)
class Own:
    """The windows of one process. `monotonic` gives seconds."""

    monotonic: Callable[[], float] = time.monotonic
    _taken: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    _until: dict[tuple[str, str], float] = field(default_factory=dict)
    _left: dict[str, dict[str, Left]] = field(default_factory=dict)

    async def take(
        self, key: str, kind: str, amount: int, spans: Sequence[Span], *, within: float = math.inf, ahead: int = 0
    ) -> Grant:
        now, taken = self.monotonic(), self._taken.setdefault((key, kind), [])
        del taken[: bisect_right(taken, now - max(span.seconds for span in spans))]
        amount = min(amount, *(span.limit for span in spans))
        at = earliest(taken, now, amount, spans)
        if at - now > within:
            at = max(at, earliest(taken, now, amount, spans, ahead))
            return Grant(at - now, False, at)
        taken.extend([at] * amount)
        return Grant(at - now, True, at)

    async def give_back(self, key: str, kind: str, grant: Grant, amount: int) -> None:
        taken = self._taken.get((key, kind), [])
        for _ in range(min(amount, taken.count(grant.at))):
            taken.remove(grant.at)

    def pause(self, key: str, kind: str, seconds: float) -> None:
        self._until[key, kind] = max(self._until.get((key, kind), 0.0), self.monotonic() + seconds)

    def paused(self, key: str, kind: str) -> float:
        return max(0.0, self._until.get((key, kind), 0.0) - self.monotonic())

    def note(self, key: str, kind: str, left: Left) -> None:
        known = self._left.setdefault(key, {})
        if kind not in known or left.noted >= known[kind].noted:
            known[kind] = left

    def left(self, key: str) -> Mapping[str, Left]:
        return self._left.get(key, {})

    def sharers(self, key: str) -> int:
        return 1

    async def fresh(self, key: str) -> None:
        return

    # -- what was given out elsewhere

    def book(self, key: str, kind: str, at: float, amount: int, longest: float) -> None:
        """Something was taken for a moment, whether it fits or not; what is older than `longest` seconds is forgotten."""
        taken = self._taken.setdefault((key, kind), [])
        del taken[: bisect_right(taken, self.monotonic() - longest)]
        for _ in range(amount):
            insort(taken, at)


def fingerprint(kind: str, url: str, who: str, *, secret: str = "") -> str:
    """A key: the kind of host, its address, and a mark of who asks. `who` is a number or name that is no secret; `secret` is for
    where there is nothing else to tell logins apart by, and cannot be got back from the mark."""
    mark = hmac.new(secret.encode(), f"tagboat {kind} {url} {who}".encode(), hashlib.sha256).hexdigest()[:16]
    host = url.rpartition("@")[2].rstrip("/")
    return f"{kind} {host[-160:]} {mark}"
