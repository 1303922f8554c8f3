"""How hard a host is asked: so many requests at once, so many a second, again after trouble, and not at all for a while.

A host that answers 429 with `Retry-After` is left alone for that long, by everyone; where that is longer than
`longest_wait`, asking stops and the error says until when. 5xx answers and broken connections are tried again with
growing, jittered pauses. A host that failed `give_up_after` requests in a row (each with all its attempts) is taken to be
down: for `down_for` seconds every request for it fails at once with the same reason, so that one dead registry does not
hold up a pass by the sum of its time-outs.

With `allowances` that several processes share, the pause that one of them is told holds for all; whether a host is down each
finds out for itself.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from aiolimiter import AsyncLimiter

from bot.registries.base import RegistryError
from bot.state.allowances import Allowances, Left

TOO_MANY = 429
_TRY_AGAIN = frozenset({408, 425, TOO_MANY, 500, 502, 503, 504})
_A_YEAR = 366 * 86400.0
_SPARED = 20
_WINDOW = 3600  # seconds, for a host that names none
_LONGEST_WINDOW = 86400
_DIGITS = 12  # of a number in a header


@dataclass(frozen=True, slots=True)
class Limits:
    """Times are in seconds. `per_second` None: as fast as the host answers."""

    connections: int = 20
    per_second: float | None = None
    connect_timeout: float = 10
    read_timeout: float = 30
    total_timeout: float = 120
    attempts: int = 3
    first_pause: float = 0.5
    longest_wait: float = 30
    give_up_after: int = 3
    down_for: float = 30


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, as the client sees it; tests bring their own."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class Quota:
    """What a host said of our allowance (Docker Hub: pulls): `remaining` of `limit` in `window` seconds."""

    limit: int
    remaining: int
    window: int | None
    read_at: datetime

    def objection(self, name: str, now: float) -> str | None:
        """Why nothing that counts is asked for `now` (seconds since 1970): the last twentieth is left to those who deploy."""
        until = self.read_at.timestamp() + (self.window or _WINDOW)
        if self.remaining > self.limit // _SPARED or now >= until:
            return None
        when = datetime.fromtimestamp(until, UTC)
        left = f"{self.remaining} of {self.limit} pulls left"
        return f"{name} has {left}: they are left to who deploys, until {when:%Y-%m-%d %H:%M} UTC"


class Host:
    """One host's share of the limits. `async with` it is to have a slot; `ready` waits until the host may be asked."""

    def __init__(self, name: str, limits: Limits, clock: Clock, allowances: Allowances | None = None) -> None:
        self.name = name
        self.key = _key_of(name)
        self._allowances = allowances
        self._limits = limits
        self._clock = clock
        self._slots = asyncio.Semaphore(limits.connections)
        self._pace = AsyncLimiter(max(1.0, limits.per_second), max(1.0, 1 / limits.per_second)) if limits.per_second else None
        self._not_before = 0.0
        self._failures = 0
        self._closed_until = 0.0
        self._closed_because = ""

    async def __aenter__(self) -> None:
        await self._slots.acquire()

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        self._slots.release()

    async def ready(self) -> None:
        """Wait until a request may be sent. Raises RegistryError at once while the host is taken to be down."""
        if self._allowances is not None:
            await self._listen(self._allowances)
        self._refuse_if_closed()
        while (left := self._not_before - self._clock.monotonic()) > 0:
            await self._clock.sleep(left)
            self._refuse_if_closed()
        if self._pace is not None:
            sharers = 1 if self._allowances is None else self._allowances.sharers(self.key)
            await self._pace.acquire(min(sharers, self._pace.max_rate))

    async def _listen(self, allowances: Allowances) -> None:
        """Take in a pause that another process was told."""
        await allowances.fresh(self.key)
        left = allowances.paused(self.key, "all")
        if left > self._limits.longest_wait and self._closed_until < self._clock.monotonic() + left - 1:
            self._close(left, self._too_many(left))
        elif left > 0:
            self._not_before = max(self._not_before, self._clock.monotonic() + left)

    def _too_many(self, seconds: float) -> str:
        until = datetime.fromtimestamp(self._clock.wall() + seconds, UTC)
        return f"{self.name} allows no more requests until {until:%Y-%m-%d %H:%M:%S} UTC"

    def worked(self) -> None:
        """The host answered in good order."""
        self._failures = 0

    def failed(self, error: RegistryError) -> RegistryError:
        """A request failed for good; enough of them in a row close the host. Returns the error to raise."""
        self._failures += 1
        if self._failures >= self._limits.give_up_after:
            self._close(self._limits.down_for, str(error))
        return error

    def throttled(self, seconds: float) -> None:
        """The host asked for a pause. Raises RegistryError where it is longer than we would wait."""
        seconds = min(seconds, _A_YEAR)
        if self._allowances is not None:
            self._allowances.pause(self.key, "all", seconds)
        if seconds > self._limits.longest_wait:
            message = self._too_many(seconds)
            self._close(seconds, message)
            raise RegistryError(message)
        self._not_before = max(self._not_before, self._clock.monotonic() + seconds)

    def told(self, quota: Quota) -> None:
        """The host said what is left of our pulls."""
        if self._allowances is not None:
            self._allowances.note(self.key, "pulls", _as_left(quota))

    def heard(self) -> Quota | None:
        """What it said last to any of those who share the allowances."""
        left = None if self._allowances is None else self._allowances.left(self.key).get("pulls")
        return None if left is None else _as_quota(left)

    def pause(self, attempt: int) -> float:
        """How long to wait before the next attempt; the first was 0. Between half and the whole of a doubling pause."""
        full = min(self._limits.first_pause * 2.0**attempt, self._limits.longest_wait)
        return full * (1 + self._clock.jitter()) / 2

    def _close(self, seconds: float, because: str) -> None:
        self._closed_until = self._clock.monotonic() + seconds
        self._closed_because = because

    def _refuse_if_closed(self) -> None:
        if self._closed_until > self._clock.monotonic():
            raise RegistryError(self._closed_because)


def _key_of(host: str) -> str:
    """A registry among the allowances: all who ask from here share what it says."""
    return f"registry {host[:200]}"


def _as_left(quota: Quota) -> Left:
    """A quota as processes share it."""
    return Left(quota.limit, quota.remaining, quota.window, quota.read_at.timestamp())


def _as_quota(left: Left) -> Quota:
    """What another process was told."""
    window = None if left.seconds is None else int(left.seconds)
    return Quota(left.limit or left.remaining, left.remaining, window, datetime.fromtimestamp(left.noted, UTC))


def is_worth_another_try(status: int) -> bool:
    """Whether an answer says `later` rather than `no`."""
    return status in _TRY_AGAIN


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait by `Retry-After` (a number or a date; Docker Hub's API says `X-Retry-After`); None where not said."""
    text = headers.get("Retry-After") or headers.get("X-Retry-After")
    if not text:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:_DIGITS])
        # Docker Hub's X-Retry-After is a moment, in seconds since 1970.
        return max(0.0, seconds - now) if seconds > 1_000_000_000 else seconds
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def quota(headers: Mapping[str, str], now: float) -> Quota | None:
    """Docker Hub's `ratelimit-limit: 100;w=21600` and `ratelimit-remaining: 76;w=21600`; None where absent. A window is a day at
    most: what a host says by mistake is over by then."""
    limit, remaining = headers.get("ratelimit-limit"), headers.get("ratelimit-remaining")
    if limit is None or remaining is None:
        return None
    allowed, _, window = limit.partition(";w=")
    left = remaining.partition(";")[0]
    if not (allowed.strip().isdecimal() and left.strip().isdecimal()):
        return None
    window = window.strip()
    seconds = min(int(window[:_DIGITS]), _LONGEST_WINDOW) if window.isdecimal() else None
    return Quota(int(allowed.strip()[:_DIGITS]), int(left.strip()[:_DIGITS]), seconds, datetime.fromtimestamp(now, UTC))
