"""How hard a host is asked: the arithmetic."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.registries.base import RegistryError
from bot.registries.limits import Clock, Host, Limits, Quota, quota, retry_after

NOW = 1_760_000_000.0  # 2025-10-09T08:53:20Z


class Watch:
    """A clock on which sleeping takes no time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def clock(self, jitter: float = 1.0) -> Clock:
        return Clock(monotonic=lambda: self.now, wall=lambda: NOW + self.now, sleep=self.sleep, jitter=lambda: jitter)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "120"}, 120),
        ({"Retry-After": " 0 "}, 0),
        ({"Retry-After": "Thu, 09 Oct 2025 08:54:20 GMT"}, 60),
        ({"Retry-After": "Thu, 09 Oct 2025 08:00:00 GMT"}, 0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": "٣"}, None),
        ({"Retry-After": ""}, None),
        ({"X-Retry-After": str(int(NOW) + 90)}, 90),
        ({"X-Retry-After": "7"}, 7),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


@pytest.mark.parametrize("text", ["9" * 5000, "99999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_pause_beyond_reason_is_said_in_years_at_most(text: str) -> None:
    host = Host("h.example", Limits(), Watch().clock())
    seconds = retry_after({"Retry-After": text}, NOW)
    assert seconds is not None
    with pytest.raises(RegistryError, match=r"h.example allows no more requests until 2026-10-1"):
        host.throttled(seconds)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600"}, (100, 76, 21600)),
        ({"ratelimit-limit": "100", "ratelimit-remaining": "0"}, (100, 0, None)),
        ({"ratelimit-limit": "100;w=21600"}, None),
        # What no honest host says stops nobody for years, and no pass at all.
        ({"ratelimit-limit": "100;w=99999999999999", "ratelimit-remaining": "0"}, (100, 0, 86400)),
        ({"ratelimit-limit": f"{'9' * 5000};w={'9' * 5000}", "ratelimit-remaining": "9" * 5000}, (10**12 - 1, 10**12 - 1, 86400)),
        ({"ratelimit-limit": "many", "ratelimit-remaining": "few"}, None),
        ({}, None),
    ],
)
def test_quota(headers: dict[str, str], expected: tuple[int, int, int | None] | None) -> None:
    found = quota(headers, NOW)
    assert (found and (found.limit, found.remaining, found.window)) == expected
    assert found is None or isinstance(found, Quota)
    assert found is None or (found.objection("h.example", NOW) is not None) is (found.remaining == 0)


@pytest.mark.parametrize(
    ("limit", "remaining", "window", "later", "spared"),
    [
        (100, 6, 21600, 0, False),
        (100, 5, 21600, 0, True),
        (100, 5, 21600, 21599, True),
        (100, 5, 21600, 21600, False),  # the allowance is back
        (10, 1, 21600, 0, False),  # there is no twentieth of it
        (10, 0, 21600, 0, True),
        (100, 0, None, 3599, True),
        (100, 0, None, 3600, False),
    ],
)
def test_the_last_twentieth_is_spared(limit: int, remaining: int, window: int | None, later: float, spared: bool) -> None:
    found = Quota(limit, remaining, window, datetime.fromtimestamp(NOW, UTC))
    assert (found.objection("docker.io", NOW + later) is not None) is spared


@pytest.mark.parametrize(("jitter", "pauses"), [(1.0, [0.5, 1, 2, 4, 8, 16, 30, 30]), (0.0, [0.25, 0.5, 1, 2, 4, 8, 15, 15])])
def test_pauses_double_up_to_a_limit(jitter: float, pauses: list[float]) -> None:
    host = Host("h.example", Limits(), Watch().clock(jitter))
    assert [host.pause(attempt) for attempt in range(8)] == pauses


async def test_a_host_is_closed_after_failures_in_a_row_and_opens_again() -> None:
    watch = Watch()
    host = Host("h.example", Limits(give_up_after=3, down_for=30), watch.clock())
    for outcome in ("failed", "failed", "worked", "failed", "failed"):
        host.worked() if outcome == "worked" else host.failed(RegistryError("it is down"))
        await host.ready()
    host.failed(RegistryError("it is down for good"))
    with pytest.raises(RegistryError, match="it is down for good"):
        await host.ready()
    watch.now += 30
    await host.ready()


async def test_a_short_pause_is_kept_and_a_long_one_is_said() -> None:
    watch = Watch()
    host = Host("h.example", Limits(longest_wait=10), watch.clock())
    host.throttled(5)
    host.throttled(2)
    await host.ready()
    assert watch.slept == [5]
    with pytest.raises(RegistryError, match=r"h.example allows no more requests until 2025-10-09 09:08:2. UTC"):
        host.throttled(900)
    with pytest.raises(RegistryError, match="allows no more requests until"):
        await host.ready()
