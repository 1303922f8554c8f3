"""The one door to GitHub: credentials, limits, troubles in the middle of each write, and that nothing is done twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.forges.base import Denied, ForgeError, Landed, Landing, Limited, Standing, Unreachable
from bot.forges.github.auth import TokenAuth, graphql_endpoint, web_address
from bot.forges.github.forge import GitHubForge
from bot.forges.github.host import GitHubHost
from bot.forges.github.limits import Budget, Pace
from bot.forges.github.wire import Wire
from bot.registries.limits import Clock
from bot.settings.secrets import Secret
from bot.settings.values import GitHubApp, GitHubSettings
from rules.requests import PullRequest
from tests.bot.forges.github.world import BRANCH, LANDING, World, head_of, wish, world
from tests.servers.faults import FaultServer, reply


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as found:
        yield found


Act = Callable[[GitHubForge, str, PullRequest | None], Awaitable[Any]]
FULL = {"labels": ("images",), "reviewers": ("ada",), "assignees": ("ada",)}


async def do_open(forge: GitHubForge, base: str, request: PullRequest | None) -> None:
    await forge.open(wish(**FULL), base)


async def do_refresh(forge: GitHubForge, base: str, request: PullRequest | None) -> None:
    assert request is not None
    if request.record is not None and request.record.fingerprint != "fp-1.2.0":
        await forge.refresh(request, wish("1.2.0", **FULL), base, rewrite=True)


async def do_close(forge: GitHubForge, base: str, request: PullRequest | None) -> None:
    if request is not None:
        await forge.close(request, "nothing left to update")


async def do_merge(forge: GitHubForge, base: str, request: PullRequest | None) -> None:
    if request is not None:
        assert isinstance(await forge.merge(request, Landing("squash", LANDING, request.head)), Landed)


async def do_comment(forge: GitHubForge, base: str, request: PullRequest | None) -> None:
    assert request is not None
    await forge.comment(request, "Waiting.")


async def do_show(forge: GitHubForge, base: str, request: PullRequest | None) -> None:
    assert request is not None
    await forge.show(request, Standing("wait", "not finished: ci/test"))


async def do_push(forge: GitHubForge, base: str, request: PullRequest | None) -> None:
    if not any(commit.ours for commit in await forge.history("main", ["app.yaml"])):
        await forge.push(wish(), base, LANDING)


WRITES = [
    (do_open, "git/refs"),
    (do_open, "Commit"),
    (do_open, "POST /repos/{owner}/{repo}/pulls"),
    (do_open, "labels"),
    (do_open, "assignees"),
    (do_open, "requested_reviewers"),
    (do_open, "PATCH"),
    (do_refresh, "git/refs"),
    (do_refresh, "Commit"),
    (do_refresh, "Move"),
    (do_refresh, "PATCH"),
    (do_close, "comments"),
    (do_close, "PATCH"),
    (do_close, "Move"),
    (do_merge, "merge"),
    (do_merge, "Move"),
    (do_comment, "comments"),
    (do_show, "check-runs"),
    (do_push, "Commit"),
]


CALM: dict[Act, object] = {}  # how each ends where nothing is wrong


async def run(w: World, act: Act) -> None:
    """What a pass does: look, and do what is left to do. A new process each time."""
    forge = await w.installed()
    look = await forge.look()
    request = next((one for one in look.requests if one.state == "open"), None)
    await act(forge, look.heads["main"], request)


def outcome(w: World) -> object:
    """All that can be seen afterwards, without numbers that differ by chance."""
    git = w.repo.git
    pulls = [
        (p.number, p.state, p.title, p.body, p.labels, p.assignees, p.reviewers, [c.body for c in p.comments])
        for p in w.repo.pulls.values()
    ]
    trees = {name: git.commit(oid).tree for name, oid in git.refs().items()}
    checks = [[(run.name, run.conclusion) for run in runs] for runs in w.repo.checks.values()]
    return pulls, trees, git.count(f"{w.repo.files.person('rev-list', '--max-parents=0', 'main')}", "main"), checks


async def prepare(w: World, act: Act) -> None:
    if act not in (do_open, do_push):
        forge = await w.installed()
        await forge.open(wish(**FULL), await head_of(forge))


TROUBLES = [("status", False), ("drop", False), ("status", True), ("cut", True), ("hang", True)]


@pytest.mark.parametrize(
    ("kind", "after"), TROUBLES, ids=[f"{kind} {'after' if after else 'before'}" for kind, after in TROUBLES]
)
@pytest.mark.parametrize(("act", "on"), WRITES, ids=lambda value: getattr(value, "__name__", value))
async def test_trouble_in_the_middle_of_each_write(tmp_path: Path, act: Act, on: str, kind: str, after: bool) -> None:
    """Tried again at once where that is safe, or by the next pass: in the end all is as without the trouble, and once."""
    if act not in CALM:
        async with world(tmp_path / "calm") as calm:
            await prepare(calm, act)
            await run(calm, act)
            CALM[act] = outcome(calm)
    async with world(tmp_path / "stormy") as w:
        await prepare(w, act)
        w.server.fail(on, kind, after=after)
        try:
            await run(w, act)
        except (Unreachable, AssertionError):
            await run(w, act)
        assert w.server.faults == []
        await run(w, act)
        await (await w.installed()).look()
        assert outcome(w) == CALM[act]


async def test_reading_is_tried_again(w: World) -> None:
    forge = w.forge()
    w.server.fail("Look", status=502, times=2)
    assert list((await forge.look()).heads) == ["main"]
    w.server.fail("Look", "drop", times=3)
    with pytest.raises(Unreachable, match="broke off"):
        await forge.look()
    w.server.fail("trees", "cut", times=1)
    assert len(await forge.tree(w.repo.head("main") or "")) == 2
    assert len(w.hours.waited) == 5


class TestLimits:
    @pytest.mark.parametrize("status", [403, 429])
    async def test_a_short_pause_is_waited_for(self, w: World, status: int) -> None:
        forge = w.forge()
        base = await head_of(forge)
        body = {"message": "You have exceeded a secondary rate limit."}
        w.server.fail("/pulls", status=status, headers={"Retry-After": "7"}, body=body)
        w.server.fail("Commit", status=status, body=body)  # which says no time: a minute
        await forge.open(wish(), base)
        assert w.hours.waited == [60, 7]
        assert list(w.repo.pulls) == [1]

    async def test_a_long_pause_is_told(self, w: World) -> None:
        forge = w.forge()
        base = await head_of(forge)
        w.server.fail("/pulls", status=429, headers={"Retry-After": "600"})
        with pytest.raises(Limited) as told:
            await forge.open(wish(), base)
        assert told.value.until == w.hours.now() + timedelta(seconds=600)
        before = len(w.server.take())
        with pytest.raises(Limited):
            await forge.look()  # nobody asks before
        assert (before, w.server.take()) == (4, [])
        w.hours.later(seconds=601)
        assert (await forge.open(wish(), base)).number == 1
        assert (len(w.repo.pulls), w.branches) == (1, ["main", BRANCH])

    @pytest.mark.parametrize("graphql", [False, True])
    async def test_the_allowance_is_used_up(self, w: World, graphql: bool) -> None:
        forge = w.forge()
        base = await head_of(forge)
        w.server.remaining["secret"] = (0, w.hours.now() + timedelta(minutes=20))
        with pytest.raises(Limited) as told:
            await (forge.look() if graphql else forge.tree(base))
        assert told.value.until is not None
        assert timedelta(minutes=20) <= told.value.until - w.hours.now() <= timedelta(minutes=20, seconds=2)
        w.server.take()
        with pytest.raises(Limited):
            await (forge.look() if graphql else forge.tree("0" * 40))
        assert w.server.take() == []
        w.hours.later(minutes=21)
        assert (await forge.look()).heads == {"main": base}

    async def test_what_is_left_is_not_used_beyond_zero(self, w: World) -> None:
        forge = w.forge()
        w.server.remaining["secret"] = (1, w.hours.now() + timedelta(seconds=30))
        base = await head_of(forge)
        assert (await forge.look()).heads == {"main": base}
        assert w.hours.waited == [31]


class TestCredentials:
    async def test_an_installation_token_is_kept_until_shortly_before_it_ends(self, w: World) -> None:
        host = w.app()
        forge = (await host.repositories())[0].forge
        await forge.look()
        w.hours.later(minutes=50)
        await forge.look()
        w.server.take()
        w.hours.later(minutes=6)
        await forge.look()
        assert w.server.take() == ["POST /app/installations/{id}/access_tokens", "Look"]

    async def test_a_clock_that_is_far_off_does_not_ask_every_time(self, w: World) -> None:
        settings = GitHubSettings(url=w.server.url, app=GitHubApp("1", Secret(w.server.private_key)))
        ahead = Clock(monotonic=lambda: w.hours.at, wall=lambda: w.hours.at + 86_400, sleep=w.hours.sleep, jitter=lambda: 0.5)
        forge = (await GitHubHost(settings, connections=w.connections, clock=ahead).repositories())[0].forge
        w.server.take()
        for _ in range(3):
            await forge.look()
        assert w.server.take() == ["Look"] * 3

    async def test_a_token_that_is_taken_away_is_asked_for_anew_in_the_middle(self, w: World) -> None:
        forge = await w.installed()
        base = await head_of(forge)
        w.server.world.viewers = {name: one for name, one in w.server.world.viewers.items() if not name.startswith("ghs_")}
        assert (await forge.open(wish(), base)).number == 1

    async def test_a_token_that_is_not_good_stays_so(self, w: World) -> None:
        forge = w.forge(token="wrong")
        with pytest.raises(Denied, match="401"):
            await forge.look()
        assert w.server.take() == ["Look"]
        assert "wrong" not in repr(TokenAuth("wrong"))

    async def test_one_installation_never_reads_with_anothers_token(self, w: World) -> None:
        w.server.world.repo("acme/other", {"app.yaml": b"image: other:1\n"})
        w.server.world.installations.clear()
        w.server.install(11, ["acme/gitops"])
        w.server.install(12, ["acme/other"])
        forges = {one.forge.name: one.forge for one in await w.app().repositories()}
        assert sorted(forges) == ["acme/gitops", "acme/other"]
        looks = [await forge.look() for forge in forges.values()]
        assert looks[0].heads != looks[1].heads
        mine, other = forges["acme/gitops"], forges["acme/other"]
        assert isinstance(mine, GitHubForge)
        assert isinstance(other, GitHubForge)
        assert mine.wire is not other.wire
        with pytest.raises(ForgeError):
            await mine.wire.get("/repos/acme/other", kept=True)


@pytest.mark.parametrize(
    ("url", "endpoint", "page"),
    [
        ("https://api.github.com", "https://api.github.com/graphql", "https://github.com"),
        ("https://api.github.com/", "https://api.github.com/graphql", "https://github.com"),
        ("http://127.0.0.1:9001", "http://127.0.0.1:9001/graphql", "http://127.0.0.1:9001"),
        ("https://git.example.com/api/v3", "https://git.example.com/api/graphql", "https://git.example.com"),
        ("https://git.example.com/api/v3/", "https://git.example.com/api/graphql", "https://git.example.com"),
    ],
)
def test_addresses(url: str, endpoint: str, page: str) -> None:
    assert (graphql_endpoint(url), web_address(url)) == (endpoint, page)


async def test_an_enterprise_server(w: World) -> None:
    wire = Wire(f"{w.server.url}/api/v3", TokenAuth("secret"), w.connections, budget=Budget(Pace(), w.hours.clock()))
    forge = GitHubForge("acme/gitops", wire)
    request = await forge.open(wish(), await head_of(forge))
    assert (request.number, [one.number for one in (await forge.look()).requests]) == (1, [1])


async def test_what_was_kept_costs_nothing_when_it_did_not_change(w: World) -> None:
    forge = w.forge()
    first = await forge.wire.get("/repos/acme/gitops", kept=True)
    assert await forge.wire.get("/repos/acme/gitops", kept=True) == first
    w.repo.methods.discard("merge")
    assert (await forge.wire.get("/repos/acme/gitops", kept=True))["allow_merge_commit"] is False


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, b"<html>not JSON</html>", {"Content-Type": "text/html"}),
        reply(200, b'{"data": ', {"Content-Type": "application/json"}),
        reply(200, b"", {"Content-Type": "application/json"}),
        reply(200, b'{"data": null}', {"Content-Type": "application/json"}),
        reply(200, b'{"data": null, "errors": [{"message": "Something went wrong"}]}', {"Content-Type": "application/json"}),
        reply(200, b'{"data": null, "errors": [17]}', {"Content-Type": "application/json"}),
        reply(599, b""),
        reply(302, b"", {"Location": "http://169.254.169.254/"}),
        b"nonsense\r\n\r\n",
    ],
)
async def test_answers_that_make_no_sense(answer: bytes, w: World) -> None:
    async with FaultServer(answer) as server:
        wire = Wire(f"http://{server.host}", TokenAuth("secret"), w.connections, budget=Budget(Pace(), w.hours.clock()))
        forge = GitHubForge("acme/gitops", wire)
        with pytest.raises(ForgeError) as told:
            await forge.look()
        assert "secret" not in str(told.value)
        with pytest.raises(ForgeError) as told:
            await forge.tree("1" * 40)
        assert "secret" not in str(told.value)


async def test_a_redirect_elsewhere_is_not_followed_with_the_token(w: World) -> None:
    async with (
        FaultServer(reply(200, b"{}")) as elsewhere,
        FaultServer(reply(307, b"", {"Location": f"http://{elsewhere.host}/x"})) as server,
    ):
        wire = Wire(f"http://{server.host}", TokenAuth("secret"), w.connections, budget=Budget(Pace(), w.hours.clock()))
        with pytest.raises(ForgeError):
            await wire.write("POST", "/repos/acme/gitops/pulls", {"title": "x"})
        assert elsewhere.asked == []


async def test_at_most_so_many_at_once_and_one_write_at_a_time(w: World) -> None:
    running = {"GET": 0, "POST": 0}
    most = {"GET": 0, "POST": 0}

    async def slow(asked: Any) -> bytes:
        running[asked.method] += 1
        most[asked.method] = max(most[asked.method], running[asked.method])
        await asyncio.sleep(0.02)
        running[asked.method] -= 1
        return reply(200, b"{}", {"Content-Type": "application/json"})

    async with FaultServer(slow) as server:
        pace = Pace(concurrent=5)
        wire = Wire(f"http://{server.host}", TokenAuth("secret"), w.connections, budget=Budget(pace, w.hours.clock()))
        await asyncio.gather(*(wire.get(f"/{n}") for n in range(30)), *(wire.write("POST", f"/{n}", {}) for n in range(8)))
    assert (most["GET"] <= 5, most["POST"]) == (True, 1)
    assert wire.requests == {"GET": 30, "POST": 8}
