"""Two processes with one installation of GitHub: together they write no more than one may, and a pause that one was told is
kept by both."""

from __future__ import annotations

import asyncio

import pytest

from bot.forges.base import Limited
from bot.forges.github.auth import TokenAuth
from bot.forges.github.connections import Connections
from bot.forges.github.limits import Budget, Pace
from bot.forges.github.wire import Wire
from bot.registries.base import RegistryError
from bot.registries.limits import Clock as RealClock
from bot.registries.limits import Host, Limits
from bot.state.allowances import Own, Span
from bot.state.ledger import Ledger
from bot.state.sharing import Shared
from tests.bot.forges.github.test_pacing import Shop, Simulation, most_within
from tests.servers.faults import FaultServer, reply

KEY = "github api.github.com 1"


async def test_together_they_write_no_more_than_one_may() -> None:
    """The budgets of two processes, over one store of windows and one clock."""
    time = Simulation()
    store = Own(lambda: time.now)
    shops = [Shop(time, Budget(Pace(), time.clock(), store, KEY)) for _ in range(2)]
    start = time.now
    await time.run(*(shops[n % 2].want(f"repo-{n:03}", n * 0.01) for n in range(300)))
    sent = [*shops[0].sent, *shops[1].sent]
    assert len(sent) == 900
    assert most_within(sent, 60) <= 60
    assert most_within(sent, 3600) <= 480
    # 900 writes at 480 an hour, and neither is left behind by the other.
    ends = [max(moment for moment, _ in shop.done) - start for shop in shops]
    assert max(ends) < 2 * 3600
    assert min(len([one for one, _ in shop.done if one - start < 1800]) for shop in shops) > 40


async def test_what_was_set_aside_and_not_used_is_there_for_the_other() -> None:
    time = Simulation()
    store = Own(lambda: time.now)
    one, two = (Budget(Pace(), time.clock(), store, KEY) for _ in range(2))
    for n in range(200):
        async with one.writing(f"nothing-{n}", 20), two.writing(f"neither-{n}", 20):
            pass


async def test_what_was_set_aside_for_one_that_is_cancelled_while_it_waits_is_there_for_the_other() -> None:
    """A process that stops may have many passes that wait for room."""
    store = Own(lambda: 0.0)
    pace = Pace(hourly=20, longest_wait=2 * 3600.0)

    async def forever(seconds: float) -> None:
        await asyncio.sleep(3600)

    budget = Budget(pace, RealClock(monotonic=lambda: 0.0, sleep=forever), store, KEY)
    await store.take(KEY, "content", 20, (Span(20, 3600.0),))

    async def want() -> None:
        async with budget.writing("a wish", 5):
            pytest.fail("there is no room")

    async def write() -> None:
        async with budget.asking(graphql=False, write=True):
            pytest.fail("there is no room")

    for wish in (want, write):
        task = asyncio.create_task(wish())
        await asyncio.sleep(0.01)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert len(store._taken[KEY, "content"]) == 20


async def _opened(database: str) -> tuple[Ledger, Shared]:
    ledger = await Ledger.open(database)
    return ledger, await Shared.open(ledger)


async def test_a_pause_that_one_was_told_holds_the_other_back(database: str) -> None:
    """Real requests: the second process sends nothing at all, and says until when."""
    limit = b'{"message": "You have exceeded a secondary rate limit"}'
    told = reply(429, limit, {"Retry-After": "600", "Content-Type": "application/json"})
    fine = reply(200, b"{}", {"Content-Type": "application/json"})
    connections = Connections(connect=5, silence=5, total=10)
    stores = [await _opened(database) for _ in range(2)]
    async with FaultServer(fine, told, fine) as server:
        one, two = (
            Wire(f"http://{server.host}", TokenAuth("secret"), connections, budget=Budget(allowances=shared, key=KEY))
            for _, shared in stores
        )
        await two.get("/first")
        with pytest.raises(Limited):
            await one.get("/second")
        await asyncio.sleep(1.2)  # as late as a pause may be heard of
        with pytest.raises(Limited, match="again from"):
            await two.get("/third")
        assert [asked.target for asked in server.asked] == ["/first", "/second"]
    await connections.close()
    for ledger, shared in stores:
        await shared.close()
        await ledger.close()


async def test_a_registrys_pause_holds_the_other_back_too(database: str) -> None:
    stores = [await _opened(database) for _ in range(2)]
    one, two = (Host("registry-1.docker.io", Limits(), RealClock(), shared) for _, shared in stores)
    await two.ready()
    with pytest.raises(RegistryError, match="allows no more requests until"):
        one.throttled(600)
    await asyncio.sleep(1.2)
    with pytest.raises(RegistryError, match=r"registry-1\.docker\.io allows no more requests until"):
        await two.ready()
    for ledger, shared in stores:
        await shared.close()
        await ledger.close()


async def test_reading_costs_the_database_a_question_a_second_at_most(database: str) -> None:
    ledger, shared = await _opened(database)
    asked: list[object] = []
    real = shared._ask

    async def counted(statement: object, **named: object) -> object:
        asked.append(statement)
        return await real(statement, **named)

    shared._ask = counted  # type: ignore[method-assign, assignment]
    budget = Budget(allowances=shared, key=KEY)
    for _ in range(300):
        async with budget.asking(graphql=False, write=False):
            pass
    # A sign of life, a sweep and a reading: and that once more for each second that this took.
    assert len(asked) <= 6
    await shared.close()
    await ledger.close()
