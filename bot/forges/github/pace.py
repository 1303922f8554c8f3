"""The figures that GitHub's limits are kept by, and a window that slides: for `limits`.

window = Window(480, HOUR)
if window.wait(now, 3) == 0:
    window.take(now, 3)
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

MINUTE, HOUR = 60.0, 3600.0
_GRAIN = 0.001  # seconds: a sum of floats may end just before the moment that it should be


@dataclass(frozen=True, slots=True)
class Pace:
    """The limits. Times are in seconds. `patience` is how long a ticket is kept after the moment its holder was told."""

    concurrent: int = 20
    rest_points: int = 900
    graphql_points: int = 2000
    burst: int = 10
    burst_span: float = 10.0
    hourly: int = 480
    waiting: int = 60
    minutely: int = 60  # of several processes together
    longest_wait: float = 60.0
    patience: float = 1800.0


class Window:
    """At most `limit` of something in any `span` seconds."""

    def __init__(self, limit: int, span: float) -> None:
        self.limit = limit
        self.span = span
        self.taken: deque[tuple[float, int]] = deque()
        self._sum = 0

    def used(self, now: float) -> int:
        """How much was taken within the span."""
        while self.taken and self.taken[0][0] <= now - self.span:
            self._sum -= self.taken.popleft()[1]
        return self._sum

    def wait(self, now: float, amount: int) -> float:
        """Seconds until so much more may be taken."""
        over = self.used(now) + amount - self.limit
        for moment, weight in self.taken:
            if over <= 0:
                break
            over -= weight
            if over <= 0:
                return moment + self.span - now + _GRAIN
        return 0.0

    def take(self, now: float, amount: int) -> None:
        self.taken.append((now, amount))
        self._sum += amount
